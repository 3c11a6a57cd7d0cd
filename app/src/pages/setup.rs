use leptos::prelude::*;

/// Being written.
#[component]
pub fn SetupPage() -> impl IntoView {}

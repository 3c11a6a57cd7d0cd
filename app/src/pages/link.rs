use leptos::prelude::*;

/// Being written.
#[component]
pub fn LinkPage() -> impl IntoView {}

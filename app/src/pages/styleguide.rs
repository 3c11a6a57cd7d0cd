use leptos::prelude::*;

/// Being written.
#[component]
pub fn StyleguidePage() -> impl IntoView {}

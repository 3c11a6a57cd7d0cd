use leptos::prelude::*;

/// Being written.
#[component]
pub fn HomePage() -> impl IntoView {}

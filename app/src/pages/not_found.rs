use leptos::prelude::*;

/// Being written.
#[component]
pub fn NotFoundPage() -> impl IntoView {}

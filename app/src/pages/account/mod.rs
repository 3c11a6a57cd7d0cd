use leptos::prelude::*;

/// Being written.
#[component]
pub fn AccountPage() -> impl IntoView {}

use leptos::prelude::*;

/// Being written.
#[component]
pub fn NotificationsPage() -> impl IntoView {}

use leptos::prelude::*;

/// Being written.
#[component]
pub fn AuditPage() -> impl IntoView {}

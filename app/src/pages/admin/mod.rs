use leptos::prelude::*;

/// Being written.
#[component]
pub fn PeoplePage() -> impl IntoView {}

/// Being written.
#[component]
pub fn TeamsPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn GrantsPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn ConnectionsPage() -> impl IntoView {}

//! Filled by their own author.
use leptos::prelude::*;

/// Being written.
#[component]
pub fn RunsPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn RunPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn RequestsPage() -> impl IntoView {}

//! Filled by their own author.
use leptos::prelude::*;

/// Being written.
#[component]
pub fn CataloguePage() -> impl IntoView {}

/// Being written.
#[component]
pub fn WorkflowPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn RequestPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn ReviewPage() -> impl IntoView {}

//! Filled by their own author.
use leptos::prelude::*;

/// Being written.
#[component]
pub fn ApprovalsPage() -> impl IntoView {}

/// Being written.
#[component]
pub fn ApprovalPage() -> impl IntoView {}

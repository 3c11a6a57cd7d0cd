//! From the catalogue to a sent request.

mod input_list;
mod list;
mod request;
mod review;
mod steps;
mod workflow;

use domain::{DraftId, WorkflowRef};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

pub use list::CataloguePage;
pub use request::RequestPage;
pub use review::ReviewPage;
pub use workflow::WorkflowPage;

pub(crate) use input_list::InputList;
pub(crate) use steps::{PlanSteps, decider_names};

use crate::{
    components::{Banner, Tone},
    i18n::use_texts,
    view,
};

/// The workflow in the address, as its two parts.
fn workflow_in_address() -> Memo<(String, String)> {
    let params = use_params_map();
    Memo::new(move |_| {
        params.with(|params| (params.get("namespace").unwrap_or_default(), params.get("name").unwrap_or_default()))
    })
}

/// The address of a workflow's page.
fn workflow_href(namespace: &impl std::fmt::Display, name: &impl std::fmt::Display) -> String {
    format!("/catalogue/{namespace}/{name}")
}

/// The address of the request form, of a kept draft where there is one.
pub(crate) fn request_href(workflow: &WorkflowRef, draft: Option<DraftId>) -> String {
    let form = format!("{}/request", workflow_href(&workflow.namespace, &workflow.name));
    draft.map_or_else(|| form.clone(), |draft| format!("{form}?draft={draft}"))
}

/// Says that a workflow cannot be launched before connections are set up; nothing where none is missing.
#[component]
fn NotSetUp(
    /// Their names.
    missing: Vec<String>,
) -> impl IntoView {
    let t = use_texts();
    (!missing.is_empty()).then(|| {
        view! {
            <Banner tone=Tone::Warning title=t.catalogue.needs_connections()>
                <p>{t.catalogue.needs_connections_text(missing.join(", "))}</p>
            </Banner>
        }
    })
}

//! The catalogue, and requests from the first letter typed to the moment they are sent.

use std::collections::BTreeMap;

use domain::{
    DraftId, FieldError, RunId,
    view::{CatalogueItem, DraftView, PlanStep, WorkflowVersionView},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
use super::{go_on, scope};
use crate::{door::Door, errors::AppError};

/// A workflow with the caller's unsent requests for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowData {
    /// The launchable version.
    pub workflow: WorkflowVersionView,
    /// Unsent requests, the latest first.
    pub drafts: Vec<DraftView>,
}

/// What the request form needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestData {
    /// The launchable version.
    pub workflow: WorkflowVersionView,
    /// The request being filled in, if it was kept before.
    pub draft: Option<DraftView>,
    /// Other unsent requests for the same workflow.
    pub others: Vec<DraftView>,
    /// What the server finds wrong, where it was asked to check.
    pub errors: Vec<FieldError>,
}

/// What the review shows: the last look before sending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewData {
    /// The request.
    pub draft: DraftView,
    /// The launchable version.
    pub workflow: WorkflowVersionView,
    /// What will happen with this input.
    pub plan: Vec<PlanStep>,
    /// What the server finds wrong; then there is no plan.
    pub errors: Vec<FieldError>,
}

/// Where a request stands after a form was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRequest {
    /// The draft it is kept as.
    pub draft: DraftId,
    /// The page that comes next.
    pub next: String,
    /// What the server finds wrong; then the form comes next.
    pub errors: Vec<FieldError>,
}

/// A run that was launched by sending a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentRequest {
    /// The run.
    pub run: RunId,
    /// Its number for people.
    pub number: i64,
}

/// All workflows that the caller may launch.
#[server(protocol = Door, prefix = "/ui", endpoint = "catalogue")]
pub async fn catalogue() -> Result<Vec<CatalogueItem>, AppError> {
    let (service, caller) = scope()?;
    let items = service.catalogue(&caller, None).await?;
    // No card shows it, and every card would carry it twice.
    Ok(items.into_iter().map(|item| CatalogueItem { input_schema: None, ..item }).collect())
}

/// One workflow with the caller's unsent requests for it.
#[server(protocol = Door, prefix = "/ui", endpoint = "workflow")]
pub async fn workflow(namespace: String, name: String) -> Result<WorkflowData, AppError> {
    let (service, caller) = scope()?;
    let reference = server_side::reference(&namespace, &name)?;
    let workflow = service.workflow(&caller, &reference).await?;
    Ok(WorkflowData { workflow, drafts: server_side::drafts_of(&service, &caller, &reference).await? })
}

/// The request form; with `check` the server says what is wrong with the draft so far.
#[server(protocol = Door, prefix = "/ui", endpoint = "request-form")]
pub async fn request_form(
    namespace: String,
    name: String,
    #[server(default)] draft: Option<DraftId>,
    #[server(default)] check: bool,
) -> Result<RequestData, AppError> {
    let (service, caller) = scope()?;
    let reference = server_side::reference(&namespace, &name)?;
    let workflow = service.workflow(&caller, &reference).await?;
    let mut others = server_side::drafts_of(&service, &caller, &reference).await?;
    others.retain(|other| Some(other.id) != draft);
    let draft = match draft {
        Some(id) => Some(service.draft(&caller, id).await?),
        None => None,
    };
    let errors = match &draft {
        Some(draft) if check => server_side::plan(&service, &caller, &reference, draft).await?.1,
        _ => Vec::new(),
    };
    Ok(RequestData { workflow, draft, others, errors })
}

/// Keeps what was typed so far; called while somebody types.
#[server(protocol = Door, prefix = "/ui", endpoint = "keep-draft")]
pub async fn keep_draft(
    namespace: String,
    name: String,
    #[server(default)] draft: Option<DraftId>,
    #[server(default)] fields: BTreeMap<String, String>,
) -> Result<DraftView, AppError> {
    let (service, caller) = scope()?;
    let reference = server_side::reference(&namespace, &name)?;
    let schema = server_side::schema(&service, &caller, &reference).await?;
    let values = domain::form::values_from_pairs(&schema, &server_side::pairs(fields));
    Ok(service.save_draft(&caller, &reference, draft, values).await?)
}

/// The form's buttons: `review` keeps the request and goes on to the review, or back to the form where something is
/// wrong; `add:POINTER` and `remove:POINTER` change a list's rows for pages without JavaScript.
#[server(protocol = Door, prefix = "/ui", endpoint = "review-request")]
pub async fn review_request(
    namespace: String,
    name: String,
    #[server(default)] draft: Option<DraftId>,
    #[server(default)] action: String,
    #[server(default)] fields: BTreeMap<String, String>,
) -> Result<KeptRequest, AppError> {
    let (service, caller) = scope()?;
    let reference = server_side::reference(&namespace, &name)?;
    let schema = server_side::schema(&service, &caller, &reference).await?;
    let values = server_side::values_after(&schema, &action, &server_side::pairs(fields));
    let kept = service.save_draft(&caller, &reference, draft, values).await?;
    let form = format!("/catalogue/{reference}/request?draft={}", kept.id);
    let (next, errors) = match action.split_once(':') {
        Some((_, pointer)) => (format!("{form}#{}", crate::components::schema_form::control_id(pointer)), Vec::new()),
        None => {
            let (_, errors) = server_side::plan(&service, &caller, &reference, &kept).await?;
            let review = format!("/requests/drafts/{}/review", kept.id);
            (if errors.is_empty() { review } else { format!("{form}&check=true") }, errors)
        }
    };
    go_on(&next);
    Ok(KeptRequest { draft: kept.id, next, errors })
}

/// The last look before sending.
#[server(protocol = Door, prefix = "/ui", endpoint = "review")]
pub async fn review(draft: DraftId) -> Result<ReviewData, AppError> {
    let (service, caller) = scope()?;
    let draft = service.draft(&caller, draft).await?;
    let reference = domain::WorkflowRef { namespace: draft.namespace.clone(), name: draft.name.clone() };
    let workflow = service.workflow(&caller, &reference).await?;
    let (plan, errors) = server_side::plan(&service, &caller, &reference, &draft).await?;
    Ok(ReviewData { draft, workflow, plan, errors })
}

/// Sends a request. Sending it twice gives the same run.
#[server(protocol = Door, prefix = "/ui", endpoint = "send-draft")]
pub async fn send_draft(draft: DraftId) -> Result<SentRequest, AppError> {
    let (service, caller) = scope()?;
    let run = service.send_draft(&caller, draft).await?;
    go_on(&format!("/runs/{}", run.number));
    Ok(SentRequest { run: run.id, number: run.number })
}

/// Throws an unsent request away.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-draft")]
pub async fn delete_draft(draft: DraftId, #[server(default)] next: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_draft(&caller, draft).await?;
    go_on(&crate::url_state::inner_path(&next));
    Ok(())
}

/// The caller's unsent requests.
#[server(protocol = Door, prefix = "/ui", endpoint = "drafts")]
pub async fn drafts() -> Result<Vec<DraftView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.drafts(&caller).await?)
}

#[cfg(feature = "ssr")]
pub(super) use server_side::{pairs, values_after};

#[cfg(feature = "ssr")]
mod server_side {
    use std::collections::BTreeMap;

    use domain::{
        ErrorCode, FieldError, Problem, WorkflowRef, form,
        view::{DraftView, PlanStep},
    };
    use serde_json::{Value, json};
    use service::{Caller, Service};

    use crate::errors::AppError;

    /// A workflow by the parts of its address; what is no name names nothing.
    pub(super) fn reference(namespace: &str, name: &str) -> Result<WorkflowRef, AppError> {
        let reference = namespace.parse().and_then(|namespace| Ok(WorkflowRef { namespace, name: name.parse()? }));
        Ok(reference.map_err(|_| Problem::new(ErrorCode::NotFound))?)
    }

    pub(super) async fn drafts_of(
        service: &Service,
        caller: &Caller,
        reference: &WorkflowRef,
    ) -> Result<Vec<DraftView>, AppError> {
        let mut drafts = service.drafts(caller).await?;
        drafts.retain(|draft| draft.namespace == reference.namespace && draft.name == reference.name);
        Ok(drafts)
    }

    /// The input schema of the launchable version; a workflow without one takes an empty object.
    pub(super) async fn schema(service: &Service, caller: &Caller, reference: &WorkflowRef) -> Result<Value, AppError> {
        let workflow = service.workflow(caller, reference).await?;
        Ok(workflow.item.input_schema.unwrap_or_else(|| json!({"type": "object"})))
    }

    /// What would happen with a draft's values, or what is wrong with them.
    pub(super) async fn plan(
        service: &Service,
        caller: &Caller,
        reference: &WorkflowRef,
        draft: &DraftView,
    ) -> Result<(Vec<PlanStep>, Vec<FieldError>), AppError> {
        match service.preview(caller, reference, draft.values.clone()).await {
            Ok(plan) => Ok((plan, Vec::new())),
            Err(problem) if problem.code == ErrorCode::InvalidInput => Ok((Vec::new(), problem.errors)),
            Err(problem) => Err(problem.into()),
        }
    }

    /// The pairs of a form: names are escaped pointers, see `components::schema_form`.
    pub(crate) fn pairs(fields: BTreeMap<String, String>) -> Vec<(String, String)> {
        fields.into_iter().map(|(name, value)| (crate::components::schema_form::pointer_of(&name), value)).collect()
    }

    /// What a button of the form makes of what was typed.
    pub(crate) fn values_after(schema: &Value, action: &str, pairs: &[(String, String)]) -> Value {
        match action.split_once(':') {
            Some(("add", pointer)) => form::add_row(schema, form::unfinished_from_pairs(schema, pairs), pointer),
            Some(("remove", pointer)) => form::remove_row(form::unfinished_from_pairs(schema, pairs), pointer),
            _ => form::values_from_pairs(schema, pairs),
        }
    }
}

//! Decisions.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use domain::{
    ApprovalId, ApprovalState, DecisionKind, RemarkId, RunId,
    view::{ApprovalDetail, ApprovalSummary, DecisionOutcome, ForesightView, Page, RunSummary},
};
use identity::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{ApprovalQuery, Caller, ChosenDecision, Manner, NewDecision};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(decide_chosen))
        .routes(routes!(get))
        .routes(routes!(foresee))
        .routes(routes!(decide))
        .routes(routes!(linked))
        .routes(routes!(decide_by_link))
        .routes(routes!(resubmit))
        .routes(routes!(ask))
        .routes(routes!(answer))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ApprovalsQuery {
    /// Only those that stand so.
    state: Option<ApprovalState>,
    /// Only those that wait for the caller.
    #[serde(default)]
    mine: bool,
    /// Only those of this run.
    run: Option<RunId>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Approvals that the caller may see, oldest due first
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", operation_id = "listApprovals",
    params(ApprovalsQuery),
    responses((status = 200, description = "A page of them", body = Page<ApprovalSummary>)),
    extensions(("x-rondo-operation" = json!("approval.list"))))]
async fn list(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<ApprovalsQuery>,
) -> Answer<Json<Page<ApprovalSummary>>> {
    let filter = ApprovalQuery { state: query.state, mine: query.mine, run: query.run };
    Ok(Json(portal.service.approvals(&caller, filter, query.cursor.as_deref(), query.limit).await?))
}

/// One approval with all that a decision needs
#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "approvals", operation_id = "getApproval",
    params(("id" = ApprovalId, Path)),
    responses((status = 200, description = "The approval", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.read"))))]
async fn get(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
) -> Answer<Json<ApprovalDetail>> {
    Ok(Json(portal.service.approval(&caller, id).await?))
}

/// What the run will do next if it is approved
///
/// The calls to come, in their order, with what other systems say of those whose arguments are certain: at most 20 are asked
/// about, for at most 10 seconds in all. Nothing is changed there. Each time is entered in the audit log.
#[utoipa::path(get, path = "/api/v1/approvals/{id}/foresight", tag = "approvals", operation_id = "foreseeApproval",
    params(("id" = ApprovalId, Path)),
    responses((status = 200, description = "The calls to come", body = ForesightView)),
    extensions(("x-rondo-operation" = json!("approval.foresee"))))]
async fn foresee(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
) -> Answer<Json<ForesightView>> {
    Ok(Json(portal.service.foresee_approval(&caller, id).await?))
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the name is part of the interface")]
#[schema(example = json!({"decision": "approve", "comment": "", "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}))]
struct Decision {
    /// What the caller says.
    decision: DecisionKind,
    /// Why; required unless it is an approval.
    #[serde(default)]
    comment: String,
    /// The approval's `digest`: what was decided about.
    digest: String,
    /// To approve, where the approval has a `form`: what that asks for.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    filled_in: Option<Value>,
    /// To narrow: what is permitted instead of what was asked for, by those JSON pointers that the approval lists as `narrow`.
    #[serde(default)]
    #[schema(value_type = Object)]
    narrowed: BTreeMap<String, Value>,
    /// The caller's password once more, where the approval says `stepUp`; it is for this call alone.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
}

/// The caller, who gives the password again if it is needed.
async fn confirmed(portal: &Portal, caller: Caller, password: Option<Secret>) -> Answer<Caller> {
    match password {
        Some(password) => Ok(portal.service.confirm(&caller, password.expose()).await?),
        None => Ok(caller),
    }
}

/// Decide
///
/// Where the risk is high, or a policy asks for it, the decision is refused with `step-up-required` until it comes with the
/// caller's password.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/decisions", tag = "approvals", operation_id = "decide",
    params(("id" = ApprovalId, Path)),
    request_body = Decision,
    responses((status = 201, description = "The approval after the decision", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!(["approval.decide", "session.confirm"]))))]
async fn decide(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
    Sent(decision): Sent<Decision>,
) -> Answer<Created<ApprovalDetail>> {
    let Decision { decision: kind, comment, digest, filled_in, narrowed, password } = decision;
    let caller = confirmed(&portal, caller, password).await?;
    let new = NewDecision { kind, comment, digest, filled_in, narrowed, manner: Manner::Single };
    Ok(Created(format!("/approvals/{id}"), portal.service.decide_on(&caller, id, new).await?))
}

/// One of several decisions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OneDecision {
    /// The approval.
    approval: ApprovalId,
    /// What the caller says; not `narrow`.
    decision: DecisionKind,
    /// Why; required unless it is an approval.
    #[serde(default)]
    comment: String,
    /// The approval's `digest`: what was decided about.
    digest: String,
}

/// Several decisions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decisions {
    /// At most 100, each about another approval.
    #[schema(min_items = 1, max_items = 100)]
    decisions: Vec<OneDecision>,
}

/// What became of several decisions.
#[derive(Serialize, ToSchema)]
struct Outcomes {
    /// In the order in which they were sent.
    items: Vec<DecisionOutcome>,
}

/// Decide on several approvals, each with its reason
///
/// Each is decided as if it came by itself, and answered by itself: one that is refused keeps none of the others. What asks for
/// a form, or for the password again, is answered `alone`. Nothing is decided when a reason is missing.
#[utoipa::path(post, path = "/api/v1/approvals/decisions", tag = "approvals", operation_id = "decideSeveral",
    request_body = Decisions,
    responses((status = 200, description = "What became of each", body = Outcomes)),
    extensions(("x-rondo-operation" = json!("approval.decide"))))]
async fn decide_chosen(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(Decisions { decisions }): Sent<Decisions>,
) -> Answer<Json<Outcomes>> {
    let chosen = decisions
        .into_iter()
        .map(|OneDecision { approval, decision: kind, comment, digest }| ChosenDecision {
            approval,
            kind,
            comment,
            digest,
        })
        .collect();
    Ok(Json(Outcomes { items: portal.service.decide_chosen(&caller, chosen).await? }))
}

/// What a link in a mail asks the caller to decide
///
/// Looking decides nothing and uses nothing up. The link works for the person whom the mail was sent to, once, for a week.
#[utoipa::path(get, path = "/api/v1/decision-links/{token}", tag = "approvals", operation_id = "getLinkedApproval",
    params(("token" = String, Path)),
    responses((status = 200, description = "The approval", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.read"))))]
async fn linked(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(token): Place<String>,
) -> Answer<Json<ApprovalDetail>> {
    Ok(Json(portal.service.linked_approval(&caller, &token).await?))
}

/// A decision by a link, which knows what it is about.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LinkedDecision {
    /// What the caller says; not `narrow`.
    decision: DecisionKind,
    /// Why; required unless it is an approval.
    #[serde(default)]
    comment: String,
    /// The caller's password once more, where the approval says `stepUp`.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
}

/// Decide by a link in a mail
#[utoipa::path(post, path = "/api/v1/decision-links/{token}/decisions", tag = "approvals", operation_id = "decideByLink",
    params(("token" = String, Path)),
    request_body = LinkedDecision,
    responses((status = 201, description = "The approval after the decision", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!(["approval.decide", "session.confirm"]))))]
async fn decide_by_link(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(token): Place<String>,
    Sent(LinkedDecision { decision, comment, password }): Sent<LinkedDecision>,
) -> Answer<Created<ApprovalDetail>> {
    let caller = confirmed(&portal, caller, password).await?;
    let decided = portal.service.decide_by_link(&caller, &token, decision, &comment).await?;
    Ok(Created(format!("/approvals/{}", decided.summary.id), decided))
}

/// Changed input.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resubmission {
    /// The whole input, as the workflow's schema has it.
    #[schema(value_type = Object)]
    input: Value,
}

/// Send changed input after an approver has asked for changes
///
/// The same run begins again with it, and everybody is asked anew: by another approval, with another digest.
#[utoipa::path(post, path = "/api/v1/approvals/{id}/resubmissions", tag = "approvals", operation_id = "resubmit",
    params(("id" = ApprovalId, Path)),
    request_body = Resubmission,
    responses((status = 201, description = "The run", body = RunSummary)),
    extensions(("x-rondo-operation" = json!("approval.resubmit"))))]
async fn resubmit(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
    Sent(Resubmission { input }): Sent<Resubmission>,
) -> Answer<Created<RunSummary>> {
    let run = portal.service.resubmit(&caller, id, input).await?;
    Ok(Created(format!("/runs/{}", run.id), run))
}

/// What somebody asks or answers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"text": "For how long?"}))]
struct Words {
    /// Plain text, at most 4,000 characters.
    text: String,
}

/// Ask something before deciding
#[utoipa::path(post, path = "/api/v1/approvals/{id}/questions", tag = "approvals", operation_id = "askAboutApproval",
    params(("id" = ApprovalId, Path)),
    request_body = Words,
    responses((status = 201, description = "The approval with the question", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.ask"))))]
async fn ask(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<ApprovalId>,
    Sent(Words { text }): Sent<Words>,
) -> Answer<Created<ApprovalDetail>> {
    Ok(Created(format!("/approvals/{id}"), portal.service.ask(&caller, id, &text).await?))
}

/// Answer a question
#[utoipa::path(post, path = "/api/v1/approvals/{id}/questions/{question}/answers", tag = "approvals",
    operation_id = "answerAboutApproval",
    params(("id" = ApprovalId, Path), ("question" = RemarkId, Path)),
    request_body = Words,
    responses((status = 201, description = "The approval with the answer", body = ApprovalDetail)),
    extensions(("x-rondo-operation" = json!("approval.answer"))))]
async fn answer(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, question)): Place<(ApprovalId, RemarkId)>,
    Sent(Words { text }): Sent<Words>,
) -> Answer<Created<ApprovalDetail>> {
    Ok(Created(format!("/approvals/{id}"), portal.service.answer(&caller, id, question, &text).await?))
}

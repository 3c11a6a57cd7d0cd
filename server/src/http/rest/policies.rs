//! Policies: those in force, and those that administrators propose.

use axum::{Json, extract::State};
use domain::{
    Role,
    view::{DiagnosticView, Page, PoliciesView, PolicySetItem, PolicySetView, PolicyView, ReplayView, SeparationView},
};
use serde::Deserialize;
use service::NewPolicies;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Paging, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(policies))
        .routes(routes!(policy))
        .routes(routes!(sets, propose))
        .routes(routes!(check))
        .routes(routes!(set, change))
        .routes(routes!(replay))
        .routes(routes!(withdraw))
        .routes(routes!(activate))
        .routes(routes!(separation, separate))
}

/// The policies in force, as they are written
#[utoipa::path(get, path = "/api/v1/policies", tag = "policies", operation_id = "listPolicies",
    responses((status = 200, description = "All of them, the program's own first", body = PoliciesView)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn policies(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<PoliciesView>> {
    Ok(Json(portal.service.policies(&caller).await?))
}

/// One policy that is in force, by the id that refusals and the audit log name
#[utoipa::path(get, path = "/api/v1/policies/{id}", tag = "policies", operation_id = "getPolicy",
    params(("id" = String, Path)),
    responses((status = 200, description = "The policy", body = PolicyView)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn policy(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<String>,
) -> Answer<Json<PolicyView>> {
    Ok(Json(portal.service.policy(&caller, &id).await?))
}

/// The sets of policies that administrators have written, newest first
#[utoipa::path(get, path = "/api/v1/policy-sets", tag = "policies", operation_id = "listPolicySets",
    params(Paging),
    responses((status = 200, description = "A page of them", body = Page<PolicySetItem>)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn sets(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(page): Asked<Paging>,
) -> Answer<Json<Page<PolicySetItem>>> {
    Ok(Json(portal.service.policy_sets(&caller, page.cursor.as_deref(), page.limit).await?))
}

/// All policies of the administrators, in the place of those before.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(example = json!({
    "source": "@id(\"auditors-see-limits\")\n@needs(\"the role auditor everywhere\")\npermit (principal is User, action == Action::\"limit.list\", resource is System)\nwhen { resource in principal.auditor };\n",
    "note": "Auditors see limits",
    "basedOn": null,
}))]
struct ProposedPolicies {
    /// In Cedar; empty for none.
    source: String,
    /// What they are for, in one line of at most 500 characters.
    note: String,
    /// The version that was in force when they were written; absent where the program's own policies were alone.
    based_on: Option<i64>,
}

impl From<ProposedPolicies> for NewPolicies {
    fn from(ProposedPolicies { source, note, based_on }: ProposedPolicies) -> Self {
        Self { source, note, based_on }
    }
}

/// Propose policies. They take effect once another administrator has put them into force
#[utoipa::path(post, path = "/api/v1/policy-sets", tag = "policies", operation_id = "proposePolicies",
    request_body = ProposedPolicies,
    responses((status = 201, description = "The proposal", body = PolicySetView)),
    extensions(("x-rondo-operation" = json!("policy.propose"))))]
async fn propose(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(new): Sent<ProposedPolicies>,
) -> Answer<Created<PolicySetView>> {
    let set = portal.service.propose_policies(&caller, new.into()).await?;
    Ok(Created(format!("/policy-sets/{}", set.item.version), set))
}

/// A text of policies.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PoliciesText {
    /// In Cedar.
    source: String,
}

/// What is wrong with a text of policies, and where; nothing when it could be proposed. It is not kept
#[utoipa::path(post, path = "/api/v1/policy-sets/validate", tag = "policies", operation_id = "validatePolicies",
    request_body = PoliciesText,
    responses((status = 200, description = "All of it, in the order of the text", body = Page<DiagnosticView>)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn check(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(PoliciesText { source }): Sent<PoliciesText>,
) -> Answer<Json<Page<DiagnosticView>>> {
    Ok(whole(portal.service.check_policies(&caller, &source).await?))
}

/// One set of policies, compared with what it is based on
#[utoipa::path(get, path = "/api/v1/policy-sets/{version}", tag = "policies", operation_id = "getPolicySet",
    params(("version" = i64, Path)),
    responses((status = 200, description = "The set", body = PolicySetView)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn set(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Place<i64>,
) -> Answer<Json<PolicySetView>> {
    Ok(Json(portal.service.policy_set(&caller, version).await?))
}

/// A changed proposal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ChangedPolicies {
    /// In Cedar; empty for none.
    source: String,
    /// What they are for.
    note: String,
    /// The version that was in force when they were written.
    based_on: Option<i64>,
    /// The `digest` of the proposal that was changed.
    digest: String,
}

/// Change a proposal. Whoever does is one of its authors
#[utoipa::path(put, path = "/api/v1/policy-sets/{version}", tag = "policies", operation_id = "changePolicies",
    params(("version" = i64, Path)),
    request_body = ChangedPolicies,
    responses((status = 200, description = "The proposal", body = PolicySetView)),
    extensions(("x-rondo-operation" = json!("policy.propose"))))]
async fn change(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Place<i64>,
    Sent(ChangedPolicies { source, note, based_on, digest }): Sent<ChangedPolicies>,
) -> Answer<Json<PolicySetView>> {
    let new = NewPolicies { source, note, based_on };
    Ok(Json(portal.service.change_policies(&caller, version, new, &digest).await?))
}

/// What a set of policies would say to the decisions that were recorded lately, where it is not what is said now
#[utoipa::path(get, path = "/api/v1/policy-sets/{version}/replay", tag = "policies", operation_id = "replayPolicies",
    params(("version" = i64, Path)),
    responses((status = 200, description = "What would change", body = ReplayView)),
    extensions(("x-rondo-operation" = json!("policy.read"))))]
async fn replay(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Place<i64>,
) -> Answer<Json<ReplayView>> {
    Ok(Json(portal.service.replay_policies(&caller, version).await?))
}

/// Why a proposal is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    /// For its authors, in the audit log.
    #[serde(default)]
    comment: String,
}

/// Take a proposal back, or turn it down
#[utoipa::path(post, path = "/api/v1/policy-sets/{version}/withdraw", tag = "policies",
    operation_id = "withdrawPolicies",
    params(("version" = i64, Path)),
    request_body = Withdrawal,
    responses((status = 200, description = "The set", body = PolicySetView)),
    extensions(("x-rondo-operation" = json!("policy.withdraw"))))]
async fn withdraw(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Place<i64>,
    Sent(Withdrawal { comment }): Sent<Withdrawal>,
) -> Answer<Json<PolicySetView>> {
    Ok(Json(portal.service.withdraw_policies(&caller, version, &comment).await?))
}

/// What was reviewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReviewedPolicies {
    /// The `digest` of the proposal as it was read.
    digest: String,
}

/// Put a proposal of another administrator into force, on all nodes
#[utoipa::path(post, path = "/api/v1/policy-sets/{version}/activate", tag = "policies",
    operation_id = "activatePolicies",
    params(("version" = i64, Path)),
    request_body = ReviewedPolicies,
    responses((status = 200, description = "The set", body = PolicySetView)),
    extensions(("x-rondo-operation" = json!("policy.activate"))))]
async fn activate(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(version): Place<i64>,
    Sent(ReviewedPolicies { digest }): Sent<ReviewedPolicies>,
) -> Answer<Json<PolicySetView>> {
    Ok(Json(portal.service.activate_policies(&caller, version, &digest).await?))
}

/// The roles that conflict, and who holds two of them where they meet
#[utoipa::path(get, path = "/api/v1/role-conflicts", tag = "grants", operation_id = "listRoleConflicts",
    responses((status = 200, description = "As far as one administers both grants", body = SeparationView)),
    extensions(("x-rondo-operation" = json!("separation.read"))))]
async fn separation(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<SeparationView>> {
    Ok(Json(portal.service.separation(&caller).await?))
}

/// The pairs of roles that nobody may hold together from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"forbidden": [{"one": "author", "other": "publisher"}]}))]
struct ForbiddenPairs {
    /// Of those that conflict.
    forbidden: Vec<ForbiddenPair>,
}

/// Two roles.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForbiddenPair {
    /// One.
    one: Role,
    /// The other.
    other: Role,
}

/// Say which roles nobody may hold together. Who holds them already keeps them, and is reported
#[utoipa::path(put, path = "/api/v1/role-conflicts", tag = "grants", operation_id = "separateRoles",
    request_body = ForbiddenPairs,
    responses((status = 200, description = "As it is now", body = SeparationView)),
    extensions(("x-rondo-operation" = json!("separation.update"))))]
async fn separate(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(ForbiddenPairs { forbidden }): Sent<ForbiddenPairs>,
) -> Answer<Json<SeparationView>> {
    let pairs = forbidden.into_iter().map(|pair| (pair.one, pair.other)).collect();
    Ok(Json(portal.service.separate_roles(&caller, pairs).await?))
}

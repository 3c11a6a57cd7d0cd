//! Triggers: what other systems call, or leave something for, to have runs launched. Where they call is [`crate::http::hooks`].

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    AlertEnd, ErrorCode, Name, Problem, TriggerId, TriggerKind, TriggerOutcome,
    view::{DeliveryView, Page, SavedTriggerView, SigningView, TriggerTrialView, TriggerView, WatchView},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use service::{NewTrigger, TrialContent, TriggerSecret, TriggerTrial};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Created, Place, Sent, given, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(read, replace, remove))
        .routes(routes!(try_out))
        .routes(routes!(deliveries))
        .routes(routes!(delivery))
        .routes(routes!(replay))
}

/// Triggers of the namespaces in which one writes, publishes, operates or administers
#[utoipa::path(get, path = "/api/v1/triggers", tag = "triggers", operation_id = "listTriggers",
    responses((status = 200, description = "All of them, by namespace and name", body = Page<TriggerView>)),
    extensions(("x-rondo-operation" = json!("trigger.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<TriggerView>>> {
    Ok(whole(portal.service.triggers(&caller).await?))
}

/// One trigger
#[utoipa::path(get, path = "/api/v1/triggers/{id}", tag = "triggers", operation_id = "readTrigger",
    params(("id" = TriggerId, Path)),
    responses((status = 200, description = "The trigger", body = TriggerView)),
    extensions(("x-rondo-operation" = json!("trigger.list"))))]
async fn read(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TriggerId>,
) -> Answer<Json<TriggerView>> {
    Ok(Json(portal.service.trigger(&caller, id).await?))
}

/// How a trigger is to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "workflow": "service-down", "mapping": "{service: .alert.labels.instance}",
    "filter": ".alert.labels.severity == \"critical\"", "alertEnd": "continue"
}))]
struct TriggerSettings {
    /// The workflow of its namespace that it launches.
    workflow: String,
    /// The jq expression that makes the input, of `payload`, `headers`, `delivery` and, of alerts, `alert`.
    #[serde(default)]
    mapping: String,
    /// The jq expression that must hold; absent: every delivery launches.
    #[serde(default)]
    filter: Option<String>,
    /// Of kind `webhook`, how calls are signed; absent: as Standard Webhooks say, or as it is.
    #[serde(default)]
    signing: Option<SigningView>,
    /// Of a kind that nobody calls, where it looks; absent: as it is.
    #[serde(default)]
    watch: Option<WatchView>,
    /// What becomes of a run when its alert is resolved.
    #[serde(default)]
    alert_end: Option<AlertEnd>,
    /// Whether it may be called.
    #[serde(default = "yes")]
    enabled: bool,
    /// What calls are proven by, from 16 characters; `null`: a new one is made, and is in the answer; absent: it stays as it is, and of
    /// a new trigger one is made.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    secret: TriggerSecret,
}

const fn yes() -> bool {
    true
}

/// `null` asks for a new one; what is absent is not read at all, and stays.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TriggerSecret, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map_or(TriggerSecret::Make, TriggerSecret::Set))
}

impl From<TriggerSettings> for NewTrigger {
    fn from(settings: TriggerSettings) -> Self {
        let TriggerSettings { workflow, mapping, filter, signing, watch, alert_end, enabled, secret } = settings;
        Self { workflow, mapping, filter, signing, watch, alert_end, enabled, secret }
    }
}

/// A trigger to be created.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "namespace": "incident", "name": "monitoring", "kind": "alertmanager", "workflow": "service-down",
    "mapping": "{service: .alert.labels.instance}"
}))]
struct TriggerToCreate {
    /// The namespace whose workflow it launches.
    namespace: Name,
    /// Its name in the namespace.
    name: Name,
    /// Who calls it, and so how a call is proven.
    kind: TriggerKind,
    /// The workflow of its namespace that it launches.
    workflow: String,
    /// The jq expression that makes the input, of `payload`, `headers`, `delivery` and, of alerts, `alert`.
    #[serde(default)]
    mapping: String,
    /// The jq expression that must hold; absent: every delivery launches.
    #[serde(default)]
    filter: Option<String>,
    /// Of kind `webhook`, how calls are signed; absent: as Standard Webhooks say, or as it is.
    #[serde(default)]
    signing: Option<SigningView>,
    /// Of a kind that nobody calls, where it looks; absent: as it is.
    #[serde(default)]
    watch: Option<WatchView>,
    /// What becomes of a run when its alert is resolved.
    #[serde(default)]
    alert_end: Option<AlertEnd>,
    /// Whether it may be called.
    #[serde(default = "yes")]
    enabled: bool,
    /// What calls are proven by, from 16 characters; `null`: a new one is made, and is in the answer; absent: it stays as it is, and of
    /// a new trigger one is made.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    secret: TriggerSecret,
}

/// Let another system launch a workflow: the address is in the answer, and its secret where that is made
#[utoipa::path(post, path = "/api/v1/triggers", tag = "triggers", operation_id = "createTrigger",
    request_body = TriggerToCreate,
    responses((status = 201, description = "The trigger", body = SavedTriggerView)),
    extensions(("x-rondo-operation" = json!("trigger.update"))))]
async fn create(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Sent(asked): Sent<TriggerToCreate>,
) -> Answer<Created<SavedTriggerView>> {
    let TriggerToCreate {
        namespace,
        name,
        kind,
        workflow,
        mapping,
        filter,
        signing,
        watch,
        alert_end,
        enabled,
        secret,
    } = asked;
    let new = NewTrigger { workflow, mapping, filter, signing, watch, alert_end, enabled, secret };
    let saved = portal.service.create_trigger(&caller, namespace, name, kind, new).await?;
    Ok(Created(format!("/triggers/{}", saved.trigger.id), saved))
}

/// Say how a trigger is from now on
///
/// Its namespace, name, kind and address stay.
#[utoipa::path(put, path = "/api/v1/triggers/{id}", tag = "triggers", operation_id = "updateTrigger",
    params(("id" = TriggerId, Path)),
    request_body = TriggerSettings,
    responses((status = 200, description = "The trigger", body = SavedTriggerView)),
    extensions(("x-rondo-operation" = json!("trigger.update"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TriggerId>,
    Sent(settings): Sent<TriggerSettings>,
) -> Answer<Json<SavedTriggerView>> {
    Ok(Json(portal.service.update_trigger(&caller, id, settings.into()).await?))
}

/// Delete a trigger, with what was delivered to it
///
/// The runs that it has launched go on.
#[utoipa::path(delete, path = "/api/v1/triggers/{id}", tag = "triggers", operation_id = "deleteTrigger",
    params(("id" = TriggerId, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("trigger.delete"))))]
async fn remove(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TriggerId>,
) -> Answer<StatusCode> {
    portal.service.delete_trigger(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a trigger is tried out with.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"payload": {"ref": "refs/heads/main"}, "headers": {"x-github-event": "push"}}))]
struct TrialOfTrigger {
    /// Another mapping than the trigger's own.
    #[serde(default)]
    mapping: Option<String>,
    /// Another filter; empty for none.
    #[serde(default)]
    filter: Option<String>,
    /// The number of a delivery.
    #[serde(default)]
    delivery: Option<i64>,
    /// A body that could be sent. Of a notification of alerts, the first one is tried.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
    /// Its headers, in lower case.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    headers: Map<String, Value>,
}

/// See what a trigger would make of a delivery: nothing is launched
#[utoipa::path(post, path = "/api/v1/triggers/{id}/try", tag = "triggers", operation_id = "tryTrigger",
    params(("id" = TriggerId, Path)),
    request_body = TrialOfTrigger,
    responses((status = 200, description = "What would become of it", body = TriggerTrialView)),
    extensions(("x-rondo-operation" = json!("trigger.try"))))]
async fn try_out(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TriggerId>,
    Sent(trial): Sent<TrialOfTrigger>,
) -> Answer<Json<TriggerTrialView>> {
    let TrialOfTrigger { mapping, filter, delivery, payload, headers } = trial;
    let content = match (delivery, payload) {
        (Some(number), None) => TrialContent::Delivery(number),
        (None, Some(payload)) => TrialContent::Payload(payload, headers),
        _ => {
            let detail = "give either the number of a delivery, or a payload";
            return Err(Problem::new(ErrorCode::BadRequest).with_detail(detail).into());
        }
    };
    Ok(Json(portal.service.try_trigger(&caller, id, TriggerTrial { mapping, filter, content }).await?))
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Deliveries {
    /// Only those of which this became.
    outcome: Option<TriggerOutcome>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// What was delivered to a trigger, newest first
#[utoipa::path(get, path = "/api/v1/triggers/{id}/deliveries", tag = "triggers", operation_id = "listDeliveries",
    params(("id" = TriggerId, Path), Deliveries),
    responses((status = 200, description = "A page of them, without what they said", body = Page<DeliveryView>)),
    extensions(("x-rondo-operation" = json!("trigger.list"))))]
async fn deliveries(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(id): Place<TriggerId>,
    Asked(asked): Asked<Deliveries>,
) -> Answer<Json<Page<DeliveryView>>> {
    let Deliveries { outcome, limit, cursor } = asked;
    Ok(Json(portal.service.deliveries(&caller, id, outcome, cursor.as_deref(), limit).await?))
}

/// One delivery with what it said
#[utoipa::path(get, path = "/api/v1/triggers/{id}/deliveries/{number}", tag = "triggers", operation_id = "readDelivery",
    params(("id" = TriggerId, Path), ("number" = i64, Path)),
    responses((status = 200, description = "The delivery, with what looks like a secret masked", body = DeliveryView)),
    extensions(("x-rondo-operation" = json!("trigger.list"))))]
async fn delivery(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, number)): Place<(TriggerId, i64)>,
) -> Answer<Json<DeliveryView>> {
    Ok(Json(portal.service.delivery(&caller, id, number).await?))
}

/// Have a delivery worked on once more, as the trigger is now
///
/// What was done for it stays done; what becomes of it now is a delivery of its own.
#[utoipa::path(post, path = "/api/v1/triggers/{id}/deliveries/{number}/replay", tag = "triggers",
    operation_id = "replayDelivery",
    params(("id" = TriggerId, Path), ("number" = i64, Path)),
    responses((status = 201, description = "What became of it now", body = DeliveryView)),
    extensions(("x-rondo-operation" = json!("trigger.replay"))))]
async fn replay(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((id, number)): Place<(TriggerId, i64)>,
) -> Answer<Created<DeliveryView>> {
    let delivery = portal.service.replay_delivery(&caller, id, number).await?;
    Ok(Created(format!("/triggers/{id}/deliveries/{}", delivery.number), delivery))
}

//! The audit log.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    Timestamp,
    view::{
        AuditCheckpointView, AuditConsistencyView, AuditEntryView, AuditFilter, AuditProofView, AuditReceiverView,
        Page, VerificationView,
    },
};
use futures::StreamExt as _;
use serde::Deserialize;
use service::ExportFormat;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Place};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(entries))
        .routes(routes!(verification))
        .routes(routes!(checkpoint))
        .routes(routes!(proof))
        .routes(routes!(consistency))
        .routes(routes!(receivers))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EntriesQuery {
    /// Not before.
    from: Option<Timestamp>,
    /// Before.
    to: Option<Timestamp>,
    /// The actor's sign-in name.
    actor: Option<String>,
    /// The action, or its first part (`run` finds `run.cancel`).
    action: Option<String>,
    /// Kind of resource.
    #[serde(rename = "resourceKind")]
    resource_kind: Option<String>,
    /// The resource's id or name.
    resource: Option<String>,
    /// The namespace.
    namespace: Option<String>,
    /// `done`, `refused` or `failed`.
    outcome: Option<String>,
    /// An export instead of a page: `jsonl` is the whole log, verifiable by `rondo audit verify`; `csv` what the
    /// filter lets through, for spreadsheets.
    #[param(inline)]
    format: Option<Format>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The form of an export.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON Lines.
    Jsonl,
    /// Comma-separated values.
    Csv,
}

/// Entries of the audit log, newest first, or an export
#[utoipa::path(get, path = "/api/v1/audit/entries", tag = "audit", operation_id = "listAuditEntries",
    params(EntriesQuery),
    responses((status = 200, description = "A page of them, or the export", content(
        (Page<AuditEntryView> = "application/json"),
        (String = "application/jsonl"),
        (String = "text/csv"),
    ))),
    extensions(("x-rondo-operation" = json!(["audit.read", "audit.export"]))))]
async fn entries(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<EntriesQuery>,
) -> Answer<Response> {
    let filter = AuditFilter {
        from: query.from,
        to: query.to,
        actor: query.actor,
        action: query.action,
        resource_kind: query.resource_kind,
        resource: query.resource,
        namespace: query.namespace,
        outcome: query.outcome,
    };
    let (format, media_type, file) = match query.format {
        None => {
            let page = portal.service.audit(&caller, filter, query.cursor.as_deref(), query.limit).await?;
            return Ok(Json(page).into_response());
        }
        Some(Format::Jsonl) => (ExportFormat::JsonLines, "application/jsonl", "attachment; filename=\"audit.jsonl\""),
        Some(Format::Csv) => (ExportFormat::Csv, "text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
    };
    let export = portal.service.audit_export(&caller, filter, format).await?;
    let pieces = ReceiverStream::new(export).map(|piece| piece.map(Bytes::from));
    let mut response = Body::from_stream(pieces).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(file));
    Ok(response)
}

/// Read the whole log and check that nothing was altered or left out
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "audit", operation_id = "verifyAudit",
    responses((status = 200, description = "The verdict", body = VerificationView)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn verification(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<VerificationView>> {
    Ok(Json(portal.service.verify_audit(&caller).await?))
}

/// The log as it is now, signed: what is noted elsewhere to tell later whether it has grown from that
#[utoipa::path(get, path = "/api/v1/audit/checkpoint", tag = "audit", operation_id = "getAuditCheckpoint",
    responses((status = 200, description = "The checkpoint and the keys that tell its signatures",
        body = AuditCheckpointView)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn checkpoint(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<AuditCheckpointView>> {
    Ok(Json(portal.service.audit_checkpoint(&caller).await?))
}

/// The proof that an entry is in the log; `rondo audit verify` checks it without a server
#[utoipa::path(get, path = "/api/v1/audit/entries/{seq}/proof", tag = "audit", operation_id = "getAuditProof",
    params(("seq" = i64, Path, description = "The place of the entry in the log, from 1")),
    responses((status = 200, description = "The proof", body = AuditProofView)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn proof(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(seq): Place<i64>,
) -> Answer<Json<AuditProofView>> {
    Ok(Json(portal.service.audit_proof(&caller, seq).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ConsistencyQuery {
    /// Entries at the earlier time, from 1.
    from: u64,
    /// Entries at the later time; now unless told.
    to: Option<u64>,
}

/// The proof that the log of `to` entries begins with the log of `from` entries
#[utoipa::path(get, path = "/api/v1/audit/consistency", tag = "audit", operation_id = "getAuditConsistency",
    params(ConsistencyQuery),
    responses((status = 200, description = "The proof", body = AuditConsistencyView)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn consistency(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(query): Asked<ConsistencyQuery>,
) -> Answer<Json<AuditConsistencyView>> {
    Ok(Json(portal.service.audit_consistency(&caller, query.from, query.to).await?))
}

/// Where the audit log is sent, and how far each receiver is
#[utoipa::path(get, path = "/api/v1/audit/receivers", tag = "audit", operation_id = "listAuditReceivers",
    responses((status = 200, description = "All receivers of this server's configuration",
        body = Page<AuditReceiverView>)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn receivers(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<AuditReceiverView>>> {
    Ok(Json(portal.service.audit_receivers(&caller).await?))
}

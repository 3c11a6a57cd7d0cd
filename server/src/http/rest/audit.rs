//! The audit log.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    Risk, Timestamp,
    view::{
        AuditCheckpointView, AuditConsistencyView, AuditEntryView, AuditFilter, AuditProofView, AuditReceiverView,
        AuditSampleView, AuditViewView, AuditWitnessView, Page, VerificationView,
    },
};
use futures::StreamExt as _;
use serde::Deserialize;
use service::{ExportFormat, ReportLanguage};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default()
        .routes(routes!(entries))
        .routes(routes!(verification))
        .routes(routes!(checkpoint))
        .routes(routes!(proof))
        .routes(routes!(consistency))
        .routes(routes!(receivers))
        .routes(routes!(witnesses))
        .routes(routes!(evidence))
        .routes(routes!(sample))
        .merge(super::audit_retention::routes())
        .routes(routes!(views))
        .routes(routes!(save_view, delete_view))
}

/// The parameters of something that is done with what a filter lets through: the filter's, and some of its own. Unknown
/// parameters are refused, so the two cannot be flattened into each other.
macro_rules! filtered {
    ($name:ident { $($own:tt)* }) => {
        #[derive(Deserialize, IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        struct $name {
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
            /// The resource's id or name; `R-1042` finds what belongs to that run as well.
            resource: Option<String>,
            /// The id or number (`R-1042`) of a run, to which it belongs.
            run: Option<String>,
            /// The risk of the workflow to whose run it belongs.
            #[param(inline)]
            risk: Option<Risk>,
            /// The namespace.
            namespace: Option<String>,
            /// `done`, `refused` or `failed`.
            outcome: Option<String>,
            /// A policy that determined it.
            policy: Option<String>,
            /// The network address.
            address: Option<String>,
            /// The id of the session or API token that was used.
            credential: Option<String>,
            /// A control that the entry is about: its run, decision or definition names it.
            control: Option<String>,
            /// The name of a team whose member the actor is now.
            team: Option<String>,
            /// Words, or beginnings of words, that all occur in the entry.
            text: Option<String>,
            /// Not after this place in the log.
            last: Option<i64>,
            $($own)*
        }

        impl $name {
            fn filter(&mut self) -> AuditFilter {
                AuditFilter {
                    from: self.from,
                    to: self.to,
                    actor: self.actor.take(),
                    action: self.action.take(),
                    resource_kind: self.resource_kind.take(),
                    resource: self.resource.take(),
                    run: self.run.take(),
                    risk: self.risk,
                    namespace: self.namespace.take(),
                    outcome: self.outcome.take(),
                    policy: self.policy.take(),
                    address: self.address.take(),
                    credential: self.credential.take(),
                    control: self.control.take(),
                    team: self.team.take(),
                    text: self.text.take(),
                    last: self.last,
                }
            }
        }
    };
}

filtered!(EntriesQuery {
    /// An export instead of a page: `jsonl` is the whole log, verifiable by `rondo audit verify`; `csv` what the
    /// filter lets through, for spreadsheets.
    #[param(inline)]
    format: Option<Format>,
    /// Items per page, 1 to 200; 50 unless told.
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
});

filtered!(EvidenceQuery {
    /// The checkpoint over so many entries under which they are proved; that of now unless told.
    size: Option<i64>,
    /// The language of its report; `en` unless told.
    #[param(inline)]
    language: Option<Language>,
});

filtered!(SampleQuery {
    /// How many entries, 1 to 500.
    size: u32,
    /// Any text of 1 to 100 characters: whoever draws with the same seed from the same entries draws the same.
    seed: String,
});

/// The language of a report.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    /// English.
    En,
    /// Korean.
    Ko,
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
    Asked(mut query): Asked<EntriesQuery>,
) -> Answer<Response> {
    let filter = query.filter();
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

/// An evidence pack: entries with their proofs, to be checked by `rondo audit verify` without a server
///
/// A tar archive of at most 5,000 entries; the same for the same search, checkpoint and language, byte for byte. Teams cannot be searched by.
#[utoipa::path(get, path = "/api/v1/audit/evidence", tag = "audit", operation_id = "getAuditEvidence",
    params(EvidenceQuery),
    responses((status = 200, description = "The archive", body = Vec<u8>, content_type = "application/x-tar")),
    extensions(("x-rondo-operation" = json!("audit.export"))))]
async fn evidence(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(mut query): Asked<EvidenceQuery>,
) -> Answer<Response> {
    let language = match query.language {
        Some(Language::Ko) => ReportLanguage::Korean,
        Some(Language::En) | None => ReportLanguage::English,
    };
    let pack = portal.service.audit_evidence(&caller, query.filter(), query.size, language).await?;
    let mut response = Body::from(pack).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    let file = HeaderValue::from_static("attachment; filename=\"evidence.tar\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    Ok(response)
}

/// Draw entries at random, so that a second auditor draws the same
#[utoipa::path(get, path = "/api/v1/audit/sample", tag = "audit", operation_id = "drawAuditSample",
    params(SampleQuery),
    responses((status = 200, description = "The sample, in the order in which it was drawn", body = AuditSampleView)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn sample(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Asked(mut query): Asked<SampleQuery>,
) -> Answer<Json<AuditSampleView>> {
    let filter = query.filter();
    Ok(Json(portal.service.audit_sample(&caller, filter, query.size, &query.seed).await?))
}

/// One's own named searches of the log, by name, and then those that others share
#[utoipa::path(get, path = "/api/v1/audit/views", tag = "audit", operation_id = "listAuditViews",
    responses((status = 200, description = "All of them", body = Page<AuditViewView>)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn views(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<AuditViewView>>> {
    Ok(whole(portal.service.audit_views(&caller).await?))
}

/// A search of the log.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"query": "action=session.create&outcome=refused"}))]
struct Search {
    /// The query of its address in the portal, without `?`.
    query: String,
    /// Whether everybody sees it who may read the log; only whoever has named it can change it.
    #[serde(default)]
    shared: bool,
}

/// Name a search of the log, for oneself or for all who may read it, or replace one's own of this name
#[utoipa::path(put, path = "/api/v1/audit/views/{name}", tag = "audit", operation_id = "putAuditView",
    params(("name" = String, Path, description = "Its name, 1 to 100 characters")),
    request_body = Search,
    responses((status = 200, description = "The search", body = AuditViewView)),
    extensions(("x-rondo-operation" = json!("audit-view.save"))))]
async fn save_view(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<String>,
    Sent(Search { query, shared }): Sent<Search>,
) -> Answer<Json<AuditViewView>> {
    Ok(Json(portal.service.save_audit_view(&caller, &name, &query, shared).await?))
}

/// Forget one of one's own named searches
#[utoipa::path(delete, path = "/api/v1/audit/views/{name}", tag = "audit", operation_id = "deleteAuditView",
    params(("name" = String, Path, description = "Its name")),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("audit-view.delete"))))]
async fn delete_view(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<String>,
) -> Answer<StatusCode> {
    portal.service.delete_audit_view(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
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

/// Who cosigns the checkpoints of the audit log, and how far each witness is
#[utoipa::path(get, path = "/api/v1/audit/witnesses", tag = "audit", operation_id = "listAuditWitnesses",
    responses((status = 200, description = "All witnesses of this server's configuration",
        body = Page<AuditWitnessView>)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn witnesses(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<AuditWitnessView>>> {
    Ok(Json(portal.service.audit_witnesses(&caller).await?))
}

//! Saved questions about the audit log.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{
    AnswerEvery, Timestamp,
    view::{AuditAnswerView, AuditQuestionView, Page},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Asked, Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(answer)).routes(routes!(follow, leave))
}

/// Saved questions about the audit log: their words, their queries, and which of them one has answered every so often
#[utoipa::path(get, path = "/api/v1/audit/questions", tag = "audit", operation_id = "listAuditQuestions",
    responses((status = 200, description = "All of them", body = Page<AuditQuestionView>)),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<AuditQuestionView>>> {
    Ok(whole(portal.service.audit_questions(&caller).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Period {
    /// The beginning of the period; unless told, as many days before its end as the question says.
    from: Option<Timestamp>,
    /// Its end, which does not belong to it; now unless told.
    to: Option<Timestamp>,
    /// `csv`: comma-separated values, for spreadsheets.
    #[param(inline)]
    format: Option<Table>,
}

/// The form of an answer.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Table {
    /// Comma-separated values.
    Csv,
}

/// The answer to a saved question, at most 1,000 rows
#[utoipa::path(get, path = "/api/v1/audit/questions/{name}", tag = "audit", operation_id = "answerAuditQuestion",
    params(("name" = String, Path, description = "The name of the question"), Period),
    responses((status = 200, description = "The answer", content(
        (AuditAnswerView = "application/json"),
        (String = "text/csv"),
    ))),
    extensions(("x-rondo-operation" = json!("audit.read"))))]
async fn answer(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<String>,
    Asked(Period { from, to, format }): Asked<Period>,
) -> Answer<Response> {
    if format.is_none() {
        return Ok(Json(portal.service.audit_answer(&caller, &name, from, to).await?).into_response());
    }
    let mut response = portal.service.audit_answer_csv(&caller, &name, from, to).await?.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"answer.csv\""));
    Ok(response)
}

/// How often a question is to be answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"every": "week"}))]
struct Following {
    /// After each day, week or month.
    every: AnswerEvery,
}

/// Have a saved question answered every so often
///
/// After each day, week or month of UTC a notice, and a mail where mail is on, says how many rows the answer has.
#[utoipa::path(put, path = "/api/v1/audit/questions/{name}/subscription", tag = "audit",
    operation_id = "followAuditQuestion",
    params(("name" = String, Path, description = "The name of the question")),
    request_body = Following,
    responses((status = 200, description = "The question", body = AuditQuestionView)),
    extensions(("x-rondo-operation" = json!("audit.subscribe"))))]
async fn follow(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<String>,
    Sent(Following { every }): Sent<Following>,
) -> Answer<Json<AuditQuestionView>> {
    Ok(Json(portal.service.follow_question(&caller, &name, Some(every)).await?))
}

/// Have a saved question answered no longer
#[utoipa::path(delete, path = "/api/v1/audit/questions/{name}/subscription", tag = "audit",
    operation_id = "leaveAuditQuestion",
    params(("name" = String, Path, description = "The name of the question")),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("audit.subscribe"))))]
async fn leave(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place(name): Place<String>,
) -> Answer<StatusCode> {
    portal.service.follow_question(&caller, &name, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

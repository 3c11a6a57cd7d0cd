//! Working time, by which approvals are due.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use domain::{
    Name, Scope,
    view::{CalendarView, Page},
};
use serde::Deserialize;
use service::CalendarText;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Place, Sent, whole};
use crate::http::{Portal, identify::SignedIn, problem::Answer};

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(list)).routes(routes!(replace, remove))
}

/// All calendars, by name
#[utoipa::path(get, path = "/api/v1/calendars", tag = "calendars", operation_id = "listCalendars",
    responses((status = 200, description = "All of them", body = Page<CalendarView>)),
    extensions(("x-rondo-operation" = json!("calendar.list"))))]
async fn list(State(portal): State<Portal>, SignedIn(caller): SignedIn) -> Answer<Json<Page<CalendarView>>> {
    Ok(whole(portal.service.calendars(&caller).await?))
}

/// Working time.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"timeZone": "Asia/Seoul", "hours": {"monday": ["09:00-12:00", "13:00-18:00"]}, "holidays": ["2026-12-25"]}))]
struct Calendar {
    /// The IANA time zone.
    time_zone: String,
    /// For each weekday with working time (`monday` …), its spans (`09:00-12:30`), in order; `24:00` is the end of a day.
    hours: BTreeMap<String, Vec<String>>,
    /// Days without working time (`2026-12-25`).
    #[serde(default)]
    holidays: Vec<String>,
}

/// Add a calendar, or replace it
///
/// Approvals that are open keep the times that they were given.
#[utoipa::path(put, path = "/api/v1/calendars/{scope}/{name}", tag = "calendars", operation_id = "putCalendar",
    params(("scope" = String, Path, description = "A namespace, or `*`: everybody's"), ("name" = Name, Path)),
    request_body = Calendar,
    responses((status = 200, description = "The calendar", body = CalendarView)),
    extensions(("x-rondo-operation" = json!("calendar.update"))))]
async fn replace(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((scope, name)): Place<(Scope, Name)>,
    Sent(Calendar { time_zone, hours, holidays }): Sent<Calendar>,
) -> Answer<Json<CalendarView>> {
    let text = CalendarText { time_zone, hours, holidays };
    Ok(Json(portal.service.put_calendar(&caller, scope, name, text).await?))
}

/// Delete a calendar
#[utoipa::path(delete, path = "/api/v1/calendars/{scope}/{name}", tag = "calendars", operation_id = "deleteCalendar",
    params(("scope" = String, Path, description = "A namespace, or `*`: everybody's"), ("name" = Name, Path)),
    responses((status = 204, description = "Done")),
    extensions(("x-rondo-operation" = json!("calendar.delete"))))]
async fn remove(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    Place((scope, name)): Place<(Scope, Name)>,
) -> Answer<StatusCode> {
    portal.service.delete_calendar(&caller, &scope, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

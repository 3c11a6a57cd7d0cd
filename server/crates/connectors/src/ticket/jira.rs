//! Issues of Jira, with or without Service Management, in the cloud or of one's own: version 2 of its REST interface.

use reqwest::Method;
use serde_json::{Map, Value, json};
use workflow::{RunError, StandardError};

use super::{Content, Ticket, desk::Desk};
use crate::Failure;

const API: [&str; 3] = ["rest", "api", "2"];
/// What is asked of an issue.
const FIELDS: (&str, &str) = ("fields", "summary,status");
/// The type of an issue, where the connection names none.
const TYPE: &str = "Task";

fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    API.iter().copied().chain(rest.iter().copied()).collect()
}

pub(super) async fn create(desk: &Desk<'_>, content: &Content, mark: &str) -> Result<Ticket, Failure> {
    let mut fields = fields(content);
    fields.entry("project").or_insert_with(|| json!({"key": desk.settings.project}));
    fields.entry("issuetype").or_insert_with(|| json!({"name": desk.settings.issue_type.as_deref().unwrap_or(TYPE)}));
    match fields.entry("labels").or_insert_with(|| json!([])) {
        Value::Array(labels) => labels.push(mark.into()),
        _ => return Err(Failure::configuration("the field labels is not a list")),
    }
    let what = "making an issue";
    let answer = desk.ask(Method::POST, &path(&["issue"]), &[], Some(&json!({"fields": fields}))).await?;
    let made = desk.document(what, &answer)?;
    let mut ticket = ticket(desk, &made).ok_or_else(|| desk.garbled(what))?;
    ticket.title.clone_from(&content.title);
    Ok(ticket)
}

pub(super) async fn update(desk: &Desk<'_>, id: &str, content: &Content) -> Result<(), Failure> {
    let body = json!({"fields": fields(content)});
    let answer = desk.ask(Method::PUT, &path(&["issue", id]), &[], Some(&body)).await?;
    confirmed(desk, &format!("changing the issue {id}"), &answer)
}

pub(super) async fn comment(desk: &Desk<'_>, id: &str, text: &str, internal: bool) -> Result<(), Failure> {
    let mut body = json!({"body": text});
    if let (true, Some(body)) = (internal, body.as_object_mut()) {
        let property = json!([{"key": "sd.public.comment", "value": {"internal": true}}]);
        body.insert("properties".to_owned(), property);
    }
    let what = format!("commenting on the issue {id}");
    let answer = desk.ask(Method::POST, &path(&["issue", id, "comment"]), &[], Some(&body)).await?;
    let made = desk.document(&what, &answer)?;
    if made.get("id").is_some() { Ok(()) } else { Err(desk.garbled(&what)) }
}

/// By the name of a transition, or of the status that it leads to.
pub(super) async fn transition(desk: &Desk<'_>, id: &str, to: &str) -> Result<bool, Failure> {
    let what = format!("bringing the issue {id} to {to}");
    let is = |text: Option<&Value>| text.and_then(Value::as_str).is_some_and(|text| text.eq_ignore_ascii_case(to));
    let reads = desk.reads();
    let now = reads.ask(Method::GET, &path(&["issue", id]), &[FIELDS], None).await?;
    if is(reads.document(&what, &now)?.pointer("/fields/status/name")) {
        return Ok(false);
    }
    let offered = reads.ask(Method::GET, &path(&["issue", id, "transitions"]), &[], None).await?;
    let offered = reads.document(&what, &offered)?;
    let offered = offered.get("transitions").and_then(Value::as_array).ok_or_else(|| reads.garbled(&what))?;
    let chosen = offered.iter().find(|one| is(one.get("name")) || is(one.pointer("/to/name")));
    let Some(chosen) = chosen.and_then(|one| one.get("id")) else {
        let names: Vec<&str> = offered.iter().filter_map(|one| one.get("name")?.as_str()).collect();
        let detail = format!("{what}: Jira offers no such transition now; it offers {}", names.join(", "));
        return Err(Failure::refused(409, detail));
    };
    let body = json!({"transition": {"id": chosen}});
    let answer = desk.ask(Method::POST, &path(&["issue", id, "transitions"]), &[], Some(&body)).await?;
    confirmed(desk, &what, &answer)?;
    Ok(true)
}

pub(super) async fn lookup(desk: &Desk<'_>, id: &str) -> Result<Option<Ticket>, Failure> {
    let what = format!("looking for the issue {id}");
    let answer = desk.ask(Method::GET, &path(&["issue", id]), &[FIELDS], None).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let found = desk.document(&what, &answer)?;
    ticket(desk, &found).ok_or_else(|| desk.garbled(&what)).map(Some)
}

/// The issue that carries a mark.
pub(super) async fn marked(desk: &Desk<'_>, mark: &str) -> Result<Option<Ticket>, Failure> {
    let what = "looking for the issue of this call";
    let query = format!("labels = \"{mark}\"");
    let query = [("jql", query.as_str()), ("maxResults", "1"), FIELDS];
    let mut answer = desk.ask(Method::GET, &path(&["search", "jql"]), &query, None).await?;
    // Jira of one's own has only the older way.
    if answer.status == 404 {
        answer = desk.ask(Method::GET, &path(&["search"]), &query, None).await?;
    }
    let found = desk.document(what, &answer)?;
    let issues = found.get("issues").and_then(Value::as_array).ok_or_else(|| desk.garbled(what))?;
    Ok(issues.first().and_then(|issue| ticket(desk, issue)))
}

/// Whether the account may make issues.
pub(super) async fn try_rights(desk: &Desk<'_>) -> Result<(), Failure> {
    let what = "asking for the account's rights";
    let project = desk.settings.project.as_deref().unwrap_or_default();
    let query = [("projectKey", project), ("permissions", "CREATE_ISSUES")];
    let answer = desk.ask(Method::GET, &path(&["mypermissions"]), &query, None).await?;
    if answer.status == 404 {
        return Err(Failure::refused(404, format!("Jira has no project {project} for this account; compare its key")));
    }
    let rights = desk.document(what, &answer)?;
    match rights.pointer("/permissions/CREATE_ISSUES/havePermission").and_then(Value::as_bool) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::permanent(RunError::new(
            StandardError::Authorization,
            format!("the account may make no issues in {project}; give it the right there"),
        ))),
        None => Err(desk.garbled(what)),
    }
}

/// Changes are answered with nothing.
fn confirmed(desk: &Desk<'_>, what: &str, answer: &crate::http::plain::Answered) -> Result<(), Failure> {
    desk.accepted(what, answer)?;
    if answer.content.is_empty() { Ok(()) } else { Err(desk.garbled(what)) }
}

fn fields(content: &Content) -> Map<String, Value> {
    let mut fields = content.fields.clone();
    for (name, value) in [("summary", &content.title), ("description", &content.description)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.as_str().into());
        }
    }
    fields
}

fn ticket(desk: &Desk<'_>, issue: &Value) -> Option<Ticket> {
    let text = |pointer: &str| issue.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let reference = text("/key")?;
    let base = desk.settings.base_url.as_str().trim_end_matches('/');
    Some(Ticket {
        id: text("/id")?,
        link: format!("{base}/browse/{reference}"),
        reference,
        title: text("/fields/summary"),
        status: text("/fields/status/name"),
    })
}

//! Tickets of GLPI, by its REST interface (`apirest.php`).

use identity::Secret;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Content, Ticket, desk::Desk};
use crate::{Failure, FailureKind};

/// The statuses, from 1 on.
const STATUSES: [&str; 6] = ["new", "assigned", "planned", "waiting", "solved", "closed"];
/// The number of the field that holds the description, in searches.
const DESCRIPTION: &str = "21";
/// And of the one that holds the id.
const ID: &str = "2";

/// The token of a new session.
pub(super) async fn sign_in(desk: &Desk<'_>) -> Result<Secret, Failure> {
    let desk = desk.reads();
    let what = "signing in";
    let answer = desk.ask(Method::GET, &["initSession"], &[], None).await.map_err(|failure| match failure.kind {
        // Nothing of the call itself was sent by this.
        FailureKind::Lost | FailureKind::Unknown => Failure { kind: FailureKind::Retryable, ..failure },
        FailureKind::Retryable | FailureKind::Permanent => failure,
    })?;
    let session = desk.document(what, &answer)?;
    let token = session.get("session_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    token.map(Secret::from).ok_or_else(|| desk.garbled(what))
}

pub(super) async fn create(desk: &Desk<'_>, content: &Content, mark: &str) -> Result<Ticket, Failure> {
    let mut input = fields(content);
    // There is no field for what others know a ticket by.
    let description = content.description.as_deref().unwrap_or_default();
    input.insert("content".to_owned(), format!("{description}\n\n{mark}").trim_start().into());
    let what = "making a ticket";
    let answer = desk.ask(Method::POST, &["Ticket"], &[], Some(&json!({"input": input}))).await?;
    let made = desk.document(what, &answer)?;
    let id = made.get("id").and_then(Value::as_u64).ok_or_else(|| desk.garbled(what))?;
    Ok(ticket(desk, id, content.title.clone(), None))
}

pub(super) async fn update(desk: &Desk<'_>, id: &str, content: &Content) -> Result<(), Failure> {
    let mut input = fields(content);
    if let Some(description) = &content.description {
        input.insert("content".to_owned(), description.as_str().into());
    }
    change(desk, id, &Value::Object(input), &format!("changing the ticket {id}")).await
}

pub(super) async fn comment(desk: &Desk<'_>, id: &str, text: &str, internal: bool) -> Result<(), Failure> {
    let what = format!("commenting on the ticket {id}");
    let number = number(id)?;
    let input = json!({"itemtype": "Ticket", "items_id": number, "content": text, "is_private": u8::from(internal)});
    let body = json!({"input": input});
    let answer = desk.ask(Method::POST, &["Ticket", id, "ITILFollowup"], &[], Some(&body)).await?;
    let made = desk.document(&what, &answer)?;
    if made.get("id").is_some() { Ok(()) } else { Err(desk.garbled(&what)) }
}

pub(super) async fn transition(desk: &Desk<'_>, id: &str, to: &str) -> Result<bool, Failure> {
    let what = format!("bringing the ticket {id} to {to}");
    let position = STATUSES.iter().position(|status| status.eq_ignore_ascii_case(to));
    let status = position
        .ok_or_else(|| Failure::configuration(format!("GLPI has no status {to}; it has {}", STATUSES.join(", "))))?
        + 1;
    let found = lookup(&desk.reads(), id).await?;
    let found =
        found.ok_or_else(|| Failure::refused(404, format!("{what}: there is no such ticket; compare its id")))?;
    if found.status.as_deref().is_some_and(|now| now.eq_ignore_ascii_case(to)) {
        return Ok(false);
    }
    change(desk, id, &json!({"status": status}), &what).await?;
    Ok(true)
}

pub(super) async fn lookup(desk: &Desk<'_>, id: &str) -> Result<Option<Ticket>, Failure> {
    let what = format!("looking for the ticket {id}");
    let number = number(id)?;
    let answer = desk.ask(Method::GET, &["Ticket", id], &[], None).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let found = desk.document(&what, &answer)?;
    let Some(name) = found.get("name").and_then(Value::as_str) else { return Err(desk.garbled(&what)) };
    let status = found.get("status").and_then(Value::as_u64).and_then(|status| usize::try_from(status).ok());
    let status = status.and_then(|status| STATUSES.get(status.checked_sub(1)?)).map(|status| (*status).to_owned());
    Ok(Some(ticket(desk, number, Some(name.to_owned()), status)))
}

/// The ticket that carries a mark.
pub(super) async fn marked(desk: &Desk<'_>, mark: &str) -> Result<Option<Ticket>, Failure> {
    let what = "looking for the ticket of this call";
    let query = [
        ("criteria[0][field]", DESCRIPTION),
        ("criteria[0][searchtype]", "contains"),
        ("criteria[0][value]", mark),
        ("forcedisplay[0]", ID),
    ];
    let answer = desk.ask(Method::GET, &["search", "Ticket"], &query, None).await?;
    let found = desk.document(what, &answer)?;
    if found.get("totalcount").and_then(Value::as_u64).ok_or_else(|| desk.garbled(what))? == 0 {
        return Ok(None);
    }
    let id = found.pointer("/data/0/2").and_then(Value::as_u64).ok_or_else(|| desk.garbled(what))?;
    Ok(Some(ticket(desk, id, None, None)))
}

/// Whether the account sees tickets: the right to make one shows only in making one.
pub(super) async fn try_rights(desk: &Desk<'_>) -> Result<(), Failure> {
    let what = "reading tickets";
    let answer = desk.ask(Method::GET, &["Ticket"], &[("range", "0-0")], None).await?;
    desk.document(what, &answer).map(drop)
}

async fn change(desk: &Desk<'_>, id: &str, input: &Value, what: &str) -> Result<(), Failure> {
    let id = number(id)?.to_string();
    let answer = desk.ask(Method::PUT, &["Ticket", &id], &[], Some(&json!({"input": input}))).await?;
    let changed = desk.document(what, &answer)?;
    if changed.is_array() { Ok(()) } else { Err(desk.garbled(what)) }
}

fn number(id: &str) -> Result<u64, Failure> {
    id.parse()
        .map_err(|_| Failure::configuration(format!("“{id}” is not the id of a ticket of GLPI, which is a number")))
}

fn fields(content: &Content) -> Map<String, Value> {
    let mut fields = content.fields.clone();
    if let Some(title) = &content.title {
        fields.insert("name".to_owned(), title.as_str().into());
    }
    fields
}

fn ticket(desk: &Desk<'_>, id: u64, title: Option<String>, status: Option<String>) -> Ticket {
    let base = desk.settings.base_url.as_str().trim_end_matches('/').trim_end_matches("/apirest.php");
    Ticket {
        id: id.to_string(),
        reference: id.to_string(),
        title,
        status,
        link: format!("{base}/front/ticket.form.php?id={id}"),
    }
}

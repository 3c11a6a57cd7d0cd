//! Records of `ServiceNow`, by its Table API.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Content, Ticket, desk::Desk};
use crate::Failure;

/// The table, where the connection names none.
const INCIDENT: &str = "incident";
/// What is asked of a record: values as people see them.
const FIELDS: [(&str, &str); 2] =
    [("sysparm_fields", "sys_id,number,short_description,state"), ("sysparm_display_value", "true")];
/// So long is an id of the system; anything else is a number.
const ID_LENGTH: usize = 32;

fn table<'a>(desk: &'a Desk<'_>) -> &'a str {
    desk.settings.table.as_deref().unwrap_or(INCIDENT)
}

fn path<'a>(desk: &'a Desk<'_>) -> Vec<&'a str> {
    vec!["api", "now", "table", table(desk)]
}

pub(super) async fn create(desk: &Desk<'_>, content: &Content, mark: &str) -> Result<Ticket, Failure> {
    let mut fields = fields(content);
    fields.insert("correlation_id".to_owned(), mark.into());
    let answer = desk.ask(Method::POST, &path(desk), &FIELDS, Some(&Value::Object(fields))).await?;
    let what = "making a record";
    let made = desk.document(what, &answer)?;
    made.get("result").and_then(|record| ticket(desk, record)).ok_or_else(|| desk.garbled(what))
}

pub(super) async fn update(desk: &Desk<'_>, id: &str, content: &Content) -> Result<(), Failure> {
    change(desk, id, fields(content), &format!("changing the record {id}")).await
}

pub(super) async fn comment(desk: &Desk<'_>, id: &str, text: &str, internal: bool) -> Result<(), Failure> {
    let field = if internal { "work_notes" } else { "comments" };
    let fields = Map::from_iter([(field.to_owned(), text.into())]);
    change(desk, id, fields, &format!("commenting on the record {id}")).await
}

pub(super) async fn transition(desk: &Desk<'_>, id: &str, to: &str) -> Result<bool, Failure> {
    let what = format!("bringing the record {id} to {to}");
    let found = known(desk, id, &what).await?;
    if found.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case(to)) {
        return Ok(false);
    }
    let fields = Map::from_iter([("state".to_owned(), to.into())]);
    change(desk, &found.id, fields, &what).await?;
    Ok(true)
}

pub(super) async fn lookup(desk: &Desk<'_>, id: &str) -> Result<Option<Ticket>, Failure> {
    let field = if id.len() == ID_LENGTH { "sys_id" } else { "number" };
    query(desk, &format!("{field}={id}"), &format!("looking for the record {id}")).await
}

/// The record that carries a mark.
pub(super) async fn marked(desk: &Desk<'_>, mark: &str) -> Result<Option<Ticket>, Failure> {
    query(desk, &format!("correlation_id={mark}"), "looking for the record of this call").await
}

/// Whether the account may read the table: the right to write shows only in writing.
pub(super) async fn try_rights(desk: &Desk<'_>) -> Result<(), Failure> {
    query(desk, "", &format!("reading the table {}", table(desk))).await.map(drop)
}

async fn query(desk: &Desk<'_>, condition: &str, what: &str) -> Result<Option<Ticket>, Failure> {
    let [fields, shown] = FIELDS;
    let query = [("sysparm_query", condition), ("sysparm_limit", "1"), fields, shown];
    let answer = desk.ask(Method::GET, &path(desk), &query, None).await?;
    let found = desk.document(what, &answer)?;
    let records = found.get("result").and_then(Value::as_array).ok_or_else(|| desk.garbled(what))?;
    records.first().map(|record| ticket(desk, record).ok_or_else(|| desk.garbled(what))).transpose()
}

async fn known(desk: &Desk<'_>, id: &str, what: &str) -> Result<Ticket, Failure> {
    let found = lookup(&desk.reads(), id).await?;
    found.ok_or_else(|| Failure::refused(404, format!("{what}: there is no such record; compare its number")))
}

async fn change(desk: &Desk<'_>, id: &str, fields: Map<String, Value>, what: &str) -> Result<(), Failure> {
    let id = if id.len() == ID_LENGTH { id.to_owned() } else { known(desk, id, what).await?.id };
    let mut path = path(desk);
    path.push(&id);
    let [shown, as_people_see_them] = FIELDS;
    let query = [shown, as_people_see_them, ("sysparm_input_display_value", "true")];
    let answer = desk.ask(Method::PATCH, &path, &query, Some(&Value::Object(fields))).await?;
    let changed = desk.document(what, &answer)?;
    if changed.get("result").is_some_and(Value::is_object) { Ok(()) } else { Err(desk.garbled(what)) }
}

fn fields(content: &Content) -> Map<String, Value> {
    let mut fields = content.fields.clone();
    for (name, value) in [("short_description", &content.title), ("description", &content.description)] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json!(value));
        }
    }
    fields
}

fn ticket(desk: &Desk<'_>, record: &Value) -> Option<Ticket> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("sys_id")?;
    let base = desk.settings.base_url.as_str().trim_end_matches('/');
    Some(Ticket {
        link: format!("{base}/nav_to.do?uri={}.do?sys_id={id}", table(desk)),
        id,
        reference: text("number")?,
        title: text("short_description"),
        status: text("state"),
    })
}

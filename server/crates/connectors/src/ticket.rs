//! `call: ticket`: tickets of Jira (Service Management), `ServiceNow` (Table API) and GLPI (REST).
//!
//! # Repeating a call
//! A new ticket carries a reference that comes from the idempotency key, by which [`Connector::probe`] finds it again. What is
//! changed to the same twice is changed once. About a lost comment a person decides.

mod desk;
mod glpi;
mod jira;
mod schema;
mod service_now;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System,
    connection::Steps,
    http::{Http, plain::Terms},
    sigv4::sha256,
};
use desk::{Desk, Flavour, Settings};

/// The kind of connection, and the function.
const TICKET: &str = "ticket";

/// Makes tickets elsewhere and keeps them in step.
pub struct TicketConnector {
    http: Arc<Http>,
}

/// What is to be done.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase")]
enum Operation {
    Create(Content),
    Update {
        id: String,
        #[serde(flatten)]
        content: Content,
    },
    Comment {
        id: String,
        text: String,
        #[serde(default)]
        internal: bool,
    },
    Transition {
        id: String,
        to: String,
    },
    Lookup {
        id: String,
    },
}

/// What a ticket says.
#[derive(Deserialize)]
struct Content {
    title: Option<String>,
    description: Option<String>,
    /// In the words of the service.
    #[serde(default)]
    fields: Map<String, Value>,
}

/// A ticket as it is there.
struct Ticket {
    id: String,
    /// By which people know it.
    reference: String,
    title: Option<String>,
    status: Option<String>,
    link: String,
}

impl Ticket {
    fn output(&self) -> Value {
        json!({
            "id": self.id, "reference": self.reference, "title": self.title, "status": self.status, "link": self.link,
        })
    }
}

/// The function `ticket`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: TICKET,
        title: "Keep tickets elsewhere",
        system: "Ticket system",
        with: schema::with(),
        output: schema::output(),
        operations: schema::OPERATIONS
            .iter()
            .map(|entry| OperationSpec {
                name: entry.name,
                title: entry.title,
                output: schema::output_of(entry),
                reads: entry.reads,
            })
            .collect(),
        needs_connection: true,
        connection_kinds: vec![TICKET],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let place = text("connection")?;
    Some(match text("operation")? {
        "create" => format!("Makes a ticket over {place}: {}", text("title")?),
        "update" => format!("Changes the ticket {} over {place}", text("id")?),
        "comment" => format!("Adds a comment to the ticket {} over {place}", text("id")?),
        "transition" => format!("Brings the ticket {} over {place} to {}", text("id")?, text("to")?),
        _ => format!("Looks for the ticket {} over {place}", text("id")?),
    })
}

/// By which a ticket is found again that a call has made.
fn mark(key: &str) -> String {
    format!("rondo-{}", sha256(key.as_bytes()).get(..32).unwrap_or_default())
}

impl TicketConnector {
    /// A connector that shares clients with others.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let (settings, operation) = parts(request)?;
        let repeatable = request.idempotent || repetition(&operation) == Repetition::Safe;
        let terms = Terms::of(context, &settings.tls, repeatable);
        let mut desk = Desk { http: &self.http, settings: &settings, terms, session: None };
        desk.open().await?;
        let done = act(&desk, &operation, &context.key).await;
        desk.close().await;
        let output = done?;
        if let Some(reference) = output.get("reference").and_then(Value::as_str) {
            context.info(format!("ticket {reference}"));
        }
        Ok(output)
    }
}

async fn act(desk: &Desk<'_>, operation: &Operation, key: &str) -> Result<Value, Failure> {
    let flavour = desk.settings.flavour;
    match operation {
        Operation::Create(content) => {
            let made = match flavour {
                Flavour::Jira => jira::create(desk, content, &mark(key)).await,
                Flavour::ServiceNow => service_now::create(desk, content, &mark(key)).await,
                Flavour::Glpi => glpi::create(desk, content, &mark(key)).await,
            };
            Ok(made?.output())
        }
        Operation::Update { id, content } => {
            match flavour {
                Flavour::Jira => jira::update(desk, id, content).await,
                Flavour::ServiceNow => service_now::update(desk, id, content).await,
                Flavour::Glpi => glpi::update(desk, id, content).await,
            }?;
            Ok(json!({"changed": true}))
        }
        Operation::Comment { id, text, internal } => {
            match flavour {
                Flavour::Jira => jira::comment(desk, id, text, *internal).await,
                Flavour::ServiceNow => service_now::comment(desk, id, text, *internal).await,
                Flavour::Glpi => glpi::comment(desk, id, text, *internal).await,
            }?;
            Ok(json!({"added": true}))
        }
        Operation::Transition { id, to } => {
            let changed = match flavour {
                Flavour::Jira => jira::transition(desk, id, to).await,
                Flavour::ServiceNow => service_now::transition(desk, id, to).await,
                Flavour::Glpi => glpi::transition(desk, id, to).await,
            };
            Ok(json!({"changed": changed?}))
        }
        Operation::Lookup { id } => {
            let found = match flavour {
                Flavour::Jira => jira::lookup(desk, id).await,
                Flavour::ServiceNow => service_now::lookup(desk, id).await,
                Flavour::Glpi => glpi::lookup(desk, id).await,
            }?;
            Ok(json!({"found": found.is_some(), "ticket": found.as_ref().map(Ticket::output)}))
        }
    }
}

fn parts(request: &Request) -> Result<(Settings, Operation), Failure> {
    let connection = request
        .connection
        .as_ref()
        .ok_or_else(|| Failure::configuration("ticket needs a connection of kind ticket"))?;
    // The message of serde may quote a value, and the value may be a secret.
    let operation =
        Operation::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
    Ok((connection.settings::<Settings>().and_then(Settings::complete)?, operation))
}

fn repetition(operation: &Operation) -> Repetition {
    match operation {
        Operation::Create(_) => Repetition::Probe,
        // A transition may be on offer again in the state that it leads to, and some fields add to what is there.
        Operation::Comment { .. } | Operation::Transition { .. } => Repetition::Once,
        Operation::Update { content, .. } if !content.fields.is_empty() => Repetition::Once,
        Operation::Update { .. } | Operation::Lookup { .. } => Repetition::Safe,
    }
}

#[async_trait]
impl Connector for TicketConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: TICKET,
            title: "Ticket system",
            summary: "Jira, ServiceNow or GLPI.",
            function: TICKET,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        Operation::deserialize(&request.with).map_or(Repetition::Once, |operation| repetition(&operation))
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        let Ok((settings, Operation::Create(_))) = parts(request) else { return Probe::CannotTell };
        let terms = Terms::of(context, &settings.tls, true);
        let mut desk = Desk { http: &self.http, settings: &settings, terms, session: None };
        if desk.open().await.is_err() {
            return Probe::CannotTell;
        }
        let mark = mark(&context.key);
        let found = match settings.flavour {
            Flavour::Jira => jira::marked(&desk, &mark).await,
            Flavour::ServiceNow => service_now::marked(&desk, &mark).await,
            Flavour::Glpi => glpi::marked(&desk, &mark).await,
        };
        desk.close().await;
        match found {
            Ok(Some(ticket)) => Probe::Happened(ticket.output()),
            // Jira's index lags behind: what it does not find may yet be there.
            Ok(None) if settings.flavour != Flavour::Jira => Probe::DidNotHappen,
            Ok(None) | Err(_) => Probe::CannotTell,
        }
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>().and_then(Settings::complete) {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(&settings.base_url, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let terms = Terms::of_check(&settings.tls);
        let mut desk = Desk { http: &self.http, settings: &settings, terms, session: None };
        if let Err(failure) = desk.open().await {
            return steps.fail("sign-in", failure.detail());
        }
        let tried = match settings.flavour {
            Flavour::Jira => jira::try_rights(&desk).await,
            Flavour::ServiceNow => service_now::try_rights(&desk).await,
            Flavour::Glpi => glpi::try_rights(&desk).await,
        };
        desk.close().await;
        match tried {
            Ok(()) => {
                steps.pass("sign-in", "the account is accepted");
                steps.pass("right", "tickets can be made");
                steps.done()
            }
            Err(failure) if failure.error.is(workflow::StandardError::Authentication) => {
                steps.fail("sign-in", failure.detail())
            }
            Err(failure) => {
                steps.pass("sign-in", "the account is accepted");
                steps.fail("right", failure.detail())
            }
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Ticket system".to_owned(), target: target.to_owned() }
    }
}

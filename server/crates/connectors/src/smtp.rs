//! `call: smtp`: mail, over connections of kind `smtp`, or written to files over connections of kind `file`.
//!
//! # Repeating a mail
//! The Message-ID comes from the idempotency key, so a repeated mail is recognised as the same by mail programs and most
//! servers. A connection lost after the text was sent leaves it unknown whether the server took it; a mail that arrives
//! twice harms less than one that never does, so the connector calls repetition safe.

mod bounded;
mod delivery;
mod folder;
mod letter;
mod schema;
mod settings;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use domain::view::CheckStep;
use serde_json::Value;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System, egress::EgressPolicy,
};
use letter::Letter;
use settings::{FileSettings, ServerSettings};

/// The kind of connection that speaks SMTP.
pub const SMTP: &str = "smtp";
/// The kind of connection that writes each mail to a file.
pub const FILE: &str = "file";

/// Sends mail.
pub struct SmtpConnector {
    policy: Arc<EgressPolicy>,
    folder: PathBuf,
}

/// The function `smtp`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: "smtp",
        title: "Send a mail",
        system: "Mail",
        with: schema::with(),
        output: schema::output(),
        operations: Vec::new(),
        needs_connection: true,
        connection_kinds: vec![SMTP, FILE],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let to = with.get("to")?;
    let to = to.as_array().map_or_else(|| vec![to], |all| all.iter().collect());
    let to: Vec<&str> = to.into_iter().filter_map(Value::as_str).collect();
    let subject = with.get("subject").and_then(Value::as_str).unwrap_or_default();
    Some(format!("A mail to {}: {subject}", to.join(", ")))
}

impl SmtpConnector {
    /// A connector that reaches what the policy permits, and writes mails of connections of kind `file` to `folder`
    /// (`mail` below the data directory), which is made when it is needed.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>, folder: PathBuf) -> Self {
        Self { policy, folder }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let connection = request
            .connection
            .as_ref()
            .ok_or_else(|| Failure::configuration("smtp needs a connection of kind smtp or file"))?;
        let at = context.clock.now();
        if connection.kind == FILE {
            let settings = connection.settings::<FileSettings>()?;
            let letter = Letter::write(&request.with, &settings.from, &context.key, at)?;
            let output = folder::keep(&self.folder, &letter).await?;
            context.info(format!("mail {} written to {}", letter.message_id, self.folder.display()));
            return Ok(output);
        }
        let settings = connection.settings::<ServerSettings>()?;
        let letter = Letter::write(&request.with, &settings.from, &context.key, at)?;
        let output = delivery::deliver(&settings, &letter, context).await?;
        context.info(format!("mail {} accepted by {}", letter.message_id, settings.host));
        Ok(output)
    }
}

#[async_trait]
impl Connector for SmtpConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![
            ConnectionKind {
                name: SMTP,
                title: "Mail server",
                summary: "A mail server that takes mail by SMTP.",
                function: "smtp",
                settings: schema::server_settings(),
            },
            ConnectionKind {
                name: FILE,
                title: "Mail folder",
                summary: "Writes each mail to a file in the folder mail of the data directory, and sends nothing.",
                function: "smtp",
                settings: schema::file_settings(),
            },
        ]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        if connection.kind == FILE {
            folder::check(&self.folder, connection).await
        } else {
            delivery::check(&self.policy, connection).await
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Mail".to_owned(), target: target.to_owned() }
    }
}

//! Mailboxes that are asked by IMAP: connections of kind `imap`, over which triggers look for messages. It offers no function.

mod folder;
mod letter;
mod meter;
mod schema;
mod session;
mod settings;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use serde_json::Value;
use workflow::{RunError, StandardError};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System, connection::Steps, egress::EgressPolicy, watch::Source,
};
use session::Session;
use settings::Settings;

/// The kind of connection.
const IMAP: &str = "imap";

/// Looks into mailboxes.
pub struct ImapConnector {
    policy: Arc<EgressPolicy>,
}

impl ImapConnector {
    /// A connector whose checks reach what the policy permits.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>) -> Self {
        Self { policy }
    }
}

#[async_trait]
impl Connector for ImapConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        Vec::new()
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: IMAP,
            title: "Mailbox",
            summary: "A mailbox that is asked by IMAP, in which triggers look for messages.",
            function: IMAP,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, _request: &Request, _context: &CallContext) -> Outcome {
        let words = "nothing is called over a mailbox; triggers look into it";
        Outcome::Permanent(RunError::new(StandardError::Configuration, words))
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return steps.fail("settings", failure.detail()),
        };
        if let Err(error) = settings.tls.config() {
            return steps.fail("settings", &error.to_string());
        }
        steps.pass("settings", "complete");
        let Some(stream) = steps.dial(&self.policy, &settings.host, settings.port()).await else { return steps.done() };
        let mut session = match Session::enter(&settings, stream).await {
            Ok(session) => session,
            Err((step, failure)) => {
                if step == "sign-in" {
                    steps.pass("tls", "the certificate is trusted");
                }
                return steps.fail(step, failure.detail());
            }
        };
        steps.pass("tls", "the certificate is trusted");
        steps.pass("sign-in", &format!("signed in as {}", settings.username));
        let opened = session.examine("INBOX").await;
        session.leave().await;
        match opened {
            Ok(()) => {
                steps.pass("right", "the folder INBOX can be read");
                steps.done()
            }
            Err(failure) => steps.fail("right", failure.detail()),
        }
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Mailbox".to_owned(), target: target.to_owned() }
    }
}

/// What a server said, as far as it stands in an error.
fn excerpt(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// Words about a server that could not be talked to.
fn broken(settings: &Settings, what: &str) -> Failure {
    Failure::unreachable(format!(
        "the mail server {} could not be talked to ({what}); see whether it runs, and whether its port is one of IMAP",
        settings.host
    ))
}

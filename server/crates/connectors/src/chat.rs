//! `call: chat`: messages to a channel of Slack, Microsoft Teams or Mattermost, by an incoming webhook.
//!
//! # Repeating a call
//! A webhook knows no idempotency key, and a channel that was told something twice cannot be told from one that was told so
//! once: about a lost answer a person decides, unless the task says that it does no harm.

mod answer;
mod message;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use domain::view::CheckStep;
use identity::Secret;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System,
    connection::Steps,
    http::{
        Http,
        plain::{Answered, Plain, Terms},
    },
    tls::TlsSettings,
};
use message::Message;

/// The kind of connection, and the function.
const CHAT: &str = "chat";

/// Posts messages.
pub struct ChatConnector {
    http: Arc<Http>,
}

/// Whose webhook it is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Flavour {
    Slack,
    Teams,
    Mattermost,
}

impl Flavour {
    /// For people.
    const fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Teams => "Microsoft Teams",
            Self::Mattermost => "Mattermost",
        }
    }
}

#[derive(Deserialize)]
struct Settings {
    flavour: Flavour,
    url: Secret,
    #[serde(flatten)]
    tls: TlsSettings,
}

impl Settings {
    /// The address. It is secret: whoever has it may post.
    fn webhook(&self) -> Result<Url, Failure> {
        Url::parse(self.url.expose())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Failure::configuration(format!(
                    "the webhook of the connection is not an address; enter it as {} shows it",
                    self.flavour.name()
                ))
            })
    }
}

/// The function `chat`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: CHAT,
        title: "Post to a channel",
        system: "Chat",
        with: schema::with(),
        output: schema::output(),
        operations: Vec::new(),
        needs_connection: true,
        connection_kinds: vec![CHAT],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    Some(format!("Posts over {}: {}", text("connection")?, text("title").or_else(|| text("text"))?))
}

impl ChatConnector {
    /// A connector that shares clients with others.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let connection = request
            .connection
            .as_ref()
            .ok_or_else(|| Failure::configuration("chat needs a connection of kind chat"))?;
        let settings = connection.settings::<Settings>()?;
        let message = Message::read(&request.with)?;
        let terms = Terms::of(context, &settings.tls, request.idempotent);
        let answer = self.post(&settings, &message.payload(settings.flavour), &terms).await?;
        answer::judge(settings.flavour, &answer, settings.url.expose(), &terms)?;
        context.info(format!("posted to {}", settings.flavour.name()));
        Ok(json!({"posted": true}))
    }

    async fn post(&self, settings: &Settings, payload: &Value, terms: &Terms<'_>) -> Result<Answered, Failure> {
        let plain = Plain::new(Method::POST, settings.webhook()?).header("content-type", "application/json")?;
        self.http.ask(plain.body(payload.to_string().into_bytes()), terms).await
    }
}

#[async_trait]
impl Connector for ChatConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: CHAT,
            title: "Chat channel",
            summary: "A channel of Slack, Microsoft Teams or Mattermost that has an incoming webhook.",
            function: CHAT,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Once
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = connection.settings::<Settings>();
        let (settings, url) = match settings.and_then(|settings| settings.webhook().map(|url| (settings, url))) {
            Ok(both) => both,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(&url, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        // Only Slack says of an empty message whether the webhook is one, and posts nothing.
        if settings.flavour != Flavour::Slack {
            return steps.done();
        }
        let terms = Terms::of_check(&settings.tls);
        let tried = match self.post(&settings, &json!({}), &terms).await {
            Ok(answer) if answer::is_about_the_text(&answer) => Ok(()),
            Ok(answer) => answer::judge(settings.flavour, &answer, settings.url.expose(), &terms),
            Err(failure) => Err(failure),
        };
        match tried {
            Ok(()) => {
                steps.pass("sign-in", "the webhook is known");
                steps.done()
            }
            Err(failure) => steps.fail("sign-in", failure.detail()),
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Chat".to_owned(), target: target.to_owned() }
    }
}

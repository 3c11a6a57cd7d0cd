//! `call: aws`: any action of the services of AWS that are asked in one request, by its name and parameters.
//!
//! There is no SDK: an action is a form (EC2, IAM, Auto Scaling …) or a JSON document (Systems Manager, Secrets
//! Manager, ECS …), signed by [`crate::sigv4`]. What a form is answered with, XML, becomes JSON by fixed
//! rules, so that no table of all shapes is needed.
//!
//! # Repeating a call
//! Actions that only read may be repeated. Of those that take a token by which AWS recognises a repetition, the known ones
//! get one that comes from the idempotency key, and may be repeated too. About all others a person decides.

mod refusal;
mod request;
mod schema;
mod sealed;
mod services;
mod session;
mod settings;
mod tokens;
mod xml;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Clock, view::CheckStep};
use identity::vault::Vault;
use serde_json::{Map, Value, json};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System,
    connection::Steps,
    http::{
        Http,
        plain::{Answered, Terms},
    },
};
use refusal::Refusal;
use request::Order;
use services::Protocol;
use session::{Keys, Sessions};
use settings::Settings;

/// The kind of connection, and the function.
const AWS: &str = "aws";

/// Calls AWS.
pub struct AwsConnector {
    http: Arc<Http>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
}

/// The function `aws`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: AWS,
        title: "Call AWS",
        system: "AWS",
        with: schema::with(),
        output: schema::output(),
        operations: Vec::new(),
        needs_connection: true,
        connection_kinds: vec![AWS],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let (service, action) = (text("service")?, text("action")?);
    let place = text("region").map_or_else(String::new, |region| format!(" in {region}"));
    let does = if tokens::only_reads(service, action) { "Reads from" } else { "Changes" };
    Some(format!("{does} AWS {service}{place}: {action}"))
}

impl AwsConnector {
    /// A connector that shares clients with others. The vault seals what AWS gives out that is secret.
    #[must_use]
    pub fn new(http: Arc<Http>, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self { http, vault, clock, sessions: Sessions::default() }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let connection =
            request.connection.as_ref().ok_or_else(|| Failure::configuration("aws needs a connection of kind aws"))?;
        let settings = connection.settings::<Settings>()?;
        let order = Order::read(&request.with, &settings, &context.key)?;
        let repeatable = request.idempotent || tokens::repetition(&request.with) == Repetition::Safe;
        let terms = Terms::of(context, &settings.tls, repeatable);
        let mut keys = self.keys(&settings, &terms).await?;
        let mut answer = self.ask(&order, &settings, &keys, &terms).await?;
        if keys.are_lent() && Refusal::of(&answer).is_some_and(|refusal| refusal.is_expired()) {
            // It was refused, so nothing has happened: once more with new keys.
            self.sessions.forget(&settings);
            keys = self.keys(&settings, &terms).await?;
            answer = self.ask(&order, &settings, &keys, &terms).await?;
        }
        context.info(format!("{}: status {}", order.shown(), answer.status));
        self.output(&order, &session::secrets(&settings, &keys), &answer, &terms)
    }

    async fn ask(
        &self,
        order: &Order<'_>,
        settings: &Settings,
        keys: &Keys,
        terms: &Terms<'_>,
    ) -> Result<Answered, Failure> {
        let plain = order.signed(settings, keys, self.clock.now())?;
        self.http.ask(plain, terms).await
    }

    fn output(
        &self,
        order: &Order<'_>,
        secrets: &[&str],
        answer: &Answered,
        terms: &Terms<'_>,
    ) -> Result<Value, Failure> {
        if let Some(refusal) = Refusal::of(answer) {
            return if refusal.is_dry_run() {
                Ok(json!({"requestId": refusal.request, "dryRun": true, "result": {}}))
            } else {
                Err(refusal.into_failure(&order.shown(), secrets))
            };
        }
        let garbled = |what: String| {
            terms.unusable(format!(
                "the answer to {} cannot be read: {what}; check that the connection's endpoint is AWS, and no proxy answers \
                 for it",
                order.shown()
            ))
        };
        let (request, mut result) = match order.service.protocol {
            Protocol::Json { .. } if answer.content.is_empty() => (None, json!({})),
            Protocol::Json { .. } => {
                let read = serde_json::from_slice::<Map<String, Value>>(&answer.content);
                (None, Value::Object(read.map_err(|error| garbled(format!("it is no JSON object ({error})")))?))
            }
            Protocol::Form { .. } => xml::read(&answer.content).map_err(garbled)?,
        };
        sealed::seal(&mut result, &self.vault);
        let request = request.or_else(|| answer.header("x-amzn-requestid").map(str::to_owned));
        Ok(json!({"requestId": request, "dryRun": false, "result": result}))
    }

    /// What the connection signs with: its own keys, or those of the role that they may take.
    async fn keys(&self, settings: &Settings, terms: &Terms<'_>) -> Result<Keys, Failure> {
        let Some(role) = &settings.role else { return Ok(Keys::Own) };
        let now = self.clock.now();
        if let Some(kept) = self.sessions.kept(settings, now) {
            return Ok(kept);
        }
        // Nothing of the call itself is sent by this, so it may always be asked again.
        let terms = Terms { repeatable: true, ..*terms };
        let order = Order::assume(role, settings)?;
        let answer = self.ask(&order, settings, &Keys::Own, &terms).await.map_err(session::before_the_call)?;
        if let Some(refusal) = Refusal::of(&answer) {
            let asked = format!("the role {role} cannot be taken: {}", order.shown());
            return Err(refusal.into_failure(&asked, &session::secrets(settings, &Keys::Own)));
        }
        let keys = session::read(&answer.content).ok_or_else(|| {
            Failure::refused(
                502,
                "AWS answered to AssumeRole without keys; check that the connection's endpoint is AWS",
            )
        })?;
        self.sessions.keep(settings, &keys);
        Ok(keys)
    }
}

#[async_trait]
impl Connector for AwsConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: AWS,
            title: "AWS",
            summary: "An account of Amazon Web Services, or of what is asked in the same way.",
            function: AWS,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        tokens::repetition(&request.with)
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let order = match Order::identity(&settings) {
            Ok(order) => order,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(order.url(), &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let terms = Terms::of_check(&settings.tls);
        let who = async |keys: &Keys| -> Result<String, Failure> {
            let answer = self.ask(&order, &settings, keys, &terms).await?;
            let output = self.output(&order, &session::secrets(&settings, keys), &answer, &terms)?;
            Ok(output.pointer("/result/Arn").and_then(Value::as_str).unwrap_or("somebody").to_owned())
        };
        match who(&Keys::Own).await {
            Ok(name) => steps.pass("sign-in", &format!("signed in as {name}")),
            Err(failure) => return steps.fail("sign-in", failure.detail()),
        }
        if settings.role.is_none() {
            return steps.done();
        }
        let taken = async { who(&self.keys(&settings, &terms).await?).await };
        match taken.await {
            Ok(name) => {
                steps.pass("right", &format!("works as {name}"));
                steps.done()
            }
            Err(failure) => steps.fail("right", failure.detail()),
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "AWS".to_owned(), target: target.to_owned() }
    }
}

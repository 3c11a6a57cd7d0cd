//! `call: s3`: objects of S3 and of services that are asked in the same way.
//!
//! # Repeating a call
//! Everything here does the same when it is done twice, but for an object that may only be put where there is none: it carries
//! the idempotency key, by which [`Connector::probe`] tells whose it is.

mod answer;
mod operation;
mod place;
mod plan;
mod schema;
mod settings;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    Clock,
    view::{CallPlan, CheckStep},
};
use identity::vault::Vault;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

pub use place::{PlaceError, bucket_address, object_address};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FailureKind, FunctionSpec, OperationSpec, Outcome, Probe,
    Repetition, Request, ResolvedConnection, System,
    connection::Steps,
    http::{
        Http,
        plain::{Answered, Plain, Terms},
    },
    sigv4::Signer,
    watch::Source,
};
use operation::{Asked, Operation};
use plan::Known;
use settings::Settings;

/// The kind of connection, and the function.
const S3: &str = "s3";

/// Reads and writes objects.
pub struct S3Connector {
    http: Arc<Http>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

/// The function `s3`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: S3,
        title: "Read and write objects",
        system: "Object storage",
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
        connection_kinds: vec![S3],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let bucket = text(with, "bucket")?;
    let key = text(with, "key").unwrap_or_default();
    Some(match text(with, "operation")?.as_str() {
        "putObject" => format!("Puts the object {key} into the bucket {bucket}"),
        "getObject" => format!("Reads the object {key} of the bucket {bucket}"),
        "headObject" => format!("Looks for the object {key} in the bucket {bucket}"),
        "deleteObject" => format!("Deletes the object {key} of the bucket {bucket}"),
        "copyObject" => {
            let from = with.get("from")?;
            format!("Copies the object {} of {} to {key} in {bucket}", text(from, "key")?, text(from, "bucket")?)
        }
        "presign" => format!("Makes an address by which anybody can reach the object {key} of the bucket {bucket}"),
        _ => format!("Lists the objects of the bucket {bucket}"),
    })
}

impl S3Connector {
    /// A connector that shares clients with others. The vault seals addresses that let in whoever has them.
    #[must_use]
    pub fn new(http: Arc<Http>, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self { http, vault, clock }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let (settings, operation) = parts(request)?;
        let repeatable = request.idempotent || operation.repetition() == Repetition::Safe;
        let terms = Terms::of(context, &settings.tls, repeatable);
        if let Operation::Presign { bucket, key, method, expires } = &operation {
            return self.presign(&settings, bucket, key, *method, *expires);
        }
        let asked = operation.ask(&settings, &context.key)?;
        let answer = self.ask(&asked, &settings, &terms).await?;
        context.info(format!("{}: status {}", operation.shown(), answer.status));
        answer::output(&operation, &asked, &answer, &settings, &terms)
    }

    fn presign(
        &self,
        settings: &Settings,
        bucket: &str,
        key: &str,
        method: operation::Access,
        expires: std::time::Duration,
    ) -> Result<Value, Failure> {
        let url = settings.object(bucket, key)?;
        let now = self.clock.now();
        let url = signer(settings).presigned(method.as_str(), &url, now, expires);
        Ok(json!({"url": self.vault.seal_value(url.as_str()), "expiresAt": (now + expires).to_string()}))
    }

    async fn ask(&self, asked: &Asked, settings: &Settings, terms: &Terms<'_>) -> Result<Answered, Failure> {
        let given: Vec<(&str, &str)> =
            asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method = asked.method.as_str();
        let added = signer(settings).headers(method, &asked.url, &given, &asked.body, self.clock.now());
        let mut plain = Plain::new(asked.method.clone(), asked.url.clone());
        let added = added.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in given.into_iter().chain(added) {
            plain = plain.header(name, value)?;
        }
        self.http.ask(plain.body(asked.body.clone()), terms).await
    }

    /// What is there at an address of an object; none where nothing is.
    async fn known(
        &self,
        bucket: &str,
        url: Url,
        settings: &Settings,
        terms: &Terms<'_>,
    ) -> Result<Option<Known>, Failure> {
        let head = |url| Asked { method: Method::HEAD, url, headers: Vec::new(), body: Vec::new() };
        let answer = self.ask(&head(url), settings, terms).await?;
        match answer.status {
            200..300 => Ok(Some(Known::of(&answer))),
            404 => match self.ask(&head(settings.bucket(bucket)?), settings, terms).await?.status {
                404 => Err(plan::no_bucket(bucket)),
                _ => Ok(None),
            },
            status => Err(plan::unreadable(&format!("the object in {bucket}"), status)),
        }
    }

    async fn planned(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let (settings, operation) = parts(request)?;
        let terms = Terms::of(context, &settings.tls, true);
        let asked = operation.ask(&settings, &context.key)?;
        Ok(match &operation {
            Operation::PutObject { bucket, .. } => {
                let there = self.known(bucket, asked.url.clone(), &settings, &terms).await?;
                Some(plan::put(&operation, there.as_ref(), &asked.headers, asked.body.len()))
            }
            Operation::CopyObject { bucket, from, .. } => {
                let there = self.known(bucket, asked.url.clone(), &settings, &terms).await?;
                let source = self.known(from.bucket(), from.address(&settings)?, &settings, &terms).await?;
                Some(plan::copy(&operation, there.as_ref(), source.as_ref())?)
            }
            Operation::DeleteObject { bucket, .. } => {
                let there = self.known(bucket, asked.url, &settings, &terms).await?;
                Some(plan::delete(&operation, there.as_ref()))
            }
            _ => None,
        })
    }

    /// Whether the object is there that this call was to put, and nobody else's.
    async fn look(&self, request: &Request, context: &CallContext) -> Result<Probe, Failure> {
        let (settings, operation) = parts(request)?;
        let put = operation.ask(&settings, &context.key)?;
        let terms = Terms::of(context, &settings.tls, true);
        let head = Asked { method: Method::HEAD, url: put.url.clone(), headers: Vec::new(), body: Vec::new() };
        let answer = self.ask(&head, &settings, &terms).await?;
        Ok(match answer.status {
            200..300 if answer.header(operation::KEY_HEADER) == Some(operation::mark(&context.key).as_str()) => {
                Probe::Happened(answer::output(&operation, &put, &answer, &settings, &terms)?)
            }
            // There is none, or somebody else's: this call found it taken, or will.
            404 | 200..300 => Probe::DidNotHappen,
            _ => Probe::CannotTell,
        })
    }
}

fn parts(request: &Request) -> Result<(Settings, Operation), Failure> {
    let connection =
        request.connection.as_ref().ok_or_else(|| Failure::configuration("s3 needs a connection of kind s3"))?;
    Ok((connection.settings::<Settings>()?, Operation::read(&request.with)?))
}

fn signer(settings: &Settings) -> Signer<'_> {
    Signer {
        access_key: &settings.access_key,
        secret: &settings.secret_key,
        token: settings.session_token.as_ref(),
        region: &settings.region,
        service: "s3",
    }
}

#[async_trait]
impl Connector for S3Connector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: S3,
            title: "Object storage",
            summary: "Buckets of S3, or of a service that is asked in the same way.",
            function: S3,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        Operation::read(&request.with).map_or(Repetition::Once, |operation| operation.repetition())
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        self.look(request, context).await.unwrap_or(Probe::CannotTell)
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        self.planned(request, context).await
    }

    fn may_look(&self, with: &Value) -> bool {
        // What is in objects may be what is asked for.
        with.get("operation").is_some_and(|operation| operation == "headObject")
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let tried = match settings.tried() {
            Ok(tried) => tried,
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let Some((_, first)) = tried.first() else { return Steps::default().fail("settings", "no bucket to try") };
        let mut steps = match self.http.try_way(first, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let terms = Terms::of_check(&settings.tls);
        let mut signed_in = false;
        for (what, url) in tried {
            let asked = Asked { method: Method::GET, url, headers: Vec::new(), body: Vec::new() };
            let seen = match self.ask(&asked, &settings, &terms).await {
                Ok(answer) if answer.is_success() => Ok(()),
                Ok(answer) => Err(answer::refused(&what, &answer, &settings)),
                Err(failure) => Err(failure),
            };
            // A bucket that is not there, or closed, is one that the service has looked for with these keys.
            if !signed_in && seen.as_ref().err().is_none_or(answer::is_about_the_bucket) {
                steps.pass("sign-in", "the keys are accepted");
                signed_in = true;
            }
            match seen {
                Ok(()) => steps.pass("right", &format!("{what} can be listed")),
                Err(failure) if signed_in => return steps.fail("right", failure.detail()),
                Err(failure) => {
                    let step = if failure.kind == FailureKind::Permanent { "sign-in" } else { "connect" };
                    return steps.fail(step, failure.detail());
                }
            }
        }
        steps.done()
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Object storage".to_owned(), target: target.to_owned() }
    }
}

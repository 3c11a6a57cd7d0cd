//! `call: container`: containers of an engine that has the API of Docker, such as Podman.
//!
//! # Repeating a call
//! A container that is made carries the call that made it, by which [`Connector::probe`] finds it again; a replacement that was
//! cut off is taken back by that (see [`replacement`]). What is started, stopped, restarted, removed or fetched twice is so
//! once. About a lost command in a container a person decides, unless it only reads.

mod command;
mod engine;
mod frames;
mod images;
mod making;
mod plan;
mod ready;
mod replacement;
mod schema;
mod settings;
mod shown;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use domain::view::{CallPlan, CheckStep};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use workflow::{RunError, StandardError, duration};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FailureKind, FunctionSpec, OperationSpec, Outcome, Probe,
    Repetition, Request, ResolvedConnection, System,
    connection::Steps,
    http::{Http, plain::Terms},
};
use command::Command;
use engine::Engine;
use images::Pull;
use making::{KEY, Making, SERVICE, label, mark};
use ready::Ready;
use replacement::{Order, Successor, Wanted};
use settings::Settings;

/// The kind of connection.
const DOCKER: &str = "docker";
/// The function.
const CONTAINER: &str = "container";

/// Works with containers.
pub struct ContainerConnector {
    http: Arc<Http>,
    /// Sockets of this machine at which engines may be reached.
    sockets: Vec<PathBuf>,
}

/// What a definition says beside what a container is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    operation: String,
    #[serde(default)]
    name: String,
    image: Option<String>,
    like: Option<String>,
    #[serde(default)]
    pull: Pull,
    #[serde(default)]
    ready: Option<Ready>,
    #[serde(default)]
    order: Order,
    #[serde(default = "grace")]
    grace: u64,
    #[serde(default = "lines")]
    lines: u64,
    #[serde(default = "command::output_limit")]
    max_output: usize,
    service: Option<String>,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    state: State,
    #[serde(default)]
    force: bool,
    older_than: Option<Value>,
    #[serde(default)]
    repository: String,
    #[serde(default = "keep")]
    keep: usize,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum State {
    Running,
    Stopped,
    #[default]
    Any,
}

const fn grace() -> u64 {
    10
}

const fn lines() -> u64 {
    100
}

const fn keep() -> usize {
    3
}

/// The function `container`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: CONTAINER,
        title: "Work with containers",
        system: "Containers",
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
        connection_kinds: vec![DOCKER],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let place = text("connection")?;
    let name = || text("name").map(|name| format!("{name} on {place}"));
    Some(match text("operation")? {
        "pull" => format!("Fetches the image {} to {place}", text("image")?),
        "run" => match (text("image"), text("like")) {
            (Some(image), _) => format!("Starts the new container {} from {image}", name()?),
            (None, like) => format!("Starts the new container {} as {} was made", name()?, like?),
        },
        "replace" => match text("image") {
            Some(image) => format!("Replaces the container {} by one from {image}", name()?),
            None => format!("Replaces the container {} by a new one", name()?),
        },
        "rollback" => format!("Puts back what the container {} has replaced", name()?),
        "exec" => format!("Runs a command in the container {}", name()?),
        "logs" => format!("Reads what the container {} wrote", name()?),
        "inspect" => format!("Looks at the container {}", name()?),
        "start" => format!("Starts the container {}", name()?),
        "stop" => format!("Stops the container {}", name()?),
        "restart" => format!("Restarts the container {}", name()?),
        "remove" => format!("Removes the container {}", name()?),
        "prune" => format!("Removes containers of {place} that have ended"),
        "pruneImages" => format!("Removes images of {} from {place} that are not used", text("repository")?),
        _ => format!("Lists containers of {place}"),
    })
}

impl ContainerConnector {
    /// A connector that shares clients with others, and reaches engines of this machine by these sockets alone.
    #[must_use]
    pub fn new(http: Arc<Http>, sockets: Vec<PathBuf>) -> Self {
        Self { http, sockets }
    }

    fn engine(&self, request: &Request, context: &CallContext, with: &With) -> Result<Engine, Failure> {
        let connection = request
            .connection
            .as_ref()
            .ok_or_else(|| Failure::configuration("container needs a connection of kind docker"))?;
        let settings = Arc::new(Settings::read(connection, &self.sockets)?);
        if let (Some(socket), Some(rules)) = (&settings.socket, &context.egress.narrowed) {
            let (socket, namespace) = (socket.display(), &rules.namespace);
            return Err(Failure::permanent(RunError::new(
                StandardError::Authorization,
                format!(
                    "{socket} may not be reached from here: the rule egress.namespace “{namespace}” lets its runs reach no \
                     sockets; give them an engine by https://"
                ),
            )));
        }
        let repeatable = request.idempotent || repetition(with, &request.with) == Repetition::Safe;
        let limit = Terms::of(context, &settings.tls, repeatable).limit;
        Ok(Engine {
            http: Arc::clone(&self.http),
            settings,
            egress: Some(Arc::clone(&context.egress)),
            repeatable,
            limit,
        })
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let with = read(&request.with)?;
        let engine = self.engine(request, context, &with)?;
        match with.operation.as_str() {
            "pull" => {
                let image = with.image.as_deref().unwrap_or_default();
                Ok(json!({"image": image, "imageId": images::fetch(&engine, image).await?}))
            }
            "run" => run(&engine, context, &with, &request.with).await,
            "replace" | "rollback" => replace(engine, context, with, &request.with).await,
            "exec" => exec(&engine, context, &with.name, &request.with).await,
            "logs" => command::logs(&engine, &with.name, with.lines, with.max_output).await,
            "prune" => prune(&engine, &with, context).await,
            "pruneImages" => images::prune(&engine, &with.repository, with.keep).await,
            "list" => list(&engine, &with).await,
            "inspect" => {
                let found = engine.look(&with.name).await?;
                Ok(json!({"found": found.is_some(), "container": found.as_ref().map(shown::container)}))
            }
            "remove" => remove(&engine, &with).await,
            _ => switch(&engine, context, &with).await,
        }
    }

    async fn ask(&self, request: &Request, context: &CallContext) -> Result<Probe, Failure> {
        let with = read(&request.with)?;
        let engine = self.engine(request, context, &with)?;
        if with.operation != "run" {
            let settled = replacement::settle(&engine, context, &with.name).await?;
            return Ok(settled.map_or(Probe::DidNotHappen, Probe::Happened));
        }
        let Some(there) = engine.look(&with.name).await? else { return Ok(Probe::DidNotHappen) };
        if label(&there, KEY) != Some(mark(&context.key).as_str()) {
            return Ok(Probe::DidNotHappen);
        }
        // It was made; whether it was told to start, and is ready, comes to the same as doing the rest.
        let engine = engine.repeatable();
        match replacement::start_made(&engine, context, &with.name, &with.ready.unwrap_or_default()).await {
            Ok(output) => Ok(Probe::Happened(output)),
            Err(failure) if failure.kind == FailureKind::Permanent => Ok(Probe::DidNotHappen),
            Err(failure) => Err(failure),
        }
    }
}

fn read(with: &Value) -> Result<With, Failure> {
    // The message of serde may quote a value, and the value may be a secret.
    With::deserialize(with).map_err(|_| Failure::configuration("the arguments of container cannot be read"))
}

fn repetition(with: &With, arguments: &Value) -> Repetition {
    match with.operation.as_str() {
        "run" | "replace" | "rollback" => Repetition::Probe,
        "exec" if arguments.get("onlyReads") != Some(&Value::Bool(true)) => Repetition::Once,
        _ => Repetition::Safe,
    }
}

async fn run(engine: &Engine, context: &CallContext, with: &With, arguments: &Value) -> Result<Value, Failure> {
    let said = Making::said(arguments);
    let making = match &with.like {
        None => said,
        Some(like) => Making::remembered(&engine.known(like).await?)
            .ok_or_else(|| {
                Failure::refused(409, format!("{like} does not remember how it was made, as others have made it"))
            })?
            .changed_by(said),
    };
    let nothing = Ready::default();
    let ready = with.ready.as_ref().unwrap_or(&nothing);
    replacement::run(engine, context, &with.name, &making, with.pull, ready).await
}

/// Replaces a container in a task of its own, which takes back what it has begun when nobody waits for it any more.
async fn replace(engine: Engine, context: &CallContext, with: With, arguments: &Value) -> Result<Value, Failure> {
    let successor =
        if with.operation == "rollback" { Successor::Predecessor } else { Successor::With(Making::said(arguments)) };
    let wanted = Wanted {
        name: with.name,
        successor,
        pull: with.pull,
        ready: with.ready.unwrap_or_default(),
        order: with.order,
        grace: with.grace,
    };
    let stopped = CancellationToken::new();
    let _stops = stopped.clone().drop_guard();
    let replacing = tokio::spawn(replacement::replace(engine, context.clone(), wanted, stopped));
    replacing.await.unwrap_or_else(|_| {
        let detail = "the replacement ended before it was done; look at the containers on the engine";
        Err(Failure::unknown(RunError::new(StandardError::Runtime, detail)))
    })
}

async fn exec(engine: &Engine, context: &CallContext, name: &str, arguments: &Value) -> Result<Value, Failure> {
    let command = Command::deserialize(arguments)
        .map_err(|_| Failure::configuration("the arguments of container cannot be read"))?;
    let log = command.log.then_some(&context.log);
    command::run(engine, name, &command, log).await?.judged(&command)
}

/// Starts, stops or restarts.
async fn switch(engine: &Engine, context: &CallContext, with: &With) -> Result<Value, Failure> {
    let grace = with.grace.to_string();
    let query = [("t", grace.as_str())];
    let query: &[(&str, &str)] = if with.operation == "start" { &[] } else { &query };
    let changed = engine.tell(&with.name, &with.operation, query).await?;
    if let Some(ready) = &with.ready
        && let Err(failure) = ready.wait(engine, &with.name, context.limit()).await
    {
        replacement::tell_last_words(engine, context, &with.name).await;
        return Err(failure);
    }
    Ok(json!({"changed": changed}))
}

async fn remove(engine: &Engine, with: &With) -> Result<Value, Failure> {
    let runs = |found: &Value| found.pointer("/State/Running") == Some(&Value::Bool(true));
    if !with.force && engine.look(&with.name).await?.as_ref().is_some_and(runs) {
        let detail = format!("the container {} runs; stop it before, or remove it with force", with.name);
        return Err(Failure::refused(409, detail));
    }
    Ok(json!({"removed": engine.discard(&with.name).await?}))
}

/// What containers must carry.
fn labels(with: &With) -> Vec<String> {
    let written = with.labels.iter().map(|(name, value)| format!("{name}={value}"));
    written.chain(with.service.iter().map(|service| format!("{SERVICE}={service}"))).collect()
}

async fn list(engine: &Engine, with: &With) -> Result<Value, Failure> {
    let states: &[&str] = match with.state {
        State::Running => &["running"],
        State::Stopped => &["exited", "created"],
        State::Any => &[],
    };
    let mut found = engine.with_labels(&labels(with), states).await?;
    found.sort_by_cached_key(|one| (shown::instance(one), shown::name(one).to_owned()));
    Ok(json!({"containers": found.iter().map(shown::listed).collect::<Vec<_>>()}))
}

async fn prune(engine: &Engine, with: &With, context: &CallContext) -> Result<Value, Failure> {
    let labels = labels(with);
    if labels.is_empty() {
        return Err(Failure::configuration("labels say which containers are removed; give at least one"));
    }
    let mut filters = json!({"label": labels});
    if let Some(older) = &with.older_than {
        let age = duration::from_value(older)
            .ok_or_else(|| Failure::configuration("olderThan is not a duration; write it like P7D"))?;
        let until = context.clock.now().as_micros() / 1_000_000 - i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        if let Some(filters) = filters.as_object_mut() {
            filters.insert("until".to_owned(), json!([until.to_string()]));
        }
    }
    let query = [("filters", filters.to_string())];
    let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = engine.ask(Method::POST, &["containers", "prune"], &query, None).await?;
    let pruned = engine.document("removing containers", &answer)?;
    let removed = pruned.get("ContainersDeleted").and_then(Value::as_array).cloned().unwrap_or_default();
    let bytes = pruned.get("SpaceReclaimed").and_then(Value::as_u64).unwrap_or_default();
    context.info(format!("{} containers removed", removed.len()));
    Ok(json!({"containers": removed, "bytes": bytes}))
}

#[async_trait]
impl Connector for ContainerConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: DOCKER,
            title: "Containers",
            summary: "A Docker engine, or Podman with its Docker API. Whoever uses it can do everything on its machine.",
            function: CONTAINER,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        read(&request.with).map_or(Repetition::Once, |with| repetition(&with, &request.with))
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        match self.ask(request, context).await {
            Ok(probe) => probe,
            Err(failure) => {
                context.warn(format!("what became of the call cannot be found out now: {}", failure.detail()));
                Probe::CannotTell
            }
        }
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let with = read(&request.with)?;
        let engine = self.engine(request, context, &with)?;
        plan::plan(&engine, &with).await
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match Settings::read(connection, &self.sockets) {
            Ok(settings) => Arc::new(settings),
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let way = match &settings.socket {
            None => self.http.try_way(&settings.base, &settings.tls).await,
            Some(path) => {
                let mut steps = Steps::default();
                steps.pass("settings", "complete");
                match tokio::net::UnixStream::connect(path).await {
                    Ok(_) => {
                        steps.pass("connect", &format!("{} answers", path.display()));
                        Ok(steps)
                    }
                    Err(error) => Err(steps.fail("connect", &format!("{}: {error}", path.display()))),
                }
            }
        };
        let mut steps = match way {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let limit = Terms::of_check(&settings.tls).limit;
        let engine = Engine { http: Arc::clone(&self.http), settings, egress: None, repeatable: true, limit };
        match engine.version().await {
            Ok(version) => {
                steps.pass("sign-in", &version);
                steps.done()
            }
            Err(failure) => steps.fail("sign-in", failure.detail()),
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Containers".to_owned(), target: target.to_owned() }
    }
}

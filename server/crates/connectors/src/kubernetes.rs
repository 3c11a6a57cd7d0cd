//! `call: kubernetes`: objects, workloads, jobs and nodes of a cluster, asked over its API.
//!
//! # Repeating a call
//! What is applied, deleted, scaled, restarted or drained twice is so once: a restart says which call it is of. A job carries the
//! call that made it, by which [`Connector::probe`] finds it again and waits for its end.

mod cluster;
mod plan;
mod pods;
mod schema;
mod workload;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::view::{CallPlan, CheckStep};
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{StandardError, duration};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System,
    connection::Steps,
    http::{
        Http,
        plain::{Answered, Terms},
    },
};
use cluster::{Cluster, Patch, Settings, is_of_a_cluster};
use pods::Job;
use workload::Workload;

/// The kind of connection, and the function.
const KUBERNETES: &str = "kubernetes";
/// Who the cluster is told that manages what is applied.
const MANAGER: &str = "rondo";
/// How long is waited unless told otherwise.
const LONGEST: Duration = Duration::from_mins(4);

/// Works with clusters.
pub struct KubernetesConnector {
    http: Arc<Http>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    operation: String,
    namespace: Option<String>,
    #[serde(default)]
    manifests: Vec<Value>,
    #[serde(default)]
    manifest: Value,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    replicas: u32,
    r#for: Option<Value>,
    #[serde(default)]
    selector: BTreeMap<String, String>,
    container: Option<String>,
    #[serde(default = "lines")]
    lines: u64,
    #[serde(default)]
    node: String,
}

const fn lines() -> u64 {
    100
}

impl With {
    fn read(with: &Value) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        Self::deserialize(with).map_err(|_| Failure::configuration("the arguments of kubernetes cannot be read"))
    }

    fn longest(&self) -> Result<Duration, Failure> {
        let read = |value: &Value| {
            duration::from_value(value)
                .ok_or_else(|| Failure::configuration("for is not a duration; write it like PT4M"))
        };
        self.r#for.as_ref().map_or(Ok(LONGEST), read)
    }
}

/// The function `kubernetes`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: KUBERNETES,
        title: "Work with a Kubernetes cluster",
        system: "Kubernetes",
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
        connection_kinds: vec![KUBERNETES],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let place = text("connection")?;
    let object = || Some(format!("the {} {}", text("kind")?, text("name")?));
    Some(match text("operation")? {
        "apply" => {
            let manifests = with.get("manifests")?.as_array()?.iter();
            let shown: Vec<String> = manifests
                .filter_map(|one| {
                    Some(format!("{} {}", one.get("kind")?.as_str()?, one.pointer("/metadata/name")?.as_str()?))
                })
                .collect();
            format!("Applies to {place}: {}", shown.join(", "))
        }
        "get" => format!("Reads {} of {place}", object()?),
        "delete" => format!("Deletes {} of {place}", object()?),
        "scale" => format!("Scales {} of {place} to {}", object()?, with.get("replicas")?.as_u64()?),
        "restart" => format!("Restarts {} of {place}", object()?),
        "rolloutStatus" => format!("Waits until {} of {place} is rolled out", object()?),
        "runJob" => format!("Runs the job {} in {place}", with.pointer("/manifest/metadata/name")?.as_str()?),
        "drain" => format!("Drains the node {} of {place}", text("node")?),
        "uncordon" => format!("Lets the node {} of {place} take pods again", text("node")?),
        _ => format!("Reads what pods of {place} wrote"),
    })
}

impl KubernetesConnector {
    /// A connector that shares clients with others.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    fn cluster(&self, request: &Request, context: &CallContext, with: &With) -> Result<Cluster, Failure> {
        let connection = request
            .connection
            .as_ref()
            .ok_or_else(|| Failure::configuration("kubernetes needs a connection of its kind"))?;
        let settings = Arc::new(Settings::read(connection)?);
        let repeatable = request.idempotent || repetition(with) == Repetition::Safe;
        let limit = Terms::of(context, &settings.tls, repeatable).limit;
        Ok(Cluster {
            http: Arc::clone(&self.http),
            settings,
            egress: Some(Arc::clone(&context.egress)),
            repeatable,
            limit,
        })
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let with = With::read(&request.with)?;
        let cluster = self.cluster(request, context, &with)?;
        let given = with.namespace.as_deref();
        let namespace = cluster.settings.namespace(given);
        let workload = || Workload::new(&cluster, &with.kind, given, &with.name);
        match with.operation.as_str() {
            "apply" => apply(&cluster, context, &with).await,
            "get" => get(&cluster, &with).await,
            "delete" => delete(&cluster, &with).await,
            "scale" => workload().scale(&cluster, with.replicas).await,
            "restart" => workload().restart(&cluster, &context.key).await,
            "rolloutStatus" => workload().settled(&cluster, context, with.longest()?).await,
            "runJob" => job(&cluster, context, &with).run(with.longest()?).await,
            "drain" => pods::drain(&cluster, context, &with.node, with.longest()?).await,
            "uncordon" => Ok(json!({"changed": pods::cordon(&cluster, &with.node, false).await?})),
            _ => {
                let selector: Vec<String> =
                    with.selector.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let (selector, container) = (selector.join(","), with.container.as_deref());
                let logs = pods::logs(&cluster, namespace, &selector, container, with.lines).await?;
                Ok(json!({"logs": logs}))
            }
        }
    }
}

fn job<'a>(cluster: &'a Cluster, context: &'a CallContext, with: &'a With) -> Job<'a> {
    let named = with.manifest.pointer("/metadata/namespace").and_then(Value::as_str);
    let namespace = cluster.settings.namespace(named.or(with.namespace.as_deref()));
    Job { cluster, context, manifest: &with.manifest, namespace, lines: with.lines }
}

fn repetition(with: &With) -> Repetition {
    if with.operation == "runJob" { Repetition::Probe } else { Repetition::Safe }
}

/// Applies one after the other; the first that is refused says which were applied before it.
async fn apply(cluster: &Cluster, context: &CallContext, with: &With) -> Result<Value, Failure> {
    let mut applied = Vec::new();
    for manifest in &with.manifests {
        match apply_one(cluster, with, manifest).await {
            Ok(one) => {
                context.info(format!("{} {} applied", shown(&one, "kind"), shown(&one, "name")));
                applied.push(one);
            }
            Err(mut failure) if !applied.is_empty() => {
                let names: Vec<String> =
                    applied.iter().map(|one| format!("{} {}", shown(one, "kind"), shown(one, "name"))).collect();
                failure.error.detail = Some(format!("{}; applied before it: {}", failure.detail(), names.join(", ")));
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(json!({"applied": applied}))
}

fn shown<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

async fn apply_one(cluster: &Cluster, with: &With, manifest: &Value) -> Result<Value, Failure> {
    let request = apply_request(cluster, with, manifest).await?;
    let answer = request.send(cluster, with, manifest, &[]).await?;
    let there = cluster.document(&request.what, &answer)?;
    Ok(json!({
        "apiVersion": manifest.get("apiVersion"), "kind": manifest.get("kind"),
        "name": manifest.pointer("/metadata/name"), "namespace": there.pointer("/metadata/namespace"),
        "created": answer.status == 201,
    }))
}

/// Where a manifest is applied.
struct ApplyRequest {
    what: String,
    path: Vec<String>,
}

async fn apply_request(cluster: &Cluster, with: &With, manifest: &Value) -> Result<ApplyRequest, Failure> {
    let (api_version, kind) = (shown(manifest, "apiVersion"), shown(manifest, "kind"));
    let metadata = |name: &str| manifest.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
    let name = metadata("name").unwrap_or_default();
    let resource = cluster.resource(api_version, kind).await?;
    let namespace = cluster.settings.namespace(metadata("namespace").or(with.namespace.as_deref()));
    Ok(ApplyRequest { what: format!("the {kind} {name}"), path: resource.path(namespace, Some(name)) })
}

impl ApplyRequest {
    async fn send(
        &self,
        cluster: &Cluster,
        with: &With,
        manifest: &Value,
        more: &[(&str, &str)],
    ) -> Result<Answered, Failure> {
        let mut query = vec![("fieldManager", MANAGER), ("force", if with.force { "true" } else { "false" })];
        query.extend(more);
        let answer = cluster.patch(&self.path, &query, Patch::Apply, manifest).await?;
        if answer.status == 409 && !with.force {
            let said = cluster.accepted(&self.what, &answer).err();
            let said = said.as_ref().map(Failure::detail).unwrap_or_default();
            let detail = format!("{said}; leave those fields out, or take them over with force");
            return Err(Failure::refused(409, detail));
        }
        Ok(answer)
    }
}

async fn get(cluster: &Cluster, with: &With) -> Result<Value, Failure> {
    let resource = cluster.resource(&with.api_version, &with.kind).await?;
    let namespace = cluster.settings.namespace(with.namespace.as_deref());
    let what = format!("the {} {}", with.kind, with.name);
    let mut object = cluster.object(&what, &resource.path(namespace, Some(&with.name))).await?;
    if let Some(members) = object.as_mut().and_then(Value::as_object_mut) {
        // What secrets hold is for nobody to read in a run.
        if with.kind == "Secret" {
            members.remove("data");
        }
        if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
            // An older way of applying keeps the whole object here.
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
    }
    Ok(json!({"found": object.is_some(), "object": object}))
}

async fn delete(cluster: &Cluster, with: &With) -> Result<Value, Failure> {
    let resource = cluster.resource(&with.api_version, &with.kind).await?;
    let namespace = cluster.settings.namespace(with.namespace.as_deref());
    let path = resource.path(namespace, Some(&with.name));
    // With what belongs to it, in the background.
    let answer = cluster.delete(&path, &[("propagationPolicy", "Background")]).await?;
    if answer.status == 404 && is_of_a_cluster(&answer) {
        return Ok(json!({"deleted": false}));
    }
    cluster.document(&format!("the deletion of the {} {}", with.kind, with.name), &answer)?;
    Ok(json!({"deleted": true}))
}

#[async_trait]
impl Connector for KubernetesConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: KUBERNETES,
            title: "Kubernetes",
            summary: "A cluster, by its API server and an account there.",
            function: KUBERNETES,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        With::read(&request.with).map_or(Repetition::Once, |with| repetition(&with))
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        let asked = async {
            let with = With::read(&request.with)?;
            let cluster = self.cluster(request, context, &with)?;
            job(&cluster, context, &with).settle(with.longest()?).await
        };
        asked.await.unwrap_or_else(|failure| {
            context.warn(format!("what became of the job cannot be found out now: {}", failure.detail()));
            Probe::CannotTell
        })
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let with = With::read(&request.with)?;
        let cluster = self.cluster(request, context, &with)?;
        plan::plan(&cluster, &with).await
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let settings = match Settings::read(connection) {
            Ok(settings) => Arc::new(settings),
            Err(failure) => return Steps::default().fail("settings", failure.detail()),
        };
        let mut steps = match self.http.try_way(&settings.server, &settings.tls).await {
            Ok(steps) => steps,
            Err(failed) => return failed,
        };
        let limit = Terms::of_check(&settings.tls).limit;
        let namespace = settings.namespace(None).to_owned();
        let cluster = Cluster { http: Arc::clone(&self.http), settings, egress: None, repeatable: true, limit };
        match pods::list(&cluster, &namespace, &[("limit", "1")]).await {
            Ok(_) => {
                steps.pass("sign-in", "the account is accepted");
                steps.pass("right", &format!("it may read the pods of {namespace}"));
                steps.done()
            }
            Err(failure) if failure.error.is(StandardError::Authorization) => {
                steps.pass("sign-in", "the account is accepted");
                steps.fail("right", failure.detail())
            }
            Err(failure) => steps.fail("sign-in", failure.detail()),
        }
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Kubernetes".to_owned(), target: target.to_owned() }
    }
}

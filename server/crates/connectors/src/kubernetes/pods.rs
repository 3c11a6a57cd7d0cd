//! Pods: what they wrote, jobs that they do, and getting them off a node.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use workflow::{RunError, StandardError};

use super::{
    cluster::{Cluster, Patch, Resource, is_of_a_cluster},
    workload::PAUSE,
};
use crate::{CallContext, Failure, Probe, sigv4::sha256};

/// The call that made a job, in an annotation.
const KEY: &str = "dev.rondo/key";
/// The largest part of a pod's log that is taken in.
const LOG: &str = "262144";
/// So many pods are read at most.
const PODS: usize = 50;

/// What the pods with these labels wrote.
pub(super) async fn logs(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
    container: Option<&str>,
    lines: u64,
) -> Result<Vec<Value>, Failure> {
    let cluster = cluster.repeatable();
    let mut logs = Vec::new();
    for name in names(&cluster, namespace, selector).await? {
        let log = log(&cluster, namespace, &name, container, lines).await?;
        logs.push(json!({"pod": name, "log": log}));
    }
    Ok(logs)
}

/// The names of the pods with these labels.
async fn names(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<String>, Failure> {
    let pods = list(cluster, namespace, &[("labelSelector", selector)]).await?;
    let names = pods.iter().filter_map(|pod| pod.pointer("/metadata/name")?.as_str());
    Ok(names.take(PODS).map(str::to_owned).collect())
}

/// What one pod wrote.
async fn log(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    container: Option<&str>,
    lines: u64,
) -> Result<String, Failure> {
    let mut path = Resource::known("v1", "pods").path(namespace, Some(name));
    path.push("log".to_owned());
    let lines = lines.to_string();
    let mut query = vec![("tailLines", lines.as_str()), ("limitBytes", LOG)];
    query.extend(container.map(|container| ("container", container)));
    let answer = cluster.get(&path, &query).await?;
    cluster.accepted(&format!("the log of the pod {name}"), &answer)?;
    Ok(String::from_utf8_lossy(&answer.content).into_owned())
}

/// The pods of a namespace, or of all.
pub(super) async fn list(cluster: &Cluster, namespace: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
    let path = if namespace.is_empty() {
        ["api", "v1", "pods"].map(str::to_owned).to_vec()
    } else {
        Resource::known("v1", "pods").path(namespace, None)
    };
    let answer = cluster.get(&path, query).await?;
    let listed = cluster.document("the list of pods", &answer)?;
    match listed.get("items") {
        Some(Value::Array(items)) => Ok(items.clone()),
        Some(Value::Null) => Ok(Vec::new()),
        _ => Err(cluster.garbled("the list of pods")),
    }
}

/// A job and the call that it is for.
pub(super) struct Job<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) context: &'a CallContext,
    pub(super) manifest: &'a Value,
    pub(super) namespace: &'a str,
    pub(super) lines: u64,
}

/// How a job has ended.
enum End {
    Complete,
    Failed(String),
}

impl Job<'_> {
    fn name(&self) -> &str {
        self.manifest.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    fn path(&self, name: Option<&str>) -> Vec<String> {
        Resource::known("batch/v1", "jobs").path(self.namespace, name)
    }

    fn mark(&self) -> String {
        sha256(self.context.key.as_bytes()).get(..32).unwrap_or_default().to_owned()
    }

    fn is_ours(&self, job: &Value) -> bool {
        let annotations = job.pointer("/metadata/annotations");
        annotations.and_then(|all| all.get(KEY)?.as_str()) == Some(self.mark().as_str())
    }

    async fn there(&self) -> Result<Option<Value>, Failure> {
        self.cluster.object(&format!("the job {}", self.name()), &self.path(Some(self.name()))).await
    }

    /// Makes the job, unless this call has done so already, and waits for its end.
    pub(super) async fn run(&self, longest: Duration) -> Result<Value, Failure> {
        if self.manifest.get("kind").is_none_or(|kind| kind != "Job") {
            return Err(Failure::configuration("runJob takes a manifest of kind Job; apply takes all others"));
        }
        let mut manifest = self.manifest.clone();
        if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut)
            && let Value::Object(annotations) = metadata.entry("annotations").or_insert_with(|| json!({}))
        {
            annotations.insert(KEY.to_owned(), self.mark().into());
        }
        let what = format!("a new job {}", self.name());
        let answer = self.cluster.post(&self.path(None), &manifest).await?;
        if answer.status == 409 {
            let there = self.there().await.map_err(|failure| self.unknown(failure))?;
            if !there.as_ref().is_some_and(|there| self.is_ours(there)) {
                let detail = format!("there is a job {} already; give each its own name", self.name());
                return Err(Failure::refused(409, detail));
            }
        } else {
            self.cluster.document(&what, &answer)?;
        }
        self.end(longest).await
    }

    /// What became of the job that this call may have made; it is waited for.
    pub(super) async fn settle(&self, longest: Duration) -> Result<Probe, Failure> {
        match self.there().await? {
            Some(there) if self.is_ours(&there) => {}
            // It may have ended, and be cleared away.
            None if self.vanishes() => return Ok(Probe::CannotTell),
            _ => return Ok(Probe::DidNotHappen),
        }
        match self.end(longest).await {
            Ok(output) => Ok(Probe::Happened(output)),
            // It has failed: another attempt makes none, and is told so.
            Err(failure) if failure.kind == crate::FailureKind::Permanent => Ok(Probe::DidNotHappen),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the cluster deletes the job by itself when it has ended.
    fn vanishes(&self) -> bool {
        self.manifest.pointer("/spec/ttlSecondsAfterFinished").is_some_and(|after| !after.is_null())
    }

    /// The job is made: whatever fails then says nothing of what becomes of it.
    fn unknown(&self, mut failure: Failure) -> Failure {
        failure.error.detail = Some(format!(
            "what became of the job {} cannot be found out: {}; look in the cluster",
            self.name(),
            failure.detail()
        ));
        Failure::unknown(*failure.error)
    }

    /// What the pods of the job wrote, with what could not be read in words instead.
    async fn written(&self) -> Vec<Value> {
        let cluster = self.cluster.repeatable();
        let unread = |pod: &str, failure: &Failure| {
            let words = format!("what it wrote cannot be read: {}", failure.detail());
            self.context.warn(&words);
            json!({"pod": pod, "log": words})
        };
        let names = match names(&cluster, self.namespace, &format!("job-name={}", self.name())).await {
            Ok(names) => names,
            Err(failure) => return vec![unread("", &failure)],
        };
        let mut logs = Vec::new();
        for name in names {
            match log(&cluster, self.namespace, &name, None, self.lines).await {
                Ok(log) => {
                    log.lines().for_each(|line| self.context.info(line));
                    logs.push(json!({"pod": name, "log": log}));
                }
                Err(failure) => logs.push(unread(&name, &failure)),
            }
        }
        logs
    }

    /// How the job ends: only that it has failed itself is a failure that is certain.
    async fn end(&self, longest: Duration) -> Result<Value, Failure> {
        let until = Instant::now() + longest.min(self.context.limit());
        let name = self.name();
        let end = loop {
            let there = self.there().await.map_err(|failure| self.unknown(failure))?;
            let Some(there) = there else {
                let detail = "it was deleted before it was seen to have ended";
                return Err(self.unknown(Failure::refused(404, detail)));
            };
            if let Some(end) = ended(&there) {
                break end;
            }
            if Instant::now() + PAUSE >= until {
                let detail = format!("the job {name} has not ended in time; it goes on in the cluster: look there");
                return Err(Failure::unknown(RunError::new(StandardError::Timeout, detail)));
            }
            tokio::time::sleep(PAUSE).await;
        };
        let logs = self.written().await;
        match end {
            End::Complete => Ok(json!({"job": name, "logs": logs})),
            End::Failed(why) => Err(Failure::permanent(RunError::new(
                StandardError::Runtime,
                format!("the job {name} has failed: {why}; what it wrote is in the task's log"),
            ))),
        }
    }
}

fn ended(job: &Value) -> Option<End> {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array)?;
    conditions.iter().filter(|condition| condition.get("status").is_some_and(|status| status == "True")).find_map(
        |condition| match condition.get("type")?.as_str()? {
            "Complete" => Some(End::Complete),
            "Failed" => {
                let why = condition.get("message").and_then(Value::as_str).unwrap_or("it does not say why");
                Some(End::Failed(why.to_owned()))
            }
            _ => None,
        },
    )
}

/// Says whether a node may take new pods; false when it was so already.
pub(super) async fn cordon(cluster: &Cluster, node: &str, closed: bool) -> Result<bool, Failure> {
    let path = Resource::known("v1", "nodes").path("", Some(node));
    let what = format!("the node {node}");
    let there = cluster.object(&what, &path).await?;
    let there = there.ok_or_else(|| {
        Failure::refused(404, format!("there is no node {node}; compare the name with those of the cluster"))
    })?;
    if (there.pointer("/spec/unschedulable") == Some(&Value::Bool(true))) == closed {
        return Ok(false);
    }
    let answer = cluster.patch(&path, &[], Patch::Merge, &json!({"spec": {"unschedulable": closed}})).await?;
    cluster.document(&what, &answer)?;
    Ok(true)
}

/// Closes a node and gets the pods off it, as far as their budgets of disruption let it.
pub(super) async fn drain(
    cluster: &Cluster,
    context: &CallContext,
    node: &str,
    longest: Duration,
) -> Result<Value, Failure> {
    cordon(cluster, node, true).await?;
    let until = Instant::now() + longest.min(context.limit());
    let mut evicted = std::collections::BTreeSet::new();
    loop {
        let on_it = format!("spec.nodeName={node}");
        let pods = list(cluster, "", &[("fieldSelector", &on_it)]).await?;
        let pods: Vec<&Value> = pods.iter().filter(|pod| has_to_go(pod)).collect();
        if pods.is_empty() {
            return Ok(json!({"evicted": evicted}));
        }
        let mut kept = String::new();
        for pod in pods {
            let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
            let shown = format!("{namespace}/{name}");
            // Once is enough for one that is ending.
            if pod.pointer("/metadata/deletionTimestamp").is_some() || evict(cluster, namespace, name).await? {
                if evicted.insert(shown.clone()) {
                    context.info(format!("{shown} is on its way"));
                }
            } else {
                kept = shown;
            }
        }
        if Instant::now() + PAUSE >= until {
            let why = if kept.is_empty() {
                "its pods have not ended in time".to_owned()
            } else {
                format!("the budget of disruption of {kept} lets it not go now")
            };
            return Err(Failure::permanent(RunError::new(
                StandardError::Runtime,
                format!("{node} is not drained: {why}; it takes no new pods until it is uncordoned"),
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the pod may go: false if its budget of disruption says not now.
async fn evict(cluster: &Cluster, namespace: &str, name: &str) -> Result<bool, Failure> {
    let mut path = Resource::known("v1", "pods").path(namespace, Some(name));
    path.push("eviction".to_owned());
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}
    });
    let answer = cluster.post(&path, &eviction).await?;
    match answer.status {
        429 => Ok(false),
        404 if is_of_a_cluster(&answer) => Ok(true),
        _ => cluster.accepted(&format!("the eviction of {namespace}/{name}"), &answer).map(|()| true),
    }
}

/// Pods that belong to the node stay, and so do those that have ended.
fn has_to_go(pod: &Value) -> bool {
    let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
    let is_daemon = owners.into_iter().any(|owner| owner.get("kind").is_some_and(|kind| kind == "DaemonSet"));
    let annotations = pod.pointer("/metadata/annotations");
    let is_mirror = annotations.is_some_and(|all| all.get("kubernetes.io/config.mirror").is_some());
    let phase = pod.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
    !is_daemon && !is_mirror && !matches!(phase, "Succeeded" | "Failed")
}

//! Workloads: how many pods they have, making these anew, and waiting until that is done.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use workflow::{RunError, StandardError, duration};

use super::cluster::{Cluster, Patch, Resource};
use crate::{CallContext, Failure, sigv4::sha256};

/// From one look to the next.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// By which call the pods were made anew, in their template: the same call says the same again.
const RESTARTED: &str = "dev.rondo/restarted-by";

/// A workload of one of the kinds that clusters have by themselves.
pub(super) struct Workload {
    shown: String,
    path: Vec<String>,
}

impl Workload {
    pub(super) fn new(cluster: &Cluster, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let plural = format!("{}s", kind.to_ascii_lowercase());
        let path = Resource::known("apps/v1", &plural).path(cluster.settings.namespace(namespace), Some(name));
        Self { shown: format!("the {kind} {name}"), path }
    }

    fn missing(&self) -> Failure {
        Failure::refused(404, format!("there is no such object as {}; compare its name and namespace", self.shown))
    }

    /// As the cluster has it.
    pub(super) async fn find(&self, cluster: &Cluster) -> Result<Value, Failure> {
        cluster.object(&self.shown, &self.path).await?.ok_or_else(|| self.missing())
    }

    fn scale_path(&self) -> Vec<String> {
        let mut path = self.path.clone();
        path.push("scale".to_owned());
        path
    }

    /// How many pods it is to have.
    pub(super) async fn replicas(&self, cluster: &Cluster) -> Result<u64, Failure> {
        let what = format!("the scale of {}", self.shown);
        let there = cluster.object(&what, &self.scale_path()).await?.ok_or_else(|| self.missing())?;
        // A field that is zero is left out.
        Ok(there.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or_default())
    }

    pub(super) async fn scale(&self, cluster: &Cluster, replicas: u32) -> Result<Value, Failure> {
        let what = format!("the scale of {}", self.shown);
        let path = self.scale_path();
        let before = self.replicas(cluster).await?;
        let answer = cluster.patch(&path, &[], Patch::Merge, &json!({"spec": {"replicas": replicas}})).await?;
        cluster.document(&what, &answer)?;
        Ok(json!({"before": before, "replicas": replicas}))
    }

    pub(super) async fn restart(&self, cluster: &Cluster, key: &str) -> Result<Value, Failure> {
        let call = sha256(key.as_bytes());
        let call = call.get(..32).unwrap_or_default();
        let changed = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED: call}}}}});
        let answer = cluster.patch(&self.path, &[], Patch::Merge, &changed).await?;
        if answer.status == 404 {
            return Err(self.missing());
        }
        cluster.document(&self.shown, &answer)?;
        Ok(json!({"restarted": true}))
    }

    /// Waits until all pods are of the present template and ready.
    pub(super) async fn settled(
        &self,
        cluster: &Cluster,
        context: &CallContext,
        longest: Duration,
    ) -> Result<Value, Failure> {
        let until = Instant::now() + longest.min(context.limit());
        loop {
            let there = self.find(cluster).await?;
            let progress = Progress::of(&there);
            if progress.is_done() {
                return Ok(json!({"replicas": progress.wanted, "ready": progress.available}));
            }
            let seen = progress.words();
            if progress.is_stuck || Instant::now() + PAUSE >= until {
                return Err(Failure::permanent(RunError::new(
                    StandardError::Runtime,
                    format!(
                        "{} is not rolled out after {}: {seen}; read the logs and events of its pods",
                        self.shown,
                        duration::to_iso8601(longest)
                    ),
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// How far a rollout is.
struct Progress {
    wanted: u64,
    updated: u64,
    available: u64,
    existing: u64,
    is_seen: bool,
    is_stuck: bool,
}

impl Progress {
    fn of(object: &Value) -> Self {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
        let status = |name: &str| number(&format!("/status/{name}"));
        let is_daemon = status("desiredNumberScheduled").is_some();
        let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
        let (updated, available, existing) = if is_daemon {
            ("updatedNumberScheduled", "numberAvailable", "currentNumberScheduled")
        } else {
            // A StatefulSet says of those that are ready, and older ones say nothing of available ones.
            let available = if status("availableReplicas").is_some() { "availableReplicas" } else { "readyReplicas" };
            ("updatedReplicas", available, "replicas")
        };
        let of = |name: &str| status(name).unwrap_or_default();
        Self {
            wanted: status("desiredNumberScheduled").or_else(|| number("/spec/replicas")).unwrap_or(1),
            updated: of(updated),
            available: of(available),
            existing: of(existing),
            is_seen: status("observedGeneration") >= number("/metadata/generation"),
            is_stuck: conditions
                .into_iter()
                .flatten()
                .any(|condition| condition.get("reason").is_some_and(|why| why == "ProgressDeadlineExceeded")),
        }
    }

    fn is_done(&self) -> bool {
        self.is_seen && self.updated >= self.wanted && self.available >= self.wanted && self.existing <= self.wanted
    }

    fn words(&self) -> String {
        let Self { wanted, updated, available, existing, .. } = self;
        if !self.is_seen {
            return "the cluster has not begun with it".to_owned();
        }
        format!("{updated} of {wanted} pods are new, {available} are available, {existing} there are in all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_done_when_no_old_pod_is_left() {
        let object = |status: Value| json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert!(Progress::of(&object(done)).is_done());
        for status in [
            json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}),
            json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}),
            json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}),
            json!({}),
        ] {
            assert!(!Progress::of(&object(status)).is_done());
        }
        let daemons = json!({
            "observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3,
            "currentNumberScheduled": 3
        });
        assert!(Progress::of(&object(daemons)).is_done());
    }
}

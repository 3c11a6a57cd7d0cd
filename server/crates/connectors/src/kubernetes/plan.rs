//! What a call would change in a cluster: as it is read, and as the API server says when it is asked to try (`dryRun=All`),
//! which keeps nothing.

use std::collections::{BTreeMap, BTreeSet};

use domain::view::{CallPlan, PlannedField};
use serde_json::Value;

use super::{With, apply_request, cluster::Cluster, shown, workload::Workload};
use crate::Failure;

/// What stands for what may be secret.
const HIDDEN: &str = "‹hidden›";
/// Where objects of any kind hold what others read from them.
const HELD: [&str; 3] = ["data", "binaryData", "stringData"];
/// What the cluster itself keeps of each object, and changes as it likes.
const KEPT_BY_CLUSTER: [&str; 7] = [
    "/status",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    // An older way of applying keeps the whole object here, and with it what is secret.
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
];

/// What an operation would change; none where nothing can be said.
pub(super) async fn plan(cluster: &Cluster, with: &With) -> Result<Option<CallPlan>, Failure> {
    let given = with.namespace.as_deref();
    let what = format!("the {} {}", with.kind, with.name);
    Ok(Some(match with.operation.as_str() {
        "apply" => applied(cluster, with).await?,
        "scale" => {
            let before = Workload::new(cluster, &with.kind, given, &with.name).replicas(cluster).await?;
            let after = u64::from(with.replicas);
            if before == after {
                return Ok(Some(CallPlan::nothing(format!("{what} has {after} replicas already"))));
            }
            let field = PlannedField::new("replicas", Some(before.to_string()), Some(after.to_string()));
            CallPlan::changes(format!("scales {what} from {before} to {after}")).with_fields([field])
        }
        "restart" => {
            Workload::new(cluster, &with.kind, given, &with.name).find(cluster).await?;
            CallPlan::changes(format!("makes the pods of {what} anew"))
        }
        "delete" => {
            let resource = cluster.resource(&with.api_version, &with.kind).await?;
            let path = resource.path(cluster.settings.namespace(given), Some(&with.name));
            match cluster.object(&what, &path).await? {
                Some(_) => CallPlan::changes(format!("deletes {what}, and what belongs to it")),
                None => CallPlan::nothing(format!("{what} is not there")),
            }
        }
        _ => return Ok(None),
    }))
}

/// Has each manifest tried out. What comes to be by an earlier one is not there yet for a later one.
async fn applied(cluster: &Cluster, with: &With) -> Result<CallPlan, Failure> {
    let (mut words, mut fields, mut creates) = (Vec::new(), Vec::new(), false);
    for manifest in &with.manifests {
        let metadata = |name: &str| manifest.pointer(&format!("/metadata/{name}")).and_then(Value::as_str);
        let name = metadata("name").unwrap_or_default();
        let what = format!("{} {name}", shown(manifest, "kind"));
        match tried(cluster, with, manifest).await {
            Ok((None, _)) => {
                creates = true;
                words.push(format!("creates {what}"));
            }
            Ok((Some(before), after)) => {
                let changed = differences(&before, &after);
                if changed.is_empty() {
                    continue;
                }
                words.push(format!("changes {what}"));
                let named = |field: PlannedField| PlannedField { name: format!("{what} {}", field.name), ..field };
                fields.extend(changed.into_iter().map(named));
            }
            // The namespace or the kind may be what comes before it.
            Err(failure) if creates && failure.error.status == 404 => words
                .push(format!("{what} cannot be tried before what comes before it is there ({})", failure.detail())),
            Err(failure) => return Err(failure),
        }
    }
    if words.is_empty() {
        return Ok(CallPlan::nothing("all of it is so already"));
    }
    Ok(CallPlan::changes(words.join("; ")).with_fields(fields))
}

/// An object as it is, if it is there, and as it would be.
async fn tried(cluster: &Cluster, with: &With, manifest: &Value) -> Result<(Option<Value>, Value), Failure> {
    let request = apply_request(cluster, with, manifest).await?;
    let before = cluster.object(&request.what, &request.path).await?;
    let answer = request.send(cluster, with, manifest, &[("dryRun", "All")]).await?;
    Ok((before, cluster.document(&request.what, &answer)?))
}

/// What is another, by its place in the object.
fn differences(before: &Value, after: &Value) -> Vec<PlannedField> {
    let (before, after) = (leaves(before), leaves(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| {
            let shown = |values: &BTreeMap<String, String>| {
                values.get(name).map(|value| if may_be_secret(name) { HIDDEN.to_owned() } else { value.clone() })
            };
            PlannedField::new(name.clone(), shown(&before), shown(&after))
        })
        .collect()
}

/// Whether something secret may stand at a place: what an object holds for others, and the variables of containers.
fn may_be_secret(pointer: &str) -> bool {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_variable = |three: &[&str]| matches!(three, ["env", number, "value"] if is_number(number));
    parts.first().is_some_and(|first| HELD.contains(first)) || parts.windows(3).any(is_variable)
}

/// The values without parts, by the JSON pointers to them.
fn leaves(object: &Value) -> BTreeMap<String, String> {
    fn walk(value: &Value, at: &str, found: &mut BTreeMap<String, String>) {
        if KEPT_BY_CLUSTER.contains(&at) {
            return;
        }
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(member, &format!("{at}/{name}"), found);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(number, item)| walk(item, &format!("{at}/{number}"), found));
            }
            Value::String(text) => {
                found.insert(at.to_owned(), text.clone());
            }
            other => {
                found.insert(at.to_owned(), other.to_string());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(object, "", &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_keeps_is_no_difference_and_what_may_be_secret_is_hidden() {
        let before = json!({"metadata": {"resourceVersion": "1", "labels": {"a/b": "x"}}, "data": {"key": "b2xk"},
            "status": {"ready": 1}, "spec": {"containers": [{"env": [{"name": "PIN", "value": "1"}]}], "value": "1"}});
        let after = json!({"metadata": {"resourceVersion": "2", "labels": {"a/b": "y"}}, "data": {"key": "bmV3"},
            "spec": {"containers": [{"env": [{"name": "CODE", "value": "2"}]}], "value": "2"}});
        let fields = differences(&before, &after);
        let shown: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.after.as_deref())).collect();
        let expected = [
            ("/data/key", Some(HIDDEN)),
            ("/metadata/labels/a~1b", Some("y")),
            ("/spec/containers/0/env/0/name", Some("CODE")),
            ("/spec/containers/0/env/0/value", Some(HIDDEN)),
            ("/spec/value", Some("2")),
        ];
        assert_eq!(shown, expected);
        assert!(differences(&after, &after).is_empty());
    }
}

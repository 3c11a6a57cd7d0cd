//! Devices that speak RESTCONF (RFC 8040): data resources in the JSON of YANG.

use std::sync::Arc;

use domain::view::CheckStep;
use identity::{Secret, vault::Vault};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;
use workflow::{RunError, StandardError};

use super::{
    difference,
    operation::{Change, Method, Operation, digest},
    secrets::{Notation, masked_value},
};
use crate::{
    CallContext, Failure, FailureKind, Repetition, ResolvedConnection,
    connection::Steps,
    http::{
        Http,
        authentication::{basic_header, bearer_header},
        exchange::refused,
        plain::{Answered, Plain, Terms, excerpt},
    },
    tls::TlsSettings,
};

const JSON: &str = "application/yang-data+json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    base_url: Url,
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    #[serde(flatten)]
    tls: TlsSettings,
}

/// A data resource as it is.
struct Resource {
    data: Value,
    etag: Option<String>,
}

/// A device that is being asked.
struct Device<'a> {
    http: &'a Http,
    settings: &'a Settings,
    terms: Terms<'a>,
}

/// Whether a change may be made twice: not where it is only for what was there before it.
pub(super) fn repetition(operation: &Operation) -> Repetition {
    match operation {
        Operation::Change(change) if change.if_match.is_some() => Repetition::Once,
        _ => Repetition::Safe,
    }
}

/// Does what an operation says.
pub(super) async fn call(
    http: &Arc<Http>,
    operation: Operation,
    connection: &ResolvedConnection,
    vault: &Vault,
    idempotent: bool,
    context: &CallContext,
) -> Result<Value, Failure> {
    let settings = connection.settings::<Settings>()?;
    let repeatable = idempotent || repetition(&operation) == Repetition::Safe;
    let device = Device { http, settings: &settings, terms: Terms::of(context, &settings.tls, repeatable) };
    match operation {
        Operation::GetConfig { path, .. } => {
            let found = device.get(required(path.as_deref())?, &[("content", "config")]).await?;
            Ok(output(found, Some(vault)))
        }
        Operation::Read { path, .. } => Ok(output(device.get(required(path.as_deref())?, &[]).await?, None)),
        Operation::Plan(change) => device.plan(&change).await,
        Operation::Change(change) => device.change(&change, context).await,
        Operation::Rollback { path, backup, .. } => {
            device.take_back(required(path.as_deref())?, backup.as_deref()).await
        }
        Operation::Confirm { .. } | Operation::Command { .. } | Operation::Neighbours {} => {
            Err(Failure::configuration(
                "RESTCONF has no commands, and nothing that waits for a confirmation; use a connection of kind netconf or \
                 device to the same device for this",
            ))
        }
    }
}

fn required(path: Option<&str>) -> Result<&str, Failure> {
    path.ok_or_else(|| {
        Failure::configuration("which data resource? write its `path`, such as ietf-interfaces:interfaces")
    })
}

fn output(found: Option<Resource>, vault: Option<&Vault>) -> Value {
    let (data, etag) = found.map_or((Value::Null, None), |found| (found.data, found.etag));
    let shown = masked_value(&data);
    match vault {
        None => json!({"data": shown, "etag": etag}),
        Some(vault) => json!({
            "data": shown, "etag": etag, "config": pretty(&shown), "digest": digest(&pretty(&data)),
            "backup": vault.seal_value(&data.to_string()),
        }),
    }
}

fn pretty(data: &Value) -> String {
    if data.is_null() {
        return String::new();
    }
    serde_json::to_string_pretty(data).unwrap_or_default()
}

impl Device<'_> {
    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Resource>, Failure> {
        let answer = self.ask(reqwest::Method::GET, path, query, None, None).await?;
        match answer.status {
            // A resource without content is there, too.
            204 => return Ok(Some(Resource { data: json!({}), etag: etag(&answer) })),
            _ if is_absent(&answer) => return Ok(None),
            _ => self.accepted("the question", &answer)?,
        }
        let data = serde_json::from_slice(&answer.content).map_err(|_| self.garbled())?;
        Ok(Some(Resource { data, etag: etag(&answer) }))
    }

    /// What is there before, and what will be there after, as far as the answer of the device can be foreseen.
    async fn foreseen(&self, change: &Change) -> Result<(Value, Value), Failure> {
        let path = required(change.path.as_deref())?;
        let before = self.get(path, &[("content", "config")]).await?.map_or(Value::Null, |found| found.data);
        let after = match change.method {
            Method::Delete => Value::Null,
            Method::Put => wanted(change)?.clone(),
            Method::Patch => merged(&before, wanted(change)?),
        };
        Ok((before, after))
    }

    async fn plan(&self, change: &Change) -> Result<Value, Failure> {
        let (before, after) = self.foreseen(change).await?;
        let diff = difference::between(&pretty(&before), &pretty(&after), Notation::Json);
        Ok(json!({"changed": before != after, "diff": diff}))
    }

    async fn change(&self, change: &Change, context: &CallContext) -> Result<Value, Failure> {
        let path = required(change.path.as_deref())?;
        let (method, body) = match change.method {
            Method::Patch => (reqwest::Method::PATCH, Some(wanted(change)?)),
            Method::Put => (reqwest::Method::PUT, Some(wanted(change)?)),
            Method::Delete => (reqwest::Method::DELETE, None),
        };
        let answer = self.ask(method, path, &[], body, change.if_match.as_deref()).await?;
        context.info(format!("{} {path}: status {}", change.method.as_str(), answer.status));
        // What is gone already need not go.
        let gone = change.method == Method::Delete && is_absent(&answer);
        if !gone {
            self.accepted("the change", &answer)?;
        }
        Ok(json!({"changed": !gone, "diff": null, "pending": null, "etag": etag(&answer)}))
    }

    async fn take_back(&self, path: &str, backup: Option<&str>) -> Result<Value, Failure> {
        let backup = backup.ok_or_else(|| {
            Failure::configuration("there is nothing to go back to; give what getConfig gave as `backup`")
        })?;
        let data: Value =
            serde_json::from_str(backup).map_err(|_| Failure::configuration("`backup` is not what getConfig gave"))?;
        let answer = if data.is_null() {
            self.ask(reqwest::Method::DELETE, path, &[], None, None).await?
        } else {
            self.ask(reqwest::Method::PUT, path, &[], Some(&data), None).await?
        };
        if !(data.is_null() && is_absent(&answer)) {
            self.accepted("what was before", &answer)?;
        }
        Ok(json!({"rolledBack": true, "by": "backup"}))
    }

    async fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        if_match: Option<&str>,
    ) -> Result<Answered, Failure> {
        let mut url = self.settings.address(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut plain = self.signed(Plain::new(method, url).header("accept", JSON)?)?;
        if let Some(etag) = if_match {
            plain = plain.header("if-match", etag)?;
        }
        if let Some(body) = body {
            plain = plain.header("content-type", JSON)?.body(body.to_string().into_bytes());
        }
        self.http.ask(plain, &self.terms).await
    }

    fn signed(&self, mut plain: Plain) -> Result<Plain, Failure> {
        let settings = self.settings;
        let value = match (&settings.token, &settings.username, &settings.password) {
            (Some(token), _, _) => bearer_header(token.expose())?,
            (None, Some(username), Some(password)) => basic_header(username, password.expose())?,
            _ => return Ok(plain),
        };
        plain.headers.insert(reqwest::header::AUTHORIZATION, value);
        Ok(plain)
    }

    /// An answer was not what a device answers.
    fn garbled(&self) -> Failure {
        self.terms.unusable(
            "the answer is none of RESTCONF; see whether the connection's address is that of RESTCONF, and no sign-in page",
        )
    }

    fn accepted(&self, what: &str, answer: &Answered) -> Result<(), Failure> {
        if answer.is_success() {
            let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&answer.content).is_ok();
            return if answer.content.is_empty() || is_json() { Ok(()) } else { Err(self.garbled()) };
        }
        let said = self.said(answer);
        let permanent = |kind, remedy: &str| Failure::permanent(RunError::new(kind, format!("{said}; {remedy}")));
        Err(match answer.status {
            401 => permanent(
                StandardError::Authentication,
                "the device does not accept the account: enter its credentials into the connection again",
            ),
            403 => permanent(
                StandardError::Authorization,
                "the device does not let the account do this: give it the right there",
            ),
            412 => Failure::refused(
                412,
                format!("{said}; the resource was changed since it was read (`ifMatch`): read it again"),
            ),
            404 => Failure::refused(
                404,
                format!(
                    "{what}: {said}; see whether the connection's address is that of RESTCONF, and the path is one of the \
                     device's"
                ),
            ),
            status => refused(status, format!("the device refused {what} with status {status}: {said}")),
        })
    }

    /// What the device says for itself.
    fn said(&self, answer: &Answered) -> String {
        let document = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let errors = document.get("ietf-restconf:errors").or_else(|| document.get("errors"));
        let errors = errors.and_then(|errors| errors.get("error")).and_then(Value::as_array);
        let words: Vec<String> = errors
            .into_iter()
            .flatten()
            .map(|error| {
                let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
                format!("{} {} {}", part("error-tag"), part("error-path"), part("error-message"))
            })
            .collect();
        let secrets = [&self.settings.password, &self.settings.token].into_iter().flatten().map(Secret::expose);
        let said = excerpt(&words.join("; "), secrets);
        if said.is_empty() { format!("status {}", answer.status) } else { said }
    }
}

impl Settings {
    /// The address of a data resource, which cannot leave the data.
    fn address(&self, path: &str) -> Result<Url, Failure> {
        let wrong = || {
            Failure::configuration(
                "`path` is not one of a data resource; write it as RESTCONF does: ietf-interfaces:interfaces/interface=ge0",
            )
        };
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let climbs = |part: &&str| {
            let decoded = part.to_ascii_lowercase().replace("%2e", ".");
            part.is_empty() || decoded == "." || decoded == ".."
        };
        if parts.iter().any(climbs) || path.contains(['?', '#', '\\']) || path.chars().any(char::is_control) {
            return Err(wrong());
        }
        let base = self.base_url.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/data/{}", parts.join("/"))).map_err(|_| wrong())
    }
}

/// Whether an answer says, as RESTCONF does, that there is no such data; anything else with this status comes from somewhere
/// that has no data at all.
fn is_absent(answer: &Answered) -> bool {
    answer.status == 404 && says_absent(&answer.content)
}

fn says_absent(content: &[u8]) -> bool {
    let document = serde_json::from_slice::<Value>(content).unwrap_or_default();
    let named = document.get("ietf-restconf:errors");
    let error = named.or_else(|| document.get("errors")).and_then(|errors| errors.get("error"));
    let is_empty = |value: &Value| {
        value.is_null()
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    match error {
        Some(Value::Array(errors)) if !errors.is_empty() => errors.iter().any(|error| {
            matches!(error.get("error-tag").and_then(Value::as_str), Some("data-missing" | "invalid-value"))
        }),
        Some(error) => named.is_some() && is_empty(error),
        None => named.is_some_and(is_empty),
    }
}

fn etag(answer: &Answered) -> Option<String> {
    answer.header("etag").map(str::to_owned)
}

fn wanted(change: &Change) -> Result<&Value, Failure> {
    change.data.as_ref().ok_or_else(|| Failure::configuration("what is it to be? write it into `data`"))
}

/// What a plain patch makes of a resource: members are merged, and entries of lists by their key, which is mostly
/// `name` or `id`.
fn merged(before: &Value, patch: &Value) -> Value {
    match (before, patch) {
        (Value::Object(before), Value::Object(patch)) => {
            let mut after = before.clone();
            for (name, part) in patch {
                let known = after.get(name).cloned().unwrap_or(Value::Null);
                after.insert(name.clone(), merged(&known, part));
            }
            Value::Object(after)
        }
        (Value::Array(before), Value::Array(patch)) => {
            let key = |entry: &Value| entry.get("name").or_else(|| entry.get("id")).cloned();
            let mut after = before.clone();
            for entry in patch {
                if after.contains(entry) {
                    continue;
                }
                match after.iter_mut().find(|known| key(known).is_some() && key(known) == key(entry)) {
                    Some(known) => *known = merged(known, entry),
                    None => after.push(entry.clone()),
                }
            }
            Value::Array(after)
        }
        _ => patch.clone(),
    }
}

/// Goes step by step to the device.
pub(super) async fn check(http: &Arc<Http>, connection: &ResolvedConnection) -> Vec<CheckStep> {
    let settings = match connection.settings::<Settings>() {
        Ok(settings) => settings,
        Err(failure) => return Steps::default().fail("settings", failure.detail()),
    };
    let mut steps = match http.try_way(&settings.base_url, &settings.tls).await {
        Ok(steps) => steps,
        Err(failed) => return failed,
    };
    let device = Device { http, settings: &settings, terms: Terms::of_check(&settings.tls) };
    // What every server has: its library of modules.
    match device.get("ietf-yang-library:modules-state", &[("depth", "1")]).await {
        Ok(_) => {
            steps.pass("sign-in", "the account is accepted");
            steps.pass("right", "data can be read");
            steps.done()
        }
        Err(failure) if failure.error.is(StandardError::Authorization) => {
            steps.pass("sign-in", "the account is accepted");
            steps.fail("right", failure.detail())
        }
        Err(failure) => {
            let step = if failure.kind == FailureKind::Permanent { "sign-in" } else { "connect" };
            steps.fail(step, failure.detail())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base: &str) -> Settings {
        serde_json::from_value(json!({"baseUrl": base})).unwrap()
    }

    #[test]
    fn only_restconf_says_that_data_is_not_there() {
        for (content, absent) in [
            (r#"{"ietf-restconf:errors":{"error":[{"error-tag":"data-missing"}]}}"#, true),
            (r#"{"errors":{"error":[{"error-tag":"invalid-value"}]}}"#, true),
            (r#"{"ietf-restconf:errors":{}}"#, true),
            (r#"{"ietf-restconf:errors":{"error":[]}}"#, true),
            (r#"{"ietf-restconf:errors":{"error":[{"error-tag":"unknown-element"}]}}"#, false),
            (r#"{"errors":{}}"#, false),
            (r#"{"message":"no Route matched"}"#, false),
            ("<html>not found</html>", false),
            ("", false),
        ] {
            assert_eq!(says_absent(content.as_bytes()), absent, "{content}");
        }
    }

    #[test]
    fn paths_stay_inside_the_data() {
        let settings = settings("https://r1.example/restconf/");
        let address = |path: &str| settings.address(path).map(String::from);
        assert_eq!(
            address("ietf-interfaces:interfaces/interface=ge-0%2F0%2F1").unwrap(),
            "https://r1.example/restconf/data/ietf-interfaces:interfaces/interface=ge-0%2F0%2F1"
        );
        for bad in ["", "a//b", "..", "a/../b", "a/%2e%2E/b", "a?x=1", "a#b", "a\\b", "a\nb"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_patch_merges_members_and_entries_by_their_key() {
        let before = json!({"interface": [{"name": "a", "mtu": 1500}, {"name": "b"}], "x": 1});
        let patch = json!({"interface": [{"name": "a", "enabled": true}, {"name": "c"}]});
        let after =
            json!({"interface": [{"name": "a", "mtu": 1500, "enabled": true}, {"name": "b"}, {"name": "c"}], "x": 1});
        assert_eq!(merged(&before, &patch), after);
        assert_eq!(merged(&after, &patch), after);
    }
}

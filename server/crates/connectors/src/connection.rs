//! Connections as connectors see them: settings and secrets together, in memory only.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{ConnectionId, FieldError, Limits, Name, Rate};
use identity::vault::{Vault, VaultError};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use store::Store;
use workflow::{RunError, StandardError};

use crate::{Failure, arguments, registry::from_store};

/// The setting of every kind of connection that limits how many calls go over it at once.
const CALLS_AT_ONCE: &str = "callsAtOnce";
/// And the one that limits how many begin in any minute.
const CALLS_PER_MINUTE: &str = "callsPerMinute";
/// The word in a connection's `namespaces` that lets every namespace use it.
const EVERY_NAMESPACE: &str = "*";

/// A kind of connection that administrators can configure.
#[derive(Clone, Debug)]
pub struct ConnectionKind {
    /// Its name in the database and interfaces.
    pub name: &'static str,
    /// Title for people, in English.
    pub title: &'static str,
    /// What it is for, in one sentence.
    pub summary: &'static str,
    /// The function that works over it.
    pub function: &'static str,
    /// JSON Schema of its settings, strict; properties with `writeOnly: true` are secret.
    pub settings: Value,
}

impl ConnectionKind {
    /// The same kind with the settings that every kind has.
    pub(crate) fn with_limits(mut self) -> Self {
        let limit = |title: &str, most: u32| json!({"type": "integer", "title": title, "minimum": 1, "maximum": most});
        if let Some(schema) = self.settings.as_object_mut()
            && let Value::Object(properties) = schema.entry("properties").or_insert_with(|| json!({}))
        {
            properties.insert(CALLS_AT_ONCE.to_owned(), limit("Calls at once", 10_000));
            properties.insert(CALLS_PER_MINUTE.to_owned(), limit("Calls per minute", 100_000));
        }
        self
    }

    /// The names of the secret settings.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.settings
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, schema)| schema.get("writeOnly") == Some(&Value::Bool(true)))
            .map(|(name, _)| name.as_str())
    }

    /// Checks settings with their secrets and takes the two apart for storage.
    ///
    /// A secret that is absent or empty in `settings` is kept from `stored`, so that a form need not show it again.
    pub fn split(&self, settings: &Value, stored: Option<&Value>) -> Result<SplitSettings, Vec<FieldError>> {
        let mut public = settings.as_object().cloned().unwrap_or_default();
        let mut secret = Map::new();
        for name in self.secrets() {
            let given = public.remove(name).filter(|value| value.as_str() != Some(""));
            if let Some(value) = given.or_else(|| stored.and_then(|stored| stored.get(name)).cloned()) {
                secret.insert(name.to_owned(), value);
            }
        }
        let mut whole = public.clone();
        whole.extend(secret.clone());
        let errors = arguments::check(&self.settings, &Value::Object(whole));
        if errors.is_empty() {
            Ok(SplitSettings {
                settings: Value::Object(public),
                secret: (!secret.is_empty()).then_some(Value::Object(secret)),
            })
        } else {
            Err(errors)
        }
    }
}

/// Settings taken apart for storage. Has no `Debug`: one part is secret.
pub struct SplitSettings {
    /// What may be shown.
    pub settings: Value,
    /// What is to be sealed (as JSON text), for the place [`ResolvedConnection::sealing_context`].
    pub secret: Option<Value>,
}

/// A connection with its secret opened.
pub struct ResolvedConnection {
    /// Id.
    pub id: ConnectionId,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// How many calls go over it at once, and in what time, on all nodes together.
    pub limits: Limits,
    settings: Value,
}

impl ResolvedConnection {
    /// A connection from its parts, for tests and for checks before it is stored.
    #[must_use]
    pub fn new(id: ConnectionId, name: &str, kind: &str, mut settings: Value) -> Self {
        // These are the engine's; no connector knows them.
        let mut limit = |name| {
            let value = settings.as_object_mut().and_then(|settings| settings.remove(name));
            value.and_then(|value| value.as_u64()).and_then(|number| u32::try_from(number).ok())
        };
        let concurrency = limit(CALLS_AT_ONCE);
        let rate = limit(CALLS_PER_MINUTE).map(|count| Rate { count, per: Duration::from_mins(1) });
        Self { id, name: name.to_owned(), kind: kind.to_owned(), limits: Limits { concurrency, rate }, settings }
    }

    /// The place to which a connection's secret is sealed.
    #[must_use]
    pub fn sealing_context(id: ConnectionId) -> String {
        format!("connection:{id}")
    }

    /// Opens the secret of a stored connection.
    pub fn open(row: &store::connections::Connection, vault: &Vault) -> Result<Self, VaultError> {
        let mut settings = serde_json::from_str::<Map<String, Value>>(&row.settings).unwrap_or_default();
        if let Some(sealed) = &row.sealed_secret {
            let secret = vault.unseal(&Self::sealing_context(row.id), sealed)?;
            settings.extend(serde_json::from_str::<Map<String, Value>>(secret.expose()).unwrap_or_default());
        }
        Ok(Self::new(row.id, &row.name, &row.kind, Value::Object(settings)))
    }

    /// All settings, secrets included: for checking against the kind's schema only.
    pub(crate) fn all_settings(&self) -> &Value {
        &self.settings
    }

    /// The settings as the connector's own type.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        // serde's message may quote a value, and the value may be a secret.
        T::deserialize(&self.settings).map_err(|_| {
            Failure::configuration(format!("the settings of the connection “{}” cannot be read", self.name))
        })
    }
}

impl fmt::Debug for ResolvedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedConnection").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Where calls find the connections that they name.
#[async_trait]
pub trait Connections: Send + Sync {
    /// The connection of this name, if it is of one of these kinds and workflows of `namespace` may use it.
    async fn resolve(&self, name: &str, kinds: &[&str], namespace: &Name) -> Result<ResolvedConnection, Failure>;
}

/// The connections that administrators have configured.
pub struct StoredConnections {
    /// Where their rows are.
    pub store: Arc<dyn Store>,
    /// Opens their secrets.
    pub vault: Arc<Vault>,
}

#[async_trait]
impl Connections for StoredConnections {
    async fn resolve(&self, name: &str, kinds: &[&str], namespace: &Name) -> Result<ResolvedConnection, Failure> {
        let mut unit = self.store.snapshot().await.map_err(|error| from_store(&error))?;
        let row = unit.connection_by_name(name).await.map_err(|error| from_store(&error))?;
        let Some(row) = row else {
            return Err(Failure::configuration(missing(name, kinds)));
        };
        if !may_use(&row.namespaces, namespace) {
            return Err(Failure::permanent(RunError::new(
                StandardError::Authorization,
                format!("workflows of the namespace “{namespace}” may not use the connection “{name}”"),
            )));
        }
        if !kinds.contains(&row.kind.as_str()) {
            return Err(Failure::configuration(format!(
                "the connection “{name}” is of kind {}, and {} is needed",
                row.kind,
                kinds.join(" or ")
            )));
        }
        ResolvedConnection::open(&row, &self.vault).map_err(|error| {
            tracing::error!(connection = name, error = &error as &dyn std::error::Error, "a secret cannot be opened");
            Failure::configuration(format!("the secret of the connection “{name}” cannot be opened; enter it again"))
        })
    }
}

fn missing(name: &str, kinds: &[&str]) -> String {
    let remedy = format!("an administrator can add one of kind {}", kinds.join(" or "));
    if kinds.contains(&"smtp") {
        return format!("mail is off: there is no connection “{name}”; {remedy}");
    }
    format!("there is no connection “{name}”; {remedy}")
}

/// The connections of a run without a database: none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoConnections;

#[async_trait]
impl Connections for NoConnections {
    async fn resolve(&self, name: &str, _kinds: &[&str], _namespace: &Name) -> Result<ResolvedConnection, Failure> {
        Err(Failure::configuration(format!(
            "the connection “{name}” is configured in the portal, and this run has only its definition"
        )))
    }
}

/// The steps of a connection test so far. The first that fails is the last.
#[cfg(any(
    feature = "directory",
    feature = "dns",
    feature = "http",
    feature = "imap",
    feature = "messaging",
    feature = "smtp",
    feature = "sql",
    feature = "ssh"
))]
#[derive(Default)]
pub(crate) struct Steps(Vec<domain::view::CheckStep>);

#[cfg(any(
    feature = "directory",
    feature = "dns",
    feature = "http",
    feature = "imap",
    feature = "messaging",
    feature = "smtp",
    feature = "sql",
    feature = "ssh"
))]
impl Steps {
    /// A step that worked.
    pub(crate) fn pass(&mut self, step: &str, detail: &str) {
        self.0.push(domain::view::CheckStep { step: step.to_owned(), ok: true, detail: detail.to_owned() });
    }

    /// With these after them.
    #[cfg(feature = "ssh")]
    pub(crate) fn append(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The step that failed, and the end.
    pub(crate) fn fail(mut self, step: &str, detail: &str) -> Vec<domain::view::CheckStep> {
        self.push_failure(step, detail);
        self.0
    }

    /// All steps.
    pub(crate) fn done(self) -> Vec<domain::view::CheckStep> {
        self.0
    }

    /// The steps `name` and `connect`; none when one of them failed.
    pub(crate) async fn dial(
        &mut self,
        policy: &crate::egress::EgressPolicy,
        host: &str,
        port: u16,
    ) -> Option<tokio::net::TcpStream> {
        use crate::egress::Route;

        let route = match policy.route(host, port).await {
            Ok(route) => route,
            Err(error) => {
                self.push_failure(error.step(), &error.with_remedy());
                return None;
            }
        };
        let found = match &route {
            Route::Straight(addresses) => {
                let listed: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
                format!("{host} is {}", listed.join(", "))
            }
            Route::Through(proxy) => format!("{host} is reached through the proxy {proxy}"),
        };
        self.pass("name", &found);
        match policy.take(&route, host, port).await {
            Ok(stream) => {
                self.pass("connect", &format!("port {port} answers"));
                Some(stream)
            }
            Err(error) => {
                self.push_failure(error.step(), &error.with_remedy());
                None
            }
        }
    }

    fn push_failure(&mut self, step: &str, detail: &str) {
        self.0.push(domain::view::CheckStep { step: step.to_owned(), ok: false, detail: detail.to_owned() });
    }
}

/// Whether workflows of `namespace` may use a connection whose row has `namespaces` (a JSON array). What cannot be read
/// lets nobody in.
#[must_use]
pub fn may_use(namespaces: &str, namespace: &Name) -> bool {
    serde_json::from_str::<Vec<String>>(namespaces)
        .is_ok_and(|names| names.iter().any(|name| name == EVERY_NAMESPACE || name == namespace.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> ConnectionKind {
        ConnectionKind {
            name: "example",
            title: "Example",
            summary: "",
            function: "example",
            settings: json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["host", "password"],
                "properties": {
                    "host": {"type": "string", "minLength": 1},
                    "password": {"type": "string", "minLength": 4, "writeOnly": true}
                }
            }),
        }
    }

    #[test]
    fn secrets_are_taken_apart_from_settings() {
        let split = kind().split(&json!({"host": "a", "password": "geheim"}), None).ok().unwrap();
        assert_eq!(split.settings, json!({"host": "a"}));
        assert_eq!(split.secret, Some(json!({"password": "geheim"})));
    }

    #[test]
    fn limits_are_taken_out_of_the_settings() {
        let kind = kind().with_limits();
        let settings = json!({"host": "a", "password": "geheim", "callsAtOnce": 3, "callsPerMinute": 60});
        let split = kind.split(&settings, None).ok().unwrap();
        assert_eq!(split.settings, json!({"host": "a", "callsAtOnce": 3, "callsPerMinute": 60}));
        assert!(kind.split(&json!({"host": "a", "password": "geheim", "callsAtOnce": 0}), None).is_err());
        let id = ConnectionId::from_uuid(uuid::Uuid::nil());
        let connection = ResolvedConnection::new(id, "one", "example", split.settings);
        assert_eq!(connection.all_settings(), &json!({"host": "a"}));
        let rate = Rate { count: 60, per: Duration::from_mins(1) };
        assert_eq!(connection.limits, Limits { concurrency: Some(3), rate: Some(rate) });
    }

    #[test]
    fn an_empty_secret_keeps_the_stored_one() {
        let stored = json!({"password": "geheim"});
        for given in [json!({"host": "b"}), json!({"host": "b", "password": ""})] {
            let split = kind().split(&given, Some(&stored)).ok().unwrap();
            assert_eq!(split.secret, Some(stored.clone()));
        }
    }

    #[test]
    fn wrong_settings_are_named_without_their_values() {
        let errors = kind().split(&json!({"host": "", "password": "abc", "extra": 1}), None).err().unwrap();
        let text = format!("{errors:?}");
        assert_eq!(errors.len(), 3, "{text}");
        assert!(!text.contains("abc"), "{text}");
        assert!(errors.iter().any(|error| error.pointer == "/password" && error.rule == "minLength"));
    }

    #[test]
    fn namespaces_are_let_in_by_name_or_star_only() {
        let identity: Name = "identity".parse().unwrap();
        assert!(may_use(r#"["*"]"#, &identity));
        assert!(may_use(r#"["incident","identity"]"#, &identity));
        assert!(!may_use(r#"["incident"]"#, &identity));
        assert!(!may_use("[]", &identity));
        assert!(!may_use("nonsense", &identity));
    }
}

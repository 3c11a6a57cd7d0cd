//! Secrets of `use.secrets`: how they are kept, and how they are opened for the one call that is being built.

use std::collections::BTreeMap;

use domain::Name;
use identity::vault::{Vault, VaultError};
use serde_json::Value;
use store::UnitOfWork;
use tracing::warn;
use workflow::{CallId, Definition, RunError, SecretSource, StandardError};

use crate::actor::Actor;

/// Opened secrets by name. Neither printed nor serialized.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Value>);

impl Secrets {
    /// These secrets.
    #[must_use]
    pub fn new(secrets: BTreeMap<String, Value>) -> Self {
        Self(secrets)
    }

    /// The values, to be masked wherever they could leave.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.0.values()
    }

    /// Opens those of these names that the namespace has.
    pub(crate) async fn open(
        unit: &mut dyn UnitOfWork,
        vault: &Vault,
        namespace: &Name,
        names: &[&str],
    ) -> store::Result<Result<Self, VaultError>> {
        let mut secrets = unit.secrets_of(namespace).await?;
        secrets.retain(|secret| names.contains(&secret.name.as_str()));
        let open = |secret: store::secrets::SealedSecret| {
            let text = vault.unseal(&place(namespace, &secret.name), &secret.sealed_value)?;
            let value = serde_json::from_str(text.expose()).map_err(|_| VaultError::Unreadable)?;
            Ok((secret.name, value))
        };
        Ok(secrets.into_iter().map(open).collect::<Result<_, _>>().map(Self))
    }

    /// The same, in a form that may be stored: each text is sealed, and opened where a connector or process gets it.
    pub(crate) fn sealed(mut self, vault: &Vault) -> Self {
        self.0.values_mut().for_each(|value| seal_texts(vault, value));
        self
    }
}

fn seal_texts(vault: &Vault, value: &mut Value) {
    match value {
        Value::String(text) => *text = vault.seal_value(text),
        Value::Array(items) => items.iter_mut().for_each(|item| seal_texts(vault, item)),
        Value::Object(members) => members.values_mut().for_each(|member| seal_texts(vault, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl SecretSource for Secrets {
    fn secret(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

/// Opens the secrets that a call of a run reads; none where it reads none.
pub(crate) async fn of_call(
    unit: &mut dyn UnitOfWork,
    actor: &Actor,
    call: &CallId,
) -> store::Result<Result<Secrets, RunError>> {
    let names = workflow::secrets_of_call(&actor.definition, &actor.state, call);
    if names.is_empty() {
        return Ok(Ok(Secrets::default()));
    }
    let opened = Secrets::open(unit, &actor.node.parts.vault, &actor.run.workflow.namespace, &names).await?;
    Ok(opened.map_err(|error| {
        warn!(error = &error as &dyn std::error::Error, "a secret cannot be opened");
        RunError::new(StandardError::Runtime, "a secret cannot be opened")
    }))
}

/// The value that a text stands for: an object, if the text is one in JSON, so that it can hold the parts of an
/// authentication; else the text itself.
#[must_use]
pub fn value_of(text: &str) -> Value {
    let object = serde_json::from_str(text).ok().filter(Value::is_object);
    object.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Seals a value for its place; moved to another namespace or name it does not open.
#[must_use]
pub fn seal(vault: &Vault, namespace: &Name, name: &str, value: &Value) -> String {
    vault.seal(&place(namespace, name), &value.to_string())
}

fn place(namespace: &Name, name: &str) -> String {
    format!("secret:{namespace}/{name}")
}

/// The first secret that a definition lists and its namespace does not have.
///
/// # Errors
/// The database cannot be read.
pub async fn missing(
    unit: &mut dyn UnitOfWork,
    namespace: &Name,
    definition: &Definition,
) -> store::Result<Option<String>> {
    if definition.secrets().next().is_none() {
        return Ok(None);
    }
    let known = unit.secrets_of(namespace).await?;
    let missing = definition.secrets().find(|name| known.iter().all(|secret| secret.name != **name));
    Ok(missing.map(str::to_owned))
}

/// Why a workflow is not launched that lists such a secret, for people.
pub(crate) fn not_there(namespace: &Name, name: &str) -> String {
    format!(
        "the workflow lists the secret “{name}” under `use.secrets`, and the namespace {namespace} has none of this name; \
         an administrator of the namespace can add it"
    )
}

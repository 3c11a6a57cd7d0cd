//! Secrets of namespaces: what their workflows name under `use.secrets`. A value goes in and never comes out again.

use domain::{ErrorCode, FieldError, Name, Operation, Problem, view::SecretView};
use identity::vault::contains_sealed;
use policy::Resource;
use serde_json::{Value, json};
use store::secrets::SealedSecret;

use crate::{
    Caller, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    views::People,
};

/// The longest name, in characters.
const NAME_LIMIT: usize = 128;
/// The largest value, in bytes of JSON.
const VALUE_LIMIT: usize = 64 * 1024;

fn target(namespace: &Name, name: &str) -> Target {
    let place = format!("{namespace}/{name}");
    Target::new("secret", &place, place.clone()).within(namespace)
}

fn check_name(name: &str) -> Vec<FieldError> {
    let wrong = |rule: &str, expected: Value, message: &str| vec![field("/name", rule, expected, message)];
    if name.is_empty() {
        return wrong("minLength", 1.into(), "it is empty");
    }
    if name.chars().count() > NAME_LIMIT {
        return wrong("maxLength", NAME_LIMIT.into(), "a secret's name has at most 128 characters");
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return wrong("pattern", Value::Null, "a secret's name has no space around it and no control characters");
    }
    Vec::new()
}

/// A value is text, or an object of texts. Of anything else nobody could tell, where it comes back, that it is the secret.
fn check_value(value: &Value, pointer: &str) -> Vec<FieldError> {
    match value {
        Value::String(text) if text.is_empty() => vec![field(pointer, "minLength", 1.into(), "it is empty")],
        Value::String(_) => Vec::new(),
        Value::Object(members) if members.is_empty() => vec![field(pointer, "minLength", 1.into(), "it is empty")],
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| check_value(member, &format!("{pointer}/{}", escape(name))))
            .collect(),
        _ => {
            let message = "a secret is text or an object of texts; write numbers as text, too";
            vec![field(pointer, "type", "string".into(), message)]
        }
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Service {
    /// The secrets of the namespaces that the caller administers, by namespace and name. Never their values.
    pub async fn secrets(&self, caller: &Caller) -> Result<Vec<SecretView>, Problem> {
        let mut gate = self.look(caller, Operation::SecretList).await?;
        gate.authorize(&Resource::system(), &Target::new("secrets", "", "")).await?;
        let mut secrets = gate.unit.list_secrets().await.or_problem()?;
        secrets.retain(|secret| gate.shows(&Resource::secret(&secret.namespace, &secret.name)));
        let people = secrets.iter().flat_map(|secret| [secret.created_by, secret.updated_by]);
        let people = People::load(gate.unit.as_mut(), people).await.or_problem()?;
        Ok(secrets.into_iter().map(|secret| view(secret, &people)).collect())
    }

    /// Gives a namespace a secret, or the one of this name a new value.
    pub async fn put_secret(
        &self,
        caller: &Caller,
        namespace: Name,
        name: &str,
        value: &Value,
    ) -> Result<SecretView, Problem> {
        let mut gate = self.enter(caller, Operation::SecretUpdate).await?;
        let target = target(&namespace, name);
        gate.authorize(&Resource::secret(&namespace, name), &target).await?;
        let mut errors = check_name(name);
        errors.extend(check_value(value, "/value"));
        all_right(errors)?;
        if value.to_string().len() > VALUE_LIMIT {
            return Err(Problem::new(ErrorCode::TooLarge).with_detail("a secret has at most 64 KiB"));
        }
        // Sealed values are opened when a call is built; one that a person copied from elsewhere must not be.
        if contains_sealed(value) {
            return Err(
                Problem::new(ErrorCode::BadRequest).with_detail("the value holds a sealed value of Rondo's own")
            );
        }
        let known = gate.unit.secrets_of(&namespace).await.or_problem()?.into_iter().find(|known| known.name == name);
        let secret = SealedSecret {
            sealed_value: engine::secrets::seal(&self.parts.vault, &namespace, name, value),
            name: name.to_owned(),
            created_by: known.as_ref().map_or(caller.user, |known| known.created_by),
            created_at: known.as_ref().map_or(gate.now, |known| known.created_at),
            updated_by: caller.user,
            updated_at: gate.now,
            namespace,
        };
        gate.unit.put_secret(&secret).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [secret.created_by, secret.updated_by]).await.or_problem()?;
        let detail = json!({"before": known.as_ref().map(facts), "after": facts(&secret)});
        gate.finish(&target, detail).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(view(secret, &people))
    }

    /// Deletes a secret. Calls that need it fail from then on, those of runs under way included.
    pub async fn delete_secret(&self, caller: &Caller, namespace: &Name, name: &str) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::SecretDelete).await?;
        let target = target(namespace, name);
        gate.authorize(&Resource::secret(namespace, name), &target).await?;
        let known = gate.unit.secrets_of(namespace).await.or_problem()?.into_iter().find(|known| known.name == name);
        let known = known.ok_or_else(not_found)?;
        gate.unit.delete_secret(namespace, name).await.or_problem()?;
        gate.finish(&target, json!({"before": facts(&known), "after": null})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(())
    }
}

/// What the audit log keeps of a secret: that there is one, and since when. Not even what it looks like sealed.
fn facts(secret: &SealedSecret) -> Value {
    json!({"stored": true, "since": secret.updated_at})
}

fn view(secret: SealedSecret, people: &People) -> SecretView {
    SecretView {
        created_by: people.get(secret.created_by),
        updated_by: people.get(secret.updated_by),
        namespace: secret.namespace,
        name: secret.name,
        created_at: secret.created_at,
        updated_at: secret.updated_at,
    }
}

//! Enters what workflows change in the built-in directory in the audit log, in the transaction of the change.

use async_trait::async_trait;
use audit::{Actor, Door, Entry, Outcome, ResourceRef};
use connectors::directory::{ChangeRecorder, DirectoryChange};
use serde_json::json;
use store::UnitOfWork;

/// Writes every change down.
pub(crate) struct AuditedChanges;

#[async_trait]
impl ChangeRecorder for AuditedChanges {
    async fn record(&self, unit: &mut dyn UnitOfWork, change: &DirectoryChange) -> store::Result<()> {
        let resource = ResourceRef {
            kind: if change.user.is_some() { "user" } else { "team" }.to_owned(),
            id: change.user.map(|user| user.to_string()).unwrap_or_default(),
            name: change.subject.clone(),
            persons: Vec::new(),
        };
        let entry = Entry {
            at: change.at,
            actor: Actor::system(),
            door: Door::Engine,
            session: None,
            token: None,
            address: None,
            trace_id: change.run.to_string(),
            action: format!("directory.{}", in_hyphens(change.operation)),
            resource,
            namespace: None,
            outcome: Outcome::Done,
            policies: Vec::new(),
            policy_set: None,
            detail: json!({"run": change.run, "task": change.reference}),
            named: Vec::new(),
        };
        audit::append(unit, &entry).await?;
        Ok(())
    }
}

/// `createUser` as actions are written: `create-user`.
fn in_hyphens(operation: &str) -> String {
    let mut text = String::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::in_hyphens;

    #[test]
    fn operations_are_written_like_other_actions() {
        assert_eq!(in_hyphens("createUser"), "create-user");
        assert_eq!(in_hyphens("disable"), "disable");
    }
}

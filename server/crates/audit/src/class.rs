//! What entries are kept for.

use domain::AuditClass;

use crate::Outcome;

/// The action of the entry that says which entries were archived, and where they are.
pub const ARCHIVE: &str = "audit.archive";

/// Actions by what they are about, the part before the point, or as a whole.
const CLASSES: &[(AuditClass, &[&str])] = &[
    (AuditClass::Reading, &["audit.read", "audit.export", "control.read"]),
    (AuditClass::Access, &["session"]),
    (AuditClass::Decision, &["approval", "access-review", "delegation", "emergency"]),
];

/// The class of an entry with this action and outcome. None: it is kept for ever, whatever is configured.
///
/// Only what says where archived entries are has none: without it, nobody could tell whether they were archived or taken away.
#[must_use]
pub fn class_of(action: &str, outcome: &str) -> Option<AuditClass> {
    if action == ARCHIVE {
        return None;
    }
    if outcome == Outcome::Refused.as_str() {
        return Some(AuditClass::Access);
    }
    let subject = action.split_once('.').map_or(action, |(subject, _)| subject);
    let found = CLASSES.iter().find(|(_, names)| names.contains(&action) || names.contains(&subject));
    Some(found.map_or(AuditClass::Change, |(class, _)| *class))
}

#[cfg(test)]
mod tests {
    use domain::{Operation, OperationKind};

    use super::*;

    #[test]
    fn entries_are_classed_by_what_they_are_about() {
        for (class, actions) in [
            (AuditClass::Reading, &["audit.read", "audit.export", "control.read"][..]),
            (AuditClass::Access, &["session.create", "session.end", "session.revoke", "session.confirm"]),
            (
                AuditClass::Decision,
                &["approval.decide", "access-review.close", "delegation.create", "emergency.ask", "emergency.review"],
            ),
            (
                AuditClass::Change,
                &["run.launch", "task.execute", "user.create", "audit-hold.place", "audit.subscribe", "sessions", ""],
            ),
        ] {
            for action in actions {
                for outcome in ["done", "failed"] {
                    assert_eq!(class_of(action, outcome), Some(class), "{action} {outcome}");
                }
                assert_eq!(class_of(action, "refused"), Some(AuditClass::Access), "{action}");
            }
        }
    }

    #[test]
    fn what_says_where_entries_are_is_kept_for_ever() {
        for outcome in Outcome::ALL {
            assert_eq!(class_of(ARCHIVE, outcome.as_str()), None);
        }
    }

    #[test]
    fn the_table_of_the_documents_names_every_class_and_what_is_in_it() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/ledger.md");
        let page = std::fs::read_to_string(path).unwrap();
        for (class, names) in CLASSES {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{class}`"))).unwrap();
            for operation in Operation::ALL.iter().filter(|one| one.kind() == OperationKind::Change) {
                let is_in = class_of(operation.as_str(), "done") == Some(*class);
                let subject = operation.as_str().split('.').next().unwrap();
                let is_said = line.contains(&format!("`{subject}.*`")) || line.contains(&format!("`{operation}`"));
                assert_eq!(is_in, is_said, "{operation} in {line}");
            }
            assert!(!names.is_empty());
        }
    }
}

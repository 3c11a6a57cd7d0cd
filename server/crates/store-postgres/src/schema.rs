//! The migrations.

use crate::migrations::Migration;

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        Migration {
            number: $number,
            name: $name,
            text: include_str!(concat!("../../../../migrations/postgres/", $file)),
        }
    };
}

/// All of them, in order.
pub(crate) const ALL: &[Migration] = &[
    migration!(1, "identity", "0001_identity.sql"),
    migration!(2, "workflows_and_runs", "0002_workflows_and_runs.sql"),
    migration!(3, "requests_and_approvals", "0003_requests_and_approvals.sql"),
    migration!(4, "messages_and_connections", "0004_messages_and_connections.sql"),
    migration!(5, "audit", "0005_audit.sql"),
    migration!(6, "task_logs", "0006_task_logs.sql"),
    migration!(7, "events", "0007_events.sql"),
    migration!(8, "audit_queue", "0008_audit_queue.sql"),
    migration!(9, "process_permissions", "0009_process_permissions.sql"),
    migration!(10, "schedules", "0010_schedules.sql"),
    migration!(11, "open_inboxes", "0011_open_inboxes.sql"),
    migration!(12, "secrets_and_resources", "0012_secrets_and_resources.sql"),
    migration!(13, "limits", "0013_limits.sql"),
    migration!(14, "refused_launches", "0014_refused_launches.sql"),
    migration!(15, "life_of_definitions", "0015_life_of_definitions.sql"),
    migration!(16, "few_listeners", "0016_few_listeners.sql"),
    migration!(17, "stages_of_approvals", "0017_stages_of_approvals.sql"),
    migration!(18, "policies_of_administrators", "0018_policies_of_administrators.sql"),
    migration!(19, "access_reviews", "0019_access_reviews.sql"),
    migration!(20, "delegations", "0020_delegations.sql"),
    migration!(21, "emergencies", "0021_emergencies.sql"),
    migration!(22, "calendars", "0022_calendars.sql"),
    migration!(23, "changes_of_runs", "0023_changes_of_runs.sql"),
    migration!(24, "repositories", "0024_repositories.sql"),
    migration!(25, "ledger", "0025_ledger.sql"),
    migration!(26, "audit_search", "0026_audit_search.sql"),
    migration!(27, "questions", "0027_questions.sql"),
    migration!(28, "receivers", "0028_receivers.sql"),
    migration!(29, "value", "0029_value.sql"),
    migration!(30, "controls", "0030_controls.sql"),
    migration!(31, "witnesses", "0031_witnesses.sql"),
    migration!(32, "audit_runs", "0032_audit_runs.sql"),
    migration!(33, "personal_data", "0033_personal_data.sql"),
    migration!(34, "retention", "0034_retention.sql"),
    migration!(35, "connection_checks", "0035_connection_checks.sql"),
    migration!(36, "runners", "0036_runners.sql"),
    migration!(37, "triggers", "0037_triggers.sql"),
    migration!(38, "watches", "0038_watches.sql"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Shipped migrations never change: their checksums are kept beside them, and this test is the lock.
    #[test]
    fn shipped_migrations_are_unaltered_and_complete() {
        let ours: Vec<_> =
            ALL.iter().map(|m| format!("{}  postgres/{:04}_{}.sql", m.checksum(), m.number, m.name)).collect();
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../migrations"));
        let kept = std::fs::read_to_string(root.join("checksums")).unwrap();
        let kept: Vec<_> = kept.lines().filter(|line| line.contains("  postgres/")).collect();
        assert_eq!(ours, kept, "a shipped migration was altered, or a new one is not in migrations/checksums");
        let files = std::fs::read_dir(root.join("postgres")).unwrap().count();
        assert_eq!(files, ours.len(), "a file in migrations/postgres is not in schema.rs");
    }
}

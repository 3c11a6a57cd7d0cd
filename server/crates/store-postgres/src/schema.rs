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
];

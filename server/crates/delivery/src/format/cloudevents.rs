//! `CloudEvents` 1.0. The log and the place of an entry are `source` and `id`: together they are the same whenever it is sent.

use serde_json::{Map, Value, json};
use store::audit::{AuditCheckpoint, AuditRow};

pub(super) fn entry(log: &str, row: &AuditRow) -> Value {
    let mut data =
        Map::from_iter([("body".to_owned(), super::body(row)), ("hash".to_owned(), super::hash(row).into())]);
    data.extend(super::personal(row).map(|personal| ("personal".to_owned(), personal)));
    json!({
        "specversion": "1.0",
        "id": row.seq.to_string(),
        "source": log,
        "type": format!("rondo.audit.{}", row.action),
        "subject": format!("{}/{}", row.resource_kind, row.resource_id),
        "time": row.at,
        "datacontenttype": "application/json",
        "data": data,
    })
}

pub(super) fn checkpoint(log: &str, checkpoint: &AuditCheckpoint) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("checkpoint-{}", checkpoint.size),
        "source": log,
        "type": "rondo.audit-checkpoint",
        "time": checkpoint.at,
        "datacontenttype": "application/json",
        "data": {"checkpoint": checkpoint.note},
    })
}

//! How long entries of the audit log are kept, and where they are then.

use serde::{Deserialize, Serialize};

use super::Person;
use crate::{AuditClass, HoldId, Timestamp};

/// How long entries of the audit log are kept in the database, and how it goes with archiving them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditRetentionView {
    /// All classes.
    pub classes: Vec<AuditClassView>,
    /// The folder that segments are written to.
    pub folder: String,
    /// When what had to be archived was archived for the last time.
    #[serde(default)]
    pub succeeded_at: Option<Timestamp>,
    /// Since when it cannot be; absent while it can.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// Why not.
    #[serde(default)]
    pub failure: Option<String>,
}

/// How long entries of one class are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditClassView {
    /// The class.
    pub class: AuditClass,
    /// For how long, as an ISO 8601 duration; absent: for ever.
    #[serde(default)]
    pub keep: Option<String>,
    /// How many entries are older than that and not archived: they are held, a receiver does not have them, or they are next.
    pub waiting: u64,
}

/// What a legal hold covers: everything that is said here together; without any of it, the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HoldCovers {
    /// Entries of this namespace.
    pub namespace: Option<String>,
    /// Entries by, or on, the person with this sign-in name.
    pub person: Option<String>,
    /// Entries on a resource of this kind; with `resourceId`. Of a `run`, all that belongs to it.
    pub resource_kind: Option<String>,
    /// Entries on the resource with this id or name.
    pub resource_id: Option<String>,
    /// Entries not before this time.
    pub from: Option<Timestamp>,
    /// Entries before this time.
    pub to: Option<Timestamp>,
}

/// A legal hold: entries that are not archived while it is in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditHoldView {
    /// Its id.
    pub id: HoldId,
    /// Its name.
    pub name: String,
    /// Why the entries are held.
    pub reason: String,
    /// Which they are.
    pub covers: HoldCovers,
    /// Who placed it.
    pub placed_by: Person,
    /// When.
    pub placed_at: Timestamp,
    /// Who released it; absent while it is in force.
    #[serde(default)]
    pub released_by: Option<Person>,
    /// When.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
    /// Why.
    #[serde(default)]
    pub release_reason: Option<String>,
}

/// A file that entries of the audit log were archived in. `rondo audit verify` checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditSegmentView {
    /// Its name, which is that of the file.
    pub name: String,
    /// The class of its entries.
    pub class: AuditClass,
    /// The place of its first entry.
    pub first: u64,
    /// The place of its last entry.
    pub last: u64,
    /// How many entries it has.
    pub entries: u64,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// When its entries were archived.
    pub archived_at: Timestamp,
}

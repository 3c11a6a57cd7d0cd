use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    /// Its place in the log, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a sign-in name, or `system`.
    pub actor: String,
    /// The actor's name for people.
    #[serde(default)]
    pub actor_name: String,
    /// Through which door: `portal`, `rest`, `cli`, `engine`.
    pub door: String,
    /// From which address, where there is one.
    #[serde(default)]
    pub address: Option<String>,
    /// The operation or event (`approval.decide`).
    pub action: String,
    /// Kind of the resource (`run`, `user` …).
    #[serde(default)]
    pub resource_kind: String,
    /// The resource's id.
    #[serde(default)]
    pub resource_id: String,
    /// The resource's name for people (`R-1042`).
    #[serde(default)]
    pub resource_name: String,
    /// The resource's namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// The policies that determined it.
    #[serde(default)]
    pub policies: Vec<String>,
    /// The digest of the set of policies that was asked; absent where no policy was.
    #[serde(default)]
    pub policy_set: Option<String>,
    /// What else there is to know, before and after included.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub detail: Value,
    /// Hex hash that links it to all before it.
    pub hash: String,
}

/// What an audit list is narrowed to. All given conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AuditFilter {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// The actor's sign-in name.
    pub actor: Option<String>,
    /// The action, or its first part (`run` matches `run.cancel`).
    pub action: Option<String>,
    /// Kind of resource.
    pub resource_kind: Option<String>,
    /// The resource's id or name.
    pub resource: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The outcome.
    pub outcome: Option<String>,
}

/// The verdict of a verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct VerificationView {
    /// Whether every entry is unaltered and in its place.
    pub sound: bool,
    /// How many entries were read.
    pub entries: u64,
    /// Where it breaks first, and how.
    #[serde(default)]
    pub fault: Option<String>,
}

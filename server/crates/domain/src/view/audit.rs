use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Person;
use crate::{Risk, Timestamp};

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
    /// The id of the session or API token that was used, where there is one.
    #[serde(default)]
    pub credential: Option<String>,
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
    /// The id of the run that it belongs to, where it says so.
    #[serde(default)]
    pub run: Option<String>,
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
    /// Where something named a person that was erased: JSON pointers in the entry (`/actor/login`).
    #[serde(default)]
    pub erased: Vec<String>,
    /// Its hash in the tree over all entries, in hex.
    pub hash: String,
    /// The segment that the entry was archived in; everything else but its place, time and hash is there alone.
    #[serde(default)]
    pub archived: Option<String>,
}

/// What an audit list is narrowed to. All given conditions hold at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AuditFilter {
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// The actor's sign-in name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The action, or its first part (`run` matches `run.cancel`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Kind of resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_kind: Option<String>,
    /// The resource's id or name; `R-1042` finds what belongs to that run as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The id or number (`R-1042`) of a run, to which it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The risk of the workflow to whose run it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// A policy that determined it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The network address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The id of the session or API token that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// A control that the entry is about: its run, decision or definition names it.
    pub control: Option<String>,
    /// The name of a team whose member the actor is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Words, or beginnings of words, that all occur in the entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Not after this place in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<i64>,
}

impl AuditFilter {
    /// Whether entries have to be in the search index to be found by it.
    #[must_use]
    pub fn needs_index(&self) -> bool {
        let texts = [&self.policy, &self.address, &self.credential, &self.text];
        texts.into_iter().any(Option::is_some) || self.risk.is_some() || self.story().is_some()
    }

    /// Whether it asks only for when entries were written, which those that were archived tell as well.
    #[must_use]
    pub fn is_of_time_alone(&self) -> bool {
        *self == Self { from: self.from, to: self.to, last: self.last, ..Self::default() }
    }

    /// The run whose whole story is asked for: its id or number.
    #[must_use]
    pub fn story(&self) -> Option<&str> {
        self.run.as_deref().or_else(|| self.resource.as_deref().filter(|resource| is_number_of_run(resource)))
    }

    /// The resource that is asked for by itself.
    #[must_use]
    pub fn object(&self) -> Option<&str> {
        self.resource.as_deref().filter(|resource| self.run.is_some() || !is_number_of_run(resource))
    }
}

/// Whether this is how people call a run: `R-1042`.
#[must_use]
pub fn is_number_of_run(text: &str) -> bool {
    text.strip_prefix("R-")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// A search of the audit log that somebody has named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditViewView {
    /// Its name.
    pub name: String,
    /// The query of its address in the portal, without `?`.
    pub query: String,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// Whether everybody sees it who may read the log.
    #[serde(default)]
    pub shared: bool,
    /// Who shares it, and alone can change it; absent where that is whoever asks.
    #[serde(default)]
    pub owner: Option<Person>,
}

/// Entries that were drawn at random, so that whoever draws with the same seed draws the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditSampleView {
    /// What it was drawn with.
    pub seed: String,
    /// From the entries up to this place.
    pub last: i64,
    /// How many of them the filter lets through.
    pub population: u64,
    /// Whether entries of the time that the filter lets through were archived, so that they are not among them.
    #[serde(default)]
    pub archived: bool,
    /// The drawn entries, in the order in which they were drawn.
    pub items: Vec<AuditEntryView>,
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
    /// How many of them were archived, so that only their hashes are here.
    #[serde(default)]
    pub archived: u64,
    /// Where it breaks first, and how.
    #[serde(default)]
    pub fault: Option<String>,
}

/// A system that the audit log is sent to, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditReceiverView {
    /// Its name in the configuration of the server.
    pub name: String,
    /// `file`, `syslog`, `http`, `s3` or `mail`.
    pub kind: String,
    /// Where it is; nothing secret.
    pub address: String,
    /// The form in which it gets entries and checkpoints: `rondo`, `cloudevents` or `ocsf`.
    pub format: String,
    /// Whether it gets the entries.
    pub sends_entries: bool,
    /// Whether it gets the checkpoints.
    pub sends_checkpoints: bool,
    /// It has the entries up to this one; absent if it gets none.
    pub entries: Option<u64>,
    /// It has the checkpoints up to the one over so many entries; absent if it has none.
    pub checkpoint: Option<u64>,
    /// Entries that it does not have yet; of a receiver of checkpoints alone, entries that are signed and not covered by
    /// a checkpoint that it has.
    pub lag: u64,
    /// For how long the oldest of what it does not have has waited, in seconds.
    pub lag_seconds: u64,
    /// When it took something for the last time.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it takes nothing; absent while it does.
    pub failing_since: Option<Timestamp>,
    /// What went wrong for the last time since then.
    pub failure: Option<String>,
}

/// Somebody who cosigns the checkpoints of the audit log, and how far they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditWitnessView {
    /// Its name in the configuration of the server.
    pub name: String,
    /// Where it is; nothing secret.
    pub address: String,
    /// The key that tells its cosignatures.
    pub key: String,
    /// It has cosigned the checkpoint over so many entries; absent if none.
    pub size: Option<u64>,
    /// Entries that are signed and not covered by a checkpoint that it has cosigned.
    pub lag: u64,
    /// For how long the oldest checkpoint that it has not cosigned has waited, in seconds.
    pub lag_seconds: u64,
    /// When it cosigned for the last time.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it cosigns nothing; absent while it does.
    pub failing_since: Option<Timestamp>,
    /// What went wrong for the last time since then.
    pub failure: Option<String>,
    /// Since when it says that the log has not grown from what it has cosigned: an alarm. Absent while it does not.
    pub refused_at: Option<Timestamp>,
}

/// The audit log as it was signed last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckpointView {
    /// The name of the log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root of the tree over them, in hex.
    pub root: String,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note (C2SP tlog-checkpoint). Kept elsewhere, it shows later whether the log has grown from it.
    pub checkpoint: String,
    /// The first key of the log, which tells its signatures.
    pub key: String,
    /// Signed notes that introduce the keys after the first.
    pub introductions: Vec<String>,
}

/// The proof that one entry is in the audit log. `rondo audit verify` checks it without a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditProofView {
    /// `rondo-audit-proof`.
    pub format: String,
    /// The version of the format.
    pub v: i64,
    /// The first key of the log.
    pub key: String,
    /// Signed notes that introduce the keys after the first.
    pub introductions: Vec<String>,
    /// The entry.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: Value,
    /// What names people in it, by JSON pointers, each with the key of the digest that stands for it in the body; without
    /// what was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub personal: Option<Value>,
    /// Its hash, in hex.
    pub hash: String,
    /// Entries of the tree that it is in.
    pub size: u64,
    /// The hashes that lead from the entry to the root of the tree (RFC 6962, section 2.1.1), in hex.
    pub path: Vec<String>,
    /// The checkpoint over the tree.
    pub checkpoint: String,
}

/// The proof that the audit log has grown from what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditConsistencyView {
    /// Entries at the earlier time.
    pub from: u64,
    /// Entries at the later time.
    pub to: u64,
    /// The root of the tree at the earlier time, in hex.
    pub from_root: String,
    /// The root of the tree at the later time, in hex.
    pub to_root: String,
    /// The hashes that lead from one to the other (RFC 6962, section 2.1.2), in hex.
    pub path: Vec<String>,
}

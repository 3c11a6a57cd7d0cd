use serde::{Deserialize, Serialize};

use super::{DiagnosticView, Person, SubjectView};
use crate::{AccessReviewId, AccessVerdict, GrantId, Operation, PolicySetState, Role, Scope, Timestamp};

/// A policy, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyView {
    /// Its `@id`, by which refusals and the audit log name it.
    pub id: String,
    /// Its id as a sentence.
    pub title: String,
    /// Whether it forbids. A policy that forbids outweighs all that permit.
    pub forbids: bool,
    /// The file of the program that it is from; absent for one that administrators have written.
    #[serde(default)]
    pub file: Option<String>,
    /// What is written above it.
    pub comment: String,
    /// What a refused person would need.
    pub needs: String,
    /// The policy itself, in Cedar.
    pub text: String,
    /// The operations that it is about.
    pub operations: Vec<Operation>,
}

/// The policies in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PoliciesView {
    /// The digest of all of them and of their schema, as it stands in the audit log.
    pub digest: String,
    /// The set of the administrators that is in force; absent where the program's own are alone.
    #[serde(default)]
    pub version: Option<i64>,
    /// The policies: the program's own first.
    pub items: Vec<PolicyView>,
    /// None: the list is whole.
    #[serde(default)]
    pub next: Option<String>,
}

/// A set of policies of the administrators in the list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicySetItem {
    /// Its number: 1 for the first that was ever proposed.
    pub version: i64,
    /// Where it stands.
    pub state: PolicySetState,
    /// What it is for.
    pub note: String,
    /// The digest that it has, or would have, in force.
    pub digest: String,
    /// Everybody who has changed its text. None of them may put it into force.
    pub authors: Vec<Person>,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Who put it into force, or took it back.
    #[serde(default)]
    pub settled_by: Option<Person>,
    /// When.
    #[serde(default)]
    pub settled_at: Option<Timestamp>,
}

/// A set of policies of the administrators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PolicySetView {
    /// As in the list.
    #[serde(flatten)]
    pub item: PolicySetItem,
    /// Its text, in Cedar.
    pub source: String,
    /// The set that was in force when it was written; absent where the program's own policies were alone.
    #[serde(default)]
    pub based_on: Option<i64>,
    /// The lines of the text that it is based on, and of its own.
    pub lines: Vec<LineView>,
    /// Why it could not be put into force as things stand, in words; empty for one that can be, or that is settled.
    pub obstacles: Vec<String>,
    /// What is wrong with its text for this version of the program.
    pub faults: Vec<DiagnosticView>,
    /// What the caller may do with it.
    pub actions: Vec<Operation>,
}

/// A line of a text that is compared with another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LineView {
    /// What became of it.
    pub change: LineChange,
    /// The line.
    pub text: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum LineChange {
    /// It stands in both texts.
    Kept,
    /// It stands in the new text only.
    Added,
    /// It stood in the old text only.
    Removed,
}

/// What policies would say to the decisions that were recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayView {
    /// How many different questions were put to both sets of policies.
    pub decisions: u64,
    /// The time of the oldest of them.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How many would be answered otherwise.
    pub changed: u64,
    /// Those, last asked first; at most 200.
    pub items: Vec<ChangedDecision>,
}

/// A question that would be answered otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangedDecision {
    /// Who wanted to do it: a sign-in name.
    pub login: String,
    /// What.
    pub operation: Operation,
    /// On what kind of thing (`Run`, `Grant` …).
    pub resource_kind: String,
    /// On which.
    pub resource_id: String,
    /// When it was last asked.
    pub asked_at: Timestamp,
    /// How often it was asked.
    pub times: i64,
    /// Whether it is allowed by the policies in force.
    pub allowed: bool,
    /// The policies that determine it now.
    pub before: Vec<String>,
    /// The policies that would.
    pub after: Vec<String>,
}

/// Which roles conflict, and who holds such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SeparationView {
    /// The pairs, and whether somebody may hold both.
    pub pairs: Vec<RolePair>,
    /// Who holds both of a pair where they meet.
    pub holders: Vec<ConflictView>,
}

/// Two roles that conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolePair {
    /// One.
    pub one: Role,
    /// The other.
    pub other: Role,
    /// Whether a grant that would make somebody hold both is refused.
    pub forbidden: bool,
}

/// Somebody who holds two roles that conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConflictView {
    /// Who.
    pub person: Person,
    /// The first of the pair: how they hold it.
    pub one: HeldRole,
    /// The second.
    pub other: HeldRole,
    /// Where the two meet.
    pub scope: Scope,
    /// Whether the pair is forbidden by now: it was given before that.
    pub forbidden: bool,
}

/// A role that somebody holds by a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldRole {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// The grant.
    pub grant: GrantId,
    /// To whom it was given: the person, or a team of theirs.
    pub subject: SubjectView,
}

/// A review of who holds which roles, in the list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AccessReviewItem {
    /// Its id.
    pub id: AccessReviewId,
    /// What it is called.
    pub title: String,
    /// Which grants it is about: those on a namespace, or `*` for all.
    pub scope: Scope,
    /// What nobody has confirmed by then ends.
    pub due_at: Timestamp,
    /// Who started it.
    pub started_by: Person,
    /// When.
    pub started_at: Timestamp,
    /// When it ended; absent while it goes on.
    #[serde(default)]
    pub closed_at: Option<Timestamp>,
    /// Grants that the caller sees in it.
    pub grants: u64,
    /// Those of them that wait.
    pub pending: u64,
}

/// A review of who holds which roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessReviewView {
    /// As in the list.
    #[serde(flatten)]
    pub item: AccessReviewItem,
    /// The grants that the caller sees, those that wait first.
    pub items: Vec<ReviewedGrant>,
    /// Whether the caller may end it.
    pub closable: bool,
}

/// A grant in a review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReviewedGrant {
    /// The grant.
    pub grant: GrantId,
    /// The name of the person or team that holds it.
    pub holder: String,
    /// Whether it is a team.
    pub team: bool,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// What became of it.
    pub verdict: AccessVerdict,
    /// Who said so.
    #[serde(default)]
    pub decided_by: Option<Person>,
    /// When.
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub comment: String,
    /// Whether the caller may say what becomes of it.
    pub decidable: bool,
}

use serde::{Deserialize, Serialize};

use super::{AuditReceiverView, Page, RunSummary, Words};
use crate::{Name, Timestamp, VersionState};

/// The last run that a control was exercised by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlEvidence {
    /// Its number.
    pub run: i64,
    /// When it was launched.
    pub at: Timestamp,
}

/// A control, and what there is for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlSummary {
    /// As definitions name it: `ISO27001:A.5.16`.
    pub id: String,
    /// Its number in its list.
    pub number: String,
    /// Its short name; what a definition names and no list has, has its id.
    pub title: Words,
    /// How many workflows in use name it.
    pub workflows: u64,
    /// How many runs of these were launched in the period.
    pub runs: u64,
    /// How many exceptions there are in the period.
    pub exceptions: u64,
    /// The last run, whenever it was; absent if there was none.
    #[serde(default)]
    pub last_evidence: Option<ControlEvidence>,
}

/// How much of a list of controls is covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlCoverage {
    /// The list, as definitions name it before the colon; `-` for what no list has.
    pub id: String,
    /// What it is called.
    pub title: Words,
    /// How many controls it has.
    pub total: u64,
    /// How many of them a workflow in use names.
    pub covered: u64,
    /// How many of them had a run in the period.
    pub exercised: u64,
    /// How many of them have exceptions in the period.
    pub with_exceptions: u64,
}

/// A list of controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlListView {
    /// How much of it is covered.
    pub coverage: ControlCoverage,
    /// Its controls, in its order.
    pub controls: Vec<ControlSummary>,
}

/// All lists of controls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlsView {
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// The lists.
    pub lists: Vec<ControlListView>,
    /// Whether there may be more exceptions than were looked at.
    pub cut_off: bool,
    /// Whether entries of the period were archived, so that what they say is not in it.
    #[serde(default)]
    pub archived: bool,
}

/// A version in use that names a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlWorkflowView {
    /// Namespace.
    pub namespace: Name,
    /// Name.
    pub name: Name,
    /// Version.
    pub version: String,
    /// Title of the version.
    pub title: String,
    /// Where it stands.
    pub state: VersionState,
    /// How many runs of it were launched in the period.
    pub runs: u64,
}

/// Something that happened where a control should have held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlExceptionView {
    /// The saved question that found it, or `needs-attention` for a run that faulted and was not taken back.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// The number of the run it is about.
    #[serde(default)]
    pub run: Option<i64>,
    /// The version it is about: `namespace/name version`.
    #[serde(default)]
    pub definition: Option<String>,
    /// Whose doing it was, by sign-in name.
    #[serde(default)]
    pub person: Option<String>,
    /// The entry of the log that says so.
    #[serde(default)]
    pub entry: Option<i64>,
    /// The controls that it concerns.
    pub controls: Vec<String>,
}

/// A control with all that there is for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ControlView {
    /// The control.
    pub control: ControlSummary,
    /// What its list is called; absent where no list has it.
    #[serde(default)]
    pub list: Option<Words>,
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// The versions in use that name it.
    pub workflows: Vec<ControlWorkflowView>,
    /// Their runs in the period, newest first.
    pub runs: Page<RunSummary>,
    /// The exceptions in the period, newest first.
    pub exceptions: Vec<ControlExceptionView>,
    /// Whether there may be more exceptions than were looked at.
    pub cut_off: bool,
    /// Whether entries of the period were archived, so that what they say is not in it.
    #[serde(default)]
    pub archived: bool,
}

/// When and by whom the stored log was verified last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LastVerificationView {
    /// When.
    pub at: Timestamp,
    /// By whom: a sign-in name, or `console`.
    pub by: String,
    /// How many entries were read.
    pub entries: u64,
    /// Whether every entry was unaltered and in its place.
    pub sound: bool,
    /// The entry that says so.
    pub entry: i64,
}

/// How the audit log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LedgerHealthView {
    /// How many entries it has.
    pub entries: u64,
    /// How many of them the last checkpoint is over.
    #[serde(default)]
    pub signed_entries: Option<u64>,
    /// When it was signed.
    #[serde(default)]
    pub signed_at: Option<Timestamp>,
    /// How many keys it has had.
    pub keys: u64,
    /// Since when the newest key signs.
    #[serde(default)]
    pub key_since: Option<Timestamp>,
    /// Where it is sent, and how far each is.
    pub receivers: Vec<AuditReceiverView>,
    /// When it was verified last; absent if never.
    #[serde(default)]
    pub verified: Option<LastVerificationView>,
}

/// How the controls stand, what is open, and whether the log that says so is sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ComplianceView {
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// The lists.
    pub lists: Vec<ControlCoverage>,
    /// The exceptions in the period, newest first.
    pub exceptions: Vec<ControlExceptionView>,
    /// Whether there may be more exceptions than were looked at.
    pub cut_off: bool,
    /// Whether entries of the period were archived, so that what they say is not in it.
    #[serde(default)]
    pub archived: bool,
    /// How the log stands; absent for whoever may not read it.
    #[serde(default)]
    pub ledger: Option<LedgerHealthView>,
}

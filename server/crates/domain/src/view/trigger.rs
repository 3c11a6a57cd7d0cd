use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Person;
use crate::{
    AlertEnd, FieldError, FileEnd, MailEnd, Name, Operation, RunId, Timestamp, TriggerId, TriggerKind, TriggerOutcome,
};

/// What another system calls, or leaves something for, to have runs of a workflow launched. Never its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TriggerView {
    /// Its id.
    pub id: TriggerId,
    /// The namespace whose workflow it launches.
    pub namespace: Name,
    /// Its name in the namespace.
    pub name: Name,
    /// Who calls it, and so how a call is proven.
    pub kind: TriggerKind,
    /// The address that is called; absent: nobody calls, it looks itself.
    #[serde(default)]
    pub address: Option<String>,
    /// The workflow of the namespace that it launches: the launchable version at the time of the call.
    pub workflow: Name,
    /// The expression that makes the input of what was delivered.
    pub mapping: String,
    /// The expression that must hold; absent: every delivery launches.
    #[serde(default)]
    pub filter: Option<String>,
    /// Of kind `webhook`: how calls are signed.
    #[serde(default)]
    pub signing: Option<SigningView>,
    /// Of a kind that looks itself: where.
    #[serde(default)]
    pub watch: Option<WatchView>,
    /// How that goes.
    #[serde(default)]
    pub looks: Option<LooksView>,
    /// What becomes of a run when its alert is resolved.
    pub alert_end: AlertEnd,
    /// Whether it may be called.
    pub enabled: bool,
    /// How many deliveries it has had.
    pub deliveries: i64,
    /// The last of them.
    #[serde(default)]
    pub last: Option<DeliveryView>,
    /// Who said so last. Decides on none of its runs.
    pub changed_by: Person,
    /// When.
    pub changed_at: Timestamp,
    /// What the caller may do with it.
    pub actions: Vec<Operation>,
}

/// The headers of a signed call. What is signed with HMAC-SHA256 is the id, the time and the body, with full stops between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SigningView {
    /// With the signature, in hexadecimal or base64.
    pub signature: String,
    /// With the time at which it was signed (seconds since 1970, or RFC 3339); absent: it says none, and is not signed.
    #[serde(default)]
    pub time: Option<String>,
    /// With what tells the delivery from every other; absent: the signature does.
    #[serde(default)]
    pub id: Option<String>,
}

/// Where a trigger looks that nobody calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WatchView {
    /// The name of the connection over which it looks.
    pub connection: String,
    /// Seconds between two looks, 10 to 86,400; 60 unless told.
    #[serde(default = "a_minute")]
    pub every_seconds: u32,
    /// Of kind `file-drop`: which files.
    #[serde(default)]
    pub files: Option<FilesView>,
    /// Of kind `mailbox`: which mails.
    #[serde(default)]
    pub mails: Option<MailsView>,
}

const fn a_minute() -> u32 {
    60
}

/// The files that a trigger looks for, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FilesView {
    /// The bucket.
    pub bucket: String,
    /// What their keys begin with; empty: anything.
    #[serde(default)]
    pub prefix: String,
    /// What the rest of a key must look like, `*` for any letters and `?` for one; empty: anything.
    #[serde(default)]
    pub pattern: String,
    /// Whether what is in a file is delivered, too: of text up to 32 KiB.
    #[serde(default)]
    pub content: bool,
    /// What becomes of a file once it is delivered.
    #[serde(default = "leave")]
    pub end: FileEnd,
    /// Under which prefix of the bucket it goes where it is to be moved.
    #[serde(default)]
    pub moved_to: String,
}

const fn leave() -> FileEnd {
    FileEnd::Leave
}

/// The mails that a trigger looks for, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailsView {
    /// The folder in which it looks; INBOX unless told.
    #[serde(default = "inbox")]
    pub folder: String,
    /// Whose mails launch runs, 1 to 100: addresses, or `@` and a host for all of it. A sender can be forged.
    pub senders: Vec<String>,
    /// What a subject must have in it, whatever the case; empty: anything.
    #[serde(default)]
    pub subject: String,
    /// What becomes of a mail once it is delivered.
    #[serde(default = "seen")]
    pub end: MailEnd,
    /// To which folder it goes where it is to be moved.
    #[serde(default)]
    pub moved_to: String,
}

fn inbox() -> String {
    "INBOX".to_owned()
}

const fn seen() -> MailEnd {
    MailEnd::Seen
}

/// How the looks of a trigger go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LooksView {
    /// When it looked last; absent: not yet. What is there at the first look is left alone.
    #[serde(default)]
    pub looked_at: Option<Timestamp>,
    /// Since when it cannot do what it should.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// Why, in words.
    #[serde(default)]
    pub trouble: Option<String>,
}

/// A trigger as it was kept, and its secret where that was made for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SavedTriggerView {
    /// The trigger.
    pub trigger: TriggerView,
    /// The secret, shown this once; absent where it was given or stays as it was.
    #[serde(default)]
    pub secret: Option<String>,
}

/// What was delivered to a trigger, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Its number among those of the trigger.
    pub number: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: TriggerOutcome,
    /// Why, in words.
    #[serde(default)]
    pub detail: Option<String>,
    /// The run that it launched, or that it is about.
    #[serde(default)]
    pub run: Option<RunId>,
    /// The number of that run.
    #[serde(default)]
    pub run_number: Option<i64>,
    /// By what its alert is told apart.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The number of the delivery that it repeats.
    #[serde(default)]
    pub replay_of: Option<i64>,
    /// Who wanted that.
    #[serde(default)]
    pub replayed_by: Option<Person>,
    /// How often it came again, and did nothing.
    pub repeats: u32,
    /// When it did last.
    #[serde(default)]
    pub repeated_at: Option<Timestamp>,
    /// Whether it can be worked on once more: what it said was kept.
    pub replayable: bool,
    /// What it said, with what looks like a secret masked; absent in lists, and where it was too large to keep.
    #[serde(default)]
    pub content: Option<Value>,
}

/// What a trigger would make of a delivery. Nothing was launched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TriggerTrialView {
    /// What would become of it: `launched`, `filtered`, `invalid` or `refused`.
    pub outcome: TriggerOutcome,
    /// Why, in words.
    #[serde(default)]
    pub detail: Option<String>,
    /// The input that it makes.
    #[serde(default)]
    pub input: Option<Value>,
    /// What the workflow does not take of that.
    pub errors: Vec<FieldError>,
    /// What the expressions were asked about, masked.
    pub content: Value,
}

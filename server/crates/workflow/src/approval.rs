//! Approval rules. [`Matter`] says where an approval stands and who may decide, and nothing else does.

mod matter;
mod timing;

use domain::DecisionKind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::definition::compile_schema;
use crate::{RunError, StandardError};

pub use matter::{Ballot, Denied, Matter, Standing, Vote};
pub use timing::{OnDue, Timing};

/// Who is asked, as the definition says it. The engine resolves it to people when the approval opens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approver {
    /// The person with this login name.
    User(String),
    /// Every member of this team.
    Team(String),
    /// Everyone who holds this role on the workflow's namespace.
    Role(String),
    /// The manager of the person with this login name; the word `requester` means whoever launched the run.
    ManagerOf(String),
    /// The owner of this: a person, or every member of a team.
    OwnerOf(Owned),
}

/// Something that has an owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Owned {
    /// The connection of this name.
    Connection(String),
}

/// The most stages of one approval.
const MOST_STAGES: usize = 20;

impl Approver {
    /// The word that stands for the run's requester in [`Approver::ManagerOf`].
    pub const REQUESTER: &'static str = "requester";
}

/// How many of those asked must approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// This many, at least 1.
    Count(u32),
    /// Everyone.
    All,
    /// This part of them, 1 to 100 percent, rounded up.
    Percent(u8),
}

impl Quorum {
    /// How many approvals out of `asked` people are needed; at least 1, and never less than the definition says:
    /// a count above the number of people asked can never be reached.
    pub fn needed(self, asked: usize) -> usize {
        match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX).max(1),
            Self::All => asked.max(1),
            Self::Percent(percent) => (asked * usize::from(percent)).div_ceil(100).max(1),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Self::All);
        }
        let percent: u8 = text.strip_suffix('%')?.parse().ok()?;
        (1..=100).contains(&percent).then_some(Self::Percent(percent))
    }
}

impl Serialize for Quorum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::All => serializer.serialize_str("all"),
            Self::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for Quorum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let quorum = match &value {
            Value::Number(number) => {
                number.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count >= 1).map(Self::Count)
            }
            Value::String(text) => Self::parse(text),
            _ => None,
        };
        quorum.ok_or_else(|| D::Error::custom("a quorum is an integer from 1, \"all\" or a percentage such as \"60%\""))
    }
}

/// Who must approve, one stage after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenRule", into = "WrittenRule")]
pub struct ApprovalRule {
    /// In order. Without any it is never approved.
    pub stages: Vec<Stage>,
    /// Whether whoever decided in one stage is not asked in a later one.
    pub distinct: bool,
}

impl ApprovalRule {
    /// A rule of one stage.
    pub fn single(approvers: Vec<Approver>, quorum: Quorum) -> Self {
        Self { stages: vec![Stage { title: None, approvers, quorum }], distinct: false }
    }
}

/// Who must approve at the same time, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// What it is called, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who is asked. The approver set is the union, without the requester.
    pub approvers: Vec<Approver>,
    /// How many must approve.
    pub quorum: Quorum,
}

/// A rule as it is stored: one of a single stage as rules were before there were several.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenRule {
    Staged {
        stages: Vec<Stage>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        distinct: bool,
    },
    Single(Stage),
}

impl From<WrittenRule> for ApprovalRule {
    fn from(written: WrittenRule) -> Self {
        match written {
            WrittenRule::Staged { stages, distinct } => Self { stages, distinct },
            WrittenRule::Single(stage) => Self { stages: vec![stage], distinct: false },
        }
    }
}

impl From<ApprovalRule> for WrittenRule {
    fn from(rule: ApprovalRule) -> Self {
        let ApprovalRule { mut stages, distinct } = rule;
        match stages.pop() {
            Some(only) if stages.is_empty() && !distinct => Self::Single(only),
            last => {
                stages.extend(last);
                Self::Staged { stages, distinct }
            }
        }
    }
}

/// Where a stage stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tally {
    /// More decisions are needed.
    Pending,
    /// Enough approvals.
    Approved,
    /// The needed approvals can no longer be reached, or one rejection is enough.
    Rejected,
}

/// Decides a stage. `approvers` are the people asked (already resolved, each once); `decisions` are theirs in order.
///
/// - Only the first decision of each person counts, and only that of a person who was asked.
/// - `request-changes` and `narrow` are no votes; what they cause is for [`Matter`] to say.
/// - With a quorum of 1 a single rejection rejects. Otherwise it is rejected once the people left cannot reach the
///   quorum any more.
/// - With nobody to ask it stays [`Tally::Pending`]: an empty approver set blocks, it never skips.
pub fn tally<A: PartialEq>(quorum: Quorum, approvers: &[A], decisions: &[(A, DecisionKind)]) -> Tally {
    tally_among(quorum, approvers.len(), approvers, decisions)
}

/// The same where so many of them were asked `at_first`: neither what is needed nor what is enough to reject changes by those
/// who were asked later, in the place of some who have left.
fn tally_among<A: PartialEq>(
    quorum: Quorum,
    at_first: usize,
    approvers: &[A],
    decisions: &[(A, DecisionKind)],
) -> Tally {
    if at_first == 0 {
        return Tally::Pending;
    }
    let is_vote = |kind: DecisionKind| matches!(kind, DecisionKind::Approve | DecisionKind::Reject);
    let first_vote =
        |person: &A| decisions.iter().find(|(by, kind)| by == person && is_vote(*kind)).map(|(_, kind)| *kind);
    let votes: Vec<DecisionKind> = approvers.iter().filter_map(first_vote).collect();
    let approvals = votes.iter().filter(|vote| **vote == DecisionKind::Approve).count();
    let rejections = votes.len() - approvals;
    let needed = quorum.needed(at_first);
    if approvals >= needed {
        return Tally::Approved;
    }
    let reachable = at_first.saturating_sub(rejections);
    if rejections > 0 && (needed == 1 || reachable < needed) {
        return Tally::Rejected;
    }
    Tally::Pending
}

/// The arguments of `call: approval`, evaluated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApprovalArguments {
    pub(crate) rule: ApprovalRule,
    pub(crate) title: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) timing: Timing,
    pub(crate) form: Option<Value>,
    pub(crate) narrow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Approver),
    Many(Vec<Approver>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStage {
    approvers: Value,
    quorum: Option<Quorum>,
    title: Option<String>,
}

/// A list of approvers, or one.
fn read_approvers(value: &Value) -> Result<Vec<Approver>, String> {
    let approvers = match OneOrMany::deserialize(value) {
        Ok(OneOrMany::One(one)) => vec![one],
        Ok(OneOrMany::Many(many)) => many,
        Err(_) => {
            let words = "approvers must be one of, or a list of, {user}, {team}, {role}, {managerOf}, {ownerOf}";
            return Err(words.to_owned());
        }
    };
    if approvers.is_empty() {
        return Err("approvers must name at least one user, team, role, manager or owner".to_owned());
    }
    Ok(approvers)
}

impl RawStage {
    fn read(self) -> Result<Stage, String> {
        let approvers = read_approvers(&self.approvers)?;
        Ok(Stage { title: self.title, approvers, quorum: self.quorum.unwrap_or(Quorum::Count(1)) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawArguments {
    approvers: Option<Value>,
    quorum: Option<Quorum>,
    stages: Option<Vec<RawStage>>,
    #[serde(default)]
    distinct: bool,
    title: Option<String>,
    message: Option<String>,
    form: Option<Value>,
    #[serde(default)]
    narrow: Vec<String>,
}

impl ApprovalArguments {
    /// Reads evaluated arguments. What the schema could not see at save time, because it was an expression, is checked
    /// here and faults the task.
    pub(crate) fn read(with: Value) -> Result<Self, RunError> {
        let invalid = |detail: String| RunError::new(StandardError::Validation, detail);
        let timing = Timing::read(&with).map_err(|fault| invalid(format!("{}: {}", fault.pointer, fault.message)))?;
        let raw: RawArguments =
            serde_json::from_value(with).map_err(|error| invalid(format!("approval arguments: {error}")))?;
        let stages = match (raw.approvers, raw.stages) {
            (Some(approvers), None) => vec![RawStage { approvers, quorum: raw.quorum, title: None }],
            (None, Some(stages)) if !stages.is_empty() => stages,
            _ => return Err(invalid("an approval has either approvers or stages".to_owned())),
        };
        let stages: Result<Vec<Stage>, String> = stages.into_iter().map(RawStage::read).collect();
        if let Some(form) = &raw.form {
            check_form(form).map_err(|fault| invalid(format!("form: {fault}")))?;
        }
        Ok(Self {
            rule: ApprovalRule { stages: stages.map_err(invalid)?, distinct: raw.distinct },
            title: raw.title,
            message: raw.message,
            timing,
            form: raw.form,
            narrow: raw.narrow,
        })
    }
}

/// Checks the schema of what an approver fills in: an object with fields that stand beside the decision, without more in
/// them and always the same.
pub(crate) fn check_form(form: &Value) -> Result<(), String> {
    if form.get("type").and_then(Value::as_str) != Some("object") {
        return Err("what an approver fills in is a JSON Schema of type object".to_owned());
    }
    let known = ["type", "title", "description", "properties", "required", "additionalProperties"];
    if let Some(other) = form.as_object().and_then(|form| form.keys().find(|key| !known.contains(&key.as_str()))) {
        return Err(format!("“{other}” is not served in what an approver fills in"));
    }
    compile_schema(form)?;
    let properties = form.get("properties").and_then(Value::as_object);
    match properties.and_then(|properties| properties.iter().find(|(_, field)| !is_plain(field))) {
        Some((name, _)) => Err(format!("“{name}” must be a text, a number, yes or no, a choice, or a list of those")),
        None => Ok(()),
    }
}

/// Whether a schema describes one field of a form, or a list with one field a line.
pub(crate) fn is_plain(schema: &Value) -> bool {
    match schema.get("type").and_then(Value::as_str) {
        Some("string" | "number" | "integer" | "boolean") => true,
        Some("array") => schema.get("items").is_some_and(|items| is_plain(items) && items.get("items").is_none()),
        Some(_) => false,
        None => schema.get("enum").is_some(),
    }
}

/// JSON Schema of the `with` of `call: approval`.
pub(crate) fn with_schema() -> Value {
    let one = |name: &str, value: Value| json!({"type": "object", "required": [name], "additionalProperties": false, "properties": {name: value}});
    let text = json!({"type": "string", "minLength": 1});
    let approver = json!({"oneOf": [
        one("user", text.clone()),
        one("team", text.clone()),
        one("role", text.clone()),
        one("managerOf", text.clone()),
        one("ownerOf", one("connection", text.clone()))
    ]});
    let approvers = json!({"oneOf": [approver, {"type": "array", "minItems": 1, "items": approver}]});
    let quorum = json!({"oneOf": [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": "^(all|([1-9][0-9]?|100)%)$"}
    ]});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "approvers": approvers,
            "quorum": quorum,
            "stages": {"type": "array", "minItems": 1, "maxItems": MOST_STAGES, "items": {
                "type": "object",
                "required": ["approvers"],
                "additionalProperties": false,
                "properties": {"approvers": approvers, "quorum": quorum, "title": {"type": "string", "minLength": 1}}
            }},
            "distinct": {"type": "boolean"},
            "title": {"type": "string"},
            "message": {"type": "string"},
            "due": {"type": "string", "pattern": "^P"},
            "onDue": {"enum": ["reject", "escalate", "cancel"]},
            "calendar": {"type": "string", "minLength": 1, "maxLength": 63},
            "reminders": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "string", "pattern": "^P"}},
            "escalateAfter": {"type": "string", "pattern": "^P"},
            "escalateTo": approvers,
            "form": {"type": "object"},
            "narrow": {"type": "array", "minItems": 1, "uniqueItems": true,
                       "items": {"type": "string", "pattern": "^/[^/]+$"}}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decides_by_quorum() {
        use DecisionKind::{Approve as A, Reject as R, RequestChanges as C};
        type Row<'a> = (Quorum, usize, &'a [(usize, DecisionKind)], Tally);
        let table: &[Row<'_>] = &[
            (Quorum::Count(1), 0, &[], Tally::Pending),
            (Quorum::Count(1), 0, &[(0, A)], Tally::Pending),
            (Quorum::Count(1), 3, &[(1, A)], Tally::Approved),
            (Quorum::Count(1), 3, &[(1, R)], Tally::Rejected),
            (Quorum::Count(1), 3, &[(9, R)], Tally::Pending),
            (Quorum::Count(1), 3, &[(1, C)], Tally::Pending),
            (Quorum::Count(2), 3, &[(0, R)], Tally::Pending),
            (Quorum::Count(2), 3, &[(0, R), (1, R)], Tally::Rejected),
            (Quorum::Count(2), 3, &[(0, R), (1, A), (2, A)], Tally::Approved),
            (Quorum::Count(2), 3, &[(0, A), (0, A)], Tally::Pending),
            (Quorum::Count(2), 3, &[(0, A), (0, R), (1, A)], Tally::Approved),
            (Quorum::Count(4), 3, &[(0, A), (1, A), (2, A)], Tally::Pending),
            (Quorum::All, 2, &[(0, A)], Tally::Pending),
            (Quorum::All, 2, &[(0, A), (1, A)], Tally::Approved),
            (Quorum::All, 2, &[(0, R)], Tally::Rejected),
            (Quorum::Percent(60), 3, &[(0, A)], Tally::Pending),
            (Quorum::Percent(60), 3, &[(0, A), (1, A)], Tally::Approved),
            (Quorum::Percent(60), 3, &[(0, R), (1, R)], Tally::Rejected),
        ];
        for (quorum, asked, decisions, expected) in table {
            let people: Vec<usize> = (0..*asked).collect();
            assert_eq!(tally(*quorum, &people, decisions), *expected, "{quorum:?} {asked} {decisions:?}");
        }
    }

    #[test]
    fn reads_arguments_in_all_their_forms() {
        let one = ApprovalArguments::read(json!({"approvers": {"managerOf": "requester"}})).unwrap();
        let managers = vec![Approver::ManagerOf("requester".into())];
        assert_eq!(one.rule, ApprovalRule::single(managers.clone(), Quorum::Count(1)));
        let many = ApprovalArguments::read(json!({
            "approvers": [{"user": "ana"}, {"role": "operator"}], "quorum": "60%", "due": "P2D"}))
        .unwrap();
        assert_eq!(many.rule.stages[0].quorum, Quorum::Percent(60));
        assert_eq!(many.timing.due, Some(std::time::Duration::from_hours(48)));
        assert!(ApprovalArguments::read(json!({"approvers": []})).is_err());
        assert!(ApprovalArguments::read(json!({"approvers": {"user": "a"}, "quorum": 0})).is_err());
        assert!(ApprovalArguments::read(json!({"approvers": {"user": "a"}, "due": "soon"})).is_err());
        let staged = ApprovalArguments::read(json!({
        "distinct": true,
        "stages": [
            {"title": "Line", "approvers": {"managerOf": "requester"}},
            {"approvers": [{"ownerOf": {"connection": "directory"}}], "quorum": "all"}
        ]}))
        .unwrap();
        let owner = Approver::OwnerOf(Owned::Connection("directory".into()));
        let stages = vec![
            Stage { title: Some("Line".into()), approvers: managers, quorum: Quorum::Count(1) },
            Stage { title: None, approvers: vec![owner], quorum: Quorum::All },
        ];
        assert_eq!(staged.rule, ApprovalRule { stages, distinct: true });
        for wrong in [
            json!({}),
            json!({"stages": [], "approvers": {"user": "a"}}),
            json!({"stages": [{"approvers": []}]}),
            json!({"stages": [{"approvers": {"ownerOf": {"team": "a"}}}]}),
            json!({"approvers": {"user": "a"}, "form": {"type": "string"}}),
            json!({"approvers": {"user": "a"}, "form": {"type": "object", "properties": {"n": {"type": "nmber"}}}}),
        ] {
            assert!(ApprovalArguments::read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_of_one_stage_is_written_as_it_was_before_there_were_stages() {
        let before = json!({"approvers": [{"user": "ana"}], "quorum": 1});
        let rule: ApprovalRule = serde_json::from_value(before.clone()).unwrap();
        assert_eq!(rule, ApprovalRule::single(vec![Approver::User("ana".into())], Quorum::Count(1)));
        assert_eq!(serde_json::to_value(&rule).unwrap(), before);
        let staged = json!({"stages": [before, {"title": "Then", "approvers": [{"role": "operator"}], "quorum": "all"}],
                            "distinct": true});
        let rule: ApprovalRule = serde_json::from_value(staged.clone()).unwrap();
        assert_eq!((rule.stages.len(), rule.distinct), (2, true));
        assert_eq!(serde_json::to_value(&rule).unwrap(), staged);
    }
}

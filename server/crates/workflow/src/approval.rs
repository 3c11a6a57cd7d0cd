//! Approval rules, and [`tally`]: the one function that decides whether an approval is approved or rejected.

use domain::DecisionKind;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::{RunError, StandardError};

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
}

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

/// Who must approve, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalRule {
    /// Who is asked. The approver set is the union, without the requester.
    pub approvers: Vec<Approver>,
    /// How many must approve.
    pub quorum: Quorum,
}

/// Where an approval stands.
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

/// Decides. `approvers` are the people asked (already resolved, each once); `decisions` are theirs in order.
///
/// - Only the first decision of each person counts, and only that of a person who was asked.
/// - `request-changes` is no vote; what it causes is not decided here.
/// - With a quorum of 1 a single rejection rejects. Otherwise it is rejected once the people left cannot reach the
///   quorum any more.
/// - With nobody to ask it stays [`Tally::Pending`]: an empty approver set blocks, it never skips.
pub fn tally<A: PartialEq>(rule: &ApprovalRule, approvers: &[A], decisions: &[(A, DecisionKind)]) -> Tally {
    if approvers.is_empty() {
        return Tally::Pending;
    }
    let first_vote = |person: &A| {
        decisions.iter().find(|(by, kind)| by == person && *kind != DecisionKind::RequestChanges).map(|(_, kind)| *kind)
    };
    let votes: Vec<DecisionKind> = approvers.iter().filter_map(first_vote).collect();
    let approvals = votes.iter().filter(|vote| **vote == DecisionKind::Approve).count();
    let rejections = votes.len() - approvals;
    let needed = rule.quorum.needed(approvers.len());
    if approvals >= needed {
        return Tally::Approved;
    }
    let reachable = approvers.len() - rejections;
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
    pub(crate) due: Option<std::time::Duration>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Approver),
    Many(Vec<Approver>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawArguments {
    approvers: Value,
    quorum: Option<Quorum>,
    title: Option<String>,
    message: Option<String>,
    due: Option<String>,
}

impl ApprovalArguments {
    /// Reads evaluated arguments. What the schema could not see at save time, because it was an expression, is checked
    /// here and faults the task.
    pub(crate) fn read(with: Value) -> Result<Self, RunError> {
        let invalid = |detail: String| RunError::new(StandardError::Validation, detail);
        let raw: RawArguments =
            serde_json::from_value(with).map_err(|error| invalid(format!("approval arguments: {error}")))?;
        let approvers = match serde_json::from_value::<OneOrMany>(raw.approvers) {
            Ok(OneOrMany::One(one)) => vec![one],
            Ok(OneOrMany::Many(many)) => many,
            Err(_) => {
                return Err(invalid(
                    "approvers must be one of, or a list of, {user}, {team}, {role}, {managerOf}".to_owned(),
                ));
            }
        };
        if approvers.is_empty() {
            return Err(invalid("approvers must name at least one user, team, role or manager".to_owned()));
        }
        let due = match raw.due {
            None => None,
            Some(text) => Some(
                crate::duration::parse_iso8601(&text)
                    .ok_or_else(|| invalid(format!("due: “{text}” is not an ISO 8601 duration")))?,
            ),
        };
        Ok(Self {
            rule: ApprovalRule { approvers, quorum: raw.quorum.unwrap_or(Quorum::Count(1)) },
            title: raw.title,
            message: raw.message,
            due,
        })
    }
}

/// JSON Schema of the `with` of `call: approval`.
pub(crate) fn with_schema() -> Value {
    let approver = json!({
        "oneOf": [
            {"type": "object", "required": ["user"], "additionalProperties": false,
             "properties": {"user": {"type": "string", "minLength": 1}}},
            {"type": "object", "required": ["team"], "additionalProperties": false,
             "properties": {"team": {"type": "string", "minLength": 1}}},
            {"type": "object", "required": ["role"], "additionalProperties": false,
             "properties": {"role": {"type": "string", "minLength": 1}}},
            {"type": "object", "required": ["managerOf"], "additionalProperties": false,
             "properties": {"managerOf": {"type": "string", "minLength": 1}}}
        ]
    });
    json!({
        "type": "object",
        "required": ["approvers"],
        "additionalProperties": false,
        "properties": {
            "approvers": {"oneOf": [approver, {"type": "array", "minItems": 1, "items": approver}]},
            "quorum": {"oneOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^(all|([1-9][0-9]?|100)%)$"}
            ]},
            "title": {"type": "string"},
            "message": {"type": "string"},
            "due": {"type": "string", "pattern": "^P"},
            "onDue": {"enum": ["reject"]}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(quorum: Quorum) -> ApprovalRule {
        ApprovalRule { approvers: vec![Approver::Team("ops".into())], quorum }
    }

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
            assert_eq!(tally(&rule(*quorum), &people, decisions), *expected, "{quorum:?} {asked} {decisions:?}");
        }
    }

    #[test]
    fn reads_arguments_in_all_their_forms() {
        let one = ApprovalArguments::read(json!({"approvers": {"managerOf": "requester"}})).unwrap();
        assert_eq!(one.rule.approvers, [Approver::ManagerOf("requester".into())]);
        assert_eq!(one.rule.quorum, Quorum::Count(1));
        let many = ApprovalArguments::read(json!({
            "approvers": [{"user": "ana"}, {"role": "operator"}], "quorum": "60%", "due": "P2D"}))
        .unwrap();
        assert_eq!(many.rule.quorum, Quorum::Percent(60));
        assert_eq!(many.due, Some(std::time::Duration::from_hours(48)));
        assert!(ApprovalArguments::read(json!({"approvers": []})).is_err());
        assert!(ApprovalArguments::read(json!({"approvers": {"user": "a"}, "quorum": 0})).is_err());
        assert!(ApprovalArguments::read(json!({"approvers": {"user": "a"}, "due": "soon"})).is_err());
    }
}

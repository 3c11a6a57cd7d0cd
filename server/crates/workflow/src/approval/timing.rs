//! What time does to an approval.

use std::time::Duration;

use domain::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Approver, read_approvers};
use crate::duration::parse_iso8601;

/// What happens at the due time of an approval that is still open. It is never approved by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnDue {
    /// It is rejected.
    #[default]
    Reject,
    /// More people are asked, and it stays open.
    Escalate,
    /// The run is cancelled.
    Cancel,
}

impl OnDue {
    /// The word that definitions have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Escalate => "escalate",
            Self::Cancel => "cancel",
        }
    }

    /// Whether the approval ends by it.
    pub const fn ends(self) -> bool {
        matches!(self, Self::Reject | Self::Cancel)
    }
}

/// What time does to an approval. Times are working time where there is a calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timing {
    /// The calendar whose working time is counted: of the workflow's namespace, or else of the whole installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Name>,
    /// How long after it was opened it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Duration>,
    /// What happens then.
    pub on_due: OnDue,
    /// How long before the due time those who have not decided are reminded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reminders: Vec<Duration>,
    /// How long after it was opened more people are asked, where that is not at the due time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalate_after: Option<Duration>,
    /// Whom it asks as well then; empty: the managers of those who have not decided. How many approvals are needed stays as it
    /// was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escalate_to: Vec<Approver>,
}

/// What is wrong with what an approval says of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TimingFault {
    /// The argument, as a JSON pointer.
    pub(crate) pointer: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl Timing {
    /// The arguments that are about time.
    pub(crate) const ARGUMENTS: [&'static str; 6] =
        ["calendar", "due", "onDue", "reminders", "escalateAfter", "escalateTo"];

    /// Whether nothing is said about time.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether more people are asked at some time.
    pub fn escalates(&self) -> bool {
        self.escalate_after.is_some() || self.on_due == OnDue::Escalate
    }

    /// Reads it from the arguments of an approval.
    pub(crate) fn read(with: &Value) -> Result<Self, TimingFault> {
        let fault = |pointer: &str, message: String| TimingFault { pointer: pointer.to_owned(), message };
        let text = |name: &str| with.get(name).and_then(Value::as_str);
        let calendar = match text("calendar") {
            None => None,
            Some(name) => {
                let read = name.parse::<Name>();
                Some(read.map_err(|_| fault("/calendar", format!("“{name}” is no name of a calendar")))?)
            }
        };
        let duration = |pointer: &str, text: &str| {
            let date = text.trim_start_matches('P').split('T').next().unwrap_or_default();
            if calendar.is_some() && !date.is_empty() {
                let words = format!("with a calendar, times are working hours: such as PT16H, not “{text}”");
                return Err(fault(pointer, words));
            }
            let words = || format!("“{text}” is not an ISO 8601 duration such as PT4H or P2D");
            parse_iso8601(text).ok_or_else(|| fault(pointer, words()))
        };
        let at = |name: &str| text(name).map(|text| duration(&format!("/{name}"), text)).transpose();
        let (due, escalate_after) = (at("due")?, at("escalateAfter")?);
        let on_due = match text("onDue") {
            None | Some("reject") => OnDue::Reject,
            Some("escalate") => OnDue::Escalate,
            Some("cancel") => OnDue::Cancel,
            Some(other) => return Err(fault("/onDue", format!("“{other}” is not reject, escalate or cancel"))),
        };
        let reminders = with.get("reminders").and_then(Value::as_array).into_iter().flatten().enumerate();
        let reminders = reminders.map(|(index, text)| {
            let pointer = format!("/reminders/{index}");
            duration(&pointer, text.as_str().unwrap_or_default())
        });
        let reminders = reminders.collect::<Result<Vec<_>, _>>()?;
        let escalate_to = match with.get("escalateTo") {
            None => Vec::new(),
            Some(to) => read_approvers(to).map_err(|message| fault("/escalateTo", message))?,
        };
        let read = Self { calendar, due, on_due, reminders, escalate_after, escalate_to };
        match read.contradiction() {
            Some((pointer, words)) => Err(fault(pointer, words.to_owned())),
            None => Ok(read),
        }
    }

    /// What cannot be meant together, and why.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let waits = |other: &Duration| self.due.is_none_or(|due| *other < due);
        if self.due.is_none() && self.on_due != OnDue::Reject {
            Some(("/onDue", "“onDue” needs a “due”"))
        } else if self.due.is_none() && !self.reminders.is_empty() {
            Some(("/reminders", "reminders are sent before the due time: they need a “due”"))
        } else if !self.reminders.iter().all(waits) {
            Some(("/reminders", "a reminder is sent less long before the due time than the approval has until then"))
        } else if self.on_due == OnDue::Escalate && self.escalate_after.is_some() {
            Some(("/escalateAfter", "it escalates once: either at the due time or before"))
        } else if !self.escalate_after.iter().all(waits) {
            Some(("/escalateAfter", "it escalates before the due time, or at it by “onDue: escalate”"))
        } else if !self.escalate_to.is_empty() && !self.escalates() {
            Some(("/escalateTo", "“escalateTo” needs “escalateAfter” or “onDue: escalate”"))
        } else if self.calendar.is_some() && self.due.is_none() && self.escalate_after.is_none() {
            Some(("/calendar", "a calendar counts the time until “due” or “escalateAfter”"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_is_said_of_time() {
        let hours = Duration::from_hours;
        let timing = Timing::read(&json!({
            "calendar": "office", "due": "PT16H", "onDue": "escalate", "reminders": ["PT8H", "PT30M"],
            "escalateTo": {"role": "operator"}}))
        .unwrap();
        let expected = Timing {
            calendar: Some("office".parse().unwrap()),
            due: Some(hours(16)),
            on_due: OnDue::Escalate,
            reminders: vec![hours(8), Duration::from_mins(30)],
            escalate_after: None,
            escalate_to: vec![Approver::Role("operator".to_owned())],
        };
        assert_eq!(timing, expected);
        let kept = serde_json::to_value(&timing).unwrap();
        assert_eq!(serde_json::from_value::<Timing>(kept).unwrap(), timing);
        assert!(Timing::read(&json!({"approvers": {"user": "ana"}})).unwrap().is_none());
        assert_eq!(Timing::read(&json!({"due": "P2D"})).unwrap().due, Some(hours(48)));
    }

    #[test]
    fn says_what_cannot_be_meant() {
        for (with, pointer) in [
            (json!({"due": "soon"}), "/due"),
            (json!({"due": "P2D", "calendar": "office"}), "/due"),
            (json!({"due": "P1DT2H", "calendar": "office"}), "/due"),
            (json!({"due": "PT2H", "calendar": "Office hours"}), "/calendar"),
            (json!({"calendar": "office"}), "/calendar"),
            (json!({"due": "PT2H", "onDue": "approve"}), "/onDue"),
            (json!({"onDue": "cancel"}), "/onDue"),
            (json!({"reminders": ["PT1H"]}), "/reminders"),
            (json!({"due": "PT1H", "reminders": ["PT2H"]}), "/reminders"),
            (json!({"due": "PT3H", "reminders": ["PT1H", "often"]}), "/reminders/1"),
            (json!({"due": "PT2H", "escalateTo": {"user": "ana"}}), "/escalateTo"),
            (json!({"due": "PT2H", "onDue": "escalate", "escalateTo": []}), "/escalateTo"),
            (json!({"due": "PT2H", "onDue": "escalate", "escalateAfter": "PT1H"}), "/escalateAfter"),
            (json!({"due": "PT2H", "escalateAfter": "PT2H"}), "/escalateAfter"),
        ] {
            assert_eq!(Timing::read(&with).unwrap_err().pointer, pointer, "{with}");
        }
    }
}

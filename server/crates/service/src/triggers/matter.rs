//! What was delivered: one thing of a webhook, or each alert of a group.

use domain::{Timestamp, TriggerKind};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use store::triggers::Trigger;

use super::proof::{self, HookCall};

/// Headers that expressions and people see. None of them opens anything.
const SHOWN: [&str; 12] = [
    "content-type",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "x-event-key",
    "x-event-type",
    "x-github-delivery",
    "x-github-event",
    "x-github-hook-id",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-request-id",
];
/// The most alerts of one call.
const ALERTS: usize = 200;
/// The longest key that is kept as it is.
const KEY: usize = 128;
/// What of a body that cannot be read is kept, in characters.
const UNREAD: usize = 2_000;

/// One thing that was delivered.
#[derive(Clone, Debug)]
pub(super) struct Matter {
    /// What tells it from every other.
    pub(super) key: String,
    /// What expressions are asked about: `payload`, `headers`, and `alert` where it is one.
    pub(super) content: Value,
    /// The alert that it is about.
    pub(super) alert: Option<Announced>,
    /// Why nothing can be made of it.
    pub(super) fault: Option<String>,
    /// Why it is none of the trigger's business.
    pub(super) kept_out: Option<String>,
}

/// What monitoring says of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) fingerprint: String,
    pub(super) starts_at: String,
    pub(super) ends_at: Option<String>,
    pub(super) resolved: bool,
}

impl Announced {
    /// Whether it ended before this moment, as far as both can be read.
    pub(super) fn ended_before(&self, moment: &str) -> bool {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        // A time in the year 1 says that there is none.
        let ended = self.ends_at.as_deref().and_then(time).filter(|ended| ended.as_micros() > 0);
        let moment = time(moment);
        ended.zip(moment).is_some_and(|(ended, moment)| ended < moment)
    }

    fn key(&self) -> String {
        let what = if self.resolved { "resolved" } else { "firing" };
        bounded(&format!("{what}/{}/{}", self.fingerprint, self.starts_at))
    }

    fn of(alert: &Value) -> Option<Self> {
        let text = |name: &str, most: usize| {
            let text = alert.get(name).and_then(Value::as_str)?;
            (text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
        };
        let fingerprint = text("fingerprint", KEY).filter(|text| !text.is_empty())?;
        let resolved = match alert.get("status").and_then(Value::as_str)? {
            "firing" => false,
            "resolved" => true,
            _ => return None,
        };
        Some(Self { fingerprint, starts_at: text("startsAt", 64)?, ends_at: text("endsAt", 64), resolved })
    }
}

impl Matter {
    /// What was kept of one, under another key.
    pub(super) fn again(key: String, content: Value) -> Self {
        let alert = content.get("alert").and_then(Announced::of);
        Self { key, content, alert, fault: None, kept_out: None }
    }

    /// Something that is none of the trigger's business. What it says is not kept.
    pub(super) fn kept_out(key: String, words: String) -> Self {
        Self { kept_out: Some(words), ..Self::again(key, Value::Null) }
    }

    /// Something that cannot be read at all.
    pub(super) fn unread(key: String, words: String) -> Self {
        Self { fault: Some(words), ..Self::again(key, Value::Null) }
    }

    fn faulty(key: String, content: Value, fault: &str) -> Self {
        Self { key, content, alert: None, fault: Some(fault.to_owned()), kept_out: None }
    }
}

/// What a proven call delivers.
pub(super) fn read(trigger: &Trigger, call: &HookCall, now: Timestamp) -> Vec<Matter> {
    let headers = Value::Object(
        SHOWN.into_iter().filter_map(|name| Some((name.to_owned(), call.header(name)?.into()))).collect::<Map<_, _>>(),
    );
    let key = key_of(trigger, call);
    let Ok(payload) = serde_json::from_slice::<Value>(call.body()) else {
        let text: String = String::from_utf8_lossy(call.body()).chars().take(UNREAD).collect();
        let fault = "the body is no JSON; have it sent as application/json";
        return vec![Matter::faulty(key, json!({"payload": text, "headers": headers}), fault)];
    };
    if trigger.kind.is_alerts() {
        return alerts(&key, payload, &headers);
    }
    let content = json!({"payload": payload, "headers": headers});
    if proof::is_of_now(trigger.kind, &trigger.signing, call, now) {
        vec![Matter { key, content, alert: None, fault: None, kept_out: None }]
    } else {
        let fault = "it was signed more than five minutes ago or ahead; compare the clocks of both machines";
        vec![Matter::faulty(key, content, fault)]
    }
}

/// The alerts of a notification, each with what is said of its group.
pub(super) fn alerts(key: &str, payload: Value, headers: &Value) -> Vec<Matter> {
    let fault = |payload: Value, fault: &str| {
        vec![Matter::faulty(key.to_owned(), json!({"payload": payload, "headers": headers}), fault)]
    };
    let Value::Object(mut group) = payload else {
        return fault(payload, "the body is no notification of alerts");
    };
    let alerts = match group.remove("alerts") {
        Some(Value::Array(alerts)) if alerts.len() <= ALERTS => alerts,
        Some(Value::Array(_)) => {
            let words =
                "there are more than 200 alerts in one call; set max_alerts of the receiver, or group them further";
            return fault(Value::Object(group), words);
        }
        _ => return fault(Value::Object(group), "the body has no list “alerts”"),
    };
    let group = Value::Object(group);
    let one = |alert: Value| {
        let announced = Announced::of(&alert);
        let content = json!({"payload": group, "headers": headers, "alert": alert});
        match announced {
            Some(announced) => {
                Matter { key: announced.key(), content, alert: Some(announced), fault: None, kept_out: None }
            }
            None => {
                let key = format!("sha256/{}", digest(content.to_string().as_bytes()));
                Matter::faulty(key, content, "an alert needs status (firing or resolved), fingerprint and startsAt")
            }
        }
    };
    alerts.into_iter().map(one).collect()
}

/// What tells a call from every other: what the sender calls it, else what is signed, else what it says. Never a header that the
/// signature does not cover where there is one: the same call would come through again under another text.
fn key_of(trigger: &Trigger, call: &HookCall) -> String {
    let header = |name: &str| call.header(name).filter(|text| !text.trim().is_empty());
    let said = match trigger.kind {
        TriggerKind::Webhook => trigger.signing.id.as_deref().and_then(header),
        TriggerKind::Github => header("x-github-delivery"),
        TriggerKind::Gitlab => header("idempotency-key").or_else(|| header("x-gitlab-event-uuid")),
        TriggerKind::Alertmanager | TriggerKind::Grafana | TriggerKind::FileDrop | TriggerKind::Mailbox => None,
    };
    let signed = || proof::signed_text(trigger.kind, &trigger.signing, call);
    said.map_or_else(|| format!("sha256/{}", digest(signed().as_deref().unwrap_or(call.body()))), bounded)
}

/// The text itself, or its digest where it is too long or odd to be kept.
fn bounded(text: &str) -> String {
    let plain = text.len() <= KEY && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { text.to_owned() } else { format!("sha256/{}", digest(text.as_bytes())) }
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matters(payload: Value) -> Vec<Matter> {
        alerts("call", payload, &json!({}))
    }

    #[test]
    fn each_alert_of_a_group_is_a_matter_of_its_own() {
        let alert = |status: &str, fingerprint: &str| json!({"status": status, "fingerprint": fingerprint, "startsAt": "2026-11-27T10:00:00Z"});
        let found = matters(json!({
            "receiver": "rondo", "status": "firing",
            "alerts": [alert("firing", "a1"), alert("resolved", "b2"), {"status": "firing"}, alert("pending", "c3")],
        }));
        let keys: Vec<_> = found.iter().map(|matter| (matter.key.as_str(), matter.fault.is_none())).collect();
        assert_eq!(keys[..2], [("firing/a1/2026-11-27T10:00:00Z", true), ("resolved/b2/2026-11-27T10:00:00Z", true)]);
        assert!(found[2].fault.is_some() && found[3].fault.is_some());
        assert_eq!(found[0].content["payload"], json!({"receiver": "rondo", "status": "firing"}));
        assert_eq!(found[0].content["alert"]["fingerprint"], "a1");
        assert_eq!(Matter::again("x".to_owned(), found[1].content.clone()).alert, found[1].alert);
    }

    #[test]
    fn what_is_no_notification_is_said_to_be_none() {
        for payload in [json!([]), json!({}), json!({"alerts": 7}), json!({"alerts": vec![0; ALERTS + 1]})] {
            let found = matters(payload.clone());
            assert!(found.len() == 1 && found[0].fault.is_some(), "{payload}");
        }
        assert!(matters(json!({"alerts": []})).is_empty());
    }

    #[test]
    fn long_and_odd_keys_are_kept_as_digests() {
        assert_eq!(bounded("72d3162e-cc78"), "72d3162e-cc78");
        for odd in ["a b", "ä", &"x".repeat(KEY + 1)] {
            assert_eq!(bounded(odd).len(), "sha256/".len() + 64);
        }
    }

    #[test]
    fn an_alert_that_ended_before_another_began_is_not_that_one() {
        let ended = |at: &str| Announced {
            fingerprint: "a".to_owned(),
            starts_at: String::new(),
            ends_at: Some(at.to_owned()),
            resolved: true,
        };
        assert!(ended("2026-11-27T10:00:00Z").ended_before("2026-11-27T11:00:00+00:30"));
        assert!(!ended("2026-11-27T10:00:00Z").ended_before("2026-11-27T10:00:00.000Z"));
        assert!(!ended("").ended_before("2026-11-27T10:00:00Z"));
        assert!(!ended("0001-01-01T00:00:00Z").ended_before("2026-11-27T10:00:00Z"));
    }
}

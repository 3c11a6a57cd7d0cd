//! How a call proves that it comes from somebody who has a trigger's secret.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{Timestamp, TriggerKind};
use ring::hmac;
use store::triggers::Signing;

/// How far the time of a signed call may be from ours.
const WINDOW: Duration = Duration::from_mins(5);
/// How secrets begin whose rest is the key in base64, as Standard Webhooks have them.
const KEY_PREFIX: &str = "whsec_";
/// What stands before a signature.
const SCHEMES: [&str; 4] = ["sha256=", "v1,", "v1=", ""];
/// The most signatures of a header that are looked at.
const SIGNATURES: usize = 8;

/// What somebody sent to the address of a trigger.
#[derive(Clone, Debug, Default)]
pub struct HookCall {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl HookCall {
    /// A call with these headers, whatever the case of their names, and this body.
    pub fn new(headers: impl IntoIterator<Item = (String, String)>, body: Vec<u8>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Self { headers, body }
    }

    /// One of the headers, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The body.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Whether the call is proven. Takes about as long whatever is wrong with it, and whoever should have called.
pub(super) fn holds(kind: TriggerKind, signing: &Signing, secret: &str, call: &HookCall) -> bool {
    let signed = signed_text(kind, signing, call);
    let key = key_of(kind, secret);
    let expected = hmac::sign(&key, signed.as_deref().unwrap_or(call.body()));
    match kind {
        TriggerKind::Webhook => {
            let shown = signing.signature.as_deref().and_then(|name| call.header(name));
            signed.is_some() && shown.is_some_and(|shown| is_signature(&key, expected.as_ref(), shown))
        }
        TriggerKind::Github => {
            let shown = ["x-hub-signature-256", "x-gitea-signature"].into_iter().find_map(|name| call.header(name));
            shown.is_some_and(|shown| is_signature(&key, expected.as_ref(), shown))
        }
        TriggerKind::Gitlab => is_secret(&key, secret, call.header("x-gitlab-token").unwrap_or_default()),
        TriggerKind::Alertmanager | TriggerKind::Grafana => {
            let shown = call.header("authorization").and_then(credential).unwrap_or_default();
            is_secret(&key, secret, &shown)
        }
        // Nobody calls.
        TriggerKind::FileDrop | TriggerKind::Mailbox => false,
    }
}

/// What is signed; none where a part of it is missing.
pub(super) fn signed_text(kind: TriggerKind, signing: &Signing, call: &HookCall) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    if kind == TriggerKind::Webhook {
        for name in [&signing.id, &signing.time].into_iter().flatten() {
            text.extend_from_slice(call.header(name)?.as_bytes());
            text.push(b'.');
        }
    }
    text.extend_from_slice(call.body());
    Some(text)
}

fn key_of(kind: TriggerKind, secret: &str) -> hmac::Key {
    let encoded = secret.strip_prefix(KEY_PREFIX).filter(|_| kind == TriggerKind::Webhook);
    let decoded = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(secret.as_bytes()))
}

/// Whether one of the signatures in a header, in hexadecimal or base64, is the expected one.
fn is_signature(key: &hmac::Key, expected: &[u8], shown: &str) -> bool {
    shown.split_ascii_whitespace().take(SIGNATURES).any(|one| {
        let bare = SCHEMES.into_iter().find_map(|scheme| one.strip_prefix(scheme)).unwrap_or(one);
        let signature = hex::decode(bare).ok().or_else(|| STANDARD.decode(bare).ok());
        signature.is_some_and(|signature| same(key, expected, &signature))
    })
}

fn is_secret(key: &hmac::Key, secret: &str, shown: &str) -> bool {
    same(key, secret.as_bytes(), shown.as_bytes())
}

/// Whether two texts are the same, found out in a time that does not tell where they differ.
fn same(key: &hmac::Key, expected: &[u8], shown: &[u8]) -> bool {
    let expected = hmac::sign(key, expected);
    hmac::verify(key, shown, expected.as_ref()).is_ok()
}

/// The token of a bearer, or the password of whoever signs in by one.
fn credential(header: &str) -> Option<String> {
    let (scheme, value) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// Whether a signed call is of now, where it says when it was signed.
pub(super) fn is_of_now(kind: TriggerKind, signing: &Signing, call: &HookCall, now: Timestamp) -> bool {
    let Some(name) = signing.time.as_deref().filter(|_| kind == TriggerKind::Webhook) else { return true };
    let Some(text) = call.header(name).map(str::trim) else { return false };
    let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let Some(signed) = seconds.map(Timestamp::from_micros).or_else(|| text.parse().ok()) else { return false };
    now.as_micros().abs_diff(signed.as_micros()) <= u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(headers: &[(&str, &str)], body: &str) -> HookCall {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        HookCall::new(headers, body.as_bytes().to_vec())
    }

    fn standard() -> Signing {
        Signing {
            signature: Some("webhook-signature".to_owned()),
            time: Some("webhook-timestamp".to_owned()),
            id: Some("webhook-id".to_owned()),
        }
    }

    #[test]
    fn github_signs_the_body() {
        // From GitHub's description of its webhooks.
        let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let proven = |headers: &[(&str, &str)], body: &str| {
            holds(TriggerKind::Github, &Signing::default(), secret, &call(headers, body))
        };
        assert!(proven(&[("X-Hub-Signature-256", signature)], body));
        assert!(!proven(&[("X-Hub-Signature-256", signature)], "Hello, World?"));
        assert!(!proven(&[("X-Hub-Signature-256", &signature.replace('7', "8"))], body));
        assert!(!proven(&[("X-Hub-Signature-256", "sha256=")], body));
        assert!(!proven(&[("X-Hub-Signature", signature)], body));
        assert!(!proven(&[], body));
    }

    #[test]
    fn standard_webhooks_sign_id_time_and_body() {
        // From the description of Standard Webhooks.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = "{\"test\": 2432232314}";
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            (
                "webhook-signature",
                "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
        ];
        let proven = |headers: &[(&str, &str)]| holds(TriggerKind::Webhook, &standard(), secret, &call(headers, body));
        assert!(proven(&headers));
        assert!(!proven(&headers[..2]));
        assert!(!proven(&headers[1..]), "the id is signed");
        let [id, _, signature] = headers;
        assert!(!proven(&[id, ("webhook-timestamp", "1614265331"), signature]));
        let signed = Timestamp::from_micros(1_614_265_330_000_000);
        let fresh = |now| is_of_now(TriggerKind::Webhook, &standard(), &call(&headers, body), now);
        assert!(fresh(signed) && fresh(signed + WINDOW) && fresh(signed - WINDOW));
        assert!(!fresh(signed + WINDOW + Duration::from_secs(1)) && !fresh(signed - WINDOW - Duration::from_secs(1)));
    }

    #[test]
    fn a_body_alone_can_be_signed_and_then_says_no_time() {
        let signing = Signing { signature: Some("x-signature".to_owned()), ..Signing::default() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"a secret of sixteen");
        let signature = hex::encode(hmac::sign(&key, b"{}"));
        for shown in [signature.clone(), format!("sha256={signature}"), format!("v1={signature}")] {
            let call = call(&[("X-Signature", &shown)], "{}");
            assert!(holds(TriggerKind::Webhook, &signing, "a secret of sixteen", &call), "{shown}");
            assert!(is_of_now(TriggerKind::Webhook, &signing, &call, Timestamp::from_micros(0)));
        }
    }

    #[test]
    fn gitlab_and_monitoring_show_the_secret() {
        let proven = |kind, headers: &[(&str, &str)]| {
            holds(kind, &Signing::default(), "correct horse battery", &call(headers, "{}"))
        };
        assert!(proven(TriggerKind::Gitlab, &[("X-Gitlab-Token", "correct horse battery")]));
        assert!(!proven(TriggerKind::Gitlab, &[("X-Gitlab-Token", "correct horse batterY")]));
        assert!(!proven(TriggerKind::Gitlab, &[]));
        let basic = format!("Basic {}", STANDARD.encode("prometheus:correct horse battery"));
        let wrong = format!("Basic {}", STANDARD.encode("correct horse battery:prometheus"));
        for kind in [TriggerKind::Alertmanager, TriggerKind::Grafana] {
            assert!(proven(kind, &[("Authorization", "Bearer correct horse battery")]));
            assert!(proven(kind, &[("Authorization", &basic)]));
            for no in [wrong.as_str(), "Bearer x", "Bearer", "Basic !", "correct horse battery", ""] {
                assert!(!proven(kind, &[("Authorization", no)]), "{no}");
            }
        }
    }
}

//! What the services answer, in words that say what to do.

use serde_json::Value;
use workflow::{RunError, StandardError};

use super::Flavour;
use crate::{
    Failure,
    http::{
        exchange::refused,
        plain::{Answered, Terms, excerpt},
    },
};

/// What Slack says of a webhook that is none, or is one no more.
const UNKNOWN: [&str; 7] =
    ["invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team", "team_disabled", "user_not_found"];
/// What Slack says of a message that it would otherwise have posted.
const ABOUT_THE_TEXT: [&str; 3] = ["invalid_payload", "missing_text_or_fallback_or_attachments", "no_text"];
/// What it says of rights.
const FORBIDDEN: [&str; 3] = ["action_prohibited", "posting_to_general_channel_denied", "invalid_auth"];
/// How a connector of Teams of the older kind begins to say, with status 200, that it has posted nothing.
const FAILED: &str = "Webhook message delivery failed";

/// Whether Slack refuses an empty message for being empty only.
pub(super) fn is_about_the_text(answer: &Answered) -> bool {
    ABOUT_THE_TEXT.contains(&String::from_utf8_lossy(&answer.content).trim())
}

/// Whether it was posted; else what that means.
pub(super) fn judge(flavour: Flavour, answer: &Answered, webhook: &str, terms: &Terms<'_>) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(&answer.content).trim().to_owned();
    let name = flavour.name();
    if answer.status == 429 || (flavour == Flavour::Teams && text.starts_with(FAILED) && text.contains("429")) {
        let after = answer.header("retry-after").and_then(|after| after.parse::<u32>().ok());
        let after = after.map_or_else(|| "later".to_owned(), |seconds| format!("after {seconds} seconds"));
        return Err(Failure::retryable(RunError::communication(
            429,
            format!(
                "{name} takes no more messages now; try again {after}, or limit the calls per minute of the connection"
            ),
        )));
    }
    if answer.is_success() && !text.starts_with(FAILED) {
        let confirmed = match flavour {
            Flavour::Slack | Flavour::Mattermost => text == "ok",
            // A workflow takes it on with 202; an older connector says 1.
            Flavour::Teams => answer.status == 202 || text.is_empty() || text == "1",
        };
        return if confirmed {
            Ok(())
        } else {
            Err(terms.unusable(format!(
                "{name} did not say that it has posted the message; check that the connection's webhook is one of {name}, and \
                 no sign-in page"
            )))
        };
    }
    let said = said(flavour, &text, webhook);
    let code = text.as_str();
    if code.starts_with("channel_") {
        return Err(Failure::refused(
            404,
            format!("the channel of the webhook is gone or archived ({said}); make a webhook for another one"),
        ));
    }
    if UNKNOWN.contains(&code) || matches!(answer.status, 401 | 404 | 410) {
        return Err(Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!(
                "{name} does not know the webhook ({said}); make one there, and enter its address into the connection"
            ),
        )));
    }
    if FORBIDDEN.contains(&code) || answer.status == 403 {
        return Err(Failure::permanent(RunError::new(
            StandardError::Authorization,
            format!(
                "{name} does not let the webhook post there ({said}); permit it there, or make one for another channel"
            ),
        )));
    }
    let status = if answer.is_success() { 502 } else { answer.status };
    let failure = refused(status, format!("{name} refused the message with status {status}: {said}"));
    Err(if answer.is_success() { Failure::permanent(*failure.error) } else { failure })
}

/// The words of a refusal.
fn said(flavour: Flavour, text: &str, webhook: &str) -> String {
    let document = serde_json::from_str::<Value>(text).unwrap_or_default();
    let message = match flavour {
        Flavour::Slack => None,
        Flavour::Mattermost => document.get("message"),
        Flavour::Teams => document.pointer("/error/message"),
    };
    // Some pages of errors say which path was asked for.
    let path = webhook.splitn(4, '/').nth(3).unwrap_or_default();
    excerpt(message.and_then(Value::as_str).unwrap_or(text), [webhook, path])
}

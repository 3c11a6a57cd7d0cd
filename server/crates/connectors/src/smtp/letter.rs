//! From evaluated arguments to a mail.

use std::time::{Duration, SystemTime};

use domain::Timestamp;
use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use workflow::{RunError, StandardError};

use crate::Failure;

/// A mail that is ready to be sent.
pub(super) struct Letter {
    pub(super) message: Message,
    /// With the angle brackets.
    pub(super) message_id: String,
    /// Name of its file, without suffix: safe for every file system.
    pub(super) file_name: String,
    /// Whom it goes to.
    pub(super) recipients: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct With {
    to: OneOrMany,
    cc: Option<OneOrMany>,
    reply_to: Option<String>,
    subject: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn mailboxes(&self) -> Result<Vec<Mailbox>, Failure> {
        match self {
            Self::One(text) => Ok(vec![mailbox(text)?]),
            Self::Many(texts) => texts.iter().map(|text| mailbox(text)).collect(),
        }
    }
}

impl Letter {
    pub(super) fn write(with: &Value, from: &Mailbox, key: &str, at: Timestamp) -> Result<Self, Failure> {
        // serde's message may quote the text, and the text may hold a one-time link.
        let with =
            With::deserialize(with).map_err(|_| Failure::configuration("the arguments of smtp cannot be read"))?;
        if with.subject.chars().any(char::is_control) {
            return Err(invalid("the subject holds a line break or another control character"));
        }
        let digest = hex::encode(Sha256::digest(key.as_bytes()));
        let short = digest.get(..32).unwrap_or(&digest);
        let message_id = format!("<rondo.{short}@{}>", from.email.domain());
        let since_epoch = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0));
        let (to, cc) = (with.to.mailboxes()?, with.cc.as_ref().map(OneOrMany::mailboxes).transpose()?);
        let cc = cc.unwrap_or_default();
        let recipients = to.iter().chain(&cc).map(|mailbox| mailbox.email.to_string()).collect();
        let mut message = Message::builder()
            .from(from.clone())
            .subject(with.subject)
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(message_id.clone()))
            .header(ContentType::TEXT_PLAIN);
        for mailbox in to {
            message = message.to(mailbox);
        }
        for mailbox in cc {
            message = message.cc(mailbox);
        }
        if let Some(text) = &with.reply_to {
            message = message.reply_to(mailbox(text)?);
        }
        let message =
            message.body(with.text).map_err(|error| invalid(format!("the mail cannot be written: {error}")))?;
        Ok(Self { message, message_id, file_name: short.to_owned(), recipients })
    }
}

fn mailbox(text: &str) -> Result<Mailbox, Failure> {
    if text.chars().any(char::is_control) {
        return Err(invalid("an address holds a line break or another control character"));
    }
    text.parse().map_err(|_| invalid(format!("“{text}” is not a mail address")))
}

fn invalid(detail: impl Into<String>) -> Failure {
    Failure::permanent(RunError::new(StandardError::Validation, detail))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn write(with: &Value) -> Result<String, Failure> {
        let from = "Rondo <rondo@example.test>".parse().unwrap();
        let letter = Letter::write(with, &from, "key-1", Timestamp::from_micros(1_795_000_000_000_000))?;
        Ok(String::from_utf8(letter.message.formatted()).unwrap())
    }

    #[test]
    fn the_message_id_comes_from_the_key() {
        let with = json!({"to": "a@example.test", "subject": "s", "text": "t"});
        let (one, two) = (write(&with).unwrap(), write(&with).unwrap());
        assert_eq!(one, two);
        assert!(one.contains("Message-ID: <rondo."), "{one}");
        assert!(one.contains("@example.test>"), "{one}");
    }

    #[test]
    fn text_and_subject_may_be_in_any_language() {
        let mail = write(&json!({"to": ["가 <a@example.test>", "b@example.test"], "cc": "c@example.test",
            "subject": "환영합니다", "text": "안녕하세요\n.\n끝"}))
        .unwrap();
        assert!(mail.is_ascii(), "{mail}");
        assert!(mail.contains("Subject: =?utf-8?b?"), "{mail}");
        assert!(mail.contains("Cc: c@example.test"), "{mail}");
    }

    #[test]
    fn no_header_can_be_smuggled_in() {
        for with in [
            json!({"to": "a@example.test", "subject": "s\r\nBcc: evil@example.test", "text": "t"}),
            json!({"to": "a@example.test\nBcc: evil@example.test", "subject": "s", "text": "t"}),
            json!({"to": "a@example.test", "cc": ["x\r\n <b@example.test>"], "subject": "s", "text": "t"}),
            json!({"to": "a@example.test", "replyTo": "x@y\r\nX: y", "subject": "s", "text": "t"}),
        ] {
            assert!(write(&with).unwrap_err().error.is(StandardError::Validation), "{with}");
        }
    }

    #[test]
    fn a_wrong_address_is_named() {
        let error = write(&json!({"to": "nobody", "subject": "s", "text": "t"})).unwrap_err();
        assert!(error.to_string().contains("“nobody” is not a mail address"), "{error}");
    }
}

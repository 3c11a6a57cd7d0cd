//! What a call of `messaging` asks for.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

use super::content::{self, Encoding};
use crate::{Failure, Repetition};

/// How long messages are waited for, if the call does not say.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest that a call waits by itself; more is a loop.
const LONGEST: Duration = Duration::from_mins(5);

/// What is to be done.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase")]
pub(super) enum Operation {
    Publish {
        #[serde(flatten)]
        message: Message,
        /// Whether a stream has to keep it; else whoever listens gets it.
        #[serde(default = "yes")]
        stored: bool,
        /// Which stream, where it has to be this one.
        stream: Option<String>,
    },
    Request {
        #[serde(flatten)]
        message: Message,
        #[serde(rename = "for", deserialize_with = "patience", default = "usual")]
        patience: Duration,
    },
    Receive {
        stream: String,
        consumer: String,
        #[serde(default = "one")]
        limit: u16,
        #[serde(rename = "for", deserialize_with = "patience", default = "usual")]
        patience: Duration,
    },
    Acknowledge {
        receipts: Vec<String>,
        #[serde(default)]
        verdict: Verdict,
    },
}

/// A message to be sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) subject: String,
    content: Value,
    #[serde(default)]
    encoding: Encoding,
    content_type: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
}

/// What became of a message that was received.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It is done: it does not come again.
    #[default]
    Done,
    /// It is to come again, to whoever asks next.
    Again,
    /// Nobody can do anything with it: it does not come again.
    Never,
}

impl Verdict {
    /// As the protocol writes it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Done => "+ACK",
            Self::Again => "-NAK",
            Self::Never => "+TERM",
        }
    }
}

impl Message {
    pub(super) fn payload(&self) -> Result<Vec<u8>, Failure> {
        content::bytes_of(&self.content, self.encoding)
    }

    pub(super) fn media_type(&self) -> &str {
        self.content_type.as_deref().unwrap_or_else(|| self.encoding.media_type())
    }
}

impl Operation {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        Self::deserialize(with).map_err(|_| {
            Failure::configuration(if with.get("for").is_some() {
                "the arguments cannot be read; for is a duration of a tenth of a second to five minutes, such as PT10S"
            } else {
                "the arguments cannot be read"
            })
        })
    }

    pub(super) fn repetition(&self) -> Repetition {
        match self {
            // The stream knows the message again by its id; what is not acknowledged comes again; and who has acknowledged a
            // message may say so twice.
            Self::Publish { stored: true, .. } | Self::Receive { .. } | Self::Acknowledge { .. } => Repetition::Safe,
            Self::Publish { stored: false, .. } | Self::Request { .. } => Repetition::Once,
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> u16 {
    1
}

fn usual() -> Duration {
    PATIENCE
}

fn patience<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = Value::deserialize(deserializer)?;
    workflow::duration::from_value(&value)
        .filter(|patience| (Duration::from_millis(100)..=LONGEST).contains(patience))
        .ok_or_else(|| serde::de::Error::custom("not a duration of a tenth of a second to five minutes"))
}

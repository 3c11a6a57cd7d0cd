//! What can be done with devices, as definitions write it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Failure;

/// The longest that a device waits for a confirmation.
const LONGEST: Duration = Duration::from_hours(1);

/// An operation.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Operation {
    GetConfig {
        #[serde(default)]
        source: Source,
        filter: Option<String>,
        path: Option<String>,
    },
    Read {
        #[serde(default)]
        commands: Vec<String>,
        filter: Option<String>,
        path: Option<String>,
        #[serde(default)]
        json: bool,
    },
    Neighbours {},
    Plan(Change),
    Change(Change),
    Confirm {
        pending: Option<Pending>,
    },
    Rollback {
        pending: Option<Pending>,
        backup: Option<String>,
        path: Option<String>,
    },
    Command {
        commands: Vec<String>,
        #[serde(default)]
        json: bool,
        #[serde(default)]
        only_reads: bool,
    },
}

/// Where a configuration is read.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Source {
    #[default]
    Running,
    Candidate,
    Startup,
}

/// What is to be changed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change {
    /// XML, or commands.
    pub(super) config: Option<String>,
    #[serde(default)]
    pub(super) default_operation: DefaultOperation,
    /// The digest of the configuration that the change was made for.
    pub(super) base: Option<String>,
    #[serde(default, deserialize_with = "confirm_within")]
    pub(super) confirm_within: Option<Duration>,
    /// Of RESTCONF.
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) method: Method,
    pub(super) data: Option<Value>,
    pub(super) if_match: Option<String>,
}

/// What becomes of what stands in both configurations.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DefaultOperation {
    #[default]
    Merge,
    Replace,
    None,
}

/// How a data resource is changed.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Method {
    #[default]
    Patch,
    Put,
    Delete,
}

/// A change that waits for its confirmation.
#[derive(Deserialize)]
pub(super) struct Pending {
    pub(super) id: Option<String>,
    pub(super) digest: String,
}

fn confirm_within<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else { return Ok(None) };
    let within = |limit: &Duration| (Duration::from_secs(1)..=LONGEST).contains(limit);
    let limit = workflow::duration::from_value(&value).filter(within);
    limit.map(Some).ok_or_else(|| serde::de::Error::custom("not a duration of a second to an hour"))
}

impl Operation {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // serde's message may quote a value, and the value may be a secret.
        Self::deserialize(with).map_err(|_| {
            Failure::configuration(
                "the arguments of network cannot be read; `confirmWithin` is a second to an hour (PT2M), and `pending` \
                 what a change gave",
            )
        })
    }
}

impl Change {
    /// The configuration, which two of the kinds of connection need.
    pub(super) fn config(&self) -> Result<&str, Failure> {
        let config = self.config.as_deref().filter(|config| !config.trim().is_empty());
        config.ok_or_else(|| Failure::configuration("there is no change; write it into `config`"))
    }

    /// Whether the configuration is the one that the change was made for.
    pub(super) fn fits(&self, running: &str, host: &str) -> Result<(), Failure> {
        match &self.base {
            Some(base) if *base != digest(running) => Err(Failure::refused(
                409,
                format!(
                    "the configuration of {host} is no longer the one that this change was made for (`base`): somebody \
                     has changed it meanwhile; look at it, and ask for the change again"
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl Source {
    pub(super) const fn element(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Candidate => "candidate",
            Self::Startup => "startup",
        }
    }
}

impl DefaultOperation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::None => "none",
        }
    }
}

impl Method {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// By which a configuration is known again.
pub(super) fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// By which a device knows a change again that waits for its confirmation.
pub(super) fn persist_id(key: &str) -> String {
    format!("rondo-{}", digest(key).get(..32).unwrap_or_default())
}

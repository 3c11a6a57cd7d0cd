use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ConnectionId, TeamId, Timestamp, UserId};

/// A configured target. Its secret never leaves the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionView {
    /// Its id.
    pub id: ConnectionId,
    /// Its name, by which workflows call it.
    pub name: String,
    /// Its kind (`directory`, `smtp`, `http`).
    pub kind: String,
    /// Its settings, without secrets.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub settings: Value,
    /// Whether a secret is stored.
    pub has_secret: bool,
    /// The namespaces that may use it; `*` for all.
    pub namespaces: Vec<String>,
    /// Who answers for it, and is asked where a workflow names its owner as approver.
    #[serde(default)]
    pub owner: Option<OwnerView>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Whether it works.
    pub state: ConnectionState,
    /// Since when its checks fail, without one that worked in between.
    #[serde(default)]
    pub failing_since: Option<Timestamp>,
    /// The last check of these settings.
    #[serde(default)]
    pub last_check: Option<ConnectionCheck>,
}

/// Whether a connection works, as far as its checks tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ConnectionState {
    /// The last check worked.
    Working,
    /// The last check failed, or what was changed since has not been checked yet.
    Failing,
    /// It has not been checked yet.
    Untested,
}

impl ConnectionState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Working, Self::Failing, Self::Untested];

    /// The name in interfaces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Failing => "failing",
            Self::Untested => "untested",
        }
    }
}

/// A connection that an administrator has to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FailingConnection {
    /// Its name.
    pub name: String,
    /// Since when.
    pub failing_since: Timestamp,
    /// What exactly fails; none if that is not known at the moment.
    #[serde(default)]
    pub detail: Option<String>,
}

/// Who answers for a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum OwnerView {
    /// A person.
    User {
        /// Their id.
        id: UserId,
        /// Their login name.
        login: String,
    },
    /// Everybody in a team.
    Team {
        /// Its id.
        id: TeamId,
        /// Its short name.
        name: String,
    },
}

/// How a connection test went, step by step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionCheck {
    /// Whether every step worked.
    pub ok: bool,
    /// When it was tried.
    pub at: Timestamp,
    /// The steps in order (`settings`, `name`, `connect`, `tls`, `sign-in`, `right`), up to the first that failed.
    pub steps: Vec<CheckStep>,
}

/// One step of a connection test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckStep {
    /// Which step.
    pub step: String,
    /// Whether it worked.
    pub ok: bool,
    /// What was found, or exactly what failed.
    pub detail: String,
}

//! Roles and the scopes they are granted on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{InvalidName, Name};

/// The text names no role.
#[derive(Debug, thiserror::Error)]
#[error("unknown role")]
pub struct UnknownRole;

/// What a grant lets its holder do; the policies in `server/policies/` say it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Role {
    /// Sees the catalogue, launches workflows, follows own requests.
    Requester,
    /// May be asked for decisions.
    Approver,
    /// Sees and steers all runs of the scope.
    Operator,
    /// Writes definitions.
    Author,
    /// Reviews and publishes definitions.
    Publisher,
    /// Reads the audit log, and nothing else.
    Auditor,
    /// Manages users, teams, grants and connections; no bypass of an approval.
    Administrator,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Self] = &[
        Self::Requester,
        Self::Approver,
        Self::Operator,
        Self::Author,
        Self::Publisher,
        Self::Auditor,
        Self::Administrator,
    ];

    /// Roles that one person should not hold together where their scopes meet: whoever does one is checked by the other.
    pub const CONFLICTS: &'static [(Self, Self)] = &[
        (Self::Requester, Self::Approver),
        (Self::Author, Self::Publisher),
        (Self::Operator, Self::Author),
        (Self::Operator, Self::Approver),
        (Self::Administrator, Self::Auditor),
        (Self::Administrator, Self::Publisher),
    ];

    /// The name as it stands in interfaces, policies and databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Author => "author",
            Self::Publisher => "publisher",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// Where a grant holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// In every namespace, and for what belongs to none; written `*`.
    Everywhere,
    /// In one namespace.
    Namespace(Name),
}

impl Scope {
    /// Whether something in `namespace` is within this scope.
    #[must_use]
    pub fn covers(&self, namespace: &Name) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Namespace(own) => own == namespace,
        }
    }

    /// The namespace, if it is one.
    #[must_use]
    pub const fn namespace(&self) -> Option<&Name> {
        match self {
            Self::Everywhere => None,
            Self::Namespace(name) => Some(name),
        }
    }

    /// What is within both scopes, if anything is.
    #[must_use]
    pub fn meet<'s>(&'s self, other: &'s Self) -> Option<&'s Self> {
        match (self, other) {
            (Self::Everywhere, narrower) | (narrower, Self::Everywhere) => Some(narrower),
            _ => (self == other).then_some(self),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("*"),
            Self::Namespace(name) => name.fmt(f),
        }
    }
}

impl FromStr for Scope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" { Ok(Self::Everywhere) } else { text.parse().map(Self::Namespace) }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Scope {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Scope {}

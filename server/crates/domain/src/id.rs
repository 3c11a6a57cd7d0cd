//! Typed ids. All are UUIDs (version 7 when the server makes them, so that they sort by age).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The source of new ids, a parameter wherever something is created.
pub trait Ids: Send + Sync {
    /// A new, never repeated UUID; version 7 in production, a counter in tests.
    fn next(&self) -> Uuid;
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from the given source.
            pub fn new(ids: &dyn Ids) -> Self {
                Self(ids.next())
            }

            /// The id that a stored or received UUID stands for.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

typed_ids! {
    /// A person or service account that can sign in.
    UserId,
    /// A team; also a group of the built-in directory.
    TeamId,
    /// A role given to a user or team on a scope.
    GrantId,
    /// A signed-in browser.
    SessionId,
    /// An API token.
    TokenId,
    /// A one-time link (first administrator, set a password, show a password once).
    LinkId,
    /// One execution of a workflow.
    RunId,
    /// A task that waits for decisions.
    ApprovalId,
    /// One person's decision on an approval.
    DecisionId,
    /// A question about an approval, or an answer to one.
    RemarkId,
    /// A time in which somebody decides for somebody else.
    DelegationId,
    /// A configured target with credentials.
    ConnectionId,
    /// A request that a person has begun and not yet sent.
    DraftId,
    /// A notice to a person in the portal.
    NotificationId,
    /// Something that a reviewer said of a version of a definition.
    CommentId,
    /// A review of who holds which roles.
    AccessReviewId,
    /// A role that somebody holds for a few hours because two people agreed that it is needed.
    EmergencyId,
    /// A legal hold on entries of the audit log.
    HoldId,
    /// A runner that executes processes near the systems.
    RunnerId,
    /// What another system calls to have runs launched.
    TriggerId,
}

impl UserId {
    /// Who asks for the runs that begin by themselves: no person. Signs in nowhere, has no manager and no role, and stands
    /// in no list of people.
    pub const SCHEDULE: Self = Self(Uuid::from_u128(0x0000_0000_0000_8000_8000_7363_6865_6475));
    /// Who asks for the runs that other systems cause by calling a trigger: no person either.
    pub const TRIGGER: Self = Self(Uuid::from_u128(0x0000_0000_0000_8000_8000_7472_6967_6765));

    /// Whether it can be somebody: in the names of the others runs begin by themselves.
    #[must_use]
    pub fn can_be_a_person(self) -> bool {
        self != Self::SCHEDULE && self != Self::TRIGGER
    }
}

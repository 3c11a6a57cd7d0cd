//! What an entry says.

use domain::{Name, SessionId, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in entries.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

words! {
    /// Through which door somebody came.
    Door {
        /// The web interface.
        Portal = "portal",
        /// The REST interface.
        Rest = "rest",
        /// The command line beside the server.
        Cli = "cli",
        /// Nobody came: the engine did it.
        Engine = "engine",
    }
}

words! {
    /// What became of it.
    Outcome {
        /// It was done.
        Done = "done",
        /// A policy, a wrong password or a broken rule refused it.
        Refused = "refused",
        /// It was allowed and went wrong.
        Failed = "failed",
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person; none for the system, or when the name that was tried belongs to nobody.
    pub id: Option<UserId>,
    /// The sign-in name, `system`, or the name that was tried.
    pub login: String,
}

impl Actor {
    /// The engine, or a command on the server itself.
    pub fn system() -> Self {
        Self { id: None, login: "system".to_owned() }
    }

    /// A schedule, which launches runs by itself.
    pub fn schedule() -> Self {
        Self { id: Some(UserId::SCHEDULE), login: "schedule".to_owned() }
    }

    /// A trigger, by which another system launches runs.
    pub fn trigger() -> Self {
        Self { id: Some(UserId::TRIGGER), login: "trigger".to_owned() }
    }

    /// A known person.
    pub fn person(id: UserId, login: impl Into<String>) -> Self {
        Self { id: Some(id), login: login.into() }
    }

    /// Somebody who gave this name and was not recognised.
    pub fn unknown(tried: impl Into<String>) -> Self {
        Self { id: None, login: tried.into() }
    }
}

/// What it was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRef {
    /// Its kind (`run`, `user` …).
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name for people (`R-1042`).
    pub name: String,
    /// Whom the name names, where it has the names of people in it. That of a user always does.
    #[serde(default)]
    pub persons: Vec<UserId>,
}

/// Where something in a detail names a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The JSON pointer of the value within the detail (`/before/name`).
    pub pointer: String,
    /// Whom; none where that is not known.
    #[serde(default)]
    pub persons: Vec<UserId>,
}

/// What an entry says beyond who did what, and where that names people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// An object, or null for nothing.
    pub value: Value,
    /// What of it can be erased.
    pub named: Vec<Named>,
}

impl From<Value> for Detail {
    fn from(value: Value) -> Self {
        Self { value, named: Vec::new() }
    }
}

impl Detail {
    /// Marks what stands at a JSON pointer as naming people, who can ask for it to be erased; none where it is not known whom.
    #[must_use]
    pub fn naming(mut self, pointer: impl Into<String>, persons: impl IntoIterator<Item = UserId>) -> Self {
        self.named.push(Named { pointer: pointer.into(), persons: persons.into_iter().collect() });
        self
    }

    /// The same for the items of an array, each of which names one person.
    #[must_use]
    pub fn naming_each(self, pointer: &str, persons: impl IntoIterator<Item = UserId>) -> Self {
        let persons = persons.into_iter().enumerate();
        persons.fold(self, |detail, (place, person)| detail.naming(format!("{pointer}/{place}"), [person]))
    }
}

/// Something to be entered in the audit log.
///
/// Names, ids, the address and the trace id are cut after 512 characters. A detail that is larger than 1 MiB or nested
/// deeper than 64 is replaced by its size and SHA-256: an entry never fails for what is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// Through which door.
    pub door: Door,
    /// With which session.
    pub session: Option<SessionId>,
    /// With which API token.
    pub token: Option<TokenId>,
    /// From which address.
    pub address: Option<String>,
    /// Which request or step; the same as in the server's log.
    pub trace_id: String,
    /// The operation (`approval.decide`) or event (`run.completed`).
    pub action: String,
    /// On what.
    pub resource: ResourceRef,
    /// The resource's namespace.
    pub namespace: Option<Name>,
    /// What became of it.
    pub outcome: Outcome,
    /// The policies that determined it.
    pub policies: Vec<String>,
    /// The digest of the set of policies that was asked; none where no policy was.
    #[serde(default)]
    pub policy_set: Option<String>,
    /// What else there is to know, before and after included; an object, or null for nothing; anything else becomes
    /// its member `value`. No secrets.
    pub detail: Value,
    /// Where that names people.
    #[serde(default)]
    pub named: Vec<Named>,
}

impl Entry {
    /// Whether its actor is a person, or somebody who gave the name of one, and neither the portal itself nor its console.
    pub(crate) fn is_by_person(&self) -> bool {
        match self.actor.id {
            Some(id) => id.can_be_a_person(),
            None => matches!(self.door, Door::Portal | Door::Rest),
        }
    }
}

use serde::{Deserialize, Serialize};

use super::{ApprovalSummary, FailingConnection, Person, RunSummary};
use crate::{GrantId, Name, NotificationId, Operation, Role, Scope, SessionId, TeamId, Timestamp, TokenId, UserId};

/// Who the caller is, and what the caller may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MeView {
    /// The caller's id.
    pub id: UserId,
    /// Sign-in name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Chosen language (`en`, `ko`).
    pub locale: String,
    /// Chosen theme (`system`, `light`, `dark`).
    pub theme: String,
    /// The caller's manager.
    #[serde(default)]
    pub manager: Option<Person>,
    /// Roles with their scopes, own and by team.
    pub grants: Vec<GrantView>,
    /// What the caller may do somewhere; pages show only what is in here.
    pub operations: Vec<Operation>,
    /// How many approvals wait for the caller; 1,000 if it is more.
    pub pending_decisions: u64,
    /// How many notices are unread.
    pub unread_notifications: u64,
    /// Whether the password must be changed before anything else.
    pub must_change_password: bool,
    /// Whether the server sends mail.
    pub mail_enabled: bool,
    /// Whether this is the demonstration organisation.
    pub demo: bool,
}

/// A grant as a sentence has it: who, which role, where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct GrantView {
    /// Its id.
    pub id: GrantId,
    /// Who holds it.
    pub subject: SubjectView,
    /// The role.
    pub role: Role,
    /// Where it holds; `*` for everywhere.
    pub scope: Scope,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// Whether it has ended: it gives nothing any more, and is replaced when it is given anew.
    #[serde(default)]
    pub ended: bool,
    /// When it was given.
    pub created_at: Timestamp,
}

/// The holder of a grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum SubjectView {
    /// A person.
    User {
        /// Their id.
        id: UserId,
        /// Their name.
        name: String,
    },
    /// A team.
    Team {
        /// Its id.
        id: TeamId,
        /// Its name.
        name: String,
    },
}

/// A person as administrators see them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Their id.
    pub id: UserId,
    /// Sign-in name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether they may sign in.
    pub active: bool,
    /// Whether they have a password yet.
    pub has_password: bool,
    /// Their manager.
    #[serde(default)]
    pub manager: Option<Person>,
    /// Their teams' names.
    pub teams: Vec<String>,
    /// When they were created.
    pub created_at: Timestamp,
    /// When they last signed in.
    #[serde(default)]
    pub last_sign_in_at: Option<Timestamp>,
    /// Their erasure, once it has begun.
    #[serde(default)]
    pub erasure: Option<ErasureView>,
}

/// How far the erasure of a person is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErasureView {
    /// Whose.
    pub user: UserId,
    /// How many entries of the audit log were looked through.
    pub looked_through: i64,
    /// Of how many.
    pub of: i64,
    /// From how many entries something was taken away.
    pub entries: i64,
    /// In how many entries something stays while legal holds cover them.
    #[serde(default)]
    pub held: i64,
    /// Since when.
    pub begun_at: Timestamp,
    /// When it was done; absent before.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
}

/// A team with its members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TeamView {
    /// Its id.
    pub id: TeamId,
    /// Its short name.
    pub name: String,
    /// Its title for people.
    pub title: String,
    /// Its members.
    pub members: Vec<Person>,
}

/// A namespace whose workflows may run shell commands, scripts and containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessPermissionView {
    /// The namespace.
    pub namespace: Name,
    /// Who permitted it.
    pub granted_by: Person,
    /// When.
    pub granted_at: Timestamp,
}

/// A secret of a namespace. Its value never leaves the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SecretView {
    /// The namespace.
    pub namespace: Name,
    /// The name by which its workflows list it under `use.secrets`.
    pub name: String,
    /// Who gave it first.
    pub created_by: Person,
    /// When.
    pub created_at: Timestamp,
    /// Who gave the present value.
    pub updated_by: Person,
    /// When.
    pub updated_at: Timestamp,
}

/// How many runs and calls of a namespace are executed at once, on all nodes together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NamespaceLimitsView {
    /// The namespace.
    pub namespace: Name,
    /// Runs at once; none: as many as come.
    #[serde(default)]
    pub runs: Option<u32>,
    /// Calls at once; none: as many as come.
    #[serde(default)]
    pub calls: Option<u32>,
    /// Who said so last.
    pub changed_by: Person,
    /// When.
    pub changed_at: Timestamp,
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its public id; not what the cookie holds.
    pub id: SessionId,
    /// Whether it is the one asking.
    pub current: bool,
    /// From which address it signed in.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was last seen, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An API token, without the token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The token itself; only in the answer to its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What a one-time link is for, before it is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LinkView {
    /// `first-administrator`, `set-password` or `reveal-password`.
    pub purpose: String,
    /// The person it is for.
    #[serde(default)]
    pub login: Option<String>,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A notice in the portal. Its text is `kind` with `params`, translated by the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotificationView {
    /// Its id.
    pub id: NotificationId,
    /// `approval-requested`, `run-completed`, `run-faulted`, `run-rejected`, `run-cancelled`, `run-needs-attention`,
    /// `schedule-refused`, `definition-submitted`, `definition-returned`, `definition-published`, `policies-proposed`,
    /// `policies-activated`, `policies-withdrawn`, `access-review-started`, `repository-needs-attention`,
    /// `connection-fails`, `trigger-refused`.
    pub kind: String,
    /// The workflow's title; with its version, where it is about a definition; the note of policies.
    pub title: String,
    /// The run's number, where it is about a run.
    #[serde(default)]
    pub run_number: Option<i64>,
    /// Where it leads, within the portal.
    pub link: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it has been read.
    pub read: bool,
}

/// The home page: what needs me, what became of mine, is anything on fire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HomeView {
    /// Approvals that wait for the caller, oldest due first.
    pub decisions: Vec<ApprovalSummary>,
    /// The caller's latest requests.
    pub requests: Vec<RunSummary>,
    /// Runs at work that the caller may see; empty for plain requesters.
    pub running: Vec<RunSummary>,
    /// Runs that an operator has to look at; empty for those who cannot.
    pub attention: Vec<RunSummary>,
    /// Connections that fail, of those that the caller administers.
    #[serde(default)]
    pub connections: Vec<FailingConnection>,
}

/// A sign-in of the demonstration organisation, shown on its sign-in page only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DemoSignIn {
    /// Sign-in name.
    pub login: String,
    /// Password.
    pub password: String,
    /// Role, for the page to explain.
    pub role: Role,
}

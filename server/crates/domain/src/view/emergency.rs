//! Emergency access.

use serde::{Deserialize, Serialize};

use super::Person;
use crate::{EmergencyId, EmergencyState, Operation, Role, Scope, Timestamp};

/// A role for a few hours, on which two people agreed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EmergencyView {
    /// Its id.
    pub id: EmergencyId,
    /// Who asked for the role, and holds it.
    pub person: Person,
    /// The role.
    pub role: Role,
    /// Where it holds: a namespace, or `*`.
    pub scope: Scope,
    /// Why it is needed.
    pub reason: String,
    /// For how long, once somebody agrees.
    pub minutes: u16,
    /// Where it stands.
    pub state: EmergencyState,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Who agreed.
    #[serde(default)]
    pub confirmed_by: Option<Person>,
    /// When.
    #[serde(default)]
    pub confirmed_at: Option<Timestamp>,
    /// When the role ends, or ended; before somebody has agreed, until when they can.
    pub ends_at: Timestamp,
    /// Who ended it before its time, or declined it.
    #[serde(default)]
    pub ended_by: Option<Person>,
    /// Who looked at what was done.
    #[serde(default)]
    pub reviewed_by: Option<Person>,
    /// When.
    #[serde(default)]
    pub reviewed_at: Option<Timestamp>,
    /// What they found.
    pub review: String,
    /// What the caller may do with it as it stands.
    pub actions: Vec<Operation>,
}

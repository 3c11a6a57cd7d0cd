use serde::{Deserialize, Serialize};

use super::Person;
use crate::{DelegationId, DelegationScope, DelegationState, Timestamp};

/// A time in which somebody decides for somebody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DelegationView {
    /// Its id.
    pub id: DelegationId,
    /// Whose decisions they are.
    pub person: Person,
    /// Who may take them.
    pub substitute: Person,
    /// Which decisions: `*`, a namespace, or a workflow as `namespace/name`.
    pub scope: DelegationScope,
    /// Why; may be empty.
    #[serde(default)]
    pub reason: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Where it stands.
    pub state: DelegationState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was ended before its time.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// Who ended it.
    #[serde(default)]
    pub revoked_by: Option<Person>,
}

use domain::{EmergencyId, Role, Scope, UserId};
use serde::{Deserialize, Serialize};

/// A signed-in person, with what they hold at the time of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The person.
    pub id: UserId,
    /// Their sign-in name.
    pub login: String,
    /// Whether the account is enabled. Nothing is allowed to a disabled one.
    pub active: bool,
    /// Roles held now, own and by team, each on its scope. Repetitions do no harm.
    pub grants: Vec<(Role, Scope)>,
    /// The emergency access by which they hold one of the roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyId>,
}

impl Principal {
    /// The scopes on which the person holds `role`.
    pub fn scopes(&self, role: Role) -> impl Iterator<Item = &Scope> {
        self.grants.iter().filter(move |(held, _)| *held == role).map(|(_, scope)| scope)
    }
}

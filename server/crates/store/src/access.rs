//! Teams and grants.

use async_trait::async_trait;
use domain::{EmergencyId, GrantId, Role, Scope, TeamId, Timestamp, UserId};

use crate::Result;

/// A row of `teams`; also a group of the built-in directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Id.
    pub id: TeamId,
    /// Short name: unique, lower case.
    pub name: String,
    /// Title for people.
    pub title: String,
    /// Created at.
    pub created_at: Timestamp,
}

/// Who holds a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A person.
    User(UserId),
    /// A team.
    Team(TeamId),
}

/// A row of `grants`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Id.
    pub id: GrantId,
    /// Who holds it.
    pub subject: Subject,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who gave it; none for the set-up.
    pub created_by: Option<UserId>,
    /// Created at.
    pub created_at: Timestamp,
    /// The emergency access that gives it.
    pub emergency: Option<EmergencyId>,
}

/// Teams and grants.
#[async_trait]
pub trait Access: Send {
    /// One team by id.
    async fn team(&mut self, id: TeamId) -> Result<Option<Team>>;
    /// One team by short name.
    async fn team_by_name(&mut self, name: &str) -> Result<Option<Team>>;
    /// All teams by name.
    async fn list_teams(&mut self) -> Result<Vec<Team>>;
    /// Adds a team; [`crate::StoreError::Duplicate`] when the name is taken.
    async fn insert_team(&mut self, team: &Team) -> Result<()>;
    /// Changes the title.
    async fn update_team(&mut self, team: &Team) -> Result<()>;
    /// Removes a team with its memberships and grants.
    async fn delete_team(&mut self, id: TeamId) -> Result<()>;
    /// The members' ids.
    async fn team_members(&mut self, id: TeamId) -> Result<Vec<UserId>>;
    /// The teams of a person, by name.
    async fn teams_of(&mut self, user: UserId) -> Result<Vec<Team>>;
    /// Makes a person a member; false when they were one.
    async fn add_member(&mut self, team: TeamId, user: UserId) -> Result<bool>;
    /// Ends a membership; false when there was none.
    async fn remove_member(&mut self, team: TeamId, user: UserId) -> Result<bool>;
    /// The grants of a person, own and by team, that hold at `now`.
    async fn grants_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Grant>>;
    /// All grants, oldest first.
    async fn list_grants(&mut self) -> Result<Vec<Grant>>;
    /// One grant.
    async fn grant(&mut self, id: GrantId) -> Result<Option<Grant>>;
    /// Adds a grant; [`crate::StoreError::Duplicate`] when the same role on the same scope is held already. One that had
    /// ended when this one was created is replaced.
    async fn insert_grant(&mut self, grant: &Grant) -> Result<()>;
    /// Takes a grant back; false when there was none.
    async fn delete_grant(&mut self, id: GrantId) -> Result<bool>;
    /// The active people who hold `role` on a scope that covers `namespace` at `now`, themselves or by team.
    async fn users_with_role(&mut self, role: Role, namespace: &domain::Name, now: Timestamp) -> Result<Vec<UserId>>;
}

//! Emergency access: roles for a few hours, agreed on by two people and looked at by a third.

use async_trait::async_trait;
use domain::{EmergencyId, EmergencyState, Role, Scope, Timestamp, UserId};

use crate::Result;

/// A row of `emergencies`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Id.
    pub id: EmergencyId,
    /// Who asked for the role, and holds it.
    pub person: UserId,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// Why it is needed.
    pub reason: String,
    /// For how long, once it is confirmed.
    pub minutes: u16,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Who agreed.
    pub confirmed_by: Option<UserId>,
    /// When.
    pub confirmed_at: Option<Timestamp>,
    /// When the role ends, or ended.
    pub ends_at: Option<Timestamp>,
    /// Who ended it before its time, or let it come to nothing.
    pub ended_by: Option<UserId>,
    /// When.
    pub ended_at: Option<Timestamp>,
    /// Who looked at what was done.
    pub reviewed_by: Option<UserId>,
    /// When.
    pub reviewed_at: Option<Timestamp>,
    /// What they found.
    pub review: String,
}

impl Emergency {
    /// How long it can be confirmed after it was asked for.
    pub const CONFIRMABLE: std::time::Duration = std::time::Duration::from_hours(1);

    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> EmergencyState {
        match (self.ends_at, self.reviewed_at) {
            (None, _) if self.ended_at.is_none() && now < self.asked_at + Self::CONFIRMABLE => EmergencyState::Asked,
            (None, _) => EmergencyState::Dropped,
            (Some(_), Some(_)) => EmergencyState::Reviewed,
            (Some(ends_at), None) if now < ends_at => EmergencyState::InForce,
            (Some(_), None) => EmergencyState::Over,
        }
    }
}

/// Emergency access.
#[async_trait]
pub trait Emergencies: Send {
    /// One of them; its row is locked until the unit ends.
    async fn emergency(&mut self, id: EmergencyId) -> Result<Option<Emergency>>;
    /// All of them, the latest first, after the given key.
    async fn list_emergencies(
        &mut self,
        before: Option<(Timestamp, EmergencyId)>,
        limit: u32,
    ) -> Result<Vec<Emergency>>;
    /// Those that nobody has looked at yet, and those that wait for somebody who agrees, oldest first. What was asked for
    /// in vain is among them until somebody takes it back: see [`Emergency::state`].
    async fn open_emergencies(&mut self) -> Result<Vec<Emergency>>;
    /// Adds one.
    async fn insert_emergency(&mut self, emergency: &Emergency) -> Result<()>;
    /// Says what became of one. What was said of it before stays: [`crate::StoreError::Conflict`] where there is no such
    /// row.
    async fn update_emergency(&mut self, emergency: &Emergency) -> Result<()>;
}

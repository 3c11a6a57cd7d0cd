//! Connections: configured targets with credentials.

use async_trait::async_trait;
use domain::{ConnectionId, Timestamp};

use crate::{Result, access::Subject};

/// A row of `connections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Id.
    pub id: ConnectionId,
    /// Name, by which workflows call it: unique.
    pub name: String,
    /// Kind (`directory`, `smtp`, `http`).
    pub kind: String,
    /// Settings without secrets, as JSON.
    pub settings: String,
    /// The secret part, encrypted; none where there is none.
    pub sealed_secret: Option<String>,
    /// Namespaces that may use it, as a JSON array; `["*"]` for all.
    pub namespaces: String,
    /// Who answers for it, and can be asked to approve its use.
    pub owner: Option<Subject>,
    /// The last check, as JSON.
    pub last_check: Option<String>,
    /// Since when its checks fail, without one that worked in between.
    pub failing_since: Option<Timestamp>,
    /// When it is checked next.
    pub check_due_at: Timestamp,
    /// Created at.
    pub created_at: Timestamp,
    /// Last changed at.
    pub updated_at: Timestamp,
}

/// How a check of a connection went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionChecked {
    /// Which connection.
    pub id: ConnectionId,
    /// When the settings that were tried had last changed.
    pub settings_of: Timestamp,
    /// The check, as JSON.
    pub check: String,
    /// Whether it works.
    pub works: bool,
    /// When it was tried.
    pub at: Timestamp,
    /// When it is checked next.
    pub next_at: Timestamp,
}

/// What a check has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckNews {
    /// Nothing: the connection was changed or deleted meanwhile.
    Outdated,
    /// It works, or fails, as it did before.
    Same,
    /// It fails now, or works again.
    Changed,
}

/// Connections.
#[async_trait]
pub trait Connections: Send {
    /// All, by name.
    async fn list_connections(&mut self) -> Result<Vec<Connection>>;
    /// One by id.
    async fn connection(&mut self, id: ConnectionId) -> Result<Option<Connection>>;
    /// One by name.
    async fn connection_by_name(&mut self, name: &str) -> Result<Option<Connection>>;
    /// Inserts or replaces by id; [`crate::StoreError::Duplicate`] when another has the name.
    async fn put_connection(&mut self, connection: &Connection) -> Result<()>;
    /// Removes one; false when there is none such.
    async fn delete_connection(&mut self, id: ConnectionId) -> Result<bool>;
    /// Those whose check is due, the longest due first.
    async fn connections_to_check(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Connection>>;
    /// Puts the check of one off until then, if it is still due; false when somebody else did.
    async fn take_connection_check(&mut self, id: ConnectionId, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// Keeps how a check went, unless the connection was changed since.
    async fn note_connection_check(&mut self, checked: &ConnectionChecked) -> Result<CheckNews>;
}

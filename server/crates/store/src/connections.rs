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
    /// Created at.
    pub created_at: Timestamp,
    /// Last changed at.
    pub updated_at: Timestamp,
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
}

//! Which namespaces may run processes.

use async_trait::async_trait;
use domain::{Name, Timestamp, UserId};

use crate::Result;

/// A row of `process_permissions`: the workflows of a namespace may run shell commands, scripts and containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessPermission {
    /// The namespace.
    pub namespace: Name,
    /// Who gave it.
    pub granted_by: UserId,
    /// When.
    pub granted_at: Timestamp,
}

/// Which namespaces may run processes.
#[async_trait]
pub trait ProcessPermissions: Send {
    /// The permission of one namespace; none: it may not.
    async fn process_permission(&mut self, namespace: &Name) -> Result<Option<ProcessPermission>>;
    /// All, by namespace.
    async fn list_process_permissions(&mut self) -> Result<Vec<ProcessPermission>>;
    /// Adds one; false when the namespace has it already, which stays as it is.
    async fn insert_process_permission(&mut self, permission: &ProcessPermission) -> Result<bool>;
    /// Takes one back; false when there was none.
    async fn delete_process_permission(&mut self, namespace: &Name) -> Result<bool>;
}

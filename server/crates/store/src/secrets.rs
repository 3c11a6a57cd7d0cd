//! Secrets of namespaces.

use async_trait::async_trait;
use domain::{Name, Timestamp, UserId};

use crate::Result;

/// A row of `secrets`: what the workflows of a namespace may name under `use.secrets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// The namespace.
    pub namespace: Name,
    /// The name within it.
    pub name: String,
    /// The value, encrypted.
    pub sealed_value: String,
    /// Who gave it first.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Who gave the present value.
    pub updated_by: UserId,
    /// When.
    pub updated_at: Timestamp,
}

/// Secrets of namespaces.
#[async_trait]
pub trait Secrets: Send {
    /// All, by namespace and name.
    async fn list_secrets(&mut self) -> Result<Vec<SealedSecret>>;
    /// Those of one namespace, by name.
    async fn secrets_of(&mut self, namespace: &Name) -> Result<Vec<SealedSecret>>;
    /// Adds one, or gives the one of this name the new value; who gave it first stays.
    async fn put_secret(&mut self, secret: &SealedSecret) -> Result<()>;
    /// Removes one; false when there is none such.
    async fn delete_secret(&mut self, namespace: &Name, name: &str) -> Result<bool>;
}

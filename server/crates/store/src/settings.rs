//! Small facts about the installation itself (key check value, demonstration mark …).

use async_trait::async_trait;

use crate::Result;

/// Facts by key.
#[async_trait]
pub trait Settings: Send {
    /// One fact.
    async fn setting(&mut self, key: &str) -> Result<Option<String>>;
    /// Inserts or replaces a fact.
    async fn put_setting(&mut self, key: &str, value: &str) -> Result<()>;
}

//! Repositories whose branches bring definitions.

use async_trait::async_trait;
use domain::{Name, Timestamp, UserId, WorkflowRef};

use crate::Result;

/// A row of `repositories`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// The namespace whose definitions it may bring, and no others.
    pub namespace: Name,
    /// Its name in the namespace.
    pub name: Name,
    /// Its address.
    pub url: String,
    /// The branch that is followed.
    pub branch: String,
    /// The folder with the definitions; empty for the root.
    pub folder: String,
    /// The account by which it is read; none: by anybody's.
    pub account: Option<String>,
    /// That account's password, sealed.
    pub sealed_password: Option<String>,
    /// The authority (PEM) that alone is trusted with the server's certificate; none: whom the system trusts.
    pub authority: Option<String>,
    /// What calls of its webhook are signed with, sealed; none: it has no webhook.
    pub sealed_hook: Option<String>,
    /// Minutes from one look to the next; none: only when somebody asks.
    pub every_minutes: Option<u32>,
    /// Who said so last.
    pub changed_by: UserId,
    /// When.
    pub changed_at: Timestamp,
    /// When it is looked at next.
    pub due_at: Option<Timestamp>,
    /// What came of looking so far.
    pub look: Look,
}

/// What came of looking at a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// When it was looked at last.
    pub looked_at: Option<Timestamp>,
    /// The commit that was taken last.
    pub commit: Option<String>,
    /// What became of its files: JSON.
    pub files: String,
    /// Why the last look failed; none if it did not.
    pub failure: Option<String>,
}

/// A row of `brought_texts`: the text of a version that a repository of its namespace has brought last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtText {
    /// Of which workflow.
    pub workflow: WorkflowRef,
    /// Of which version.
    pub version: String,
    /// Which repository.
    pub repository: Name,
    /// Hex SHA-256 of the text.
    pub digest: String,
}

/// Repositories whose branches bring definitions.
#[async_trait]
pub trait Repositories: Send {
    /// One by name.
    async fn repository(&mut self, namespace: &Name, name: &Name) -> Result<Option<Repository>>;
    /// All, by namespace and name.
    async fn list_repositories(&mut self) -> Result<Vec<Repository>>;
    /// Inserts or replaces, what came of looking included.
    async fn put_repository(&mut self, repository: &Repository) -> Result<()>;
    /// Removes; false when there was none.
    async fn delete_repository(&mut self, namespace: &Name, name: &Name) -> Result<bool>;
    /// Has it looked at from `at` on, if it is not looked at sooner anyway; false when there is none.
    async fn hasten_repository(&mut self, namespace: &Name, name: &Name, at: Timestamp) -> Result<bool>;
    /// Takes the one that is due longest; nobody else takes it before `until`, when it is due again unless
    /// [`Repositories::note_look`] says otherwise. Of two units at once each takes another.
    async fn take_due_repository(&mut self, now: Timestamp, until: Timestamp) -> Result<Option<Repository>>;
    /// Writes down what came of looking at a repository that was taken, and when it is due next: unless somebody has
    /// hastened it meanwhile, which stays. False when it was changed, removed or taken by another since: then nothing is
    /// written.
    async fn note_look(&mut self, taken: &Repository, look: &Look, next: Option<Timestamp>) -> Result<bool>;
    /// The text of a version that a repository has brought.
    async fn brought_text(&mut self, workflow: &WorkflowRef, version: &str) -> Result<Option<BroughtText>>;
    /// Inserts or replaces it. It is forgotten with its repository.
    async fn put_brought_text(&mut self, text: &BroughtText) -> Result<()>;
    /// When the next one is due.
    async fn next_repository(&mut self) -> Result<Option<Timestamp>>;
}

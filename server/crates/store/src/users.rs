//! People, and service accounts.

use async_trait::async_trait;
use domain::{Timestamp, UserId};

use crate::Result;

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Sign-in name: unique, lower case.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// May sign in and be asked for decisions.
    pub active: bool,
    /// The PHC string of the password; none until one is set.
    pub password_hash: Option<String>,
    /// Must set another password before anything else.
    pub must_change_password: bool,
    /// The manager.
    pub manager_id: Option<UserId>,
    /// Language, `en` or `ko`; none: the browser's.
    pub locale: Option<String>,
    /// Theme, `light` or `dark`; none: the system's.
    pub theme: Option<String>,
    /// Created at.
    pub created_at: Timestamp,
    /// Last changed at.
    pub updated_at: Timestamp,
    /// Last signed in at.
    pub last_sign_in_at: Option<Timestamp>,
}

/// People.
#[async_trait]
pub trait Users: Send {
    /// One by id.
    async fn user(&mut self, id: UserId) -> Result<Option<User>>;
    /// One by sign-in name (compared in lower case).
    async fn user_by_login(&mut self, login: &str) -> Result<Option<User>>;
    /// Those with the given ids, in no order; unknown ids are left out.
    async fn users_by_id(&mut self, ids: &[UserId]) -> Result<Vec<User>>;
    /// Those with one of the given mail addresses, in no order; letters of ASCII count in lower case.
    async fn users_by_email(&mut self, emails: &[String]) -> Result<Vec<User>>;
    /// Those whose sign-in name is after `after`, in its order, at most `limit`; `search` is a part of name, sign-in name or mail.
    /// Without [`UserId::SCHEDULE`] and [`UserId::TRIGGER`], which are no persons.
    async fn list_users(&mut self, search: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<User>>;
    /// How many there are, without [`UserId::SCHEDULE`] and [`UserId::TRIGGER`].
    async fn count_users(&mut self) -> Result<u64>;
    /// Adds one; [`crate::StoreError::Duplicate`] when the sign-in name is taken.
    async fn insert_user(&mut self, user: &User) -> Result<()>;
    /// Writes all columns but `id` and `created_at`; [`crate::StoreError::Conflict`] when there is no such row.
    async fn update_user(&mut self, user: &User) -> Result<()>;
    /// Removes one who has left no trace (used by compensation of a creation); [`crate::StoreError::Reference`] otherwise.
    async fn delete_user(&mut self, id: UserId) -> Result<()>;
}

//! Reviews of who holds which roles.

use async_trait::async_trait;
use domain::{AccessReviewId, AccessVerdict, GrantId, Role, Scope, Timestamp, UserId};

use crate::Result;

/// A row of `access_reviews`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessReview {
    /// Id.
    pub id: AccessReviewId,
    /// What it is called.
    pub title: String,
    /// Which grants it is about: those on a namespace, or all.
    pub scope: Scope,
    /// What nobody has confirmed by then ends.
    pub due_at: Timestamp,
    /// Who started it.
    pub started_by: UserId,
    /// When.
    pub started_at: Timestamp,
    /// When it ended.
    pub closed_at: Option<Timestamp>,
}

/// A row of `access_review_items`: a grant as it was when the review began, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewItem {
    /// The review.
    pub review: AccessReviewId,
    /// The grant, which may be gone.
    pub grant: GrantId,
    /// The name for people of whoever holds it.
    pub holder: String,
    /// Whether that is a team.
    pub team: bool,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
    /// What became of it.
    pub verdict: AccessVerdict,
    /// Who said so; none when nobody did.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub comment: String,
}

/// Reviews of who holds which roles.
#[async_trait]
pub trait AccessReviews: Send {
    /// One review; in a writing unit it stays locked until the unit ends.
    async fn access_review(&mut self, id: AccessReviewId) -> Result<Option<AccessReview>>;
    /// Reviews by their beginning, newest first, below `before`, at most `limit`.
    async fn list_access_reviews(
        &mut self,
        before: Option<(Timestamp, AccessReviewId)>,
        limit: u32,
    ) -> Result<Vec<AccessReview>>;
    /// A review that goes on although its date has come; in a writing unit it stays locked until the unit ends.
    async fn due_access_review(&mut self, now: Timestamp) -> Result<Option<AccessReview>>;
    /// Adds a review with its items.
    async fn insert_access_review(&mut self, review: &AccessReview, items: &[ReviewItem]) -> Result<()>;
    /// Ends a review; [`crate::StoreError::Conflict`] when it has ended, or there is none.
    async fn close_access_review(&mut self, id: AccessReviewId, at: Timestamp) -> Result<()>;
    /// The grants of a review, by scope, role and grant.
    async fn review_items(&mut self, review: AccessReviewId) -> Result<Vec<ReviewItem>>;
    /// Says what becomes of a grant; [`crate::StoreError::Conflict`] when that was said before, or it is not in the review.
    async fn decide_review_item(&mut self, item: &ReviewItem) -> Result<()>;
}

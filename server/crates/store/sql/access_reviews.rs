use async_trait::async_trait;
use domain::{AccessReviewId, Timestamp};
use store::{
    Result,
    access_reviews::{AccessReview, AccessReviews, ReviewItem},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

/// So many items are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, title, scope, due_at, started_by, started_at, closed_at FROM access_reviews ", $rest)
    };
}

fn review(row: &Columns<'_>) -> Result<AccessReview> {
    Ok(AccessReview {
        id: row.parsed("id")?,
        title: row.text("title")?,
        scope: row.parsed("scope")?,
        due_at: row.time("due_at")?,
        started_by: row.parsed("started_by")?,
        started_at: row.time("started_at")?,
        closed_at: row.maybe_time("closed_at")?,
    })
}

fn item(row: &Columns<'_>) -> Result<ReviewItem> {
    Ok(ReviewItem {
        review: row.parsed("review_id")?,
        grant: row.parsed("grant_id")?,
        holder: row.text("holder")?,
        team: row.flag("team")?,
        role: row.parsed("role")?,
        scope: row.parsed("scope")?,
        verdict: row.parsed("verdict")?,
        decided_by: row.maybe_parsed("decided_by")?,
        decided_at: row.maybe_time("decided_at")?,
        comment: row.text("comment")?,
    })
}

#[async_trait]
impl AccessReviews for Unit {
    async fn access_review(&mut self, id: AccessReviewId) -> Result<Option<AccessReview>> {
        let mut statement = sql(select!("WHERE id = $1")).bind(id);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, review)
    }

    async fn list_access_reviews(
        &mut self,
        before: Option<(Timestamp, AccessReviewId)>,
        limit: u32,
    ) -> Result<Vec<AccessReview>> {
        let mut statement = sql(select!("WHERE TRUE"));
        if let Some((started_at, id)) = before {
            statement.push(" AND (started_at, id) < (").value(started_at).push(", ").value(id).push(")");
        }
        statement.push(" ORDER BY started_at DESC, id DESC").limit(limit);
        each(&self.fetch(statement).await?, review)
    }

    async fn due_access_review(&mut self, now: Timestamp) -> Result<Option<AccessReview>> {
        let mut statement =
            sql(select!("WHERE closed_at IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT 1")).bind(now);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, review)
    }

    async fn insert_access_review(&mut self, review: &AccessReview, items: &[ReviewItem]) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO access_reviews (id, title, scope, due_at, started_by, started_at, closed_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ))
        .bind(review.id)
        .bind(&review.title)
        .bind(&review.scope.to_string())
        .bind(review.due_at)
        .bind(review.started_by)
        .bind(review.started_at)
        .bind(review.closed_at);
        self.execute(statement).await?;
        for some in items.chunks(ROWS_PER_INSERT) {
            let mut insert = sql(concat!(
                "INSERT INTO access_review_items (review_id, grant_id, holder, team, role, scope, verdict, decided_by, ",
                "decided_at, comment) VALUES "
            ));
            for (index, item) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(item.review).push(", ").value(item.grant).push(", ").value(&item.holder).push(", ");
                insert.value(item.team).push(", ").value(item.role.as_str()).push(", ");
                insert.value(&item.scope.to_string()).push(", ").value(item.verdict.as_str()).push(", ");
                insert.value(item.decided_by).push(", ").value(item.decided_at).push(", ");
                insert.value(&item.comment).push(")");
            }
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn close_access_review(&mut self, id: AccessReviewId, at: Timestamp) -> Result<()> {
        let statement = sql("UPDATE access_reviews SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL");
        self.execute_one(statement.bind(id).bind(at)).await
    }

    async fn review_items(&mut self, review: AccessReviewId) -> Result<Vec<ReviewItem>> {
        let statement = sql(concat!(
            "SELECT review_id, grant_id, holder, team, role, scope, verdict, decided_by, decided_at, comment ",
            "FROM access_review_items WHERE review_id = $1 ORDER BY scope, role, grant_id"
        ));
        each(&self.fetch(statement.bind(review)).await?, item)
    }

    async fn decide_review_item(&mut self, item: &ReviewItem) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE access_review_items SET verdict = $3, decided_by = $4, decided_at = $5, comment = $6 ",
            "WHERE review_id = $1 AND grant_id = $2 AND verdict = 'pending'"
        ))
        .bind(item.review)
        .bind(item.grant)
        .bind(item.verdict.as_str())
        .bind(item.decided_by)
        .bind(item.decided_at)
        .bind(&item.comment);
        self.execute_one(statement).await
    }
}

use async_trait::async_trait;
use domain::{Timestamp, UserId};
use store::{
    Result,
    questions::{Field, Question, Questions, Subscription},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT user_id, question, every, since, answered, due_at FROM audit_subscriptions ", $rest)
    };
}

fn subscription(row: &Columns<'_>) -> Result<Subscription> {
    Ok(Subscription {
        user_id: row.parsed("user_id")?,
        question: row.text("question")?,
        every: row.parsed("every")?,
        since: row.time("since")?,
        answered: row.time("answered")?,
        due_at: row.time("due_at")?,
    })
}

#[async_trait]
impl Questions for Unit {
    async fn ask(
        &mut self,
        question: &'static Question,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Vec<Field>>> {
        let statement = sql(question.query).bind(from).bind(until).bind(limit);
        let rows = self.fetch(statement).await?;
        rows.iter().map(|row| Columns(row).fields()).collect()
    }

    async fn subscription(&mut self, user: UserId, question: &str) -> Result<Option<Subscription>> {
        let statement = sql(select!("WHERE user_id = $1 AND question = $2")).bind(user).bind(question);
        first(&self.fetch(statement).await?, subscription)
    }

    async fn subscriptions_of(&mut self, user: UserId) -> Result<Vec<Subscription>> {
        let statement = sql(select!("WHERE user_id = $1 ORDER BY question")).bind(user);
        each(&self.fetch(statement).await?, subscription)
    }

    async fn put_subscription(&mut self, subscription: &Subscription) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO audit_subscriptions (user_id, question, every, since, answered, due_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, question) DO UPDATE SET every = excluded.every, ",
            "since = excluded.since, answered = excluded.answered, due_at = excluded.due_at"
        ))
        .bind(subscription.user_id)
        .bind(&subscription.question)
        .bind(subscription.every.as_str())
        .bind(subscription.since)
        .bind(subscription.answered)
        .bind(subscription.due_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_subscription(&mut self, user: UserId, question: &str) -> Result<bool> {
        let statement = sql("DELETE FROM audit_subscriptions WHERE user_id = $1 AND question = $2");
        Ok(self.execute(statement.bind(user).bind(question)).await? > 0)
    }

    async fn due_subscriptions(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Subscription>> {
        let statement = sql(select!("WHERE due_at <= $1 ORDER BY due_at, user_id, question LIMIT $2"));
        each(&self.fetch(statement.bind(now).bind(limit)).await?, subscription)
    }

    async fn move_subscription(&mut self, read: &Subscription, answered: Timestamp, due_at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE audit_subscriptions SET answered = $6, due_at = $7 ",
            "WHERE user_id = $1 AND question = $2 AND every = $3 AND since = $4 AND due_at = $5"
        ))
        .bind(read.user_id)
        .bind(&read.question)
        .bind(read.every.as_str())
        .bind(read.since)
        .bind(read.due_at)
        .bind(answered)
        .bind(due_at);
        self.execute_one(statement).await
    }
}

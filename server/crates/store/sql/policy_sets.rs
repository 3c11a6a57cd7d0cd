use async_trait::async_trait;
use domain::{PolicySetState, Timestamp, UserId};
use store::{
    Result,
    policy_sets::{AskedQuestion, PolicySet, PolicySets},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

/// So many questions are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT version, state, source, note, digest, based_on, changed_at, settled_by, settled_at FROM policy_sets ",
            $rest
        )
    };
}

fn set(row: &Columns<'_>) -> Result<PolicySet> {
    Ok(PolicySet {
        version: row.integer("version")?,
        state: row.parsed("state")?,
        source: row.text("source")?,
        note: row.text("note")?,
        digest: row.text("digest")?,
        based_on: row.maybe_integer("based_on")?,
        changed_at: row.time("changed_at")?,
        settled_by: row.maybe_parsed("settled_by")?,
        settled_at: row.maybe_time("settled_at")?,
    })
}

fn question(row: &Columns<'_>) -> Result<AskedQuestion> {
    Ok(AskedQuestion {
        digest: row.text("digest")?,
        question: row.text("question")?,
        asked_at: row.time("asked_at")?,
        times: row.integer("times")?,
    })
}

#[async_trait]
impl PolicySets for Unit {
    async fn policy_set(&mut self, version: i64) -> Result<Option<PolicySet>> {
        let mut statement = sql(select!("WHERE version = $1")).bind(version);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, set)
    }

    async fn active_policy_set(&mut self) -> Result<Option<PolicySet>> {
        let mut statement = sql(select!("WHERE state = 'active'"));
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, set)
    }

    async fn list_policy_sets(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<PolicySet>> {
        let mut statement = sql(select!("WHERE TRUE"));
        if let Some(version) = before {
            statement.push(" AND version < ").value(version);
        }
        statement.push(" ORDER BY version DESC").limit(limit);
        each(&self.fetch(statement).await?, set)
    }

    async fn insert_policy_set(&mut self, set: &PolicySet) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO policy_sets (version, state, source, note, digest, based_on, changed_at, settled_by, settled_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        ))
        .bind(set.version)
        .bind(set.state.as_str())
        .bind(&set.source)
        .bind(&set.note)
        .bind(&set.digest)
        .bind(set.based_on)
        .bind(set.changed_at)
        .bind(set.settled_by)
        .bind(set.settled_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_policy_set(&mut self, set: &PolicySet, from: PolicySetState) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE policy_sets SET state = $3, source = $4, note = $5, digest = $6, based_on = $7, changed_at = $8, ",
            "settled_by = $9, settled_at = $10 WHERE version = $1 AND state = $2"
        ))
        .bind(set.version)
        .bind(from.as_str())
        .bind(set.state.as_str())
        .bind(&set.source)
        .bind(&set.note)
        .bind(&set.digest)
        .bind(set.based_on)
        .bind(set.changed_at)
        .bind(set.settled_by)
        .bind(set.settled_at);
        self.execute_one(statement).await
    }

    async fn add_policy_set_author(&mut self, version: i64, user: UserId, at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO policy_set_authors (version, user_id, since) VALUES ($1, $2, $3) ",
            "ON CONFLICT (version, user_id) DO NOTHING"
        ));
        self.execute(statement.bind(version).bind(user).bind(at)).await?;
        Ok(())
    }

    async fn policy_set_authors(&mut self, version: i64) -> Result<Vec<UserId>> {
        let statement = sql("SELECT user_id FROM policy_set_authors WHERE version = $1 ORDER BY since, user_id");
        each(&self.fetch(statement.bind(version)).await?, |row| row.parsed("user_id"))
    }

    async fn note_questions(&mut self, questions: &[AskedQuestion]) -> Result<()> {
        for some in questions.chunks(ROWS_PER_INSERT) {
            let mut insert = sql("INSERT INTO asked_questions (digest, question, asked_at, times) VALUES ");
            for (index, asked) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(&asked.digest).push(", ").value(&asked.question).push(", ");
                insert.value(asked.asked_at).push(", ").value(asked.times).push(")");
            }
            insert.push(concat!(
                " ON CONFLICT (digest) DO UPDATE SET times = asked_questions.times + excluded.times, ",
                "asked_at = CASE WHEN excluded.asked_at > asked_questions.asked_at THEN excluded.asked_at ",
                "ELSE asked_questions.asked_at END"
            ));
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn latest_questions(&mut self, limit: u32) -> Result<Vec<AskedQuestion>> {
        let mut statement =
            sql("SELECT digest, question, asked_at, times FROM asked_questions ORDER BY asked_at DESC, digest");
        statement.limit(limit);
        each(&self.fetch(statement).await?, question)
    }

    async fn prune_questions(&mut self, kept: u32) -> Result<u64> {
        let statement = sql(concat!(
            "DELETE FROM asked_questions WHERE digest NOT IN ",
            "(SELECT digest FROM asked_questions ORDER BY asked_at DESC, digest LIMIT $1)"
        ));
        self.execute(statement.bind(kept)).await
    }
}

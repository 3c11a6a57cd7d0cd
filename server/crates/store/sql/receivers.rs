use async_trait::async_trait;
use domain::Timestamp;
use store::{
    Result,
    receivers::{Reached, Receiver, Receivers},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT name, entries, checkpoint, succeeded_at, failing_since, failure, holder, held_until ",
            "FROM audit_receivers ",
            $rest
        )
    };
}

fn receiver(row: &Columns<'_>) -> Result<Receiver> {
    Ok(Receiver {
        name: row.text("name")?,
        reached: Reached { entries: row.integer("entries")?, checkpoint: row.maybe_integer("checkpoint")? },
        succeeded_at: row.maybe_time("succeeded_at")?,
        failing_since: row.maybe_time("failing_since")?,
        failure: row.maybe_text("failure")?,
        holder: row.maybe_text("holder")?,
        held_until: row.maybe_time("held_until")?,
    })
}

#[async_trait]
impl Receivers for Unit {
    async fn receiver(&mut self, name: &str) -> Result<Option<Receiver>> {
        first(&self.fetch(sql(select!("WHERE name = $1")).bind(name)).await?, receiver)
    }

    async fn list_receivers(&mut self) -> Result<Vec<Receiver>> {
        each(&self.fetch(sql(select!("ORDER BY name"))).await?, receiver)
    }

    async fn insert_receiver(&mut self, name: &str, reached: Reached) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO audit_receivers (name, entries, checkpoint) VALUES ($1, $2, $3) ",
            "ON CONFLICT (name) DO NOTHING"
        ));
        Ok(self.execute(statement.bind(name).bind(reached.entries).bind(reached.checkpoint)).await? > 0)
    }

    async fn take_receiver(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_receivers SET holder = $2, held_until = $4 ",
            "WHERE name = $1 AND (holder IS NULL OR holder = $2 OR held_until <= $3)"
        ));
        Ok(self.execute(statement.bind(name).bind(holder).bind(now).bind(until)).await? > 0)
    }

    async fn note_delivery(
        &mut self,
        name: &str,
        holder: &str,
        reached: Reached,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_receivers SET entries = $3, checkpoint = $4, succeeded_at = $5, held_until = $6, ",
            "failing_since = NULL, failure = NULL ",
            "WHERE name = $1 AND holder = $2 AND entries <= $3 AND (checkpoint IS NULL OR checkpoint <= $4)"
        ))
        .bind(name)
        .bind(holder)
        .bind(reached.entries)
        .bind(reached.checkpoint)
        .bind(at)
        .bind(until);
        Ok(self.execute(statement).await? > 0)
    }

    async fn note_delivery_failure(&mut self, name: &str, holder: &str, failure: &str, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_receivers SET failing_since = COALESCE(failing_since, $4), failure = $3, ",
            "holder = NULL, held_until = NULL WHERE name = $1 AND holder = $2"
        ));
        Ok(self.execute(statement.bind(name).bind(holder).bind(failure).bind(at)).await? > 0)
    }

    async fn release_receiver(&mut self, name: &str, holder: &str) -> Result<()> {
        let statement =
            sql("UPDATE audit_receivers SET holder = NULL, held_until = NULL WHERE name = $1 AND holder = $2");
        self.execute(statement.bind(name).bind(holder)).await?;
        Ok(())
    }

    async fn release_all_receivers(&mut self) -> Result<()> {
        self.execute(sql("UPDATE audit_receivers SET holder = NULL, held_until = NULL WHERE holder IS NOT NULL"))
            .await?;
        Ok(())
    }
}

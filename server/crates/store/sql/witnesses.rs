use async_trait::async_trait;
use domain::Timestamp;
use store::{
    Result,
    witnesses::{Cosignature, Witness, Witnesses},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT name, size, succeeded_at, failing_since, failure, refused_at, holder, held_until ",
            "FROM audit_witnesses ",
            $rest
        )
    };
}

fn witness(row: &Columns<'_>) -> Result<Witness> {
    Ok(Witness {
        name: row.text("name")?,
        size: row.integer("size")?,
        succeeded_at: row.maybe_time("succeeded_at")?,
        failing_since: row.maybe_time("failing_since")?,
        failure: row.maybe_text("failure")?,
        refused_at: row.maybe_time("refused_at")?,
        holder: row.maybe_text("holder")?,
        held_until: row.maybe_time("held_until")?,
    })
}

fn cosignature(row: &Columns<'_>) -> Result<Cosignature> {
    Ok(Cosignature { size: row.integer("size")?, witness: row.text("witness")?, line: row.text("line")? })
}

#[async_trait]
impl Witnesses for Unit {
    async fn witness(&mut self, name: &str) -> Result<Option<Witness>> {
        first(&self.fetch(sql(select!("WHERE name = $1")).bind(name)).await?, witness)
    }

    async fn list_witnesses(&mut self) -> Result<Vec<Witness>> {
        each(&self.fetch(sql(select!("ORDER BY name"))).await?, witness)
    }

    async fn insert_witness(&mut self, name: &str) -> Result<bool> {
        let statement =
            sql("INSERT INTO audit_witnesses (name, size) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING").bind(name);
        Ok(self.execute(statement).await? > 0)
    }

    async fn take_witness(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_witnesses SET holder = $2, held_until = $4 ",
            "WHERE name = $1 AND (holder IS NULL OR holder = $2 OR held_until <= $3)"
        ));
        Ok(self.execute(statement.bind(name).bind(holder).bind(now).bind(until)).await? > 0)
    }

    async fn note_cosigning(
        &mut self,
        name: &str,
        holder: &str,
        size: i64,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_witnesses SET size = $3, succeeded_at = $4, held_until = $5, ",
            "failing_since = NULL, failure = NULL, refused_at = NULL ",
            "WHERE name = $1 AND holder = $2 AND size <= $3"
        ));
        Ok(self.execute(statement.bind(name).bind(holder).bind(size).bind(at).bind(until)).await? > 0)
    }

    async fn note_cosigning_failure(
        &mut self,
        name: &str,
        holder: &str,
        failure: &str,
        refused: bool,
        at: Timestamp,
    ) -> Result<bool> {
        let refused_at = refused.then_some(at);
        let statement = sql(concat!(
            "UPDATE audit_witnesses SET failing_since = COALESCE(failing_since, $4), failure = $3, ",
            "refused_at = COALESCE(refused_at, $5), holder = NULL, held_until = NULL WHERE name = $1 AND holder = $2"
        ));
        Ok(self.execute(statement.bind(name).bind(holder).bind(failure).bind(at).bind(refused_at)).await? > 0)
    }

    async fn release_witness(&mut self, name: &str, holder: &str) -> Result<()> {
        let statement =
            sql("UPDATE audit_witnesses SET holder = NULL, held_until = NULL WHERE name = $1 AND holder = $2");
        self.execute(statement.bind(name).bind(holder)).await?;
        Ok(())
    }

    async fn release_all_witnesses(&mut self) -> Result<()> {
        self.execute(sql("UPDATE audit_witnesses SET holder = NULL, held_until = NULL WHERE holder IS NOT NULL"))
            .await?;
        Ok(())
    }

    async fn insert_cosignature(&mut self, cosignature: &Cosignature) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO audit_cosignatures (size, witness, line) VALUES ($1, $2, $3) ",
            "ON CONFLICT (size, witness) DO NOTHING"
        ));
        let statement = statement.bind(cosignature.size).bind(&cosignature.witness).bind(&cosignature.line);
        Ok(self.execute(statement).await? > 0)
    }

    async fn cosignatures(&mut self, from: i64, to: i64) -> Result<Vec<Cosignature>> {
        let statement = sql(concat!(
            "SELECT size, witness, line FROM audit_cosignatures ",
            "WHERE size BETWEEN $1 AND $2 ORDER BY size, witness"
        ));
        each(&self.fetch(statement.bind(from).bind(to)).await?, cosignature)
    }
}

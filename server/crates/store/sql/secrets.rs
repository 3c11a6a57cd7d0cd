use async_trait::async_trait;
use domain::Name;
use store::{
    Result,
    secrets::{SealedSecret, Secrets},
};

use crate::{
    row::{Columns, each},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT namespace, name, sealed_value, created_by, created_at, updated_by, updated_at FROM secrets ",
            $rest
        )
    };
}

fn secret(row: &Columns<'_>) -> Result<SealedSecret> {
    Ok(SealedSecret {
        namespace: row.parsed("namespace")?,
        name: row.text("name")?,
        sealed_value: row.text("sealed_value")?,
        created_by: row.parsed("created_by")?,
        created_at: row.time("created_at")?,
        updated_by: row.parsed("updated_by")?,
        updated_at: row.time("updated_at")?,
    })
}

#[async_trait]
impl Secrets for Unit {
    async fn list_secrets(&mut self) -> Result<Vec<SealedSecret>> {
        each(&self.fetch(sql(select!("ORDER BY namespace, name"))).await?, secret)
    }

    async fn secrets_of(&mut self, namespace: &Name) -> Result<Vec<SealedSecret>> {
        let statement = sql(select!("WHERE namespace = $1 ORDER BY name"));
        each(&self.fetch(statement.bind(namespace.as_str())).await?, secret)
    }

    async fn put_secret(&mut self, secret: &SealedSecret) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO secrets (namespace, name, sealed_value, created_by, created_at, updated_by, updated_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (namespace, name) DO UPDATE SET ",
            "sealed_value = excluded.sealed_value, updated_by = excluded.updated_by, updated_at = excluded.updated_at"
        ))
        .bind(secret.namespace.as_str())
        .bind(&secret.name)
        .bind(&secret.sealed_value)
        .bind(secret.created_by)
        .bind(secret.created_at)
        .bind(secret.updated_by)
        .bind(secret.updated_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_secret(&mut self, namespace: &Name, name: &str) -> Result<bool> {
        let statement = sql("DELETE FROM secrets WHERE namespace = $1 AND name = $2");
        Ok(self.execute(statement.bind(namespace.as_str()).bind(name)).await? > 0)
    }
}

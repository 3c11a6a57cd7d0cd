use async_trait::async_trait;
use domain::{ConnectionId, Timestamp};
use store::{
    Result, StoreError,
    access::Subject,
    connections::{CheckNews, Connection, ConnectionChecked, Connections},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, kind, settings, sealed_secret, namespaces, owner_user_id, owner_team_id, last_check, ",
            "failing_since, check_due_at, created_at, updated_at ",
            "FROM connections ",
            $rest
        )
    };
}

fn connection(row: &Columns<'_>) -> Result<Connection> {
    let owner = match (row.maybe_parsed("owner_user_id")?, row.maybe_parsed("owner_team_id")?) {
        (None, None) => None,
        (Some(user), None) => Some(Subject::User(user)),
        (None, Some(team)) => Some(Subject::Team(team)),
        (Some(_), Some(_)) => return Err(StoreError::Inconsistent("the owner of a connection".to_owned())),
    };
    Ok(Connection {
        id: row.parsed("id")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        settings: row.text("settings")?,
        sealed_secret: row.maybe_text("sealed_secret")?,
        namespaces: row.text("namespaces")?,
        owner,
        last_check: row.maybe_text("last_check")?,
        failing_since: row.maybe_time("failing_since")?,
        check_due_at: row.time("check_due_at")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

#[async_trait]
impl Connections for Unit {
    async fn list_connections(&mut self) -> Result<Vec<Connection>> {
        each(&self.fetch(sql(select!("ORDER BY name"))).await?, connection)
    }

    async fn connection(&mut self, id: ConnectionId) -> Result<Option<Connection>> {
        first(&self.fetch(sql(select!("WHERE id = $1")).bind(id)).await?, connection)
    }

    async fn connection_by_name(&mut self, name: &str) -> Result<Option<Connection>> {
        first(&self.fetch(sql(select!("WHERE name = $1")).bind(name)).await?, connection)
    }

    async fn put_connection(&mut self, connection: &Connection) -> Result<()> {
        let (user, team) = match connection.owner {
            None => (None, None),
            Some(Subject::User(user)) => (Some(user), None),
            Some(Subject::Team(team)) => (None, Some(team)),
        };
        let statement = sql(concat!(
            "INSERT INTO connections (id, name, kind, settings, sealed_secret, namespaces, owner_user_id, owner_team_id, ",
            "last_check, created_at, updated_at, failing_since, check_due_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ",
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, ",
            "owner_user_id = excluded.owner_user_id, owner_team_id = excluded.owner_team_id, ",
            "kind = excluded.kind, settings = excluded.settings, sealed_secret = excluded.sealed_secret, ",
            "namespaces = excluded.namespaces, last_check = excluded.last_check, created_at = excluded.created_at, ",
            "updated_at = excluded.updated_at, failing_since = excluded.failing_since, ",
            "check_due_at = excluded.check_due_at"
        ))
        .bind(connection.id)
        .bind(&connection.name)
        .bind(&connection.kind)
        .bind(&connection.settings)
        .bind(connection.sealed_secret.as_deref())
        .bind(&connection.namespaces)
        .bind(user)
        .bind(team)
        .bind(connection.last_check.as_deref())
        .bind(connection.created_at)
        .bind(connection.updated_at)
        .bind(connection.failing_since)
        .bind(connection.check_due_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_connection(&mut self, id: ConnectionId) -> Result<bool> {
        Ok(self.execute(sql("DELETE FROM connections WHERE id = $1").bind(id)).await? > 0)
    }

    async fn connections_to_check(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Connection>> {
        let statement = sql(select!("WHERE check_due_at <= $1 ORDER BY check_due_at, id LIMIT $2"));
        each(&self.fetch(statement.bind(now).bind(i64::from(limit))).await?, connection)
    }

    async fn take_connection_check(&mut self, id: ConnectionId, now: Timestamp, until: Timestamp) -> Result<bool> {
        let statement = sql("UPDATE connections SET check_due_at = $3 WHERE id = $1 AND check_due_at <= $2");
        Ok(self.execute(statement.bind(id).bind(now).bind(until)).await? > 0)
    }

    async fn note_connection_check(&mut self, checked: &ConnectionChecked) -> Result<CheckNews> {
        // The first statement locks the row, so that of two checks at once only one brings the news.
        let kept = sql(concat!(
            "UPDATE connections SET last_check = $3, check_due_at = $4 ",
            "WHERE id = $1 AND updated_at = $2"
        ));
        let kept = kept.bind(checked.id).bind(checked.settings_of).bind(&checked.check).bind(checked.next_at);
        if self.execute(kept).await? == 0 {
            return Ok(CheckNews::Outdated);
        }
        let turned = if checked.works {
            sql("UPDATE connections SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL")
                .bind(checked.id)
        } else {
            sql("UPDATE connections SET failing_since = $2 WHERE id = $1 AND failing_since IS NULL")
                .bind(checked.id)
                .bind(checked.at)
        };
        Ok(if self.execute(turned).await? > 0 { CheckNews::Changed } else { CheckNews::Same })
    }
}

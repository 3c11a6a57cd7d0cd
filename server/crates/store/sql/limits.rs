use async_trait::async_trait;
use domain::{Name, RunId, Timestamp, WaitsFor};
use store::{
    Result,
    limits::{Claimant, Limits, NamespaceLimits, Place},
    runs::Lease,
};

use crate::{
    db::{self, Row},
    row::{Columns, each, first, only},
    statement::sql,
    unit::Unit,
};

/// In the place of a call: the run itself.
const RUN_ITSELF: i64 = -1;

macro_rules! select_places {
    ($rest:literal) => {
        concat!("SELECT p.scope, p.run_id, p.call, p.epoch, p.since, p.waits, p.taken_at FROM places p ", $rest)
    };
}

/// Whether somebody waits: now is the parameter `$2`.
macro_rules! somebody_waits {
    () => {
        "p.scope = $1 AND p.waits AND (r.waits_for IS NOT NULL OR r.lease_until > $2)"
    };
}

fn call(claimant: Claimant) -> i64 {
    claimant.call.map_or(RUN_ITSELF, i64::from)
}

fn place(row: &Columns<'_>) -> Result<Place> {
    let claimant = Claimant { run: row.parsed("run_id")?, call: u32::try_from(row.integer("call")?).ok() };
    Ok(Place {
        scope: row.text("scope")?,
        claimant,
        epoch: row.integer("epoch")?,
        since: row.time("since")?,
        waits: row.flag("waits")?,
        taken_at: row.maybe_time("taken_at")?,
    })
}

fn scopes(places: &[Row]) -> Result<Vec<String>> {
    let mut scopes = each(places, |row| row.text("scope"))?;
    scopes.sort();
    Ok(scopes)
}

fn limits(row: &Columns<'_>) -> Result<NamespaceLimits> {
    Ok(NamespaceLimits {
        namespace: row.parsed("namespace")?,
        runs: row.maybe_count("runs")?,
        calls: row.maybe_count("calls")?,
        changed_by: row.parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
    })
}

#[async_trait]
impl Limits for Unit {
    async fn namespace_limits(&mut self, namespace: &Name) -> Result<Option<NamespaceLimits>> {
        let statement =
            sql("SELECT namespace, runs, calls, changed_by, changed_at FROM namespace_limits WHERE namespace = $1");
        first(&self.fetch(statement.bind(namespace.as_str())).await?, limits)
    }

    async fn list_namespace_limits(&mut self) -> Result<Vec<NamespaceLimits>> {
        let statement =
            sql("SELECT namespace, runs, calls, changed_by, changed_at FROM namespace_limits ORDER BY namespace");
        each(&self.fetch(statement).await?, limits)
    }

    async fn put_namespace_limits(&mut self, limits: &NamespaceLimits) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO namespace_limits (namespace, runs, calls, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5) ",
            "ON CONFLICT (namespace) DO UPDATE SET runs = excluded.runs, calls = excluded.calls, ",
            "changed_by = excluded.changed_by, changed_at = excluded.changed_at"
        ))
        .bind(limits.namespace.as_str())
        .bind(limits.runs.map(i64::from))
        .bind(limits.calls.map(i64::from))
        .bind(limits.changed_by)
        .bind(limits.changed_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_namespace_limits(&mut self, namespace: &Name) -> Result<bool> {
        let statement = sql("DELETE FROM namespace_limits WHERE namespace = $1");
        Ok(self.execute(statement.bind(namespace.as_str())).await? > 0)
    }

    async fn lock_scope(&mut self, scope: &str) -> Result<()> {
        self.writing()?;
        if let Some(lock) = db::LOCK_SCOPE {
            self.fetch(sql(lock).bind(scope)).await?;
        }
        Ok(())
    }

    async fn places_of(&mut self, claimant: Claimant) -> Result<Vec<Place>> {
        let statement = sql(select_places!("WHERE p.run_id = $1 AND p.call = $2 ORDER BY p.scope"));
        each(&self.fetch(statement.bind(claimant.run).bind(call(claimant))).await?, place)
    }

    async fn count_taken(&mut self, scope: &str, now: Timestamp) -> Result<u32> {
        let statement = sql(concat!(
            "SELECT count(*) AS n FROM places p JOIN runs r ON r.id = p.run_id WHERE p.scope = $1 AND NOT p.waits ",
            "AND CASE WHEN p.call = -1 THEN r.status NOT IN ('cancelled', 'faulted', 'completed') ",
            "ELSE r.lease_epoch = p.epoch AND r.lease_until > $2 END"
        ));
        only(&self.fetch(statement.bind(scope).bind(now)).await?, |row| row.count("n"))
    }

    async fn count_waiting(&mut self, scope: &str, since: Timestamp, before: Claimant, now: Timestamp) -> Result<u32> {
        let statement = sql(concat!(
            "SELECT count(*) AS n FROM places p JOIN runs r ON r.id = p.run_id WHERE ",
            somebody_waits!(),
            " AND (p.since, p.run_id, p.call) < ($3, $4, $5)"
        ));
        let statement = statement.bind(scope).bind(now).bind(since).bind(before.run).bind(call(before));
        only(&self.fetch(statement).await?, |row| row.count("n"))
    }

    async fn first_waiting(&mut self, scope: &str, now: Timestamp) -> Result<Option<Place>> {
        let statement = sql(concat!(
            select_places!("JOIN runs r ON r.id = p.run_id WHERE "),
            somebody_waits!(),
            " ORDER BY p.since, p.run_id, p.call LIMIT 1"
        ));
        first(&self.fetch(statement.bind(scope).bind(now)).await?, place)
    }

    async fn insert_place(&mut self, place: &Place) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO places (scope, run_id, call, epoch, since, waits, taken_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ))
        .bind(&place.scope)
        .bind(place.claimant.run)
        .bind(call(place.claimant))
        .bind(place.epoch)
        .bind(place.since)
        .bind(place.waits)
        .bind(place.taken_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_places(&mut self, claimant: Claimant, epoch: Option<i64>) -> Result<Vec<String>> {
        let mut statement = sql("DELETE FROM places WHERE run_id = $1 AND call = $2");
        statement = statement.bind(claimant.run).bind(call(claimant));
        if let Some(epoch) = epoch {
            statement.push(" AND epoch = ").value(epoch);
        }
        statement.push(" RETURNING scope");
        scopes(&self.execute_returning(statement).await?)
    }

    async fn delete_waiting(&mut self, claimant: Claimant) -> Result<Vec<String>> {
        let statement = sql("DELETE FROM places WHERE run_id = $1 AND call = $2 AND waits RETURNING scope");
        scopes(&self.execute_returning(statement.bind(claimant.run).bind(call(claimant))).await?)
    }

    async fn nth_latest_start(&mut self, scope: &str, nth: u32) -> Result<Option<Timestamp>> {
        let statement = sql("SELECT at FROM starts WHERE scope = $1 ORDER BY at DESC LIMIT 1 OFFSET $2");
        first(&self.fetch(statement.bind(scope).bind(nth.saturating_sub(1))).await?, |row| row.time("at"))
    }

    async fn insert_start(&mut self, scope: &str, claimant: Claimant, at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO starts (scope, at, run_id, call) VALUES ($1, $2, $3, $4) ",
            "ON CONFLICT (scope, at, run_id, call) DO NOTHING"
        ));
        self.execute(statement.bind(scope).bind(at).bind(claimant.run).bind(call(claimant))).await?;
        Ok(())
    }

    async fn prune_places(&mut self, began_before: Timestamp) -> Result<()> {
        self.execute(sql("DELETE FROM starts WHERE at < $1").bind(began_before)).await?;
        let ended = sql(concat!(
            "DELETE FROM places WHERE EXISTS (SELECT 1 FROM runs r WHERE r.id = places.run_id ",
            "AND r.status IN ('cancelled', 'faulted', 'completed') AND r.waits_for IS NULL AND r.lease_until IS NULL)"
        ));
        self.execute(ended).await?;
        Ok(())
    }

    async fn hold_run(&mut self, lease: &Lease, waits_for: WaitsFor, until: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE runs SET waits_for = $4, wake_at = $5, inbox_since = NULL, lease_owner = NULL, lease_until = NULL ",
            "WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3"
        ))
        .bind(lease.run)
        .bind(&lease.owner)
        .bind(lease.epoch)
        .bind(waits_for.as_str())
        .bind(until);
        self.execute_one(statement).await
    }

    async fn rouse_run(&mut self, run: RunId, at: Timestamp) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE runs SET inbox_since = COALESCE(inbox_since, $2) ",
            "WHERE id = $1 AND waits_for IS NOT NULL AND inbox_open > 0"
        ));
        self.execute(statement.bind(run).bind(at)).await?;
        Ok(())
    }

    async fn lease_is_held(&mut self, lease: &Lease) -> Result<bool> {
        let statement = sql("SELECT number FROM runs WHERE id = $1 AND lease_owner = $2 AND lease_epoch = $3");
        let rows = self.fetch(statement.bind(lease.run).bind(&lease.owner).bind(lease.epoch)).await?;
        Ok(!rows.is_empty())
    }
}

use async_trait::async_trait;
use domain::{HoldId, Timestamp, view::HoldCovers};
use store::{
    Result, StoreError,
    audit::AuditRow,
    retention::{Archiving, AuditHold, AuditKind, AuditSegment, HoldRelease, Retention},
};

use crate::{
    audit::entry,
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, sql},
    unit::Unit,
};

macro_rules! segments {
    ($rest:literal) => {
        concat!(
            "SELECT number, name, class, first, last, entries, places, bytes, sha256, archived_at FROM audit_segments ",
            $rest
        )
    };
}

macro_rules! holds {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, reason, namespace, person, resource_kind, resource_id, from_at, to_at, placed_by, placed_at, ",
            "released_by, released_at, release_reason FROM audit_holds ",
            $rest
        )
    };
}

fn segment(row: &Columns<'_>) -> Result<AuditSegment> {
    Ok(AuditSegment {
        number: row.integer("number")?,
        name: row.text("name")?,
        class: row.parsed("class")?,
        first: row.integer("first")?,
        last: row.integer("last")?,
        entries: row.integer("entries")?,
        places: row.text("places")?,
        bytes: row.integer("bytes")?,
        sha256: row.text("sha256")?,
        archived_at: row.time("archived_at")?,
    })
}

fn hold(row: &Columns<'_>) -> Result<AuditHold> {
    let release = match (row.maybe_parsed("released_by")?, row.maybe_time("released_at")?) {
        (Some(by), Some(at)) => Some(HoldRelease { by, at, reason: row.text("release_reason")? }),
        _ => None,
    };
    Ok(AuditHold {
        id: row.parsed("id")?,
        name: row.text("name")?,
        reason: row.text("reason")?,
        covers: HoldCovers {
            namespace: row.maybe_text("namespace")?,
            person: row.maybe_text("person")?,
            resource_kind: row.maybe_text("resource_kind")?,
            resource_id: row.maybe_text("resource_id")?,
            from: row.maybe_time("from_at")?,
            to: row.maybe_time("to_at")?,
        },
        placed_by: row.parsed("placed_by")?,
        placed_at: row.time("placed_at")?,
        release,
    })
}

#[async_trait]
impl Retention for Unit {
    async fn count_unarchived(&mut self, before: Timestamp) -> Result<Vec<AuditKind>> {
        let statement = sql(concat!(
            "SELECT action, outcome, COUNT(*) AS entries FROM audit_entries WHERE segment IS NULL AND at < $1 ",
            "GROUP BY action, outcome ORDER BY action, outcome"
        ));
        each(&self.fetch(statement.bind(before)).await?, |row| {
            Ok((row.text("action")?, row.text("outcome")?, row.integer("entries")?))
        })
    }

    async fn list_unarchived(&mut self, after: i64, before: Timestamp, limit: u32) -> Result<Vec<AuditRow>> {
        let statement = sql(concat!(
            "SELECT seq, at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome, ",
            "'' AS body, NULL AS personal, segment FROM audit_entries WHERE seq > $1 AND at < $2 AND segment IS NULL ORDER BY seq LIMIT $3"
        ));
        each(&self.fetch(statement.bind(after).bind(before).bind(limit)).await?, entry)
    }

    async fn has_archived(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<bool> {
        let statement = sql(
            "SELECT EXISTS (SELECT 1 FROM audit_entries WHERE segment IS NOT NULL AND at >= $1 AND at < $2) AS found",
        );
        let statement = statement
            .bind(from.unwrap_or(Timestamp::from_micros(i64::MIN)))
            .bind(to.unwrap_or(Timestamp::from_micros(i64::MAX)));
        only(&self.fetch(statement).await?, |row| row.flag("found"))
    }

    async fn archive_audit(&mut self, segment: &AuditSegment, places: &[i64]) -> Result<()> {
        let insert = sql(concat!(
            "INSERT INTO audit_segments (number, name, class, first, last, entries, places, bytes, sha256, archived_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ))
        .bind(segment.number)
        .bind(&segment.name)
        .bind(segment.class.as_str())
        .bind(segment.first)
        .bind(segment.last)
        .bind(segment.entries)
        .bind(&segment.places)
        .bind(segment.bytes)
        .bind(&segment.sha256)
        .bind(segment.archived_at);
        self.execute(insert).await?;
        for some in places.chunks(IDS_PER_QUERY) {
            let mut emptied = sql("UPDATE audit_entries SET segment = ");
            emptied.value(&segment.name);
            emptied.push(concat!(
                ", body = '', actor_id = NULL, actor = '', action = '', resource_kind = '', resource_id = '', ",
                "resource_name = '', namespace = NULL, personal = NULL WHERE segment IS NULL AND seq IN ("
            ));
            emptied.values(some.iter().copied()).push(")");
            if usize::try_from(self.execute(emptied).await?) != Ok(some.len()) {
                return Err(StoreError::Conflict);
            }
            let mut forgotten = sql("DELETE FROM audit_controls WHERE seq IN (");
            forgotten.values(some.iter().copied()).push(")");
            self.execute(forgotten).await?;
        }
        Ok(())
    }

    async fn last_audit_segment(&mut self) -> Result<i64> {
        let statement = sql("SELECT COALESCE(MAX(number), 0) AS number FROM audit_segments");
        only(&self.fetch(statement).await?, |row| row.integer("number"))
    }

    async fn audit_segment(&mut self, name: &str) -> Result<Option<AuditSegment>> {
        first(&self.fetch(sql(segments!("WHERE name = $1")).bind(name)).await?, segment)
    }

    async fn next_audit_segment(&mut self, after: i64) -> Result<Option<AuditSegment>> {
        let statement = sql(segments!("WHERE number > $1 ORDER BY number LIMIT 1"));
        first(&self.fetch(statement.bind(after)).await?, segment)
    }

    async fn list_audit_segments(&mut self, before: Option<i64>, limit: u32) -> Result<Vec<AuditSegment>> {
        let statement = sql(segments!("WHERE number < $1 ORDER BY number DESC LIMIT $2"));
        each(&self.fetch(statement.bind(before.unwrap_or(i64::MAX)).bind(limit)).await?, segment)
    }

    async fn insert_audit_hold(&mut self, hold: &AuditHold) -> Result<()> {
        let HoldCovers { namespace, person, resource_kind, resource_id, from, to } = &hold.covers;
        let statement = sql(concat!(
            "INSERT INTO audit_holds (id, name, reason, namespace, person, resource_kind, resource_id, from_at, to_at, ",
            "placed_by, placed_at, released_by, released_at, release_reason) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        ))
        .bind(hold.id)
        .bind(&hold.name)
        .bind(&hold.reason)
        .bind(namespace.as_deref())
        .bind(person.as_deref())
        .bind(resource_kind.as_deref())
        .bind(resource_id.as_deref())
        .bind(*from)
        .bind(*to)
        .bind(hold.placed_by)
        .bind(hold.placed_at)
        .bind(hold.release.as_ref().map(|release| release.by))
        .bind(hold.release.as_ref().map(|release| release.at))
        .bind(hold.release.as_ref().map(|release| release.reason.as_str()));
        self.execute(statement).await?;
        Ok(())
    }

    async fn audit_hold(&mut self, id: HoldId) -> Result<Option<AuditHold>> {
        first(&self.fetch(sql(holds!("WHERE id = $1")).bind(id)).await?, hold)
    }

    async fn list_audit_holds(&mut self) -> Result<Vec<AuditHold>> {
        let statement =
            sql(holds!("ORDER BY CASE WHEN released_at IS NULL THEN 0 ELSE 1 END, placed_at DESC, id DESC"));
        each(&self.fetch(statement).await?, hold)
    }

    async fn release_audit_hold(&mut self, id: HoldId, release: &HoldRelease) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_holds SET released_by = $2, released_at = $3, release_reason = $4 ",
            "WHERE id = $1 AND released_by IS NULL"
        ));
        let statement = statement.bind(id).bind(release.by).bind(release.at).bind(&release.reason);
        Ok(self.execute(statement).await? > 0)
    }

    async fn archiving(&mut self) -> Result<Archiving> {
        let mut statement =
            sql("SELECT holder, held_until, succeeded_at, failing_since, failure FROM audit_archiving WHERE id = 1");
        statement.push(self.lock_clause());
        only(&self.fetch(statement).await?, |row| {
            Ok(Archiving {
                holder: row.maybe_text("holder")?,
                held_until: row.maybe_time("held_until")?,
                succeeded_at: row.maybe_time("succeeded_at")?,
                failing_since: row.maybe_time("failing_since")?,
                failure: row.maybe_text("failure")?,
            })
        })
    }

    async fn take_archiving(&mut self, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_archiving SET holder = $1, held_until = $3 ",
            "WHERE id = 1 AND (holder IS NULL OR holder = $1 OR held_until <= $2)"
        ));
        Ok(self.execute(statement.bind(holder).bind(now).bind(until)).await? > 0)
    }

    async fn note_archived(&mut self, holder: &str, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_archiving SET succeeded_at = $2, failing_since = NULL, failure = NULL ",
            "WHERE id = 1 AND holder = $1"
        ));
        Ok(self.execute(statement.bind(holder).bind(at)).await? > 0)
    }

    async fn note_archiving_failure(&mut self, holder: &str, failure: &str, at: Timestamp) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE audit_archiving SET failing_since = COALESCE(failing_since, $3), failure = $2, ",
            "holder = NULL, held_until = NULL WHERE id = 1 AND holder = $1"
        ));
        Ok(self.execute(statement.bind(holder).bind(failure).bind(at)).await? > 0)
    }

    async fn release_archiving(&mut self) -> Result<()> {
        self.execute(sql("UPDATE audit_archiving SET holder = NULL, held_until = NULL WHERE id = 1")).await?;
        Ok(())
    }
}

use async_trait::async_trait;
use domain::{ApprovalId, Name, Scope, Timestamp};
use store::{
    Result,
    calendars::{ApprovalTimer, Calendar, Calendars},
};

use crate::{
    db,
    row::{Columns, each, first, only},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT t.approval_id, t.kind, t.at, t.fired_at FROM approval_timers t ", $rest)
    };
}

fn calendar(row: &Columns<'_>) -> Result<Calendar> {
    Ok(Calendar {
        scope: row.parsed("scope")?,
        name: row.parsed("name")?,
        text: row.text("text")?,
        changed_by: row.parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
    })
}

fn timer(row: &Columns<'_>) -> Result<ApprovalTimer> {
    Ok(ApprovalTimer {
        approval: row.parsed("approval_id")?,
        kind: row.parsed("kind")?,
        at: row.time("at")?,
        fired_at: row.maybe_time("fired_at")?,
    })
}

#[async_trait]
impl Calendars for Unit {
    async fn calendar(&mut self, scope: &Scope, name: &Name) -> Result<Option<Calendar>> {
        let statement =
            sql("SELECT scope, name, text, changed_by, changed_at FROM calendars WHERE scope = $1 AND name = $2");
        first(&self.fetch(statement.bind(&scope.to_string()).bind(name.as_str())).await?, calendar)
    }

    async fn list_calendars(&mut self) -> Result<Vec<Calendar>> {
        let statement = sql("SELECT scope, name, text, changed_by, changed_at FROM calendars ORDER BY name, scope");
        each(&self.fetch(statement).await?, calendar)
    }

    async fn put_calendar(&mut self, calendar: &Calendar) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO calendars (scope, name, text, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5) ",
            "ON CONFLICT (scope, name) DO UPDATE SET text = excluded.text, changed_by = excluded.changed_by, ",
            "changed_at = excluded.changed_at"
        ))
        .bind(&calendar.scope.to_string())
        .bind(calendar.name.as_str())
        .bind(&calendar.text)
        .bind(calendar.changed_by)
        .bind(calendar.changed_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_calendar(&mut self, scope: &Scope, name: &Name) -> Result<bool> {
        let statement = sql("DELETE FROM calendars WHERE scope = $1 AND name = $2");
        Ok(self.execute(statement.bind(&scope.to_string()).bind(name.as_str())).await? > 0)
    }

    async fn insert_approval_timer(&mut self, timer: &ApprovalTimer) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO approval_timers (approval_id, kind, at, fired_at) VALUES ($1, $2, $3, $4) ",
            "ON CONFLICT DO NOTHING"
        ));
        let statement = statement.bind(timer.approval).bind(timer.kind.as_str()).bind(timer.at).bind(timer.fired_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn approval_timers(&mut self, approval: ApprovalId) -> Result<Vec<ApprovalTimer>> {
        let statement = sql(select!("WHERE t.approval_id = $1 ORDER BY t.at, t.kind"));
        each(&self.fetch(statement.bind(approval)).await?, timer)
    }

    async fn take_approval_timers(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ApprovalTimer>> {
        self.writing()?;
        let mut statement =
            sql(select!("WHERE t.fired_at IS NULL AND t.at <= $1 ORDER BY t.at, t.approval_id, t.kind LIMIT $2"))
                .bind(now)
                .bind(limit);
        statement.push(db::SKIP_LOCKED);
        let mut timers = each(&self.fetch(statement).await?, timer)?;
        for timer in &mut timers {
            timer.fired_at = Some(now);
            let done = sql("UPDATE approval_timers SET fired_at = $4 WHERE approval_id = $1 AND kind = $2 AND at = $3");
            let done = done.bind(timer.approval).bind(timer.kind.as_str()).bind(timer.at).bind(now);
            self.execute(done).await?;
        }
        Ok(timers)
    }

    async fn next_approval_timer(&mut self) -> Result<Option<Timestamp>> {
        let statement = sql("SELECT min(t.at) AS at FROM approval_timers t WHERE t.fired_at IS NULL");
        only(&self.fetch(statement).await?, |row| row.maybe_time("at"))
    }
}

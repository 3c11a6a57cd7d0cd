use async_trait::async_trait;
use domain::{Timestamp, TriggerId};
use store::{
    Result,
    watches::{Noted, Watch, Watches},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select_watch {
    ($rest:literal) => {
        concat!(
            "SELECT w.trigger_id, w.connection, w.place, w.pause, w.due_at, w.progress, w.looked_at, w.failing_since, ",
            "w.trouble FROM trigger_watches w ",
            $rest
        )
    };
}

fn watch(row: &Columns<'_>) -> Result<Watch> {
    Ok(Watch {
        trigger: row.parsed("trigger_id")?,
        connection: row.text("connection")?,
        place: row.text("place")?,
        pause: row.count("pause")?,
        due_at: row.time("due_at")?,
        progress: row.maybe_text("progress")?,
        looked_at: row.maybe_time("looked_at")?,
        trouble: row.maybe_time("failing_since")?.zip(row.maybe_text("trouble")?),
    })
}

fn noted(row: &Columns<'_>) -> Result<Noted> {
    Ok(Noted { item: row.text("item")?, settled: row.flag("settled")? })
}

#[async_trait]
impl Watches for Unit {
    async fn watch(&mut self, trigger: TriggerId) -> Result<Option<Watch>> {
        first(&self.fetch(sql(select_watch!("WHERE w.trigger_id = $1")).bind(trigger)).await?, watch)
    }

    async fn list_watches(&mut self) -> Result<Vec<Watch>> {
        each(&self.fetch(sql(select_watch!("ORDER BY w.trigger_id"))).await?, watch)
    }

    async fn put_watch(&mut self, watch: &Watch) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO trigger_watches (trigger_id, connection, place, pause, due_at, progress, looked_at, ",
            "failing_since, trouble) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (trigger_id) DO UPDATE SET ",
            "connection = excluded.connection, place = excluded.place, pause = excluded.pause, ",
            "due_at = excluded.due_at, progress = excluded.progress, looked_at = excluded.looked_at, ",
            "failing_since = excluded.failing_since, trouble = excluded.trouble"
        ))
        .bind(watch.trigger)
        .bind(&watch.connection)
        .bind(&watch.place)
        .bind(watch.pause)
        .bind(watch.due_at)
        .bind(watch.progress.as_deref())
        .bind(watch.looked_at)
        .bind(watch.trouble.as_ref().map(|(since, _)| *since))
        .bind(watch.trouble.as_ref().map(|(_, words)| words.as_str()));
        self.execute(statement).await?;
        Ok(())
    }

    async fn watches_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Watch>> {
        let mut statement =
            sql(select_watch!("JOIN triggers t ON t.id = w.trigger_id WHERE w.due_at <= $1 AND t.enabled = $2"));
        statement = statement.bind(now).bind(true);
        statement.push(" ORDER BY w.due_at, w.trigger_id").limit(limit);
        each(&self.fetch(statement).await?, watch)
    }

    async fn take_watch(&mut self, trigger: TriggerId, now: Timestamp, until: Timestamp) -> Result<bool> {
        let statement = sql("UPDATE trigger_watches SET due_at = $3 WHERE trigger_id = $1 AND due_at <= $2");
        Ok(self.execute(statement.bind(trigger).bind(now).bind(until)).await? > 0)
    }

    async fn release_watches(&mut self) -> Result<()> {
        self.execute(sql("UPDATE trigger_watches SET due_at = 0 WHERE due_at > 0")).await?;
        Ok(())
    }

    async fn noted_items(&mut self, trigger: TriggerId) -> Result<Vec<Noted>> {
        let statement = sql("SELECT item, settled FROM trigger_items WHERE trigger_id = $1 ORDER BY item");
        each(&self.fetch(statement.bind(trigger)).await?, noted)
    }

    async fn noted_item(&mut self, trigger: TriggerId, item: &str) -> Result<Option<Noted>> {
        let statement = sql("SELECT item, settled FROM trigger_items WHERE trigger_id = $1 AND item = $2");
        first(&self.fetch(statement.bind(trigger).bind(item)).await?, noted)
    }

    async fn note_item(&mut self, trigger: TriggerId, noted: &Noted) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO trigger_items (trigger_id, item, settled) VALUES ($1, $2, $3) ",
            "ON CONFLICT (trigger_id, item) DO UPDATE SET settled = excluded.settled"
        ));
        self.execute(statement.bind(trigger).bind(&noted.item).bind(noted.settled)).await?;
        Ok(())
    }

    async fn forget_item(&mut self, trigger: TriggerId, item: &str) -> Result<bool> {
        let statement = sql("DELETE FROM trigger_items WHERE trigger_id = $1 AND item = $2");
        Ok(self.execute(statement.bind(trigger).bind(item)).await? > 0)
    }

    async fn forget_items(&mut self, trigger: TriggerId) -> Result<()> {
        self.execute(sql("DELETE FROM trigger_items WHERE trigger_id = $1").bind(trigger)).await?;
        Ok(())
    }
}

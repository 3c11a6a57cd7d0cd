use async_trait::async_trait;
use domain::{RunId, view::LogLine};
use sqlx::Pool;
use store::{Result, UnitOfWork as _, logs::LogStore};

use crate::{
    db::Db,
    row::{Columns, each},
    statement::sql,
    unit::{Mode, Unit},
};

/// So many lines are written by one statement.
const LINES_PER_INSERT: usize = 500;

/// Task logs, on connections of their own.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) write: Pool<Db>,
    pub(crate) read: Pool<Db>,
}

fn line(row: &Columns<'_>) -> Result<LogLine> {
    Ok(LogLine {
        seq: row.integer("seq")?,
        at: row.time("at")?,
        reference: row.text("reference")?,
        level: row.text("level")?,
        text: row.text("text")?,
    })
}

#[async_trait]
impl LogStore for Logs {
    async fn append(&self, lines: &[(RunId, LogLine)]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut unit = Unit::begin(&self.write, Mode::Write).await?;
        for some in lines.chunks(LINES_PER_INSERT) {
            let mut insert = sql("INSERT INTO task_logs (run_id, at, reference, level, text) VALUES ");
            for (index, (run, line)) in some.iter().enumerate() {
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(*run).push(", ").value(line.at).push(", ").value(&line.reference).push(", ");
                insert.value(&line.level).push(", ");
                // What a task prints is not ours to refuse.
                insert.value(&line.text.replace('\0', "\u{fffd}")).push(")");
            }
            unit.execute(insert).await?;
        }
        Box::new(unit).commit().await
    }

    async fn read(&self, run: RunId, reference: Option<&str>, after: i64, limit: u32) -> Result<Vec<LogLine>> {
        let mut unit = Unit::begin(&self.read, Mode::Read).await?;
        let mut statement = sql("SELECT seq, at, reference, level, text FROM task_logs WHERE run_id = $1 AND seq > $2")
            .bind(run)
            .bind(after);
        if let Some(reference) = reference {
            statement.push(" AND reference = ").value(reference);
        }
        statement.push(" ORDER BY seq").limit(limit);
        let lines = each(&unit.fetch(statement).await?, line)?;
        Box::new(unit).commit().await?;
        Ok(lines)
    }
}

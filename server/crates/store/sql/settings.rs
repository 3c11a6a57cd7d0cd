use async_trait::async_trait;
use store::{Result, settings::Settings};

use crate::{row::first, statement::sql, unit::Unit};

#[async_trait]
impl Settings for Unit {
    async fn setting(&mut self, key: &str) -> Result<Option<String>> {
        let rows = self.fetch(sql("SELECT value FROM settings WHERE key = $1").bind(key)).await?;
        first(&rows, |row| row.text("value"))
    }

    async fn put_setting(&mut self, key: &str, value: &str) -> Result<()> {
        let statement = sql(
            "INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        );
        self.execute(statement.bind(key).bind(value)).await?;
        Ok(())
    }
}

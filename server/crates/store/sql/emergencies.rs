use async_trait::async_trait;
use domain::{EmergencyId, Timestamp};
use store::{
    Result,
    emergencies::{Emergencies, Emergency},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, person_id, role, scope, reason, minutes, asked_at, confirmed_by, confirmed_at, ends_at, ended_by, ",
            "ended_at, reviewed_by, reviewed_at, review FROM emergencies ",
            $rest
        )
    };
}

fn emergency(row: &Columns<'_>) -> Result<Emergency> {
    Ok(Emergency {
        id: row.parsed("id")?,
        person: row.parsed("person_id")?,
        role: row.parsed("role")?,
        scope: row.parsed("scope")?,
        reason: row.text("reason")?,
        minutes: row.count("minutes")?,
        asked_at: row.time("asked_at")?,
        confirmed_by: row.maybe_parsed("confirmed_by")?,
        confirmed_at: row.maybe_time("confirmed_at")?,
        ends_at: row.maybe_time("ends_at")?,
        ended_by: row.maybe_parsed("ended_by")?,
        ended_at: row.maybe_time("ended_at")?,
        reviewed_by: row.maybe_parsed("reviewed_by")?,
        reviewed_at: row.maybe_time("reviewed_at")?,
        review: row.text("review")?,
    })
}

#[async_trait]
impl Emergencies for Unit {
    async fn emergency(&mut self, id: EmergencyId) -> Result<Option<Emergency>> {
        let mut statement = sql(select!("WHERE id = $1")).bind(id);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, emergency)
    }

    async fn list_emergencies(
        &mut self,
        before: Option<(Timestamp, EmergencyId)>,
        limit: u32,
    ) -> Result<Vec<Emergency>> {
        let mut statement = sql(select!("WHERE TRUE"));
        if let Some((asked_at, id)) = before {
            statement.push(" AND (asked_at, id) < (").value(asked_at).push(", ").value(id).push(")");
        }
        statement.push(" ORDER BY asked_at DESC, id DESC").limit(limit);
        each(&self.fetch(statement).await?, emergency)
    }

    async fn open_emergencies(&mut self) -> Result<Vec<Emergency>> {
        let statement = sql(select!(
            "WHERE reviewed_at IS NULL AND (ended_at IS NULL OR confirmed_at IS NOT NULL) ORDER BY asked_at, id"
        ));
        each(&self.fetch(statement).await?, emergency)
    }

    async fn insert_emergency(&mut self, emergency: &Emergency) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO emergencies (id, person_id, role, scope, reason, minutes, asked_at, confirmed_by, confirmed_at, ",
            "ends_at, ended_by, ended_at, reviewed_by, reviewed_at, review) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        ))
        .bind(emergency.id)
        .bind(emergency.person)
        .bind(emergency.role.as_str())
        .bind(&emergency.scope.to_string())
        .bind(&emergency.reason)
        .bind(i64::from(emergency.minutes))
        .bind(emergency.asked_at)
        .bind(emergency.confirmed_by)
        .bind(emergency.confirmed_at)
        .bind(emergency.ends_at)
        .bind(emergency.ended_by)
        .bind(emergency.ended_at)
        .bind(emergency.reviewed_by)
        .bind(emergency.reviewed_at)
        .bind(&emergency.review);
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_emergency(&mut self, emergency: &Emergency) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE emergencies SET confirmed_by = $2, confirmed_at = $3, ends_at = $4, ended_by = $5, ended_at = $6, ",
            "reviewed_by = $7, reviewed_at = $8, review = $9 WHERE id = $1"
        ))
        .bind(emergency.id)
        .bind(emergency.confirmed_by)
        .bind(emergency.confirmed_at)
        .bind(emergency.ends_at)
        .bind(emergency.ended_by)
        .bind(emergency.ended_at)
        .bind(emergency.reviewed_by)
        .bind(emergency.reviewed_at)
        .bind(&emergency.review);
        self.execute_one(statement).await
    }
}

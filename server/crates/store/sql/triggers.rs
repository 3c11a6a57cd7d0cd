use async_trait::async_trait;
use domain::{Timestamp, TriggerId, TriggerOutcome};
use store::{
    Result, StoreError,
    triggers::{Alert, Delivery, Kept, Signing, Trigger, Triggers},
};

use crate::{
    db,
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select_trigger {
    ($rest:literal) => {
        concat!(
            "SELECT id, namespace, name, kind, place, sealed_secret, secret_by, workflow, mapping, filter, ",
            "signature_header, time_header, id_header, alert_end, enabled, deliveries, changed_by, changed_at FROM triggers ",
            $rest
        )
    };
}

macro_rules! select_delivery {
    ($rest:literal) => {
        concat!(
            "SELECT trigger_id, number, key, received_at, payload, outcome, detail, run_id, run_number, fingerprint, ",
            "replay_of, replayed_by, repeats, repeated_at FROM trigger_deliveries ",
            $rest
        )
    };
}

fn trigger(row: &Columns<'_>) -> Result<Trigger> {
    Ok(Trigger {
        id: row.parsed("id")?,
        namespace: row.parsed("namespace")?,
        name: row.parsed("name")?,
        kind: row.parsed("kind")?,
        place: row.text("place")?,
        sealed_secret: row.text("sealed_secret")?,
        secret_by: row.parsed("secret_by")?,
        workflow: row.parsed("workflow")?,
        mapping: row.text("mapping")?,
        filter: row.maybe_text("filter")?,
        signing: Signing {
            signature: row.maybe_text("signature_header")?,
            time: row.maybe_text("time_header")?,
            id: row.maybe_text("id_header")?,
        },
        alert_end: row.parsed("alert_end")?,
        enabled: row.flag("enabled")?,
        deliveries: row.integer("deliveries")?,
        changed_by: row.parsed("changed_by")?,
        changed_at: row.time("changed_at")?,
    })
}

fn delivery(row: &Columns<'_>) -> Result<Delivery> {
    let run = row.maybe_parsed("run_id")?.zip(row.maybe_integer("run_number")?);
    let replay = row.maybe_integer("replay_of")?.zip(row.maybe_parsed("replayed_by")?);
    Ok(Delivery {
        trigger: row.parsed("trigger_id")?,
        number: row.integer("number")?,
        key: row.text("key")?,
        received_at: row.time("received_at")?,
        payload: row.maybe_text("payload")?,
        outcome: row.parsed("outcome")?,
        detail: row.maybe_text("detail")?,
        run,
        fingerprint: row.maybe_text("fingerprint")?,
        replay,
        repeats: row.count("repeats")?,
        repeated_at: row.maybe_time("repeated_at")?,
    })
}

#[async_trait]
impl Triggers for Unit {
    async fn trigger(&mut self, id: TriggerId) -> Result<Option<Trigger>> {
        first(&self.fetch(sql(select_trigger!("WHERE id = $1")).bind(id)).await?, trigger)
    }

    async fn trigger_by_place(&mut self, place: &str) -> Result<Option<Trigger>> {
        first(&self.fetch(sql(select_trigger!("WHERE place = $1")).bind(place)).await?, trigger)
    }

    async fn lock_trigger(&mut self, id: TriggerId) -> Result<Option<Trigger>> {
        self.writing()?;
        let mut statement = sql(select_trigger!("WHERE id = $1")).bind(id);
        statement.push(db::LOCK_ROWS);
        first(&self.fetch(statement).await?, trigger)
    }

    async fn list_triggers(&mut self) -> Result<Vec<Trigger>> {
        each(&self.fetch(sql(select_trigger!("ORDER BY namespace, name"))).await?, trigger)
    }

    async fn insert_trigger(&mut self, trigger: &Trigger) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO triggers (id, namespace, name, kind, place, sealed_secret, secret_by, workflow, mapping, filter, ",
            "signature_header, time_header, id_header, alert_end, enabled, deliveries, changed_by, changed_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ",
            "ON CONFLICT (namespace, name) DO NOTHING"
        ))
        .bind(trigger.id)
        .bind(trigger.namespace.as_str())
        .bind(trigger.name.as_str())
        .bind(trigger.kind.as_str())
        .bind(&trigger.place)
        .bind(&trigger.sealed_secret)
        .bind(trigger.secret_by)
        .bind(trigger.workflow.as_str())
        .bind(&trigger.mapping)
        .bind(trigger.filter.as_deref())
        .bind(trigger.signing.signature.as_deref())
        .bind(trigger.signing.time.as_deref())
        .bind(trigger.signing.id.as_deref())
        .bind(trigger.alert_end.as_str())
        .bind(trigger.enabled)
        .bind(trigger.deliveries)
        .bind(trigger.changed_by)
        .bind(trigger.changed_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn update_trigger(&mut self, trigger: &Trigger) -> Result<bool> {
        let statement = sql(concat!(
            "UPDATE triggers SET sealed_secret = $2, secret_by = $3, workflow = $4, mapping = $5, filter = $6, ",
            "signature_header = $7, time_header = $8, id_header = $9, alert_end = $10, enabled = $11, changed_by = $12, ",
            "changed_at = $13 WHERE id = $1"
        ))
        .bind(trigger.id)
        .bind(&trigger.sealed_secret)
        .bind(trigger.secret_by)
        .bind(trigger.workflow.as_str())
        .bind(&trigger.mapping)
        .bind(trigger.filter.as_deref())
        .bind(trigger.signing.signature.as_deref())
        .bind(trigger.signing.time.as_deref())
        .bind(trigger.signing.id.as_deref())
        .bind(trigger.alert_end.as_str())
        .bind(trigger.enabled)
        .bind(trigger.changed_by)
        .bind(trigger.changed_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn delete_trigger(&mut self, id: TriggerId) -> Result<bool> {
        Ok(self.execute(sql("DELETE FROM triggers WHERE id = $1").bind(id)).await? > 0)
    }

    async fn delivery(&mut self, trigger: TriggerId, number: i64) -> Result<Option<Delivery>> {
        let statement = sql(select_delivery!("WHERE trigger_id = $1 AND number = $2")).bind(trigger).bind(number);
        first(&self.fetch(statement).await?, delivery)
    }

    async fn delivery_by_key(&mut self, trigger: TriggerId, key: &str) -> Result<Option<Delivery>> {
        let statement = sql(select_delivery!("WHERE trigger_id = $1 AND key = $2")).bind(trigger).bind(key);
        first(&self.fetch(statement).await?, delivery)
    }

    async fn list_deliveries(
        &mut self,
        trigger: TriggerId,
        outcome: Option<TriggerOutcome>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let mut statement = sql(select_delivery!("WHERE trigger_id = $1")).bind(trigger);
        if let Some(outcome) = outcome {
            statement.push(" AND outcome = ").value(outcome.as_str());
        }
        if let Some(before) = before {
            statement.push(" AND number < ").value(before);
        }
        statement.push(" ORDER BY number DESC").limit(limit);
        each(&self.fetch(statement).await?, delivery)
    }

    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<i64> {
        let statement = sql("UPDATE triggers SET deliveries = deliveries + 1 WHERE id = $1 RETURNING deliveries");
        let given =
            first(&self.execute_returning(statement.bind(delivery.trigger)).await?, |row| row.integer("deliveries"))?;
        let number = given.ok_or(StoreError::Conflict)?;
        let statement = sql(concat!(
            "INSERT INTO trigger_deliveries (trigger_id, number, key, received_at, payload, outcome, detail, run_id, ",
            "run_number, fingerprint, replay_of, replayed_by, repeats, repeated_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        ))
        .bind(delivery.trigger)
        .bind(number)
        .bind(&delivery.key)
        .bind(delivery.received_at)
        .bind(delivery.payload.as_deref())
        .bind(delivery.outcome.as_str())
        .bind(delivery.detail.as_deref())
        .bind(delivery.run.map(|(run, _)| run))
        .bind(delivery.run.map(|(_, number)| number))
        .bind(delivery.fingerprint.as_deref())
        .bind(delivery.replay.map(|(of, _)| of))
        .bind(delivery.replay.map(|(_, by)| by))
        .bind(delivery.repeats)
        .bind(delivery.repeated_at);
        self.execute(statement).await?;
        Ok(number)
    }

    async fn update_delivery(&mut self, delivery: &Delivery) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE trigger_deliveries SET outcome = $3, detail = $4, run_id = $5, run_number = $6, repeats = $7, ",
            "repeated_at = $8, payload = $9 WHERE trigger_id = $1 AND number = $2"
        ))
        .bind(delivery.trigger)
        .bind(delivery.number)
        .bind(delivery.outcome.as_str())
        .bind(delivery.detail.as_deref())
        .bind(delivery.run.map(|(run, _)| run))
        .bind(delivery.run.map(|(_, number)| number))
        .bind(delivery.repeats)
        .bind(delivery.repeated_at)
        .bind(delivery.payload.as_deref());
        self.execute_one(statement).await
    }

    async fn prune_deliveries(&mut self, now: Timestamp, kept: Kept, limit: u32) -> Result<u64> {
        let statement = sql(concat!(
            "DELETE FROM trigger_deliveries WHERE (trigger_id, number) IN (SELECT trigger_id, number ",
            "FROM trigger_deliveries WHERE received_at < $1 ORDER BY received_at, trigger_id, number LIMIT $2)"
        ));
        let old = self.execute(statement.bind(now - kept.time).bind(limit)).await?;
        let statement = sql(concat!(
            "DELETE FROM trigger_deliveries WHERE (trigger_id, number) IN (SELECT d.trigger_id, d.number ",
            "FROM triggers t JOIN trigger_deliveries d ON d.trigger_id = t.id AND d.number <= t.deliveries - $1 ",
            "WHERE d.received_at < $2 ORDER BY d.trigger_id, d.number LIMIT $3)"
        ));
        let statement = statement.bind(kept.number).bind(now - kept.spared).bind(limit);
        let many = self.execute(statement).await?;
        let statement = sql(concat!(
            "DELETE FROM trigger_alerts WHERE (trigger_id, fingerprint) IN (SELECT trigger_id, fingerprint ",
            "FROM trigger_alerts WHERE seen_at < $1 ORDER BY seen_at, trigger_id, fingerprint LIMIT $2)"
        ));
        let alerts = self.execute(statement.bind(now - kept.time).bind(limit)).await?;
        Ok(old + many + alerts)
    }

    async fn trigger_alert(&mut self, trigger: TriggerId, fingerprint: &str) -> Result<Option<Alert>> {
        let statement = sql(concat!(
            "SELECT trigger_id, fingerprint, starts_at, run_id, resolved_at, seen_at FROM trigger_alerts ",
            "WHERE trigger_id = $1 AND fingerprint = $2"
        ));
        first(&self.fetch(statement.bind(trigger).bind(fingerprint)).await?, |row| {
            Ok(Alert {
                trigger: row.parsed("trigger_id")?,
                fingerprint: row.text("fingerprint")?,
                starts_at: row.text("starts_at")?,
                run: row.parsed("run_id")?,
                resolved_at: row.maybe_time("resolved_at")?,
                seen_at: row.time("seen_at")?,
            })
        })
    }

    async fn put_trigger_alert(&mut self, alert: &Alert) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO trigger_alerts (trigger_id, fingerprint, starts_at, run_id, resolved_at, seen_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (trigger_id, fingerprint) DO UPDATE SET ",
            "starts_at = excluded.starts_at, run_id = excluded.run_id, resolved_at = excluded.resolved_at, ",
            "seen_at = excluded.seen_at"
        ))
        .bind(alert.trigger)
        .bind(&alert.fingerprint)
        .bind(&alert.starts_at)
        .bind(alert.run)
        .bind(alert.resolved_at)
        .bind(alert.seen_at);
        self.execute(statement).await?;
        Ok(())
    }
}

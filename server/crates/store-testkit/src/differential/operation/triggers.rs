use std::time::Duration;

use domain::TriggerOutcome;
use store::{
    Result, UnitOfWork,
    triggers::{Alert, Kept},
    watches::Noted,
};

use super::{Operation, pick, shown};
use crate::fixtures::{delivery, run_id, trigger, trigger_id, user_id, watch};

const NAMES: &[&str] = &["alerts", "pushes"];
const KEYS: &[&str] = &["a", "A", "ä", "a b"];
const OUTCOMES: &[TriggerOutcome] = &[TriggerOutcome::Launched, TriggerOutcome::Filtered, TriggerOutcome::Invalid];

impl Operation {
    pub(super) async fn triggers(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let id = trigger_id(self.a % 3);
        let mut named = trigger(self.a % 3, pick(NAMES, self.b));
        named.secret_by = user_id(self.b);
        named.changed_at = self.time;
        named.filter = self.flag.then(|| self.text.to_owned());
        named.enabled = self.flag;
        Ok(match self.c % 15 {
            0 | 1 => shown(unit.insert_trigger(&named).await?),
            2 => shown((unit.update_trigger(&named).await?, unit.trigger(id).await?)),
            3 if self.flag => shown(unit.delete_trigger(id).await?),
            3 => shown((unit.lock_trigger(id).await?, unit.trigger_by_place("place-1").await?)),
            4..=6 => {
                let mut new = delivery(self.a % 3, pick(KEYS, self.b), self.time);
                new.outcome = pick(OUTCOMES, self.c);
                new.detail = self.flag.then(|| self.text.to_owned());
                new.run = self.flag.then(|| (run_id(self.b % 4), 7));
                new.replay = self.flag.then(|| (1, user_id(self.b % 4)));
                let number = unit.insert_delivery(&new).await?;
                new.number = number;
                new.repeats = self.limit;
                unit.update_delivery(&new).await?;
                shown((number, unit.delivery(id, number).await?))
            }
            7 => {
                let outcome = self.flag.then(|| pick(OUTCOMES, self.b));
                let page = unit.list_deliveries(id, outcome, Some(i64::from(self.limit)), 3).await?;
                shown((page, unit.delivery_by_key(id, pick(KEYS, self.b)).await?))
            }
            8 => {
                let alert = Alert {
                    trigger: id,
                    fingerprint: pick(KEYS, self.b).to_owned(),
                    starts_at: self.text.to_owned(),
                    run: run_id(self.b % 4),
                    resolved_at: self.flag.then_some(self.time),
                    seen_at: self.time,
                };
                unit.put_trigger_alert(&alert).await?;
                shown(unit.trigger_alert(id, pick(KEYS, self.b)).await?)
            }
            9 | 10 => {
                let mut placed = watch(self.a % 3);
                placed.connection = pick(NAMES, self.b).to_owned();
                placed.due_at = self.time;
                placed.progress = self.flag.then(|| self.text.to_owned());
                placed.looked_at = self.flag.then_some(self.time);
                placed.trouble = self.flag.then(|| (self.time, self.text.to_owned()));
                unit.put_watch(&placed).await?;
                shown(unit.watch(id).await?)
            }
            11 => {
                let due = unit.watches_due(self.time, self.limit).await?;
                shown((due, unit.take_watch(id, self.time, self.time + Duration::from_secs(5)).await?))
            }
            12 if self.flag => {
                let forgotten = unit.forget_item(id, pick(KEYS, self.b)).await?;
                shown((forgotten, unit.noted_items(id).await?))
            }
            12 => {
                unit.forget_items(id).await?;
                unit.release_watches().await?;
                shown(unit.noted_item(id, pick(KEYS, self.b)).await?)
            }
            13 => {
                let noted = Noted { item: pick(KEYS, self.b).to_owned(), settled: self.flag };
                unit.note_item(id, &noted).await?;
                shown(unit.noted_items(id).await?)
            }
            _ => {
                let kept = Kept { time: Duration::from_secs(20), number: 1, spared: Duration::from_secs(5) };
                shown(unit.prune_deliveries(self.time, kept, self.limit).await?)
            }
        })
    }
}

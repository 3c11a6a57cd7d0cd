//! What must be true when all is over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    effects::{Effect, Effects},
    orders::{Kind, Order},
    people::People,
};

/// Collects what is wrong.
pub(super) struct Verdict<'a> {
    people: &'a People,
    had: BTreeMap<(String, String), Vec<(usize, Effect)>>,
    pub(super) faults: Vec<String>,
}

impl<'a> Verdict<'a> {
    pub(super) fn new(people: &'a People, effects: &Effects) -> Self {
        let mut had: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, effect) in effects.all().into_iter().enumerate() {
            had.entry((effect.order.clone(), effect.step.clone())).or_default().push((place, effect));
        }
        let mut faults = effects.faults();
        for ((order, step), effects) in &had {
            if effects.len() > 1 {
                let keys: Vec<&str> = effects.iter().map(|(_, effect)| effect.key.as_str()).collect();
                faults.push(format!("{order}/{step} was had {} times, by the keys {keys:?}", effects.len()));
            }
        }
        Self { people, had, faults }
    }

    fn require(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(otherwise());
        }
    }

    /// When a step had its effect, among all others.
    fn place(&self, order: &str, step: &str) -> Option<usize> {
        self.had.get(&(order.to_owned(), step.to_owned()))?.first().map(|(place, _)| *place)
    }

    fn steps_of(&self, order: &str) -> BTreeSet<&str> {
        self.had.keys().filter(|(of, _)| of == order).map(|(_, step)| step.as_str()).collect()
    }

    /// Judges an order and the run that its follower saw end.
    pub(super) async fn judge(&mut self, order: &Order, run: &str) {
        let name = &order.name;
        let launched = self.people.runs_of(name, order.kind.workflow()).await;
        self.require(launched.len() == 1, || format!("{name} was launched {} times", launched.len()));
        let ended = self.people.run(run).await;
        let status = ended["status"].as_str().unwrap_or_default();
        let in_time = order.kind == Kind::Cancelled && status == "completed";
        self.require(status == order.kind.status() || in_time, || format!("{name} ended so: {}", brief(&ended)));
        self.require(ended["needsAttention"] == false, || format!("{name} needs attention: {}", brief(&ended)));
        if status == "completed" {
            let output = order.output();
            self.require(ended["output"] == output, || format!("{name} gave {} instead of {output}", ended["output"]));
        }
        self.journal(name, run).await;
        match order.kind {
            Kind::Cancelled if !in_time => self.cancelled(name, run).await,
            kind => {
                let wanted: BTreeSet<&str> = kind.steps().iter().copied().collect();
                let had = self.steps_of(name);
                let differs = (had != wanted).then(|| format!("{name} had the effects {had:?} instead of {wanted:?}"));
                self.faults.extend(differs);
            }
        }
        match order.kind {
            Kind::Undone => {
                let order = ["undo-c", "undo-b", "undo-a"].map(|step| self.place(name, step));
                self.require(order.is_sorted(), || format!("{name} was not taken back in reverse order"));
                self.require(ended["compensated"] == true, || format!("{name} does not count as taken back"));
            }
            Kind::Approved | Kind::Rejected => self.decided(order, run).await,
            Kind::Nested => self.inner(order).await,
            _ => {}
        }
    }

    async fn journal(&mut self, name: &str, run: &str) {
        let entries = self.people.list(&format!("/runs/{run}/journal?"), &self.people.tokens.operator).await;
        let versions: Vec<i64> = entries.iter().filter_map(|entry| entry["version"].as_i64()).collect();
        let whole = versions.iter().zip(1..).all(|(version, place)| *version == place) && versions.len() > 1;
        self.require(whole, || format!("{name} has a gap in its journal: {versions:?}"));
    }

    /// Whatever had its effect was taken back, the latest first, and nothing else; whether its task had completed when the run
    /// was cancelled, or was under way.
    async fn cancelled(&mut self, name: &str, run: &str) {
        let tasks = self.people.get(&format!("/runs/{run}/tasks"), &self.people.tokens.operator).await;
        let tasks = tasks["items"].as_array().cloned().unwrap_or_default();
        for (place, step) in ["a", "b", "c"].into_iter().enumerate() {
            let reference = format!("/do/{}/{step}/try/0/call", place * 2);
            let completed = tasks.iter().any(|task| task["reference"] == reference && task["status"] == "completed");
            let had = self.place(name, step).is_some();
            let undone = self.place(name, &format!("undo-{step}")).is_some();
            self.require(had || !completed, || format!("{name}/{step} completed without its effect"));
            self.require(undone == had, || {
                format!("{name}/{step}: had: {had}, completed: {completed}, taken back: {undone}; {tasks:#?}")
            });
        }
        let undone: Vec<usize> =
            ["undo-c", "undo-b", "undo-a"].into_iter().filter_map(|step| self.place(name, step)).collect();
        self.require(undone.is_sorted(), || format!("{name} was not taken back in reverse order"));
    }

    async fn decided(&mut self, order: &Order, run: &str) {
        let (name, manager) = (&order.name, &self.people.tokens.manager);
        let approvals = self.people.list(&format!("/approvals?run={run}&"), manager).await;
        self.require(approvals.len() == 1, || format!("{name} asked for {} approvals", approvals.len()));
        for approval in approvals {
            let id = approval["id"].as_str().unwrap_or_default();
            let approval = self.people.get(&format!("/approvals/{id}"), manager).await;
            let decisions = approval["decisions"].as_array().map_or(0, Vec::len);
            self.require(decisions == 1, || format!("{name} was decided {decisions} times"));
            let state = if order.kind == Kind::Rejected { "rejected" } else { "approved" };
            self.require(approval["state"] == state, || format!("{name} is {} instead of {state}", approval["state"]));
        }
    }

    async fn inner(&mut self, order: &Order) {
        let (name, inner) = (&order.name, order.inner());
        let runs = self.people.runs_of(&inner, "inner").await;
        self.require(runs.len() == 1, || format!("{name} ran its inner workflow {} times", runs.len()));
        for run in runs {
            self.require(run["status"] == "completed", || format!("{inner} ended so: {}", brief(&run)));
            self.journal(&inner, run["id"].as_str().unwrap_or_default()).await;
        }
        let had = self.steps_of(&inner).len();
        self.require(had == 1, || format!("{inner} had {had} effects instead of 1"));
    }
}

/// A run in few words.
fn brief(run: &Value) -> Value {
    json!({"id": run["id"], "status": run["status"], "needsAttention": run["needsAttention"], "error": run["error"]})
}

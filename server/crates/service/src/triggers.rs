//! Triggers: what other systems call to have runs launched.
//!
//! A trigger belongs to a namespace and launches one workflow of it, in the name of nobody ([`UserId::TRIGGER`]): an approval by the
//! requester's manager finds nobody to ask. Whoever has set it up knows its secret and could call, and so counts as somebody who
//! has put data into its runs, on which they do not decide. See `docs/adr/0041-what-other-systems-call.md`.

mod intake;
mod mapping;
mod mask;
mod matter;
mod place;
mod proof;
mod trial;
mod watching;

pub use intake::HookOutcome;
pub use proof::HookCall;
pub use trial::{TrialContent, TriggerTrial};

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{
    AlertEnd, ErrorCode, Name, Operation, Problem, TriggerId, TriggerKind, TriggerOutcome, UserId,
    view::{DeliveryView, Page, SavedTriggerView, SigningView, TriggerView, WatchView},
};
use engine::{Topic, launch};
use identity::random::Random;
use policy::Resource;
use serde_json::{Value, json};
use store::{
    triggers::{Delivery, Kept, Signing, Trigger},
    watches::Watch,
};

use self::{mapping::Mapping, mask::masked};
use crate::{
    Caller, Gate, Service, cursor,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, internal, not_found},
    views::People,
};

/// The shortest and the longest secret that is given, in characters.
const SECRET: std::ops::RangeInclusive<usize> = 16..=500;
/// The random bytes of an address, and of a secret that is made.
const RANDOM: usize = 32;
/// The longest name of a header.
const HEADER: usize = 64;
/// For how long deliveries are kept.
const KEPT: Kept = Kept { time: Duration::from_hours(30 * 24), number: 1_000, spared: Duration::from_hours(24) };
/// Deliveries that are forgotten at once; others wait no longer for that.
const AT_ONCE: u32 = 500;

/// What becomes of the secret of a trigger.
#[derive(Clone, Debug, Default)]
pub enum TriggerSecret {
    /// It stays as it is; of a new trigger one is made.
    #[default]
    Keep,
    /// A new one is made, and told once.
    Make,
    /// It is this one.
    Set(String),
}

/// How a trigger is to be.
#[derive(Clone, Debug, Default)]
pub struct NewTrigger {
    /// The workflow of its namespace that it launches.
    pub workflow: String,
    /// The expression that makes the input of what was delivered.
    pub mapping: String,
    /// The expression that must hold; none or empty: every delivery launches.
    pub filter: Option<String>,
    /// Of kind `webhook`, how calls are signed; none: as Standard Webhooks say, or as it is.
    pub signing: Option<SigningView>,
    /// Of a kind that looks itself, where; none: as it is.
    pub watch: Option<WatchView>,
    /// What becomes of a run when its alert is resolved.
    pub alert_end: Option<AlertEnd>,
    /// Whether it may be called.
    pub enabled: bool,
    /// What becomes of its secret.
    pub secret: TriggerSecret,
}

/// What was typed of a trigger, as far as it is right.
struct Checked {
    workflow: Name,
    mapping: String,
    filter: Option<String>,
    signing: Signing,
    watch: Option<WatchView>,
}

fn target(trigger: &Trigger) -> Target {
    named(trigger.id, &trigger.namespace, &trigger.name)
}

fn named(id: TriggerId, namespace: &Name, name: &Name) -> Target {
    Target::new("trigger", id, format!("{namespace}/{name}")).within(namespace)
}

fn resource(trigger: &Trigger) -> Resource {
    Resource::trigger(&trigger.namespace, &trigger.name)
}

/// Where a trigger's secret is sealed for.
fn place_of_secret(id: TriggerId) -> String {
    format!("trigger:{id}:secret")
}

/// Where what was delivered to it is sealed for.
fn place_of_payload(id: TriggerId) -> String {
    format!("trigger:{id}:payload")
}

/// What the audit log keeps of a trigger: never its secret.
fn facts(trigger: &Trigger, watch: Option<&WatchView>) -> Value {
    json!({
        "kind": trigger.kind,
        "workflow": trigger.workflow,
        "mapping": trigger.mapping,
        "filter": trigger.filter,
        "signing": signing_view(trigger),
        "watch": watch,
        "alertEnd": trigger.alert_end,
        "enabled": trigger.enabled,
    })
}

fn signing_view(trigger: &Trigger) -> Option<SigningView> {
    let Signing { signature, time, id } = trigger.signing.clone();
    signature.map(|signature| SigningView { signature, time, id })
}

/// As Standard Webhooks say.
fn standard() -> Signing {
    let name = |text: &str| Some(text.to_owned());
    Signing { signature: name("webhook-signature"), time: name("webhook-timestamp"), id: name("webhook-id") }
}

fn header(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (!name.is_empty() && name.len() <= HEADER && name.bytes().all(fits)).then_some(name)
}

fn written(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

impl NewTrigger {
    fn checked(
        &self,
        kind: TriggerKind,
        known: Option<&Signing>,
        watched: Option<&WatchView>,
    ) -> Result<Checked, Problem> {
        let mut errors = Vec::new();
        let workflow = self.workflow.trim().parse::<Name>();
        if workflow.is_err() {
            errors.push(field(
                "/workflow",
                "name",
                Value::Null,
                "name a workflow of the namespace, without the namespace",
            ));
        }
        let mapping =
            written(Some(&self.mapping)).unwrap_or(if kind.is_alerts() { ".alert" } else { ".payload" }).to_owned();
        let filter = written(self.filter.as_deref()).map(str::to_owned);
        errors.extend(Mapping::read(&mapping, filter.as_deref()).err().unwrap_or_default());
        let signing = match (kind, &self.signing) {
            (TriggerKind::Webhook, None) => known.cloned().unwrap_or_else(standard),
            (TriggerKind::Webhook, Some(SigningView { signature, time, id })) => {
                let mut read = |pointer: &str, text: &str| {
                    let name = header(text);
                    if name.is_none() {
                        let message = "the name of a header is letters, digits and hyphens, at most 64";
                        errors.push(field(pointer, "pattern", Value::Null, message));
                    }
                    name
                };
                Signing {
                    signature: read("/signing/signature", signature),
                    time: written(time.as_deref()).and_then(|text| read("/signing/time", text)),
                    id: written(id.as_deref()).and_then(|text| read("/signing/id", text)),
                }
            }
            _ => Signing::default(),
        };
        let watch = place::checked(kind, self.watch.as_ref(), watched, &mut errors);
        if kind.looks() && !matches!(self.secret, TriggerSecret::Keep) {
            let message = "nobody calls this trigger, so that it has no secret; leave it out";
            errors.push(field("/secret", "kind", Value::Null, message));
        } else if matches!(&self.secret, TriggerSecret::Set(secret) if !SECRET.contains(&secret.chars().count())) {
            let message = "the secret has 16 to 500 characters; leave it empty to have one made";
            errors.push(field("/secret", "minLength", json!(SECRET.start()), message));
        }
        all_right(errors)?;
        let workflow = workflow.map_err(|_| Problem::new(ErrorCode::InvalidInput))?;
        Ok(Checked { workflow, mapping, filter, signing, watch })
    }
}

impl Service {
    /// The triggers of the namespaces in which the caller writes, publishes, operates or administers, by namespace and name.
    pub async fn triggers(&self, caller: &Caller) -> Result<Vec<TriggerView>, Problem> {
        let mut gate = self.look(caller, Operation::TriggerList).await?;
        gate.authorize(&Resource::system(), &Target::new("triggers", "", "")).await?;
        let mut triggers = gate.unit.list_triggers().await.or_problem()?;
        triggers.retain(|one| gate.shows(&resource(one)));
        let mut views = Vec::with_capacity(triggers.len());
        for trigger in triggers {
            views.push(self.trigger_view(&mut gate, caller, trigger).await?);
        }
        Ok(views)
    }

    /// One of them.
    pub async fn trigger(&self, caller: &Caller, id: TriggerId) -> Result<TriggerView, Problem> {
        let (mut gate, trigger) = self.look_at_trigger(caller, Operation::TriggerList, id).await?;
        self.trigger_view(&mut gate, caller, trigger).await
    }

    /// Lets another system launch a workflow of the namespace.
    pub async fn create_trigger(
        &self,
        caller: &Caller,
        namespace: Name,
        name: Name,
        kind: TriggerKind,
        new: NewTrigger,
    ) -> Result<SavedTriggerView, Problem> {
        let mut gate = self.enter(caller, Operation::TriggerUpdate).await?;
        let id = TriggerId::new(self.ids());
        let target = named(id, &namespace, &name);
        gate.authorize(&Resource::trigger(&namespace, &name), &target).await?;
        let checked = new.checked(kind, None, None)?;
        let (secret, made) = match new.secret {
            TriggerSecret::Set(text) => (text, None),
            TriggerSecret::Keep | TriggerSecret::Make => self.made_secret(kind),
        };
        // Nobody learns the secret of a trigger that nobody calls.
        let made = made.filter(|_| !kind.looks());
        if let Some(watch) = &checked.watch {
            place::check_connection(&mut gate, kind, &namespace, watch).await?;
        }
        let trigger = Trigger {
            id,
            namespace,
            name,
            kind,
            place: word(self.parts.random.as_ref()),
            sealed_secret: self.parts.vault.seal(&place_of_secret(id), &secret),
            secret_by: caller.user,
            workflow: checked.workflow,
            mapping: checked.mapping,
            filter: checked.filter,
            signing: checked.signing,
            alert_end: new.alert_end.unwrap_or(AlertEnd::Continue),
            enabled: new.enabled,
            deliveries: 0,
            changed_by: caller.user,
            changed_at: gate.now,
        };
        check_workflow(&mut gate, &trigger).await?;
        // Who asks for its runs is there from now on.
        launch::nobody(gate.unit.as_mut(), UserId::TRIGGER, gate.now).await.or_problem()?;
        if !gate.unit.insert_trigger(&trigger).await.or_problem()? {
            let detail = format!(
                "{} has a trigger of the name {} already; choose another name",
                trigger.namespace, trigger.name
            );
            return Err(Problem::new(ErrorCode::Conflict).with_detail(detail));
        }
        if let Some(watch) = &checked.watch {
            gate.unit.put_watch(&place::row(id, watch, gate.now)).await.or_problem()?;
        }
        let after = facts(&trigger, checked.watch.as_ref());
        let view = self.trigger_view(&mut gate, caller, trigger).await?;
        gate.finish(&target, json!({"before": null, "after": after})).await?;
        self.parts.live.changed(Topic::Triggers);
        Ok(SavedTriggerView { trigger: view, secret: made })
    }

    /// Says how a trigger is from now on. Its namespace, name, kind and address stay.
    pub async fn update_trigger(
        &self,
        caller: &Caller,
        id: TriggerId,
        new: NewTrigger,
    ) -> Result<SavedTriggerView, Problem> {
        let (mut gate, before) = self.enter_trigger(caller, Operation::TriggerUpdate, id).await?;
        let watched = gate.unit.watch(id).await.or_problem()?;
        let known = watched.clone().map(|row| place::views(before.kind, row)).transpose()?.map(|(known, _)| known);
        let checked = new.checked(before.kind, Some(&before.signing), known.as_ref())?;
        if let Some(watch) = checked.watch.as_ref().filter(|watch| known.as_ref() != Some(*watch)) {
            place::check_connection(&mut gate, before.kind, &before.namespace, watch).await?;
        }
        let (secret, made) = match new.secret {
            TriggerSecret::Keep => (None, None),
            TriggerSecret::Set(text) => (Some(text), None),
            TriggerSecret::Make => {
                let (secret, told) = self.made_secret(before.kind);
                (Some(secret), told)
            }
        };
        let mut trigger = Trigger {
            workflow: checked.workflow,
            mapping: checked.mapping,
            filter: checked.filter,
            signing: checked.signing,
            alert_end: new.alert_end.unwrap_or(before.alert_end),
            enabled: new.enabled,
            changed_by: caller.user,
            changed_at: gate.now,
            ..before.clone()
        };
        let replaced = secret.is_some();
        if let Some(secret) = secret {
            trigger.sealed_secret = self.parts.vault.seal(&place_of_secret(id), &secret);
            trigger.secret_by = caller.user;
        }
        // Everything else can be changed while the workflow is retired: above all a secret that is known to others.
        if trigger.workflow != before.workflow || (trigger.enabled && !before.enabled) {
            check_workflow(&mut gate, &trigger).await?;
        }
        gate.unit.update_trigger(&trigger).await.or_problem()?;
        if let (Some(watch), Some(row)) = (&checked.watch, watched) {
            look_anew(&mut gate, row, watch).await?;
        }
        let target = target(&trigger);
        let (before, after) = (facts(&before, known.as_ref()), facts(&trigger, checked.watch.as_ref()));
        let detail = json!({"before": before, "after": after, "newSecret": replaced});
        let view = self.trigger_view(&mut gate, caller, trigger).await?;
        gate.finish(&target, detail).await?;
        self.parts.live.changed(Topic::Triggers);
        Ok(SavedTriggerView { trigger: view, secret: made })
    }

    /// Deletes a trigger, with what was delivered to it. The runs that it has launched go on.
    pub async fn delete_trigger(&self, caller: &Caller, id: TriggerId) -> Result<(), Problem> {
        let (mut gate, trigger) = self.enter_trigger(caller, Operation::TriggerDelete, id).await?;
        let watched = gate.unit.watch(id).await.or_problem()?;
        let watched = watched.map(|row| place::views(trigger.kind, row)).transpose()?;
        let before = facts(&trigger, watched.as_ref().map(|(watch, _)| watch));
        gate.unit.delete_trigger(id).await.or_problem()?;
        gate.finish(&target(&trigger), json!({"before": before, "after": null})).await?;
        self.parts.live.changed(Topic::Triggers);
        Ok(())
    }

    /// What was delivered to a trigger, newest first, without what it said.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        id: TriggerId,
        outcome: Option<TriggerOutcome>,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<DeliveryView>, Problem> {
        let (mut gate, _) = self.look_at_trigger(caller, Operation::TriggerList, id).await?;
        let limit = cursor::limit(limit);
        let rows = gate.unit.list_deliveries(id, outcome, cursor::decode(cursor)?, limit + 1).await.or_problem()?;
        let people = rows.iter().filter_map(|row| row.replay.map(|(_, by)| by));
        let people = People::load(gate.unit.as_mut(), people).await.or_problem()?;
        let page = cursor::page(rows, limit, |delivery| delivery.number);
        Ok(cursor::map(page, |delivery| delivery_view(delivery, &people)))
    }

    /// One delivery with what it said, masked.
    pub async fn delivery(&self, caller: &Caller, id: TriggerId, number: i64) -> Result<DeliveryView, Problem> {
        let (mut gate, _) = self.look_at_trigger(caller, Operation::TriggerList, id).await?;
        let delivery = gate.unit.delivery(id, number).await.or_problem()?.ok_or_else(not_found)?;
        let people = People::load(gate.unit.as_mut(), delivery.replay.map(|(_, by)| by)).await.or_problem()?;
        let content = self.content(&delivery)?.map(masked);
        Ok(DeliveryView { content, ..delivery_view(delivery, &people) })
    }

    /// Forgets deliveries that have served their time. For the server itself, which asks nobody.
    pub async fn forget_deliveries(&self) -> store::Result<()> {
        loop {
            let mut unit = self.parts.store.begin().await?;
            let forgotten = unit.prune_deliveries(self.now(), KEPT, AT_ONCE).await?;
            unit.commit().await?;
            if forgotten < u64::from(AT_ONCE) {
                return Ok(());
            }
        }
    }

    async fn look_at_trigger(
        &self,
        caller: &Caller,
        operation: Operation,
        id: TriggerId,
    ) -> Result<(Gate<'_>, Trigger), Problem> {
        let mut gate = self.look(caller, operation).await?;
        let trigger = gate.unit.trigger(id).await.or_problem()?.ok_or_else(not_found)?;
        gate.authorize_or_hide(&resource(&trigger), &target(&trigger)).await?;
        Ok((gate, trigger))
    }

    /// Begins a change of a trigger that must be there, and that nobody else changes or delivers to meanwhile.
    async fn enter_trigger(
        &self,
        caller: &Caller,
        operation: Operation,
        id: TriggerId,
    ) -> Result<(Gate<'_>, Trigger), Problem> {
        let mut gate = self.enter(caller, operation).await?;
        let trigger = gate.unit.lock_trigger(id).await.or_problem()?.ok_or_else(not_found)?;
        let (resource, target) = (resource(&trigger), target(&trigger));
        if self.in_force().decide(&caller.principal, Operation::TriggerList, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        Ok((gate, trigger))
    }

    /// A secret, and the same for whoever has to enter it elsewhere.
    fn made_secret(&self, kind: TriggerKind) -> (String, Option<String>) {
        let secret = if kind == TriggerKind::Webhook {
            let mut key = [0; RANDOM];
            self.parts.random.fill(&mut key);
            format!("whsec_{}", STANDARD.encode(key))
        } else {
            word(self.parts.random.as_ref())
        };
        (secret.clone(), Some(secret))
    }

    /// What a delivery said; none where it was too large to keep.
    fn content(&self, delivery: &Delivery) -> Result<Option<Value>, Problem> {
        let Some(sealed) = &delivery.payload else { return Ok(None) };
        let text = self.parts.vault.unseal(&place_of_payload(delivery.trigger), sealed);
        let text = text.map_err(|cause| internal("a delivery cannot be opened", &cause))?;
        let content = serde_json::from_str(text.expose());
        Ok(Some(content.map_err(|cause| internal("a stored delivery cannot be read", &cause))?))
    }

    async fn trigger_view(
        &self,
        gate: &mut Gate<'_>,
        caller: &Caller,
        trigger: Trigger,
    ) -> Result<TriggerView, Problem> {
        let last = gate.unit.list_deliveries(trigger.id, None, None, 1).await.or_problem()?.pop();
        let watched = gate.unit.watch(trigger.id).await.or_problem()?;
        let (watch, looks) = watched.map(|row| place::views(trigger.kind, row)).transpose()?.unzip();
        let people = [Some(trigger.changed_by), last.as_ref().and_then(|last| last.replay).map(|(_, by)| by)];
        let people = People::load(gate.unit.as_mut(), people.into_iter().flatten()).await.or_problem()?;
        let resource = resource(&trigger);
        let policies = self.in_force();
        let actions =
            [Operation::TriggerTry, Operation::TriggerReplay, Operation::TriggerUpdate, Operation::TriggerDelete];
        Ok(TriggerView {
            address: (!trigger.kind.looks()).then(|| format!("{}/hooks/{}", self.parts.base_url, trigger.place)),
            signing: signing_view(&trigger),
            watch,
            looks,
            last: last.map(|last| delivery_view(last, &people)),
            changed_by: people.get(trigger.changed_by),
            actions: actions
                .into_iter()
                .filter(|operation| policies.decide(&caller.principal, *operation, &resource).allowed)
                .collect(),
            id: trigger.id,
            namespace: trigger.namespace,
            name: trigger.name,
            kind: trigger.kind,
            workflow: trigger.workflow,
            mapping: trigger.mapping,
            filter: trigger.filter,
            alert_end: trigger.alert_end,
            enabled: trigger.enabled,
            deliveries: trigger.deliveries,
            changed_at: trigger.changed_at,
        })
    }
}

/// A text that nobody guesses, and that an address may have in it.
fn word(random: &dyn Random) -> String {
    let mut bytes = [0; RANDOM];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

/// Refuses what could never be launched.
async fn check_workflow(gate: &mut Gate<'_>, trigger: &Trigger) -> Result<(), Problem> {
    if gate.unit.launchable_version(&trigger.workflow_ref()).await.or_problem()?.is_some() {
        return Ok(());
    }
    let message = format!("{} has no published workflow of this name", trigger.namespace);
    all_right(vec![field("/workflow", "workflow", Value::Null, &message)])
}

/// Has a trigger look at once as it is to from now on; at another place, it begins anew.
async fn look_anew(gate: &mut Gate<'_>, before: Watch, watch: &WatchView) -> Result<(), Problem> {
    let after = place::row(before.trigger, watch, gate.now);
    let after = if place::is_elsewhere(&before, &after) || before.progress.as_deref() == Some(watching::LOST) {
        gate.unit.forget_items(before.trigger).await.or_problem()?;
        after
    } else {
        Watch { place: after.place, pause: after.pause, due_at: gate.now, ..before }
    };
    gate.unit.put_watch(&after).await.or_problem()
}

fn not_kept() -> Problem {
    let detail = "what was delivered was too large to be kept; have the sender send it again";
    Problem::new(ErrorCode::Conflict).with_detail(detail)
}

fn delivery_view(delivery: Delivery, people: &People) -> DeliveryView {
    DeliveryView {
        number: delivery.number,
        received_at: delivery.received_at,
        outcome: delivery.outcome,
        run: delivery.run.map(|(run, _)| run),
        run_number: delivery.run.map(|(_, number)| number),
        fingerprint: delivery.fingerprint,
        replay_of: delivery.replay.map(|(of, _)| of),
        replayed_by: delivery.replay.map(|(_, by)| people.get(by)),
        repeats: delivery.repeats,
        repeated_at: delivery.repeated_at,
        replayable: delivery.payload.is_some(),
        detail: delivery.detail,
        content: None,
    }
}

//! Runs that begin by themselves.
//!
//! What is published decides ([`follow`]): the schedules of a workflow are those of its launchable version, from the unit
//! of work of its publication to that of its end. Each node looks at what is due, sleeps until the next time, and is woken
//! by what makes something due before: a publication, an event, the end of a run. A node that looks claims a schedule,
//! and launches its runs and advances it in one unit of work, so that of several nodes one does it, and does it once.
//!
//! The runs are asked for by the schedule itself ([`UserId::SCHEDULE`]), which is nobody: it decides nothing, is nobody's
//! manager and has none. See `docs/adr/0012-runs-that-begin-by-themselves.md`.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use audit::{Actor, Door, Entry, Outcome, ResourceRef};
use domain::{Role, RunId, Timestamp, Trigger, UserId, WorkflowRef, view::ScheduleRefusal};
use serde_json::{Value, json};
use store::{
    StoreError, UnitOfWork,
    events::Filter,
    runs::Run,
    schedules::Schedule as Kept,
    workflows::{VersionState, WorkflowVersion},
};
use tracing::warn;
use workflow::{CloudEvent, Definition, FunctionCatalogue, Gathering, Schedule};

use crate::{
    definitions,
    launch::{self, Cause, Launch, Obstacle},
    live::Topic,
    node::{LoadError, Node},
    notices::{Notice, NoticeKind, notify},
};

/// How often to look although nothing is known to be due: another node that knew more may be gone.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How long a schedule is left alone that cannot be kept.
const TROUBLE_PAUSE: Duration = Duration::from_mins(10);
/// Events that are looked at in one unit of work.
const EVENTS: u32 = 100;

/// Lets the schedules of a workflow follow its launchable version; to be called in every unit of work that publishes or
/// retires one, before it locks runs or the end of the audit log. Wake the schedules once it is durable
/// ([`crate::Waker::wake_schedules`]).
pub async fn follow(
    unit: &mut dyn UnitOfWork,
    functions: &FunctionCatalogue,
    now: Timestamp,
    workflow: &WorkflowRef,
) -> store::Result<()> {
    // First, because it locks the stream.
    let seen = unit.end_of_stream().await?;
    let launchable = unit.launchable_version(workflow).await?;
    let kept = unit.schedules_of(workflow).await?;
    if let (Some(first), Some(version)) = (kept.first(), &launchable)
        && first.version == version.version
    {
        return Ok(());
    }
    unit.delete_schedules(workflow).await?;
    let Some(version) = launchable else { return Ok(()) };
    let definition = definitions::read(&version, functions)
        .map_err(|_| StoreError::Inconsistent(format!("the definition {workflow} {}", version.version)))?;
    let Some(schedule) = definition.schedule() else { return Ok(()) };
    for trigger in schedule.triggers() {
        let begun = Kept {
            workflow: workflow.clone(),
            trigger,
            version: version.version.clone(),
            anchor: now,
            due_at: schedule.first(trigger, now),
            fired_at: None,
            run: None,
            refused: None,
            seen,
            gathered: None,
        };
        let events = schedule.filters();
        let filters = if trigger == Trigger::On { filters(&events) } else { Vec::new() };
        unit.insert_schedule(&begun, &filters).await?;
    }
    Ok(())
}

fn filters(events: &[workflow::EventFilter]) -> Vec<Filter<'_>> {
    events.iter().map(|event| Filter { kind: event.kind.as_deref(), source: event.source.as_deref() }).collect()
}

/// Launches what is due, and sleeps until the next time, until told to stop.
pub(crate) async fn keep(node: Arc<Node>) {
    while !node.stop.is_cancelled() {
        let pause = launch_all(&node).await.unwrap_or_else(|error| {
            warn!(error = &error as &dyn std::error::Error, "schedules could not be looked at");
            node.settings.poll
        });
        tokio::select! {
            () = node.stop.cancelled() => {}
            () = node.schedule_bell.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Launches all that is due; how long nothing else will be.
async fn launch_all(node: &Node) -> store::Result<Duration> {
    while !node.stop.is_cancelled() && launch_next(node).await? {}
    let next = node.parts.store.snapshot().await?.next_schedule().await?;
    let now = node.now();
    Ok(match next {
        Some(next) if next > now => next.since(now).min(LOOK_AGAIN),
        // Another node is at it.
        Some(_) => node.settings.poll,
        None => LOOK_AGAIN,
    })
}

/// Launches the runs of the schedule that is due longest; false when none is.
async fn launch_next(node: &Node) -> store::Result<bool> {
    let now = node.now();
    let mut unit = node.parts.store.begin().await?;
    let Some(kept) = unit.claim_schedule(now).await? else {
        unit.rollback().await?;
        return Ok(false);
    };
    match fire(node, unit, kept.clone(), now).await {
        Ok(runs) => runs.into_iter().for_each(|run| node.wake(run)),
        // Somebody went first, or nothing goes: as good as not having looked.
        Err(LoadError::Store(
            error @ (StoreError::Unavailable(_) | StoreError::Conflict | StoreError::Duplicate(_)),
        )) => return Err(error),
        Err(error) => {
            warn!(workflow = %kept.workflow, error = &error as &dyn std::error::Error, "a schedule cannot be kept");
            put_off(node, kept, now).await?;
        }
    }
    Ok(true)
}

/// Leaves a schedule alone for a while: it would be the first to be claimed for ever, and keep the others waiting.
async fn put_off(node: &Node, mut kept: Kept, now: Timestamp) -> store::Result<()> {
    kept.due_at = Some(now + TROUBLE_PAUSE);
    let mut unit = node.parts.store.begin().await?;
    unit.advance_schedule(&kept).await?;
    unit.commit().await
}

/// Launches the runs that a claimed schedule asks for and advances it, in the unit that has claimed it.
async fn fire(
    node: &Node,
    mut unit: Box<dyn UnitOfWork>,
    mut kept: Kept,
    now: Timestamp,
) -> Result<Vec<RunId>, LoadError> {
    let version = unit.workflow_version(&kept.workflow, &kept.version).await?;
    let Some(version) = version.filter(|version| version.state == VersionState::Published) else {
        unit.delete_schedules(&kept.workflow).await?;
        unit.commit().await?;
        return Ok(Vec::new());
    };
    let definition = node.definition(unit.as_mut(), &kept.workflow, &kept.version).await?;
    let schedule = definition.schedule().ok_or(LoadError::NoDefinition)?;
    let come = look(unit.as_mut(), schedule, &mut kept, now).await?;
    let (mut runs, mut told) = (Vec::new(), Vec::new());
    let mut entries = Vec::new();
    let obstacle = match come.occasions.as_slice() {
        [] => None,
        _ => launch::obstacle(unit.as_mut(), &kept.workflow.namespace, &definition).await?,
    };
    match obstacle {
        Some(obstacle) => {
            entries.push(refusal_entry(&kept, &obstacle, &come.occasions, now));
            if kept.trigger == Trigger::After {
                // No run will end.
                kept.due_at = schedule.after.map(|after| now + after);
            }
            if !is_known(&kept, &obstacle) {
                told = tell(unit.as_mut(), node, &version, &definition, &kept, now).await?;
            }
            let refusal = ScheduleRefusal { at: now, code: obstacle.code, detail: obstacle.detail };
            kept.refused = Some(serde_json::to_string(&refusal).map_err(LoadError::Unreadable)?);
        }
        None => {
            for occasion in come.occasions {
                let run = launch(unit.as_mut(), node, &version, kept.trigger, occasion, now, &mut entries).await?;
                kept.run = Some(run);
                kept.fired_at = Some(now);
                kept.refused = None;
                runs.push(run);
            }
        }
    }
    entries.extend(come.skipped.map(|first| skip_entry(&kept, first, now)));
    unit.advance_schedule(&kept).await?;
    audit::append_all(unit.as_mut(), &entries).await?;
    unit.commit().await?;
    for user in told {
        node.parts.live.changed(Topic::Notifications(user));
    }
    Ok(runs)
}

/// Whether the launch before was refused for the same reason.
fn is_known(kept: &Kept, obstacle: &Obstacle) -> bool {
    let known = kept.refused.as_deref().and_then(|text| serde_json::from_str::<ScheduleRefusal>(text).ok());
    known.is_some_and(|known| known.code == obstacle.code && known.detail == obstacle.detail)
}

/// Tells those who can help that a schedule may not launch: operators and administrators of the namespace, and the team that
/// owns the workflow. Nobody asked for the run, so nobody else would notice.
async fn tell(
    unit: &mut dyn UnitOfWork,
    node: &Node,
    version: &WorkflowVersion,
    definition: &Definition,
    kept: &Kept,
    now: Timestamp,
) -> store::Result<Vec<UserId>> {
    let mut people = BTreeSet::new();
    for role in [Role::Operator, Role::Administrator] {
        people.extend(unit.users_with_role(role, &kept.workflow.namespace, now).await?);
    }
    let owner = definition.rondo().owner.as_deref().unwrap_or_default();
    if let Some(team) = unit.team_by_name(owner).await? {
        people.extend(unit.team_members(team.id).await?);
    }
    let people: Vec<UserId> = people.into_iter().collect();
    let notice = Notice {
        kind: NoticeKind::ScheduleRefused,
        title: version.title.clone(),
        run_number: None,
        link: format!("/catalogue/{}", kept.workflow),
        cause: format!("schedule-refused:{}:{}:{}", kept.workflow, kept.trigger, now.as_micros()),
    };
    let users = unit.users_by_id(&people).await?;
    notify(unit, node.parts.ids.as_ref(), now, node.settings.mail, &users, &notice).await?;
    Ok(people)
}

/// What a run is launched for.
struct Occasion {
    due: Timestamp,
    input: Value,
}

/// What has come of looking at a schedule.
struct Come {
    occasions: Vec<Occasion>,
    /// The first of the times that were passed over.
    skipped: Option<Timestamp>,
}

/// What a schedule that is due asks for; it is advanced beyond that.
async fn look(
    unit: &mut dyn UnitOfWork,
    schedule: &Schedule,
    kept: &mut Kept,
    now: Timestamp,
) -> Result<Come, LoadError> {
    let due = kept.due_at.unwrap_or(now);
    let at = |due| Occasion { due, input: json!({}) };
    Ok(match kept.trigger {
        Trigger::Cron | Trigger::Every => {
            let tick = schedule.tick(kept.trigger, kept.anchor, due, now);
            kept.due_at = tick.next;
            Come { occasions: tick.launches.into_iter().map(at).collect(), skipped: tick.skipped }
        }
        Trigger::After => {
            kept.due_at = None;
            Come { occasions: vec![at(due)], skipped: None }
        }
        Trigger::On => Come { occasions: gather(unit, schedule, kept, now).await?, skipped: None },
    })
}

/// Takes in the events that have come.
async fn gather(
    unit: &mut dyn UnitOfWork,
    schedule: &Schedule,
    kept: &mut Kept,
    now: Timestamp,
) -> Result<Vec<Occasion>, LoadError> {
    let wanted = schedule.filters();
    let events = unit.events_for_schedule(&kept.workflow, &filters(&wanted), kept.seen, EVENTS).await?;
    let mut gathering: Gathering = kept
        .gathered
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(LoadError::Unreadable)?
        .unwrap_or_default();
    let mut occasions = Vec::new();
    for event in &events {
        kept.seen = event.seq;
        let cloud_event: CloudEvent = serde_json::from_str(&event.body).map_err(LoadError::Unreadable)?;
        let started = schedule.offer(&mut gathering, &cloud_event);
        occasions.extend(started.map(|input| Occasion { due: event.received_at, input }));
    }
    let waiting = gathering != Gathering::default();
    kept.gathered = waiting.then(|| serde_json::to_string(&gathering)).transpose().map_err(LoadError::Unreadable)?;
    kept.due_at = (u32::try_from(events.len()) == Ok(EVENTS)).then_some(now);
    Ok(occasions)
}

async fn launch(
    unit: &mut dyn UnitOfWork,
    node: &Node,
    version: &WorkflowVersion,
    trigger: Trigger,
    occasion: Occasion,
    now: Timestamp,
    entries: &mut Vec<Entry>,
) -> store::Result<RunId> {
    let requester = launch::nobody(unit, UserId::SCHEDULE, now).await?;
    let Occasion { due, input } = occasion;
    let started_by: Vec<CloudEvent> =
        input.as_array().into_iter().flatten().filter_map(|event| CloudEvent::from_value(event.clone()).ok()).collect();
    let launch = Launch {
        version,
        requester: &requester,
        input,
        cause: Cause::Schedule { trigger, due },
        base_url: &node.settings.base_url,
    };
    let run = launch.write(unit, node.parts.ids.as_ref(), now).await?;
    // A run does not hear again what it was started by.
    for event in started_by {
        unit.put_consumed(run.id, event.source(), event.id(), now).await?;
    }
    entries.push(launch_entry(&run, trigger, due, now));
    Ok(run.id)
}

fn entry(action: &str, resource: ResourceRef, workflow: &WorkflowRef, detail: Value, now: Timestamp) -> Entry {
    Entry {
        at: now,
        actor: Actor::schedule(),
        door: Door::Engine,
        session: None,
        token: None,
        address: None,
        trace_id: resource.id.clone(),
        action: action.to_owned(),
        resource,
        namespace: Some(workflow.namespace.clone()),
        outcome: Outcome::Done,
        policies: Vec::new(),
        policy_set: None,
        detail,
        named: Vec::new(),
    }
}

fn launch_entry(run: &Run, trigger: Trigger, due: Timestamp, now: Timestamp) -> Entry {
    let detail = json!({
        "workflow": run.workflow.to_string(),
        "version": run.version,
        "definition": run.definition_digest,
        "trigger": trigger,
        "due": due,
    });
    let resource = ResourceRef {
        kind: "run".to_owned(),
        id: run.id.to_string(),
        name: format!("R-{}", run.number),
        persons: Vec::new(),
    };
    entry("run.launch", resource, &run.workflow, detail, now)
}

/// What was due has no run, because nobody may launch it at the moment.
fn refusal_entry(kept: &Kept, obstacle: &Obstacle, occasions: &[Occasion], now: Timestamp) -> Entry {
    let detail = json!({
        "version": kept.version,
        "trigger": kept.trigger,
        "due": occasions.iter().map(|occasion| occasion.due).collect::<Vec<_>>(),
        "code": obstacle.code,
        "detail": obstacle.detail,
    });
    Entry { outcome: Outcome::Refused, ..workflow_entry("run.launch", kept, detail, now) }
}

/// Times from the first one until now were missed, and have no run.
fn skip_entry(kept: &Kept, first: Timestamp, now: Timestamp) -> Entry {
    let detail = json!({"version": kept.version, "trigger": kept.trigger, "from": first, "until": now});
    workflow_entry("schedule.skip", kept, detail, now)
}

fn workflow_entry(action: &str, kept: &Kept, detail: Value, now: Timestamp) -> Entry {
    let name = kept.workflow.to_string();
    let resource = ResourceRef { kind: "workflow".to_owned(), id: name.clone(), name, persons: Vec::new() };
    entry(action, resource, &kept.workflow, detail, now)
}

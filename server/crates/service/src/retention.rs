//! How long entries of the audit log are kept in the database, and legal holds, which keep them there for longer.
//!
//! The times are in the configuration of the server alone. Archiving itself is in `archiving`, what is written in `segment` and
//! `names`.

mod archiving;
mod names;
mod segment;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use audit::{Detail, class_of};
use domain::{
    AuditClass, ErrorCode, FieldError, HoldId, Name, Operation, Problem, Timestamp, UserId,
    view::{AuditClassView, AuditFilter, AuditHoldView, AuditRetentionView, AuditSegmentView, HoldCovers, Page},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    audit::AuditRow,
    retention::{AuditHold, HoldRelease},
};

use crate::{
    Caller, Service, cursor,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    views::People,
};

pub use archiving::Archived;
pub(crate) use archiving::Failure;
pub use segment::{Archive, NoPack, Pack, read_pack};

/// The longest name of a hold, in characters.
const NAME_LIMIT: usize = 100;
/// The longest reason, in characters.
const REASON_LIMIT: usize = 500;
/// The longest id of what a hold covers.
const ID_LIMIT: usize = 500;
const DAY: Duration = Duration::from_hours(24);

/// For how long entries of each class are kept; a class that is not in it is kept for ever.
#[derive(Clone, Debug, Default)]
pub struct Retention(pub BTreeMap<AuditClass, Keep>);

/// A time for which entries are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How long it is.
    pub time: Duration,
    /// The same as it was configured.
    pub text: String,
}

impl Retention {
    /// Entries of this class from before that time are archived. It moves at midnight (UTC), so that a day makes one segment, and
    /// one that a crash has left is made again from the same entries.
    fn archived_before(&self, class: AuditClass, now: Timestamp) -> Option<Timestamp> {
        let before = (now - self.0.get(&class)?.time).as_micros();
        let day = i64::try_from(DAY.as_micros()).unwrap_or(i64::MAX);
        Some(Timestamp::from_micros(before - before.rem_euclid(day)))
    }
}

/// A hold to be placed.
#[derive(Clone, Debug, Default)]
pub struct NewHold {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// What it covers.
    pub covers: HoldCovers,
}

/// A hold in force, with the person that it is about, or the places of all that belongs to the run that it is about.
pub(crate) struct InForce {
    covers: HoldCovers,
    person: Option<UserId>,
    story: BTreeSet<i64>,
}

impl InForce {
    pub(crate) fn covers(&self, row: &AuditRow) -> bool {
        let HoldCovers { namespace, person, resource_kind, resource_id, from, to } = &self.covers;
        let by_or_on = |login: &String| {
            let of = |id: Option<String>| id.is_some() && id == self.person.map(|person| person.to_string());
            let on = row.resource_kind == "user" && (row.resource_name == *login || of(Some(row.resource_id.clone())));
            row.actor == *login || of(row.actor_id.map(|id| id.to_string())) || on
        };
        namespace.as_ref().is_none_or(|namespace| row.namespace.as_ref() == Some(namespace))
            && person.as_ref().is_none_or(by_or_on)
            && (self.story.contains(&row.seq)
                || resource_kind.as_ref().is_none_or(|kind| row.resource_kind == *kind)
                    && resource_id.as_ref().is_none_or(|id| row.resource_id == *id || row.resource_name == *id))
            && from.is_none_or(|from| row.at >= from)
            && to.is_none_or(|to| row.at < to)
    }
}

/// The holds that are in force.
pub(crate) async fn in_force(unit: &mut dyn UnitOfWork) -> store::Result<Vec<InForce>> {
    let mut all = Vec::new();
    for hold in unit.list_audit_holds().await?.into_iter().filter(|hold| hold.release.is_none()) {
        let person = match &hold.covers.person {
            Some(login) => unit.user_by_login(login).await?.map(|user| user.id),
            None => None,
        };
        let story = match &hold.covers {
            HoldCovers { resource_kind: Some(kind), resource_id: Some(id), .. } if kind == "run" => {
                let run = AuditFilter { run: Some(id.clone()), ..AuditFilter::default() };
                unit.audit_places(&run, None, u32::MAX).await?
            }
            _ => Vec::new(),
        };
        all.push(InForce { covers: hold.covers, person, story: story.into_iter().collect() });
    }
    Ok(all)
}

fn of_log() -> Target {
    Target::new("audit", "retention", "audit log")
}

fn of_hold(id: HoldId, name: &str) -> Target {
    Target::new("audit-hold", id, name)
}

impl Service {
    /// How long entries are kept, how many wait to be archived, and how that goes. It tells nothing of what the entries say, so
    /// looking at it is no entry; the same is true of holds and segments.
    pub async fn audit_retention(&self, caller: &Caller) -> Result<AuditRetentionView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRetentionRead).await?;
        gate.authorize(&Resource::system(), &of_log()).await?;
        self.retention(gate.unit.as_mut()).await.or_problem()
    }

    /// The same for the server itself.
    pub async fn retention_now(&self) -> store::Result<AuditRetentionView> {
        self.retention(self.parts.store.snapshot().await?.as_mut()).await
    }

    /// Why entries cannot be archived, if they cannot.
    pub async fn archiving_failure(&self) -> store::Result<Option<String>> {
        Ok(self.parts.store.snapshot().await?.archiving().await?.failure)
    }

    async fn retention(&self, unit: &mut dyn UnitOfWork) -> store::Result<AuditRetentionView> {
        let mut classes = Vec::with_capacity(AuditClass::ALL.len());
        for class in AuditClass::ALL {
            let mut waiting = 0;
            if let Some(before) = self.parts.retention.archived_before(*class, self.now()) {
                for (action, outcome, entries) in unit.count_unarchived(before).await? {
                    if class_of(&action, &outcome) == Some(*class) {
                        waiting += u64::try_from(entries).unwrap_or_default();
                    }
                }
            }
            let keep = self.parts.retention.0.get(class).map(|keep| keep.text.clone());
            classes.push(AuditClassView { class: *class, keep, waiting });
        }
        let state = unit.archiving().await?;
        Ok(AuditRetentionView {
            classes,
            folder: self.parts.archive.folder(),
            succeeded_at: state.succeeded_at,
            failing_since: state.failing_since,
            failure: state.failure,
        })
    }

    /// All holds, those in force first.
    pub async fn audit_holds(&self, caller: &Caller) -> Result<Vec<AuditHoldView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRetentionRead).await?;
        gate.authorize(&Resource::system(), &of_log()).await?;
        let holds = gate.unit.list_audit_holds().await.or_problem()?;
        let released = holds.iter().filter_map(|hold| hold.release.as_ref().map(|release| release.by));
        let people: Vec<_> = holds.iter().map(|hold| hold.placed_by).chain(released).collect();
        let people = People::load(gate.unit.as_mut(), people).await.or_problem()?;
        Ok(holds.into_iter().map(|hold| view(hold, &people)).collect())
    }

    /// Holds entries: from now on none of them is archived.
    pub async fn place_audit_hold(&self, caller: &Caller, new: NewHold) -> Result<AuditHoldView, Problem> {
        let mut gate = self.enter(caller, Operation::AuditHoldPlace).await?;
        let id = HoldId::new(self.parts.ids.as_ref());
        gate.authorize(&Resource::system(), &of_hold(id, new.name.trim())).await?;
        let NewHold { name, reason, covers } = checked(new)?;
        if let Some(login) = &covers.person
            && gate.unit.user_by_login(login).await.or_problem()?.is_none()
        {
            all_right(vec![field("/covers/person", "exists", Value::Null, "there is nobody with this sign-in name")])?;
        }
        // Whoever archives meanwhile has done so, or sees it.
        gate.unit.archiving().await.or_problem()?;
        let hold = AuditHold { id, name, reason, covers, placed_by: caller.user, placed_at: gate.now, release: None };
        gate.unit.insert_audit_hold(&hold).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let target = of_hold(id, &hold.name);
        gate.finish(&target, told(&hold.reason, &hold.covers)).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(view(hold, &people))
    }

    /// Releases a hold: its entries are archived as if it had never been. It stays to be seen, with who released it and why.
    pub async fn release_audit_hold(
        &self,
        caller: &Caller,
        id: HoldId,
        reason: &str,
    ) -> Result<AuditHoldView, Problem> {
        let mut gate = self.enter(caller, Operation::AuditHoldRelease).await?;
        let found = gate.unit.audit_hold(id).await.or_problem()?;
        let target = of_hold(id, found.as_ref().map_or("", |hold| hold.name.as_str()));
        gate.authorize(&Resource::system(), &target).await?;
        let mut hold = found.ok_or_else(not_found)?;
        let mut errors = Vec::new();
        let reason = text(reason, "/reason", REASON_LIMIT, &mut errors);
        all_right(errors)?;
        let release = HoldRelease { by: caller.user, at: gate.now, reason };
        if !gate.unit.release_audit_hold(id, &release).await.or_problem()? {
            return Err(Problem::new(ErrorCode::Conflict).with_detail("the hold was released already"));
        }
        gate.unit.resume_erasures().await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [hold.placed_by, caller.user]).await.or_problem()?;
        gate.finish(&target, told(&release.reason, &hold.covers)).await?;
        self.erasures_due.notify_one();
        self.parts.live.changed(engine::Topic::Administration);
        hold.release = Some(release);
        Ok(view(hold, &people))
    }

    /// Segments that entries were archived in, the newest first.
    pub async fn audit_segments(
        &self,
        caller: &Caller,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<AuditSegmentView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRetentionRead).await?;
        gate.authorize(&Resource::system(), &of_log()).await?;
        let limit = cursor::limit(limit);
        let rows = gate.unit.list_audit_segments(cursor::decode(cursor)?, limit + 1).await.or_problem()?;
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(cursor::map(cursor::page(rows, limit, |row| row.number), |row| AuditSegmentView {
            name: row.name,
            class: row.class,
            first: count(row.first),
            last: count(row.last),
            entries: count(row.entries),
            bytes: count(row.bytes),
            sha256: row.sha256,
            archived_at: row.archived_at,
        }))
    }
}

/// What the entry of a hold says: why, and what it covers, without what it does not ask for. That can name people.
fn told(reason: &str, covers: &HoldCovers) -> Detail {
    let mut covered = serde_json::to_value(covers).unwrap_or_default();
    if let Value::Object(members) = &mut covered {
        members.retain(|_, value| !value.is_null());
    }
    let detail = Detail::from(json!({"reason": reason, "covers": covered}));
    detail.naming("/covers/person", None).naming("/covers/resourceId", None)
}

fn checked(new: NewHold) -> Result<NewHold, Problem> {
    let mut errors = Vec::new();
    let name = text(&new.name, "/name", NAME_LIMIT, &mut errors);
    let reason = text(&new.reason, "/reason", REASON_LIMIT, &mut errors);
    let mut given = |value: Option<String>, pointer: &str| {
        let value = value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())?;
        Some(text(&value, pointer, ID_LIMIT, &mut errors))
    };
    let covers = HoldCovers {
        namespace: given(new.covers.namespace, "/covers/namespace"),
        person: given(new.covers.person, "/covers/person"),
        resource_kind: given(new.covers.resource_kind, "/covers/resourceKind"),
        resource_id: given(new.covers.resource_id, "/covers/resourceId"),
        ..new.covers
    };
    if covers.namespace.as_ref().is_some_and(|namespace| namespace.parse::<Name>().is_err()) {
        errors.push(field("/covers/namespace", "format", Value::Null, "this is no name of a namespace"));
    }
    if covers.resource_kind.is_some() != covers.resource_id.is_some() {
        let lacking = if covers.resource_id.is_some() { "/covers/resourceKind" } else { "/covers/resourceId" };
        errors.push(field(lacking, "required", Value::Null, "kind and id of an object go together"));
    }
    if let (Some(from), Some(to)) = (covers.from, covers.to)
        && from >= to
    {
        errors.push(field("/covers/to", "after", json!(from), "the end has to be after the beginning"));
    }
    all_right(errors)?;
    Ok(NewHold { name, reason, covers })
}

fn text(text: &str, pointer: &str, limit: usize, errors: &mut Vec<FieldError>) -> String {
    // A form sends the ends of lines as a network does.
    let text = text.replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        errors.push(field(pointer, "required", Value::Null, "it is empty"));
    }
    let wrong = |character: char| character.is_control() && character != '\n';
    if text.chars().count() > limit || text.chars().any(wrong) {
        errors.push(field(pointer, "maxLength", limit.into(), &format!("at most {limit} characters")));
    }
    text
}

fn view(hold: AuditHold, people: &People) -> AuditHoldView {
    let (released_by, released_at, release_reason) = match hold.release {
        Some(HoldRelease { by, at, reason }) => (Some(people.get(by)), Some(at), Some(reason)),
        None => (None, None, None),
    };
    AuditHoldView {
        id: hold.id,
        name: hold.name,
        reason: hold.reason,
        covers: hold.covers,
        placed_by: people.get(hold.placed_by),
        placed_at: hold.placed_at,
        released_by,
        released_at,
        release_reason,
    }
}

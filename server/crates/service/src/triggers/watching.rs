//! Looking for what has come, for triggers that nobody calls.
//!
//! A look asks the other system what there is, and delivers what the trigger has not taken note of. A delivery, its run and the
//! note are durable together: so what was delivered is known, whenever a node dies, and however long it stays where it is. Only
//! then is it moved or tagged there, and what could not be is tried again at every look. One node at a time looks; that is to
//! spare the other system, and nothing goes wrong if two do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connectors::{
    Connections as _, Failure, FailureKind,
    watch::{Found, Item, Look, Reading, Watching},
};
use domain::{Problem, TriggerId};
use engine::Topic;
use serde_json::{Value, json};
use store::{
    triggers::Trigger,
    watches::{Noted, Watch},
};
use tracing::{error, info, warn};

use super::{
    intake::{Done, Passage},
    matter::Matter,
    place,
};
use crate::{Service, problems::OrProblem as _};

/// For how long a node has a look to itself; longer than one may take. If the node dies, another looks after that.
const LEASE: Duration = Duration::from_mins(2);
/// The longest that a look may take.
const LIMIT: Duration = Duration::from_secs(100);
/// After so long, a look delivers nothing more, and the next one begins at once.
const ENOUGH: Duration = Duration::from_secs(40);
/// The most deliveries of one look.
const AT_ONCE: usize = 100;
/// How many are read at once of those that are due.
const BATCH: u32 = 20;
/// The longest words about a trouble, in characters.
const WORDS: usize = 1_000;
/// What is kept as progress once a trigger has looked for the first time, where the items tell the rest.
const BEGUN: &str = "begun";
/// What is kept as progress where nobody can tell any more what is new, until the trigger is saved.
pub(super) const LOST: &str = "lost";

/// Why a look ended early.
enum Halt {
    /// Something that people can do something about.
    Trouble(String),
    /// The database.
    Store(Problem),
    /// The trigger was changed, switched off or deleted meanwhile.
    Outdated,
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Self::Store(problem)
    }
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Trouble(failure.detail().to_owned())
    }
}

/// How a look went that came to its end.
#[derive(Default)]
struct Looked {
    /// How much it has delivered.
    delivered: usize,
    /// There is more to be delivered.
    more: bool,
    /// What could not be done with something, while the rest went on.
    trouble: Option<String>,
    /// How far it has come.
    progress: Option<String>,
}

impl Looked {
    /// Goes on after something that only one item has; what hinders all of them ends the look.
    fn stumble(&mut self, failure: Failure) -> Result<(), Halt> {
        if failure.kind != FailureKind::Permanent {
            return Err(failure.into());
        }
        self.trouble.get_or_insert_with(|| failure.detail().to_owned());
        Ok(())
    }
}

impl Service {
    /// Looks where it is time to, one place after the other. Those at which other nodes look meanwhile are left out.
    pub async fn look_for_deliveries(&self) {
        loop {
            match self.look_at_batch().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(problem) => {
                    error!(%problem, "triggers could not look for what has come");
                    return;
                }
            }
        }
    }

    /// At how many places it looked.
    async fn look_at_batch(&self) -> Result<usize, Problem> {
        let due = self.parts.store.snapshot().await.or_problem()?.watches_due(self.now(), BATCH).await.or_problem()?;
        let mut looked = 0;
        for watch in due {
            let mut unit = self.parts.store.begin().await.or_problem()?;
            let now = self.now();
            if !unit.take_watch(watch.trigger, now, now + LEASE).await.or_problem()? {
                unit.rollback().await.or_problem()?;
                continue;
            }
            unit.commit().await.or_problem()?;
            self.look_once(&watch).await?;
            looked += 1;
        }
        Ok(looked)
    }

    async fn look_once(&self, watch: &Watch) -> Result<(), Problem> {
        let looked = tokio::time::timeout(LIMIT, self.look_over(watch)).await.unwrap_or_else(|_| {
            let seconds = LIMIT.as_secs();
            Err(Halt::Trouble(format!("the look took more than {seconds} seconds; the other system answers slowly")))
        });
        match looked {
            Ok(looked) => self.note_watch(watch, looked).await,
            Err(Halt::Trouble(words)) => {
                self.note_watch(watch, Looked { trouble: Some(words), ..Looked::default() }).await
            }
            Err(Halt::Outdated) => Ok(()),
            Err(Halt::Store(problem)) => Err(problem),
        }
    }

    async fn look_over(&self, watch: &Watch) -> Result<Looked, Halt> {
        if watch.progress.as_deref() == Some(LOST) {
            let known = watch.trouble.as_ref().map(|(_, words)| words.clone()).unwrap_or_default();
            return Err(Halt::Trouble(known));
        }
        let trigger = self.parts.store.snapshot().await.or_problem()?.trigger(watch.trigger).await.or_problem()?;
        let trigger = trigger.ok_or(Halt::Outdated)?;
        let Some(kind) = place::connection_kind(trigger.kind) else { return Err(Halt::Outdated) };
        let connection = self.stored_connections().resolve(&watch.connection, &[kind], &trigger.namespace).await?;
        let Some(source) = self.parts.connectors.source(kind) else {
            return Err(Halt::Trouble(format!("this server cannot look over connections of kind {kind}")));
        };
        let place = serde_json::from_str::<Value>(&watch.place).unwrap_or_default();
        let by = format!("{}/{}", trigger.namespace, trigger.name);
        let egress = self.parts.connectors.egress(&trigger.namespace);
        let look = Look { connection: &connection, place: &place, egress, by: &by };
        let mut watching = source.open(look).await?;
        let looked = self.look_with(watch, watching.as_mut()).await;
        watching.close().await;
        looked
    }

    async fn look_with(&self, watch: &Watch, watching: &mut (dyn Watching + '_)) -> Result<Looked, Halt> {
        let begun = self.now();
        let found = watching.find(watch.progress.as_deref()).await?;
        if let Some(words) = found.lost {
            return Ok(Looked { trouble: Some(words), progress: Some(LOST.to_owned()), ..Looked::default() });
        }
        if watch.progress.is_none() {
            self.begin_to_watch(watch, found).await?;
            return Ok(Looked::default());
        }
        let items = found.items;
        let noted = self.parts.store.snapshot().await.or_problem()?.noted_items(watch.trigger).await.or_problem()?;
        let noted: BTreeMap<String, bool> = noted.into_iter().map(|noted| (noted.item, noted.settled)).collect();
        self.forget_gone(watch, &noted, &items).await?;
        let mut looked = Looked::default();
        let mut all_settled = true;
        for item in &items {
            let settled = match noted.get(&item.key) {
                Some(true) => true,
                Some(false) => self.settle(watch, watching, item, &mut looked).await?,
                None if looked.delivered == AT_ONCE || self.now().since(begun) > ENOUGH => {
                    // What cannot be read is there at the next look, too, which is not to follow at once for it.
                    looked.more = looked.trouble.is_none();
                    break;
                }
                None => self.take(watch, watching, item, &mut looked).await?,
            };
            all_settled &= settled;
            if all_settled {
                looked.progress.clone_from(&item.progress);
            }
        }
        Ok(looked)
    }

    /// Takes note of what is there before the trigger is: it was not left for it.
    async fn begin_to_watch(&self, watch: &Watch, found: Found) -> Result<(), Halt> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let Some((_, current)) = current(unit.as_mut(), watch).await? else { return Err(Halt::Outdated) };
        for item in found.items {
            let noted = Noted { item: item.key, settled: true };
            unit.note_item(watch.trigger, &noted).await.or_problem()?;
        }
        let progress = Some(found.progress.unwrap_or_else(|| BEGUN.to_owned()));
        unit.put_watch(&Watch { progress, ..current }).await.or_problem()?;
        unit.commit().await.or_problem()?;
        Ok(())
    }

    /// Forgets what is no longer there, so that no more is kept than there is.
    async fn forget_gone(&self, watch: &Watch, noted: &BTreeMap<String, bool>, items: &[Item]) -> Result<(), Halt> {
        let there: BTreeSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let gone: Vec<&String> = noted.keys().filter(|key| !there.contains(key.as_str())).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if current(unit.as_mut(), watch).await?.is_none() {
            return Err(Halt::Outdated);
        }
        for item in gone {
            unit.forget_item(watch.trigger, item).await.or_problem()?;
        }
        unit.commit().await.or_problem()?;
        Ok(())
    }

    /// Delivers what is new, and has it settled; whether that is done.
    async fn take(
        &self,
        watch: &Watch,
        watching: &mut (dyn Watching + '_),
        item: &Item,
        looked: &mut Looked,
    ) -> Result<bool, Halt> {
        let key = item.key.clone();
        let matter = match watching.read(item).await {
            Ok(Reading::Said(content)) => Matter::again(key, json!({"payload": content, "headers": {}})),
            Ok(Reading::KeptOut(words)) => Matter::kept_out(key, words),
            Ok(Reading::Faulty(words)) => Matter::unread(key, words),
            // It went, or was replaced, since it was found.
            Ok(Reading::Gone) => return Ok(false),
            Err(failure) => return looked.stumble(failure).map(|()| false),
        };
        let left_alone = matter.content.is_null();
        self.deliver_found(watch, &matter, left_alone).await?;
        looked.delivered += 1;
        if left_alone {
            return Ok(true);
        }
        self.settle(watch, watching, item, looked).await
    }

    async fn deliver_found(&self, watch: &Watch, matter: &Matter, settled: bool) -> Result<(), Halt> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let Some((trigger, _)) = current(unit.as_mut(), watch).await? else { return Err(Halt::Outdated) };
        if unit.noted_item(trigger.id, &matter.key).await.or_problem()?.is_some() {
            // Another node was here.
            return Ok(());
        }
        let mut done = Done::default();
        if unit.delivery_by_key(trigger.id, &matter.key).await.or_problem()?.is_none() {
            let number = trigger.deliveries + 1;
            let now = self.now();
            let passage = Passage { trigger: &trigger, number, matter, replayed_by: None, earlier: None, now };
            self.deliver(unit.as_mut(), &passage, None, &mut done).await?;
        }
        let noted = Noted { item: matter.key.clone(), settled };
        unit.note_item(trigger.id, &noted).await.or_problem()?;
        audit::append_all(unit.as_mut(), &done.entries).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.afterwards(&done);
        Ok(())
    }

    /// Has done with something what is to become of it, and takes note of that; whether it could be.
    async fn settle(
        &self,
        watch: &Watch,
        watching: &mut (dyn Watching + '_),
        item: &Item,
        looked: &mut Looked,
    ) -> Result<bool, Halt> {
        if let Err(failure) = watching.settle(item).await {
            return looked.stumble(failure).map(|()| false);
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if current(unit.as_mut(), watch).await?.is_none() {
            return Err(Halt::Outdated);
        }
        let noted = Noted { item: item.key.clone(), settled: true };
        unit.note_item(watch.trigger, &noted).await.or_problem()?;
        unit.commit().await.or_problem()?;
        Ok(true)
    }

    /// Keeps how a look went, and when the next one is.
    async fn note_watch(&self, watch: &Watch, looked: Looked) -> Result<(), Problem> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let now = self.now();
        let Some((trigger, current)) = current(unit.as_mut(), watch).await? else { return Ok(()) };
        let pause = if looked.more { Duration::ZERO } else { Duration::from_secs(current.pause.into()) };
        let since = current.trouble.as_ref().map_or(now, |(since, _)| *since);
        let trouble = looked.trouble.map(|words| (since, words.chars().take(WORDS).collect::<String>()));
        let is_news = trouble != current.trouble || current.looked_at.is_none();
        let (failed, fails) = (current.trouble.is_some(), trouble.is_some());
        let told = trouble.as_ref().map(|(_, words)| words.clone()).unwrap_or_default();
        let progress = looked.progress.or_else(|| current.progress.clone());
        unit.put_watch(&Watch { due_at: now + pause, looked_at: Some(now), trouble, progress, ..current })
            .await
            .or_problem()?;
        unit.commit().await.or_problem()?;
        let name = format!("{}/{}", trigger.namespace, trigger.name);
        if fails && !failed {
            warn!(trigger = name, reason = told, "a trigger cannot look for what has come");
        } else if failed && !fails {
            info!(trigger = name, "a trigger looks for what has come again");
        }
        if is_news {
            self.parts.live.changed(Topic::Triggers);
        }
        Ok(())
    }

    /// How many triggers that are switched on can look for what has come, and how many cannot.
    pub async fn watches_now(&self) -> store::Result<(usize, usize)> {
        let mut unit = self.parts.store.snapshot().await?;
        let on: BTreeSet<TriggerId> = unit
            .list_triggers()
            .await?
            .into_iter()
            .filter(|trigger| trigger.enabled)
            .map(|trigger| trigger.id)
            .collect();
        let watches = unit.list_watches().await?.into_iter().filter(|watch| on.contains(&watch.trigger));
        let (failing, working): (Vec<_>, Vec<_>) = watches.partition(|watch| watch.trouble.is_some());
        Ok((working.len(), failing.len()))
    }
}

/// A trigger and where it looks, locked; none where it does not look there any more.
async fn current(unit: &mut dyn store::UnitOfWork, watch: &Watch) -> Result<Option<(Trigger, Watch)>, Problem> {
    let Some(trigger) = unit.lock_trigger(watch.trigger).await.or_problem()?.filter(|trigger| trigger.enabled) else {
        return Ok(None);
    };
    let current = unit.watch(watch.trigger).await.or_problem()?;
    let same = |now: &Watch| now.connection == watch.connection && now.place == watch.place;
    Ok(current.filter(same).map(|now| (trigger, now)))
}

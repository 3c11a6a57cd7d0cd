//! [`Schedule`]: when runs of a definition begin by themselves (dsl.md, "Scheduling").
//!
//! `document.metadata.rondo.schedule` says by which clocks and what becomes of missed times. What begins by events is
//! computed here, what begins by time in [`crate::timetable`].

use std::time::Duration;

use domain::MissedRuns;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::model::{Consumption, Until};
use crate::machine::matching::{self, Progress};
use crate::timetable::{CronTimes, Zone};
use crate::{CloudEvent, EventFilter};

/// The most sets of events that wait for their rest; beyond, the oldest are given up.
const MAX_SETS: usize = 1_000;

/// When runs begin by themselves. Says only what the definition says: the engine keeps the time.
#[derive(Debug)]
pub struct Schedule {
    /// A run begins whenever this has passed, whether the one before has ended or not.
    pub every: Option<Duration>,
    /// A run begins at these times.
    pub cron: Option<CronTimes>,
    /// A run begins this long after the one before has completed.
    pub after: Option<Duration>,
    /// The time zone of the times.
    pub zone: Zone,
    /// What becomes of times that were missed.
    pub missed: MissedRuns,
    pub(crate) on: Option<Consumption>,
}

/// The events that have come and wait for others to start a run with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gathering {
    sets: Vec<Set>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Set {
    progress: Progress,
    events: Vec<Value>,
}

impl Schedule {
    /// The events that are of interest, as a router can index them; empty if no event starts a run.
    pub fn filters(&self) -> Vec<EventFilter> {
        self.on.as_ref().map(matching::filters).unwrap_or_default()
    }

    /// Takes an event in. Gives the input of the run that it starts, if it starts one: the array of the events that
    /// belong together, as envelopes in the order of arrival. Events that correlate differently gather apart.
    ///
    /// An event is consumed once by the events that it gathers with. Whoever may get the same event again after it has
    /// started a run must remember it.
    pub fn offer(&self, gathering: &mut Gathering, event: &CloudEvent) -> Option<Value> {
        let on = self.on.as_ref()?;
        let found = gathering.sets.iter().enumerate().find_map(|(position, set)| {
            let found = set.progress.offer(on, event, &())?;
            Some((position, found))
        });
        let (position, found) = if let Some(found) = found {
            found
        } else {
            let progress = Progress::begin(on, &Value::Null, &()).ok()?;
            let found = progress.offer(on, event, &())?;
            if gathering.sets.len() >= MAX_SETS {
                gathering.sets.remove(0);
            }
            gathering.sets.push(Set { progress, events: Vec::new() });
            (gathering.sets.len() - 1, found)
        };
        let set = gathering.sets.get_mut(position)?;
        if !found.ends() {
            set.events.push(event.to_value());
        }
        set.progress.take(found);
        let enough = match &on.until {
            Some(Until::Condition(condition)) => {
                condition.holds(&Value::Array(set.events.clone()), &()).unwrap_or(false)
            }
            _ => set.progress.is_complete(on),
        };
        enough.then(|| Value::Array(gathering.sets.remove(position).events))
    }
}

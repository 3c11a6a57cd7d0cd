//! What a run's journal says: from the last snapshot, and the entries after it.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use store::{StoreError, UnitOfWork, runs::Run};
use workflow::{CallId, Definition, Event, EventKind, RunState, lifecycle::Lifecycle};

use crate::node::LoadError;

/// Journal entries read at once.
const JOURNAL_PAGE: u32 = 1_000;
/// A snapshot is written when this many entries have come since the last one.
pub(crate) const SNAPSHOT_EVERY: i64 = 200;

/// What a snapshot holds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Snapshot<'a> {
    pub(crate) state: Cow<'a, RunState>,
    pub(crate) lifecycle: Cow<'a, Lifecycle>,
    /// See [`History::begun`]. Snapshots of earlier versions have none.
    #[serde(default)]
    pub(crate) begun: BTreeSet<CallId>,
}

/// Where a run stands, as its journal says.
pub(crate) struct History {
    pub(crate) state: RunState,
    pub(crate) lifecycle: Lifecycle,
    /// Calls of which it says that they were begun.
    pub(crate) begun: BTreeSet<CallId>,
    /// The journal's version at the snapshot that was read, or 0.
    pub(crate) snapshot_version: i64,
}

impl History {
    /// Reads it.
    pub(crate) async fn read(
        unit: &mut dyn UnitOfWork,
        definition: &Definition,
        run: &Run,
        base_url: &str,
    ) -> Result<Self, LoadError> {
        let kept = if run.journal_version < SNAPSHOT_EVERY { None } else { unit.snapshot_of(run.id).await? };
        // One that this program cannot read is no loss: the journal has it all.
        let kept = kept.and_then(|(version, text)| Some((version, serde_json::from_str::<Snapshot<'_>>(&text).ok()?)));
        let kept = kept.filter(|(_, kept)| kept.state.is_current());
        let (mut version, state, lifecycle, begun) = if let Some((version, kept)) = kept {
            (version, kept.state.into_owned(), kept.lifecycle.into_owned(), kept.begun)
        } else {
            (0, RunState::default(), Lifecycle::new(definition, run.id, base_url), BTreeSet::new())
        };
        let mut history = Self { state, lifecycle, begun, snapshot_version: version };
        while version < run.journal_version {
            let page = unit.journal(run.id, version, JOURNAL_PAGE).await?;
            let Some(last) = page.last() else { break };
            version = last.version;
            for entry in &page {
                let event: Event = serde_json::from_str(&entry.event).map_err(LoadError::Unreadable)?;
                if let EventKind::CallStarted { call } = event.kind {
                    history.begun.insert(call);
                }
                let effects = workflow::apply(definition, &mut history.state, &event);
                history.lifecycle.observe(event.at, &effects);
            }
        }
        Ok(history)
    }
}

/// Where a run will stand once its owner has taken in what lies in its inbox: what commands are judged by before they are
/// sent. The owner judges again.
pub async fn prospect(unit: &mut dyn UnitOfWork, definition: &Definition, run: &Run) -> store::Result<RunState> {
    let unreadable = |what: &str| StoreError::Inconsistent(what.to_owned());
    let history = History::read(unit, definition, run, "").await.map_err(|error| match error {
        LoadError::Store(error) => error,
        _ => unreadable("journal"),
    })?;
    let mut state = history.state;
    for item in unit.inbox(run.id).await? {
        let event: Event = serde_json::from_str(&item.event).map_err(|_| unreadable("inbox"))?;
        workflow::apply(definition, &mut state, &event);
    }
    Ok(state)
}

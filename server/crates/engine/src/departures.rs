//! Approvals that outlive those whom they ask.
//!
//! Whoever is disabled (by an administrator, or by a workflow that sees somebody off) cannot decide from that moment on. Each
//! node looks for people who were disabled while an approval asked them, and tells the runs, whose owners put the rule to
//! people once more. Of several nodes one takes each, in the unit of work that tells the run.

use std::{sync::Arc, time::Duration};

use domain::RunId;
use tracing::{error, warn};
use workflow::{CallId, Event, EventKind};

use crate::node::Node;

/// How often to look although nobody has said that there is something to be found.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Departures that are taken in one unit of work.
const BATCH: u32 = 50;

/// Tells runs of departures until told to stop.
pub(crate) async fn keep(node: Arc<Node>) {
    while !node.stop.is_cancelled() {
        match tell_runs(&node).await {
            Ok(told) => {
                let is_full = u32::try_from(told.len()) == Ok(BATCH);
                for run in told {
                    node.wake(run);
                }
                if is_full {
                    continue;
                }
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "departures could not be looked for");
            }
        }
        tokio::select! {
            () = node.stop.cancelled() => {}
            () = node.departure_bell.notified() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Tells the runs of those who have left, as many as are taken at once.
async fn tell_runs(node: &Node) -> store::Result<Vec<RunId>> {
    let now = node.now();
    let mut unit = node.parts.store.begin().await?;
    let departures = unit.take_departures(BATCH).await?;
    if departures.is_empty() {
        unit.rollback().await?;
        return Ok(Vec::new());
    }
    let mut told = Vec::with_capacity(departures.len());
    for departure in departures {
        let Ok(call) = departure.call.parse().map(CallId) else {
            error!(approval = %departure.approval, "an approval of no call");
            continue;
        };
        let event = serde_json::to_string(&Event::new(now, EventKind::ApproverLeft { call }))
            .map_err(|_| store::StoreError::Inconsistent("an event".to_owned()))?;
        unit.push_inbox(departure.run, &event, now).await?;
        told.push(departure.run);
    }
    unit.commit().await?;
    Ok(told)
}

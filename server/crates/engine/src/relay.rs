//! Hints to and from the other nodes on one database: pages on one node show what happens on another, and a run that another
//! node holds is woken there. Without it all would come to pass by looking around, only later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::RunId;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        mpsc,
    },
    time::sleep,
};
use tracing::{debug, warn};

use crate::{
    live::{Hint, RunChange, Topic},
    node::Node,
};

/// How long hints gather, so that a busy node sends few letters.
const GATHER: Duration = Duration::from_millis(20);
/// Hints in a letter: it stays below the 7,000 bytes that the database takes.
const HINTS: usize = 48;
/// How long after a failure it is tried to listen again.
const PAUSE: Duration = Duration::from_secs(5);

/// What one node tells the others at once.
#[derive(Serialize, Deserialize)]
struct Letter {
    from: String,
    hints: Vec<Hint>,
}

/// Hints to be sent, the last one of each kind.
#[derive(Default)]
struct Outgoing {
    runs: BTreeMap<RunId, RunChange>,
    topics: BTreeSet<Topic>,
    logged: BTreeSet<RunId>,
    woken: BTreeSet<RunId>,
}

impl Outgoing {
    fn add(&mut self, hint: Hint) {
        match hint {
            Hint::Run(change) => _ = self.runs.insert(change.run, change),
            Hint::Changed(topic) => _ = self.topics.insert(topic),
            Hint::Logged(run) => _ = self.logged.insert(run),
            Hint::Woken(run) => _ = self.woken.insert(run),
        }
    }

    fn into_hints(self) -> Vec<Hint> {
        let woken = self.woken.into_iter().map(Hint::Woken);
        let changed = self.topics.into_iter().map(Hint::Changed);
        let runs = self.runs.into_values().map(Hint::Run);
        woken.chain(changed).chain(runs).chain(self.logged.into_iter().map(Hint::Logged)).collect()
    }
}

/// Relays until the node stops; ends at once where there can be no other node.
pub(crate) async fn relay(node: Arc<Node>) {
    let mut own = node.parts.live.own();
    let Some(mut heard) = listen(&node).await else { return };
    loop {
        tokio::select! {
            () = node.stop.cancelled() => return,
            told = heard.recv() => match told {
                Some(text) => deliver(&node, &text),
                None => match listen(&node).await {
                    Some(again) => heard = again,
                    None => return,
                },
            },
            hint = own.recv() => match hint {
                Ok(hint) => send(&node, hint, &mut own).await,
                // Hints may be lost.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Begins to listen, again and again while the database is away; none where there is nobody to be heard, or at the end.
async fn listen(node: &Node) -> Option<mpsc::Receiver<String>> {
    loop {
        match node.parts.store.hear().await {
            // What was told before is not heard any more.
            Ok(heard) => {
                node.ring_all();
                return heard;
            }
            Err(error) => warn!(error = &error as &dyn std::error::Error, "other nodes cannot be heard"),
        }
        tokio::select! {
            () = node.stop.cancelled() => return None,
            () = sleep(PAUSE) => {}
        }
    }
}

fn deliver(node: &Node, text: &str) {
    match serde_json::from_str::<Letter>(text) {
        Ok(letter) if letter.from == node.settings.node => {}
        Ok(letter) => {
            for hint in letter.hints {
                if let Hint::Woken(run) = hint {
                    node.ring(run);
                }
                node.parts.live.show(hint);
            }
        }
        // A newer node may tell what this program does not know.
        Err(error) => debug!(%error, "another node tells something that cannot be read"),
    }
}

async fn send(node: &Node, first: Hint, own: &mut Receiver<Hint>) {
    sleep(GATHER).await;
    let mut outgoing = Outgoing::default();
    outgoing.add(first);
    while let Ok(hint) = own.try_recv() {
        outgoing.add(hint);
    }
    let hints = outgoing.into_hints();
    for some in hints.chunks(HINTS) {
        let letter = Letter { from: node.settings.node.clone(), hints: some.to_vec() };
        let Ok(text) = serde_json::to_string(&letter) else { return };
        if let Err(error) = node.parts.store.tell(text).await {
            debug!(error = &error as &dyn std::error::Error, "other nodes could not be told");
        }
    }
}

//! What processes write, on its way to the server: in order, gathered, and never in the way of a process.

use std::{sync::Arc, time::Duration};

use engine::{
    Redaction,
    runners::protocol::{Assignment, Line, Lines},
};
use runner::{Listener, Stream};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tracing::debug;

use crate::client::{CallError, Client};

/// Lines that wait; beyond, further ones are lost.
const QUEUE: usize = 10_000;
/// Lines that are sent at once.
const BATCH: usize = 200;
/// The longest line, in bytes.
const LONGEST: usize = 8 * 1024;
/// How long lines gather.
const GATHER: Duration = Duration::from_millis(100);
/// How long after a failure it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the end of a task waits for its lines.
const LAST: Duration = Duration::from_secs(5);

enum Item {
    Line(Line),
    /// Everything before it is to be sent, and that to be told.
    Flush(oneshot::Sender<()>),
}

/// Where processes write.
#[derive(Clone)]
pub(crate) struct Wire(mpsc::Sender<Item>);

impl Wire {
    /// Sends until nobody writes any more.
    pub(crate) fn to(client: Arc<Client>) -> Self {
        let (sender, items) = mpsc::channel(QUEUE);
        tokio::spawn(send(client, items));
        Self(sender)
    }

    /// The ear of one process, which masks its secrets.
    pub(crate) fn of(&self, task: Assignment, redaction: Redaction) -> Ear {
        Ear { wire: self.clone(), task, redaction }
    }

    /// Waits until everything that was written is sent; not for long if the server is away.
    pub(crate) async fn flush(&self) {
        let (done, told) = oneshot::channel();
        let flushed = async {
            if self.0.send(Item::Flush(done)).await.is_ok() {
                let _ = told.await;
            }
        };
        let _ = timeout(LAST, flushed).await;
    }
}

/// Hears what a process writes.
pub(crate) struct Ear {
    wire: Wire,
    task: Assignment,
    redaction: Redaction,
}

impl Listener for Ear {
    fn line(&self, stream: Stream, text: &str) {
        let masked = self.redaction.text(text);
        let mut end = masked.len().min(LONGEST);
        while !masked.is_char_boundary(end) {
            end -= 1;
        }
        let text = masked.get(..end).unwrap_or_default().to_owned();
        let line = Line { task: self.task, error: matches!(stream, Stream::Error), text };
        // A flood loses lines rather than memory.
        let _ = self.wire.0.try_send(Item::Line(line));
    }
}

async fn send(client: Arc<Client>, mut items: mpsc::Receiver<Item>) {
    let mut batch = Vec::new();
    while items.recv_many(&mut batch, BATCH).await > 0 {
        if batch.iter().all(|item| matches!(item, Item::Line(_))) && batch.len() < BATCH {
            sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(next) = items.try_recv()
            {
                batch.push(next);
            }
        }
        let (mut lines, mut waiting) = (Vec::new(), Vec::new());
        for item in batch.drain(..) {
            match item {
                Item::Line(line) => lines.push(line),
                Item::Flush(done) => waiting.push(done),
            }
        }
        let lines = Lines { lines };
        while !lines.lines.is_empty() {
            match client.lines(&lines).await {
                Err(CallError::Away(why)) => debug!(why, "lines could not be sent"),
                // Nobody will ever take them.
                Ok(()) | Err(_) => break,
            }
            sleep(PAUSE).await;
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

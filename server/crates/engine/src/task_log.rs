//! Log lines of tasks: shown live at once, written in batches, never in the way of execution.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{Clock, RunId, view::LogLine};
use store::logs::LogStore;
use tokio::sync::mpsc;
use tracing::warn;

use crate::live::Live;

/// Lines waiting to be written; when the log store cannot keep up, further lines are dropped and counted.
const QUEUE: usize = 10_000;
/// Lines written in one transaction.
const BATCH: usize = 500;
/// The longest line kept, in bytes.
const LINE_LIMIT: usize = 8 * 1024;
/// How long lines gather before they are written.
const GATHER: Duration = Duration::from_millis(50);

/// Where calls write their log lines.
#[derive(Clone)]
pub struct TaskLogs {
    queue: mpsc::Sender<(RunId, LogLine)>,
    clock: Arc<dyn Clock>,
}

impl TaskLogs {
    /// Starts the writer; it ends when the last clone is dropped and everything is written.
    pub fn start(store: Arc<dyn LogStore>, live: Live, clock: Arc<dyn Clock>) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(write(store, live, waiting));
        (Self { queue, clock }, writer)
    }

    /// Adds a line to the log of a run's task. Never waits: a flood loses lines rather than time.
    pub fn line(&self, run: RunId, reference: &str, level: &str, text: &str) {
        let line = LogLine {
            seq: 0,
            at: self.clock.now(),
            reference: reference.to_owned(),
            level: level.to_owned(),
            text: clip(text).to_owned(),
        };
        if self.queue.try_send((run, line)).is_err() {
            metrics::counter!("rondo_log_lines_dropped_total").increment(1);
        }
    }
}

fn clip(text: &str) -> &str {
    let mut end = text.len().min(LINE_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

async fn write(store: Arc<dyn LogStore>, live: Live, mut waiting: mpsc::Receiver<(RunId, LogLine)>) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH {
            // A short pause turns a trickle of single lines into few transactions.
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH {
                let Ok(next) = waiting.try_recv() else { break };
                batch.push(next);
            }
        }
        if let Err(error) = store.append(&batch).await {
            metrics::counter!("rondo_log_lines_dropped_total").increment(batch.len() as u64);
            warn!(error = &error as &dyn std::error::Error, lines = batch.len(), "task log lines could not be written");
        }
        // Told after they are written, so that a reader who is woken finds them.
        for run in batch.drain(..).map(|(run, _)| run).collect::<BTreeSet<_>>() {
            live.logged(run);
        }
    }
}

//! Events in process: a board that all runs of an execution read.
//!
//! An event goes to every run that is under way. One that nobody has consumed yet is kept, also for runs that begin later,
//! so that a listener that comes after its event still gets it; one that a listener has consumed is gone for those that
//! come later.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::mpsc;
use workflow::CloudEvent;

use super::pending::{Hold, Pending};

/// An event on the board.
pub(super) struct Posted {
    pub(super) event: CloudEvent,
    consumed: AtomicBool,
}

impl Posted {
    pub(super) fn is_consumed(&self) -> bool {
        self.consumed.load(Ordering::Relaxed)
    }

    pub(super) fn consume(&self) {
        self.consumed.store(true, Ordering::Relaxed);
    }
}

/// The events of an execution.
pub(super) struct Board(Mutex<Events>);

#[derive(Default)]
struct Events {
    posted: Vec<Arc<Posted>>,
    emitted: Vec<CloudEvent>,
    readers: Vec<mpsc::UnboundedSender<Arriving>>,
}

/// An event on its way to a run.
pub(super) struct Arriving {
    pub(super) posted: Arc<Posted>,
    /// Held until the run has it.
    pub(super) hold: Hold,
}

impl Board {
    /// A board with these events on it.
    pub(super) fn new(events: Vec<CloudEvent>) -> Self {
        let posted = events.into_iter().map(|event| Arc::new(Posted { event, consumed: AtomicBool::new(false) }));
        Self(Mutex::new(Events { posted: posted.collect(), ..Events::default() }))
    }

    /// Posts an event that a run emits.
    pub(super) fn emit(&self, event: CloudEvent, pending: &Pending) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.emitted.push(event.clone());
        let posted = Arc::new(Posted { event, consumed: AtomicBool::new(false) });
        // A reader that is gone is a run that has ended.
        let arriving = || Arriving { posted: Arc::clone(&posted), hold: pending.hold() };
        events.readers.retain(|reader| reader.send(arriving()).is_ok());
        events.posted.push(posted);
    }

    /// The events that nobody has consumed yet, and all that come.
    pub(super) fn read(&self, pending: &Pending) -> mpsc::UnboundedReceiver<Arriving> {
        let (reader, reading) = mpsc::unbounded_channel();
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.posted.retain(|posted| !posted.is_consumed());
        for posted in &events.posted {
            // The other end is at hand.
            let _ = reader.send(Arriving { posted: Arc::clone(posted), hold: pending.hold() });
        }
        events.readers.push(reader);
        reading
    }

    /// The events that runs have emitted, in order.
    pub(super) fn emitted(&self) -> Vec<CloudEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).emitted.clone()
    }
}

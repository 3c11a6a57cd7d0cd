//! What may still happen in an execution: as long as anything is at work, on its way or due, a run that waits for an event may
//! get it; afterwards none can.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// Counts what may still make something happen.
#[derive(Default)]
pub(super) struct Pending(Arc<Count>);

#[derive(Default)]
struct Count {
    held: AtomicUsize,
    none_left: Notify,
}

/// Something that may still make something happen, for as long as it is held. Whoever hands on what has happened takes the
/// next one before dropping the own.
pub(super) struct Hold(Arc<Count>);

impl Pending {
    /// One more.
    pub(super) fn hold(&self) -> Hold {
        self.0.held.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(&self.0))
    }

    /// Whether nothing can happen any more.
    pub(super) fn is_nothing(&self) -> bool {
        self.0.held.load(Ordering::SeqCst) == 0
    }

    /// Waits until nothing can happen any more. By the time that the caller goes on, another may have begun something.
    pub(super) async fn nothing_left(&self) {
        let notified = self.0.none_left.notified();
        tokio::pin!(notified);
        // Before the look, so that what happens in between is not missed.
        notified.as_mut().enable();
        if !self.is_nothing() {
            notified.await;
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.0.held.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

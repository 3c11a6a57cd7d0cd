//! A bell that tells an actor of something in its inbox, and remembers that it was rung.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Bell {
    ringing: AtomicBool,
    notify: Notify,
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.ringing.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    /// Waits until it rings, and stops it.
    pub(crate) async fn heard(&self) {
        self.notify.notified().await;
        self.stop();
    }

    /// Stops it, before what it tells of is looked at.
    pub(crate) fn stop(&self) {
        self.ringing.store(false, Ordering::Release);
    }

    /// Whether it was rung and nobody has heard it.
    pub(crate) fn is_ringing(&self) -> bool {
        self.ringing.load(Ordering::Acquire)
    }
}

//! For the crash test, and in debug builds only: the process kills itself at a chosen place of a journal, as a power cut
//! would, without a chance to tidy up.
//!
//! `RONDO_KILL_AT=before-commit:N`, `after-commit:N` or `after-call:N`, where N is the journal version.

use std::sync::Arc;

use anyhow::{Result, bail};
use domain::RunId;
use engine::{NoObserver, Observer};

/// What the variable asks for; an error for what it cannot mean.
pub(crate) fn observer() -> Result<Arc<dyn Observer>> {
    let Ok(text) = std::env::var("RONDO_KILL_AT") else { return Ok(Arc::new(NoObserver)) };
    let parsed = text.split_once(':').and_then(|(place, version)| {
        let place = match place {
            "before-commit" => Place::BeforeCommit,
            "after-commit" => Place::AfterCommit,
            "after-call" => Place::AfterCall,
            _ => return None,
        };
        Some(KillSwitch { place, version: version.parse().ok()? })
    });
    match parsed {
        Some(switch) => Ok(Arc::new(switch)),
        None => bail!("RONDO_KILL_AT is before-commit:N, after-commit:N or after-call:N"),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeCommit,
    AfterCommit,
    AfterCall,
}

struct KillSwitch {
    place: Place,
    version: i64,
}

impl KillSwitch {
    /// A step may write several entries at once, so the first step that reaches the version counts.
    fn arrive(&self, place: Place, version: i64) {
        if place == self.place && version >= self.version {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal may take a moment; nothing may happen in it.
            loop {
                std::thread::park();
            }
        }
    }
}

impl Observer for KillSwitch {
    fn before_commit(&self, _run: RunId, version: i64) {
        self.arrive(Place::BeforeCommit, version);
    }

    fn after_commit(&self, _run: RunId, version: i64) {
        self.arrive(Place::AfterCommit, version);
    }

    fn after_call(&self, _run: RunId, version: i64) {
        self.arrive(Place::AfterCall, version);
    }
}

//! What controls are found by: which versions name them, and which entries of the log are about them. Both are filled behind
//! what they follow from.

use domain::Problem;
use store::{Store, StoreError};
use tracing::error;
use workflow::controls;

use crate::{
    Service,
    audit_log::not_indexed,
    problems::{OrProblem as _, from_store},
};

/// Versions that are read in one unit of work.
const VERSIONS: u32 = 100;
/// Entries that are indexed in one unit of work.
const ENTRIES: i64 = 5_000;
/// Units of work in which entries are indexed while somebody waits who searches.
const AT_ONCE: usize = 10;

impl Service {
    /// Indexes all entries of the log for the controls that they are about. Any node may do it at any time.
    pub async fn index_controls(&self) {
        match self.index_entries(usize::MAX).await {
            // Another node is at it.
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(cause) => {
                let problem = from_store(cause);
                error!(%problem, "the audit log could not be indexed by controls, trying again later");
            }
        }
    }

    /// Makes sure that entries are found by their controls, those that have their places now included.
    pub(crate) async fn searchable_by_controls(&self) -> Result<(), Problem> {
        let left = match self.index_entries(AT_ONCE).await {
            // Another node was quicker, and is at it.
            Err(StoreError::Conflict) => self.index_entries(0).await,
            other => other,
        };
        match left.or_problem()? {
            0 => Ok(()),
            left => Err(not_indexed(left)),
        }
    }

    /// Reads the versions that were not read for the controls that they name.
    pub(super) async fn read_controls(&self) -> store::Result<()> {
        loop {
            let unread = self.parts.store.snapshot().await?.unread_versions(VERSIONS).await?;
            if unread.is_empty() {
                return Ok(());
            }
            let mut unit = self.parts.store.begin().await?;
            for version in unread {
                let named = controls::named(&version.source);
                unit.put_version_controls(&version.workflow, &version.version, &named).await?;
            }
            unit.commit().await?;
        }
    }

    /// Indexes entries in at most `units` units of work; how many of those that have their places now are left.
    async fn index_entries(&self, units: usize) -> store::Result<i64> {
        let store = self.parts.store.as_ref();
        // A run has its version before it has an entry: so whatever an entry up to here is about has been read when it is
        // looked at.
        let size = store.snapshot().await?.audit_size().await?;
        self.read_controls().await?;
        for _ in 0..units {
            if left(store, size).await? == 0 {
                return Ok(0);
            }
            let mut unit = store.begin().await?;
            let before = unit.controls_indexed().await?;
            if before >= size {
                return Ok(0);
            }
            unit.index_controls(before, size.min(before + ENTRIES)).await?;
            unit.commit().await?;
        }
        left(store, size).await
    }
}

async fn left(store: &dyn Store, size: i64) -> store::Result<i64> {
    Ok((size - store.snapshot().await?.controls_indexed().await?).max(0))
}

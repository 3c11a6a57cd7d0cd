use std::sync::atomic::{AtomicU64, Ordering};

use domain::Ids;
use uuid::Uuid;

/// Ids 1, 2, 3 … in the form of UUIDs, so that tests read the same every time.
#[derive(Debug, Default)]
pub struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(0x0000_0000_0000_7000, 0x8000_0000_0000_0000 | (self.0.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

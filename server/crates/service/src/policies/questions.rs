//! What the policies were lately asked, each question once, so that it can be put to other policies.
//!
//! Most questions are about reading, which writes nothing. So they are kept in memory and written down together; a node that
//! dies loses what it was asked in its last seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{Operation, Timestamp};
use policy::{Principal, Resource};
use sha2::{Digest as _, Sha256};
use store::{Store, policy_sets::AskedQuestion};

/// Different questions that are kept until they are written down; more are not noted.
const IN_MEMORY: usize = 2_000;
/// Different questions that are kept in the database.
pub(super) const KEPT: u32 = 5_000;

/// Questions that were not written down yet: how often they were asked, and when last.
#[derive(Default)]
pub(crate) struct Questions(Mutex<HashMap<String, (i64, Timestamp)>>);

/// A question as it is written down.
pub(super) type Question = (Principal, Operation, Resource);

impl Questions {
    /// Notes that this was asked.
    pub(crate) fn note(&self, principal: &Principal, operation: Operation, resource: &Resource, now: Timestamp) {
        let Ok(question) = serde_json::to_string(&(principal, operation, resource)) else { return };
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = asked.len() >= IN_MEMORY;
        match asked.get_mut(&question) {
            Some((times, last)) => {
                *times += 1;
                *last = now.max(*last);
            }
            None if is_full => {}
            None => _ = asked.insert(question, (1, now)),
        }
    }

    /// Writes everything down, and forgets what is oldest of all.
    pub(crate) async fn write_down(&self, store: &dyn Store) -> store::Result<()> {
        let asked = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if asked.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<AskedQuestion> = asked
            .into_iter()
            .map(|(question, (times, asked_at))| AskedQuestion {
                digest: hex::encode(Sha256::digest(&question)),
                question,
                asked_at,
                times,
            })
            .collect();
        // In one order on all nodes, so that none waits for another in a circle.
        rows.sort_by(|one, other| one.digest.cmp(&other.digest));
        let mut unit = store.begin().await?;
        unit.note_questions(&rows).await?;
        unit.prune_questions(KEPT).await?;
        unit.commit().await
    }
}

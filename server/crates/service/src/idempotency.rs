//! Idempotency keys: the same request sent twice is done once and answered twice alike.
//!
//! A request reserves its key, and the unit of work that does what is asked writes so under the key. When the end of a unit
//! was not heard of, the key therefore knows whether it happened.

use std::{fmt, time::Duration};

use domain::{ErrorCode, Operation, Problem, RunId, UserId, view::RunSummary};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{StoreError, UnitOfWork, requests::Answered};

use crate::{
    Caller, Reservation, Service,
    problems::{OrProblem as _, from_store},
    views::{self, People},
};

/// The longest key, in bytes.
const KEY_LIMIT: usize = 255;
/// The largest answer that is kept.
const BODY_LIMIT: usize = 256 * 1024;
/// A request that has done nothing for so long was cut off with its server; if it was not, it does nothing any more.
const ABANDONED: Duration = Duration::from_mins(2);

/// What is known of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Remembered {
    /// Nothing: do it as a [`Caller`] with this reservation, and say the answer with [`Service::remember`].
    New(Reservation),
    /// It was done; this was the answer.
    Done {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
    /// It launched this run, and its answer was lost.
    Launched(Box<RunSummary>),
}

/// What was done under a key, as long as there is no answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) operation: Operation,
    /// On what.
    pub(crate) id: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// What makes two requests the same.
fn digest(method: &str, path: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [method.as_bytes(), path.as_bytes(), body] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

impl Service {
    /// Reserves a key for a request, or tells what became of the same request before.
    pub async fn recall(
        &self,
        caller: &Caller,
        key: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Remembered, Problem> {
        if key.is_empty() || key.len() > KEY_LIMIT || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::new(ErrorCode::BadRequest)
                .with_detail("an idempotency key has 1 to 255 visible ASCII characters"));
        }
        let answered = Answered {
            user_id: caller.user,
            key: key.to_owned(),
            request_digest: digest(method, path, body),
            status: 0,
            body: String::new(),
            created_at: self.now(),
        };
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let Some(earlier) = unit.answered(caller.user, key).await.or_problem()? else {
            return match unit.insert_answered(&answered).await {
                Ok(()) => {
                    unit.commit().await.or_problem()?;
                    Ok(Remembered::New(answered.reservation()))
                }
                Err(StoreError::Duplicate(_)) => Err(under_way()),
                Err(other) => Err(from_store(other)),
            };
        };
        if earlier.request_digest != answered.request_digest {
            return Err(Problem::new(ErrorCode::IdempotencyMismatch));
        }
        if earlier.status != 0 {
            let body = self.parts.vault.unseal(&place(caller.user, key), &earlier.body).map_err(|_| lost())?;
            return Ok(Remembered::Done { status: earlier.status, body: body.expose().to_owned() });
        }
        if !earlier.body.is_empty() {
            return done(unit.as_mut(), &earlier.body).await;
        }
        let abandoned = answered.created_at.since(earlier.created_at) > ABANDONED;
        if !abandoned || !unit.take_over_answered(&earlier.reservation(), answered.created_at).await.or_problem()? {
            return Err(under_way());
        }
        unit.commit().await.or_problem()?;
        Ok(Remembered::New(answered.reservation()))
    }

    /// Keeps the answer to the request that made the reservation. After a failure of the server the key is free again if
    /// nothing was done under it: whoever repeats the request has it done, or is told what came of it.
    pub async fn remember(&self, reservation: &Reservation, status: u16, body: &str) -> Result<(), Problem> {
        if body.len() > BODY_LIMIT {
            return Ok(());
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if status >= 500 {
            unit.release_answered(reservation).await.or_problem()?;
        } else {
            // An answer may hold what is told once, as a new token is.
            let sealed = self.parts.vault.seal(&place(reservation.user_id, &reservation.key), body);
            unit.finish_answered(reservation, status, &sealed).await.or_problem()?;
        }
        unit.commit().await.or_problem()
    }
}

/// What was done by a request whose answer was lost.
async fn done(unit: &mut dyn UnitOfWork, done: &str) -> Result<Remembered, Problem> {
    let done: Done = serde_json::from_str(done).map_err(|_| lost())?;
    if done.operation != Operation::RunLaunch {
        return Err(lost());
    }
    let id: RunId = done.id.parse().map_err(|_| lost())?;
    let run = unit.run(id).await.or_problem()?.ok_or_else(lost)?;
    let people = People::load(unit, [run.requester_id]).await.or_problem()?;
    Ok(Remembered::Launched(Box::new(views::run_summary(&run, &people))))
}

/// What an answer is sealed to.
fn place(user: UserId, key: &str) -> String {
    format!("answer:{user}:{key}")
}

fn lost() -> Problem {
    Problem::new(ErrorCode::Conflict)
        .with_detail("a request with this key was done, and its answer was lost: look at what came of it")
}

fn under_way() -> Problem {
    Problem::new(ErrorCode::Conflict).with_detail("a request with this key is under way; repeat it in a moment")
}

//! Idempotency keys: the same request sent twice is done once and answered twice alike.

use domain::{ErrorCode, Problem};
use sha2::{Digest, Sha256};
use store::{StoreError, requests::Answered};

use crate::{
    Caller, Service,
    problems::{OrProblem as _, from_store},
};

/// The longest key, in bytes.
const KEY_LIMIT: usize = 255;
/// The largest answer that is kept.
const BODY_LIMIT: usize = 256 * 1024;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing: do it, and say the answer with [`Service::remember`].
    New,
    /// It was done; this was the answer.
    Done {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
    },
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
        match unit.answered(caller.user, key).await.or_problem()? {
            None => match unit.insert_answered(&answered).await {
                Ok(()) => {
                    unit.commit().await.or_problem()?;
                    Ok(Remembered::New)
                }
                Err(StoreError::Duplicate(_)) => Err(under_way()),
                Err(other) => Err(from_store(other)),
            },
            Some(earlier) if earlier.request_digest != answered.request_digest => {
                Err(Problem::new(ErrorCode::IdempotencyMismatch))
            }
            Some(earlier) if earlier.status == 0 => Err(under_way()),
            Some(earlier) => Ok(Remembered::Done { status: earlier.status, body: earlier.body }),
        }
    }

    /// Keeps the answer to the request that reserved the key. A failure of the server is none: when the end of a
    /// transaction was not heard of it may have happened, so the key stays reserved, and whoever repeats the request is
    /// told to look. The same goes for an answer that is too large to be kept.
    pub async fn remember(&self, caller: &Caller, key: &str, status: u16, body: &str) -> Result<(), Problem> {
        if status >= 500 || body.len() > BODY_LIMIT {
            return Ok(());
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        unit.finish_answered(caller.user, key, status, body).await.or_problem()?;
        unit.commit().await.or_problem()
    }
}

fn under_way() -> Problem {
    Problem::new(ErrorCode::Conflict).with_detail(
        "a request with this key is under way, failed or was cut off: look whether it happened before you use another key",
    )
}

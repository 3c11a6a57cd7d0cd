//! Tokens that authorization servers have issued, kept until they expire.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use identity::Secret;
use sha2::{Digest as _, Sha256};

use super::TokenOrder;

/// A token that expires within this time is not used any more: the call may take that long to arrive.
const MARGIN: Duration = Duration::from_secs(10);
/// Tokens kept at once; when there are more, all are asked for again.
const LIMIT: usize = 1_000;

/// A token as it was issued.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) token: Secret,
    /// When it ends; one that does not say is used once.
    pub(super) expires_at: Option<Timestamp>,
    /// By which the next one can be had.
    pub(super) refresh: Option<Secret>,
}

/// Tokens by what they were asked for with.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<Key, Issued>>);

/// A digest of everything that a token was asked for with, so that no secret is kept beside the token.
type Key = [u8; 32];

impl Tokens {
    pub(super) fn valid(&self, order: &TokenOrder, now: Timestamp) -> Option<Secret> {
        let issued = self.last(order)?;
        issued.expires_at.is_some_and(|end| now + MARGIN < end).then_some(issued.token)
    }

    pub(super) fn last(&self, order: &TokenOrder) -> Option<Issued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key(order)).cloned()
    }

    pub(super) fn keep(&self, order: &TokenOrder, issued: Issued) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= LIMIT {
            tokens.clear();
        }
        tokens.insert(key(order), issued);
    }

    /// Forgets a token that a service refused, unless another has taken its place.
    pub(in crate::http) fn forget(&self, order: &TokenOrder, refused: &Secret) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = tokens.get_mut(&key(order))
            && issued.token.expose() == refused.expose()
        {
            issued.expires_at = None;
        }
    }
}

fn key(order: &TokenOrder) -> Key {
    Sha256::digest(serde_json::to_vec(order).unwrap_or_default()).into()
}

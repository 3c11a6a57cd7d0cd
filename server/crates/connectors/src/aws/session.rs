//! What requests are signed with: the connection's own keys, or those of a role that they may take.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::Timestamp;
use identity::Secret;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{settings::Settings, xml};
use crate::{Failure, FailureKind};

/// Keys are no longer used so long before they run out, so that they hold for as long as a request takes.
const MARGIN: Duration = Duration::from_mins(5);

/// Keys.
#[derive(Clone)]
pub(super) enum Keys {
    /// The connection's.
    Own,
    /// A role's, for a while.
    Lent { access_key: String, secret: Secret, token: Secret, until: Timestamp },
}

impl Keys {
    pub(super) fn are_lent(&self) -> bool {
        matches!(self, Self::Lent { .. })
    }

    /// Id, key and token.
    pub(super) fn parts<'a>(&'a self, settings: &'a Settings) -> (&'a str, &'a Secret, Option<&'a Secret>) {
        match self {
            Self::Own => (&settings.access_key, &settings.secret_key, settings.session_token.as_ref()),
            Self::Lent { access_key, secret, token, .. } => (access_key, secret, Some(token)),
        }
    }
}

/// What must not be shown, should the other side repeat it: the connection's secrets, and those of the keys in use.
pub(super) fn secrets<'a>(settings: &'a Settings, keys: &'a Keys) -> Vec<&'a str> {
    let (_, secret, token) = keys.parts(settings);
    let own = [Some(&settings.secret_key), settings.session_token.as_ref()];
    own.into_iter().chain([Some(secret), token]).flatten().map(Secret::expose).collect()
}

/// The keys of roles, for as long as they hold.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Keys>>);

impl Sessions {
    pub(super) fn kept(&self, settings: &Settings, now: Timestamp) -> Option<Keys> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, keys| matches!(keys, Keys::Lent { until, .. } if now + MARGIN < *until));
        kept.get(&fingerprint(settings)).cloned()
    }

    pub(super) fn keep(&self, settings: &Settings, keys: &Keys) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(fingerprint(settings), keys.clone());
    }

    pub(super) fn forget(&self, settings: &Settings) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&fingerprint(settings));
    }
}

/// What the keys of a role were asked for with: other settings have no use of them.
fn fingerprint(settings: &Settings) -> [u8; 32] {
    let mut digest = Sha256::new();
    let endpoint = settings.endpoint.as_ref().map(url::Url::as_str);
    for part in [
        Some(settings.access_key.as_str()),
        Some(settings.secret_key.expose()),
        settings.session_token.as_ref().map(Secret::expose),
        settings.role.as_deref(),
        settings.external_id.as_deref(),
        Some(settings.region.as_str()),
        endpoint,
        settings.tls.authority(),
        settings.tls.shown().map(|(certificate, _)| certificate),
    ] {
        let part = part.unwrap_or_default();
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// The keys in an answer to `AssumeRole`.
pub(super) fn read(content: &[u8]) -> Option<Keys> {
    let (_, result) = xml::read(content).ok()?;
    let text = |name: &str| Some(result.pointer("/Credentials")?.get(name).and_then(Value::as_str)?.to_owned());
    Some(Keys::Lent {
        access_key: text("AccessKeyId")?,
        secret: text("SecretAccessKey")?.into(),
        token: text("SessionToken")?.into(),
        until: text("Expiration")?.parse().ok()?,
    })
}

/// What failed before the call itself was made: it may be made again.
pub(super) fn before_the_call(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Lost | FailureKind::Unknown => Failure { kind: FailureKind::Retryable, ..failure },
        FailureKind::Retryable | FailureKind::Permanent => failure,
    }
}

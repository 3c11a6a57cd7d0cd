//! Hashing and checking passwords.

mod rule;

use std::{num::NonZeroUsize, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, Salt},
    },
};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use crate::{Secret, random::Random};

pub use rule::{MAXIMUM_LENGTH, MINIMUM_LENGTH, Person, violations};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// The first recommendation of the OWASP password storage cheat sheet: 19 MiB, two passes, one lane.
impl Default for Parameters {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

/// Why a password could not be hashed or checked; never that it is wrong.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The configured parameters are out of the range of argon2.
    #[error("the parameters of the password hash are not valid")]
    Parameters(#[source] argon2::Error),
    /// The hash function failed, which means that memory is short.
    #[error("the password cannot be hashed")]
    Hash(#[source] password_hash::Error),
    /// The server is being stopped.
    #[error("the hashing of passwords has been stopped")]
    Stopped,
}

/// The outcome of checking a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether it is the right one.
    pub matches: bool,
    /// A new hash to store in place of the old, when it is right and the old was made with other parameters.
    pub upgraded: Option<String>,
}

/// Hashes and checks passwords with argon2id, apart from the threads that serve requests.
///
/// A hash takes tens of milliseconds and 19 MiB, so only a bounded number runs at once; the others wait in order. A
/// flood of sign-ins therefore costs time, never memory. Clones share the bound.
#[derive(Clone)]
pub struct Passwords {
    random: Arc<dyn Random>,
    hasher: Argon2<'static>,
    permits: Arc<Semaphore>,
    /// Of no password, with the current parameters: what is checked where there is no person.
    dummy: Arc<str>,
}

impl Passwords {
    /// `concurrency` hashes run at once; the number of processors is a good value.
    pub fn new(
        random: Arc<dyn Random>,
        parameters: Parameters,
        concurrency: NonZeroUsize,
    ) -> Result<Self, PasswordError> {
        let Parameters { memory_kib, iterations, parallelism } = parameters;
        let params =
            Params::new(memory_kib, iterations, parallelism, Some(HASH_BYTES)).map_err(PasswordError::Parameters)?;
        let dummy = hash_of_nothing(&*random, &params).map_err(PasswordError::Hash)?;
        Ok(Self {
            random,
            hasher: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            permits: Arc::new(Semaphore::new(concurrency.get())),
            dummy: dummy.into(),
        })
    }

    /// The PHC string to store for a password. Whether the password is good enough is [`violations`]' question.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let mut salt = [0; SALT_BYTES];
        self.random.fill(&mut salt);
        let password = normalized(password);
        self.run(move |hasher| make_hash(hasher, &password, &salt)).await
    }

    /// Checks a password against the stored PHC string.
    ///
    /// With none (no such person, or one without a password) it takes as long and does not match.
    pub async fn verify(&self, stored: Option<&str>, password: &Secret) -> Result<Verified, PasswordError> {
        let mut salt = [0; SALT_BYTES];
        self.random.fill(&mut salt);
        let stored = stored.and_then(|text| {
            PasswordHash::new(text)
                .inspect_err(|error| tracing::error!(%error, "a stored password hash cannot be read; the person needs a new password"))
                .ok()
        });
        let known = stored.is_some();
        let candidate = match stored {
            Some(hash) => hash,
            None => PasswordHash::new(&self.dummy).map_err(|_| PasswordError::Hash(password_hash::Error::Internal))?,
        };
        let password = normalized(password);
        self.run(move |hasher| match hasher.verify_password(password.expose().as_bytes(), &candidate) {
            Ok(()) if known => {
                let upgraded =
                    is_outdated(hasher, &candidate).then(|| make_hash(hasher, &password, &salt)).transpose()?;
                Ok(Verified { matches: true, upgraded })
            }
            Ok(()) | Err(password_hash::Error::PasswordInvalid) => Ok(Verified { matches: false, upgraded: None }),
            Err(error) => Err(error),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> password_hash::Result<T> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| PasswordError::Stopped)?;
        let hasher = self.hasher.clone();
        let outcome = tokio::task::spawn_blocking(move || {
            // Held here and not by the request: work whose caller has gone away still counts.
            let _permit = permit;
            work(&hasher)
        });
        outcome.await.map_err(|_| PasswordError::Stopped)?.map_err(PasswordError::Hash)
    }
}

/// The same characters typed on another system may come composed otherwise (Hangul, accents).
fn normalized(password: &Secret) -> Secret {
    Secret::new(password.expose().nfc().collect())
}

fn make_hash(hasher: &Argon2<'_>, password: &Secret, salt: &[u8]) -> password_hash::Result<String> {
    hasher.hash_password_with_salt(password.expose().as_bytes(), salt).map(|hash| hash.to_string())
}

/// A hash that no password has but by a chance of 2^-256: its output is random.
fn hash_of_nothing(random: &dyn Random, params: &Params) -> password_hash::Result<String> {
    let (mut salt, mut output) = ([0; SALT_BYTES], [0; HASH_BYTES]);
    random.fill(&mut salt);
    random.fill(&mut output);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(&salt)?),
        hash: Some(Output::new(&output)?),
    };
    Ok(hash.to_string())
}

fn is_outdated(hasher: &Argon2<'_>, stored: &PasswordHash) -> bool {
    let current = hasher.params();
    let same = Params::try_from(stored).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost(), params.output_len())
            == (current.m_cost(), current.t_cost(), current.p_cost(), current.output_len())
    });
    !same || stored.algorithm != Algorithm::Argon2id.ident() || stored.version != Some(Version::V0x13.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::seeded::SeededRandom;

    const CHEAP: Parameters = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn passwords(parameters: Parameters) -> Passwords {
        let random = Arc::new(SeededRandom::new(7));
        Passwords::new(random, parameters, NonZeroUsize::new(2).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_matches_and_another_does_not() {
        let passwords = passwords(CHEAP);
        let stored = passwords.hash(&"correct horse battery".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        let right = passwords.verify(Some(&stored), &"correct horse battery".into()).await.unwrap();
        assert_eq!(right, Verified { matches: true, upgraded: None });
        let wrong = passwords.verify(Some(&stored), &"correct horse batterz".into()).await.unwrap();
        assert_eq!(wrong, Verified { matches: false, upgraded: None });
    }

    #[tokio::test]
    async fn a_password_matches_however_its_characters_are_composed() {
        let passwords = passwords(CHEAP);
        let stored = passwords.hash(&"비밀번호 é".into()).await.unwrap();
        let decomposed: String = "비밀번호 é".nfd().collect();
        assert!(passwords.verify(Some(&stored), &decomposed.into()).await.unwrap().matches);
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = passwords(CHEAP);
        assert_ne!(passwords.hash(&"same".into()).await.unwrap(), passwords.hash(&"same".into()).await.unwrap());
    }

    #[tokio::test]
    async fn without_a_hash_nothing_matches_at_the_same_cost() {
        let passwords = passwords(CHEAP);
        for text in ["", "anything"] {
            let verified = passwords.verify(None, &text.into()).await.unwrap();
            assert_eq!(verified, Verified { matches: false, upgraded: None });
        }
        let dummy = PasswordHash::new(&passwords.dummy).unwrap();
        assert!(!is_outdated(&passwords.hasher, &dummy), "the same parameters, hence the same work");
    }

    #[tokio::test]
    async fn a_hash_with_other_parameters_is_upgraded_by_the_right_password_only() {
        let stored = passwords(CHEAP).hash(&"correct horse battery".into()).await.unwrap();
        let current = passwords(Parameters { iterations: 2, ..CHEAP });
        assert_eq!(current.verify(Some(&stored), &"wrong".into()).await.unwrap().upgraded, None);
        let upgraded = current.verify(Some(&stored), &"correct horse battery".into()).await.unwrap().upgraded.unwrap();
        assert!(upgraded.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{upgraded}");
        let again = current.verify(Some(&upgraded), &"correct horse battery".into()).await.unwrap();
        assert_eq!(again, Verified { matches: true, upgraded: None });
    }

    #[tokio::test]
    async fn an_unreadable_hash_matches_nothing() {
        let verified = passwords(CHEAP).verify(Some("plain text"), &"plain text".into()).await.unwrap();
        assert!(!verified.matches);
    }

    #[tokio::test]
    async fn more_callers_than_permits_all_get_their_answer() {
        let passwords = passwords(CHEAP);
        let stored = passwords.hash(&"correct horse battery".into()).await.unwrap();
        let attempts: Vec<_> = (0..20)
            .map(|_| {
                let (passwords, stored) = (passwords.clone(), stored.clone());
                tokio::spawn(async move { passwords.verify(Some(&stored), &"correct horse battery".into()).await })
            })
            .collect();
        for attempt in attempts {
            assert!(attempt.await.unwrap().unwrap().matches);
        }
        assert_eq!(passwords.permits.available_permits(), 2);
    }

    #[test]
    fn impossible_parameters_are_refused() {
        let parameters = Parameters { memory_kib: 1, ..CHEAP };
        let made = Passwords::new(Arc::new(SeededRandom::new(7)), parameters, NonZeroUsize::MIN);
        assert!(matches!(made, Err(PasswordError::Parameters(_))));
    }
}

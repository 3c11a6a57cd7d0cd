//! The source of random bytes, a parameter wherever a secret is made.

/// A cryptographically secure source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// The real source: a `ChaCha` generator per thread, seeded and reseeded by the operating system.
///
/// A machine whose operating system gives no randomness at all stops the thread: there is no weaker fallback.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buffer: &mut [u8]) {
        rand::RngCore::fill_bytes(&mut rand::rng(), buffer);
    }
}

/// A repeatable source for tests.
#[cfg(test)]
pub(crate) mod seeded {
    use std::sync::Mutex;

    use rand::{RngCore, SeedableRng, rngs::StdRng};

    use super::Random;

    pub(crate) struct SeededRandom(Mutex<StdRng>);

    impl SeededRandom {
        pub(crate) fn new(seed: u64) -> Self {
            Self(Mutex::new(StdRng::seed_from_u64(seed)))
        }
    }

    impl Random for SeededRandom {
        fn fill(&self, buffer: &mut [u8]) {
            self.0.lock().unwrap().fill_bytes(buffer);
        }
    }
}

//! How much of something may be had at once, and in what time.

use std::time::Duration;

/// Limits of runs, or of calls. What is not set has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many at once; at least 1.
    pub concurrency: Option<u32>,
    /// How many may begin in what time.
    pub rate: Option<Rate>,
}

/// How many may begin in what time: in every span of that length, wherever it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least 1.
    pub count: u32,
    /// In what time.
    pub per: Duration,
}

impl Limits {
    /// Whether nothing is limited.
    #[must_use]
    pub const fn are_none(&self) -> bool {
        self.concurrency.is_none() && self.rate.is_none()
    }
}

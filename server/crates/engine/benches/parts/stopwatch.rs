//! Taking times, and putting them into one figure.

use std::time::{Duration, Instant};

/// What a bench can fail with.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[expect(clippy::disallowed_methods, reason = "this is what measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn milliseconds(duration: &Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
pub(crate) fn as_f64(count: usize) -> f64 {
    count as f64
}

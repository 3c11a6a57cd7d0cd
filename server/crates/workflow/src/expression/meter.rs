//! Bounds on what one evaluation may use, and the way out when they are exceeded.
//!
//! jaq evaluates lazily and has no hook of its own, but it cannot do anything without copying, making or comparing
//! values. Our value type counts those here. When a bound is reached the evaluation is left by unwinding (without the
//! panic hook), because an ordinary jq error could be caught by `try` and the loop would go on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The most elementary steps of one evaluation (some tens of milliseconds in a release build).
pub const MAX_STEPS: u64 = 500_000;
/// The most bytes that one evaluation may build, all together.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The deepest nesting of a value that an expression may build.
pub const MAX_VALUE_DEPTH: u32 = 64;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(u64::MAX) };
    static BYTES: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Which bound was exceeded; the payload of the unwinding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Steps,
    Bytes,
    Depth,
    /// A defect of the evaluator: it panicked.
    Defect,
}

/// Counts `steps`; does not return when there are none left.
pub(super) fn step(steps: u64) {
    STEPS.with(|left| match left.get().checked_sub(steps) {
        Some(rest) => left.set(rest),
        None => resume_unwind(Box::new(Exceeded::Steps)),
    });
}

/// Counts `bytes` that are about to be built; does not return when there are none left.
pub(super) fn allocate(bytes: usize) {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    BYTES.with(|left| match left.get().checked_sub(bytes) {
        Some(rest) => left.set(rest),
        None => resume_unwind(Box::new(Exceeded::Bytes)),
    });
    step(bytes / 256);
}

/// Checks the depth of a value that is about to be built.
pub(super) fn depth(depth: u32) -> u32 {
    if depth > MAX_VALUE_DEPTH {
        resume_unwind(Box::new(Exceeded::Depth));
    }
    depth
}

/// Runs `evaluation` within the bounds.
pub(super) fn bounded<T>(evaluation: impl FnOnce() -> T) -> Result<T, Exceeded> {
    STEPS.with(|left| left.set(MAX_STEPS));
    BYTES.with(|left| left.set(MAX_BYTES));
    // Nothing that outlives the closure is changed inside it, so no broken invariant can be seen afterwards.
    let result = catch_unwind(AssertUnwindSafe(evaluation));
    STEPS.with(|left| left.set(u64::MAX));
    BYTES.with(|left| left.set(u64::MAX));
    result.map_err(|payload| payload.downcast::<Exceeded>().map_or(Exceeded::Defect, |exceeded| *exceeded))
}

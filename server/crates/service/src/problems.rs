//! From errors of the layers below to the one [`Problem`] that callers see.

use domain::{ErrorCode, Problem};
use store::StoreError;
use tracing::{error, warn};

/// What a failure of the store means for the caller. Logged here, once, with what the caller must not see.
pub(crate) fn from_store(cause: StoreError) -> Problem {
    match cause {
        StoreError::Conflict | StoreError::Heard => Problem::new(ErrorCode::Conflict),
        StoreError::Duplicate(what) => {
            Problem::new(ErrorCode::Conflict).with_detail(format!("something with this {what} exists already"))
        }
        StoreError::Reference(_) => Problem::new(ErrorCode::Conflict).with_detail("something else still refers to it"),
        StoreError::NulCharacter => {
            Problem::new(ErrorCode::BadRequest).with_detail("the text holds a NUL character, which cannot be kept")
        }
        StoreError::Unavailable(_) => {
            warn!(error = &cause as &dyn std::error::Error, "the database is not available");
            Problem::new(ErrorCode::Unavailable).with_detail("the database does not answer; try again in a moment")
        }
        StoreError::ReadOnly | StoreError::Schema(_) | StoreError::Inconsistent(_) | StoreError::Driver(_) => {
            error!(error = &cause as &dyn std::error::Error, "the database failed");
            Problem::new(ErrorCode::Internal)
        }
    }
}

/// Not found, or not for this caller to know of.
pub(crate) fn not_found() -> Problem {
    Problem::new(ErrorCode::NotFound)
}

/// A failure that nobody prepared for. Logged here, once.
pub(crate) fn internal(what: &'static str, cause: &(dyn std::error::Error + 'static)) -> Problem {
    error!(error = cause, what, "an operation failed");
    Problem::new(ErrorCode::Internal)
}

/// `?` on the store's results.
pub(crate) trait OrProblem<T> {
    /// The value, or the problem that callers see.
    fn or_problem(self) -> Result<T, Problem>;
}

impl<T> OrProblem<T> for Result<T, StoreError> {
    fn or_problem(self) -> Result<T, Problem> {
        self.map_err(from_store)
    }
}

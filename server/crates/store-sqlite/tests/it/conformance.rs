//! The suite of `store-testkit` on SQLite.

use crate::support::fresh;

store_testkit::conformance_tests!(fresh);

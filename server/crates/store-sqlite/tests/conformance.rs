//! The suite of `store-testkit` on SQLite.

mod support;

use support::fresh;

store_testkit::conformance_tests!(fresh);

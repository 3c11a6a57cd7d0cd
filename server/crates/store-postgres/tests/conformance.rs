//! The suite of `store-testkit` on PostgreSQL.

mod support;

use support::fresh;

store_testkit::conformance_tests!(fresh);

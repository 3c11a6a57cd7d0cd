//! The suite of `store-testkit` on PostgreSQL.

use crate::support::fresh;

store_testkit::conformance_tests!(fresh);

//! Couriers on real databases, and the ways to receivers against receivers of our own. Real receivers are in the tests of
//! the server, which is killed there.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: what fails here is the test's failure")]

mod couriers;
mod log;
mod postgres;
mod scripted;
mod ways;
mod witnesses;

//! The pages, one module per route or area.

pub mod account;
pub mod admin;
pub mod approvals;
pub mod audit;
pub mod catalogue;
pub mod definitions;
mod delegations;
pub mod home;
pub mod link;
pub mod not_found;
pub mod notifications;
pub mod policies;
pub mod runs;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub mod styleguide;
pub mod triggers;
pub mod value;

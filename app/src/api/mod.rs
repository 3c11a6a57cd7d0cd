//! The server functions: doors to `service`, one file per area, three lines each. Addresses are fixed under `/ui/`.
//!
//! ```ignore
//! #[server(protocol = Door, prefix = "/ui", endpoint = "home")]
//! pub async fn home() -> Result<HomeView, AppError> {
//!     let (service, caller) = scope()?;
//!     Ok(service.home(&caller).await?)
//! }
//! ```

#![cfg_attr(
    feature = "ssr",
    expect(clippy::unused_async, reason = "a server function is async, whether it waits or not")
)]
#![expect(clippy::too_many_arguments, reason = "the fields of a form are the arguments of its server function")]
#![expect(
    missing_docs,
    reason = "`#[server]` makes a public struct of the arguments, whose fields cannot be documented"
)]

pub mod account;
pub mod admin;
pub mod approvals;
pub mod audit;
pub mod audit_questions;
pub mod audit_retention;
pub mod calendars;
pub mod catalogue;
pub mod controls;
pub mod definition_files;
pub mod definitions;
pub mod delegations;
pub mod home;
pub mod palette;
pub mod policies;
pub mod repositories;
pub mod runners;
pub mod runs;
pub mod sign_in;
pub mod triggers;
pub mod value;

#[cfg(feature = "ssr")]
mod server_side;
#[cfg(feature = "ssr")]
mod subjects;
#[cfg(feature = "ssr")]
pub use server_side::*;

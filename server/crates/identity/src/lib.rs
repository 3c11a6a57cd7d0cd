//! People's passwords, sessions, tokens, and the secrets of connections: the primitives, without rules of who may what.
//!
//! Authorization and audit are in `service`; the rows are in `store`. Time, ids and randomness are parameters.
//!
//! # How to
//! - **Sign somebody in**:
//!   1. in a unit of work of its own, [`throttle::attempt`] with the typed name and the address, and the person's row;
//!      refuse when it says how long to wait; commit;
//!   2. [`passwords::Passwords::verify`] with the stored hash, or with `None` when there is no such person or a disabled
//!      one, which takes as long; no transaction is open meanwhile;
//!   3. when it matches, in a second unit [`throttle::clear`], store [`passwords::Verified::upgraded`] if there is one,
//!      commit; then [`sessions::sign_in`], which gives the browser a new cookie. When it does not: nothing, the attempt
//!      is counted already.
//! - **Know who asks**: [`sessions::current`] for a browser; [`tokens::hash`] of the bearer token and
//!   `store::credentials::Credentials::token_by_hash` for a program.
//! - **Make an API token or a one-time link**: [`tokens::generate`]; show the text once, store the hash.
//! - **Keep a secret in the database**: [`vault::Vault::seal`] with a context that names its place.
//! - **Let a secret travel through a workflow**: [`vault::Vault::seal_value`]; the engine calls
//!   [`vault::Vault::unseal_within`] while it builds a call; everything that is shown goes through [`vault::redact`].

pub mod passwords;
pub mod random;
mod secret;
pub mod sessions;
pub mod throttle;
pub mod tokens;
pub mod vault;

pub use secret::Secret;

//! People's passwords, sessions, tokens, and the secrets of connections: the primitives, without rules of who may what.
//!
//! Authorization and audit are in `service`; the rows are in `store`. Time, ids and randomness are parameters.
//!
//! # How to
//! - **Sign somebody in** (all in one unit of work but the hashing, which is slow and holds no transaction):
//!   1. [`throttle::check`] with the subjects of the typed name and the address; refuse when it says how long to wait;
//!   2. [`passwords::Passwords::verify`] with the stored hash, or with `None` when there is no such person, which
//!      takes as long;
//!   3. on failure [`throttle::record_failure`]; on success [`throttle::clear`], store [`passwords::Verified::upgraded`]
//!      when there is one, and [`sessions::sign_in`], which gives the browser a new cookie.
//! - **Know who asks**: [`sessions::current`] for a browser; [`tokens::hash`] of the bearer token and
//!   `store::credentials::Credentials::token_by_hash` for a program.
//! - **Make an API token or a one-time link**: [`tokens::generate`]; show the text once, store the hash.
//! - **Keep a secret in the database**: [`vault::Vault::seal`] with a context that names its place.
//! - **Let a secret travel through a workflow**: [`vault::Vault::seal_value`]; the engine calls
//!   [`vault::Vault::unseal_within`] while it builds a call; everything that is shown goes through [`vault::redact`].

pub mod random;
mod secret;
pub mod vault;

pub use secret::Secret;

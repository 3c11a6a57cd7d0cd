//! Who calls, through which door.

use domain::{SessionId, Timestamp, TokenId, UserId};
use policy::Principal;

pub use audit::Door;
pub use store::requests::Reservation;

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// Sign-in name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// What policies know of them: id, activity, grants.
    pub principal: Principal,
    /// By which browser session.
    pub session: Option<SessionId>,
    /// By which API token.
    pub token: Option<TokenId>,
    /// Where the call came from.
    pub origin: Origin,
    /// The idempotency key under which it came. What is done is done under it, in the same unit of work.
    pub reservation: Option<Reservation>,
    /// When they last gave their password again, in this session or with this call.
    pub confirmed_at: Option<Timestamp>,
}

/// Where a call came from, signed in or not.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Through which door.
    pub door: Door,
    /// The address, as the configured proxies and the socket say.
    pub address: String,
    /// What the client calls itself.
    pub user_agent: String,
    /// The id under which the server's log has this call.
    pub trace_id: String,
}

/// The caller of a page or server function, if anybody is signed in. Provided as context by `server`.
#[derive(Clone, Debug)]
pub struct MaybeCaller(pub Option<Caller>);

//! What tests stand on: a clock that is set by hand, ids in order, a seeded source of random bytes, a
//! connector that follows a script, one that has messages, one that counts what is under way, and a client of NATS.
//!
//! Nothing here is used in production; the real ones live in `server`.

mod broker;
mod clock;
mod gated;
mod ids;
mod nats;
mod random;
mod scripted;

pub use broker::Broker;
pub use clock::{ManualClock, WallClock};
pub use gated::Gated;
pub use ids::CountedIds;
pub use nats::{Heard, NatsConsole};
pub use random::{SeededRandom, seed};
pub use scripted::Scripted;

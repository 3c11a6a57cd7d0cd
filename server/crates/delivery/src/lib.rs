//! The audit log on its way to other systems: each entry and each checkpoint at least once, in order.
//!
//! A [`Courier`] brings the log to one [`Receiver`]. It takes what comes after the receiver's cursor, writes it in the
//! receiver's [`Format`], hands it to a [`Sink`], and moves the cursor once the receiver has confirmed. The cursor is in
//! the database, so neither a restart nor another node begins anew; a lease beside it lets one node at a time deliver.
//! Nothing is kept in memory but what is under way, so a receiver that is away costs nothing.
//!
//! # How to use it
//! ```ignore
//! let sink = delivery::open(&receiver, "rondo.example.com", Arc::clone(&clock))?;
//! let courier = Courier::new(store, clock, node, receiver, sink);
//! tasks.spawn(courier.run(stop));
//! ```
//!
//! A [`Petitioner`] asks one [`Witness`] to cosign each new checkpoint, and keeps what it has cosigned. It works beside the
//! couriers: nothing waits for it.
//!
//! # How to
//! - **Add a format**: a module in `format/`, a variant of [`Format`], a section in `docs/receivers.md`.
//! - **Add a kind of receiver**: a module in `sink/`, a variant of [`Way`], its keys in the server's configuration. A sink
//!   says that it has delivered only when the receiver has what it was given, as well as its protocol can tell.

mod courier;
mod format;
mod parcel;
mod petitioner;
mod receiver;
mod sink;
mod witness;

pub use courier::{Courier, Step, describe_metrics};
pub use format::Format;
pub use parcel::Parcel;
pub use petitioner::Petitioner;
pub use receiver::{Lock, Locking, Objects, Pace, Receiver, Start, Takes, Trust, Way};
pub use sink::{Sink, Undelivered, open};
pub use witness::Witness;

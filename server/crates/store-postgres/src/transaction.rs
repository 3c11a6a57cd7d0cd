//! Every unit has a connection of its own; what is written at the same time, the server makes durable together.

use crate::pooled::Pooled;

pub(crate) type Transaction = Pooled;

/// A transaction on a connection of its own.
pub(crate) fn own(pooled: Pooled) -> Transaction {
    pooled
}

//! Every unit has a connection of its own; what is written at the same time, the server makes durable together.

pub(crate) type Transaction = crate::pooled::Pooled;

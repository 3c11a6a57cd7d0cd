use serde::{Deserialize, Serialize};

/// What came of publishing events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishedEvents {
    /// Events that are new, and on their way to whoever listens.
    pub accepted: u32,
    /// Events of which one with the same source and id was there already; they go nowhere.
    pub duplicates: u32,
}

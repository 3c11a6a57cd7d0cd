//! Limits of what is executed at once and in what time, across all nodes: who has a place, who waits for one, and what has
//! begun. What is limited has a name, its *scope*; what the names mean is the engine's.

use async_trait::async_trait;
use domain::{Name, RunId, Timestamp, UserId, WaitsFor};

use crate::{Result, runs::Lease};

/// A row of `namespace_limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceLimits {
    /// The namespace.
    pub namespace: Name,
    /// Runs that are executed at once; none: as many as come.
    pub runs: Option<u32>,
    /// Calls that are made at once; none: as many as come.
    pub calls: Option<u32>,
    /// Who said so last.
    pub changed_by: UserId,
    /// When.
    pub changed_at: Timestamp,
}

/// Who has a place, or waits for one: a run, or a call of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claimant {
    /// The run.
    pub run: RunId,
    /// Its call; none: the run itself.
    pub call: Option<u32>,
}

/// A row of `places`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of what.
    pub scope: String,
    /// Whose.
    pub claimant: Claimant,
    /// The epoch of the lease under which it was taken.
    pub epoch: i64,
    /// Since when its owner wants it: those who wait are served in this order.
    pub since: Timestamp,
    /// Whether its owner still waits for it.
    pub waits: bool,
    /// When it was taken last; none: never.
    pub taken_at: Option<Timestamp>,
}

/// Limits.
///
/// A place of a run is good until the run has ended, that of a call for as long as the lease lives under which it was taken.
/// Somebody waits while the run says so (`waits_for`) or a node is at it. Rows beyond that are not counted.
#[async_trait]
pub trait Limits: Send {
    /// What is limited in a namespace.
    async fn namespace_limits(&mut self, namespace: &Name) -> Result<Option<NamespaceLimits>>;
    /// All, by namespace.
    async fn list_namespace_limits(&mut self) -> Result<Vec<NamespaceLimits>>;
    /// Inserts or replaces.
    async fn put_namespace_limits(&mut self, limits: &NamespaceLimits) -> Result<()>;
    /// Removes; false when there were none.
    async fn delete_namespace_limits(&mut self, namespace: &Name) -> Result<bool>;

    /// Until the end of the unit nobody else decides about places of this scope. Nothing where there is one writer at a time
    /// anyway.
    async fn lock_scope(&mut self, scope: &str) -> Result<()>;
    /// What a claimant has and waits for.
    async fn places_of(&mut self, claimant: Claimant) -> Result<Vec<Place>>;
    /// How many places of a scope are taken and good.
    async fn count_taken(&mut self, scope: &str, now: Timestamp) -> Result<u32>;
    /// How many wait in a scope before this one.
    async fn count_waiting(&mut self, scope: &str, since: Timestamp, before: Claimant, now: Timestamp) -> Result<u32>;
    /// Who is served next.
    async fn first_waiting(&mut self, scope: &str, now: Timestamp) -> Result<Option<Place>>;
    /// Adds one; [`crate::StoreError::Duplicate`] when the claimant is there already.
    async fn insert_place(&mut self, place: &Place) -> Result<()>;
    /// Removes all of a claimant, or those of one epoch; of which scopes.
    async fn delete_places(&mut self, claimant: Claimant, epoch: Option<i64>) -> Result<Vec<String>>;
    /// Removes what a claimant waits for, not what it has; of which scopes.
    async fn delete_waiting(&mut self, claimant: Claimant) -> Result<Vec<String>>;
    /// When the `nth` of the latest begun of a scope has begun; none when there are fewer.
    async fn nth_latest_start(&mut self, scope: &str, nth: u32) -> Result<Option<Timestamp>>;
    /// Remembers that somebody has begun.
    async fn insert_start(&mut self, scope: &str, claimant: Claimant, at: Timestamp) -> Result<()>;
    /// Forgets who began before, and the places of runs that have ended.
    async fn prune_places(&mut self, began_before: Timestamp) -> Result<()>;

    /// Gives up the lease of a run that cannot begin: it has nothing to do until `until`, or until something comes in, or until
    /// it is roused. [`crate::StoreError::Conflict`] when the lease was lost.
    async fn hold_run(&mut self, lease: &Lease, waits_for: WaitsFor, until: Timestamp) -> Result<()>;
    /// Makes a run claimable that is held, and nothing else.
    async fn rouse_run(&mut self, run: RunId, at: Timestamp) -> Result<()>;
    /// Whether a lease is still the run's.
    async fn lease_is_held(&mut self, lease: &Lease) -> Result<bool>;
}

//! The real time and the real ids: the only places that ask the machine for them.

use domain::{Clock, Ids, Timestamp};
use identity::random::{OsRandom, Random as _};
use uuid::Uuid;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the source of time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// UUIDs of version 7: they sort by age to the millisecond, which keeps indexes dense.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemIds;

impl Ids for SystemIds {
    fn next(&self) -> Uuid {
        let millis = u64::try_from(SystemClock.now().as_micros() / 1_000).unwrap_or_default();
        let mut random = [0; 10];
        OsRandom.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

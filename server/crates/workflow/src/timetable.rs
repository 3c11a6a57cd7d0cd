//! When runs begin by themselves: times of cron patterns and of fixed distances, and what becomes of those that have
//! passed. The present is a parameter, and the rules of time zones are those that the program was built with, so that all
//! nodes compute the same.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use croner::Cron;
use croner::errors::CronError;
use domain::{MissedRuns, Timestamp, Trigger};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::Schedule;

/// The most runs that one look at the time launches for times that were missed ([`MissedRuns::All`]).
pub const CATCH_UP: usize = 100;
/// A time is missed when no run was launched for it for so long.
const LATE: Duration = Duration::from_mins(1);
/// The least distance between two times.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);

fn zones() -> &'static TimeZoneDatabase {
    static ZONES: OnceLock<TimeZoneDatabase> = OnceLock::new();
    ZONES.get_or_init(TimeZoneDatabase::bundled)
}

/// An IANA time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The zone of this name (`Europe/Berlin`), if there is one.
    pub fn named(name: &str) -> Option<Self> {
        zones().get(name).ok().map(Self)
    }

    /// The names of all zones.
    pub(crate) fn names() -> Vec<String> {
        zones().available().map(|name| name.to_string()).collect()
    }

    /// What its clocks show at a moment.
    pub fn local(&self, at: Timestamp) -> Option<DateTime> {
        Some(self.0.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).ok()?))
    }

    /// The one moment of a local time: the first, where the clock goes back and shows it twice; the end of the gap, where
    /// the clock goes forward and never shows it.
    pub fn moment(&self, local: DateTime) -> Option<Timestamp> {
        let moment = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(local).ok()?
            }
            AmbiguousOffset::Gap { before, .. } => {
                let within = before.to_timestamp(local).ok()?.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
                self.0.preceding(within).next()?.timestamp()
            }
        };
        Some(Timestamp::from_micros(moment.as_microsecond()))
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// The times of a cron pattern by the clocks of a time zone.
#[derive(Debug)]
pub struct CronTimes {
    pattern: Cron,
    zone: Zone,
}

impl CronTimes {
    /// Reads a pattern of five fields, or six with seconds. One that no time fits is refused, too.
    pub(crate) fn parse(pattern: &str, zone: Zone) -> Result<Self, CronError> {
        let pattern: Cron = pattern.parse()?;
        let times = Self { pattern, zone };
        let start = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);
        times.pattern.find_next_occurrence(&as_if_utc(start)?, true)?;
        Ok(times)
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// The first time after `after`; none when the pattern has no more.
    ///
    /// Every local time that fits has one moment: where clocks go back, the first of the two; where they go forward over
    /// it, the moment when they do.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        // The pattern is followed along the clock's face, where no hour is missing or doubled.
        let mut face = as_if_utc(self.zone.local(after)?).ok()?;
        loop {
            face = self.pattern.find_next_occurrence(&face, false).ok()?;
            let moment = self.zone.moment(face.datetime())?;
            // In an hour that is repeated, the face shows times whose moment has passed.
            if moment > after {
                return Some(moment);
            }
        }
    }
}

fn as_if_utc(local: DateTime) -> Result<jiff::Zoned, CronError> {
    local.to_zoned(TimeZone::UTC).map_err(|_| CronError::InvalidTime)
}

/// What is to be done about a time that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The times for which a run is launched now, oldest first.
    pub launches: Vec<Timestamp>,
    /// The first of the times that are passed over, if there are any. The last is before the next one.
    pub skipped: Option<Timestamp>,
    /// The next time; none when there is no more.
    pub next: Option<Timestamp>,
}

impl Schedule {
    /// What makes runs begin.
    pub fn triggers(&self) -> Vec<Trigger> {
        let declared = [
            (Trigger::Cron, self.cron.is_some()),
            (Trigger::Every, self.every.is_some()),
            (Trigger::After, self.after.is_some()),
            (Trigger::On, self.on.is_some()),
        ];
        declared.into_iter().filter_map(|(trigger, is_declared)| is_declared.then_some(trigger)).collect()
    }

    /// When a schedule that holds from `anchor` on is due for the first time. `after` is so at once, as there is no run
    /// before; what waits for events is not.
    pub fn first(&self, trigger: Trigger, anchor: Timestamp) -> Option<Timestamp> {
        match trigger {
            Trigger::Cron | Trigger::Every => self.next(trigger, anchor, anchor),
            Trigger::After => Some(anchor),
            Trigger::On => None,
        }
    }

    /// The first time after `after`: of the pattern, or at a whole number of distances from the anchor, so that delays
    /// never add up. Only `cron` and `every` have times.
    pub fn next(&self, trigger: Trigger, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match trigger {
            Trigger::Cron => self.cron.as_ref()?.next(after),
            Trigger::Every => {
                let every = i128::try_from(self.every?.as_micros()).ok().filter(|every| *every > 0)?;
                let anchor = i128::from(anchor.as_micros());
                let passed = (i128::from(after.as_micros()) - anchor).max(0) / every;
                i64::try_from(anchor + (passed + 1) * every).ok().map(Timestamp::from_micros)
            }
            Trigger::After | Trigger::On => None,
        }
    }

    /// What is to be done at `now` about a time that was due at `due`, and about those since.
    ///
    /// With [`MissedRuns::All`] each has a run, the oldest [`CATCH_UP`] of them. With [`MissedRuns::Once`] one run stands
    /// for all. With [`MissedRuns::Skip`] those that are more than a minute old are passed over.
    pub fn tick(&self, trigger: Trigger, anchor: Timestamp, due: Timestamp, now: Timestamp) -> Tick {
        let next = |after| self.next(trigger, anchor, after);
        let mut tick = Tick { launches: vec![due], skipped: None, next: next(now.max(due)) };
        match self.missed {
            MissedRuns::Once => {}
            MissedRuns::Skip => {
                let in_time = now - LATE;
                if due < in_time {
                    let latest = next(in_time - Duration::from_micros(1)).filter(|time| *time <= now);
                    tick.launches = latest.into_iter().collect();
                    tick.skipped = Some(due);
                }
            }
            MissedRuns::All => {
                let mut time = next(due);
                while let Some(passed) = time.filter(|time| *time <= now) {
                    if tick.launches.len() == CATCH_UP {
                        tick.skipped = Some(passed);
                        break;
                    }
                    tick.launches.push(passed);
                    time = next(passed);
                }
            }
        }
        tick
    }
}

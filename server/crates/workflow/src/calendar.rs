//! Working time: the hours of a week in a time zone, without holidays. Pure, like [`crate::timetable`]: the present is a
//! parameter, and the rules of time zones are those that the program was built with.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;

use domain::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

use crate::timetable::Zone;

/// How far a calendar is followed: who has no working time in ten years has none.
const HORIZON: i32 = 3_660;
/// The most spans of one day.
const SPANS: usize = 8;
/// The most holidays.
const HOLIDAYS: usize = 2_000;

/// The names of weekdays, as calendars have them.
pub const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A calendar as it is written down and stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalendarText {
    /// The IANA time zone (`Asia/Seoul`).
    pub time_zone: String,
    /// For each weekday (`monday` …) with working time, its spans (`09:00-12:30`), in order. `24:00` is the end of a day.
    pub hours: BTreeMap<String, Vec<String>>,
    /// Days without working time (`2026-12-25`).
    #[serde(default)]
    pub holidays: Vec<String>,
}

/// What is wrong with a calendar: the member as a JSON pointer, and the sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarFault {
    /// `/timeZone`, `/hours/monday`, `/holidays`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// A span of a day's clock, in minutes since its beginning; its end may be that of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    from: u16,
    until: u16,
}

/// A calendar that can be reckoned with. It has working time in some week.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Zone,
    /// From Monday on.
    week: [Vec<Span>; 7],
    holidays: BTreeSet<Date>,
}

impl FromStr for Span {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let minute = |text: &str| {
            let (hour, minute) = text.trim().split_once(':').ok_or(())?;
            let (hour, minute): (u16, u16) = (hour.parse().map_err(|_| ())?, minute.parse().map_err(|_| ())?);
            let total = hour.checked_mul(60).and_then(|hours| hours.checked_add(minute)).ok_or(())?;
            if minute < 60 && total <= 24 * 60 { Ok(total) } else { Err(()) }
        };
        let (from, until) = text.split_once('-').ok_or(())?;
        let span = Self { from: minute(from)?, until: minute(until)? };
        if span.from < span.until { Ok(span) } else { Err(()) }
    }
}

impl Span {
    /// Its beginning and end on a day, by the clock's face.
    fn on(self, date: Date) -> Option<(DateTime, DateTime)> {
        let at = |minutes: u16| {
            let (hour, minute) = (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
            match hour {
                24 => Some(date.tomorrow().ok()?.to_datetime(Time::midnight())),
                _ => Some(date.at(hour, minute, 0, 0)),
            }
        };
        Some((at(self.from)?, at(self.until)?))
    }
}

impl Calendar {
    /// Reads a calendar; or says all that is wrong with it.
    pub fn read(text: &CalendarText) -> Result<Self, Vec<CalendarFault>> {
        let mut faults = Vec::new();
        let mut fault = |pointer: String, message: &str| {
            faults.push(CalendarFault { pointer, message: message.to_owned() });
        };
        let zone = Zone::named(&text.time_zone);
        if zone.is_none() {
            fault("/timeZone".to_owned(), "there is no time zone of this name");
        }
        let mut week: [Vec<Span>; 7] = Default::default();
        for (day, spans) in &text.hours {
            let pointer = format!("/hours/{day}");
            let place = WEEKDAYS.iter().position(|name| name == day).and_then(|place| week.get_mut(place));
            let Some(place) = place else {
                fault(pointer, "days are monday to sunday");
                continue;
            };
            let read: Result<Vec<Span>, ()> = spans.iter().map(|span| span.parse()).collect();
            match read {
                Err(()) => fault(pointer, "hours are written as 09:00-12:30, from 00:00 to 24:00"),
                Ok(read) if read.len() > SPANS => fault(pointer, "a day has eight spans of hours at most"),
                Ok(read)
                    if read.windows(2).any(|two| two.first().map(|one| one.until) > two.last().map(|one| one.from)) =>
                {
                    fault(pointer, "the spans of a day follow each other");
                }
                Ok(read) => *place = read,
            }
        }
        let holidays: Result<BTreeSet<Date>, _> = text.holidays.iter().map(|day| day.trim().parse::<Date>()).collect();
        match &holidays {
            Err(_) => fault("/holidays".to_owned(), "days are written as 2026-12-25"),
            Ok(days) if days.len() > HOLIDAYS => fault("/holidays".to_owned(), "there are too many days"),
            Ok(_) => {}
        }
        if faults.is_empty() && week.iter().all(Vec::is_empty) {
            faults.push(CalendarFault {
                pointer: "/hours".to_owned(),
                message: "a calendar has working hours on some day".to_owned(),
            });
        }
        match (zone, holidays) {
            (Some(zone), Ok(holidays)) if faults.is_empty() => Ok(Self { zone, week, holidays }),
            _ => Err(faults),
        }
    }

    /// The moment by which so much working time has passed since `from`; none if that is not within ten years.
    pub fn after(&self, from: Timestamp, amount: Duration) -> Option<Timestamp> {
        let mut left = amount;
        let start = self.zone.local(from)?.date();
        // The day before as well: in the zone a day can last beyond the moment at which it ends on the face.
        for day in -1..HORIZON {
            for (begins, ends) in self.spans(start, day)? {
                let begins = begins.max(from);
                if ends <= begins {
                    continue;
                }
                let length = ends.since(begins);
                if left <= length {
                    return Some(begins + left);
                }
                left -= length;
            }
        }
        None
    }

    /// The latest moment from which so much working time passes until `until`; none if that is not within ten years.
    pub fn before(&self, until: Timestamp, amount: Duration) -> Option<Timestamp> {
        let mut left = amount;
        let start = self.zone.local(until)?.date();
        for day in -1..HORIZON {
            for (begins, ends) in self.spans(start, -day)?.into_iter().rev() {
                let ends = ends.min(until);
                if ends <= begins {
                    continue;
                }
                let length = ends.since(begins);
                if left <= length {
                    let offset = length.saturating_sub(left);
                    return Some(begins + offset);
                }
                left -= length;
            }
        }
        None
    }

    /// How much working time lies between two moments.
    pub fn between(&self, from: Timestamp, until: Timestamp) -> Duration {
        let Some(start) = self.zone.local(from).map(jiff::civil::DateTime::date) else { return Duration::ZERO };
        let mut total = Duration::ZERO;
        for day in -1..HORIZON {
            let Some(spans) = self.spans(start, day) else { break };
            for (begins, ends) in &spans {
                let (begins, ends) = ((*begins).max(from), (*ends).min(until));
                if begins < ends {
                    total += ends.since(begins);
                }
            }
            if spans.first().is_some_and(|(begins, _)| *begins > until) {
                break;
            }
        }
        total
    }

    /// The working time of the day so many days after another one; none where dates end.
    fn spans(&self, start: Date, days: i32) -> Option<Vec<(Timestamp, Timestamp)>> {
        let date = start.checked_add(jiff::Span::new().days(days)).ok()?;
        if self.holidays.contains(&date) {
            return Some(Vec::new());
        }
        let place = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        let spans = self.week.get(place)?;
        spans
            .iter()
            .map(|span| {
                let (begins, ends) = span.on(date)?;
                Some((self.zone.moment(begins)?, self.zone.moment(ends)?))
            })
            .collect()
    }
}

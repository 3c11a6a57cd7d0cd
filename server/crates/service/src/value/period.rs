//! Periods: whole days of a time zone, what they are compared with, and their parts. Pure: today is a parameter.

use domain::{Timestamp, ValuePeriod, ValueStep};
use jiff::{ToSpan as _, civil::Date};
use store::value::Span;
use workflow::timetable::Zone;

/// The most days of a period: five years.
const MOST_DAYS: i32 = 5 * 366;
/// Up to so many days are shown by days.
const DAYS: i32 = 31;
/// Up to so many days are shown by weeks: half a year.
const WEEKS: i32 = 190;

/// Days, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub(super) first: Date,
    pub(super) last: Date,
}

/// A period and the one that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) days: Days,
    pub(super) before: Days,
}

/// Why a period cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It ends before it begins.
    Reversed,
    /// It is longer than five years.
    TooLong,
    /// It is outside of the calendar.
    OutOfReach,
}

/// A unit of the calendar.
#[derive(Clone, Copy)]
enum Unit {
    Month,
    Quarter,
    Year,
}

impl Unit {
    const fn months(self) -> i32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }

    /// The unit in which `day` is.
    fn around(self, day: Date) -> Option<Days> {
        let into = match self {
            Self::Month => 0,
            Self::Quarter => i32::from(day.month() - 1) % 3,
            Self::Year => i32::from(day.month() - 1),
        };
        let first = day.first_of_month().checked_sub(into.months()).ok()?;
        let last = first.checked_add(self.months().months()).ok()?.yesterday().ok()?;
        Some(Days { first, last })
    }
}

impl Days {
    fn count(self) -> i32 {
        self.last.since(self.first).map_or(0, |span| span.get_days()) + 1
    }

    /// As moments of a zone: from the beginning of the first day to the end of the last.
    pub(super) fn span(self, zone: &Zone) -> Option<Span> {
        let midnight = |day: Date| zone.moment(day.at(0, 0, 0, 0));
        Some(Span { from: midnight(self.first)?, until: midnight(self.last.tomorrow().ok()?)? })
    }

    /// Its parts: days, weeks from Monday on, or months; the first and the last may be cut.
    pub(super) fn parts(self) -> (ValueStep, Vec<Self>) {
        let count = self.count();
        let step = if count <= DAYS {
            ValueStep::Day
        } else if count <= WEEKS {
            ValueStep::Week
        } else {
            ValueStep::Month
        };
        let mut parts = Vec::new();
        let mut first = self.first;
        while first <= self.last {
            let end = match step {
                ValueStep::Day => Some(first),
                ValueStep::Week => {
                    first.checked_add(i32::from(6 - first.weekday().to_monday_zero_offset()).days()).ok()
                }
                ValueStep::Month => Some(first.last_of_month()),
            };
            let last = end.map_or(self.last, |end| end.min(self.last));
            parts.push(Self { first, last });
            let Ok(next) = last.tomorrow() else { break };
            first = next;
        }
        (step, parts)
    }
}

impl Period {
    /// Days that are told: compared with as many before them.
    pub(super) fn of_days(first: Date, last: Date) -> Result<Self, Wrong> {
        let days = Days { first, last };
        if first > last {
            return Err(Wrong::Reversed);
        }
        if days.count() > MOST_DAYS {
            return Err(Wrong::TooLong);
        }
        let before = || {
            let last = days.first.yesterday().ok()?;
            Some(Days { first: last.checked_sub((days.count() - 1).days()).ok()?, last })
        };
        Ok(Self { days, before: before().ok_or(Wrong::OutOfReach)? })
    }

    /// So many days, the last of which is `last`.
    pub(super) fn of_last(count: i32, last: Date) -> Result<Self, Wrong> {
        Self::of_days(last.checked_sub((count - 1).days()).map_err(|_| Wrong::OutOfReach)?, last)
    }

    /// A period that is known by name. One that goes on is compared with as many days of the one before.
    pub(super) fn named(name: ValuePeriod, today: Date) -> Result<Self, Wrong> {
        let (unit, goes_on) = match name {
            ValuePeriod::LastWeek => return Self::of_last(7, today),
            ValuePeriod::LastThirtyDays => return Self::of_last(30, today),
            ValuePeriod::LastNinetyDays => return Self::of_last(90, today),
            ValuePeriod::ThisMonth => (Unit::Month, true),
            ValuePeriod::LastMonth => (Unit::Month, false),
            ValuePeriod::ThisQuarter => (Unit::Quarter, true),
            ValuePeriod::LastQuarter => (Unit::Quarter, false),
            ValuePeriod::ThisYear => (Unit::Year, true),
            ValuePeriod::LastYear => (Unit::Year, false),
        };
        let found = || {
            let this = unit.around(today)?;
            let earlier = unit.around(this.first.yesterday().ok()?)?;
            if !goes_on {
                return Some(Self { days: earlier, before: unit.around(earlier.first.yesterday().ok()?)? });
            }
            let days = Days { first: this.first, last: today };
            let as_far = earlier.first.checked_add((days.count() - 1).days()).ok()?;
            Some(Self { days, before: Days { first: earlier.first, last: as_far.min(earlier.last) } })
        };
        found().ok_or(Wrong::OutOfReach)
    }
}

/// The day that a zone has at a moment.
pub(super) fn day_of(zone: &Zone, at: Timestamp) -> Option<Date> {
    Some(zone.local(at)?.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn days(first: &str, last: &str) -> Days {
        Days { first: day(first), last: day(last) }
    }

    #[test]
    fn periods_by_name_and_what_they_are_compared_with() {
        for (name, today, now, before) in [
            (ValuePeriod::LastWeek, "2026-11-27", ("2026-11-21", "2026-11-27"), ("2026-11-14", "2026-11-20")),
            (ValuePeriod::LastThirtyDays, "2026-03-01", ("2026-01-31", "2026-03-01"), ("2026-01-01", "2026-01-30")),
            (ValuePeriod::LastNinetyDays, "2026-11-27", ("2026-08-30", "2026-11-27"), ("2026-06-01", "2026-08-29")),
            (ValuePeriod::ThisMonth, "2026-11-27", ("2026-11-01", "2026-11-27"), ("2026-10-01", "2026-10-27")),
            (ValuePeriod::ThisMonth, "2026-03-31", ("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
            (ValuePeriod::LastMonth, "2028-03-15", ("2028-02-01", "2028-02-29"), ("2028-01-01", "2028-01-31")),
            (ValuePeriod::ThisQuarter, "2026-11-02", ("2026-10-01", "2026-11-02"), ("2026-07-01", "2026-08-02")),
            (ValuePeriod::LastQuarter, "2026-02-02", ("2025-10-01", "2025-12-31"), ("2025-07-01", "2025-09-30")),
            (ValuePeriod::ThisYear, "2026-01-01", ("2026-01-01", "2026-01-01"), ("2025-01-01", "2025-01-01")),
            (ValuePeriod::LastYear, "2026-11-27", ("2025-01-01", "2025-12-31"), ("2024-01-01", "2024-12-31")),
        ] {
            let period = Period::named(name, day(today)).unwrap();
            assert_eq!(
                period,
                Period { days: days(now.0, now.1), before: days(before.0, before.1) },
                "{name} of {today}"
            );
        }
    }

    #[test]
    fn days_that_are_told_are_compared_with_as_many_before() {
        let period = Period::of_days(day("2026-03-01"), day("2026-03-10")).unwrap();
        assert_eq!(period.before, days("2026-02-19", "2026-02-28"));
        assert_eq!(Period::of_days(day("2026-03-02"), day("2026-03-01")), Err(Wrong::Reversed));
        assert_eq!(Period::of_days(day("2020-01-01"), day("2026-03-01")), Err(Wrong::TooLong));
        assert_eq!(Period::of_days(Date::MIN, Date::MIN), Err(Wrong::OutOfReach));
        assert_eq!(
            Period::of_days(day("2026-03-01"), day("2026-03-01")).unwrap().before,
            days("2026-02-28", "2026-02-28")
        );
    }

    #[test]
    fn parts_follow_each_other_and_fill_the_period() {
        for (first, last, step, count) in [
            ("2026-11-01", "2026-11-30", ValueStep::Day, 30),
            ("2026-11-27", "2026-11-27", ValueStep::Day, 1),
            ("2026-08-30", "2026-11-27", ValueStep::Week, 14),
            ("2026-01-01", "2026-12-31", ValueStep::Month, 12),
            ("2021-12-31", "2026-12-31", ValueStep::Month, 61),
        ] {
            let whole = days(first, last);
            let (found, parts) = whole.parts();
            assert_eq!((found, parts.len()), (step, count), "{first}");
            assert_eq!((parts[0].first, parts[count - 1].last), (whole.first, whole.last));
            for pair in parts.windows(2) {
                assert_eq!(pair[0].last.tomorrow().unwrap(), pair[1].first);
            }
        }
        let (_, weeks) = days("2026-08-30", "2026-11-27").parts();
        assert_eq!(weeks[0], days("2026-08-30", "2026-08-30"), "a Sunday is the end of a week");
        assert_eq!(weeks[1], days("2026-08-31", "2026-09-06"));
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let seoul = Zone::named("Asia/Seoul").unwrap();
        let span = days("2026-11-01", "2026-11-01").span(&seoul).unwrap();
        assert_eq!(span.from.to_string(), "2026-10-31T15:00:00.000000Z");
        assert_eq!(span.until.to_string(), "2026-11-01T15:00:00.000000Z");
        assert_eq!(day_of(&seoul, span.from), Some(day("2026-11-01")));
        // The clock goes back on this day, which has 25 hours.
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let span = days("2026-10-25", "2026-10-25").span(&berlin).unwrap();
        assert_eq!(span.until.since(span.from).as_secs(), 25 * 3_600);
    }
}

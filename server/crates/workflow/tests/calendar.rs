//! Working time, also where clocks change.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::time::Duration;

use domain::Timestamp;
use proptest::prelude::*;
use workflow::calendar::{Calendar, CalendarText, WEEKDAYS};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn calendar(zone: &str, days: &[&str], spans: &[&str], holidays: &[&str]) -> Calendar {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let text = CalendarText {
        time_zone: zone.to_owned(),
        hours: days.iter().map(|day| ((*day).to_owned(), owned(spans))).collect(),
        holidays: owned(holidays),
    };
    Calendar::read(&text).unwrap()
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn nights_weekends_and_holidays_do_not_count() {
    let hours = calendar("Asia/Seoul", &WEEKDAYS[..5], &["09:00-12:00", "13:00-18:00"], &["2026-12-25"]);
    // Thursday, 24 December, four in the afternoon in Seoul.
    let thursday = at("2026-12-24T07:00:00Z");
    assert_eq!(hours.after(thursday, HOUR * 2), Some(at("2026-12-24T09:00:00Z")));
    // Friday is a holiday, so the third hour is Monday's first.
    assert_eq!(hours.after(thursday, HOUR * 3), Some(at("2026-12-28T01:00:00Z")));
    assert_eq!(hours.before(at("2026-12-28T01:00:00Z"), HOUR * 3), Some(thursday));
    assert_eq!(hours.between(thursday, at("2026-12-28T05:00:00Z")), HOUR * 6);
    // In the lunch break nothing passes.
    assert_eq!(hours.between(at("2026-12-24T03:00:00Z"), at("2026-12-24T04:00:00Z")), Duration::ZERO);
}

#[test]
fn the_night_in_which_clocks_change_has_an_hour_more_or_less() {
    let nights = calendar("Europe/Berlin", &WEEKDAYS, &["00:00-06:00"], &[]);
    for (from, until, hours) in [
        ("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 5),
        ("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 7),
        ("2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z", 6),
    ] {
        assert_eq!(nights.between(at(from), at(until)), HOUR * hours, "{from}");
    }
    // A span that begins where the clock jumps begins at the end of the gap.
    let gap = calendar("Europe/Berlin", &["sunday"], &["02:30-04:00"], &[]);
    assert_eq!(gap.after(at("2026-03-28T12:00:00Z"), HOUR), Some(at("2026-03-29T02:00:00Z")));
}

#[test]
fn a_calendar_without_working_time_is_refused() {
    let read = |hours: &[(&str, &str)], zone: &str| {
        let hours = hours.iter().map(|(day, span)| ((*day).to_owned(), vec![(*span).to_owned()])).collect();
        Calendar::read(&CalendarText { time_zone: zone.to_owned(), hours, holidays: Vec::new() })
    };
    assert!(read(&[], "UTC").is_err());
    assert!(read(&[("monday", "09:00-09:00")], "UTC").is_err());
    assert!(read(&[("monday", "09:00-25:00")], "UTC").is_err());
    assert!(read(&[("someday", "09:00-10:00")], "UTC").is_err());
    assert!(read(&[("monday", "00:00-24:00")], "UTC").is_ok());
}

fn calendars() -> impl Strategy<Value = Calendar> {
    let zones =
        prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Seoul", "Australia/Lord_Howe"]);
    let days = prop::sample::subsequence(WEEKDAYS.to_vec(), 1..=7);
    let spans = prop::sample::select(vec![
        vec!["09:00-17:00"],
        vec!["00:00-24:00"],
        vec!["08:00-12:00", "13:00-17:30"],
        vec!["00:00-03:00", "22:15-24:00"],
        vec!["01:30-02:45"],
    ]);
    let holidays = prop::sample::subsequence(vec!["2026-03-29", "2026-10-25", "2026-12-25", "2026-11-01"], 0..=4);
    (zones, days, spans, holidays).prop_map(|(zone, days, spans, holidays)| calendar(zone, &days, &spans, &holidays))
}

/// Somewhere in 2026, to the minute.
fn moments() -> impl Strategy<Value = Timestamp> {
    (0_i64..365 * 24 * 60).prop_map(|minute| at("2026-01-01T00:00:00Z") + Duration::from_mins(minute.unsigned_abs()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn working_time_that_is_counted_forth_is_what_lies_between(
        calendar in calendars(), from in moments(), minutes in 1_u64..6_000,
    ) {
        let amount = Duration::from_mins(minutes);
        let until = calendar.after(from, amount).unwrap();
        prop_assert!(until > from);
        prop_assert_eq!(calendar.between(from, until), amount);
        // Not a moment sooner.
        prop_assert!(calendar.between(from, until - Duration::from_secs(1)) < amount);
    }

    #[test]
    fn working_time_that_is_counted_back_is_what_lies_between(
        calendar in calendars(), until in moments(), minutes in 1_u64..6_000,
    ) {
        let amount = Duration::from_mins(minutes);
        let from = calendar.before(until, amount).unwrap();
        prop_assert!(from < until);
        prop_assert_eq!(calendar.between(from, until), amount);
    }

    #[test]
    fn more_working_time_ends_later(
        calendar in calendars(), from in moments(), less in 1_u64..3_000, more in 1_u64..3_000,
    ) {
        let (less, more) = (Duration::from_mins(less), Duration::from_mins(less + more));
        prop_assert!(calendar.after(from, less).unwrap() < calendar.after(from, more).unwrap());
    }
}

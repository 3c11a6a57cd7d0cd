//! When runs begin by themselves: patterns by the clocks of a zone against a slow oracle, distances without drift, and
//! what becomes of times that have passed. On failure proptest prints the case and its seed.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use domain::{MissedRuns, Timestamp, Trigger};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use proptest::prelude::*;
use workflow::timetable::{CATCH_UP, Tick};
use workflow::{Capability, Definition, FunctionCatalogue};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn parse(schedule: &str, metadata: &str, input: &str) -> Result<Definition, Vec<String>> {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.allow(Capability::ALL);
    let source = format!(
        "document: {{dsl: 1.0.3, namespace: test, name: clock, version: 1.0.0, metadata: {{rondo: {{schedule: {metadata}}}}}}}\n\
         {input}\nschedule: {schedule}\ndo: [{{one: {{set: {{n: 1}}}}}}]\n"
    );
    Definition::parse(&source, &catalogue).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn cron(pattern: &str, zone: &str) -> Definition {
    parse(&format!("{{cron: '{pattern}'}}"), &format!("{{zone: {zone}}}"), "").unwrap()
}

fn every(seconds: u64, missed: MissedRuns) -> Definition {
    parse(&format!("{{every: {{seconds: {seconds}}}}}"), &format!("{{missed: {missed}}}"), "").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Times of a definition's pattern from `start` to `end`, both excluded.
fn times(definition: &Definition, start: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    let schedule = definition.schedule().unwrap();
    let mut found = Vec::new();
    let mut last = start;
    while let Some(next) = schedule.next(Trigger::Cron, start, last).filter(|next| *next < end) {
        assert!(next > last, "{next} is not after {last}");
        found.push(next);
        last = next;
    }
    found
}

#[test]
fn a_time_that_the_clock_jumps_over_comes_when_it_jumps() {
    let berlin = cron("30 2 * * *", "Europe/Berlin");
    let around = times(&berlin, at("2026-03-28T00:00:00Z"), at("2026-03-31T00:00:00Z"));
    let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
    assert_eq!(around, expected.map(at));
    let new_york = cron("*/20 2 * * *", "America/New_York");
    let around = times(&new_york, at("2026-03-08T00:00:00Z"), at("2026-03-09T06:30:00Z"));
    // Three times that are jumped over are one moment.
    let expected = ["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z", "2026-03-09T06:20:00Z"];
    assert_eq!(around, expected.map(at));
    // The end of the gap is a time of its own only once.
    let both = times(&cron("30 2,3 * * *", "Europe/Berlin"), at("2026-03-29T00:00:00Z"), at("2026-03-29T12:00:00Z"));
    assert_eq!(both, ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"].map(at));
    let end = times(&cron("0 2,3 * * *", "Europe/Berlin"), at("2026-03-29T00:00:00Z"), at("2026-03-29T12:00:00Z"));
    assert_eq!(end, ["2026-03-29T01:00:00Z"].map(at));
}

#[test]
fn a_time_that_the_clock_shows_twice_comes_once() {
    let berlin = cron("30 2 * * *", "Europe/Berlin");
    let around = times(&berlin, at("2026-10-24T12:00:00Z"), at("2026-10-27T00:00:00Z"));
    assert_eq!(around, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"].map(at));
    let new_york = cron("0,30 1 * * *", "America/New_York");
    let around = times(&new_york, at("2026-11-01T00:00:00Z"), at("2026-11-02T06:15:00Z"));
    let expected = ["2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:00:00Z"];
    assert_eq!(around, expected.map(at));
    // Asked within the second showing, it has been.
    let next = berlin.schedule().unwrap().next(Trigger::Cron, at("2026-10-25T01:10:00Z"), at("2026-10-25T01:10:00Z"));
    assert_eq!(next, Some(at("2026-10-26T01:30:00Z")));
}

#[test]
fn what_is_said_of_a_schedule_is_checked_at_its_place() {
    for (schedule, metadata, expected) in [
        (
            "{every: PT1H}",
            "{zone: Europe/Berln}",
            "1:106: “Europe/Berln” is not an IANA time zone such as Europe/Berlin",
        ),
        ("{every: PT1H}", "{missed: al}", "1:108: expected skip, once or all, found “al”, did you mean “all”?"),
        ("{every: PT1H}", "{zones: UTC}", "1:100: unknown property “zones”, did you mean “zone”?"),
        ("{every: PT1H}", "UTC", "1:99: expected an object"),
        ("{cron: 0 0 30 2 *}", "{}", "3:18: “0 0 30 2 *” is not a cron pattern"),
        ("{every: PT0.9S}", "{}", "3:19: expected at least one second"),
        ("{after: PT0S}", "{}", "3:19: expected at least one second"),
    ] {
        let found = parse(schedule, metadata, "").unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?} is not {expected}");
    }
    let zoned = parse("{every: PT1H}", "{zone: europe/berlin, missed: skip}", "").unwrap();
    let schedule = zoned.schedule().unwrap();
    assert_eq!((schedule.zone.to_string().as_str(), schedule.missed), ("Europe/Berlin", MissedRuns::Skip));
    let plain = parse("{every: PT1H}", "{}", "").unwrap();
    let schedule = plain.schedule().unwrap();
    assert_eq!((schedule.zone.to_string().as_str(), schedule.missed), ("UTC", MissedRuns::Once));
}

#[test]
fn a_form_that_nobody_would_fill_in_is_refused() {
    let form = "input: {schema: {document: {type: object, required: [user], properties: {user: {type: string}}}}}";
    for timed in ["{cron: 0 0 * * *}", "{every: PT1H}", "{after: PT1H}"] {
        let found = parse(timed, "{}", form).unwrap_err();
        assert!(found[0].contains("its runs begin with the input {}, which `input.schema` refuses"), "{found:?}");
        assert!(parse(timed, "{}", &form.replace("required: [user], ", "")).is_ok());
    }
    let events = form.replace("type: object, required: [user], properties: {user: {type: string}}", "type: array");
    assert!(parse("{on: {one: {with: {type: a}}}}", "{}", &events).is_ok());
}

#[test]
fn each_way_to_begin_begins_in_its_own_way() {
    let definition =
        parse("{cron: 0 0 * * *, every: PT1H, after: PT2H, on: {one: {with: {type: a}}}}", "{}", "").unwrap();
    let schedule = definition.schedule().unwrap();
    let anchor = at("2026-01-01T10:00:00Z");
    assert_eq!(schedule.triggers(), Trigger::ALL);
    let first: Vec<_> = Trigger::ALL.iter().map(|trigger| schedule.first(*trigger, anchor)).collect();
    let expected = [Some(at("2026-01-02T00:00:00Z")), Some(at("2026-01-01T11:00:00Z")), Some(anchor), None];
    assert_eq!(first, expected);
    // A pattern may have an end.
    let once = cron("0 0 12 1 1 * 2030", "UTC");
    let noon = at("2030-01-01T12:00:00Z");
    assert_eq!(times(&once, anchor, at("2040-01-01T00:00:00Z")), [noon]);
    let tick = once.schedule().unwrap().tick(Trigger::Cron, anchor, noon, noon);
    assert_eq!(tick, Tick { launches: vec![noon], skipped: None, next: None });
}

#[test]
fn what_was_missed_follows_the_policy() {
    let anchor = at("2026-01-01T00:00:00Z");
    let hours = |hour: u32| anchor + Duration::from_hours(u64::from(hour));
    let tick = |missed, due, now| every(3600, missed).schedule().unwrap().tick(Trigger::Every, anchor, due, now);
    let (due, now) = (hours(1), hours(4) + Duration::from_mins(30));
    let next = Some(hours(5));
    assert_eq!(tick(MissedRuns::Once, due, now), Tick { launches: vec![due], skipped: None, next });
    assert_eq!(tick(MissedRuns::Skip, due, now), Tick { launches: vec![], skipped: Some(due), next });
    let all = (1..=4).map(hours).collect();
    assert_eq!(tick(MissedRuns::All, due, now), Tick { launches: all, skipped: None, next });
    // Within a minute it is not missed; the last one in time has its run even if others were missed.
    let now = hours(1) + MINUTE;
    let in_time = Tick { launches: vec![due], skipped: None, next: Some(hours(2)) };
    assert_eq!(tick(MissedRuns::Skip, due, now), in_time);
    let now = hours(3) + Duration::from_secs(5);
    let late = Tick { launches: vec![hours(3)], skipped: Some(due), next: Some(hours(4)) };
    assert_eq!(tick(MissedRuns::Skip, due, now), late);
    // What is too much is passed over.
    let now = hours(1000);
    let tick = tick(MissedRuns::All, due, now);
    assert_eq!(tick.launches, (1..=100).map(hours).collect::<Vec<_>>());
    assert_eq!((tick.skipped, tick.next), (Some(hours(101)), Some(hours(1001))));
}

/// Minutes and hours of a pattern; none for any.
#[derive(Debug, Clone)]
struct Pattern {
    minutes: Option<BTreeSet<i8>>,
    hours: Option<BTreeSet<i8>>,
}

impl Pattern {
    fn text(&self) -> String {
        let field = |values: &Option<BTreeSet<i8>>| match values {
            None => "*".to_owned(),
            Some(values) => {
                let mut text = String::new();
                for value in values {
                    write!(text, "{}{value}", if text.is_empty() { "" } else { "," }).unwrap();
                }
                text
            }
        };
        format!("{} {} * * *", field(&self.minutes), field(&self.hours))
    }

    fn fits(&self, local: DateTime) -> bool {
        let fits = |values: &Option<BTreeSet<i8>>, value| values.as_ref().is_none_or(|values| values.contains(&value));
        fits(&self.minutes, local.minute()) && fits(&self.hours, local.hour())
    }
}

fn patterns() -> impl Strategy<Value = Pattern> {
    let minutes = prop::option::weighted(0.9, prop::collection::btree_set(0_i8..60, 1..4));
    let hours = prop::option::weighted(0.7, prop::collection::btree_set(prop_oneof![0_i8..4, 0_i8..24], 1..4));
    (minutes, hours).prop_map(|(minutes, hours)| Pattern { minutes, hours })
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        // Half an hour; a whole day left out; at midnight; never.
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Havana",
        "Asia/Seoul",
    ])
}

fn local(zone: &TimeZone, time: Timestamp) -> DateTime {
    zone.to_datetime(jiff::Timestamp::from_microsecond(time.as_micros()).unwrap())
}

/// Minute by minute: a time comes when the clock first shows it, or when the clock jumps over it.
fn slowly(pattern: &Pattern, zone: &TimeZone, start: Timestamp, end: Timestamp) -> Vec<Timestamp> {
    let mut found = Vec::new();
    let before = start - DAY;
    let mut furthest = local(zone, before);
    let mut time = before + MINUTE;
    while time < end {
        let shown = local(zone, time);
        let mut fits = false;
        while furthest < shown {
            furthest = furthest.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
            fits |= pattern.fits(furthest);
        }
        if fits && time > start {
            found.push(time);
        }
        time = time + MINUTE;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_pattern_has_the_times_that_a_slow_look_at_the_clock_finds(
        pattern in patterns(),
        name in zones(),
        near in 1_262_304_000_i64..2_000_000_000,
        offset in -1_440_i64..240,
    ) {
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        let near = jiff::Timestamp::from_second(near).unwrap();
        let change = zone.preceding(near).next().map_or(near, |change| change.timestamp());
        let start = Timestamp::from_micros((change.as_second() / 60 + offset) * 60_000_000);
        let end = start + DAY + DAY;
        let quickly = times(&cron(&pattern.text(), name), start, end);
        prop_assert_eq!(quickly, slowly(&pattern, &zone, start, end));
    }

    #[test]
    fn distances_are_counted_from_the_anchor_without_drift(
        seconds in 1_u64..100_000,
        anchor in 0_i64..2_000_000_000_000_000,
        passed in -1_000_000_000_i64..2_000_000_000_000,
    ) {
        let definition = every(seconds, MissedRuns::Once);
        let anchor = Timestamp::from_micros(anchor);
        let after = Timestamp::from_micros(anchor.as_micros() + passed);
        let next = definition.schedule().unwrap().next(Trigger::Every, anchor, after).unwrap();
        let distance = i64::try_from(seconds).unwrap() * 1_000_000;
        prop_assert!(next > after && next > anchor);
        prop_assert_eq!((next.as_micros() - anchor.as_micros()) % distance, 0);
        prop_assert!(next.as_micros() - after.as_micros().max(anchor.as_micros()) <= distance);
    }

    #[test]
    fn no_time_is_lost_or_launched_twice_whatever_is_missed(
        seconds in 1_u64..400,
        missed in prop::sample::select(MissedRuns::ALL),
        looks in prop::collection::vec(0_u64..40_000, 1..12),
    ) {
        let anchor = at("2026-01-01T00:00:00Z");
        let definition = every(seconds, missed);
        let schedule = definition.schedule().unwrap();
        let mut due = schedule.first(Trigger::Every, anchor).unwrap();
        let mut now = anchor;
        let mut launched = BTreeSet::new();
        for pause in looks {
            now = now + Duration::from_secs(pause);
            if due > now {
                continue;
            }
            let tick = schedule.tick(Trigger::Every, anchor, due, now);
            let times: Vec<Timestamp> =
                std::iter::successors(Some(due), |time| schedule.next(Trigger::Every, anchor, *time))
                    .take_while(|time| *time <= now)
                    .collect();
            for launch in &tick.launches {
                prop_assert!(times.contains(launch), "{} is no time", launch);
                prop_assert!(launched.insert(*launch), "{} is launched twice", launch);
            }
            match missed {
                MissedRuns::Once => prop_assert_eq!(&tick.launches, &times[..1]),
                MissedRuns::All => prop_assert_eq!(&tick.launches, &times[..times.len().min(CATCH_UP)]),
                MissedRuns::Skip => {
                    let in_time = times.iter().any(|time| now.since(*time) <= MINUTE);
                    prop_assert_eq!(tick.launches.len(), usize::from(in_time));
                    prop_assert!(tick.launches.iter().all(|time| now.since(*time) <= MINUTE));
                }
            }
            let passed_over = times.len() > CATCH_UP;
            prop_assert!(missed != MissedRuns::All || tick.skipped.is_some() == passed_over);
            due = tick.next.unwrap();
            prop_assert!(due > now && now.since(due) == Duration::ZERO && due.since(now) <= Duration::from_secs(seconds));
        }
    }
}

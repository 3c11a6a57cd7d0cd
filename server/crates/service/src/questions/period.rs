//! Days, weeks and months of UTC.

use domain::{AnswerEvery, Timestamp};

use super::DAY;

/// Microseconds of a day.
const MICROS: i64 = 86_400_000_000;

/// When the day, week or month began in which `at` is. Weeks begin on Monday.
pub(super) fn beginning(every: AnswerEvery, at: Timestamp) -> Timestamp {
    let utc = at.to_utc();
    let days = match every {
        AnswerEvery::Day => 0,
        AnswerEvery::Week => utc.weekday().number_days_from_monday(),
        AnswerEvery::Month => utc.day().saturating_sub(1),
    };
    let midnight = Timestamp::from_micros(at.as_micros() - at.as_micros().rem_euclid(MICROS));
    midnight - DAY * u32::from(days)
}

/// When the day, week or month ends in which `at` is.
pub(super) fn end(every: AnswerEvery, at: Timestamp) -> Timestamp {
    let longest = match every {
        AnswerEvery::Day => 1,
        AnswerEvery::Week => 7,
        AnswerEvery::Month => 31,
    };
    beginning(every, beginning(every, at) + DAY * longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_whole_and_follow_each_other() {
        for (every, now, begins, ends) in [
            (AnswerEvery::Day, "2026-11-27T02:20:29Z", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"),
            (AnswerEvery::Day, "2026-11-27T00:00:00Z", "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"),
            (AnswerEvery::Week, "2026-11-27T02:20:29Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (AnswerEvery::Week, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (AnswerEvery::Month, "2026-11-30T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            (AnswerEvery::Month, "2027-02-01T00:00:00Z", "2027-02-01T00:00:00Z", "2027-03-01T00:00:00Z"),
            (AnswerEvery::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (AnswerEvery::Month, "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(beginning(every, at(now)), at(begins), "{every} of {now}");
            assert_eq!(end(every, at(now)), at(ends), "{every} of {now}");
            assert_eq!(beginning(every, at(ends)), at(ends), "{every} after {now}");
        }
    }
}

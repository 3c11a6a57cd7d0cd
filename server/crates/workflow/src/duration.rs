//! ISO 8601 durations and the DSL's duration objects.

use std::time::Duration;

/// The longest duration that is accepted: 100 years. Beyond it, dates cannot be computed reliably.
pub(crate) const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// The members of a duration object, with their length in milliseconds.
pub(crate) const UNITS: [(&str, u64); 5] =
    [("days", 86_400_000), ("hours", 3_600_000), ("minutes", 60_000), ("seconds", 1_000), ("milliseconds", 1)];

/// Parses an ISO 8601 duration (`P1DT2H30M`, `PT0.5S`, `P2W`). A year counts 365 days and a month 30, as there is no
/// calendar to count on. `None` if it is malformed, empty, or longer than 100 years.
pub fn parse_iso8601(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    if (date.is_empty() && time.is_none()) || time == Some("") {
        return None;
    }
    let days = components(date, &[('Y', 365 * 86_400), ('M', 30 * 86_400), ('W', 7 * 86_400), ('D', 86_400)])?;
    let seconds = components(time.unwrap_or(""), &[('H', 3_600), ('M', 60), ('S', 1)])?;
    days.checked_add(seconds).filter(|total| *total <= LONGEST)
}

/// Sums `number unit` pairs whose units stand in the given order.
fn components(mut text: &str, units: &[(char, u64)]) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = text.split_at_checked(end)?;
        let unit = tail.chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(scaled(number, *seconds)?)?;
        text = tail.get(unit.len_utf8()..)?;
    }
    Some(total)
}

/// `number * seconds`, where the number may have up to nine decimals.
fn scaled(number: &str, seconds: u64) -> Option<Duration> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 || whole.len() > 12 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let base = Duration::from_secs(whole.checked_mul(seconds)?);
    let nanos: u64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<9}").parse().ok()? };
    base.checked_add(Duration::from_nanos(nanos.checked_mul(seconds)?))
}

/// Reads the DSL's two forms of a fixed duration: an ISO 8601 text or an object of days to milliseconds. `None` if it is
/// neither, or longer than 100 years.
pub fn from_value(value: &serde_json::Value) -> Option<Duration> {
    match value {
        serde_json::Value::String(text) => parse_iso8601(text),
        serde_json::Value::Object(parts) if !parts.is_empty() => {
            let mut total = Duration::ZERO;
            for (name, count) in parts {
                let (_, millis) = UNITS.iter().find(|(unit, _)| unit == name)?;
                total = total.checked_add(Duration::from_millis(count.as_u64()?.checked_mul(*millis)?))?;
            }
            Some(total).filter(|total| *total <= LONGEST)
        }
        _ => None,
    }
}

/// Writes a duration as ISO 8601, in days, hours, minutes and seconds.
pub fn to_iso8601(duration: Duration) -> String {
    use std::fmt::Write as _;
    let total = duration.as_secs();
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    let nanos = duration.subsec_nanos();
    let mut text = String::from("P");
    // Writing to a String cannot fail.
    if days > 0 {
        let _ = write!(text, "{days}D");
    }
    if hours + minutes + seconds > 0 || nanos > 0 || days == 0 {
        text.push('T');
        if hours > 0 {
            let _ = write!(text, "{hours}H");
        }
        if minutes > 0 {
            let _ = write!(text, "{minutes}M");
        }
        if nanos > 0 {
            let fraction = format!("{nanos:09}");
            let _ = write!(text, "{seconds}.{}S", fraction.trim_end_matches('0'));
        } else if seconds > 0 || (hours == 0 && minutes == 0) {
            let _ = write!(text, "{seconds}S");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_standard_allows() {
        for (text, millis) in [
            ("PT0S", 0),
            ("PT1S", 1_000),
            ("PT0.25S", 250),
            ("P2D", 172_800_000),
            ("P1DT2H", 93_600_000),
            ("PT1H30M", 5_400_000),
            ("P1W", 604_800_000),
            ("P1M", 2_592_000_000),
            ("PT1.5M", 90_000),
        ] {
            assert_eq!(parse_iso8601(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "P", "PT", "P1", "1D", "P1H", "PT1D", "PT1S1M", "PT.5S", "PT1.S", "P-1D", "P101Y", "P1D "] {
            assert_eq!(parse_iso8601(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["PT0S", "PT1.25S", "P2D", "P1DT2H3M4S", "PT45M"] {
            assert_eq!(to_iso8601(parse_iso8601(text).unwrap()), text);
        }
    }
}

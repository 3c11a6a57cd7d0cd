//! PostgreSQL's values as JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Number, Value, json};
use tokio_postgres::types::{FromSql, Kind, Type};

/// A value of a type that is not served, or not in its form.
#[derive(Debug, thiserror::Error)]
#[error("a value of type {0} cannot be read here; select it as text (COLUMN::text)")]
pub(super) struct Unreadable(String);

/// One value of a row.
pub(super) struct Cell(pub(super) Value);

type Boxed = Box<dyn std::error::Error + Sync + Send>;

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        read(ty, raw).map(Cell)
    }

    fn from_sql_null(_: &Type) -> Result<Self, Boxed> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn read(ty: &Type, raw: &[u8]) -> Result<Value, Boxed> {
    let unreadable = || Box::new(Unreadable(ty.name().to_owned())) as Boxed;
    Ok(match *ty {
        Type::BOOL => json!(bool::from_sql(ty, raw)?),
        Type::INT2 => json!(i16::from_sql(ty, raw)?),
        Type::INT4 => json!(i32::from_sql(ty, raw)?),
        Type::INT8 => json!(i64::from_sql(ty, raw)?),
        Type::OID => json!(u32::from_sql(ty, raw)?),
        Type::FLOAT4 => float(f64::from(f32::from_sql(ty, raw)?)),
        Type::FLOAT8 => float(f64::from_sql(ty, raw)?),
        Type::NUMERIC => Value::String(numeric(raw).ok_or_else(unreadable)?),
        Type::JSON => serde_json::from_slice(raw)?,
        // The first byte is the version of the form.
        Type::JSONB => serde_json::from_slice(raw.get(1..).ok_or_else(unreadable)?)?,
        Type::BYTEA => Value::String(STANDARD.encode(raw)),
        Type::UUID => Value::String(uuid(raw).ok_or_else(unreadable)?),
        Type::DATE => Value::String(date(i64::from(i32::from_sql(&Type::INT4, raw)?))),
        Type::TIME => Value::String(time(i64::from_sql(&Type::INT8, raw)?)),
        Type::TIMESTAMP => Value::String(timestamp(i64::from_sql(&Type::INT8, raw)?, "")),
        Type::TIMESTAMPTZ => Value::String(timestamp(i64::from_sql(&Type::INT8, raw)?, "Z")),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::XML | Type::UNKNOWN => {
            Value::String(std::str::from_utf8(raw)?.to_owned())
        }
        _ => match ty.kind() {
            Kind::Enum(_) => Value::String(std::str::from_utf8(raw)?.to_owned()),
            Kind::Domain(inner) => read(inner, raw)?,
            Kind::Array(_) => {
                let cells = Vec::<Cell>::from_sql(ty, raw)?;
                Value::Array(cells.into_iter().map(|cell| cell.0).collect())
            }
            _ => return Err(unreadable()),
        },
    })
}

/// JSON has no infinity, and nothing that is not a number.
pub(super) fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}

fn uuid(raw: &[u8]) -> Option<String> {
    let text = hex::encode(raw);
    let part = |from, to| text.get(from..to);
    (raw.len() == 16).then_some(())?;
    Some([part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?].join("-"))
}

/// A number of any length: groups of four digits, of which the first stands at the place `weight`.
fn numeric(raw: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes([*raw.get(2 * at)?, *raw.get(2 * at + 1)?]));
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    (raw.len() == 8 + 2 * usize::from(count)).then_some(())?;
    match sign {
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let group = |place: i32| {
        // The first group stands at `weight`; those that are not there are zeros.
        usize::try_from(i32::from(weight) - place)
            .ok()
            .filter(|at| *at < usize::from(count))
            .and_then(|at| word(4 + at))
    };
    let digits = |places: &mut dyn Iterator<Item = i32>| {
        let groups: Vec<String> = places.map(|place| format!("{:04}", group(place).unwrap_or(0))).collect();
        groups.concat()
    };
    let text = digits(&mut (0..=i32::from(weight.max(0))).rev());
    let whole = text.trim_start_matches('0');
    let mut number = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    if scale > 0 {
        let groups = i32::from(scale).div_euclid(4) + 1;
        let fraction = digits(&mut (1..=groups).map(|place| -place));
        number.push('.');
        number.push_str(fraction.get(..usize::from(scale))?);
    }
    Some(if sign == 0x4000 { format!("-{number}") } else { number })
}

/// Days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts.
const EPOCH_DAYS: i64 = 10_957;
const DAY: i64 = 86_400_000_000;

fn date(days: i64) -> String {
    match days {
        _ if days == i64::from(i32::MAX) => "infinity".to_owned(),
        _ if days == i64::from(i32::MIN) => "-infinity".to_owned(),
        _ => {
            let (year, month, day) = civil(days + EPOCH_DAYS);
            format!("{year:04}-{month:02}-{day:02}")
        }
    }
}

fn time(micros: i64) -> String {
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { text } else { format!("{text}.{rest:06}") }
}

fn timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        _ => format!("{}T{}{zone}", date(micros.div_euclid(DAY)), time(micros.rem_euclid(DAY))),
    }
}

/// Year, month and day of a day that is counted from 1970-01-01, by years that begin in March and eras of 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (days, text) in
            [(0, "2000-01-01"), (-1, "1999-12-31"), (59, "2000-02-29"), (8_825, "2024-02-29"), (-10_957, "1970-01-01")]
        {
            assert_eq!(date(days), text);
        }
        assert_eq!(timestamp(-1, "Z"), "1999-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(3_600_000_000, ""), "2000-01-01T01:00:00");
    }

    #[test]
    fn numbers_keep_all_their_digits() {
        let number = |words: &[u16]| numeric(&words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>());
        // 12345.678 is the groups 1, 2345 and 6780, with three digits of a fraction.
        assert_eq!(number(&[3, 1, 0, 3, 1, 2345, 6780]).unwrap(), "12345.678");
        assert_eq!(number(&[1, 0xFFFF, 0x4000, 2, 500]).unwrap(), "-0.05");
        assert_eq!(number(&[0, 0, 0, 0]).unwrap(), "0");
        assert_eq!(number(&[1, 1, 0, 0, 7]).unwrap(), "70000");
        assert_eq!(number(&[2, 0, 0, 0, 7]), None, "fewer groups than it says");
    }
}

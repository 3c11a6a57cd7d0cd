//! Places of entries as a short text.

use std::{fmt::Write as _, ops::RangeInclusive};

/// Places in order, as ranges (`1-3 7 9-12`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<RangeInclusive<i64>>);

impl Places {
    /// Of these places, which are in order.
    #[must_use]
    pub fn of(places: &[i64]) -> Self {
        let mut ranges: Vec<RangeInclusive<i64>> = Vec::new();
        for place in places {
            match ranges.last_mut() {
                Some(range) if range.end().checked_add(1) == Some(*place) => *range = *range.start()..=*place,
                _ => ranges.push(*place..=*place),
            }
        }
        Self(ranges)
    }

    /// What a text says; none when it is not one that is written for places.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let range = from.parse::<i64>().ok()?..=to.parse::<i64>().ok()?;
            (!range.is_empty()).then_some(range)
        };
        text.split(' ').map(range).collect::<Option<_>>().map(Self)
    }

    /// Whether this place is one of them.
    #[must_use]
    pub fn contain(&self, place: i64) -> bool {
        let after = self.0.partition_point(|range| *range.start() <= place);
        after.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|range| range.contains(&place))
    }
}

impl std::fmt::Display for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char(' ')?;
            }
            write!(f, "{}", range.start())?;
            if range.end() > range.start() {
                write!(f, "-{}", range.end())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_were_written() {
        for (places, text) in [(&[7][..], "7"), (&[1, 2, 3, 7, 9, 10], "1-3 7 9-10"), (&[1, 3, 5], "1 3 5")] {
            let written = Places::of(places);
            assert_eq!(written.to_string(), text);
            assert_eq!(Places::read(text), Some(written.clone()));
            for place in 0..12 {
                assert_eq!(written.contain(place), places.contains(&place), "{place} of {text}");
            }
        }
        for text in ["", "x", "3-1", "1--2", "1, 2"] {
            assert_eq!(Places::read(text), None, "{text}");
        }
    }
}

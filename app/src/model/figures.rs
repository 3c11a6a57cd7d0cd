//! Figures as people read them: in groups of three, as parts of a hundred, beside those of before, and on an axis.

/// How one figure stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is nothing to compare.
    Unknown,
    /// It is the same.
    Same,
    /// It is greater, by so many thousandths of the other; none where that is nothing.
    More(Option<u64>),
    /// It is smaller, by so many thousandths of the other.
    Less(u64),
}

impl Change {
    /// How a figure has changed; one that is missing cannot be compared.
    pub fn of(now: Option<u64>, before: Option<u64>) -> Self {
        let (Some(now), Some(before)) = (now, before) else { return Self::Unknown };
        let thousandths = |by: u64| (by.saturating_mul(1_000).saturating_add(before / 2)).checked_div(before);
        match now.cmp(&before) {
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Greater => Self::More(thousandths(now - before)),
            std::cmp::Ordering::Less => Self::Less(thousandths(before - now).unwrap_or(0)),
        }
    }
}

/// A number in groups of three, as both languages write it.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Thousandths as parts of a hundred, with one decimal below ten of a hundred.
pub fn percent(per_mille: u64) -> String {
    if per_mille < 100 && !per_mille.is_multiple_of(10) {
        format!("{}.{}%", per_mille / 10, per_mille % 10)
    } else {
        format!("{}%", grouped((per_mille + 5) / 10))
    }
}

/// The distance of an axis's marks: four of them reach at least `most`. `units` are what marks are multiples of, ascending: 1 for
/// what is counted, an hour for what is measured in hours; each is multiplied by 1, 2 or 5 and by powers of ten.
pub fn mark_distance(most: u64, units: &[u64]) -> u64 {
    let wanted = most.div_ceil(4).max(1);
    let mut unit = 1;
    for (place, candidate) in units.iter().enumerate() {
        let next = units.get(place + 1).copied().unwrap_or(u64::MAX);
        unit = *candidate;
        if wanted < next {
            break;
        }
    }
    let mut power = unit;
    loop {
        for times in [1, 2, 5] {
            let distance = power.saturating_mul(times);
            if distance >= wanted {
                return distance;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn parts_of_a_hundred() {
        for (per_mille, text) in [(0, "0%"), (4, "0.4%"), (40, "4%"), (99, "9.9%"), (167, "17%"), (1_000, "100%")] {
            assert_eq!(percent(per_mille), text);
        }
        assert_eq!(percent(12_340), "1,234%");
    }

    #[test]
    fn a_figure_beside_that_of_before() {
        assert_eq!(Change::of(Some(3), None), Change::Unknown);
        assert_eq!(Change::of(Some(0), Some(0)), Change::Same);
        assert_eq!(Change::of(Some(3), Some(0)), Change::More(None));
        assert_eq!(Change::of(Some(3), Some(2)), Change::More(Some(500)));
        assert_eq!(Change::of(Some(1), Some(3)), Change::Less(667));
        assert_eq!(Change::of(Some(0), Some(3)), Change::Less(1_000));
    }

    #[test]
    fn four_marks_reach_the_greatest() {
        for (most, distance) in [(0, 1), (3, 1), (4, 1), (5, 2), (37, 10), (81, 50), (1_000, 500)] {
            assert_eq!(mark_distance(most, &[1]), distance, "{most}");
        }
        let times = [60, 3_600];
        for (most, distance) in [(0, 60), (500, 300), (3_600 * 5, 7_200), (3_600 * 100, 180_000)] {
            assert_eq!(mark_distance(most, &times), distance, "{most}");
        }
    }
}

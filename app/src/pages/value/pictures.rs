//! The charts.

use domain::{
    ValueStep,
    view::{ValueBucket, ValueClass, ValueFigures},
};
use leptos::prelude::*;

use super::figures::{count_text, work_text};
use crate::{
    components::{
        Card,
        charts::{Bar, BarChart, Fill, Measure, Series},
        duration_text,
    },
    i18n::{Locale, Texts, use_texts},
    view,
};

const COUNTED: Measure = Measure { text: count_text, units: &[1] };
const WORKED: Measure = Measure { text: work_text, units: &[60, 3_600] };

#[component]
pub(super) fn Pictures(step: ValueStep, buckets: Vec<ValueBucket>, classes: Vec<ValueClass>) -> impl IntoView {
    let t = use_texts();
    let about = match step {
        ValueStep::Day => t.value.by_day(),
        ValueStep::Week => t.value.by_week(),
        ValueStep::Month => t.value.by_month(),
    };
    let over_time = |values: fn(&ValueFigures) -> Vec<u64>| -> Vec<Bar> {
        let bar = |bucket: &ValueBucket| Bar {
            label: label(t, step, &bucket.from),
            name: if bucket.from == bucket.to { bucket.from.clone() } else { t.value.period(&bucket.from, &bucket.to) },
            values: values(&bucket.figures),
        };
        buckets.iter().map(bar).collect()
    };
    let ended = over_time(|it| vec![it.completed, it.faulted, it.rejected, it.cancelled]);
    let saved = over_time(|it| vec![it.saved_seconds]);
    let lead_times = classes
        .iter()
        .map(|class| {
            let name = class_name(t, class);
            Bar { label: name.clone(), name, values: vec![class.runs] }
        })
        .collect();
    let series = |name: &str, fill| Series { name: name.to_owned(), fill };
    let endings = vec![
        series(t.value.completed(), Fill::Plain),
        series(t.value.faulted(), Fill::Striped),
        series(t.value.rejected(), Fill::Dotted),
        series(t.value.cancelled(), Fill::Crossed),
    ];
    view! {
        <Card title=t.value.chart_runs()>
            <BarChart
                id="ended"
                title=t.value.chart_runs()
                description=t.value.chart_runs_text()
                about
                series=endings
                bars=ended
                measure=COUNTED
            />
        </Card>
        <Card title=t.value.chart_saved()>
            <BarChart
                id="saved"
                title=t.value.chart_saved()
                description=t.value.chart_saved_text()
                about
                series=vec![series(t.value.saved(), Fill::Plain)]
                bars=saved
                measure=WORKED
            />
        </Card>
        <Card title=t.value.chart_lead()>
            <BarChart
                id="lead"
                title=t.value.chart_lead()
                description=t.value.chart_lead_text()
                about=t.value.by_class()
                series=vec![series(t.value.runs(), Fill::Plain)]
                bars=lead_times
                measure=COUNTED
            />
        </Card>
    }
}

/// What stands below a bar that begins on this day (`2026-11-01`).
fn label(t: Texts, step: ValueStep, day: &str) -> String {
    let mut parts = day.split('-').map(|part| part.trim_start_matches('0'));
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else {
        return day.to_owned();
    };
    match (t.locale, step) {
        (Locale::En, ValueStep::Month) => format!("{month}/{year}"),
        (Locale::Ko, ValueStep::Month) => format!("{year}.{month}."),
        (Locale::En, _) => format!("{day}/{month}"),
        (Locale::Ko, _) => format!("{month}.{day}."),
    }
}

fn class_name(t: Texts, class: &ValueClass) -> String {
    let from = duration_text(t, class.from_seconds);
    match class.below_seconds {
        Some(below) if class.from_seconds == 0 => t.value.below(duration_text(t, below)),
        Some(below) => t.value.between(from, duration_text(t, below)),
        None => t.value.from_up(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_named_by_their_day_or_month() {
        let (en, ko) = (Texts::new(Locale::En), Texts::new(Locale::Ko));
        assert_eq!(label(en, ValueStep::Day, "2026-11-01"), "1/11");
        assert_eq!(label(ko, ValueStep::Week, "2026-11-01"), "11.1.");
        assert_eq!(label(en, ValueStep::Month, "2026-11-01"), "11/2026");
        assert_eq!(label(ko, ValueStep::Month, "2026-01-01"), "2026.1.");
    }

    #[test]
    fn classes_are_named_by_their_bounds() {
        let t = Texts::new(Locale::En);
        let class = |from_seconds, below_seconds| ValueClass { from_seconds, below_seconds, runs: 0 };
        assert_eq!(class_name(t, &class(0, Some(60))), "below 1 min");
        assert_eq!(class_name(t, &class(60, Some(300))), "1 min to 5 min");
        assert_eq!(class_name(t, &class(2_592_000, None)), "30 days and more");
    }
}

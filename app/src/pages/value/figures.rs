//! The figures of the whole period, each beside that of the period before.

use domain::view::{SpreadView, ValueFigures};
use leptos::prelude::*;

use crate::{
    components::{Card, Glyph, Icon, duration_text},
    i18n::{Texts, use_texts},
    model::figures::{Change, grouped, percent},
    view,
};

/// Work in hours and minutes: days of 24 hours would say nothing of it.
pub(super) fn work_text(t: Texts, seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, minutes) => t.value.minutes(minutes),
        (100.., _) | (_, 0) => t.value.hours(grouped(hours)),
        (hours, minutes) => t.value.hours_minutes(hours, minutes),
    }
}

/// A number of runs.
pub(super) fn count_text(_: Texts, count: u64) -> String {
    grouped(count)
}

fn percent_text(_: Texts, per_mille: u64) -> String {
    percent(per_mille)
}

/// A figure with what is said of it.
struct Figure {
    label: &'static str,
    now: Option<u64>,
    before: Option<u64>,
    text: fn(Texts, u64) -> String,
    note: Option<String>,
}

fn figures(t: Texts, now: &ValueFigures, before: &ValueFigures) -> Vec<Figure> {
    let count = |label, of: fn(&ValueFigures) -> u64| Figure {
        label,
        now: Some(of(now)),
        before: Some(of(before)),
        text: count_text,
        note: None,
    };
    let spread = |label, of: fn(&ValueFigures) -> Option<SpreadView>| Figure {
        label,
        now: of(now).map(|spread| spread.median_seconds),
        before: of(before).map(|spread| spread.median_seconds),
        text: duration_text,
        note: of(now).map(|spread| t.value.ninetieth(duration_text(t, spread.ninetieth_seconds))),
    };
    let rate = |label, of: fn(&ValueFigures) -> Option<u64>, part: u64| Figure {
        label,
        now: of(now),
        before: of(before),
        text: percent_text,
        note: (now.ended() > 0).then(|| t.value.of_ended(grouped(part), grouped(now.ended()))),
    };
    let of_completed = t.value.of_completed(grouped(now.saving), grouped(now.completed));
    vec![
        Figure {
            text: work_text,
            note: (now.completed > 0).then_some(of_completed),
            ..count(t.value.saved(), |figures| figures.saved_seconds)
        },
        count(t.value.started(), |figures| figures.started),
        count(t.value.completed(), |figures| figures.completed),
        spread(t.value.lead_time(), |figures| figures.lead_time),
        spread(t.value.decision_time(), |figures| figures.decision_time),
        rate(t.value.failure_rate(), ValueFigures::failed_per_mille, now.faulted),
        count(t.value.rejected(), |figures| figures.rejected),
        count(t.value.cancelled(), |figures| figures.cancelled),
        rate(t.value.compensation_rate(), ValueFigures::compensated_per_mille, now.compensated + now.unsettled),
        count(t.value.unsettled(), |figures| figures.unsettled),
        count(t.value.interventions(), |figures| figures.interventions),
    ]
}

/// How a figure stands to that of before: an arrow, and words.
fn change(t: Texts, figure: &Figure) -> (Option<Glyph>, String) {
    let before = figure.before.map(|before| (figure.text)(t, before)).unwrap_or_default();
    match Change::of(figure.now, figure.before) {
        Change::Unknown => (None, t.value.no_before().to_owned()),
        Change::Same => (None, t.value.same().to_owned()),
        Change::More(Some(by)) => (Some(Glyph::ChevronUp), t.value.more_than(percent(by), before)),
        Change::More(None) => (Some(Glyph::ChevronUp), t.value.more_than_none(before)),
        Change::Less(by) => (Some(Glyph::ChevronDown), t.value.less_than(percent(by), before)),
    }
}

#[component]
pub(super) fn Figures(now: ValueFigures, before: ValueFigures) -> impl IntoView {
    let t = use_texts();
    let tiles: Vec<_> = figures(t, &now, &before)
        .into_iter()
        .map(|figure| {
            let value = figure.now.map_or_else(|| t.value.nothing_measured().to_owned(), |now| (figure.text)(t, now));
            let (glyph, words) = change(t, &figure);
            let note = figure.note.map(|note| view! { <span class="figure__note">{note}</span> });
            view! {
                <div class="figure">
                    <dt class="figure__label">{figure.label}</dt>
                    <dd class="figure__value">{value}</dd>
                    <dd class="figure__change">
                        {note}
                        <span class="figure__before">
                            {glyph.map(|glyph| view! { <Icon glyph/> })}
                            <span>{words}</span>
                        </span>
                    </dd>
                </div>
            }
        })
        .collect();
    view! {
        <Card title=t.value.figures()>
            <dl class="figures">{tiles}</dl>
        </Card>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Locale;

    #[test]
    fn work_is_said_in_hours() {
        let (en, ko) = (Texts::new(Locale::En), Texts::new(Locale::Ko));
        for (seconds, english, korean) in [
            (0, "0 min", "0분"),
            (45 * 60, "45 min", "45분"),
            (3_600, "1 h", "1시간"),
            (36 * 3_600 + 300, "36 h 5 min", "36시간 5분"),
            (1_234 * 3_600 + 300, "1,234 h", "1,234시간"),
        ] {
            assert_eq!((work_text(en, seconds).as_str(), work_text(ko, seconds).as_str()), (english, korean));
        }
    }

    #[test]
    fn a_change_has_an_arrow_and_words() {
        let t = Texts::new(Locale::En);
        let figure = |now, before| Figure { label: "", now, before, text: count_text, note: None };
        assert_eq!(
            change(t, &figure(Some(3), Some(2))),
            (Some(Glyph::ChevronUp), "50% more than before (2)".to_owned())
        );
        assert_eq!(
            change(t, &figure(Some(1), Some(2))),
            (Some(Glyph::ChevronDown), "50% less than before (2)".to_owned())
        );
        assert_eq!(change(t, &figure(Some(1), Some(0))), (Some(Glyph::ChevronUp), "before: 0".to_owned()));
        assert_eq!(change(t, &figure(None, Some(2))), (None, "nothing to compare".to_owned()));
    }
}

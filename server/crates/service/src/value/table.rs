//! Figures for spreadsheets.

use domain::view::{SpreadView, ValueFigures, ValueView};

const HEAD: [&str; 19] = [
    "key",
    "title",
    "period_from",
    "period_to",
    "started",
    "completed",
    "faulted",
    "rejected",
    "cancelled",
    "compensated",
    "unsettled",
    "interventions",
    "saved_seconds",
    "lead_time_median_seconds",
    "lead_time_p90_seconds",
    "decision_time_median_seconds",
    "decision_time_p90_seconds",
    "failed_per_mille",
    "compensated_per_mille",
];

/// All, and each row, in the period and in the one before. What there is not is empty.
pub(super) fn csv(view: &ValueView) -> String {
    let mut text = audit::csv::row(&HEAD);
    let total = ("total", "", &view.total, &view.before);
    let rows = view.rows.iter().map(|row| (row.key.as_str(), row.title.as_str(), &row.figures, &row.before));
    for (key, title, figures, before) in [total].into_iter().chain(rows) {
        text.push_str(&line([key, title, &view.from, &view.to], figures));
        text.push_str(&line([key, title, &view.before_from, &view.before_to], before));
    }
    text
}

fn line(what: [&str; 4], figures: &ValueFigures) -> String {
    let or_empty = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let median = |spread: Option<SpreadView>| or_empty(spread.map(|spread| spread.median_seconds));
    let ninetieth = |spread: Option<SpreadView>| or_empty(spread.map(|spread| spread.ninetieth_seconds));
    let counts = [
        figures.started,
        figures.completed,
        figures.faulted,
        figures.rejected,
        figures.cancelled,
        figures.compensated,
        figures.unsettled,
        figures.interventions,
        figures.saved_seconds,
    ];
    let mut cells: Vec<String> = what.map(ToOwned::to_owned).into();
    cells.extend(counts.map(|count| count.to_string()));
    cells.extend([
        median(figures.lead_time),
        ninetieth(figures.lead_time),
        median(figures.decision_time),
        ninetieth(figures.decision_time),
        or_empty(figures.failed_per_mille()),
        or_empty(figures.compensated_per_mille()),
    ]);
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    audit::csv::row(&cells)
}

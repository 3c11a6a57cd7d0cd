//! Figures by workflow or team, in the order that the address asks for.

use domain::{TeamOf, ValueBy, view::ValueRow};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::figures::work_text;
use crate::{
    components::{Card, Column, Table, duration_text},
    i18n::{Texts, use_texts},
    model::figures::{grouped, percent},
    url_state::href_with,
    view,
};

/// Puts rows into the order of `sort`: a column's key, with `-` before it from the greatest down. What was not measured is last.
fn sorted(mut rows: Vec<ValueRow>, sort: &str) -> Vec<ValueRow> {
    let (key, down) = match sort.strip_prefix('-') {
        Some(key) => (key, true),
        None => (sort, false),
    };
    if key == "what" {
        rows.sort_by(|one, other| one.title.cmp(&other.title).then_with(|| one.key.cmp(&other.key)));
        if down {
            rows.reverse();
        }
        return rows;
    }
    let figure = |row: &ValueRow| {
        let figures = &row.figures;
        match key {
            "started" => Some(figures.started),
            "completed" => Some(figures.completed),
            "saved" => Some(figures.saved_seconds),
            "lead" => figures.lead_time.map(|spread| spread.median_seconds),
            "decision" => figures.decision_time.map(|spread| spread.median_seconds),
            "failed" => figures.failed_per_mille(),
            "compensated" => figures.compensated_per_mille(),
            _ => Some(0),
        }
    };
    rows.sort_by(|one, other| match (figure(one), figure(other)) {
        (Some(one), Some(other)) if down => other.cmp(&one),
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    });
    rows
}

#[component]
pub(super) fn Rows(rows: Vec<ValueRow>, by: ValueBy, team_of: TeamOf) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query;
    let sort = Memo::new(move |_| query.with(|query| query.get("sort").unwrap_or_default()));
    let title = match by {
        ValueBy::Workflow => t.value.by_workflow(),
        ValueBy::Team => t.value.by_team(),
    };
    let what = match by {
        ValueBy::Workflow => t.value.workflow(),
        ValueBy::Team => t.value.team(),
    };
    let columns = vec![
        Column::new(what).sort("what"),
        Column::new(t.value.started()).end().sort("started"),
        Column::new(t.value.completed()).end().sort("completed"),
        Column::new(t.value.saved()).end().sort("saved"),
        Column::new(t.value.lead_time()).end().sort("lead"),
        Column::new(t.value.decision_time()).end().sort("decision"),
        Column::new(t.value.failure_rate()).end().sort("failed"),
        Column::new(t.value.compensation_rate()).end().sort("compensated"),
    ];
    let lines = move || {
        let sorted = sorted(rows.clone(), &sort.get());
        sorted.into_iter().map(|row| line(t, row, by, team_of)).collect::<Vec<_>>()
    };
    view! {
        <Card flush=true title=title subtitle=t.value.rows_text()>
            <Table label=title columns=columns>{lines}</Table>
        </Card>
    }
}

/// Where a row leads: a workflow to its runs where they can be seen, a team to its workflows.
fn href_of(row: &ValueRow, by: ValueBy, team_of: TeamOf, here: &leptos_router::params::ParamsMap) -> Option<String> {
    match by {
        ValueBy::Workflow => row.sees_runs.then(|| format!("/runs?workflow={}", urlencoding::encode(&row.key))),
        ValueBy::Team => (!row.key.is_empty()).then(|| {
            let team_of = team_of.to_string();
            href_with("/value", here, &[("team", Some(&row.key)), ("teamOf", Some(&team_of)), ("by", None)])
        }),
    }
}

fn line(t: Texts, row: ValueRow, by: ValueBy, team_of: TeamOf) -> AnyView {
    let query = use_location().query;
    let figures = row.figures;
    let href = query.with_untracked(|query| href_of(&row, by, team_of, query));
    let title = if row.title.is_empty() { t.value.no_team().to_owned() } else { row.title };
    let name = match href {
        Some(href) => view! { <a href=href>{title.clone()}</a> },
        None => view! { <span>{title.clone()}</span> },
    };
    let key = (by == ValueBy::Workflow).then(|| view! { <span class="person__mail">{row.key}</span> });
    let none = t.value.nothing_measured();
    let time = |spread: Option<domain::view::SpreadView>| {
        spread.map_or_else(|| none.to_owned(), |spread| duration_text(t, spread.median_seconds))
    };
    let rate = |per_mille: Option<u64>| per_mille.map_or_else(|| none.to_owned(), percent);
    let cells = [
        (t.value.started(), grouped(figures.started)),
        (t.value.completed(), grouped(figures.completed)),
        (t.value.saved(), work_text(t, figures.saved_seconds)),
        (t.value.lead_time(), time(figures.lead_time)),
        (t.value.decision_time(), time(figures.decision_time)),
        (t.value.failure_rate(), rate(figures.failed_per_mille())),
        (t.value.compensation_rate(), rate(figures.compensated_per_mille())),
    ];
    let cells: Vec<_> =
        cells.into_iter().map(|(label, text)| view! { <td class="table__end" data-label=label>{text}</td> }).collect();
    view! {
        <tr>
            <th scope="row">
                <span class="value-row">{name} {key}</span>
            </th>
            {cells}
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use domain::view::{SpreadView, ValueFigures};
    use leptos_router::params::ParamsMap;

    use super::*;

    fn row(key: &str, started: u64, lead: Option<u64>) -> ValueRow {
        let lead_time =
            lead.map(|seconds| SpreadView { count: 1, median_seconds: seconds, ninetieth_seconds: seconds });
        ValueRow {
            key: key.to_owned(),
            title: key.to_uppercase(),
            sees_runs: started > 1,
            figures: ValueFigures { started, lead_time, ..ValueFigures::default() },
            before: ValueFigures::default(),
        }
    }

    #[test]
    fn the_address_says_the_order_and_what_was_not_measured_is_last() {
        let rows = || vec![row("b", 2, None), row("c", 1, Some(5)), row("a", 3, Some(9))];
        let keys = |sort: &str| sorted(rows(), sort).into_iter().map(|row| row.key).collect::<String>();
        for (sort, order) in [
            ("", "bca"),
            ("what", "abc"),
            ("-what", "cba"),
            ("started", "cba"),
            ("-started", "abc"),
            ("lead", "cab"),
            ("-lead", "acb"),
        ] {
            assert_eq!(keys(sort), order, "{sort}");
        }
    }

    #[test]
    fn rows_lead_to_what_can_be_seen() {
        let mut here = ParamsMap::new();
        here.insert("period", "last-month".to_owned());
        here.insert("by", "team".to_owned());
        let (seen, hidden) = (row("it/a b", 2, None), row("it/c", 1, None));
        let to = |row: &ValueRow, by| href_of(row, by, TeamOf::Owner, &here);
        assert_eq!(to(&seen, ValueBy::Workflow).as_deref(), Some("/runs?workflow=it%2Fa%20b"));
        assert_eq!(to(&hidden, ValueBy::Workflow), None);
        let team = to(&row("blue", 1, None), ValueBy::Team).unwrap();
        assert_eq!(team, "/value?period=last-month&team=blue&teamOf=owner");
        assert_eq!(to(&row("", 1, None), ValueBy::Team), None);
    }
}

//! The controls by their lists.

use domain::{
    Operation,
    view::{ControlCoverage, ControlListView, ControlSummary, ControlsView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{
    exceptions::in_log,
    period::{Period, days_of, period_of},
};
use crate::{
    api::controls::controls,
    components::{
        Banner, Card, Column, EmptyState, FilterChip, Glyph, LinkButton, Moment, PageHeader, Skeleton, Table, Tone,
        load,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    url_state::query_text,
    view,
};

/// What a list can be narrowed to.
const SHOWN: [&str; 3] = ["with", "without", "exceptions"];

fn is_shown(control: &ControlSummary, shown: &str) -> bool {
    match shown {
        "with" => control.workflows > 0,
        "without" => control.workflows == 0,
        "exceptions" => control.exceptions > 0,
        _ => true,
    }
}

/// One list of controls at a time, the first unless the address says another.
#[component]
pub fn ControlsPage() -> impl IntoView {
    let t = use_texts().controls;
    let query = use_location().query;
    let period = Memo::new(move |_| query.with(period_of));
    let (list, shown) = (query_text("list"), query_text("show"));
    let data = Data::new(move || period.get(), |(from, to)| controls(from, to));
    view! {
        <PageHeader title=t.title() subtitle=t.lead()>
            {may(Operation::AuditRead)
                .then(|| view! { <LinkButton href="/audit" icon=Glyph::Audit>{t.to_log()}</LinkButton> })}
            <LinkButton href="/audit/compliance" icon=Glyph::CircleCheck>{t.compliance()}</LinkButton>
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=16/></Card> },
            move |controls| {
                let controls = StoredValue::new(controls);
                // Another list or filter is of the same answer.
                let lists = move || view! { <Lists controls=controls.get_value() list=list.get() shown=shown.get()/> };
                lists.into_any()
            },
        )}
    }
}

#[component]
fn Lists(controls: ControlsView, list: String, shown: String) -> impl IntoView {
    let t = use_texts();
    let ControlsView { from, to, lists, cut_off, archived } = controls;
    let chosen = lists.iter().position(|known| known.coverage.id == list).unwrap_or_default();
    let chips: Vec<_> = lists
        .iter()
        .enumerate()
        .map(|(index, known)| {
            // The first is the one without a word in the address.
            let value = if index == 0 { String::new() } else { known.coverage.id.clone() };
            let label = known.coverage.title.in_language(t.locale.as_str()).to_owned();
            view! { <FilterChip param="list" value label/> }
        })
        .collect();
    let kinds: Vec<_> = SHOWN
        .into_iter()
        .map(|value| {
            let label = t.controls.by_key(&format!("show_{value}")).unwrap_or_default();
            view! { <FilterChip param="show" value label/> }
        })
        .collect();
    let content = lists.into_iter().nth(chosen).map(|list| {
        let days = days_of(from, to);
        view! { <Controls list shown=shown.clone() days/> }
    });
    view! {
        <Period action="/audit/controls" from to kept=vec![("list", list), ("show", shown)]/>
        <div class="chips">
            <span class="chips__label">{t.controls.lists()}</span>
            {chips}
        </div>
        <div class="chips">
            <span class="chips__label">{t.controls.show()}</span>
            <FilterChip param="show" value="" label=t.common.all()/>
            {kinds}
        </div>
        {cut_off.then(|| view! { <Banner tone=Tone::Warning title=t.controls.cut_off()/> })}
        {archived.then(|| view! { <Banner tone=Tone::Info title=t.audit.archived_missing()/> })}
        {content}
    }
}

#[component]
fn Controls(list: ControlListView, shown: String, days: (String, String)) -> impl IntoView {
    let t = use_texts();
    let ControlListView { coverage, controls } = list;
    let ControlCoverage { title, total, covered, exercised, with_exceptions, .. } = coverage;
    let title = title.in_language(t.locale.as_str()).to_owned();
    let sums = t.controls.sums(covered, total, exercised, with_exceptions);
    let rows: Vec<_> = controls
        .into_iter()
        .filter(|control| is_shown(control, &shown))
        .map(|control| view! { <ControlRow control days=days.clone()/> })
        .collect();
    let content = if rows.is_empty() {
        view! {
            <EmptyState glyph=Glyph::Search title=t.controls.none_found() text=t.controls.none_found_text()/>
        }
    } else {
        let columns = vec![
            Column::new(t.controls.control()),
            Column::new(t.controls.workflows()).end(),
            Column::new(t.controls.runs()).end(),
            Column::new(t.controls.exceptions()).end(),
            Column::new(t.controls.last_evidence()),
        ];
        view! { <Table label=title.clone() columns>{rows}</Table> }
    };
    view! { <Card flush=true title subtitle=sums>{content}</Card> }
}

#[component]
fn ControlRow(control: ControlSummary, days: (String, String)) -> impl IntoView {
    let t = use_texts();
    let href = format!("/audit/controls/{}?from={}&to={}", control.id, days.0, days.1);
    let title = control.title.in_language(t.locale.as_str()).to_owned();
    let name = (title != control.number).then_some(title);
    let evidence = control.last_evidence.map(|last| {
        view! {
            <span class="control__about">
                {in_log(format!("R-{}", last.run))} " " <span class="control__when"><Moment at=last.at/></span>
            </span>
        }
    });
    let lacking = control.workflows == 0;
    view! {
        <tr class:control--lacking=lacking>
            <th scope="row">
                <a href=href><span class="control__number">{control.number}</span> " " {name}</a>
            </th>
            <td data-label=t.controls.workflows() class="table__end">{control.workflows}</td>
            <td data-label=t.controls.runs() class="table__end">{control.runs}</td>
            <td data-label=t.controls.exceptions() class="table__end" class:control__open=control.exceptions != 0>
                {control.exceptions}
            </td>
            <td data-label=t.controls.last_evidence()>{evidence}</td>
        </tr>
    }
}

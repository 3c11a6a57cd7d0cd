//! Exceptions of controls as a table, and the links into the log that who may read it gets.

use domain::{Operation, Timestamp, view::ControlExceptionView};
use leptos::prelude::*;

use super::period::days_of;
use crate::{
    components::{Column, EmptyState, Glyph, Moment, Table},
    i18n::use_texts,
    session::may,
    view,
};

/// Exceptions of runs that are no question.
const NEEDS_ATTENTION: &str = "needs-attention";

/// Words that lead into the log for whoever may read it, and are only words for others.
pub(super) fn into_log(words: String, query: &str) -> AnyView {
    if may(Operation::AuditRead) {
        let href = format!("/audit?{query}");
        view! { <a href=href>{words}</a> }
    } else {
        words.into_any()
    }
}

/// What the log has about something that has this name.
pub(super) fn in_log(name: String) -> AnyView {
    let query = format!("resource={}", urlencoding::encode(&name));
    into_log(name, &query)
}

/// A control, leading to its page.
#[component]
pub(super) fn ControlLink(id: String) -> impl IntoView {
    let href = format!("/audit/controls/{id}");
    view! { <a class="control-link" href=href>{id}</a> }
}

/// Exceptions, newest first; `named` says whether each names its controls.
#[component]
pub(super) fn Exceptions(
    exceptions: Vec<ControlExceptionView>,
    from: Timestamp,
    to: Timestamp,
    #[prop(optional)] named: bool,
) -> impl IntoView {
    let t = use_texts().controls;
    if exceptions.is_empty() {
        return view! { <EmptyState glyph=Glyph::CircleCheck title=t.no_exceptions() text=t.no_exceptions_text()/> };
    }
    let mut heads = vec![Column::new(t.when()), Column::new(t.what()), Column::new(t.about()), Column::new(t.person())];
    heads.extend(named.then(|| Column::new(t.concerns())));
    heads.push(Column::new(t.entry()));
    let rows: Vec<_> = exceptions.into_iter().map(|exception| view! { <Exception exception from to named/> }).collect();
    view! { <Table label=t.exceptions() columns=heads>{rows}</Table> }
}

#[component]
fn Exception(exception: ControlExceptionView, from: Timestamp, to: Timestamp, named: bool) -> impl IntoView {
    let t = use_texts().controls;
    let ControlExceptionView { kind, at, run, definition, person, entry, controls } = exception;
    let words = t.by_key(&format!("kind_{}", kind.replace('-', "_"))).unwrap_or_default().to_owned();
    let what = if kind == NEEDS_ATTENTION || !may(Operation::AuditRead) {
        words.into_any()
    } else {
        let (first, last) = days_of(from, to);
        let href = format!("/audit/questions/{kind}?from={first}&to={last}");
        view! { <a href=href>{words}</a> }
    };
    let run = run.map(|number| in_log(format!("R-{number}")));
    let definition = definition.map(|definition| view! { <span class="control__definition">{definition}</span> });
    let person = person.map(|login| {
        let query = format!("actor={}", urlencoding::encode(&login));
        into_log(login, &query)
    });
    let entry = entry.map(|seq| into_log(format!("#{seq}"), &format!("last={seq}")));
    let concerns = named.then(|| {
        let links: Vec<_> = controls.into_iter().map(|id| view! { <ControlLink id/> }).collect();
        view! { <td data-label=t.concerns()><span class="control-links">{links}</span></td> }
    });
    view! {
        <tr>
            <td data-label=t.when()><Moment at exact=true/></td>
            <td data-label=t.what()>{what}</td>
            <td data-label=t.about()><span class="control__about">{run} {definition}</span></td>
            <td data-label=t.person()>{person}</td>
            {concerns}
            <td data-label=t.entry()>{entry}</td>
        </tr>
    }
}

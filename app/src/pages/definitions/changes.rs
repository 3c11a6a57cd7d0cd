//! What a version changes: its text beside that of another one.

use domain::view::{DifferenceRow, DifferenceView, TextLine};
use leptos::prelude::*;

use crate::{
    components::{Card, EmptyState, Glyph},
    i18n::{Texts, use_texts},
    view,
};

/// The two texts side by side, where they differ.
#[component]
pub(super) fn Changes(difference: DifferenceView, version: String) -> impl IntoView {
    let t = use_texts();
    let DifferenceView { mut other, passages } = difference;
    if other == "shipped" {
        t.definitions.shipped().clone_into(&mut other);
    }
    let title = t.definitions.changes_since(&other);
    if passages.is_empty() {
        return view! {
            <Card title=title>
                <EmptyState glyph=Glyph::Copy title=t.definitions.no_changes()/>
            </Card>
        };
    }
    let caption = t.definitions.changes_caption(&version, &other);
    let label = caption.clone();
    let passages: Vec<_> = passages
        .into_iter()
        .map(|rows| {
            let rows: Vec<_> = rows.into_iter().map(|row| row_view(t, row)).collect();
            view! { <tbody class="difference__passage">{rows}</tbody> }
        })
        .collect();
    view! {
        <Card title=title flush=true>
            <div class="difference" role="region" aria-label=label tabindex="0">
                <table class="difference__table">
                    <caption class="visually-hidden">{caption}</caption>
                    <thead>
                        <tr>
                            <th scope="col" colspan="2">{other}</th>
                            <th scope="col" colspan="2">{version}</th>
                        </tr>
                    </thead>
                    {passages}
                </table>
            </div>
        </Card>
    }
}

fn row_view(t: Texts, row: DifferenceRow) -> AnyView {
    let same = row.is_same();
    view! {
        <tr>
            {side(row.before, (!same).then(|| ("difference__text--gone", t.definitions.line_gone())))}
            {side(row.after, (!same).then(|| ("difference__text--new", t.definitions.line_new())))}
        </tr>
    }
}

/// One side of a row; `mark` is the class of what differs, and the same in a word.
fn side(line: Option<TextLine>, mark: Option<(&'static str, &'static str)>) -> AnyView {
    let Some(TextLine { number, text }) = line else {
        return view! {
            <td class="difference__number"></td>
            <td class="difference__text difference__text--none"></td>
        };
    };
    let (class, word) = mark.unwrap_or_default();
    view! {
        <td class="difference__number">{number}</td>
        <td class=format!("difference__text {class}")>
            {mark.is_some().then(|| view! { <span class="visually-hidden">{word}</span> })}
            <code>{text}</code>
        </td>
    }
}

//! What came from outside, in order: the run's journal.

use domain::view::{JournalEntryView, Page};
use leptos::prelude::*;
use serde_json::Value;

use crate::{
    components::{Card, Column, Moment, Pager, Table},
    i18n::{Texts, use_texts},
    view,
};

/// A page of a run's journal.
#[component]
pub(super) fn Journal(page: Page<JournalEntryView>) -> impl IntoView {
    let t = use_texts();
    let columns = vec![
        Column::new(t.runs.journal_number()).end(),
        Column::new(t.runs.journal_when()),
        Column::new(t.runs.journal_event()),
        Column::new(t.common.details()),
    ];
    let rows: Vec<_> = page.items.into_iter().map(|entry| row(t, entry)).collect();
    view! {
        <Card flush=true>
            <Table label=t.runs.journal() columns=columns>{rows}</Table>
            <Pager next=page.next/>
        </Card>
    }
}

fn row(t: Texts, entry: JournalEntryView) -> impl IntoView {
    let kind = entry.event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let title = t.runs.by_key(&format!("event_{}", snake(&kind))).map_or_else(|| kind.clone(), str::to_owned);
    let json = serde_json::to_string_pretty(&entry.event).unwrap_or_default();
    view! {
        <tr>
            <td class="table__end" data-label=t.runs.journal_number()>{entry.version}</td>
            <td data-label=t.runs.journal_when()><Moment at=entry.at exact=true/></td>
            <td data-label=t.runs.journal_event()>{title}</td>
            <td data-label=t.common.details()>
                <details>
                    <summary><code>{kind}</code></summary>
                    <pre class="json">{json}</pre>
                </details>
            </td>
        </tr>
    }
}

/// `callCompleted` as `call_completed`.
fn snake(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            words.push('_');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

//! The text of a draft while it is written: what is typed is checked after a pause, and remembered by the browser until the
//! server has it.

use std::time::Duration;

use domain::view::{CheckedDefinition, Graph, TaskList, WorkflowVersionView};
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::HtmlTextAreaElement;

use super::checks::line_id;
use crate::{
    api::definitions::{VersionAddress, check_definition},
    components::schema_form::storage,
    session::use_me,
};

/// How long after the last letter the text is checked.
const PAUSE: Duration = Duration::from_millis(600);
/// The id of the text area.
pub(super) const AREA: &str = "definition-source";

/// Whether the server has what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Nothing was typed since the page was opened.
    AsFound,
    /// The browser remembers it, and nobody else has it.
    Typed,
    /// The server has it.
    Kept,
}

/// Whether what is said to be wrong is wrong with the text as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checking {
    /// It is.
    Done,
    /// The text has changed since.
    Waits,
    /// It cannot be said: something that the text refers to does not come, or the server does not.
    Unknown,
}

/// A text that is being written.
#[derive(Clone, Copy)]
pub(super) struct Writing {
    pub(super) text: RwSignal<String>,
    /// Of the text that the server had when this one began.
    pub(super) digest: RwSignal<String>,
    pub(super) keeping: RwSignal<Keeping>,
    pub(super) checking: RwSignal<Checking>,
    pub(super) checked: RwSignal<CheckedDefinition>,
    /// Of the last text that was a definition.
    pub(super) graph: RwSignal<Option<Graph>>,
    /// Grows with every change.
    pub(super) edits: StoredValue<u64>,
    timer: StoredValue<Option<TimeoutHandle>>,
    /// Under which the browser remembers it.
    key: StoredValue<String>,
}

impl Writing {
    pub(super) fn of(
        definition: &WorkflowVersionView,
        checked: Option<CheckedDefinition>,
        at: &VersionAddress,
    ) -> Self {
        let login = use_me().map(|me| me.login).unwrap_or_default();
        let checking = if checked.is_some() { Checking::Done } else { Checking::Unknown };
        let checked = checked.unwrap_or_default();
        Self {
            text: RwSignal::new(definition.source.clone()),
            digest: RwSignal::new(definition.digest.clone()),
            keeping: RwSignal::new(Keeping::AsFound),
            checking: RwSignal::new(checking),
            graph: RwSignal::new(checked.graph.clone()),
            checked: RwSignal::new(checked),
            edits: StoredValue::new(0),
            timer: StoredValue::new(None),
            key: StoredValue::new(format!("rondo.definition.{login}.{}", at.href())),
        }
    }

    pub(super) fn typed(self, text: String) {
        // The editor in the area's place tells of each change, also of those that it was told.
        if self.text.with_untracked(|now| *now == text) {
            return;
        }
        self.changed(text);
        self.timer.set_value(set_timeout_with_handle(move || self.check(), PAUSE).ok());
    }

    /// The text was changed by a form: this is it now, with these tasks.
    pub(super) fn edited(self, text: String, tasks: Option<TaskList>) {
        if self.text.with_untracked(|now| *now != text) {
            self.changed(text);
            self.check();
        }
        self.checked.update(|checked| checked.tasks = tasks);
    }

    fn changed(self, text: String) {
        self.text.set(text);
        self.edits.update_value(|edits| *edits += 1);
        self.keeping.set(Keeping::Typed);
        self.checking.set(Checking::Waits);
        self.remember();
        self.stop();
    }

    pub(super) fn stop(self) {
        if let Some(Some(timer)) = self.timer.try_update_value(Option::take) {
            timer.clear();
        }
    }

    /// Asks what is wrong with the text. An answer to an older text is not taken.
    fn check(self) {
        let asked = self.edits.get_value();
        let text = self.text.get_untracked();
        leptos::task::spawn_local_scoped(async move {
            let answer = check_definition(text).await;
            if self.edits.try_get_value() != Some(asked) {
                return;
            }
            match answer {
                Ok(checked) => self.show(checked),
                Err(_) => self.checking.set(Checking::Unknown),
            }
        });
    }

    fn show(self, checked: CheckedDefinition) {
        if checked.graph.is_some() {
            self.graph.set(checked.graph.clone());
        }
        self.checked.set(checked);
        self.checking.set(Checking::Done);
    }

    /// The text was kept under a new digest; `sent` is which of the changes were in it.
    pub(super) fn kept(self, digest: String, sent: u64) {
        self.digest.set(digest);
        if self.edits.get_value() == sent {
            self.keeping.set(Keeping::Kept);
            if let Some(storage) = storage() {
                let _ = self.key.with_value(|key| storage.remove_item(key));
            }
        } else {
            self.remember();
        }
    }

    /// Shows a place of the text, by line and column.
    pub(super) fn shower(self) -> Callback<(u64, u64)> {
        Callback::new(move |(line, column)| self.text.with_untracked(|text| show_place(text, line, column)))
    }

    /// Keeps the text in the browser, with the digest of the one that it goes on from.
    fn remember(self) {
        if let Some(storage) = storage() {
            let kept = format!("{}\n{}", self.digest.get_untracked(), self.text.get_untracked());
            // A full or forbidden storage is no reason to disturb somebody who writes.
            let _ = self.key.with_value(|key| storage.set_item(key, &kept));
        }
    }

    /// Brings back what only this browser has. If the draft was changed meanwhile the server says so when it is saved,
    /// because the digest comes back as well.
    pub(super) fn restore(self) -> bool {
        let kept = storage().and_then(|storage| self.key.with_value(|key| storage.get_item(key)).ok().flatten());
        let Some((digest, text)) = kept.as_deref().and_then(|kept| kept.split_once('\n')) else { return false };
        if self.text.with_untracked(|now| now == text) {
            return false;
        }
        self.digest.set(digest.to_owned());
        self.typed(text.to_owned());
        true
    }
}

pub(super) fn text_area() -> Option<HtmlTextAreaElement> {
    document().get_element_by_id(AREA)?.dyn_into().ok()
}

/// Puts the cursor to a place of the text.
fn show_place(text: &str, line: u64, column: u64) {
    let Some(area) = text_area() else { return };
    if let Some(number) = document().get_element_by_id(&line_id(line)) {
        number.scroll_into_view();
    }
    let place = offset(text, line, column);
    // In this order: the editor that may stand in the area's place takes its selection when the area gets the focus.
    let _ = area.set_selection_range(place, place);
    let _ = area.focus();
}

/// A place as browsers count, in units of UTF-16.
fn offset(text: &str, line: u64, column: u64) -> u32 {
    let before = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let columns = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let of_lines: usize = text.split_inclusive('\n').take(before).map(|line| line.encode_utf16().count()).sum();
    let rest = text.split('\n').nth(before).unwrap_or_default();
    let of_columns: usize = rest.chars().take(columns).map(char::len_utf16).sum();
    u32::try_from(of_lines + of_columns).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn places_are_found_as_browsers_count_them() {
        let text = "a: 가\nb: 😀x\n";
        assert_eq!(offset(text, 1, 1), 0);
        assert_eq!(offset(text, 1, 4), 3);
        assert_eq!(offset(text, 2, 1), 5);
        assert_eq!(offset(text, 2, 5), 10);
        assert_eq!(offset(text, 9, 9), 12);
    }
}

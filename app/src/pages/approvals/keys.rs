//! The keyboard in the queue: j and k go through it, x chooses, a and r lead to the two decisions, ? explains.
//!
//! No key decides by itself: a and r open a dialog that says what is decided about, with the field for the reason in focus.
//! Where more than a reason is asked for, they lead to the form on the page.

use std::collections::BTreeSet;

use domain::ApprovalId;
use leptos::{ev, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate, params::ParamsMap};
use wasm_bindgen::JsCast;

use crate::{components::Dialog, i18n::use_texts, url_state::href_with, view};

/// The id of the button that approves.
pub(super) const APPROVE: &str = "approve";
/// The id of the field for the reason of a rejection.
pub(super) const REASON: &str = "reason";

/// The dialog that approves.
pub(super) const APPROVE_DIALOG: &str = "approve";
/// The dialog that rejects.
pub(super) const REJECT_DIALOG: &str = "reject";

/// What the keys go through, as the page shows it.
#[derive(Clone, Copy)]
pub(super) struct Course {
    /// The list, each with what readers hear of it.
    pub(super) order: RwSignal<Vec<(ApprovalId, String)>>,
    /// The one that is open.
    pub(super) open: RwSignal<Option<ApprovalId>>,
    /// Whether the open one is decided with no more than a word and a reason.
    pub(super) plain: RwSignal<bool>,
    /// Those that were chosen.
    pub(super) chosen: RwSignal<BTreeSet<ApprovalId>>,
    /// What has just happened, for readers.
    pub(super) said: RwSignal<String>,
    /// The one whose entry gets the focus once the list is there again.
    pub(super) follow: RwSignal<Option<ApprovalId>>,
}

impl Course {
    fn new() -> Self {
        Self {
            order: RwSignal::new(Vec::new()),
            open: RwSignal::new(None),
            plain: RwSignal::new(false),
            chosen: RwSignal::new(BTreeSet::new()),
            said: RwSignal::new(String::new()),
            follow: RwSignal::new(None),
        }
    }

    /// The one of this visit. It outlives the pages: to the router the queue and a decision in it are two.
    pub(super) fn of_visit() -> Self {
        use_context().unwrap_or_else(Self::new)
    }

    /// Chooses one, or does so no more.
    pub(super) fn toggle(self, id: ApprovalId) {
        self.chosen.update(|chosen| {
            if !chosen.remove(&id) {
                chosen.insert(id);
            }
        });
    }

    /// Puts the focus on the entry that the keys have led to.
    pub(super) fn arrive(self) {
        if let Some(id) = self.follow.get_untracked()
            && let Some(entry) = element(&entry_id(id))
        {
            self.follow.set(None);
            let _ = entry.focus();
        }
    }
}

/// Gives the pages a course that outlives them.
pub(crate) fn provide_course() {
    provide_context(Course::new());
}

/// The id of an entry of the queue.
pub(super) fn entry_id(approval: ApprovalId) -> String {
    format!("queue-{approval}")
}

/// Listens as long as the page is open.
pub(super) fn listen(course: Course, query: Memo<ParamsMap>) {
    let t = use_texts().approvals;
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let listener = window_event_listener(ev::keydown, move |event| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing(&event) {
                return;
            }
            let visit = |href: &str| navigate(href, NavigateOptions { scroll: false, ..NavigateOptions::default() });
            let place = course.open.get_untracked();
            let go = |steps: isize| {
                let target = course.order.with_untracked(|order| {
                    let at = order.iter().position(|(id, _)| Some(*id) == place);
                    let next = at.map_or(Some(0), |at| at.checked_add_signed(steps))?;
                    order.get(next).map(|(id, name)| (*id, t.at_place(next + 1, order.len(), name)))
                });
                if let Some((target, words)) = target {
                    course.said.set(words);
                    course.follow.set(Some(target));
                    let path = format!("/approvals/{target}");
                    visit(&query.with_untracked(|query| href_with(&path, query, &[("decided", None)])));
                }
            };
            let ask = |dialog: &str, otherwise: &str| {
                if course.plain.get_untracked() {
                    event.prevent_default();
                    visit(&here(query, dialog));
                } else {
                    focus(&event, otherwise);
                }
            };
            match event.key().as_str() {
                "j" => go(1),
                "k" => go(-1),
                "ArrowDown" | "ArrowUp" if is_within(&event, ".queue") => {
                    event.prevent_default();
                    go(if event.key() == "ArrowDown" { 1 } else { -1 });
                }
                "Enter" if on_nothing() => go(0),
                "x" => {
                    if let Some(field) = place.and_then(|id| element(&format!("choose-{id}"))) {
                        // As a click, so that the field, the count and readers agree.
                        field.click();
                    }
                }
                "a" => ask(APPROVE_DIALOG, APPROVE),
                "r" => ask(REJECT_DIALOG, REASON),
                "?" => visit(&here(query, "keys")),
                _ => {}
            }
        });
        on_cleanup(move || listener.remove());
    });
}

/// This page with a dialog open.
fn here(query: Memo<ParamsMap>, dialog: &str) -> String {
    let path = window().location().pathname().unwrap_or_default();
    query.with_untracked(|query| href_with(&path, query, &[("dialog", Some(dialog))]))
}

/// Whether the key belongs to a control or to an open dialog. A box that is ticked takes no letters.
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    is_within(event, "input:not([type=checkbox]), textarea, select, [contenteditable], dialog")
}

fn is_within(event: &ev::KeyboardEvent, selector: &str) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| element.closest(selector).ok().flatten().is_some())
}

fn element(id: &str) -> Option<web_sys::HtmlElement> {
    document().get_element_by_id(id).and_then(|element| element.dyn_into().ok())
}

/// Whether the focus is on nothing that Enter would press.
fn on_nothing() -> bool {
    document().active_element().is_none_or(|element| element.tag_name() == "BODY")
}

fn focus(event: &ev::KeyboardEvent, id: &str) {
    if let Some(element) = element(id) {
        // The letter must not land in the field that it leads to.
        event.prevent_default();
        let _ = element.focus();
        element.scroll_into_view();
    }
}

/// What the keys do.
#[component]
pub(super) fn KeysDialog() -> impl IntoView {
    let t = use_texts().approvals;
    let rows = move || {
        [
            ("j", t.key_next()),
            ("k", t.key_previous()),
            ("↓ ↑", t.key_arrows()),
            ("Enter", t.key_open()),
            ("x", t.key_choose()),
            ("a", t.key_approve()),
            ("r", t.key_reject()),
            ("?", t.key_help()),
        ]
        .map(|(key, text)| {
            view! {
                <div class="keys__row">
                    <dt><kbd>{key}</kbd></dt>
                    <dd>{text}</dd>
                </div>
            }
        })
        .collect_view()
    };
    view! {
        <Dialog name="keys" title=t.keys()>
            <dl class="keys">{rows()}</dl>
        </Dialog>
    }
}

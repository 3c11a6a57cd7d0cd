//! The keyboard in the queue: j and k go through it, a and r lead to the two decisions, ? explains.
//!
//! No key decides by itself: a and r put the focus where Enter, or a reason and then the button, does.

use domain::ApprovalId;
use leptos::{ev, prelude::*};
use leptos_router::{NavigateOptions, hooks::use_navigate, params::ParamsMap};
use wasm_bindgen::JsCast;

use crate::{components::Dialog, i18n::use_texts, url_state::href_with, view};

/// The id of the button that approves.
pub(super) const APPROVE: &str = "approve";
/// The id of the field for the reason of a rejection.
pub(super) const REASON: &str = "reason";

/// Listens as long as the page is open.
pub(super) fn listen(order: RwSignal<Vec<ApprovalId>>, open: RwSignal<Option<ApprovalId>>, query: Memo<ParamsMap>) {
    let navigate = use_navigate();
    Effect::new(move |_| {
        let navigate = navigate.clone();
        let listener = window_event_listener(ev::keydown, move |event| {
            if event.ctrl_key() || event.meta_key() || event.alt_key() || is_typing(&event) {
                return;
            }
            let go = |steps: isize| {
                let place = open.get_untracked();
                let target = order.with_untracked(|order| {
                    let at = order.iter().position(|id| Some(*id) == place);
                    let next = at.map_or(Some(0), |at| at.checked_add_signed(steps));
                    next.and_then(|next| order.get(next).copied())
                });
                if let Some(target) = target {
                    let path = format!("/approvals/{target}");
                    let href = query.with_untracked(|query| href_with(&path, query, &[("decided", None)]));
                    navigate(&href, NavigateOptions { scroll: false, ..NavigateOptions::default() });
                }
            };
            match event.key().as_str() {
                "j" => go(1),
                "k" => go(-1),
                "Enter" if on_nothing() => go(0),
                "a" => focus(&event, APPROVE),
                "r" => focus(&event, REASON),
                "?" => {
                    let path = window().location().pathname().unwrap_or_default();
                    let href = query.with_untracked(|query| href_with(&path, query, &[("dialog", Some("keys"))]));
                    navigate(&href, NavigateOptions { scroll: false, ..NavigateOptions::default() });
                }
                _ => {}
            }
        });
        on_cleanup(move || listener.remove());
    });
}

/// Whether the key belongs to a control or to an open dialog.
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    let Some(element) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else {
        return false;
    };
    element.closest("input, textarea, select, [contenteditable], dialog").ok().flatten().is_some()
}

/// Whether the focus is on nothing that Enter would press.
fn on_nothing() -> bool {
    document().active_element().is_none_or(|element| element.tag_name() == "BODY")
}

fn focus(event: &ev::KeyboardEvent, id: &str) {
    let element = document().get_element_by_id(id).and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(element) = element {
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
            ("Enter", t.key_open()),
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

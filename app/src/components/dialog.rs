use leptos::{ev, html, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{Glyph, Icon};
use crate::{i18n::use_texts, url_state::href_with, view};

/// The address that opens the dialog `name` on the current page. The opener is a link, so it works without JavaScript.
pub fn dialog_href(name: impl Into<String>) -> Signal<String> {
    let location = use_location();
    let name = name.into();
    Signal::derive(move || {
        href_with(&location.pathname.get(), &location.query.get(), &[("dialog", Some(name.as_str()))])
    })
}

/// A question or a form above the page, open while the address says `?dialog=NAME`. Escape and the cross close it.
#[component]
pub fn Dialog(
    /// Its name in the address.
    #[prop(into)]
    name: String,
    /// The heading; names the object (*Cancel run R-1042*).
    #[prop(into)]
    title: String,
    /// Content; made when it opens.
    children: ChildrenFn,
) -> impl IntoView {
    let location = use_location();
    let query = location.query;
    let open = Memo::new(move |_| query.with(|query| query.get_str("dialog") == Some(name.as_str())));
    let children = StoredValue::new(children);
    let title = StoredValue::new(title);
    view! {
        <Show when=move || open.get()>
            <OpenDialog title=title.get_value()>{children.with_value(|children| children())}</OpenDialog>
        </Show>
    }
}

#[component]
fn OpenDialog(title: String, children: Children) -> impl IntoView {
    let t = use_texts().common;
    let node = NodeRef::<html::Dialog>::new();
    let location = use_location();
    let away = Signal::derive(move || href_with(&location.pathname.get(), &location.query.get(), &[]));
    let navigate = use_navigate();
    // The server sends it open, for those without JavaScript; here it becomes a modal one with a focus trap.
    Effect::new(move |_| {
        if let Some(dialog) = node.get() {
            dialog.close();
            let _ = dialog.show_modal();
        }
    });
    let leave = move |event: ev::Event| {
        event.prevent_default();
        navigate(&away.get_untracked(), NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    };
    // No name of a dialog is in it: an id has no spaces. No more than one is open.
    view! {
        <dialog class="dialog" open=true node_ref=node aria-labelledby="dialog-title" on:cancel=leave>
            <div class="dialog__head">
                <h2 class="dialog__title" id="dialog-title">{title}</h2>
                <a class="icon-button" href=move || away.get() aria-label=t.close() data-noscroll="">
                    <Icon glyph=Glyph::Cross/>
                </a>
            </div>
            <div class="dialog__body">{children()}</div>
        </dialog>
    }
}

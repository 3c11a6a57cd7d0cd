use leptos::prelude::*;

use super::{Glyph, Icon};
use crate::view;

/// A native popover with its opener; works without JavaScript. For the bar at the top.
#[component]
pub fn Popover(
    /// Its id.
    #[prop(into)]
    id: String,
    /// What the opener says to readers.
    #[prop(into)]
    label: String,
    /// What the opener shows.
    opener: AnyView,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            class="icon-button"
            type="button"
            popovertarget=id.clone()
            aria-label=label.clone()
        >
            {opener}
        </button>
        <div class="popover" id=id popover="auto" role="group" aria-label=label>{children()}</div>
    }
}

/// Actions of a row behind three dots, as a disclosure that works without JavaScript.
#[component]
pub fn Menu(
    /// What it is for (*Actions for Mina Manager*).
    #[prop(into)]
    label: String,
    /// [`MenuLink`]s and forms.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="menu" name="row-menu">
            <summary class="icon-button" aria-label=label>
                <Icon glyph=Glyph::More/>
            </summary>
            <div class="menu__list">{children()}</div>
        </details>
    }
}

/// An action of a menu that leads somewhere or opens a dialog.
#[component]
pub fn MenuLink(
    /// Where to.
    #[prop(into)]
    href: Signal<String>,
    /// A picture.
    #[prop(optional, into)]
    icon: Option<Glyph>,
    /// Cannot be undone.
    #[prop(optional)]
    danger: bool,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="menu__item" class:menu__item--danger=danger href=move || href.get() data-noscroll="">
            {icon.map(|glyph| view! { <Icon glyph/> })}
            <span>{children()}</span>
        </a>
    }
}

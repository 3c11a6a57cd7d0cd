use leptos::prelude::*;

use super::{Glyph, Icon};
use crate::view;

/// How loud a button is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonLook {
    /// The one primary action of a page.
    Primary,
    /// Any other.
    #[default]
    Secondary,
    /// In rows and bars.
    Quiet,
    /// Cannot be undone.
    Danger,
}

impl ButtonLook {
    const fn class(self) -> &'static str {
        match self {
            Self::Primary => "button button--primary",
            Self::Secondary => "button",
            Self::Quiet => "button button--quiet",
            Self::Danger => "button button--danger",
        }
    }
}

/// A button. By default it sends its form; `kind="button"` for one that only acts in the browser.
#[component]
pub fn Button(
    /// How loud.
    #[prop(optional)]
    look: ButtonLook,
    /// A picture before the words.
    #[prop(optional, into)]
    icon: Option<Glyph>,
    /// `submit`, `button` or `reset`.
    #[prop(default = "submit")]
    kind: &'static str,
    /// While true it shows that it works. It keeps the focus: pressed again it sends nothing, see
    /// [`Submission`](crate::submission::Submission).
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Cannot be pressed.
    #[prop(optional, into)]
    disabled: Signal<bool>,
    /// Name in the form that it sends.
    #[prop(optional, into)]
    name: Option<String>,
    /// Value in the form that it sends.
    #[prop(optional, into)]
    value: Option<String>,
    /// Smaller, for rows.
    #[prop(optional)]
    small: bool,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <button
            type=kind
            class=look.class()
            class:button--small=small
            name=name
            value=value
            disabled=move || disabled.get()
            aria-disabled=move || busy.get().then_some("true")
            aria-busy=move || busy.get().then_some("true")
        >
            {icon.map(|glyph| view! { <Icon glyph/> })}
            <span class="button__text">{children()}</span>
        </button>
    }
}

/// A link that looks like a button: it leads somewhere, it changes nothing.
#[component]
pub fn LinkButton(
    /// Where to.
    #[prop(into)]
    href: Signal<String>,
    /// How loud.
    #[prop(optional)]
    look: ButtonLook,
    /// A picture before the words.
    #[prop(optional, into)]
    icon: Option<Glyph>,
    /// Smaller, for rows.
    #[prop(optional)]
    small: bool,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <a
            class=look.class()
            class:button--small=small
            href=move || href.get()
            // A dialog opens over the page where it stands.
            data-noscroll=move || href.with(|href| href.contains("dialog=")).then_some("")
        >
            {icon.map(|glyph| view! { <Icon glyph/> })}
            <span class="button__text">{children()}</span>
        </a>
    }
}

/// A link to a file that the browser keeps.
#[component]
pub fn DownloadLink(
    /// Where the file is.
    #[prop(into)]
    href: Signal<String>,
    /// The words.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="button button--small" href=move || href.get() download="" rel="external">
            <Icon glyph=Glyph::Download/>
            <span class="button__text">{children()}</span>
        </a>
    }
}

use leptos::prelude::*;

use super::{Button, ButtonLook, Glyph};
use crate::{i18n::use_texts, view};

/// Copies a text, and says that it did.
#[component]
pub fn CopyButton(
    /// What to copy.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let t = use_texts().common;
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let _ = window().navigator().clipboard().write_text(&text);
        copied.set(true);
        set_timeout(move || _ = copied.try_set(false), std::time::Duration::from_secs(3));
    };
    view! {
        <span class="copy" aria-live="polite">
            <Button kind="button" look=ButtonLook::Quiet small=true icon=Glyph::Copy on:click=copy>
                {move || if copied.get() { t.copied() } else { t.copy() }}
            </Button>
        </span>
    }
}

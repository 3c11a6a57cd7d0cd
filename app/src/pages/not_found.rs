//! No page at this address.

use domain::ErrorCode;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    components::{EmptyState, Glyph, LinkButton},
    errors,
    i18n::use_texts,
    view,
};

/// No page at this address.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    let t = use_texts();
    #[cfg(feature = "ssr")]
    crate::api::answer_with_status(404);
    view! {
        <Title text=errors::title(t, ErrorCode::NotFound)/>
        <h1 class="visually-hidden">{errors::title(t, ErrorCode::NotFound)}</h1>
        <EmptyState glyph=Glyph::Question title=errors::title(t, ErrorCode::NotFound) text=t.errors.no_page()>
            <LinkButton href="/">{t.errors.to_home()}</LinkButton>
        </EmptyState>
    }
}

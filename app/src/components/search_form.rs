use leptos::{ev::SubmitEvent, prelude::*};
use leptos_router::hooks::use_location;

use super::{Button, Glyph, Icon};
use crate::{i18n::use_texts, view};

/// The search of a list, which is the address: a form that is sent by GET, so it works without JavaScript.
#[component]
pub fn SearchForm(
    /// The page with the list.
    action: &'static str,
    /// The name of what is searched for in the address.
    name: &'static str,
    /// What is searched.
    label: &'static str,
    /// Told what is typed, as it is typed; there is no button then.
    #[prop(optional)]
    typed: Option<Callback<String>>,
    /// Hidden fields: what else the address says and is to say on.
    children: Children,
) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query;
    let asked = move || query.with(|query| query.get(name).unwrap_or_default());
    let text = RwSignal::new(untrack(asked));
    if typed.is_none() {
        Effect::new(move |_| text.set(asked()));
    }
    let on_input = move |event| {
        if let Some(typed) = typed {
            text.set(event_target_value(&event));
            typed.run(text.get_untracked());
        }
    };
    let on_submit = move |event: SubmitEvent| {
        if typed.is_some() {
            event.prevent_default();
        }
    };
    view! {
        <form class="search" role="search" method="get" action=action on:submit=on_submit>
            <Icon glyph=Glyph::Search/>
            <input
                class="input search__input"
                type="search"
                name=name
                aria-label=label
                placeholder=label
                autocomplete="off"
                value=text.get_untracked()
                prop:value=move || text.get()
                on:input=on_input
            />
            {children()}
            {typed.is_none().then(|| view! { <Button small=true>{t.common.search()}</Button> })}
        </form>
    }
}

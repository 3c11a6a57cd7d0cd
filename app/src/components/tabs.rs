use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{url_state::href_with, view};

/// One tab.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Its value in `?tab=`; empty for the first.
    pub value: &'static str,
    /// Its words.
    pub label: String,
    /// A number beside the words.
    pub count: Option<u64>,
}

/// Parts of a page as links, so that each can be linked; the one in `?tab=` is current.
#[component]
pub fn Tabs(
    /// What the parts are parts of.
    #[prop(into)]
    label: String,
    /// The tabs.
    tabs: Vec<Tab>,
) -> impl IntoView {
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let current = Memo::new(move |_| query.with(|query| query.get("tab").unwrap_or_default()));
    let links: Vec<_> = tabs
        .into_iter()
        .map(|tab| {
            let set = (!tab.value.is_empty()).then_some(tab.value);
            view! {
                <a
                    class="tabs__tab"
                    data-noscroll=""
                    href=move || href_with(&path.get(), &query.get(), &[("tab", set)])
                    aria-current=move || current.with(|now| now == tab.value).then_some("page")
                >
                    <span>{tab.label}</span>
                    {tab.count.map(|count| view! { <span class="count">{count}</span> })}
                </a>
            }
        })
        .collect();
    view! { <nav class="tabs" aria-label=label>{links}</nav> }
}

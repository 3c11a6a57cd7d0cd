use crate::view;
use leptos::prelude::*;

/// A part of a page with its own heading.
#[component]
pub fn Card(
    /// The heading.
    #[prop(optional, into)]
    title: Option<String>,
    /// A sentence below the heading.
    #[prop(optional, into)]
    subtitle: Option<String>,
    /// Links or buttons beside the heading.
    #[prop(optional, into)]
    actions: Option<AnyView>,
    /// Whether the content goes to the edges, as tables and lists do.
    #[prop(optional)]
    flush: bool,
    /// The content.
    children: Children,
) -> impl IntoView {
    let head = title.is_some() || actions.is_some();
    view! {
        <section class="card" class:card--flush=flush>
            {head
                .then(|| {
                    view! {
                        <div class="card__head">
                            <div>
                                {title.map(|title| view! { <h2 class="card__title">{title}</h2> })}
                                {subtitle.map(|text| view! { <p class="card__subtitle">{text}</p> })}
                            </div>
                            {actions.map(|actions| view! { <div class="card__actions">{actions}</div> })}
                        </div>
                    }
                })}
            <div class="card__body">{children()}</div>
        </section>
    }
}

/// Names with their values.
#[component]
pub fn DefinitionList(
    /// Pairs in order.
    items: Vec<(String, AnyView)>,
) -> impl IntoView {
    let rows: Vec<_> = items
        .into_iter()
        .map(|(name, value)| {
            view! {
                <div class="definitions__row">
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            }
        })
        .collect();
    view! { <dl class="definitions">{rows}</dl> }
}

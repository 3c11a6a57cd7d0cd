use crate::view;
use leptos::prelude::*;
use leptos_meta::Title;

/// The one heading of a page, with its primary action at the same place everywhere. Sets the title of the tab as well.
#[component]
pub fn PageHeader(
    /// The heading.
    #[prop(into)]
    title: String,
    /// A sentence below it.
    #[prop(optional, into)]
    subtitle: Option<String>,
    /// Badges beside the heading.
    #[prop(optional, into)]
    marks: Option<AnyView>,
    /// The primary action, and others before it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <div class="page-header">
            <div class="page-header__text">
                <div class="page-header__line">
                    <h1 class="page-header__title" tabindex="-1">{title}</h1>
                    {marks}
                </div>
                {subtitle.map(|text| view! { <p class="page-header__subtitle">{text}</p> })}
            </div>
            {children.map(|children| view! { <div class="page-header__actions">{children()}</div> })}
        </div>
    }
}

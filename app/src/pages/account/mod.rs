//! One's own account: password, sessions, API tokens, substitutes, language and appearance.

mod password;
mod sessions;
mod substitutes;
mod tokens;

use leptos::prelude::*;

use crate::{
    components::{Card, DefinitionList, PageHeader, Tab, Tabs},
    frame::{LocaleForm, ThemeForm},
    i18n::use_texts,
    session::use_me,
    url_state::query_text,
    view,
};
use password::PasswordCard;
use sessions::SessionsCard;
use substitutes::SubstitutesCard;
use tokens::TokensCard;

/// The account page; its parts are in `?tab=`.
#[component]
pub fn AccountPage() -> impl IntoView {
    let t = use_texts();
    let tab = query_text("tab");
    let tabs = vec![
        Tab { value: "", label: t.account.tab_profile().to_owned(), count: None },
        Tab { value: "substitutes", label: t.account.substitutes().to_owned(), count: None },
        Tab { value: "sessions", label: t.frame.sessions().to_owned(), count: None },
        Tab { value: "tokens", label: t.frame.tokens().to_owned(), count: None },
    ];
    view! {
        <PageHeader title=t.account.title()/>
        <Tabs label=t.account.title() tabs/>
        <div class="page-narrow">
            {move || match tab.get().as_str() {
                "sessions" => view! { <SessionsCard/> },
                "substitutes" => view! { <SubstitutesCard/> },
                "tokens" => view! { <TokensCard/> },
                _ => view! { <Profile/> },
            }}
        </div>
    }
}

#[component]
fn Profile() -> impl IntoView {
    let t = use_texts();
    let me = use_me();
    let facts = me.map(|me| {
        let text = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned()).into_any();
        let roles: Vec<_> = me
            .grants
            .iter()
            .map(|grant| {
                let role = t.common.by_key(&format!("role_{}", grant.role)).unwrap_or_default();
                let place = grant.scope.to_string();
                let place = if place == "*" { t.account.everywhere().to_owned() } else { place };
                view! { <li>{t.account.role_in(role, place)}</li> }
            })
            .collect();
        vec![
            (t.common.name().to_owned(), me.name.into_any()),
            (t.account.login().to_owned(), view! { <code>{me.login}</code> }),
            (t.account.email().to_owned(), text(me.email)),
            (t.account.manager().to_owned(), text(me.manager.map(|manager| manager.name))),
            (t.account.roles().to_owned(), view! { <ul class="plain-list">{roles}</ul> }),
        ]
    });
    view! {
        {facts.map(|items| view! { <Card title=t.account.profile() subtitle=t.account.profile_lead()><DefinitionList items/></Card> })}
        <Card title=t.account.preferences()>
            <div class="settings">
                <LocaleForm/>
                <ThemeForm/>
            </div>
        </Card>
        <PasswordCard/>
    }
}

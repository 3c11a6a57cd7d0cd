//! The bar at the top: where I am, search and commands, notices, me.

use domain::view::MeView;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use server_fn::ServerFn;

use super::{breadcrumb::Breadcrumb, palette::PaletteOpener};
use crate::{
    api::sign_in::{SetLocale, SetTheme, SignOut},
    components::{Avatar, Glyph, Icon, Popover},
    i18n::{Locale, use_texts},
    session::{Counts, Theme},
    view,
};

#[component]
pub(super) fn TopBar(me: MeView) -> impl IntoView {
    view! {
        <header class="top-bar">
            <Breadcrumb/>
            <PaletteOpener/>
            <Bell/>
            <MeMenu me/>
        </header>
    }
}

#[component]
fn Bell() -> impl IntoView {
    let t = use_texts().frame;
    let counts = use_context::<Counts>();
    let unread = move || counts.map_or(0, |counts| counts.notifications.get());
    let label = move || if unread() == 0 { t.no_unread().to_owned() } else { t.unread(unread()) };
    view! {
        <a class="icon-button bell" href="/notifications" aria-label=label>
            <Icon glyph=Glyph::Bell/>
            <Show when=move || { unread() > 0 }>
                <span class="bell__count" aria-hidden="true">{move || unread().min(99)}</span>
            </Show>
        </a>
    }
}

#[component]
fn MeMenu(me: MeView) -> impl IntoView {
    let t = use_texts().frame;
    let opener = view! { <Avatar name=me.name.clone()/> };
    let roles = {
        let t = use_texts();
        let mut roles: Vec<_> = me
            .grants
            .iter()
            .map(|grant| t.common.by_key(&format!("role_{}", grant.role)).unwrap_or_default())
            .collect();
        roles.dedup();
        roles.join(", ")
    };
    view! {
        <Popover id="me-menu" label=t.me(&me.name) opener=opener>
            <div class="me-menu__who">
                <Avatar name=me.name.clone() large=true/>
                <div>
                    <p class="me-menu__name">{me.name.clone()}</p>
                    <p class="me-menu__login">{me.login.clone()}</p>
                    {(!roles.is_empty()).then(|| view! { <p class="me-menu__login">{roles}</p> })}
                </div>
            </div>
            <a class="menu__item" href="/account"><Icon glyph=Glyph::Person/><span>{t.account()}</span></a>
            <a class="menu__item" href="/account?tab=sessions">
                <Icon glyph=Glyph::Monitor/><span>{t.sessions()}</span>
            </a>
            <a class="menu__item" href="/account?tab=tokens"><Icon glyph=Glyph::Key/><span>{t.tokens()}</span></a>
            <LocaleForm/>
            <ThemeForm/>
            <form class="me-menu__form" method="post" action=SignOut::url()>
                <button class="menu__item" type="submit">
                    <Icon glyph=Glyph::SignOut/><span>{t.sign_out()}</span>
                </button>
            </form>
        </Popover>
    }
}

/// The page's own address, for forms that come back to it.
fn back() -> impl Fn() -> String + Clone + Send + 'static {
    let location = use_location();
    move || {
        let search = location.search.get();
        let path = location.pathname.get();
        if search.is_empty() { path } else { format!("{path}?{search}") }
    }
}

/// The languages as a row of buttons. The page is loaded again in the chosen one.
#[component]
pub(crate) fn LocaleForm() -> impl IntoView {
    let t = use_texts();
    let buttons: Vec<_> = Locale::ALL
        .into_iter()
        .map(|locale| {
            let on = locale == t.locale;
            view! {
                <button
                    class="segment__option"
                    type="submit"
                    name="locale"
                    value=locale.as_str()
                    lang=locale.as_str()
                    aria-pressed=if on { "true" } else { "false" }
                >
                    {locale.own_name()}
                </button>
            }
        })
        .collect();
    view! {
        <form class="me-menu__setting" method="post" action=SetLocale::url()>
            <input type="hidden" name="back" value=back()/>
            <span class="me-menu__label" id="locale-label"><Icon glyph=Glyph::Globe/>{t.frame.language()}</span>
            <span class="segment" role="group" aria-labelledby="locale-label">{buttons}</span>
        </form>
    }
}

/// The themes as a row of buttons.
#[component]
pub(crate) fn ThemeForm() -> impl IntoView {
    let t = use_texts().frame;
    let now = use_context::<Theme>().unwrap_or_default();
    let buttons: Vec<_> = Theme::ALL
        .into_iter()
        .map(|theme| {
            let (glyph, label) = match theme {
                Theme::System => (Glyph::Monitor, t.theme_system()),
                Theme::Light => (Glyph::Sun, t.theme_light()),
                Theme::Dark => (Glyph::Moon, t.theme_dark()),
            };
            view! {
                <button
                    class="segment__option"
                    type="submit"
                    name="theme"
                    value=theme.as_str()
                    aria-pressed=if theme == now { "true" } else { "false" }
                    aria-label=label
                    title=label
                >
                    <Icon glyph/>
                </button>
            }
        })
        .collect();
    view! {
        <form class="me-menu__setting" method="post" action=SetTheme::url()>
            <input type="hidden" name="back" value=back()/>
            <span class="me-menu__label" id="theme-label"><Icon glyph=Glyph::Sun/>{t.theme()}</span>
            <span class="segment" role="group" aria-labelledby="theme-label">{buttons}</span>
        </form>
    }
}

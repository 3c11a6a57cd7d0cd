//! What surrounds every page of a signed-in person: navigation, bar at the top, command palette.

mod breadcrumb;
mod navigation;
mod palette;
mod top_bar;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast as _;

use crate::{
    components::{Banner, ToastRegion, Tone},
    i18n::use_texts,
    live::use_live,
    session::use_me,
    view,
};
use navigation::{BottomBar, Sidebar};
use palette::Palette;
pub(crate) use palette::PaletteOpen;
use top_bar::TopBar;
pub(crate) use top_bar::{LocaleForm, ThemeForm};

/// The frame around the pages; nothing but the page itself for those who have not signed in.
#[component]
pub(crate) fn Frame(children: Children) -> impl IntoView {
    let t = use_texts().frame;
    let Some(me) = use_me() else {
        return view! {
            <main class="bare" id="main">{children()}</main>
        };
    };
    let live = use_live();
    let location = use_location();
    focus_page_on_navigation();
    let must_change = me.must_change_password;
    let elsewhere = move || location.pathname.with(|path| path != "/account");
    view! {
        // The router leaves this address to the browser, which moves the focus along.
        <a class="skip-link" href="#main" rel="external">{t.skip()}</a>
        <div class="frame">
            <Sidebar me=me.clone()/>
            <div class="frame__column">
                <TopBar me=me.clone()/>
                <main class="frame__main" id="main" tabindex="-1">
                    <div class="frame__notices">
                        <Show when=move || live.offline.get()>
                            <Banner tone=Tone::Warning title=t.offline()/>
                        </Show>
                        <Show when=move || must_change && elsewhere()>
                            <Banner tone=Tone::Warning title=t.must_change_password()>
                                <a href="/account">{t.account()}</a>
                            </Banner>
                        </Show>
                    </div>
                    {children()}
                </main>
            </div>
            <BottomBar me=me/>
        </div>
        <Palette/>
        <ToastRegion/>
    }
}

/// After a change of page without a load, the focus goes to the page's content, as it would after a load.
fn focus_page_on_navigation() {
    let path = use_location().pathname;
    Effect::new(move |earlier: Option<String>| {
        let now = path.get();
        if earlier.is_some_and(|earlier| earlier != now)
            && let Some(main) = document().get_element_by_id("main")
        {
            if let Some(main) = main.dyn_ref::<web_sys::HtmlElement>() {
                let _ = main.focus();
            }
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
        now
    });
}

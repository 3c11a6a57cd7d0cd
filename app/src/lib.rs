//! The web interface: pages in `pages`, what they are made of in `components`, doors to the operations in `api`.
//!
//! The server renders every page in full, so that all works before and without JavaScript; then [`hydrate`] brings it to
//! life. What the server has to put into Leptos's context for a page or a server function: `Arc<service::Service>`,
//! `service::MaybeCaller`, `service::Origin`, `Arc<dyn api::BrowserSession>`, [`session::Assets`], and the visitor
//! ([`session::provide_visitor`]). Pages are rendered by [`shell`].
//!
//! # How to
//! - **Add a page**: a module in `pages/<area>/`, a route in `routes.rs`, texts in `locales/*/<area>.json`, a style sheet
//!   in `style/pages/`. Its data is one [`data::Data`] per route, shown by [`components::load`].
//! - **Add a server function**: three lines in `api/<area>.rs` with a fixed `endpoint`; the operation itself is in `service`.
//!   A page of an area with much code of its own goes through [`parts`], so that the others need not load it.
//! - **Write a view**: `use crate::view`: our own `view!` gives an `AnyView`, so that all branches have one type.
//! - **Add a text**: the same key in both languages; `build.rs` makes a function of it ([`i18n`]).
//! - **Change something**: a real `<form method="post">` to the server function ([`submission`]), which also works without
//!   JavaScript; its problem is shown by [`components::FormFeedback`] and beside the fields.

#![recursion_limit = "256"]
#![expect(unreachable_pub, reason = "`#[component]` makes public items beside functions that are not")]
#![expect(
    clippy::needless_pass_by_value,
    clippy::large_types_passed_by_value,
    reason = "components own what they are given"
)]

pub mod api;
pub mod components;
pub mod data;
pub mod door;
pub mod errors;
mod frame;
pub mod i18n;
mod json;
pub mod live;
pub mod model;
pub mod pages;
mod parts;
mod routes;
pub mod session;
mod shell;
pub mod submission;
pub mod url_state;
mod view;

pub use routes::App;
pub use shell::shell;
pub(crate) use view::view;

/// Brings the server's page to life; called by the page's script.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    #[cfg(feature = "parts")]
    {
        use leptos::{prelude::window, task};
        // An error only says that it was told already.
        let _ = any_spawner::Executor::init_wasm_bindgen();
        let path = window().location().pathname().unwrap_or_default();
        if let Some(part) = parts::Part::of(&path) {
            task::spawn_local(async move {
                // A page whose part cannot be had stays as the server made it, which works too.
                if part.load().await.is_ok() {
                    leptos::mount::hydrate_body(App);
                }
            });
            return;
        }
    }
    leptos::mount::hydrate_body(App);
}

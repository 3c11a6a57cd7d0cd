use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::{
    App,
    i18n::Locale,
    session::{Assets, Theme},
    view,
};

/// The document around the app, in the visitor's language and theme, as the server sends it.
pub fn shell() -> impl IntoView {
    let locale = use_context::<Locale>().unwrap_or_default();
    let theme = use_context::<Theme>().unwrap_or_default();
    let Assets { css, js, wasm } = use_context::<Assets>().unwrap_or_default();
    let nonce = use_nonce();
    let script = format!("import({js:?}).then(m => m.default({{module_or_path: {wasm:?}}}).then(() => m.hydrate()))");
    view! {
        <!DOCTYPE html>
        <html lang=locale.as_str() data-theme=theme.as_str()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="referrer" content="same-origin"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=css/>
                <link rel="modulepreload" href=js nonce=nonce.clone()/>
                <link rel="preload" href=wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
                <MetaTags/>
                <script type="module" nonce=nonce>{script}</script>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

use leptos::prelude::*;
use leptos_meta::MetaTags;
use leptos_router::location::RequestUrl;

use crate::{
    App,
    i18n::Locale,
    parts::Part,
    session::{Assets, Theme},
    view,
};

/// The document around the app, in the visitor's language and theme, as the server sends it.
pub fn shell() -> impl IntoView {
    let locale = use_context::<Locale>().unwrap_or_default();
    let theme = use_context::<Theme>().unwrap_or_default();
    let Assets { css, js, wasm, editor, parts } = use_context::<Assets>().unwrap_or_default();
    let nonce = use_nonce();
    // All that the page will load is asked for at once, so that the browser need not find out one after the other; and by
    // the script, so that nothing is loaded where scripts do not run.
    let loader = parts.loader.map(|loader| view! { <link rel="modulepreload" href=loader nonce=nonce.clone()/> });
    // Which page one comes to by links is not known here, so that each says where the editor is; only one loads it.
    let editor = editor.map(|href| view! { <meta name="rondo-editor" content=href/> });
    let part = use_context::<RequestUrl>().and_then(|url| Part::of(path_of(url.as_ref())));
    let part = part.map_or(&[][..], |part| parts.of(part.name()));
    let script = format!(
        "const program = fetch({wasm:?}); \
         for (const href of {part:?}) document.head.append(Object.assign(document.createElement('link'), \
         {{rel: 'preload', as: 'fetch', type: 'application/wasm', crossOrigin: 'anonymous', href}})); \
         import({js:?}).then(m => m.default({{module_or_path: program}}).then(() => m.hydrate()))"
    );
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
                {loader}
                {editor}
                <MetaTags/>
                <script type="module" nonce=nonce>{script}</script>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// The path of an address, which may stand with or without its origin.
fn path_of(address: &str) -> &str {
    let path =
        address.split_once("://").map_or(address, |(_, rest)| rest.find('/').map_or("/", |at| rest.split_at(at).1));
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_is_found_in_any_form_of_an_address() {
        for address in ["/runs/7", "/runs/7?tab=log", "http://localhost/runs/7?tab=log", "https://host:8443/runs/7#x"] {
            assert_eq!(path_of(address), "/runs/7");
        }
        assert_eq!(path_of("http://localhost"), "/");
    }
}

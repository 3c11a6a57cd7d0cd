//! Who looks at the page, and in which language and theme: known before anything is rendered, and the same on both sides.
//!
//! The server loads it once per request and calls [`provide_visitor`] in the closure that sets up Leptos's context. The
//! page carries it to the browser as a shared value, not as a resource, so that it can be read anywhere, Suspense or not.

use domain::{Operation, view::MeView};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::i18n::Locale;

/// The signed-in person's view, or nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Me(pub Option<MeView>);

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All themes.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As it stands in preferences, cookies and `html[data-theme]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// Reads it; anything unknown is the system's.
    pub fn from_text(text: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text).unwrap_or_default()
    }
}

/// All that a page needs to know about its visitor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Visitor {
    /// Who it is.
    pub me: Me,
    /// The language.
    pub locale: Locale,
    /// The theme.
    pub theme: Theme,
}

impl Visitor {
    /// From what a request tells: the loaded person, the cookies `locale` and `theme`, and `Accept-Language`.
    pub fn of(
        me: Option<MeView>,
        locale_cookie: Option<&str>,
        theme_cookie: Option<&str>,
        languages: Option<&str>,
    ) -> Self {
        let locale = Locale::negotiate(me.as_ref().map(|me| me.locale.as_str()), locale_cookie, languages);
        let theme = me.as_ref().map(|me| me.theme.as_str()).or(theme_cookie).map(Theme::from_text).unwrap_or_default();
        Self { me: Me(me), locale, theme }
    }
}

/// Puts the visitor into Leptos's context; the server does it for pages and server functions alike.
pub fn provide_visitor(visitor: Visitor) {
    provide_context(visitor.me.clone());
    provide_context(visitor.locale);
    provide_context(visitor.theme);
    provide_context(visitor);
}

/// The counts that the frame shows, kept fresh by the live stream.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Approvals that wait for the person.
    pub decisions: RwSignal<u64>,
    /// Unread notices.
    pub notifications: RwSignal<u64>,
}

/// The signed-in person, or `None` on pages for anybody.
pub fn use_me() -> Option<MeView> {
    use_context::<Me>().and_then(|me| me.0)
}

/// Whether the signed-in person may do `operation` somewhere. For showing or hiding; the server decides anew.
pub fn may(operation: Operation) -> bool {
    use_context::<Me>().and_then(|me| me.0).is_some_and(|me| me.operations.contains(&operation))
}

/// Where the browser finds its program and style sheet; hashed names in a built site.
#[derive(Clone, Debug)]
pub struct Assets {
    /// Address of the style sheet.
    pub css: String,
    /// Address of the JavaScript module.
    pub js: String,
    /// Address of the WebAssembly.
    pub wasm: String,
    /// Address of the editor of definitions, a JavaScript module; none where the site was made without it.
    pub editor: Option<&'static str>,
    /// Addresses of its parts; none for a program in one piece.
    pub parts: PartAssets,
}

/// Where the browser finds the parts of its program.
#[derive(Clone, Copy, Debug, Default)]
pub struct PartAssets {
    /// Address of the JavaScript module that loads the parts.
    pub loader: Option<&'static str>,
    /// The name of each part, with the addresses of its WebAssembly.
    pub files: &'static [(&'static str, &'static [&'static str])],
}

impl PartAssets {
    /// The addresses of the part of this name.
    pub(crate) fn of(self, name: &str) -> &'static [&'static str] {
        self.files.iter().find(|(part, _)| *part == name).map_or(&[], |(_, files)| files)
    }
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            css: "/pkg/rondo.css".to_owned(),
            js: "/pkg/rondo.js".to_owned(),
            wasm: "/pkg/rondo_bg.wasm".to_owned(),
            editor: None,
            parts: PartAssets::default(),
        }
    }
}

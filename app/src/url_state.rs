//! Filters, tabs and pages live in the address. Here it is read and written.

use leptos::prelude::*;
use leptos_router::{hooks::use_location, params::ParamsMap};

/// The address of this page with some query parameters changed (`None` takes one away). A cursor is dropped unless it is
/// set, since it belongs to the old filters.
pub fn href_with(path: &str, query: &ParamsMap, changes: &[(&str, Option<&str>)]) -> String {
    let is_set = |key: &str| changes.iter().any(|(name, _)| *name == key);
    let kept = query
        .clone()
        .into_iter()
        .filter(|(key, _)| !is_set(key) && !matches!(&**key, "cursor" | "dialog" | "__err" | "__path"));
    let mut pairs: Vec<(String, String)> = kept.map(|(key, value)| (key.into_owned(), value)).collect();
    pairs.sort();
    pairs.extend(changes.iter().filter_map(|(key, value)| Some(((*key).to_owned(), (*value)?.to_owned()))));
    let text: Vec<String> = pairs
        .iter()
        .map(|(key, value)| format!("{}={}", urlencoding::encode(key), urlencoding::encode(value)))
        .collect();
    if text.is_empty() { path.to_owned() } else { format!("{path}?{}", text.join("&")) }
}

/// A reactive [`href_with`] for the current page. Read it within a reactive place.
pub fn here_with(changes: &[(&str, Option<&str>)]) -> String {
    let location = use_location();
    href_with(&location.pathname.get(), &location.query.get(), changes)
}

/// A query parameter of the current page, empty where it is absent.
pub fn query_text(name: &'static str) -> Memo<String> {
    let query = use_location().query;
    Memo::new(move |_| query.with(|query| query.get(name).unwrap_or_default()))
}

/// A path within the portal, or `/`: an address from outside must never decide where a person goes after signing in.
pub fn inner_path(path: &str) -> String {
    let inner = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '\r', '\n', '\t']);
    if inner { path.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_change_and_the_cursor_goes() {
        let mut query = ParamsMap::new();
        query.insert("status", "faulted".to_owned());
        query.insert("cursor", "abc".to_owned());
        assert_eq!(href_with("/runs", &query, &[("q", Some("a b"))]), "/runs?status=faulted&q=a%20b");
        assert_eq!(href_with("/runs", &query, &[("status", None)]), "/runs");
        assert_eq!(href_with("/runs", &query, &[("cursor", Some("x"))]), "/runs?status=faulted&cursor=x");
    }

    #[test]
    fn only_own_paths_are_followed() {
        assert_eq!(inner_path("/runs/1?task=%2Fdo"), "/runs/1?task=%2Fdo");
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\r\nSet-Cookie: x"] {
            assert_eq!(inner_path(bad), "/", "{bad:?}");
        }
    }
}

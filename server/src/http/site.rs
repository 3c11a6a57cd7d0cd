//! The embedded site: hashed names for ever, compressed beforehand.

use app::session::{Assets, PartAssets};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use domain::ErrorCode;

use super::{Portal, problem::Rejection};

/// A file of the site.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    immutable: bool,
    /// Names the content.
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// What must be there with or without a built site.
const DEFAULTS: &[Asset] = &[
    Asset {
        path: "/favicon.svg",
        media_type: "image/svg+xml",
        immutable: false,
        tag: "default-1",
        plain: include_bytes!("assets/favicon.svg"),
        brotli: None,
        gzip: None,
    },
    Asset {
        path: "/robots.txt",
        media_type: "text/plain; charset=utf-8",
        immutable: false,
        tag: "default-1",
        plain: b"User-agent: *\nDisallow: /\n",
        brotli: None,
        gzip: None,
    },
];

/// Where pages find their script and style sheet.
pub(super) fn assets() -> Assets {
    let plain = Assets::default();
    Assets {
        css: CSS.map_or(plain.css, ToOwned::to_owned),
        js: JS.map_or(plain.js, ToOwned::to_owned),
        wasm: WASM.map_or(plain.wasm, ToOwned::to_owned),
        editor: EDITOR,
        parts: PartAssets { loader: PARTS_LOADER, files: PARTS },
    }
}

/// Where the style sheet is.
pub(super) fn style_sheet() -> &'static str {
    CSS.unwrap_or("/pkg/rondo.css")
}

/// One route for each file outside `/pkg/`, and one for what is below it.
pub(super) fn routes() -> Router<Portal> {
    let mut router = Router::new().route("/pkg/{*path}", any(serve));
    let mut known: Vec<&str> = Vec::new();
    for asset in ASSETS.iter().chain(DEFAULTS) {
        if !asset.path.starts_with("/pkg/") && !known.contains(&asset.path) {
            known.push(asset.path);
            router = router.route(asset.path, any(serve));
        }
    }
    router
}

async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    let Some(asset) = ASSETS.iter().chain(DEFAULTS).find(|asset| asset.path == path) else {
        return Rejection::from(ErrorCode::NotFound).into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Rejection::from(ErrorCode::MethodNotAllowed).into_response();
    }
    answer(asset, request.headers(), *request.method() == Method::HEAD)
}

fn answer(asset: &Asset, wishes: &HeaderMap, head: bool) -> Response {
    let accepted = wishes.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (encoding, content) = match (asset.brotli, asset.gzip) {
        (Some(content), _) if accepts(accepted, "br") => (Some("br"), content),
        (_, Some(content)) if accepts(accepted, "gzip") => (Some("gzip"), content),
        _ => (None, asset.plain),
    };
    let tag = format!("\"{}{}\"", asset.tag, encoding.map(|name| format!("-{name}")).unwrap_or_default());
    let known = wishes.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unchanged = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response =
        Response::new(if head || unchanged { Body::empty() } else { Body::from(Bytes::from_static(content)) });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let lasting = if asset.immutable { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lasting));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !unchanged {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(content.len()));
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
    }
    response
}

/// Whether `Accept-Encoding` names the coding, or anything, without forbidding it by `q=0`.
fn accepts(header: &str, coding: &str) -> bool {
    let mut anything = false;
    for part in header.split(',') {
        let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
        let quality = parameters.trim().strip_prefix("q=").and_then(|q| q.trim().parse().ok()).unwrap_or(1.0_f32);
        let wanted = quality > 0.0;
        match name.trim() {
            name if name.eq_ignore_ascii_case(coding) => return wanted,
            "*" => anything = wanted,
            _ => {}
        }
    }
    anything
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: Asset = Asset {
        path: "/pkg/x.0123.js",
        media_type: "text/javascript; charset=utf-8",
        immutable: true,
        tag: "abc",
        plain: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gzip!"),
    };

    fn asked(pairs: &[(header::HeaderName, &str)]) -> Response {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        answer(&SCRIPT, &headers, false)
    }

    fn encoding(accepted: &str) -> Option<String> {
        let response = asked(&[(header::ACCEPT_ENCODING, accepted)]);
        response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn the_smallest_encoding_that_is_understood_is_sent() {
        assert_eq!(encoding("gzip, deflate, br").as_deref(), Some("br"));
        assert_eq!(encoding("gzip").as_deref(), Some("gzip"));
        assert_eq!(encoding("br;q=0, *").as_deref(), Some("gzip"));
        assert_eq!(encoding(""), None);
        assert_eq!(encoding("identity"), None);
    }

    #[test]
    fn hashed_names_last_for_ever() {
        let response = asked(&[]);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        assert_eq!(asked(&[(header::IF_NONE_MATCH, "\"abc\"")]).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asked(&[(header::IF_NONE_MATCH, "\"abd\"")]).status(), StatusCode::OK);
        let compressed = [(header::IF_NONE_MATCH, "\"abc\""), (header::ACCEPT_ENCODING, "br")];
        assert_eq!(asked(&compressed).status(), StatusCode::OK);
    }
}

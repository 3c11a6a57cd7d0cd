//! Requests that change something must come from our own pages: browsers say so, and a foreign page cannot make them lie.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem};
use url::Url;

use super::{Portal, identify, problem::Rejection};

pub(super) async fn check(
    State(portal): State<Portal>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let scheme = identify::forwarded_scheme(&portal, peer.ip(), request.headers());
    match verdict(request.headers(), &portal.base_url, scheme) {
        Verdict::Own => next.run(request).await,
        Verdict::Foreign => {
            let detail = "open the portal at its own address, and send from there";
            Rejection(Problem::new(ErrorCode::CrossSite).with_detail(detail)).into_response()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Own,
    Foreign,
}

/// `base_url` is the portal's address as configured, `scheme` that by which this request came.
fn verdict(headers: &HeaderMap, base_url: &str, scheme: &str) -> Verdict {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A foreign page cannot send this header without our consent, which nobody gets.
    if identify::bearer(headers).is_some() {
        return Verdict::Own;
    }
    match headers.get("sec-fetch-site").map(|value| value.to_str().unwrap_or_default()) {
        Some("same-origin" | "none") => return Verdict::Own,
        Some(_) => return Verdict::Foreign,
        None => {}
    }
    if let Some(origin) = text(header::ORIGIN) {
        let host = text(header::HOST).map(|host| format!("{scheme}://{host}"));
        let own = [Some(base_url.to_owned()), host].into_iter().flatten().any(|own| same_origin(&own, origin));
        return if own { Verdict::Own } else { Verdict::Foreign };
    }
    // A program without token and cookie acts for nobody; it will be told to sign in.
    if headers.contains_key(header::COOKIE) && identify::has_session_cookie(headers) {
        return Verdict::Foreign;
    }
    Verdict::Own
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin().is_tuple() && one.origin() == other.origin(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Verdict {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        verdict(&headers, "https://rondo.example.test", "http")
    }

    #[test]
    fn the_browser_s_own_word_decides_first() {
        assert_eq!(of(&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.test")]), Verdict::Own);
        assert_eq!(of(&[("sec-fetch-site", "none")]), Verdict::Own);
        for foreign in ["cross-site", "same-site", "x"] {
            assert_eq!(of(&[("sec-fetch-site", foreign), ("origin", "https://rondo.example.test")]), Verdict::Foreign);
        }
    }

    #[test]
    fn without_it_the_origin_must_be_the_portal_s() {
        assert_eq!(of(&[("origin", "https://rondo.example.test")]), Verdict::Own);
        assert_eq!(of(&[("origin", "https://rondo.example.test:443")]), Verdict::Own);
        assert_eq!(of(&[("origin", "http://127.0.0.1:3000"), ("host", "127.0.0.1:3000")]), Verdict::Own);
        for foreign in
            ["null", "https://evil.test", "http://rondo.example.test", "https://rondo.example.test.evil.test"]
        {
            assert_eq!(of(&[("origin", foreign), ("host", "127.0.0.1:3000")]), Verdict::Foreign, "{foreign}");
        }
    }

    #[test]
    fn a_session_cookie_without_any_word_of_its_origin_is_refused() {
        assert_eq!(of(&[("cookie", "locale=ko; rondo=abc")]), Verdict::Foreign);
        assert_eq!(of(&[("cookie", "__Host-rondo=abc")]), Verdict::Foreign);
        assert_eq!(of(&[("cookie", "locale=ko")]), Verdict::Own);
        assert_eq!(of(&[]), Verdict::Own);
    }

    #[test]
    fn a_bearer_token_is_its_own_proof() {
        assert_eq!(of(&[("authorization", "Bearer rondo_x"), ("cookie", "rondo=abc")]), Verdict::Own);
        assert_eq!(of(&[("authorization", "Basic eDp5"), ("cookie", "rondo=abc")]), Verdict::Foreign);
    }
}

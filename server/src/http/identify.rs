//! Who asks, and from where.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem};
use identity::sessions;
use service::{Caller, Door, MaybeCaller, Origin};
use tower_sessions::Session;
use tracing::error;

use super::{Portal, problem::Rejection, trace::TraceId};

/// What is kept of what a client calls itself.
const AGENT_LIMIT: usize = 256;

pub(super) async fn identify(
    State(portal): State<Portal>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    let origin = origin(&portal, peer.ip(), &request);
    let caller = match who(&portal, &session, request.headers(), &origin).await {
        Ok(caller) => caller,
        Err(problem) => return Rejection(problem).into_response(),
    };
    let extensions = request.extensions_mut();
    extensions.insert(MaybeCaller(caller));
    extensions.insert(origin);
    next.run(request).await
}

async fn who(
    portal: &Portal,
    session: &Session,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Option<Caller>, Problem> {
    if let Some(token) = bearer(headers) {
        return portal.service.caller_of_token(token, origin.clone()).await.map(Some);
    }
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(
            Problem::new(ErrorCode::Unauthenticated).with_detail("send the token as: Authorization: Bearer rondo_…")
        );
    }
    if !has_session_cookie(headers) {
        return Ok(None);
    }
    let current = sessions::current(session).await.map_err(|cause| {
        error!(error = &cause as &dyn std::error::Error, "a session cannot be read");
        Problem::new(ErrorCode::Unavailable).with_detail("the database does not answer; try again in a moment")
    })?;
    match current {
        Some(current) => {
            let caller = portal.service.caller_of_session(current.user, current.session, origin.clone()).await?;
            Ok(caller.map(|caller| Caller { confirmed_at: current.confirmed_at, ..caller }))
        }
        None => Ok(None),
    }
}

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Whether the request brings a session, whichever name its cookie has.
pub(super) fn has_session_cookie(headers: &HeaderMap) -> bool {
    cookie(headers, "rondo").is_some() || cookie(headers, "__Host-rondo").is_some()
}

fn origin(portal: &Portal, peer: IpAddr, request: &Request) -> Origin {
    let headers = request.headers();
    let door = if request.uri().path().starts_with("/api/") { Door::Rest } else { Door::Portal };
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let trace_id = request.extensions().get::<TraceId>().map(|id| id.0.clone()).unwrap_or_default();
    Origin {
        door,
        address: client_address(&|address| portal.config.trusts(address), peer, headers).to_string(),
        user_agent: agent.chars().take(AGENT_LIMIT).collect(),
        trace_id,
    }
}

/// The address of the client: that of the socket, or, where the socket is a trusted proxy's, the last in
/// `X-Forwarded-For` that is not itself a trusted proxy. What stands further to the left anybody can write.
fn client_address(trusts: &dyn Fn(IpAddr) -> bool, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    if !trusts(address) {
        return address;
    }
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for part in lines.iter().flat_map(|line| line.split(',')).rev() {
        let Ok(named) = part.trim().parse::<IpAddr>() else { break };
        address = named.to_canonical();
        if !trusts(address) {
            break;
        }
    }
    address
}

/// `https` where a trusted proxy says that the client came by TLS.
pub(super) fn forwarded_scheme(portal: &Portal, peer: IpAddr, headers: &HeaderMap) -> &'static str {
    let said = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let trusted = portal.config.trusts(peer.to_canonical());
    if trusted && said.trim().eq_ignore_ascii_case("https") { "https" } else { "http" }
}

/// A caller who is signed in; others are told to sign in.
pub(super) struct SignedIn(pub(super) Caller);

impl FromRequestParts<Portal> for SignedIn {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, Self::Rejection> {
        match parts.extensions.get::<MaybeCaller>() {
            Some(MaybeCaller(Some(caller))) => Ok(Self(caller.clone())),
            _ => Err(ErrorCode::Unauthenticated.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusts = |address: IpAddr| address.to_string().starts_with("10.");
        client_address(&trusts, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_for_whom_they_ask() {
        assert_eq!(address("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(address("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_believed() {
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(address("10.0.0.1", &["rubbish"]), "10.0.0.1");
        assert_eq!(address("10.0.0.1", &["203.0.113.9, rubbish"]), "10.0.0.1");
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; locale=ko".parse().unwrap());
        headers.append(header::COOKIE, "rondo=x".parse().unwrap());
        assert_eq!(cookie(&headers, "locale"), Some("ko"));
        assert!(has_session_cookie(&headers));
        assert_eq!(cookie(&headers, "b"), None);
    }
}

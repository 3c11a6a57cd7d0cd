//! What server functions share on the server.

use std::{future::Future, pin::Pin, sync::Arc};

use domain::{ErrorCode, Problem, Timestamp, UserId};
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use service::{Caller, MaybeCaller, Origin, Service};

use crate::errors::AppError;

/// The browser's sign-in, kept by the server in a cookie session. The server provides it as `Arc<dyn BrowserSession>`.
pub trait BrowserSession: Send + Sync {
    /// Signs the person in: a new session id, so that one set by somebody else is worth nothing.
    fn begin(&self, user: UserId) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>>;

    /// Remembers that the person has given the password again.
    fn confirm(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>>;

    /// Signs the browser out.
    fn end(&self) -> Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + '_>>;
}

/// The operations and who calls them; a problem where nobody is signed in.
pub fn scope() -> Result<(Arc<Service>, Caller), AppError> {
    let caller = use_context::<MaybeCaller>().and_then(|caller| caller.0);
    Ok((service()?, caller.ok_or_else(|| Problem::new(ErrorCode::Unauthenticated))?))
}

/// The operations and where the request comes from, for those who have not signed in.
pub fn open_scope() -> Result<(Arc<Service>, Origin), AppError> {
    let origin = use_context::<Origin>().ok_or_else(|| Problem::new(ErrorCode::Internal))?;
    Ok((service()?, origin))
}

fn service() -> Result<Arc<Service>, AppError> {
    Ok(use_context::<Arc<Service>>().ok_or_else(|| Problem::new(ErrorCode::Internal))?)
}

/// The browser's sign-in.
pub fn browser_session() -> Result<Arc<dyn BrowserSession>, AppError> {
    Ok(use_context::<Arc<dyn BrowserSession>>().ok_or_else(|| Problem::new(ErrorCode::Internal))?)
}

/// Whether this is a form sent without JavaScript: it is answered with a redirect, not with data.
pub fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        parts.method == Method::POST
            && parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
    })
}

/// Gives the answer a problem's status; a plain form keeps its redirect, which carries the problem to the page.
pub fn answer_with_status(status: u16) {
    if is_plain_form() {
        return;
    }
    if let (Some(options), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        options.set_status(status);
    }
}

/// Sends a plain form on to `path`; with JavaScript the page itself decides what comes next.
pub fn go_on(path: &str) {
    if is_plain_form() {
        leptos_axum::redirect(path);
    }
}

/// Adds a header to the answer.
fn add_header(name: HeaderName, value: &str) {
    if let (Some(options), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(value)) {
        options.append_header(name, value);
    }
}

/// Whether people reach the portal by TLS, so that no cookie may travel without it. The server provides it.
#[derive(Clone, Copy, Debug)]
pub struct BehindTls(pub bool);

/// Sets a cookie for all pages that scripts cannot read; `attributes` are how long it lives and where it is sent along.
pub fn set_cookie(name: &str, value: &str, attributes: &str) {
    let secure = if use_context::<BehindTls>().is_some_and(|tls| tls.0) { "; Secure" } else { "" };
    add_header(header::SET_COOKIE, &format!("{name}={value}; Path=/; HttpOnly; {attributes}{secure}"));
}

/// The value of a cookie of the request.
pub fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    let texts = parts.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Keeps a text that is shown only once for the page that a plain form is sent on to: in a cookie of half a minute that
/// scripts cannot read. With JavaScript the text is in the answer and nothing is kept.
pub fn keep_once(name: &str, text: &str) {
    if is_plain_form() {
        set_cookie(&format!("once-{name}"), &urlencoding::encode(text), "Max-Age=30; SameSite=Strict");
    }
}

/// The text that [`keep_once`] kept for this page, which is forgotten by being taken.
pub fn take_once(name: &str) -> Option<String> {
    let value = cookie(&format!("once-{name}"))?;
    set_cookie(&format!("once-{name}"), "", "Max-Age=0; SameSite=Strict");
    urlencoding::decode(&value).ok().map(std::borrow::Cow::into_owned)
}

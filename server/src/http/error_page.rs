//! The page that stands in where no page could be made: plain, in the visitor's language, with the trace id.

use app::i18n::Locale;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem};

use super::{Portal, headers::policy_without_scripts, identify::cookie, site};

/// What tells a visitor's language where nobody is known: the cookie and the browser's wishes.
#[derive(Clone, Debug, Default)]
pub(super) struct Languages {
    cookie: Option<String>,
    accepted: Option<String>,
}

pub(super) fn languages(headers: &HeaderMap) -> Languages {
    Languages {
        cookie: cookie(headers, "locale").map(ToOwned::to_owned),
        accepted: headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned),
    }
}

pub(super) fn page(_portal: &Portal, problem: &Problem, trace_id: &str, languages: &Languages) -> Response {
    let locale = Locale::negotiate(None, languages.cookie.as_deref(), languages.accepted.as_deref());
    let korean = locale == Locale::Ko;
    let (title, advice) = match (problem.code, korean) {
        (ErrorCode::CrossSite, false) => {
            ("This request came from another site", "Open Rondo itself and try again there.")
        }
        (ErrorCode::CrossSite, true) => ("다른 사이트에서 온 요청입니다", "Rondo를 직접 열고 다시 시도해 주세요."),
        (ErrorCode::Unavailable, false) => ("Not available at the moment", "Try again in a few seconds."),
        (ErrorCode::Unavailable, true) => ("지금은 사용할 수 없습니다", "잠시 후 다시 시도해 주세요."),
        (ErrorCode::NotFound, false) => ("Not found", "The address is wrong, or what was here is gone."),
        (ErrorCode::NotFound, true) => ("찾을 수 없습니다", "주소가 잘못되었거나 더 이상 존재하지 않습니다."),
        (ErrorCode::TooLarge, false) => ("The request is too large", "Send less at once."),
        (ErrorCode::TooLarge, true) => ("요청이 너무 큽니다", "내용을 줄여서 보내 주세요."),
        (ErrorCode::MethodNotAllowed, false) => {
            ("This address cannot be used in this way", "Go back to the start page.")
        }
        (ErrorCode::MethodNotAllowed, true) => ("이 주소는 이렇게 사용할 수 없습니다", "시작 페이지로 돌아가 주세요."),
        (_, false) => {
            ("Something went wrong on the server", "Try again. If it stays, tell your administrator the trace id.")
        }
        (_, true) => {
            ("서버에서 문제가 발생했습니다", "다시 시도해 주세요. 계속되면 관리자에게 추적 번호를 알려 주세요.")
        }
    };
    let (home, trace) =
        if korean { ("시작 페이지로", "추적 번호") } else { ("To the start page", "Trace id") };
    let css = site::style_sheet();
    let body = format!(
        "<!DOCTYPE html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · Rondo</title>\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"{css}\"></head>\
         <body><main class=\"error-page\"><h1>{title}</h1><p>{advice}</p><p><a href=\"/\">{home}</a></p>\
         <p><small>{trace}: <code>{trace_id}</code></small></p></main></body></html>",
        locale.as_str()
    );
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Html(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy_without_scripts()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    super::headers::harden(headers);
    response
}

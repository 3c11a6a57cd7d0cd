//! The pages and their server functions.

use std::{future::Future, pin::Pin, sync::Arc};

use app::{
    api::{BehindTls, BrowserSession, definition_files::BroughtIn},
    session::{Visitor, provide_visitor},
};
use axum::{
    body::Body,
    extract::{FromRequest as _, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use domain::{ErrorCode, Problem, Timestamp, UserId, view::MeView};
use identity::sessions;
use leptos::prelude::{provide_context, use_context, use_nonce};
use leptos_axum::{ResponseOptions, handle_server_fns_with_context, render_app_async_with_context};
use service::{Caller, MaybeCaller, Origin, Service};
use tower_sessions::Session;
use tracing::error;

use super::{
    Portal,
    headers::policy_of_page,
    identify::cookie,
    problem::{self, Rejection},
    site,
    upload::SentFiles,
};

/// The page to which a browser sends files with definitions.
pub(super) const IMPORT: &str = "/definitions/import";

/// Pages for those who have not signed in.
const OPEN: [&str; 3] = ["/sign-in", "/setup/", "/link/"];

/// What is put into the context of a page or server function.
#[derive(Clone)]
struct Surroundings {
    service: Arc<Service>,
    caller: MaybeCaller,
    origin: Origin,
    browser: Arc<dyn BrowserSession>,
    visitor: Visitor,
    tls: BehindTls,
}

impl Surroundings {
    fn provide(&self) {
        provide_context(Arc::clone(&self.service));
        provide_context(self.caller.clone());
        provide_context(self.origin.clone());
        provide_context(Arc::clone(&self.browser));
        provide_context(site::assets());
        provide_context(self.tls);
        provide_visitor(self.visitor.clone());
    }
}

/// Tells the pages' reactive system where its tasks run; once per process, before the first page.
pub(super) fn prepare() {
    // An error only says that it was told already.
    let _ = any_spawner::Executor::init_tokio();
}

/// Any page of the app; also the answer to addresses that nothing else answers.
pub(super) async fn page(State(portal): State<Portal>, session: Session, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/api/") {
        return Rejection::from(ErrorCode::NotFound).into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Rejection::from(ErrorCode::MethodNotAllowed).into_response();
    }
    let asking = match Asking::by(&request) {
        Ok(asking) => asking,
        Err(elsewhere) => return elsewhere,
    };
    match asking.admitted(&portal).await {
        Ok(guest) => show(&portal, session, request, guest, None).await,
        Err(elsewhere) => elsewhere,
    }
}

/// The page on which files with definitions are brought in; after they were sent, with what became of them. A plain form,
/// which needs no JavaScript: files are what browsers send by themselves.
pub(super) async fn import(State(portal): State<Portal>, session: Session, request: Request) -> Response {
    if *request.method() != Method::POST {
        return page(State(portal), session, request).await;
    }
    let asking = match Asking::by(&request) {
        Ok(asking) => asking,
        Err(elsewhere) => return elsewhere,
    };
    let guest = match asking.admitted(&portal).await {
        Ok(guest) => guest,
        Err(elsewhere) => return elsewhere,
    };
    let Some(caller) = guest.caller.clone() else { return to_sign_in(&request) };
    let (mut parts, body) = request.into_parts();
    let sent = SentFiles::from_request(Request::from_parts(parts.clone(), body), &portal).await;
    let brought_in = match sent {
        Ok(SentFiles(files)) => portal.service.import_definitions(&caller, files).await,
        Err(Rejection(problem)) => Err(problem),
    };
    // What is sent back is the page, as if it had been asked for.
    parts.method = Method::GET;
    show(&portal, session, Request::from_parts(parts, Body::empty()), guest, Some(BroughtIn(brought_in))).await
}

/// Who asks for which page.
struct Asking {
    path: String,
    caller: Option<Caller>,
    origin: Origin,
}

/// Somebody who may open a page.
struct Guest {
    caller: Option<Caller>,
    me: Option<MeView>,
    origin: Origin,
}

impl Asking {
    /// Who asks; or the way to the sign-in, where it is somebody for whom the page is not open.
    fn by(request: &Request) -> Result<Self, Response> {
        let path = request.uri().path().to_owned();
        let Some((MaybeCaller(caller), origin)) = who(request) else {
            return Err(Rejection::from(ErrorCode::Internal).into_response());
        };
        if caller.is_none() && !is_open(&path) {
            return Err(to_sign_in(request));
        }
        Ok(Self { path, caller, origin })
    }

    /// The same with what they may do; or where they have to go first.
    async fn admitted(self, portal: &Portal) -> Result<Guest, Response> {
        let Self { path, caller, origin } = self;
        let me = match &caller {
            None => None,
            Some(caller) => match portal.service.me(caller).await {
                Ok(me) => Some(me),
                Err(problem) => return Err(Rejection(problem).into_response()),
            },
        };
        if me.as_ref().is_some_and(|me| me.must_change_password) && path != "/account" && !is_open(&path) {
            return Err(redirect("/account"));
        }
        Ok(Guest { caller, me, origin })
    }
}

async fn show(
    portal: &Portal,
    session: Session,
    request: Request,
    Guest { caller, me, origin }: Guest,
    brought_in: Option<BroughtIn>,
) -> Response {
    let visitor = visitor(me, request.headers());
    let surroundings = surroundings(portal, session, caller, origin, visitor);
    let context = move || {
        surroundings.provide();
        if let Some(brought_in) = brought_in.clone() {
            provide_context(brought_in);
        }
        if let (Some(nonce), Some(options)) = (use_nonce(), use_context::<ResponseOptions>())
            && let Ok(policy) = HeaderValue::from_str(&policy_of_page(&nonce.to_string()))
        {
            options.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    };
    let head = *request.method() == Method::HEAD;
    let response = render_app_async_with_context(context, app::shell)(request).await;
    if head { response.map(|_| Body::empty()) } else { response }
}

/// A server function.
pub(super) async fn server_function(State(portal): State<Portal>, session: Session, request: Request) -> Response {
    let known = leptos::server_fn::axum::get_server_fn_service(request.uri().path(), request.method().clone());
    if known.is_none() {
        return Rejection::from(ErrorCode::NotFound).into_response();
    }
    let Some((MaybeCaller(caller), origin)) = who(&request) else {
        return Rejection::from(ErrorCode::Internal).into_response();
    };
    let visitor = visitor(None, request.headers());
    let surroundings = surroundings(&portal, session, caller, origin, visitor);
    handle_server_fns_with_context(move || surroundings.provide(), request).await.into_response()
}

fn who(request: &Request) -> Option<(MaybeCaller, Origin)> {
    let caller = request.extensions().get::<MaybeCaller>()?;
    let origin = request.extensions().get::<Origin>()?;
    Some((caller.clone(), origin.clone()))
}

fn visitor(me: Option<MeView>, headers: &HeaderMap) -> Visitor {
    let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Visitor::of(me, cookie(headers, "locale"), cookie(headers, "theme"), languages)
}

fn surroundings(
    portal: &Portal,
    session: Session,
    caller: Option<Caller>,
    origin: Origin,
    visitor: Visitor,
) -> Surroundings {
    let browser = Arc::new(Browser { session, origin: origin.clone() });
    let tls = BehindTls(portal.is_secure());
    Surroundings { service: Arc::clone(&portal.service), caller: MaybeCaller(caller), origin, browser, visitor, tls }
}

fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path == *open || (open.ends_with('/') && path.starts_with(open)))
}

fn to_sign_in(request: &Request) -> Response {
    let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
    if wanted == "/" {
        return redirect("/sign-in");
    }
    redirect(&format!("/sign-in?next={}", urlencoding::encode(wanted)))
}

fn redirect(place: &str) -> Response {
    let mut response = problem::empty(StatusCode::SEE_OTHER);
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The browser's sign-in, in its cookie session.
struct Browser {
    session: Session,
    origin: Origin,
}

type Outcome<'s> = Pin<Box<dyn Future<Output = Result<(), Problem>> + Send + 's>>;

impl BrowserSession for Browser {
    fn begin(&self, user: UserId) -> Outcome<'_> {
        Box::pin(async move {
            let begun = sessions::sign_in(&self.session, user, &self.origin.address, &self.origin.user_agent).await;
            begun.map(|_| ()).map_err(|cause| failed(&cause))
        })
    }

    fn confirm(&self, at: Timestamp) -> Outcome<'_> {
        Box::pin(async move { sessions::confirm(&self.session, at).await.map_err(|cause| failed(&cause)) })
    }

    fn end(&self) -> Outcome<'_> {
        Box::pin(async move { sessions::sign_out(&self.session).await.map_err(|cause| failed(&cause)) })
    }
}

fn failed(cause: &sessions::SessionError) -> Problem {
    let words = cause.to_string();
    error!(error = words, "a session cannot be written");
    Problem::new(ErrorCode::Unavailable).with_detail("the database does not answer; try again in a moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ways_in_are_open() {
        for open in ["/sign-in", "/setup/abc", "/link/abc"] {
            assert!(is_open(open), "{open}");
        }
        for closed in ["/", "/sign-in/x", "/setup", "/audit", "/linked/x"] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn the_way_to_the_sign_in_remembers_what_was_wanted() {
        let to = |uri: &str| {
            let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
            to_sign_in(&request).headers()[header::LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(to("/"), "/sign-in");
        assert_eq!(to("/runs?state=open&x=1"), "/sign-in?next=%2Fruns%3Fstate%3Dopen%26x%3D1");
    }
}

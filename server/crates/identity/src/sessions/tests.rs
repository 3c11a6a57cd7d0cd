use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use http::{Request, Response, StatusCode, header};
use store::users::User;
use store_sqlite::SqliteStore;
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::*;

struct ManualClock(AtomicI64);

impl ManualClock {
    fn advance(&self, duration: Duration) {
        self.0.fetch_add(i64::try_from(duration.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

/// A database with two people, and a clock in our hands.
struct Fixture {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    sessions: StoredSessions,
    staff: UserId,
    manager: UserId,
    _directory: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&directory.path().join("rondo.sqlite")).await.unwrap());
        store.migrate().await.unwrap();
        let clock = Arc::new(ManualClock(AtomicI64::new(1_800_000_000_000_000)));
        let ids = Arc::new(CountingIds(AtomicU64::new(1)));
        let mut unit = store.begin().await.unwrap();
        let mut people = Vec::new();
        for login in ["staff", "manager"] {
            let user = user(UserId::new(&*ids), login, clock.now());
            unit.insert_user(&user).await.unwrap();
            people.push(user.id);
        }
        unit.commit().await.unwrap();
        let sessions = StoredSessions::new(Arc::clone(&store), clock.clone(), ids);
        Self { store, clock, sessions, staff: people[0], manager: people[1], _directory: directory }
    }

    /// The session of a request whose cookie holds `id`.
    fn request(&self, id: Option<Id>) -> Session {
        Session::new(id, Arc::new(self.sessions.clone()), None)
    }

    /// Signs in as a browser without a cookie; what its cookie then holds.
    async fn signed_in(&self, user: UserId) -> Id {
        let session = self.request(None);
        sign_in(&session, user, "192.0.2.1", "Browser/1.0").await.unwrap();
        session.id().unwrap()
    }

    async fn user_of(&self, cookie: Id) -> Option<UserId> {
        current(&self.request(Some(cookie))).await.unwrap().map(|current| current.user)
    }

    async fn row(&self, cookie: Id) -> Option<Row> {
        self.store.snapshot().await.unwrap().session_by_hash(&hash_of(&cookie)).await.unwrap()
    }

    async fn rows_of(&self, user: UserId) -> Vec<Row> {
        self.store.snapshot().await.unwrap().sessions_of(user, self.clock.now()).await.unwrap()
    }

    async fn revoke(&self, user: UserId, session: SessionId) {
        let mut unit = self.store.begin().await.unwrap();
        assert!(unit.revoke_session(user, session).await.unwrap());
        unit.commit().await.unwrap();
    }
}

fn user(id: UserId, login: &str, now: Timestamp) -> User {
    User {
        id,
        login: login.to_owned(),
        name: login.to_owned(),
        email: None,
        active: true,
        password_hash: None,
        must_change_password: false,
        manager_id: None,
        locale: None,
        theme: None,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
    }
}

#[tokio::test]
async fn signing_in_makes_a_row_that_says_who_and_from_where() {
    let fixture = Fixture::new().await;
    let session = fixture.request(None);
    let agent = format!("Browser\n{}", "x".repeat(1000));
    let id = sign_in(&session, fixture.staff, "192.0.2.1", &agent).await.unwrap();
    assert_eq!(
        current(&session).await.unwrap(),
        Some(Current { user: fixture.staff, session: id, confirmed_at: None }),
        "at once"
    );

    let cookie = session.id().unwrap();
    let next = fixture.request(Some(cookie));
    assert_eq!(
        current(&next).await.unwrap(),
        Some(Current { user: fixture.staff, session: id, confirmed_at: None }),
        "and afterwards"
    );

    let row = fixture.row(cookie).await.unwrap();
    assert_eq!((row.id, row.user_id, row.address.as_str()), (id, Some(fixture.staff), "192.0.2.1"));
    assert_eq!(row.user_agent.len(), LONGEST_AGENT);
    assert!(row.user_agent.starts_with("Browserx"));
    assert_eq!(row.data, "{}");
}

#[tokio::test]
async fn the_cookie_is_not_in_the_database() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    let row = fixture.row(cookie).await.unwrap();
    assert_eq!(row.token_hash, crate::tokens::hash(&cookie.to_string()));
    assert!(!format!("{row:?}").contains(&cookie.to_string()));
}

#[tokio::test]
async fn signing_in_changes_the_cookie_and_drops_what_was_before() {
    let fixture = Fixture::new().await;
    let planted = fixture.signed_in(fixture.manager).await;
    let session = fixture.request(Some(planted));
    session.insert("draft", "of the manager").await.unwrap();
    session.save().await.unwrap();

    let session = fixture.request(Some(planted));
    sign_in(&session, fixture.staff, "192.0.2.1", "").await.unwrap();
    let cookie = session.id().unwrap();
    assert_ne!(cookie, planted);
    assert_eq!(fixture.user_of(planted).await, None);
    assert_eq!(fixture.user_of(cookie).await, Some(fixture.staff));
    let left = fixture.request(Some(cookie)).get::<String>("draft").await.unwrap();
    assert_eq!(left, None);
}

#[tokio::test]
async fn a_cookie_that_was_never_given_is_not_adopted() {
    let fixture = Fixture::new().await;
    let planted = Id(42);
    let session = fixture.request(Some(planted));
    sign_in(&session, fixture.staff, "192.0.2.1", "").await.unwrap();
    assert_ne!(session.id(), Some(planted));
    assert_eq!(fixture.user_of(planted).await, None);
}

#[tokio::test]
async fn signing_out_removes_the_row() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    sign_out(&fixture.request(Some(cookie))).await.unwrap();
    assert_eq!(fixture.row(cookie).await, None);
    assert_eq!(fixture.user_of(cookie).await, None);
    sign_out(&fixture.request(None)).await.unwrap();
}

#[tokio::test]
async fn a_revoked_session_stops_at_once_and_alone() {
    let fixture = Fixture::new().await;
    let (one, two) = (fixture.signed_in(fixture.staff).await, fixture.signed_in(fixture.staff).await);
    let id = fixture.row(one).await.unwrap().id;
    fixture.revoke(fixture.staff, id).await;
    assert_eq!(fixture.user_of(one).await, None);
    assert_eq!(fixture.user_of(two).await, Some(fixture.staff));
}

#[tokio::test]
async fn a_request_under_way_does_not_bring_a_revoked_session_back() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    let under_way = fixture.request(Some(cookie));
    let id = current(&under_way).await.unwrap().unwrap().session;
    under_way.insert("note", 1).await.unwrap();
    fixture.revoke(fixture.staff, id).await;
    under_way.save().await.unwrap();
    assert_eq!(fixture.row(cookie).await, None);
}

#[tokio::test]
async fn being_seen_prolongs_a_session_and_is_written_once_a_minute() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    let first = fixture.row(cookie).await.unwrap();
    assert_eq!(first.expires_at, first.created_at + IDLE);

    fixture.clock.advance(Duration::from_secs(59));
    fixture.user_of(cookie).await;
    assert_eq!(fixture.row(cookie).await.unwrap(), first);

    fixture.clock.advance(Duration::from_secs(1));
    fixture.user_of(cookie).await;
    let seen = fixture.row(cookie).await.unwrap();
    assert_eq!(seen.last_seen_at, first.created_at + SEEN_PRECISION);
    assert_eq!(seen.expires_at, seen.last_seen_at + IDLE);
    assert_eq!(seen.id, first.id);
}

#[tokio::test]
async fn a_session_that_is_not_seen_ends() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    fixture.clock.advance(IDLE.saturating_sub(Duration::from_secs(1)));
    assert_eq!(fixture.user_of(cookie).await, Some(fixture.staff));
    fixture.clock.advance(IDLE);
    assert_eq!(fixture.user_of(cookie).await, None);
    assert!(fixture.rows_of(fixture.staff).await.is_empty());
}

#[tokio::test]
async fn a_session_in_steady_use_ends_after_a_week() {
    let fixture = Fixture::new().await;
    let cookie = fixture.signed_in(fixture.staff).await;
    let mut used = Duration::ZERO;
    while used + Duration::from_hours(11) < LONGEST {
        fixture.clock.advance(Duration::from_hours(11));
        used += Duration::from_hours(11);
        assert_eq!(fixture.user_of(cookie).await, Some(fixture.staff), "after {used:?}");
    }
    fixture.clock.advance(LONGEST.saturating_sub(used));
    assert_eq!(fixture.user_of(cookie).await, None);
}

#[tokio::test]
async fn what_an_anonymous_visitor_keeps_ends_after_an_hour_and_is_nobody() {
    let fixture = Fixture::new().await;
    let session = fixture.request(None);
    session.insert("return-to", "/catalogue").await.unwrap();
    session.save().await.unwrap();
    let cookie = session.id().unwrap();
    let row = fixture.row(cookie).await.unwrap();
    assert_eq!((row.user_id, row.expires_at), (None, row.created_at + ANONYMOUS_IDLE));
    assert_eq!(fixture.user_of(cookie).await, None);
    let kept = fixture.request(Some(cookie)).get::<String>("return-to").await.unwrap();
    assert_eq!(kept.as_deref(), Some("/catalogue"));
}

#[tokio::test]
async fn nothing_kept_makes_no_row() {
    let fixture = Fixture::new().await;
    let session = fixture.request(None);
    session.save().await.unwrap();
    assert_eq!(fixture.row(session.id().unwrap()).await, None);
}

/// Sends a request through the middleware; the status and the cookie that the response sets.
async fn visit(fixture: &Fixture, path: &str, cookie: Option<&str>) -> (StatusCode, Option<String>) {
    let staff = fixture.staff;
    let service = service_fn(move |request: Request<()>| async move {
        let session = request.extensions().get::<Session>().unwrap().clone();
        let status = match request.uri().path() {
            "/sign-in" => {
                sign_in(&session, staff, "192.0.2.1", "").await.unwrap();
                StatusCode::SEE_OTHER
            }
            "/sign-out" => {
                sign_out(&session).await.unwrap();
                StatusCode::SEE_OTHER
            }
            _ if current(&session).await.unwrap().is_some() => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        };
        Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(String::new()).unwrap())
    });
    let mut request = Request::builder().uri(path);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let response =
        layer(fixture.sessions.clone(), true).layer(service).oneshot(request.body(()).unwrap()).await.unwrap();
    let set = response.headers().get(header::SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), set)
}

#[tokio::test]
async fn a_browser_gets_a_cookie_by_signing_in_and_loses_it_by_signing_out() {
    let fixture = Fixture::new().await;
    assert_eq!(visit(&fixture, "/", None).await, (StatusCode::UNAUTHORIZED, None), "no cookie for a visit");

    let (_, set) = visit(&fixture, "/sign-in", None).await;
    let set = set.unwrap();
    for attribute in ["__Host-rondo=", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(set.contains(attribute), "{attribute} in {set}");
    }
    let cookie = set.split(';').next().unwrap().to_owned();
    assert_eq!(visit(&fixture, "/", Some(&cookie)).await, (StatusCode::OK, None));
    assert_eq!(fixture.rows_of(fixture.staff).await.len(), 1);

    let (_, removed) = visit(&fixture, "/sign-out", Some(&cookie)).await;
    assert!(removed.unwrap().contains("Max-Age=0"));
    let (status, _) = visit(&fixture, "/", Some(&cookie)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(fixture.rows_of(fixture.staff).await.is_empty());
}

#[tokio::test]
async fn a_cookie_of_nonsense_is_an_anonymous_visitor() {
    let fixture = Fixture::new().await;
    for cookie in ["__Host-rondo=nonsense", "__Host-rondo=AAAAAAAAAAAAAAAAAAAAAA", "__Host-rondo="] {
        assert_eq!(visit(&fixture, "/", Some(cookie)).await.0, StatusCode::UNAUTHORIZED, "{cookie}");
    }
}

#[tokio::test]
async fn the_layer_without_tls_has_a_cookie_without_secure() {
    let fixture = Fixture::new().await;
    let staff = fixture.staff;
    let service = service_fn(move |request: Request<()>| async move {
        let session = request.extensions().get::<Session>().unwrap().clone();
        sign_in(&session, staff, "::1", "").await.unwrap();
        Ok::<_, std::convert::Infallible>(Response::new(String::new()))
    });
    let response = layer(fixture.sessions.clone(), false).layer(service).oneshot(Request::new(())).await.unwrap();
    let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("rondo=") && !set.contains("Secure"), "{set}");
}

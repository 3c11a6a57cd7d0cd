//! Who owns connections, and whether they work: on saving, when it is asked, and every so often.

use std::{sync::Arc, time::Duration};

use domain::{
    ErrorCode,
    view::{ConnectionState, ConnectionView, OwnerView},
};
use engine::notices::{NoticeKind, NoticeMail};
use serde_json::json;
use service::{Caller, NewConnection, Subject};
use testkit::ManualClock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::office::Office;

/// From one check to the next in these tests.
pub(crate) const PAUSE: Duration = Duration::from_hours(1);

/// A service that is there or not.
struct Website {
    port: u16,
    serving: Option<JoinHandle<()>>,
}

impl Website {
    /// A port on which nobody answers.
    async fn down() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { port: listener.local_addr().unwrap().port(), serving: None }
    }

    async fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.serving = Some(tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream));
            }
        }));
    }

    async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        assert!(serving.await.unwrap_err().is_cancelled());
    }

    fn connection(&self, owner: Option<Subject>) -> NewConnection {
        NewConnection {
            name: "website".to_owned(),
            kind: "http".to_owned(),
            settings: json!({"baseUrl": format!("http://127.0.0.1:{}", self.port)}),
            namespaces: vec!["*".to_owned()],
            owner,
        }
    }
}

/// A check only looks whether anybody is there before it asks.
async fn answer(mut stream: TcpStream) {
    let mut request = [0; 4096];
    if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    }
}

async fn website(office: &Office, admin: &Caller) -> ConnectionView {
    let all = office.service.connections(admin, None).await.unwrap();
    all.into_iter().find(|connection| connection.name == "website").unwrap()
}

/// Both nodes look at the same time.
async fn time_comes(office: &Office, clock: &ManualClock) {
    clock.advance(PAUSE);
    tokio::join!(office.service.check_due_connections(), office.other_node.check_due_connections());
}

#[tokio::test]
async fn a_connection_that_fails_is_kept_and_its_owner_told_once_until_it_works_again() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_with_mail_by(clock.clone()).await;
    let admin = office.caller("admin").await;
    let owner = Subject::User(office.user("author").await.unwrap());
    let mut site = Website::down().await;
    let before = office.audit_end().await;

    let saved = office.service.put_connection(&admin, None, site.connection(Some(owner))).await.unwrap();
    assert_eq!((saved.state, saved.failing_since), (ConnectionState::Failing, Some(office.now())));
    let check = saved.last_check.unwrap();
    let failed = check.steps.last().unwrap();
    assert_eq!((check.ok, failed.step.as_str(), failed.ok), (false, "connect", false));

    // It goes on failing.
    time_comes(&office, &clock).await;
    let failing = website(&office, &admin).await;
    assert_eq!(failing.failing_since, saved.failing_since);
    assert_eq!(failing.last_check.unwrap().at, office.now());
    let home = office.service.home(&admin).await.unwrap();
    assert_eq!(home.connections.len(), 1);
    assert_eq!(home.connections[0].name, "website");
    assert!(home.connections[0].detail.as_ref().unwrap().contains("no connection to 127.0.0.1"));
    assert_eq!(office.service.home(&office.caller("operator").await).await.unwrap().connections, []);

    // It works again, and nobody has touched it.
    site.start().await;
    time_comes(&office, &clock).await;
    let working = website(&office, &admin).await;
    assert_eq!((working.state, working.failing_since), (ConnectionState::Working, None));
    assert_eq!(office.service.home(&admin).await.unwrap().connections, []);
    let of = async |state| {
        let listed = office.service.connections(&admin, Some(state)).await.unwrap();
        listed.iter().filter(|connection| connection.name == "website").count()
    };
    assert_eq!((of(ConnectionState::Working).await, of(ConnectionState::Failing).await), (1, 0));

    // Another period, which begins when somebody asks.
    site.stop().await;
    assert!(!office.service.test_connection(&admin, working.id).await.unwrap().ok);
    time_comes(&office, &clock).await;
    assert_eq!(website(&office, &admin).await.state, ConnectionState::Failing);

    let notices = office.notices("author").await;
    let told: Vec<_> = notices.iter().filter(|(kind, _)| kind == "connection-fails").collect();
    assert_eq!(told.len(), 2, "once for each period: {notices:?}");
    assert!(told[0].1.starts_with("website (no connection to 127.0.0.1"), "{}", told[0].1);
    let mut unit = office.store.begin().await.unwrap();
    let mails = unit.take_outgoing("mail", office.now(), PAUSE, 100).await.unwrap();
    drop(unit);
    let mails = mails.iter().map(|mail| serde_json::from_str::<NoticeMail>(&mail.payload).unwrap());
    let to: Vec<_> = mails.filter(|mail| mail.kind == NoticeKind::ConnectionFails).map(|mail| mail.to).collect();
    assert_eq!(to, ["author@example.test", "author@example.test"]);
    let actions: Vec<_> = office.audit_after(before).await.into_iter().map(|entry| entry.action).collect();
    let about = ["connection.update", "connection.fail", "connection.recover", "connection.test"];
    let actions: Vec<_> = actions.iter().filter(|action| about.contains(&action.as_str())).collect();
    assert_eq!(actions, about.iter().collect::<Vec<_>>(), "only what changes is an entry");
}

#[tokio::test]
async fn what_mends_a_connection_ends_its_failing_and_what_does_not_goes_on_with_it() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let admin = office.caller("admin").await;
    let owner = Some(Subject::User(office.user("author").await.unwrap()));
    let mut site = Website::down().await;
    let saved = office.service.put_connection(&admin, None, site.connection(owner)).await.unwrap();
    let began = saved.failing_since.unwrap();

    clock.advance(Duration::from_mins(1));
    let again = office.service.put_connection(&admin, Some(saved.id), site.connection(owner)).await.unwrap();
    assert_eq!((again.state, again.failing_since), (ConnectionState::Failing, Some(began)));
    site.start().await;
    let mended = office.service.put_connection(&admin, Some(saved.id), site.connection(owner)).await.unwrap();
    assert_eq!((mended.state, mended.failing_since), (ConnectionState::Working, None));
    let notices = office.notices("author").await;
    assert_eq!(notices.iter().filter(|(kind, _)| kind == "connection-fails").count(), 1);
}

#[tokio::test]
async fn where_nobody_answers_for_a_connection_the_administrators_are_told() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let admin = office.caller("admin").await;
    // A team without anybody.
    let teams = office.service.teams(&admin).await.unwrap();
    let finance = teams.iter().find(|team| team.name == "finance").unwrap();
    let owner = Some(Subject::Team(finance.id));
    let saved = office.service.put_connection(&admin, None, Website::down().await.connection(owner)).await.unwrap();
    assert_eq!(saved.owner, Some(OwnerView::Team { id: finance.id, name: "finance".to_owned() }));
    assert!(office.notices("admin").await.iter().any(|(kind, _)| kind == "connection-fails"));
}

#[tokio::test]
async fn a_new_connection_needs_an_owner_and_keeps_one() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let site = Website::down().await;
    let refused = office.service.put_connection(&admin, None, site.connection(None)).await.unwrap_err();
    assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/owner"));
    let owner = Some(Subject::User(office.user("admin").await.unwrap()));
    let saved = office.service.put_connection(&admin, None, site.connection(owner)).await.unwrap();
    let refused = office.service.put_connection(&admin, Some(saved.id), site.connection(None)).await.unwrap_err();
    assert_eq!(refused.errors[0].pointer, "/owner");

    // One from before connections had owners.
    let mut unit = office.store.begin().await.unwrap();
    let mut old = unit.connection(saved.id).await.unwrap().unwrap();
    old.owner = None;
    unit.put_connection(&old).await.unwrap();
    unit.commit().await.unwrap();
    let saved = office.service.put_connection(&admin, Some(saved.id), site.connection(None)).await.unwrap();
    assert_eq!(saved.owner, None);

    let connections = office.service.connections(&admin, None).await.unwrap();
    let owners = |name: &str| connections.iter().find(|one| one.name == name).and_then(|one| one.owner.clone());
    assert!(matches!(owners("directory"), Some(OwnerView::Team { name, .. }) if name == "it-identity"));
    assert!(matches!(owners("mail"), Some(OwnerView::Team { name, .. }) if name == "it-operations"));
}

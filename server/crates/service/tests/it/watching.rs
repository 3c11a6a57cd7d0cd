//! Triggers that nobody calls: what is put into a bucket is delivered once, whatever happens in between.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use connectors::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, Outcome, Repetition, Request, ResolvedConnection,
    System,
    watch::{Found, Item, Look, Reading, Source, Watching},
};
use domain::{
    ErrorCode, FileEnd, Name, TriggerId, TriggerKind, TriggerOutcome,
    view::{CheckStep, FilesView, LooksView, TriggerView, WatchView},
};
use serde_json::{Value, json};
use service::{Caller, HookCall, NewConnection, NewTrigger, RunQuery, Subject, TriggerSecret};
use testkit::ManualClock;

use crate::office::Office;

const NOTE: &str = "
document: {dsl: 1.0.3, namespace: incident, name: note, version: 1.0.0, title: Note}
input: {schema: {document: {type: object, required: [key], properties: {key: {type: string}}}}}
do: [{note: {set: {noted: '${ .key }'}}}]
";

/// What there is in a bucket that is there in memory only, and what was done with it.
#[derive(Default)]
struct Content {
    items: BTreeMap<String, u32>,
    settled: Vec<String>,
    failure: Option<Failure>,
    unsettled: Option<Failure>,
    /// Whether it tells how far one has come, as a mailbox does.
    counts: bool,
    lost: Option<String>,
}

/// Connections of kind `s3` without a service behind them.
#[derive(Default)]
pub(crate) struct Dropped(Mutex<Content>);

impl Dropped {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_file(&self, key: &str) {
        *self.content().items.entry(key.to_owned()).or_default() += 1;
    }
}

#[async_trait]
impl Connector for Dropped {
    fn functions(&self) -> Vec<FunctionSpec> {
        Vec::new()
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        let settings = json!({"type": "object", "additionalProperties": false, "properties": {}});
        vec![ConnectionKind { name: "s3", title: "Storage", summary: "A bucket.", function: "s3", settings }]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, _request: &Request, _context: &CallContext) -> Outcome {
        Outcome::Done(Value::Null)
    }

    async fn check(&self, _connection: &ResolvedConnection) -> Vec<CheckStep> {
        vec![CheckStep { step: "connect".to_owned(), ok: true, detail: String::new() }]
    }

    fn source(&self) -> Option<&dyn Source> {
        Some(self)
    }

    fn describe(&self, _with: &Value) -> System {
        System { title: "Storage".to_owned(), target: String::new() }
    }
}

#[async_trait]
impl Source for Dropped {
    async fn open<'a>(&'a self, _look: Look<'a>) -> Result<Box<dyn Watching + 'a>, Failure> {
        match &self.content().failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(Box::new(Looking(self))),
        }
    }
}

struct Looking<'a>(&'a Dropped);

#[async_trait]
impl Watching for Looking<'_> {
    async fn find(&mut self, progress: Option<&str>) -> Result<Found, Failure> {
        let content = self.0.content();
        let item = |(key, version): (&String, &u32)| Item {
            key: format!("{key}@{version}"),
            facts: json!(key),
            progress: content.counts.then(|| key.clone()),
        };
        let items = content.items.iter().map(item);
        if !content.counts {
            return Ok(Found { items: items.collect(), ..Found::default() });
        }
        // As a mailbox does it: what comes after what was there.
        let Some(progress) = progress else {
            let last = content.items.keys().next_back().cloned();
            return Ok(Found { progress: last, ..Found::default() });
        };
        let after = items.filter(|item| item.facts.as_str() > Some(progress));
        Ok(Found { items: after.collect(), progress: None, lost: content.lost.clone() })
    }

    async fn read(&mut self, item: &Item) -> Result<Reading, Failure> {
        if item.facts.as_str().is_some_and(|key| key.starts_with("unreadable")) {
            return Err(Failure::refused(403, "the keys lack the right to read it"));
        }
        Ok(match item.facts.as_str().unwrap() {
            "in/spam" => Reading::KeptOut("its sender is nobody".to_owned()),
            "in/torn" => Reading::Faulty("it cannot be read".to_owned()),
            key => Reading::Said(json!({"key": key})),
        })
    }

    async fn settle(&mut self, item: &Item) -> Result<(), Failure> {
        let mut content = self.0.content();
        if let Some(failure) = &content.unsettled {
            return Err(failure.clone());
        }
        content.settled.push(item.key.clone());
        Ok(())
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn watch(end: FileEnd, moved_to: &str) -> WatchView {
    WatchView {
        connection: "storage".to_owned(),
        every_seconds: 60,
        files: Some(FilesView {
            bucket: "incoming".to_owned(),
            prefix: "in/".to_owned(),
            pattern: String::new(),
            content: false,
            end,
            moved_to: moved_to.to_owned(),
        }),
        mails: None,
    }
}

fn new_trigger() -> NewTrigger {
    NewTrigger {
        workflow: "note".to_owned(),
        mapping: ".payload".to_owned(),
        watch: Some(watch(FileEnd::Leave, "")),
        enabled: true,
        ..NewTrigger::default()
    }
}

struct Watched {
    office: Office,
    clock: Arc<ManualClock>,
    admin: Caller,
    id: TriggerId,
}

impl Watched {
    /// A trigger that has looked once.
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-27T10:00:00Z".parse().unwrap()));
        let office = Office::open_by(clock.clone(), None).await;
        office.service.load_shipped([("note.yaml", NOTE)]).await.unwrap();
        let admin = office.caller("admin").await;
        let connection = NewConnection {
            name: "storage".to_owned(),
            kind: "s3".to_owned(),
            settings: json!({}),
            namespaces: vec!["incident".to_owned()],
            owner: Some(Subject::User(admin.user)),
        };
        office.service.put_connection(&admin, None, connection).await.unwrap();
        office.dropped.drop_file("in/old");
        let created = office
            .service
            .create_trigger(&admin, name("incident"), name("drops"), TriggerKind::FileDrop, new_trigger())
            .await
            .unwrap();
        assert_eq!((created.secret, created.trigger.address), (None, None), "nobody calls it");
        let watched = Self { office, clock, admin, id: created.trigger.id };
        watched.office.service.look_for_deliveries().await;
        watched
    }

    /// The time to look has come.
    async fn look(&self) {
        self.clock.advance(Duration::from_secs(60));
        self.office.service.look_for_deliveries().await;
    }

    async fn view(&self) -> TriggerView {
        self.office.service.trigger(&self.admin, self.id).await.unwrap()
    }

    async fn looks(&self) -> LooksView {
        self.view().await.looks.unwrap()
    }

    async fn runs(&self) -> usize {
        let operator = self.office.caller("operator").await;
        self.office.service.runs(&operator, RunQuery::default(), None, None).await.unwrap().items.len()
    }

    fn settled(&self) -> Vec<String> {
        self.office.dropped.content().settled.clone()
    }
}

#[tokio::test]
async fn each_new_file_launches_one_run_and_what_was_there_before_none() {
    let watched = Watched::open().await;
    assert_eq!(watched.runs().await, 0);
    assert!(watched.looks().await.looked_at.is_some());
    watched.office.dropped.drop_file("in/a");
    // It is not time to look yet.
    watched.office.service.look_for_deliveries().await;
    assert_eq!(watched.runs().await, 0);
    watched.clock.advance(Duration::from_secs(60));
    // Both nodes look.
    tokio::join!(watched.office.service.look_for_deliveries(), watched.office.other_node.look_for_deliveries());
    assert_eq!(watched.runs().await, 1);
    watched.look().await;
    assert_eq!(watched.runs().await, 1);
    // Another file under the same key is another one, and so is what comes again after it went.
    watched.office.dropped.drop_file("in/old");
    watched.office.dropped.drop_file("in/a");
    watched.look().await;
    assert_eq!(watched.runs().await, 3);
    assert_eq!(watched.settled(), ["in/a@1", "in/a@2", "in/old@2"]);
    let page = watched.office.service.deliveries(&watched.admin, watched.id, None, None, None).await.unwrap();
    assert!(page.items.iter().all(|one| one.outcome == TriggerOutcome::Launched && one.replayable), "{page:?}");
    let first = watched.office.service.delivery(&watched.admin, watched.id, 1).await.unwrap();
    assert_eq!(first.content.unwrap()["payload"], json!({"key": "in/a"}));
    let again = watched.office.service.replay_delivery(&watched.admin, watched.id, 1).await.unwrap();
    assert_eq!(again.outcome, TriggerOutcome::Launched);
}

#[tokio::test]
async fn what_was_delivered_and_not_settled_is_settled_later_and_not_delivered_again() {
    let watched = Watched::open().await;
    watched.office.dropped.drop_file("in/a");
    watched.office.dropped.content().unsettled = Some(Failure::refused(403, "the keys lack the right to tag it"));
    watched.look().await;
    assert_eq!(watched.runs().await, 1);
    assert_eq!(watched.looks().await.trouble.as_deref(), Some("the keys lack the right to tag it"));
    let since = watched.looks().await.failing_since;
    assert!(since.is_some());
    watched.look().await;
    assert_eq!(watched.looks().await.failing_since, since);
    assert_eq!(watched.office.service.watches_now().await.unwrap(), (0, 1));
    let off = NewTrigger { enabled: false, watch: None, ..new_trigger() };
    watched.office.service.update_trigger(&watched.admin, watched.id, off).await.unwrap();
    assert_eq!(watched.office.service.watches_now().await.unwrap(), (0, 0), "nobody is waited for who is off");
    watched.office.service.update_trigger(&watched.admin, watched.id, new_trigger()).await.unwrap();
    watched.office.dropped.content().unsettled = None;
    watched.look().await;
    assert_eq!((watched.runs().await, watched.settled()), (1, vec!["in/a@1".to_owned()]));
    assert_eq!(watched.looks().await.trouble, None);
    assert_eq!(watched.office.service.watches_now().await.unwrap(), (1, 0));
}

#[tokio::test]
async fn one_file_that_cannot_be_read_does_not_hold_up_the_others_and_is_delivered_later() {
    let watched = Watched::open().await;
    watched.office.dropped.content().failure = Some(Failure::unreachable("storage.test does not answer"));
    for file in ["in/a", "unreadable", "z"] {
        watched.office.dropped.drop_file(file);
    }
    watched.look().await;
    assert_eq!(watched.runs().await, 0);
    assert_eq!(watched.looks().await.trouble.as_deref(), Some("storage.test does not answer"));
    watched.office.dropped.content().failure = None;
    watched.look().await;
    assert_eq!(watched.runs().await, 2);
    assert_eq!(watched.looks().await.trouble.as_deref(), Some("the keys lack the right to read it"));
}

#[tokio::test]
async fn however_many_cannot_be_read_the_rest_is_delivered_and_the_pause_is_kept() {
    let watched = Watched::open().await;
    watched.office.dropped.drop_file("z");
    for number in 0..120 {
        watched.office.dropped.drop_file(&format!("unreadable/{number}"));
    }
    watched.look().await;
    assert_eq!(watched.runs().await, 1);
    for number in 0..120 {
        watched.office.dropped.drop_file(&format!("z/{number}"));
    }
    watched.look().await;
    assert_eq!(watched.view().await.deliveries, 101);
    watched.look().await;
    assert_eq!(watched.view().await.deliveries, 121);
}

#[tokio::test]
async fn a_look_that_a_node_died_in_is_made_up_for_by_another() {
    let watched = Watched::open().await;
    watched.office.dropped.drop_file("in/a");
    watched.clock.advance(Duration::from_secs(60));
    let now = watched.office.now();
    let mut unit = watched.office.store.begin().await.unwrap();
    assert!(unit.take_watch(watched.id, now, now + Duration::from_mins(2)).await.unwrap());
    unit.commit().await.unwrap();
    watched.office.other_node.look_for_deliveries().await;
    assert_eq!(watched.runs().await, 0);
    watched.clock.advance(Duration::from_mins(2));
    watched.office.other_node.look_for_deliveries().await;
    assert_eq!(watched.runs().await, 1);
}

#[tokio::test]
async fn more_than_a_look_takes_is_delivered_by_the_next_at_once() {
    let watched = Watched::open().await;
    for number in 0..120 {
        watched.office.dropped.drop_file(&format!("in/{number}"));
    }
    watched.look().await;
    assert_eq!(watched.view().await.deliveries, 120);
}

#[tokio::test]
async fn a_trigger_that_is_off_delivers_later_and_one_that_looks_elsewhere_begins_anew() {
    let watched = Watched::open().await;
    let service = &watched.office.service;
    let off = NewTrigger { enabled: false, watch: None, ..new_trigger() };
    service.update_trigger(&watched.admin, watched.id, off).await.unwrap();
    watched.office.dropped.drop_file("in/a");
    watched.look().await;
    assert_eq!(watched.runs().await, 0);
    let on = NewTrigger { watch: Some(watch(FileEnd::Move, "done/")), ..new_trigger() };
    service.update_trigger(&watched.admin, watched.id, on).await.unwrap();
    service.look_for_deliveries().await;
    assert_eq!(watched.runs().await, 1, "it looks at the same place, in another way");
    let mut elsewhere = watch(FileEnd::Leave, "");
    elsewhere.files.as_mut().unwrap().prefix = "other/".to_owned();
    watched.office.dropped.drop_file("other/b");
    let moved = NewTrigger { watch: Some(elsewhere), ..new_trigger() };
    service.update_trigger(&watched.admin, watched.id, moved).await.unwrap();
    service.look_for_deliveries().await;
    watched.look().await;
    assert_eq!(watched.runs().await, 1, "what is there already is left alone");
    service.delete_trigger(&watched.admin, watched.id).await.unwrap();
    watched.look().await;
}

#[tokio::test]
async fn nobody_calls_it_and_only_what_the_namespace_may_use_is_looked_at() {
    let watched = Watched::open().await;
    let (office, admin) = (&watched.office, &watched.admin);
    let place = office.store.snapshot().await.unwrap().trigger(watched.id).await.unwrap().unwrap().place;
    let called = office.service.receive_hook(&place, &HookCall::default()).await;
    assert_eq!(called.unwrap_err().code, ErrorCode::NotFound);
    let create = async |namespace: &str, kind: TriggerKind, new: NewTrigger| {
        let created = office.service.create_trigger(admin, name(namespace), name("other"), kind, new).await;
        created.unwrap_err().errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
    };
    let other = NewTrigger { workflow: "onboard-employee".to_owned(), ..new_trigger() };
    assert_eq!(create("identity", TriggerKind::FileDrop, other).await, ["/watch/connection"]);
    let mut unknown = watch(FileEnd::Leave, "");
    unknown.connection = "nowhere".to_owned();
    let unknown = NewTrigger { watch: Some(unknown), ..new_trigger() };
    assert_eq!(create("incident", TriggerKind::FileDrop, unknown).await, ["/watch/connection"]);
    assert_eq!(create("incident", TriggerKind::Github, new_trigger()).await, ["/watch"]);
    let secret = NewTrigger { secret: TriggerSecret::Make, ..new_trigger() };
    assert_eq!(create("incident", TriggerKind::FileDrop, secret).await, ["/secret"]);
    // The connection is taken away later.
    let connections = office.service.connections(admin, None).await.unwrap();
    let storage = connections.into_iter().find(|one| one.name == "storage").unwrap();
    office.service.delete_connection(admin, storage.id).await.unwrap();
    watched.look().await;
    let trouble = watched.looks().await.trouble.unwrap();
    assert!(trouble.contains("there is no connection “storage”"), "{trouble}");
}

#[tokio::test]
async fn what_is_kept_out_or_cannot_be_read_is_shown_and_left_alone() {
    let watched = Watched::open().await;
    for file in ["in/spam", "in/torn"] {
        watched.office.dropped.drop_file(file);
    }
    watched.look().await;
    watched.look().await;
    let page = watched.office.service.deliveries(&watched.admin, watched.id, None, None, None).await.unwrap();
    let shown: Vec<_> = page.items.iter().map(|one| (one.outcome, one.detail.as_deref(), one.replayable)).collect();
    let expected = [
        (TriggerOutcome::Invalid, Some("it cannot be read"), false),
        (TriggerOutcome::Filtered, Some("its sender is nobody"), false),
    ];
    assert_eq!(shown, expected);
    assert!(watched.settled().is_empty());
    assert_eq!(watched.runs().await, 0);
}

#[tokio::test]
async fn where_the_other_side_counts_only_what_is_not_settled_is_kept() {
    let watched = Watched::open().await;
    let noted = async || watched.office.store.snapshot().await.unwrap().noted_items(watched.id).await.unwrap().len();
    let progress =
        async || watched.office.store.snapshot().await.unwrap().watch(watched.id).await.unwrap().unwrap().progress;
    watched.office.dropped.content().counts = true;
    let mut elsewhere = watch(FileEnd::Leave, "");
    elsewhere.files.as_mut().unwrap().prefix = "a/".to_owned();
    let new = NewTrigger { watch: Some(elsewhere), ..new_trigger() };
    watched.office.service.update_trigger(&watched.admin, watched.id, new.clone()).await.unwrap();
    watched.look().await;
    assert_eq!((progress().await.as_deref(), noted().await), (Some("in/old"), 0));
    for file in ["in/p", "in/q"] {
        watched.office.dropped.drop_file(file);
    }
    watched.office.dropped.content().unsettled = Some(Failure::refused(422, "there is no such folder"));
    watched.look().await;
    watched.look().await;
    assert_eq!((watched.runs().await, progress().await.as_deref(), noted().await), (2, Some("in/old"), 2));
    watched.office.dropped.content().unsettled = None;
    watched.look().await;
    watched.office.dropped.drop_file("in/r");
    watched.look().await;
    assert_eq!((watched.runs().await, progress().await.as_deref()), (3, Some("in/r")));
    watched.look().await;
    assert_eq!(noted().await, 0);

    // Nobody can tell any more what is new, until somebody saves the trigger.
    watched.office.dropped.content().lost = Some("the folder is numbered anew; save the trigger".to_owned());
    watched.office.dropped.drop_file("in/s");
    watched.look().await;
    watched.office.dropped.content().lost = None;
    watched.look().await;
    let trouble = watched.looks().await.trouble;
    assert_eq!((watched.runs().await, trouble.as_deref()), (3, Some("the folder is numbered anew; save the trigger")));
    watched.office.service.update_trigger(&watched.admin, watched.id, new).await.unwrap();
    watched.look().await;
    watched.office.dropped.drop_file("in/t");
    watched.look().await;
    assert_eq!((watched.runs().await, watched.looks().await.trouble), (4, None));
}

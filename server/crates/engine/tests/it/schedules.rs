//! Runs that begin by themselves, on both databases, by a clock that the tests set.

use std::{sync::Arc, time::Duration};

use domain::{RunStatus, Timestamp, UserId};
use engine::{Engine, EngineSettings, NoObserver, Parts, secrets};
use identity::random::OsRandom;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use store::{
    Store,
    audit::AuditRow,
    runs::Run,
    schedules::Schedule,
    secrets::SealedSecret,
    workflows::{VersionState, WorkflowVersion},
};
use store_postgres::{PoolSizes, PostgresStore};
use testkit::ManualClock;

use crate::{
    lab::{Lab, until},
    postgres,
};

const HOUR: Duration = Duration::from_hours(1);
/// Says for which time it was launched.
const TELL: &str = "\n  - tell: {set: '${ $runtime.metadata.schedule.due }'}\n";

/// A lab with a clock, and whatever else a test on one of the databases needs.
struct Bench {
    lab: Lab,
    clock: Arc<ManualClock>,
    /// Another node's way to the same database.
    other: Arc<dyn Store>,
}

/// Runs a test by a clock that begins at `start`, on SQLite and, where there is one, on PostgreSQL.
async fn on_both(of: &str, start: &str, test: impl AsyncFn(Bench)) {
    let begin = |lab: Lab, other: Arc<dyn Store>| {
        let clock = Arc::new(ManualClock::at(start.parse().unwrap()));
        Bench { lab: lab.by_the_clock(Arc::clone(&clock) as _), clock, other }
    };
    let lab = Lab::new().await;
    let same = Arc::clone(&lab.store);
    test(begin(lab, same)).await;
    let Some((mut admin, name, url)) = postgres::database(of).await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let other = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as _, tempfile::tempdir().unwrap()).await;
    test(begin(lab, Arc::clone(&other) as _)).await;
    store.close().await;
    other.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

impl Bench {
    /// Publishes `test/clock` with a schedule and what is said of it in `metadata.rondo.schedule`.
    async fn publish(&self, version: &str, schedule: &str, metadata: &str, tasks: &str) -> WorkflowVersion {
        let top = format!(", metadata: {{rondo: {{schedule: {metadata}}}}}}}\nschedule: {schedule}");
        self.lab.define_with("clock", version, VersionState::Published, &top, tasks).await
    }

    fn start(&self) -> Engine {
        self.lab.start(Arc::new(NoObserver))
    }

    /// Sets the clock and has the node look.
    fn set(&self, engine: &Engine, time: &str) {
        let now = domain::Clock::now(self.clock.as_ref());
        self.clock.advance(at(time).since(now));
        engine.waker().wake_schedules();
    }

    fn pass(&self, engine: &Engine, time: Duration) {
        self.clock.advance(time);
        engine.waker().wake_schedules();
    }

    async fn schedules(&self) -> Vec<Schedule> {
        let mut unit = self.lab.store.snapshot().await.unwrap();
        unit.schedules_of(&"test/clock".parse().unwrap()).await.unwrap()
    }

    async fn runs(&self) -> Vec<Run> {
        self.lab.runs_of("clock").await
    }

    /// Waits until the only schedule is due then.
    async fn wait_until_due(&self, due: Option<Timestamp>) {
        until("the schedule is due", async || self.schedules().await[0].due_at == due).await;
    }

    /// Waits for so many runs that have completed, and gives their outputs.
    async fn outputs(&self, count: usize) -> Vec<Value> {
        until("the runs have ended", async || {
            let runs = self.runs().await;
            runs.len() >= count && runs.iter().all(|run| run.status == RunStatus::Completed)
        })
        .await;
        self.runs().await.iter().map(Lab::output).collect()
    }

    async fn entries(&self, action: &str) -> Vec<AuditRow> {
        audit::sequence(self.lab.store.as_ref(), &OsRandom).await.unwrap();
        let mut entries = self.lab.store.snapshot().await.unwrap().audit_from(0, 10_000).await.unwrap();
        entries.retain(|entry| entry.action == action);
        entries
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hours(start: &str, range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(|hour| json!(at(start) + HOUR * hour)).collect()
}

fn detail(entry: &AuditRow) -> Value {
    let body: Value = serde_json::from_str(&entry.body).unwrap();
    body["detail"].clone()
}

#[tokio::test]
async fn a_pattern_follows_the_clocks_of_berlin() {
    on_both("berlin", "2026-10-24T10:00:00Z", async |bench| {
        bench.publish("1.0.0", "{cron: 30 2 * * *}", "{zone: Europe/Berlin}", TELL).await;
        let engine = bench.start();
        // Summer time, the night with two half past twos, winter time.
        let (first, second) = ("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
        bench.wait_until_due(Some(at(first))).await;
        bench.set(&engine, "2026-10-25T00:29:59Z");
        bench.set(&engine, first);
        bench.wait_until_due(Some(at(second))).await;
        bench.set(&engine, "2026-10-25T01:30:00Z");
        bench.set(&engine, "2026-10-26T01:30:02Z");
        bench.wait_until_due(Some(at("2026-10-27T01:30:00Z"))).await;
        assert_eq!(bench.outputs(2).await, [json!(at(first)), json!(at(second))]);
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_pattern_follows_the_clocks_of_new_york() {
    on_both("york", "2026-03-07T10:00:00Z", async |bench| {
        bench.publish("1.0.0", "{cron: 30 2 * * *}", "{zone: America/New_York, missed: all}", TELL).await;
        let engine = bench.start();
        // There is no half past two on the 8th; the clock jumps to three.
        let due = ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"].map(at);
        bench.wait_until_due(Some(due[0])).await;
        bench.set(&engine, "2026-03-10T06:30:00Z");
        bench.wait_until_due(Some(at("2026-03-11T06:30:00Z"))).await;
        assert_eq!(bench.outputs(3).await, due.map(|due| json!(due)));
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn distances_do_not_drift_and_runs_are_asked_for_by_the_schedule() {
    let start = "2026-01-01T10:00:00Z";
    on_both("every", start, async |bench| {
        bench.publish("1.0.0", "{every: PT1H}", "{}", TELL).await;
        let engine = bench.start();
        for hour in 1..=3_u32 {
            // Looked at a little late each time.
            bench.set(&engine, &(at(start) + HOUR * hour + Duration::from_secs(7)).to_string());
            bench.wait_until_due(Some(at(start) + HOUR * (hour + 1))).await;
        }
        assert_eq!(bench.outputs(3).await, hours(start, 1..4));
        let run = bench.runs().await.remove(0);
        assert_eq!((run.requester_id, run.input.as_str()), (UserId::SCHEDULE, "{}"));
        let launches = bench.entries("run.launch").await;
        assert_eq!(launches.len(), 3);
        assert_eq!((launches[0].actor.as_str(), launches[0].resource_id.clone()), ("schedule", run.id.to_string()));
        assert_eq!(detail(&launches[0])["trigger"], "every");
        assert!(bench.entries("schedule.skip").await.is_empty());
        let last = &bench.schedules().await[0];
        assert_eq!(
            (last.run, last.fired_at),
            (Some(bench.runs().await[2].id), Some(domain::Clock::now(&*bench.clock)))
        );
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn the_next_run_begins_so_long_after_the_end_of_the_one_before() {
    on_both("after", "2026-01-01T10:00:00Z", async |bench| {
        let hear = "\n  - hear: {listen: {to: {one: {with: {type: knock}}}}}\n";
        bench.publish("1.0.0", "{after: PT1H}", "{}", hear).await;
        let engine = bench.start();
        until("it begins at once", async || bench.runs().await.len() == 1).await;
        let first = bench.runs().await[0].id;
        bench.lab.wait_for(first, RunStatus::Waiting).await;
        bench.pass(&engine, HOUR * 5);
        bench.wait_until_due(None).await;
        bench.lab.publish(&[("knock", "1", json!(1))]).await;
        engine.waker().wake(first);
        bench.lab.wait_for(first, RunStatus::Completed).await;
        bench.wait_until_due(Some(at("2026-01-01T16:00:00Z"))).await;
        bench.pass(&engine, Duration::from_secs(59 * 60 + 59));
        bench.pass(&engine, Duration::from_secs(1));
        until("it begins again", async || bench.runs().await.len() == 2).await;
        let second = bench.runs().await[1].clone();
        assert_eq!(second.created_at, at("2026-01-01T16:00:00Z"));
        // The end of one that is not the last is nothing to it.
        bench.wait_until_due(None).await;
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn missed_times_follow_the_policy() {
    let start = "2026-01-01T10:00:00Z";
    for (policy, expected) in [("once", 1..2), ("all", 1..6), ("skip", 1..1)] {
        on_both(&format!("missed_{policy}"), start, async |bench| {
            bench.publish("1.0.0", "{every: PT1H}", &format!("{{missed: {policy}}}"), TELL).await;
            // No node is there for five hours and a half.
            bench.clock.advance(HOUR * 5 + HOUR / 2);
            let engine = bench.start();
            bench.wait_until_due(Some(at(start) + HOUR * 6)).await;
            assert_eq!(bench.outputs(expected.clone().count()).await, hours(start, expected.clone()));
            let skipped: Vec<Value> = bench.entries("schedule.skip").await.iter().map(detail).collect();
            if policy == "skip" {
                let now = at(start) + HOUR * 5 + HOUR / 2;
                let said = json!({"version": "1.0.0", "trigger": "every", "from": at(start) + HOUR, "until": now});
                assert_eq!(skipped, [said]);
            } else {
                assert!(skipped.is_empty(), "{skipped:?}");
            }
            bench.pass(&engine, HOUR / 2);
            bench.wait_until_due(Some(at(start) + HOUR * 7)).await;
            assert_eq!(bench.outputs(expected.clone().count() + 1).await.last(), hours(start, 6..7).last());
            engine.shut_down().await;
        })
        .await;
    }
}

#[tokio::test]
async fn catching_up_has_an_end() {
    let start = "2026-01-01T10:00:00Z";
    on_both("catch_up", start, async |bench| {
        let idle = "\n  - idle: {listen: {to: {one: {with: {type: never}}}}}\n";
        bench.publish("1.0.0", "{every: PT1H}", "{missed: all}", idle).await;
        bench.clock.advance(HOUR * 1000);
        let engine = bench.start();
        bench.wait_until_due(Some(at(start) + HOUR * 1001)).await;
        assert_eq!(bench.runs().await.len(), 100);
        let skipped = bench.entries("schedule.skip").await;
        assert_eq!(detail(&skipped[0])["from"], json!(at(start) + HOUR * 101));
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_launches_each_run() {
    let seed = testkit::seed();
    let start = "2026-01-01T10:00:00Z";
    on_both("race", start, async |bench| {
        let mut random = StdRng::seed_from_u64(seed);
        bench.publish("1.0.0", "{every: PT1S}", "{missed: all}", TELL).await;
        bench.publish_other("second", "{every: PT2S}").await;
        let settings = |node: &str| EngineSettings {
            node: node.to_owned(),
            poll: Duration::from_millis(5),
            ..EngineSettings::default()
        };
        let one = Engine::start(bench.lab.parts(), settings("one"));
        let two = Engine::start(Parts { store: Arc::clone(&bench.other), ..bench.lab.parts() }, settings("two"));
        let mut passed = 0;
        for _ in 0..40 {
            let seconds = random.random_range(0..4);
            passed += seconds;
            bench.clock.advance(Duration::from_secs(seconds));
            one.waker().wake_schedules();
            two.waker().wake_schedules();
            if random.random() {
                bench.wait_until_due(Some(at(start) + Duration::from_secs(passed + 1))).await;
            }
        }
        bench.wait_until_due(Some(at(start) + Duration::from_secs(passed + 1))).await;
        let outputs = bench.outputs(usize::try_from(passed).unwrap()).await;
        let mut times: Vec<String> = outputs.iter().map(|time| time.as_str().unwrap().to_owned()).collect();
        times.sort();
        let expected: Vec<_> = (1..=passed).map(|n| (at(start) + Duration::from_secs(n)).to_string()).collect();
        assert_eq!(times, expected);
        let half = usize::try_from(passed / 2).unwrap();
        until("the other schedule is kept, too", async || bench.lab.runs_of("second").await.len() >= half).await;
        assert_eq!(bench.lab.runs_of("second").await.len(), half);
        one.shut_down().await;
        two.shut_down().await;
    })
    .await;
}

impl Bench {
    async fn publish_other(&self, name: &str, schedule: &str) {
        let top = format!(", metadata: {{rondo: {{schedule: {{missed: all}}}}}}}}\nschedule: {schedule}");
        self.lab.define_with(name, "1.0.0", VersionState::Published, &top, TELL).await;
    }
}

#[tokio::test]
async fn events_start_runs_with_themselves_as_input() {
    on_both("on_one", "2026-01-01T10:00:00Z", async |bench| {
        let lab = &bench.lab;
        lab.publish(&[("knock", "0", json!("before it was published"))]).await;
        // What it was started by, it does not hear again.
        let tasks = "
  - said: {set: {said: '${ $workflow.input[0].data }', by: '${ $runtime.metadata.schedule.trigger }'}, export: {as: .}}
  - hear: {listen: {to: {one: {with: {type: knock}}}}, output: {as: '${ [$context.said, $context.by, .[0]] }'}}
";
        bench.publish("1.0.0", "{on: {one: {with: {type: knock, data: '${ . != \"no\" }'}}}}", "{}", tasks).await;
        bench.clock.advance(HOUR);
        let engine = bench.start();
        bench.wait_until_due(None).await;
        let published = lab.publish(&[("knock", "1", json!("one")), ("other", "2", json!(0))]).await;
        assert!(published.schedules);
        engine.waker().wake_schedules();
        until("the event starts a run", async || bench.runs().await.len() == 1).await;
        let first = bench.runs().await[0].id;
        lab.wait_for(first, RunStatus::Waiting).await;
        // Twice the same event is one; what is not wanted starts none; the next is heard by the first, and starts a run.
        let again = lab.publish(&[("knock", "1", json!("one"))]).await;
        assert!(!again.schedules);
        lab.publish(&[("knock", "3", json!("no")), ("knock", "4", json!("two"))]).await;
        engine.waker().wake_schedules();
        engine.waker().wake(first);
        let run = lab.wait_for(first, RunStatus::Completed).await;
        assert_eq!(Lab::output(&run), json!(["one", "on", "no"]));
        until("the other event starts a run", async || bench.runs().await.len() == 2).await;
        bench.wait_until_due(None).await;
        assert_eq!(bench.runs().await.len(), 2);
        let input: Value = serde_json::from_str(&bench.runs().await[1].input).unwrap();
        assert_eq!((&input[0]["id"], &input[0]["data"], &input[1]), (&json!("4"), &json!("two"), &Value::Null));
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn events_that_belong_together_start_one_run() {
    on_both("on_all", "2026-01-01T10:00:00Z", async |bench| {
        let lab = &bench.lab;
        let schedule = "{on: {all: [{with: {type: paid}, correlate: {order: {from: .data.order}}}, \
                        {with: {type: packed}, correlate: {order: {from: .data.order}}}]}}";
        bench.publish("1.0.0", schedule, "{}", "\n  - orders: {set: '${ [.[] | .data.order] }'}\n").await;
        lab.publish(&[("paid", "1", json!({"order": "A"})), ("paid", "2", json!({"order": "B"}))]).await;
        let engine = bench.start();
        bench.wait_until_due(None).await;
        assert!(bench.schedules().await[0].gathered.is_some());
        engine.shut_down().await;
        // What waits for its other half outlives the node.
        let engine = bench.start();
        lab.publish(&[("packed", "3", json!({"order": "B"}))]).await;
        engine.waker().wake_schedules();
        assert_eq!(bench.outputs(1).await, [json!(["B", "B"])]);
        bench.wait_until_due(None).await;
        assert!(bench.schedules().await[0].gathered.is_some());
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn what_runs_emit_and_how_they_end_starts_runs_but_not_for_ever() {
    on_both("on_any", "2026-01-01T10:00:00Z", async |bench| {
        let lab = &bench.lab;
        let ended = "io.serverlessworkflow.workflow.completed.v1";
        let schedule = format!("{{on: {{any: [{{with: {{type: {ended}}}}}, {{with: {{type: said}}}}]}}}}");
        bench.publish("1.0.0", &schedule, "{}", "\n  - types: {set: '${ [.[] | .type] }'}\n").await;
        let engine = bench.start();
        let say = "\n  - say: {emit: {event: {with: {source: /test, type: said}}}}\n";
        let talker = lab.define("talker", "1.0.0", VersionState::Published, say).await;
        let id = lab.launch_version(&talker).await;
        engine.waker().wake(id);
        lab.wait_for(id, RunStatus::Completed).await;
        assert_eq!(bench.outputs(2).await, [json!(["said"]), json!([ended])]);
        bench.wait_until_due(None).await;
        assert_eq!(bench.runs().await.len(), 2);
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_schedule_that_cannot_be_kept_does_not_stop_the_others() {
    let start = "2026-01-01T10:00:00Z";
    on_both("trouble", start, async |bench| {
        bench.publish("1.0.0", "{on: {one: {with: {type: knock}}}}", "{}", TELL).await;
        bench.publish_other("second", "{every: PT1H}").await;
        let mut broken = bench.schedules().await.remove(0);
        broken.gathered = Some("no JSON".to_owned());
        broken.due_at = Some(at(start));
        let mut unit = bench.lab.store.begin().await.unwrap();
        unit.advance_schedule(&broken).await.unwrap();
        unit.commit().await.unwrap();
        bench.clock.advance(HOUR);
        let engine = bench.start();
        bench.wait_until_due(Some(at(start) + HOUR + Duration::from_mins(10))).await;
        until("the other begins", async || bench.lab.runs_of("second").await.len() == 1).await;
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn a_schedule_ends_with_its_version() {
    let start = "2026-01-01T10:00:00Z";
    on_both("end", start, async |bench| {
        let old = bench.publish("1.0.0", "{every: PT1H}", "{}", TELL).await;
        let engine = bench.start();
        bench.clock.advance(HOUR / 2);
        let new = bench.publish("2.0.0", "{every: PT3H, after: PT5H}", "{}", TELL).await;
        let due = |schedules: Vec<Schedule>| -> Vec<_> {
            schedules.into_iter().map(|one| (one.version, one.due_at.map(|due| due.since(at(start))))).collect()
        };
        engine.waker().wake_schedules();
        until("the new one begins", async || bench.runs().await.len() == 1).await;
        bench.outputs(1).await;
        until("its end is seen", async || bench.schedules().await[0].due_at.is_some()).await;
        let expected = [HOUR * 11 / 2, HOUR * 7 / 2].map(|due| ("2.0.0".to_owned(), Some(due)));
        assert_eq!(due(bench.schedules().await), expected);
        // The one before is launchable again, and so is its schedule.
        bench.lab.retire(&new).await;
        assert_eq!(due(bench.schedules().await), [("1.0.0".to_owned(), Some(HOUR * 3 / 2))]);
        bench.lab.retire(&old).await;
        assert_eq!(bench.schedules().await, []);
        bench.pass(&engine, HOUR * 100);
        engine.shut_down().await;
        assert_eq!(bench.runs().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_may_not_be_launched_is_refused_and_said_and_tried_at_the_next_time() {
    on_both("refused", "2026-01-01T10:00:00Z", async |bench| {
        let lacking = "{every: PT1H, after: PT2H}\nuse: {secrets: [token]}";
        bench.publish("1.0.0", lacking, "{}", TELL).await;
        let engine = bench.start();
        let refusals = async || {
            let mut entries = bench.entries("run.launch").await;
            entries.retain(|entry| entry.outcome == "refused");
            entries
        };
        let told = async || {
            let mut unit = bench.lab.store.snapshot().await.unwrap();
            unit.notifications_of(bench.lab.manager.id, None, 10).await.unwrap()
        };
        // `after` begins at once.
        let due = |text: &str| Some(at(text));
        until("the first is refused", async || bench.schedules().await[0].due_at == due("2026-01-01T12:00:00Z")).await;
        bench.set(&engine, "2026-01-01T11:00:00Z");
        until("the second, too", async || bench.schedules().await[1].due_at == due("2026-01-01T12:00:00Z")).await;
        bench.set(&engine, "2026-01-01T12:00:00Z");
        until("both, again", async || refusals().await.len() == 4).await;
        assert!(bench.runs().await.is_empty());
        let notices = told().await;
        assert_eq!(notices.len(), 2, "what is known is not told again: {notices:?}");
        for notice in notices {
            let told = (notice.kind.as_str(), notice.run_number, notice.link.as_str());
            assert_eq!(told, ("schedule-refused", None, "/catalogue/test/clock"));
        }
        for entry in refusals().await {
            assert_eq!((entry.actor.as_str(), entry.resource_name.as_str()), ("schedule", "test/clock"));
            assert_eq!(detail(&entry)["code"], "secret-missing");
        }
        for schedule in bench.schedules().await {
            let refused: Value = serde_json::from_str(&schedule.refused.unwrap()).unwrap();
            assert_eq!(refused["code"], "secret-missing");
            assert!(refused["detail"].as_str().unwrap().contains("“token”"), "{refused}");
        }

        let (namespace, by, now) = ("test".parse().unwrap(), bench.lab.manager.id, at("2026-01-01T12:00:00Z"));
        let secret = SealedSecret {
            sealed_value: secrets::seal(&bench.lab.parts().vault, &namespace, "token", &json!("word")),
            namespace,
            name: "token".to_owned(),
            created_by: by,
            created_at: now,
            updated_by: by,
            updated_at: now,
        };
        let mut unit = bench.lab.store.begin().await.unwrap();
        unit.put_secret(&secret).await.unwrap();
        unit.commit().await.unwrap();
        bench.set(&engine, "2026-01-01T13:00:00Z");
        assert_eq!(bench.outputs(1).await, [json!(at("2026-01-01T13:00:00Z"))]);
        let kept = bench.schedules().await;
        assert_eq!(kept.iter().map(|one| one.refused.is_some()).collect::<Vec<_>>(), [true, false]);
        engine.shut_down().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_decides_for_the_schedule_and_operators_hear_of_failures() {
    on_both("nobody", "2026-01-01T10:00:00Z", async |bench| {
        let ask = "\n  - ask: {call: approval, with: {approvers: {managerOf: requester}}}\n";
        bench.publish("1.0.0", "{every: PT1H}", "{}", ask).await;
        let engine = bench.start();
        bench.pass(&engine, HOUR);
        until("it asks nobody", async || bench.runs().await.iter().any(|run| run.needs_attention)).await;
        let run = bench.runs().await.remove(0);
        let fails = "\n  - fail: {raise: {error: {type: 'https://example.com/no', status: 500, title: No}}}\n";
        bench.publish("2.0.0", "{every: PT1H}", "{}", fails).await;
        bench.pass(&engine, HOUR);
        until("the next fails", async || bench.runs().await.iter().any(|run| run.status == RunStatus::Faulted)).await;
        let mut unit = bench.lab.store.snapshot().await.unwrap();
        let notices = unit.notifications_of(bench.lab.manager.id, None, 10).await.unwrap();
        let mut told: Vec<_> = notices.iter().map(|notice| (notice.run_number, notice.kind.as_str())).collect();
        told.sort();
        let expected = [(Some(run.number), "run-needs-attention"), (Some(run.number + 1), "run-needs-attention")];
        assert_eq!(told, expected);
        assert!(unit.notifications_of(UserId::SCHEDULE, None, 10).await.unwrap().is_empty());
        drop(unit);
        engine.shut_down().await;
    })
    .await;
}

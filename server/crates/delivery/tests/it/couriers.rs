use std::{sync::Arc, time::Duration};

use delivery::{Courier, Format, Lock, Objects, Receiver, Start, Step, Takes, Trust, Way};
use domain::Clock as _;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio_util::sync::CancellationToken;

use crate::{
    log::Log,
    scripted::{Act, Scripted},
};

/// Longer than a node is alone in delivering.
const BEYOND_LEASE: Duration = Duration::from_secs(61);

fn receiver() -> Receiver {
    Receiver {
        name: "siem".to_owned(),
        takes: Takes { entries: true, checkpoints: true },
        start: Start::First,
        format: Format::Rondo,
        way: Way::File("/nowhere".into()),
    }
}

pub(crate) fn courier(log: &Log, node: &str, to: &Scripted) -> Courier {
    courier_to(log, node, to, &receiver())
}

fn courier_to(log: &Log, node: &str, to: &Scripted, receiver: &Receiver) -> Courier {
    let (store, clock) = (Arc::clone(&log.store), Arc::clone(&log.clock));
    Courier::new(store, clock, node.to_owned(), receiver, Box::new(to.clone()))
}

/// Steps until there is nothing more to deliver.
async fn drain(courier: &mut Courier) {
    loop {
        match courier.step().await.unwrap() {
            Step::Idle => return,
            Step::Delivered | Step::Failed => {}
            Step::Elsewhere => panic!("another node delivers"),
        }
    }
}

/// What came for the first time, in its order.
fn first_times(numbers: &[i64]) -> Vec<i64> {
    let mut seen = Vec::new();
    for number in numbers {
        if !seen.contains(number) {
            seen.push(*number);
        }
    }
    seen
}

/// Whatever a receiver does, and however often the node is another one: nothing is lost, nothing is before its time.
#[test]
fn nothing_is_lost_or_out_of_order_whatever_the_receiver_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let acts = prop_oneof![
        2 => Just(Act::Take),
        1 => Just(Act::Refuse),
        1 => Just(Act::LoseAnswer),
        1 => (0_usize..9).prop_map(Act::BreakAfter),
    ];
    let turns = prop::collection::vec((0_usize..7, any::<bool>(), any::<bool>(), acts), 1..14);
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
    let checked = TestRunner::new(config).run(&turns, |turns| {
        runtime.block_on(async {
            let log = Log::new().await;
            let to = Scripted::default();
            let mut node = courier(&log, "node-0", &to);
            let mut written = 0;
            for (place, (more, signs, dies, act)) in turns.into_iter().enumerate() {
                log.grow(more).await;
                written += i64::try_from(more).unwrap();
                if signs {
                    log.sign().await;
                }
                to.will([act]);
                node.step().await.unwrap();
                if dies {
                    log.clock.advance(BEYOND_LEASE);
                    node = courier(&log, &format!("node-{}", place + 1), &to);
                }
            }
            log.clock.advance(BEYOND_LEASE);
            drain(&mut node).await;
            let entries = to.got("entries");
            prop_assert_eq!(first_times(&entries), (1..=written).collect::<Vec<_>>());
            // A receiver has the entries of a checkpoint before it has the checkpoint.
            let mut has = 0;
            for (what, number) in to.all() {
                match what {
                    "entries" => has = has.max(number),
                    _ => prop_assert!(number <= has, "checkpoint over {} before entry {}", number, number),
                }
            }
            Ok(())
        })
    });
    checked.unwrap();
}

#[tokio::test]
async fn a_failure_is_told_until_the_receiver_takes_something() {
    let log = Log::new().await;
    log.grow(3).await;
    let to = Scripted::default();
    to.will([Act::Refuse, Act::BreakAfter(1)]);
    let mut node = courier(&log, "node-a", &to);
    let began = log.clock.now();
    assert_eq!(node.step().await.unwrap(), Step::Failed);
    log.clock.advance(Duration::from_secs(5));
    assert_eq!(node.step().await.unwrap(), Step::Failed);
    let failing = log.receiver().await;
    assert_eq!((failing.failing_since, failing.failure.as_deref()), (Some(began), Some("broken")));
    assert_eq!(failing.holder, None, "another node may try meanwhile");
    assert_eq!(node.step().await.unwrap(), Step::Delivered);
    let mended = log.receiver().await;
    assert_eq!((mended.failing_since, mended.failure, mended.reached.entries), (None, None, 3));
    assert_eq!(to.got("entries"), [1, 1, 2, 3]);
}

#[tokio::test]
async fn one_node_delivers_until_its_lease_ends() {
    one_delivers_until_its_lease_ends(&Log::new().await).await;
}

pub(crate) async fn one_delivers_until_its_lease_ends(log: &Log) {
    log.grow(2).await;
    let (slow, quick) = (Scripted::default(), Scripted::default());
    slow.will([Act::Wait]);
    let mut first = courier(log, "node-a", &slow);
    let mut second = courier(log, "node-b", &quick);
    let under_way = tokio::spawn(async move { first.step().await.unwrap() });
    slow.asked().await;
    assert_eq!(second.step().await.unwrap(), Step::Elsewhere);
    log.clock.advance(BEYOND_LEASE);
    log.grow(1).await;
    assert_eq!(second.step().await.unwrap(), Step::Delivered, "the first has not come back");
    assert_eq!(quick.got("entries"), [1, 2, 3]);
    slow.let_go();
    assert_eq!(under_way.await.unwrap(), Step::Elsewhere, "it has lost the receiver");
    let reached = log.receiver().await;
    assert_eq!((reached.reached.entries, reached.holder.as_deref()), (3, Some("node-b")));
}

#[tokio::test]
async fn a_node_that_stops_lets_another_go_on_at_once() {
    let log = Log::new().await;
    log.grow(2).await;
    let to = Scripted::default();
    let stop = CancellationToken::new();
    to.will([Act::Wait]);
    let running = tokio::spawn(courier(&log, "node-a", &to).run(stop.clone()));
    to.asked().await;
    stop.cancel();
    to.let_go();
    running.await.unwrap();
    assert_eq!(log.receiver().await.holder, None);
    log.grow(1).await;
    drain(&mut courier(&log, "node-b", &to)).await;
    assert_eq!(to.got("entries"), [1, 2, 3], "what was under way was waited for");
}

#[tokio::test]
async fn a_receiver_can_begin_with_what_comes() {
    let log = Log::new().await;
    log.grow(3).await;
    log.sign().await;
    let to = Scripted::default();
    let mut node = courier_to(&log, "node-a", &to, &Receiver { start: Start::Now, ..receiver() });
    assert_eq!(node.step().await.unwrap(), Step::Idle);
    log.grow(2).await;
    log.sign().await;
    drain(&mut node).await;
    assert_eq!(to.all(), [("entries", 4), ("entries", 5), ("checkpoints", 5)]);
    // What the configuration says of the beginning has a meaning once.
    drain(&mut courier_to(&log, "node-a", &to, &receiver())).await;
    assert_eq!(to.all().len(), 3);
}

#[tokio::test]
async fn only_what_a_receiver_wants_goes_to_it() {
    let log = Log::new().await;
    log.grow(3).await;
    log.sign().await;
    for (takes, expected) in [
        (Takes { entries: true, checkpoints: false }, vec![("entries", 1), ("entries", 2), ("entries", 3)]),
        (Takes { entries: false, checkpoints: true }, vec![("checkpoints", 3)]),
    ] {
        let to = Scripted::default();
        let name = format!("{takes:?}");
        drain(&mut courier_to(&log, "node-a", &to, &Receiver { takes, name, ..receiver() })).await;
        assert_eq!(to.all(), expected);
    }
}

#[tokio::test]
async fn objects_are_made_of_many_entries_or_after_a_while() {
    let log = Log::new().await;
    let objects = Objects {
        endpoint: "https://s3.example.test".parse().unwrap(),
        bucket: "audit".to_owned(),
        prefix: String::new(),
        region: "us-east-1".to_owned(),
        in_path: true,
        access_key: "key".to_owned(),
        secret: "secret".into(),
        trust: Trust::default(),
        lock: None::<Lock>,
        every: Duration::from_mins(5),
    };
    let to = Scripted::default();
    let mut node = courier_to(&log, "node-a", &to, &Receiver { way: Way::S3(Box::new(objects)), ..receiver() });
    log.grow(2).await;
    log.sign().await;
    assert_eq!(node.step().await.unwrap(), Step::Idle, "they are young");
    log.clock.advance(Duration::from_mins(4));
    log.grow(2).await;
    assert_eq!(node.step().await.unwrap(), Step::Idle);
    log.clock.advance(Duration::from_mins(1));
    assert_eq!(node.step().await.unwrap(), Step::Delivered);
    assert_eq!(to.got("entries"), [1, 2, 3, 4]);
    log.grow(5_000).await;
    assert_eq!(node.step().await.unwrap(), Step::Delivered, "they are many");
    assert_eq!(to.got("entries").len(), 5_004);
    assert_eq!(to.got("checkpoints"), [2]);
}

#[tokio::test]
async fn the_newest_checkpoint_is_mailed_once_a_day() {
    let log = Log::new().await;
    let to = Scripted::default();
    let way = Way::Mail { to: "auditor@example.test".to_owned(), every: Duration::from_hours(24) };
    let takes = Takes { entries: false, checkpoints: true };
    let mut node = courier_to(&log, "node-a", &to, &Receiver { way, takes, ..receiver() });
    assert_eq!(node.step().await.unwrap(), Step::Idle);
    for size in 1..=3 {
        log.grow(1).await;
        log.sign().await;
        drain(&mut node).await;
        assert_eq!(to.got("checkpoints"), [1], "{size}");
        log.clock.advance(Duration::from_hours(1));
    }
    log.clock.advance(Duration::from_hours(22));
    drain(&mut node).await;
    assert_eq!(to.got("checkpoints"), [1, 3]);
}

use std::{collections::BTreeSet, sync::Arc};

use domain::{RunStatus, RunnerState, RunnerTaskState, Scope};
use store::{
    StoreError,
    runners::{Beginning, Demand, Held, RunnerTask, Turn},
};

use super::Subject;
use crate::fixtures::{at, run, runner, runner_id, runner_task, user_id};

fn held(task: &RunnerTask, epoch: i64) -> Held {
    Held { key: task.key, epoch }
}

fn beginning(instance: &str) -> Beginning {
    Beginning { instance: instance.to_owned(), version: "1.0.0".to_owned(), capacity: 4 }
}

pub(super) async fn a_runner_is_enrolled_once_and_removed(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let mut first = runner(1, &["dmz", "linux"]);
    first.namespaces =
        vec![Scope::Namespace("identity".parse().unwrap()), Scope::Namespace("network".parse().unwrap())];
    assert!(unit.insert_runner(&first).await.unwrap());
    let mut other = runner(2, &[]);
    other.name.clone_from(&first.name);
    assert!(!unit.insert_runner(&other).await.unwrap(), "its name is taken");
    assert!(unit.insert_runner(&runner(3, &[])).await.unwrap());
    assert_eq!(unit.runner(runner_id(1)).await.unwrap(), Some(first.clone()));
    assert_eq!(unit.runner_by_token("hash-1").await.unwrap(), Some(first.clone()));
    assert_eq!(unit.runner_by_token("hash-2").await.unwrap(), None);
    assert!(unit.update_runner_state(runner_id(1), RunnerState::Draining).await.unwrap());
    assert!(!unit.update_runner_state(runner_id(2), RunnerState::Draining).await.unwrap());
    let listed = unit.list_runners().await.unwrap();
    assert_eq!(listed, [runner_with(&first, RunnerState::Draining), runner(3, &[])]);
    assert!(unit.delete_runner(runner_id(1)).await.unwrap());
    assert!(!unit.delete_runner(runner_id(1)).await.unwrap());
    assert_eq!(unit.runner_by_token("hash-1").await.unwrap(), None);
    let mut same_token = runner(4, &[]);
    "hash-3".clone_into(&mut same_token.token_hash);
    assert!(matches!(unit.insert_runner(&same_token).await, Err(StoreError::Duplicate(_))));
}

fn runner_with(runner: &store::runners::Runner, state: RunnerState) -> store::runners::Runner {
    store::runners::Runner { state, ..runner.clone() }
}

pub(super) async fn a_runner_has_one_session_and_asks_in_turn(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_runner(&runner(1, &[])).await.unwrap();
    let turn = |session, turn| Turn { runner: runner_id(1), session, turn };
    assert_eq!(unit.begin_runner(runner_id(1), &beginning("a"), at(1)).await.unwrap(), Some(1));
    assert_eq!(unit.begin_runner(runner_id(2), &beginning("a"), at(1)).await.unwrap(), None);
    assert!(unit.take_runner_turn(turn(1, 1), 10, at(2)).await.unwrap());
    assert!(unit.take_runner_turn(turn(1, 1), 10, at(3)).await.unwrap(), "the same once more");
    assert!(unit.take_runner_turn(turn(1, 3), 20, at(4)).await.unwrap());
    assert!(!unit.take_runner_turn(turn(1, 2), 30, at(5)).await.unwrap(), "it has asked again since");
    let known = unit.runner(runner_id(1)).await.unwrap().unwrap();
    assert_eq!((known.instance.as_deref(), known.version.as_deref()), (Some("a"), Some("1.0.0")));
    assert_eq!((known.session, known.turn, known.capacity, known.load), (1, 3, Some(4), Some(20)));
    assert_eq!(known.seen_at, Some(at(4)));
    assert_eq!(unit.begin_runner(runner_id(1), &beginning("a"), at(6)).await.unwrap(), Some(2));
    assert!(!unit.take_runner_turn(turn(1, 9), 30, at(7)).await.unwrap(), "of an earlier session");
    assert!(unit.take_runner_turn(turn(2, 1), 30, at(7)).await.unwrap());
    unit.commit().await.unwrap();
}

pub(super) async fn a_task_is_queued_once_and_goes_to_who_fits(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let (plain, labelled) = (runner_task(1, 7, &[]), runner_task(2, 3, &["dmz", "linux"]));
    assert!(unit.insert_runner_task(&plain, "sealed-1").await.unwrap());
    assert!(unit.insert_runner_task(&labelled, "sealed-2").await.unwrap());
    assert!(!unit.insert_runner_task(&plain, "sealed-3").await.unwrap(), "it is there");
    assert_eq!(unit.runner_task(plain.key).await.unwrap(), Some(plain.clone()));
    assert_eq!(unit.open_runner_tasks().await.unwrap(), [labelled.clone(), plain.clone()]);
    let demands = unit.queued_demands().await.unwrap();
    assert_eq!(demands, [plain.demand.clone(), labelled.demand.clone()]);
    let (one, other) = (runner(1, &["dmz", "linux", "west"]), runner(2, &["dmz"]));
    assert_eq!(demands.iter().filter(|demand| one.fits(demand)).count(), 2);
    let fitting: Vec<Demand> = demands.into_iter().filter(|demand| other.fits(demand)).collect();
    assert_eq!(fitting, std::slice::from_ref(&plain.demand));
    assert_eq!(unit.lease_runner_tasks(other.id, &fitting, 0, at(30)).await.unwrap(), []);
    assert_eq!(unit.lease_runner_tasks(other.id, &[], 5, at(30)).await.unwrap(), []);
    let leased = unit.lease_runner_tasks(other.id, &fitting, 5, at(30)).await.unwrap();
    let expected = RunnerTask {
        state: RunnerTaskState::Leased,
        epoch: 1,
        runner: Some(other.id),
        lease_until: Some(at(30)),
        ..plain.clone()
    };
    assert_eq!(leased, [(expected.clone(), "sealed-1".to_owned())]);
    assert_eq!(unit.tasks_of_runner(other.id).await.unwrap(), [expected]);
    assert_eq!(unit.tasks_of_runner(one.id).await.unwrap(), []);
    assert_eq!(unit.queued_demands().await.unwrap(), [labelled.demand]);
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let unknown = unit.insert_runner_task(&runner_task(9, 1, &[]), "sealed").await;
    assert!(matches!(unknown, Err(StoreError::Reference(_))), "of no run: {unknown:?}");
}

pub(super) async fn a_task_is_begun_and_done_in_its_epoch(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let task = runner_task(1, 7, &[]);
    let demands = [task.demand.clone()];
    unit.insert_runner_task(&task, "sealed").await.unwrap();
    assert!(!unit.start_runner_task(held(&task, 0), runner_id(1), at(1)).await.unwrap(), "nobody has it");
    assert!(!unit.finish_runner_task(held(&task, 0), "{}", at(1)).await.unwrap(), "nobody has it");
    unit.lease_runner_tasks(runner_id(1), &demands, 1, at(30)).await.unwrap();
    assert!(!unit.start_runner_task(held(&task, 1), runner_id(2), at(2)).await.unwrap(), "somebody else has it");
    assert!(unit.start_runner_task(held(&task, 1), runner_id(1), at(2)).await.unwrap());
    assert!(unit.start_runner_task(held(&task, 1), runner_id(1), at(3)).await.unwrap(), "it was told so before");
    assert_eq!(unit.runner_task(task.key).await.unwrap().unwrap().started_at, Some(at(2)));
    assert!(unit.requeue_runner_task(held(&task, 1)).await.unwrap());
    assert!(!unit.requeue_runner_task(held(&task, 1)).await.unwrap());
    let queued = unit.runner_task(task.key).await.unwrap().unwrap();
    assert_eq!(queued, RunnerTask { epoch: 1, ..task.clone() });
    let leased = unit.lease_runner_tasks(runner_id(2), &demands, 1, at(30)).await.unwrap();
    assert_eq!(leased.iter().map(|(task, text)| (task.epoch, text.as_str())).collect::<Vec<_>>(), [(2, "sealed")]);
    assert!(!unit.start_runner_task(held(&task, 1), runner_id(1), at(4)).await.unwrap(), "it was lost");
    assert!(!unit.finish_runner_task(held(&task, 1), "{}", at(4)).await.unwrap(), "it was lost");
    assert_eq!(unit.finished_runner_tasks(&[task.key]).await.unwrap(), []);
    assert!(unit.finish_runner_task(held(&task, 2), "{}", at(4)).await.unwrap());
    assert!(!unit.finish_runner_task(held(&task, 2), "{\"other\":1}", at(5)).await.unwrap(), "once");
    let done = unit.runner_task(task.key).await.unwrap().unwrap();
    assert_eq!((done.state, done.outcome.as_deref(), done.done_at), (RunnerTaskState::Done, Some("{}"), Some(at(4))));
    assert_eq!(unit.finished_runner_tasks(&[task.key, runner_task(1, 8, &[]).key]).await.unwrap(), [task.key]);
    assert_eq!(unit.open_runner_tasks().await.unwrap(), []);
    assert!(!unit.insert_runner_task(&task, "sealed").await.unwrap(), "what became of it is still known");
    unit.commit().await.unwrap();
}

pub(super) async fn tasks_of_runs_that_have_ended_are_forgotten(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let mut ended = run(2, user_id(1));
    ended.status = RunStatus::Completed;
    ended.wake_at = None;
    unit.insert_run(&ended).await.unwrap();
    let (goes_on, of_ended, orphan) = (runner_task(1, 1, &[]), runner_task(2, 1, &[]), runner_task(2, 2, &["x"]));
    for task in [&goes_on, &of_ended, &orphan] {
        unit.insert_runner_task(task, "sealed").await.unwrap();
    }
    unit.lease_runner_tasks(runner_id(1), std::slice::from_ref(&goes_on.demand), 5, at(30)).await.unwrap();
    for task in [&goes_on, &of_ended] {
        assert!(unit.finish_runner_task(held(task, 1), "{}", at(4)).await.unwrap());
    }
    assert_eq!(unit.stop_orphaned_runner_tasks("{}", at(4)).await.unwrap(), 1, "nobody waits for it");
    assert_eq!(unit.open_runner_tasks().await.unwrap(), []);
    assert_eq!(unit.delete_runner_tasks(at(4)).await.unwrap(), 0);
    assert_eq!(unit.delete_runner_tasks(at(5)).await.unwrap(), 2);
    assert!(unit.runner_task(goes_on.key).await.unwrap().is_some(), "its run may still ask");
    assert_eq!(unit.runner_task(of_ended.key).await.unwrap(), None);
    unit.commit().await.unwrap();
}

pub(super) async fn a_task_that_nobody_wants_is_not_begun(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let (queued, leased, started) = (runner_task(1, 9, &["x"]), runner_task(1, 2, &[]), runner_task(1, 1, &[]));
    for task in [&queued, &leased, &started] {
        unit.insert_runner_task(task, "sealed").await.unwrap();
    }
    unit.lease_runner_tasks(runner_id(1), std::slice::from_ref(&leased.demand), 5, at(30)).await.unwrap();
    assert!(unit.start_runner_task(held(&started, 1), runner_id(1), at(2)).await.unwrap());
    assert_eq!(unit.runners_to_stop().await.unwrap(), []);
    for task in [&queued, &leased, &started] {
        unit.stop_runner_task(task.key, "\"stopped\"", at(5)).await.unwrap();
    }
    for task in [&queued, &leased] {
        let now = unit.runner_task(task.key).await.unwrap().unwrap();
        assert_eq!((now.state, now.outcome.as_deref()), (RunnerTaskState::Done, Some("\"stopped\"")), "{now:?}");
    }
    assert!(!unit.start_runner_task(held(&leased, 1), runner_id(1), at(6)).await.unwrap());
    let now = unit.runner_task(started.key).await.unwrap().unwrap();
    assert_eq!((now.state, now.stopped), (RunnerTaskState::Started, true));
    assert_eq!(unit.runners_to_stop().await.unwrap(), [runner_id(1)]);
    assert!(unit.finish_runner_task(held(&started, 1), "{}", at(6)).await.unwrap());
    assert_eq!(unit.runners_to_stop().await.unwrap(), []);
    unit.commit().await.unwrap();
}

pub(super) async fn leases_end_unless_they_are_renewed(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let (one, other) = (runner_task(1, 1, &["a"]), runner_task(1, 2, &["b"]));
    for (task, number) in [(&one, 1), (&other, 2)] {
        unit.insert_runner_task(task, "sealed").await.unwrap();
        unit.lease_runner_tasks(runner_id(number), std::slice::from_ref(&task.demand), 1, at(30)).await.unwrap();
    }
    assert_eq!(unit.expired_runner_tasks(at(29), 10).await.unwrap(), []);
    unit.renew_runner_tasks(runner_id(1), at(60)).await.unwrap();
    let expired = unit.expired_runner_tasks(at(30), 10).await.unwrap();
    assert_eq!(expired.iter().map(|task| task.key).collect::<Vec<_>>(), [other.key]);
    let both = unit.expired_runner_tasks(at(60), 10).await.unwrap();
    assert_eq!(both.iter().map(|task| task.key).collect::<Vec<_>>(), [other.key, one.key]);
    assert_eq!(unit.expired_runner_tasks(at(60), 1).await.unwrap().len(), 1);
    unit.commit().await.unwrap();
}

pub(super) async fn two_runners_never_get_the_same_task(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    for call in 1..=60 {
        unit.insert_runner_task(&runner_task(1, call, &[]), "sealed").await.unwrap();
    }
    unit.commit().await.unwrap();
    let other = subject.another().await;
    let mut runners = Vec::new();
    for number in 1..=8 {
        let store = if number % 2 == 0 { Arc::clone(&*subject) } else { Arc::clone(&other) };
        runners.push(tokio::spawn(async move {
            let demand = runner_task(1, 1, &[]).demand;
            let mut mine = Vec::new();
            for _ in 0..100 {
                let mut unit = store.begin().await.unwrap();
                let some =
                    unit.lease_runner_tasks(runner_id(number), std::slice::from_ref(&demand), 3, at(30)).await.unwrap();
                unit.commit().await.unwrap();
                if some.is_empty() {
                    break;
                }
                mine.extend(some.into_iter().map(|(task, _)| task.key));
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for runner in runners {
        all.extend(runner.await.unwrap());
    }
    let mut unit = subject.unit().await;
    let demand = runner_task(1, 1, &[]).demand;
    let rest = unit.lease_runner_tasks(runner_id(9), &[demand], 100, at(30)).await.unwrap();
    all.extend(rest.into_iter().map(|(task, _)| task.key));
    unit.commit().await.unwrap();
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (60, 60));
    other.close().await;
}

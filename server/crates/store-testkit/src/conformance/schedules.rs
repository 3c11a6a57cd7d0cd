use std::sync::Arc;

use domain::{Trigger, UserId, WorkflowRef};
use store::{
    StoreError, UnitOfWork,
    events::{EventKey, Filter, NewEvent},
    schedules::Schedule,
    users::User,
};

use super::Subject;
use crate::fixtures::{at, run_id, schedule, user, version, workflow};

fn other() -> WorkflowRef {
    "incident/service-down".parse().unwrap()
}

async fn claim(subject: &Subject, seconds: i64) -> Option<(WorkflowRef, Trigger)> {
    let mut unit = subject.unit().await;
    let claimed = unit.claim_schedule(at(seconds)).await.unwrap();
    unit.rollback().await.unwrap();
    claimed.map(|schedule| (schedule.workflow, schedule.trigger))
}

pub(super) async fn schedules_are_stored_whole_and_end_together(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other(), "1.0.0")).await.unwrap();
    let mut every = schedule(&workflow(), Trigger::Every);
    let after = schedule(&workflow(), Trigger::After);
    let elsewhere = schedule(&other(), Trigger::Every);
    for one in [&every, &after, &elsewhere] {
        unit.insert_schedule(one, &[]).await.unwrap();
    }
    assert_eq!(unit.schedules_of(&workflow()).await.unwrap(), [after.clone(), every.clone()]);
    every.due_at = None;
    every.fired_at = Some(at(5));
    every.run = Some(run_id(1));
    every.refused = Some("{}".to_owned());
    every.seen = 7;
    every.gathered = Some("{}".to_owned());
    unit.advance_schedule(&every).await.unwrap();
    assert_eq!(unit.schedules_of(&workflow()).await.unwrap(), [after, every.clone()]);
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    let replaced = Schedule { version: "2.0.0".to_owned(), ..every.clone() };
    assert!(matches!(unit.advance_schedule(&replaced).await, Err(StoreError::Conflict)));
    unit.delete_schedules(&workflow()).await.unwrap();
    assert!(matches!(unit.advance_schedule(&every).await, Err(StoreError::Conflict)));
    assert_eq!(unit.schedules_of(&workflow()).await.unwrap(), []);
    assert_eq!(unit.schedules_of(&other()).await.unwrap(), std::slice::from_ref(&elsewhere));
    assert!(matches!(unit.insert_schedule(&elsewhere, &[]).await, Err(StoreError::Duplicate(_))));
}

pub(super) async fn the_schedule_that_is_due_longest_is_claimed_first(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other(), "1.0.0")).await.unwrap();
    assert_eq!(unit.next_schedule().await.unwrap(), None);
    for (of, trigger, due) in
        [(workflow(), Trigger::Cron, Some(20)), (other(), Trigger::Every, Some(10)), (other(), Trigger::On, None)]
    {
        unit.insert_schedule(&Schedule { due_at: due.map(at), ..schedule(&of, trigger) }, &[]).await.unwrap();
    }
    assert_eq!(unit.next_schedule().await.unwrap(), Some(at(10)));
    unit.commit().await.unwrap();
    assert_eq!(claim(&subject, 9).await, None);
    assert_eq!(claim(&subject, 30).await, Some((other(), Trigger::Every)));
    let mut unit = subject.unit().await;
    let mut claimed = unit.claim_schedule(at(30)).await.unwrap().unwrap();
    claimed.due_at = Some(at(40));
    unit.advance_schedule(&claimed).await.unwrap();
    let next = unit.claim_schedule(at(30)).await.unwrap().unwrap();
    assert_eq!((next.workflow, next.trigger), (workflow(), Trigger::Cron));
    assert_eq!(unit.next_schedule().await.unwrap(), Some(at(20)));
    let mut unit = subject.reading().await;
    assert!(matches!(unit.claim_schedule(at(30)).await, Err(StoreError::ReadOnly)));
}

/// Two nodes that look at the same moment: each time is taken once.
pub(super) async fn two_nodes_never_claim_the_same_time(subject: Subject) {
    const TIMES: i64 = 40;
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let first = Schedule { due_at: Some(at(0)), ..schedule(&workflow(), Trigger::Every) };
    unit.insert_schedule(&first, &[]).await.unwrap();
    unit.commit().await.unwrap();
    let mut nodes = Vec::new();
    for store in [Arc::clone(&*subject), subject.another().await] {
        nodes.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                let mut unit = store.begin().await.unwrap();
                if unit.next_schedule().await.unwrap().is_none() {
                    return taken;
                }
                // The other holds it.
                let Some(mut claimed) = unit.claim_schedule(at(TIMES)).await.unwrap() else {
                    drop(unit);
                    tokio::task::yield_now().await;
                    continue;
                };
                let due = claimed.due_at.unwrap();
                taken.push(due);
                let next = due + std::time::Duration::from_secs(1);
                claimed.due_at = (next <= at(TIMES)).then_some(next);
                unit.advance_schedule(&claimed).await.unwrap();
                unit.commit().await.unwrap();
            }
        }));
    }
    let mut taken = Vec::new();
    for node in nodes {
        taken.extend(node.await.unwrap());
    }
    taken.sort();
    assert_eq!(taken, (0..=TIMES).map(at).collect::<Vec<_>>());
}

pub(super) async fn the_end_of_a_run_makes_what_waits_for_it_due(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    for trigger in [Trigger::After, Trigger::Every] {
        let waiting = Schedule { due_at: None, run: Some(run_id(1)), ..schedule(&workflow(), trigger) };
        unit.insert_schedule(&waiting, &[]).await.unwrap();
    }
    assert!(!unit.schedule_after(run_id(2), at(9)).await.unwrap());
    assert!(unit.schedule_after(run_id(1), at(9)).await.unwrap());
    let due: Vec<_> = unit.schedules_of(&workflow()).await.unwrap().into_iter().map(|one| one.due_at).collect();
    assert_eq!(due, [Some(at(9)), None]);
}

async fn publish(unit: &mut dyn UnitOfWork, kind: &str, source: &str, id: &str, about: Option<u128>) {
    let key = EventKey { kind, source, id };
    let event = NewEvent { key, about: about.map(run_id), received_at: at(1), body: id };
    assert!(unit.insert_event(&event).await.unwrap());
}

pub(super) async fn an_event_makes_those_due_that_admit_it(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other(), "1.0.0")).await.unwrap();
    publish(&mut *unit, "opened", "/a", "before", None).await;
    let seen = unit.end_of_stream().await.unwrap();
    let opened = [Filter { kind: Some("opened"), source: None }, Filter { kind: Some("opened"), source: None }];
    let from_a = [Filter { kind: None, source: Some("/a") }];
    for (of, filters) in [(workflow(), opened), (other(), [from_a[0], from_a[0]])] {
        let waiting = Schedule { due_at: None, seen, ..schedule(&of, Trigger::On) };
        unit.insert_schedule(&waiting, &filters).await.unwrap();
    }
    assert!(!unit.call_schedules("closed", "/b", None, at(3)).await.unwrap());
    assert!(unit.call_schedules("opened", "/b", None, at(3)).await.unwrap());
    assert_eq!(unit.schedules_of(&workflow()).await.unwrap()[0].due_at, Some(at(3)));
    assert_eq!(unit.schedules_of(&other()).await.unwrap()[0].due_at, None);
    // What is told of its own runs is nothing to it.
    assert!(unit.call_schedules("opened", "/a", Some(&workflow()), at(4)).await.unwrap());
    assert_eq!(unit.schedules_of(&workflow()).await.unwrap()[0].due_at, Some(at(3)));
    assert_eq!(unit.schedules_of(&other()).await.unwrap()[0].due_at, Some(at(4)));
    assert!(unit.is_anybody_listening(&["closed", "opened"], "/b", run_id(1), &other()).await.unwrap());
    assert!(!unit.is_anybody_listening(&["closed", "opened"], "/b", run_id(1), &workflow()).await.unwrap());

    for (kind, source, id, about) in [
        ("opened", "/a", "1", None),
        ("closed", "/a", "2", None),
        ("opened", "/b", "3", Some(1)),
        ("opened", "/b", "4", None),
    ] {
        publish(&mut *unit, kind, source, id, about).await;
    }
    let mut found = Vec::new();
    for (of, filters, limit) in [(workflow(), &opened[..1], 9), (other(), &from_a[..], 9), (other(), &opened[..1], 2)] {
        let events = unit.events_for_schedule(&of, filters, seen, limit).await.unwrap();
        found.push(events.into_iter().map(|event| event.body).collect::<Vec<_>>());
    }
    assert_eq!(found, [vec!["1", "4"], vec!["1", "2"], vec!["1", "3"]]);
    let last = unit.end_of_stream().await.unwrap();
    assert_eq!(unit.events_for_schedule(&workflow(), &opened, last, 9).await.unwrap(), []);

    unit.delete_schedules(&workflow()).await.unwrap();
    assert!(!unit.call_schedules("opened", "/b", None, at(5)).await.unwrap());
}

pub(super) async fn the_schedule_is_no_person(subject: Subject) {
    let mut unit = subject.unit().await;
    let nobody = User { id: UserId::SCHEDULE, active: false, ..user(1, "(schedule)") };
    unit.insert_user(&nobody).await.unwrap();
    unit.insert_user(&user(1, "staff")).await.unwrap();
    assert_eq!(unit.count_users().await.unwrap(), 1);
    let listed = unit.list_users(None, None, 10).await.unwrap();
    assert_eq!(listed.into_iter().map(|user| user.login).collect::<Vec<_>>(), ["staff"]);
    assert_eq!(unit.user(UserId::SCHEDULE).await.unwrap(), Some(nobody));
}

use std::collections::BTreeSet;

use domain::{ApprovalState, Scope};
use store::calendars::{ApprovalTimer, Calendar, TimerKind};

use super::Subject;
use crate::fixtures::{approval, approval_id, at, run_id, user_id};

fn calendar(scope: &str, name: &str, text: &str) -> Calendar {
    Calendar {
        scope: scope.parse().unwrap(),
        name: name.parse().unwrap(),
        text: text.to_owned(),
        changed_by: user_id(1),
        changed_at: at(7),
    }
}

fn timer(number: u128, kind: TimerKind, second: i64) -> ApprovalTimer {
    ApprovalTimer { approval: approval_id(number), kind, at: at(second), fired_at: None }
}

pub(super) async fn a_calendar_is_of_a_namespace_or_of_all(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let (all, own) = (calendar("*", "office", "all"), calendar("identity", "office", "own"));
    let night = calendar("*", "night", "dark");
    unit.put_calendar(&calendar("*", "office", "before")).await.unwrap();
    for one in [&all, &own, &night] {
        unit.put_calendar(one).await.unwrap();
    }
    assert_eq!(unit.list_calendars().await.unwrap(), [night.clone(), all.clone(), own.clone()]);
    assert_eq!(unit.calendar(&Scope::Everywhere, &all.name).await.unwrap(), Some(all.clone()));
    assert_eq!(unit.calendar(&own.scope, &own.name).await.unwrap(), Some(own.clone()));
    assert_eq!(unit.calendar(&own.scope, &night.name).await.unwrap(), None);
    assert!(unit.delete_calendar(&own.scope, &own.name).await.unwrap());
    assert!(!unit.delete_calendar(&own.scope, &own.name).await.unwrap());
    assert_eq!(unit.list_calendars().await.unwrap(), [night, all]);
}

pub(super) async fn a_timer_of_an_approval_is_taken_once(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    for number in [1, 2] {
        let mut asked = approval(number, run_id(number), user_id(1), None);
        asked.timing = Some("{}".to_owned());
        unit.insert_approval(&asked, &[]).await.unwrap();
        assert_eq!(unit.approval(approval_id(number)).await.unwrap(), Some(asked));
    }
    assert_eq!(unit.next_approval_timer().await.unwrap(), None);
    let timers = [timer(1, TimerKind::Remind, 10), timer(1, TimerKind::Remind, 20), timer(2, TimerKind::Escalate, 15)];
    let last = timer(2, TimerKind::Due, 40);
    for one in timers.iter().chain([&last, &last]) {
        unit.insert_approval_timer(one).await.unwrap();
    }
    assert_eq!(unit.next_approval_timer().await.unwrap(), Some(at(10)));
    assert_eq!(unit.take_approval_timers(at(9), 9).await.unwrap(), []);
    let done = |one: &ApprovalTimer, second| ApprovalTimer { fired_at: Some(at(second)), ..*one };
    assert_eq!(unit.take_approval_timers(at(16), 1).await.unwrap(), [done(&timers[0], 16)]);
    assert_eq!(unit.take_approval_timers(at(17), 9).await.unwrap(), [done(&timers[2], 17)]);
    assert_eq!(unit.next_approval_timer().await.unwrap(), Some(at(20)));
    assert_eq!(unit.approval_timers(approval_id(2)).await.unwrap(), [done(&timers[2], 17), last]);
    // What was not done until it closed is not done any more.
    unit.close_approval(approval_id(2), ApprovalState::Rejected, at(18)).await.unwrap();
    assert_eq!(unit.approval_timers(approval_id(2)).await.unwrap(), [done(&timers[2], 17)]);
    assert_eq!(unit.take_approval_timers(at(50), 9).await.unwrap(), [done(&timers[1], 50)]);
    assert_eq!(unit.next_approval_timer().await.unwrap(), None);
}

pub(super) async fn two_nodes_never_take_the_same_timer(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &[]).await.unwrap();
    for second in 1..=40 {
        unit.insert_approval_timer(&timer(1, TimerKind::Remind, second)).await.unwrap();
    }
    unit.commit().await.unwrap();
    let take = async || {
        let mut taken = Vec::new();
        loop {
            let mut unit = subject.unit().await;
            let some = unit.take_approval_timers(at(100), 3).await.unwrap();
            unit.commit().await.unwrap();
            if some.is_empty() {
                return taken;
            }
            taken.extend(some.into_iter().map(|timer| timer.at));
        }
    };
    let (mine, yours) = tokio::join!(take(), take());
    let all: BTreeSet<_> = mine.iter().chain(&yours).copied().collect();
    assert_eq!((all.len(), mine.len() + yours.len()), (40, 40));
}

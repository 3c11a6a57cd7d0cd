use std::{collections::BTreeSet, time::Duration};

use super::Subject;
use crate::fixtures::{at, line, notification, notification_id, outgoing, run_id, user_id};

const HOLD: Duration = Duration::from_mins(1);

pub(super) async fn notices_are_paged_and_marked_as_read(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for (number, created) in [(1, 10), (2, 20), (3, 10), (4, 30)] {
        unit.insert_notification(&notification(number, user_id(1), at(created))).await.unwrap();
    }
    unit.insert_notification(&notification(5, user_id(2), at(5))).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = unit.notifications_of(user_id(1), before, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.created_at, last.id));
        seen.extend(page.iter().map(|notice| notice.id));
    }
    assert_eq!(seen, [4, 2, 3, 1].map(notification_id));
    assert_eq!(unit.count_unread(user_id(1)).await.unwrap(), 4);
    unit.mark_read(user_id(1), Some(notification_id(2)), at(40)).await.unwrap();
    unit.mark_read(user_id(1), Some(notification_id(5)), at(40)).await.unwrap();
    assert_eq!(unit.count_unread(user_id(1)).await.unwrap(), 3);
    unit.mark_read(user_id(1), None, at(50)).await.unwrap();
    assert_eq!(unit.count_unread(user_id(1)).await.unwrap(), 0);
    assert_eq!(unit.count_unread(user_id(2)).await.unwrap(), 1);
    let read: Vec<_> = unit.notifications_of(user_id(1), None, 9).await.unwrap();
    assert_eq!(read.iter().map(|notice| notice.read_at).collect::<Vec<_>>(), [50, 40, 50, 50].map(|s| Some(at(s))));
}

pub(super) async fn a_message_is_taken_held_and_settled(subject: Subject) {
    let mut unit = subject.unit().await;
    assert!(unit.push_outgoing(&outgoing("a", at(10))).await.unwrap());
    assert!(!unit.push_outgoing(&outgoing("a", at(10))).await.unwrap());
    assert!(unit.push_outgoing(&outgoing("b", at(5))).await.unwrap());
    let mut other = outgoing("c", at(0));
    "webhook".clone_into(&mut other.kind);
    unit.push_outgoing(&other).await.unwrap();
    assert_eq!(unit.count_outgoing().await.unwrap(), (3, 0));
    assert!(unit.take_outgoing("mail", at(4), HOLD, 10).await.unwrap().is_empty());
    let taken = unit.take_outgoing("mail", at(10), HOLD, 10).await.unwrap();
    assert_eq!(taken.iter().map(|message| message.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((taken[0].due_at, taken[0].attempts, taken[0].payload.as_str()), (at(70), 0, "{\"to\":\"a\"}"));
    assert!(unit.take_outgoing("mail", at(69), HOLD, 10).await.unwrap().is_empty());
    unit.settle_outgoing(taken[0].seq, at(11)).await.unwrap();
    let again = unit.take_outgoing("mail", at(70), HOLD, 10).await.unwrap();
    assert_eq!(again.iter().map(|message| message.key.as_str()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(unit.count_outgoing().await.unwrap(), (2, 0));
    assert!(!unit.push_outgoing(&outgoing("a", at(10))).await.unwrap(), "the key of a sent message stays taken");
}

pub(super) async fn two_senders_never_take_the_same_message(subject: Subject) {
    let mut unit = subject.unit().await;
    for number in 0..40 {
        unit.push_outgoing(&outgoing(&format!("key-{number}"), at(0))).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut senders = Vec::new();
    for _ in 0..4 {
        let subject = subject.clone();
        senders.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let mut unit = subject.unit().await;
                let taken = unit.take_outgoing("mail", at(1), HOLD, 3).await.unwrap();
                unit.commit().await.unwrap();
                if taken.is_empty() {
                    return mine;
                }
                mine.extend(taken.into_iter().map(|message| message.key));
            }
        }));
    }
    let mut all = Vec::new();
    for sender in senders {
        all.extend(sender.await.unwrap());
    }
    let mut unit = subject.unit().await;
    all.extend(unit.take_outgoing("mail", at(1), HOLD, 100).await.unwrap().into_iter().map(|message| message.key));
    assert_eq!(all.len(), 40);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 40);
}

pub(super) async fn a_message_that_fails_is_deferred_or_given_up(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.push_outgoing(&outgoing("a", at(0))).await.unwrap();
    let seq = unit.take_outgoing("mail", at(0), HOLD, 1).await.unwrap()[0].seq;
    unit.defer_outgoing(seq, "451 try later", Some(at(5))).await.unwrap();
    let taken = unit.take_outgoing("mail", at(5), HOLD, 1).await.unwrap();
    assert_eq!((taken[0].attempts, taken[0].last_error.as_deref()), (1, Some("451 try later")));
    unit.defer_outgoing(seq, "550 no such user", None).await.unwrap();
    assert_eq!(unit.count_outgoing().await.unwrap(), (0, 1));
    assert!(unit.take_outgoing("mail", at(9999), HOLD, 1).await.unwrap().is_empty());
}

pub(super) async fn logs_are_kept_per_run_and_task(subject: Subject) {
    let logs = subject.logs();
    logs.append(&[]).await.unwrap();
    let lines: Vec<_> = (0..1200)
        .map(|number| {
            (run_id(1 + number % 2), line(if number % 4 < 2 { "/do/0/a" } else { "/do/1/b" }, &format!("{number}")))
        })
        .collect();
    logs.append(&lines).await.unwrap();
    logs.append(&[(run_id(3), line("/do/0/a", "bell\u{7} nul\0 한글"))]).await.unwrap();
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = logs.read(run_id(1), None, after, 250).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.is_sorted_by_key(|line| line.seq));
        after = last.seq;
        seen.extend(page.into_iter().map(|line| line.text));
    }
    assert_eq!(seen, (0..1200).step_by(2).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(logs.read(run_id(1), Some("/do/1/b"), 0, 2000).await.unwrap().len(), 300);
    assert_eq!(logs.read(run_id(9), None, 0, 10).await.unwrap(), []);
    let odd = logs.read(run_id(3), None, 0, 10).await.unwrap();
    assert_eq!(odd[0].text, "bell\u{7} nul\u{fffd} 한글");
    assert_eq!((odd[0].at, odd[0].level.as_str()), (at(1), "info"));
}

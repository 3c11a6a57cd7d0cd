use store::{
    StoreError,
    triggers::Trigger,
    watches::{Noted, Watch},
};

use super::Subject;
use crate::fixtures::{at, trigger, trigger_id, watch};

async fn with(subject: &Subject, triggers: &[Trigger]) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for trigger in triggers {
        assert!(unit.insert_trigger(trigger).await.unwrap());
    }
    unit.commit().await.unwrap();
}

fn noted(item: &str, settled: bool) -> Noted {
    Noted { item: item.to_owned(), settled }
}

pub(super) async fn where_a_trigger_looks_is_stored_whole_and_goes_with_it(subject: Subject) {
    with(&subject, &[trigger(1, "one"), trigger(2, "two")]).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.watch(trigger_id(1)).await.unwrap(), None);
    let bare = watch(1);
    unit.put_watch(&bare).await.unwrap();
    unit.put_watch(&watch(2)).await.unwrap();
    assert_eq!(unit.list_watches().await.unwrap(), [bare.clone(), watch(2)]);
    let whole = Watch {
        connection: "files".to_owned(),
        place: "{}".to_owned(),
        pause: 7,
        progress: Some("3".to_owned()),
        looked_at: Some(at(4)),
        trouble: Some((at(5), "nobody is there".to_owned())),
        ..bare
    };
    unit.put_watch(&whole).await.unwrap();
    unit.note_item(trigger_id(1), &noted("a", true)).await.unwrap();
    assert_eq!(unit.watch(trigger_id(1)).await.unwrap(), Some(whole));
    assert!(unit.delete_trigger(trigger_id(1)).await.unwrap());
    assert_eq!(unit.list_watches().await.unwrap(), [watch(2)]);
    assert!(unit.noted_items(trigger_id(1)).await.unwrap().is_empty());
    let nobody_s = unit.put_watch(&watch(3)).await;
    assert!(matches!(nobody_s, Err(StoreError::Reference(_))), "{nobody_s:?}");
}

pub(super) async fn one_node_at_a_time_looks_and_only_where_the_trigger_is_on(subject: Subject) {
    let off = Trigger { enabled: false, ..trigger(3, "three") };
    with(&subject, &[trigger(1, "one"), trigger(2, "two"), off]).await;
    let mut unit = subject.unit().await;
    for (number, due) in [(1, 5), (2, 3), (3, 1)] {
        unit.put_watch(&Watch { due_at: at(due), ..watch(number) }).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let due = |found: Vec<Watch>| found.into_iter().map(|one| one.trigger).collect::<Vec<_>>();
    assert_eq!(due(unit.watches_due(at(9), 9).await.unwrap()), [trigger_id(2), trigger_id(1)]);
    assert_eq!(due(unit.watches_due(at(9), 1).await.unwrap()), [trigger_id(2)]);
    assert_eq!(due(unit.watches_due(at(4), 9).await.unwrap()), [trigger_id(2)]);
    drop(unit);
    let take = async || {
        let mut unit = subject.unit().await;
        let taken = unit.take_watch(trigger_id(2), at(9), at(20)).await.unwrap();
        unit.commit().await.unwrap();
        taken
    };
    let (mine, yours) = tokio::join!(take(), take());
    assert!(mine != yours);
    let mut unit = subject.unit().await;
    assert_eq!(due(unit.watches_due(at(9), 9).await.unwrap()), [trigger_id(1)]);
    assert!(unit.take_watch(trigger_id(2), at(20), at(30)).await.unwrap(), "whoever had it is gone");
    assert!(!unit.take_watch(trigger_id(4), at(20), at(30)).await.unwrap());
    unit.release_watches().await.unwrap();
    assert_eq!(due(unit.watches_due(at(0), 9).await.unwrap()), [trigger_id(1), trigger_id(2)]);
}

pub(super) async fn what_was_noted_is_known_until_it_is_forgotten(subject: Subject) {
    with(&subject, &[trigger(1, "one"), trigger(2, "two")]).await;
    let mut unit = subject.unit().await;
    unit.note_item(trigger_id(1), &noted("b", false)).await.unwrap();
    unit.note_item(trigger_id(1), &noted("B", true)).await.unwrap();
    unit.note_item(trigger_id(2), &noted("b", false)).await.unwrap();
    unit.note_item(trigger_id(1), &noted("b", true)).await.unwrap();
    assert_eq!(unit.noted_items(trigger_id(1)).await.unwrap(), [noted("B", true), noted("b", true)]);
    assert_eq!(unit.noted_item(trigger_id(2), "b").await.unwrap(), Some(noted("b", false)));
    assert_eq!(unit.noted_item(trigger_id(2), "B").await.unwrap(), None);
    assert!(unit.forget_item(trigger_id(1), "B").await.unwrap());
    assert!(!unit.forget_item(trigger_id(1), "B").await.unwrap());
    unit.forget_items(trigger_id(1)).await.unwrap();
    assert!(unit.noted_items(trigger_id(1)).await.unwrap().is_empty());
    assert_eq!(unit.noted_items(trigger_id(2)).await.unwrap(), [noted("b", false)]);
}

use domain::{Risk, view::AuditFilter};
use store::{
    StoreError,
    audit::{AuditCheckpoint, AuditKey, AuditTerms, AuditTile, AuditView, Mark, QueuedEntry},
};

use super::Subject;
use crate::fixtures::{approval, approval_id, at, audit, run, run_id, team, user, user_id, version, workflow};

pub(super) async fn entries_follow_each_other_without_gaps(subject: Subject) {
    let mut unit = subject.unit().await;
    assert_eq!(unit.audit_size().await.unwrap(), 0);
    for wrong in [0, 2, -1, i64::MIN] {
        assert!(matches!(unit.append_audit(0, &[audit(wrong)]).await, Err(StoreError::Conflict)), "{wrong}");
    }
    assert!(matches!(unit.append_audit(0, &[audit(1), audit(3)]).await, Err(StoreError::Conflict)));
    unit.append_audit(0, &[]).await.unwrap();
    let mut first = audit(1);
    first.actor_id = Some(user_id(77));
    first.namespace = None;
    "refused".clone_into(&mut first.outcome);
    assert!(matches!(unit.append_audit(1, &[audit(2)]).await, Err(StoreError::Conflict)));
    unit.append_audit(0, &[first.clone(), audit(2)]).await.unwrap();
    assert!(matches!(unit.append_audit(0, &[audit(1)]).await, Err(StoreError::Conflict)));
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.audit_size().await.unwrap(), 2);
    assert_eq!(unit.audit_entry(1).await.unwrap(), Some(first.clone()));
    assert_eq!(unit.audit_entry(3).await.unwrap(), None);
    assert_eq!(unit.audit_from(0, 1).await.unwrap(), [first]);
    assert_eq!(unit.audit_from(1, 10).await.unwrap(), [audit(2)]);
}

pub(super) async fn sixteen_writers_make_one_log(subject: Subject) {
    let other = subject.another().await;
    let mut writers = Vec::new();
    for number in 0..16 {
        let store = if number % 2 == 0 { std::sync::Arc::clone(&*subject) } else { std::sync::Arc::clone(&other) };
        writers.push(tokio::spawn(async move {
            for round in 0..8 {
                let mut unit = store.begin().await.unwrap();
                unit.put_setting(&format!("{number}"), &format!("{round}")).await.unwrap();
                let size = unit.audit_size().await.unwrap();
                unit.append_audit(size, &[audit(size + 1)]).await.unwrap();
                unit.commit().await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let mut unit = subject.reading().await;
    let chain = unit.audit_from(0, 1000).await.unwrap();
    assert_eq!(chain.len(), 128);
    for (place, entry) in (1..).zip(&chain) {
        assert_eq!(entry.seq, place);
    }
    assert_eq!(unit.audit_size().await.unwrap(), 128);
    other.close().await;
}

pub(super) async fn entries_are_filtered_and_paged(subject: Subject) {
    let mut unit = subject.unit().await;
    let mut entries = Vec::new();
    for seq in 1..=12 {
        let mut entry = audit(seq);
        let (actor, action) = match seq % 3 {
            0 => ("staff", "run.cancel"),
            1 => ("system", "run"),
            _ => ("system", "runner.start"),
        };
        actor.clone_into(&mut entry.actor);
        action.clone_into(&mut entry.action);
        if seq == 7 {
            "R-4: A step".clone_into(&mut entry.resource_name);
        }
        if seq > 10 {
            "user".clone_into(&mut entry.resource_kind);
            entry.namespace = Some("incident".to_owned());
            "failed".clone_into(&mut entry.outcome);
        }
        entries.push(entry);
    }
    unit.append_audit(0, &entries).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let none = AuditFilter::default;
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (AuditFilter { from: Some(at(3)), to: Some(at(6)), ..none() }, vec![5, 4, 3]),
        (AuditFilter { actor: some("staff"), ..none() }, vec![12, 9, 6, 3]),
        (AuditFilter { action: some("run"), to: Some(at(7)), ..none() }, vec![6, 4, 3, 1]),
        (AuditFilter { action: some("run.cancel"), from: Some(at(9)), ..none() }, vec![12, 9]),
        (AuditFilter { action: some("ru"), ..none() }, vec![]),
        (AuditFilter { resource_kind: some("user"), ..none() }, vec![12, 11]),
        (AuditFilter { resource: some("R-4: A step"), ..none() }, vec![7]),
        (AuditFilter { resource: some("R-"), ..none() }, vec![]),
        (AuditFilter { resource: some("id-5"), ..none() }, vec![5]),
        (AuditFilter { namespace: some("incident"), outcome: some("failed"), ..none() }, vec![12, 11]),
        (AuditFilter { namespace: some("incident"), outcome: some("done"), ..none() }, vec![]),
    ] {
        let found = unit.list_audit(&filter, None, 50).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let mut seen = Vec::new();
    loop {
        let page = unit.list_audit(&none(), seen.last().copied(), 5).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.iter().map(|entry| entry.seq));
    }
    assert_eq!(seen, (1..=12).rev().collect::<Vec<_>>());
}

pub(super) async fn entries_are_found_by_their_words_and_marks(subject: Subject) {
    let mut unit = subject.unit().await;
    let team = team(1, "team-1");
    unit.insert_user(&user(1, "one")).await.unwrap();
    unit.insert_team(&team).await.unwrap();
    unit.add_member(team.id, user_id(1)).await.unwrap();
    let mut entries: Vec<_> = (1..=6).map(audit).collect();
    entries[3].actor_id = Some(user_id(1));
    unit.append_audit(0, &entries).await.unwrap();
    let terms = |seq: i64, words: &str, marks: &[(Mark, &str)]| AuditTerms {
        seq,
        words: words.split_whitespace().map(str::to_owned).collect(),
        marks: marks.iter().map(|(mark, text)| (*mark, (*text).to_owned())).collect(),
    };
    let (policy, other) = ((Mark::Policy, "people-ask"), (Mark::Policy, "people-ask-too"));
    let (third, risky) = ((Mark::Run, "id-3"), (Mark::Risk, "high"));
    let first = [
        terms(1, "a laptop for 김민수", &[policy, (Mark::Address, "192.0.2.7")]),
        terms(2, "", &[]),
        terms(3, "laptops ärger", &[policy, policy, (Mark::Credential, "s-1"), third, risky]),
        terms(4, "lap 김민", &[other, third, risky]),
    ];
    assert_eq!(unit.audit_indexed().await.unwrap(), 0);
    unit.index_audit(0, &[]).await.unwrap();
    unit.index_audit(0, &first).await.unwrap();
    unit.index_audit(4, &[terms(5, "laptop", &[policy, (Mark::Address, "192.0.2.70"), risky])]).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert!(matches!(unit.index_audit(4, &[terms(6, "laptop", &[])]).await, Err(StoreError::Conflict)));
    let mut unit = subject.reading().await;
    assert_eq!(unit.audit_indexed().await.unwrap(), 5);
    let none = AuditFilter::default;
    let some = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (AuditFilter { text: some("laptop"), ..none() }, vec![5, 3, 1]),
        (AuditFilter { text: some("Lap"), ..none() }, vec![5, 4, 3, 1]),
        (AuditFilter { text: some("LAPTOP Ärger"), ..none() }, vec![3]),
        (AuditFilter { text: some("김민"), ..none() }, vec![4, 1]),
        (AuditFilter { text: some("김민수 a"), ..none() }, vec![1]),
        (AuditFilter { text: some("top"), ..none() }, vec![]),
        (AuditFilter { text: some("'laptop\" OR *"), ..none() }, vec![]),
        (AuditFilter { text: some(" - "), ..none() }, vec![6, 5, 4, 3, 2, 1]),
        (AuditFilter { policy: some("people-ask"), ..none() }, vec![5, 3, 1]),
        (AuditFilter { policy: some("people-ask-too"), ..none() }, vec![4]),
        (AuditFilter { address: some("192.0.2.7"), ..none() }, vec![1]),
        (AuditFilter { credential: some("s-1"), ..none() }, vec![3]),
        (AuditFilter { credential: some("192.0.2.7"), ..none() }, vec![]),
        (AuditFilter { policy: some("people-ask"), address: some("192.0.2.70"), ..none() }, vec![5]),
        (AuditFilter { policy: some("people-ask"), text: some("laptop"), last: Some(4), ..none() }, vec![3, 1]),
        (AuditFilter { text: some("laptop"), resource: some("R-3"), ..none() }, vec![3]),
        (AuditFilter { resource: some("R-3"), ..none() }, vec![4, 3]),
        (AuditFilter { run: some("R-3"), ..none() }, vec![4, 3]),
        (AuditFilter { run: some("id-3"), ..none() }, vec![4, 3]),
        (AuditFilter { run: some("id-3"), resource: some("R-4"), ..none() }, vec![4]),
        (AuditFilter { run: some("R-33"), ..none() }, vec![]),
        (AuditFilter { risk: Some(Risk::High), ..none() }, vec![5, 4, 3]),
        (AuditFilter { risk: Some(Risk::High), policy: some("people-ask"), ..none() }, vec![5, 3]),
        (AuditFilter { risk: Some(Risk::High), run: some("R-3"), text: some("lap"), ..none() }, vec![4, 3]),
        (AuditFilter { risk: Some(Risk::Low), ..none() }, vec![]),
        (AuditFilter { team: some("team-1"), ..none() }, vec![4]),
        (AuditFilter { team: some("team-2"), ..none() }, vec![]),
    ] {
        let found = unit.list_audit(&filter, None, 50).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(unit.audit_places(&filter, None, 50).await.unwrap(), expected, "{filter:?}");
        let below: Vec<_> = expected.iter().copied().filter(|seq| *seq < 4).take(1).collect();
        assert_eq!(unit.audit_places(&filter, Some(4), 1).await.unwrap(), below, "{filter:?}");
    }
    let at = unit.audit_at(&[2, 6, 9]).await.unwrap();
    assert_eq!(at, [entries[5].clone(), entries[1].clone()]);
    assert_eq!(unit.audit_at(&[]).await.unwrap(), []);
}

pub(super) async fn entries_lead_to_runs_and_their_definitions(subject: Subject) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "one")).await.unwrap();
    unit.insert_version(&version(&workflow(), "1.0.0")).await.unwrap();
    for number in [1, 2] {
        unit.insert_run(&run(number, user_id(1))).await.unwrap();
    }
    unit.insert_approval(&approval(3, run_id(2), user_id(1), None), &[]).await.unwrap();
    let found = unit.runs_of_approvals(&[approval_id(3), approval_id(4)]).await.unwrap();
    assert_eq!(found, [(approval_id(3), run_id(2))]);
    let mut found = unit.versions_of_runs(&[run_id(2), run_id(1), run_id(9)]).await.unwrap();
    found.sort_by_key(|(run, ..)| *run);
    assert_eq!(found, [1, 2].map(|number| (run_id(number), workflow(), "1.0.0".to_owned())));
    assert_eq!(unit.runs_of_approvals(&[]).await.unwrap(), []);
    assert_eq!(unit.versions_of_runs(&[]).await.unwrap(), []);
    let text = unit.text_of_version(&workflow(), "1.0.0").await.unwrap();
    assert_eq!(text, Some(version(&workflow(), "1.0.0").source));
    assert_eq!(unit.text_of_version(&workflow(), "2.0.0").await.unwrap(), None);
}

pub(super) async fn searches_that_people_have_named_are_theirs(subject: Subject) {
    let mut unit = subject.unit().await;
    for number in [1, 2] {
        unit.insert_user(&user(number, &format!("person-{number}"))).await.unwrap();
    }
    let view = |number: u128, name: &str, query: &str| AuditView {
        user_id: user_id(number),
        name: name.to_owned(),
        query: query.to_owned(),
        shared: false,
        saved_at: at(1),
    };
    let shared = |view: AuditView| AuditView { shared: true, ..view };
    for view in [view(1, "b", "x=1"), view(1, "a", "x=2"), view(2, "b", "x=3"), view(1, "b", "x=4")] {
        unit.put_audit_view(&view).await.unwrap();
    }
    let found = unit.audit_views_of(user_id(1)).await.unwrap();
    assert_eq!(found, [view(1, "a", "x=2"), view(1, "b", "x=4")]);
    assert!(unit.delete_audit_view(user_id(1), "b").await.unwrap());
    assert!(!unit.delete_audit_view(user_id(1), "b").await.unwrap());
    assert_eq!(unit.audit_views_of(user_id(2)).await.unwrap(), [view(2, "b", "x=3")]);

    assert_eq!(unit.shared_audit_views(user_id(2), 9).await.unwrap(), []);
    for view in [view(1, "c", "x=5"), view(1, "a", "x=6"), view(2, "c", "x=7")] {
        unit.put_audit_view(&shared(view)).await.unwrap();
    }
    let found = unit.shared_audit_views(user_id(2), 9).await.unwrap();
    assert_eq!(found, [shared(view(1, "a", "x=6")), shared(view(1, "c", "x=5"))]);
    assert_eq!(unit.shared_audit_views(user_id(2), 1).await.unwrap(), [shared(view(1, "a", "x=6"))]);
    assert_eq!(unit.shared_audit_views(user_id(1), 9).await.unwrap(), [shared(view(2, "c", "x=7"))]);
    unit.put_audit_view(&view(1, "a", "x=6")).await.unwrap();
    assert_eq!(unit.shared_audit_views(user_id(2), 9).await.unwrap(), [shared(view(1, "c", "x=5"))]);
}

pub(super) async fn what_is_queued_is_taken_once_and_in_order(subject: Subject) {
    let queued = |number: i64| QueuedEntry { actor_id: (number == 2).then(|| user_id(2)), entry: number.to_string() };
    let mut unit = subject.unit().await;
    assert!(unit.is_audit_queue_empty().await.unwrap());
    assert_eq!(unit.queued_audit(9).await.unwrap(), []);
    unit.queue_audit(&[]).await.unwrap();
    unit.queue_audit(&[queued(1), queued(2)]).await.unwrap();
    unit.queue_audit(&[queued(3)]).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    assert!(!unit.is_audit_queue_empty().await.unwrap());
    let (numbers, entries): (Vec<_>, Vec<_>) = unit.queued_audit(2).await.unwrap().into_iter().unzip();
    assert_eq!(entries, [queued(1), queued(2)]);
    unit.take_queued_audit(&numbers).await.unwrap();
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    unit.take_queued_audit(&[]).await.unwrap();
    unit.take_queued_audit(&numbers).await.unwrap();
    let left = unit.queued_audit(2).await.unwrap();
    assert_eq!(left.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), [queued(3)]);
    assert!(matches!(unit.take_queued_audit(&[left[0].0, numbers[0]]).await, Err(StoreError::Conflict)));
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    let all: Vec<_> = unit.queued_audit(9).await.unwrap().into_iter().map(|(number, _)| number).collect();
    unit.take_queued_audit(&all).await.unwrap();
    assert!(unit.is_audit_queue_empty().await.unwrap());
    unit.commit().await.unwrap();
    assert!(subject.reading().await.is_audit_queue_empty().await.unwrap());
}

pub(super) async fn the_tree_only_grows(subject: Subject) {
    let tile = |level, place, hashes: usize| AuditTile { level, place, hashes: "ab".repeat(32 * hashes) };
    let mut unit = subject.unit().await;
    assert_eq!(unit.audit_tree_size().await.unwrap(), 0);
    assert_eq!(unit.audit_tiles(&[(0, 0)]).await.unwrap(), []);
    unit.put_audit_tiles(&[]).await.unwrap();
    unit.put_audit_tiles(&[tile(0, 0, 2)]).await.unwrap();
    assert_eq!(unit.audit_tree_size().await.unwrap(), 2);
    unit.put_audit_tiles(&[tile(0, 0, 256), tile(0, 1, 3), tile(1, 0, 1)]).await.unwrap();
    assert_eq!(unit.audit_tree_size().await.unwrap(), 259);
    unit.commit().await.unwrap();
    for altered in [
        AuditTile { hashes: "cd".repeat(32 * 4), ..tile(0, 1, 0) },
        tile(0, 1, 2),
        AuditTile { hashes: "ab".repeat(32 * 3) + "ab", ..tile(0, 1, 0) },
        tile(0, 2, 0),
        tile(0, 2, 257),
    ] {
        let mut unit = subject.unit().await;
        assert!(unit.put_audit_tiles(std::slice::from_ref(&altered)).await.is_err(), "{altered:?}");
    }
    let mut unit = subject.reading().await;
    let found = unit.audit_tiles(&[(1, 0), (0, 1), (0, 7), (3, 0)]).await.unwrap();
    assert_eq!(found, [tile(0, 1, 3), tile(1, 0, 1)]);
    assert_eq!(unit.audit_tiles(&[]).await.unwrap(), []);
}

pub(super) async fn keys_and_checkpoints_stay(subject: Subject) {
    let key = |number: i64| AuditKey {
        id: format!("{number:08x}"),
        number,
        public: format!("public-{number}"),
        sealed: format!("sealed-{number}"),
        introduction: (number > 1).then(|| format!("introduction-{number}")),
        created_at: at(number),
    };
    let checkpoint = |size: i64, note: &str| AuditCheckpoint { size, at: at(size), note: note.to_owned() };
    let mut unit = subject.unit().await;
    assert_eq!(unit.audit_keys().await.unwrap(), []);
    assert_eq!(unit.last_audit_checkpoint().await.unwrap(), None);
    unit.insert_audit_key(&key(1)).await.unwrap();
    unit.insert_audit_key(&key(2)).await.unwrap();
    for size in [0, 40, 7] {
        assert!(unit.insert_audit_checkpoint(&checkpoint(size, "first")).await.unwrap());
    }
    assert!(!unit.insert_audit_checkpoint(&checkpoint(7, "second")).await.unwrap());
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let again = AuditKey { id: "another".to_owned(), ..key(2) };
    assert!(matches!(unit.insert_audit_key(&again).await, Err(StoreError::Duplicate(_))));
    drop(unit);
    let mut unit = subject.reading().await;
    assert_eq!(unit.audit_keys().await.unwrap(), [key(1), key(2)]);
    assert_eq!(unit.last_audit_checkpoint().await.unwrap(), Some(checkpoint(40, "first")));
    let found = unit.audit_checkpoints(1, 9).await.unwrap();
    assert_eq!(found, [checkpoint(7, "first"), checkpoint(40, "first")]);
    assert_eq!(unit.audit_checkpoints(0, 1).await.unwrap(), [checkpoint(0, "first")]);
}

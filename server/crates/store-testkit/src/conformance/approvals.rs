use domain::{ApprovalState, DecisionKind, Timestamp};
use store::{
    StoreError,
    approvals::{ApprovalFilter, Approver, QueueKey},
    runs::Visibility,
};

use super::Subject;
use crate::fixtures::{
    answered, approval, approval_id, approver, at, decision, draft, draft_id, remark, remark_id, run, run_id, user_id,
};

pub(super) async fn the_queue_is_ordered_by_due_time_and_paged(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    for (number, due) in [(1, None), (2, Some(at(20))), (3, Some(at(10))), (4, None), (5, Some(at(10)))] {
        unit.insert_approval(&approval(number, run_id(1), user_id(1), due), &[approver(user_id(2))]).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    let pending = ApprovalFilter { state: Some(ApprovalState::Pending), ..ApprovalFilter::default() };
    for filter in [&pending, &ApprovalFilter::default()] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = unit.list_approvals(&Visibility::everything(), filter, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            let due = last.due_at.unwrap_or(Timestamp::from_micros(i64::MAX));
            after = Some(QueueKey { due, id: last.id });
            seen.extend(page.iter().map(|approval| approval.id));
        }
        assert_eq!(seen, [3, 5, 2, 1, 4].map(approval_id));
    }
    let overdue = unit.overdue_approvals(at(10), 10).await.unwrap();
    assert_eq!(overdue.iter().map(|approval| approval.id).collect::<Vec<_>>(), [3, 5].map(approval_id));
    assert_eq!(unit.overdue_approvals(at(9), 10).await.unwrap(), []);
    let same = unit.approval_of_call(run_id(1), "call-2").await.unwrap();
    assert_eq!(same, Some(approval(2, run_id(1), user_id(1), Some(at(20)))));
    assert_eq!(unit.approval_of_call(run_id(1), "none").await.unwrap(), None);
    assert_eq!(unit.approval(approval_id(9)).await.unwrap(), None);
}

pub(super) async fn what_is_read_of_many_is_that_of_each(subject: Subject) {
    subject.organisation(3).await;
    let mut unit = subject.unit().await;
    let both = [approver(user_id(3)), approver(user_id(2))];
    for (number, asked) in [(1, &both[..]), (2, &both[..1]), (3, &[])] {
        unit.insert_approval(&approval(number, run_id(number), user_id(1), None), asked).await.unwrap();
    }
    unit.insert_decision(&decision(1, approval_id(1), user_id(2))).await.unwrap();
    unit.insert_decision(&decision(2, approval_id(2), user_id(3))).await.unwrap();
    unit.note_change(run_id(2), user_id(1)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    // Whatever the order, twice, and beside one that is not there.
    let numbers = [2, 9, 1, 3, 2];
    let (ids, runs) = (numbers.map(approval_id), numbers.map(run_id));
    let (mut asked, mut decided, mut changed, mut known) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in [1, 2, 3] {
        let id = approval_id(number);
        asked.extend(unit.approvers(id).await.unwrap().into_iter().map(|approver| (id, approver)));
        decided.extend(unit.decisions(id).await.unwrap());
        changed.extend(unit.changers(run_id(number)).await.unwrap().into_iter().map(|user| (run_id(number), user)));
        known.extend(unit.run(run_id(number)).await.unwrap());
    }
    assert_eq!((asked.len(), decided.len(), changed.len(), known.len()), (3, 2, 1, 3));
    assert_eq!(unit.approvers_of(&ids).await.unwrap(), asked);
    assert_eq!(unit.decisions_of(&ids).await.unwrap(), decided);
    assert_eq!(unit.changers_of(&runs).await.unwrap(), changed);
    let mut found = unit.runs_by_id(&runs).await.unwrap();
    found.sort_by_key(|run| run.id);
    assert_eq!(found, known);
    assert_eq!(unit.approvers_of(&[]).await.unwrap(), []);
    assert_eq!(unit.runs_by_id(&[]).await.unwrap(), []);
}

pub(super) async fn a_queue_shows_what_waits_for_a_person(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let both = [approver(user_id(2)), approver(user_id(3))];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &both).await.unwrap();
    unit.insert_approval(&approval(2, run_id(2), user_id(1), None), &both[..1]).await.unwrap();
    unit.insert_decision(&decision(1, approval_id(1), user_id(2))).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    for (person, expected) in [(2, vec![2]), (3, vec![1]), (1, vec![])] {
        let filter = ApprovalFilter { waiting_for: Some(user_id(person)), ..ApprovalFilter::default() };
        let found = unit.list_approvals(&Visibility::everything(), &filter, None, 10).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(approval_id).collect();
        assert_eq!(found.iter().map(|approval| approval.id).collect::<Vec<_>>(), expected, "person {person}");
        let waiting = unit.count_waiting_for(user_id(person), &[], 99).await.unwrap();
        assert_eq!(waiting, expected.len() as u64, "person {person}");
    }
    assert_eq!(unit.people_asked_in(run_id(1)).await.unwrap(), [user_id(2), user_id(3)]);
    assert_eq!(unit.people_asked_in(run_id(2)).await.unwrap(), [user_id(2)]);
    let of_run = ApprovalFilter { run: Some(run_id(2)), ..ApprovalFilter::default() };
    assert_eq!(unit.list_approvals(&Visibility::everything(), &of_run, None, 10).await.unwrap().len(), 1);
    let approved = ApprovalFilter { state: Some(ApprovalState::Approved), ..ApprovalFilter::default() };
    assert_eq!(unit.list_approvals(&Visibility::everything(), &approved, None, 10).await.unwrap(), []);
}

pub(super) async fn of_two_decisions_at_once_one_counts(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let asked = [approver(user_id(2)), approver(user_id(3))];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &asked).await.unwrap();
    unit.commit().await.unwrap();
    let mut deciders = Vec::new();
    for (number, person) in [(1, 2), (2, 3), (3, 2), (4, 3)] {
        let subject = subject.clone();
        deciders.push(tokio::spawn(async move {
            let mut unit = subject.unit().await;
            let approval = unit.approval(approval_id(1)).await.unwrap().unwrap();
            if approval.state != ApprovalState::Pending {
                return false;
            }
            tokio::task::yield_now().await;
            unit.insert_decision(&decision(number, approval.id, user_id(person))).await.unwrap();
            unit.close_approval(approval.id, ApprovalState::Approved, at(11)).await.unwrap();
            unit.commit().await.unwrap();
            true
        }));
    }
    let mut counted = 0;
    for decider in deciders {
        counted += u32::from(decider.await.unwrap());
    }
    assert_eq!(counted, 1);
    assert_eq!(subject.reading().await.decisions(approval_id(1)).await.unwrap().len(), 1);
}

pub(super) async fn a_closed_approval_stays_closed(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let asked = [approver(user_id(2)), approver(user_id(3))];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &asked).await.unwrap();
    let mut no = decision(1, approval_id(1), user_id(2));
    no.kind = DecisionKind::RequestChanges;
    "왜?".clone_into(&mut no.comment);
    unit.insert_decision(&no).await.unwrap();
    let mut later = decision(2, approval_id(1), user_id(3));
    later.decided_at = at(11);
    unit.insert_decision(&later).await.unwrap();
    assert_eq!(unit.decisions(approval_id(1)).await.unwrap(), [no, later]);
    unit.close_approval(approval_id(1), ApprovalState::Rejected, at(12)).await.unwrap();
    let again = unit.close_approval(approval_id(1), ApprovalState::Approved, at(13)).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    let closed = unit.approval(approval_id(1)).await.unwrap().unwrap();
    assert_eq!((closed.state, closed.closed_at), (ApprovalState::Rejected, Some(at(12))));
    unit.commit().await.unwrap();
    let error = subject.unit().await.insert_decision(&decision(3, approval_id(1), user_id(2))).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "approval_id, stage, user_id"), "{error:?}");
    let error = subject.unit().await.insert_decision(&decision(3, approval_id(9), user_id(2))).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
    let mut twice = approval(2, run_id(1), user_id(1), None);
    "call-1".clone_into(&mut twice.call);
    let error = subject.unit().await.insert_approval(&twice, &[]).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "run_id, call"), "{error:?}");
}

pub(super) async fn more_people_can_be_asked(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &[approver(user_id(3))]).await.unwrap();
    let mut again = approver(user_id(3));
    "escalation".clone_into(&mut again.via);
    unit.add_approvers(approval_id(1), &[again, approver(user_id(2))]).await.unwrap();
    unit.add_approvers(approval_id(1), &[]).await.unwrap();
    unit.add_approvers(approval_id(1), &[approver(user_id(1))]).await.unwrap();
    let asked = unit.approvers(approval_id(1)).await.unwrap();
    assert_eq!(asked, [approver(user_id(3)), approver(user_id(2)), approver(user_id(1))]);
}

pub(super) async fn stages_are_asked_one_after_the_other(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    let first = [approver(user_id(2)), approver(user_id(3))];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &first).await.unwrap();
    let waiting = async |unit: &mut dyn store::UnitOfWork| {
        let mut found = Vec::new();
        for person in 1..=3 {
            let count = unit.count_waiting_for(user_id(person), &[], 99).await.unwrap();
            let filter = ApprovalFilter { waiting_for: Some(user_id(person)), ..ApprovalFilter::default() };
            let listed = unit.list_approvals(&Visibility::everything(), &filter, None, 10).await.unwrap();
            assert_eq!(count, listed.len() as u64, "person {person}");
            found.push(count);
        }
        found
    };
    unit.insert_decision(&decision(1, approval_id(1), user_id(2))).await.unwrap();
    assert_eq!(waiting(unit.as_mut()).await, [0, 0, 1]);
    assert!(matches!(unit.advance_approval(approval_id(1), 2).await, Err(StoreError::Conflict)));
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    unit.advance_approval(approval_id(1), 1).await.unwrap();
    // Nobody is asked yet; then one who was asked before as well.
    assert_eq!(waiting(unit.as_mut()).await, [0, 0, 0]);
    let second = [2, 1].map(|person| Approver { stage: 1, ..approver(user_id(person)) });
    unit.add_approvers(approval_id(1), &second).await.unwrap();
    assert_eq!(waiting(unit.as_mut()).await, [1, 1, 0]);
    let asked = unit.approvers(approval_id(1)).await.unwrap();
    assert_eq!(asked, [first.as_slice(), second.as_slice()].concat());
    assert_eq!(unit.people_asked_in(run_id(1)).await.unwrap(), [1, 2, 3].map(user_id));
    let mut again = decision(2, approval_id(1), user_id(2));
    again.stage = 1;
    again.filled_in = Some("{\"cost\":5}".to_owned());
    // An earlier time, by the clock of another node: the order is that of the stages.
    again.decided_at = at(9);
    unit.insert_decision(&again).await.unwrap();
    let both = [decision(1, approval_id(1), user_id(2)), again];
    assert_eq!(unit.decisions(approval_id(1)).await.unwrap(), both);
    assert_eq!(waiting(unit.as_mut()).await, [1, 0, 0]);
    let mut narrower = decision(3, approval_id(1), user_id(1));
    (narrower.stage, narrower.kind) = (1, DecisionKind::Narrow);
    narrower.narrowed = Some("{\"/days\":3}".to_owned());
    unit.insert_decision(&narrower).await.unwrap();
    assert_eq!(unit.decisions(approval_id(1)).await.unwrap().last(), Some(&narrower));
    assert_eq!(waiting(unit.as_mut()).await, [0, 0, 0]);
    unit.close_approval(approval_id(1), ApprovalState::Void, at(12)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert!(matches!(unit.advance_approval(approval_id(1), 2).await, Err(StoreError::Conflict)));
    drop(unit);
    let mut unit = subject.reading().await;
    let closed = unit.approval(approval_id(1)).await.unwrap().unwrap();
    assert_eq!((closed.stage, closed.returnable, closed.state), (1, true, ApprovalState::Void));
}

pub(super) async fn what_was_asked_and_answered_stays(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    for number in [1, 2] {
        unit.insert_approval(&approval(number, run_id(number), user_id(1), None), &[]).await.unwrap();
    }
    let question = remark(1, approval_id(1), user_id(2));
    let mut answer = remark(2, approval_id(1), user_id(1));
    answer.answers = Some(remark_id(1));
    "사흘".clone_into(&mut answer.text);
    unit.insert_remark(&question).await.unwrap();
    unit.insert_remark(&answer).await.unwrap();
    unit.insert_remark(&remark(3, approval_id(2), user_id(2))).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.remarks_of_run(run_id(1)).await.unwrap(), [question, answer.clone()]);
    assert_eq!(unit.remarks_of_run(run_id(3)).await.unwrap(), []);
    drop(unit);
    (answer.id, answer.answers) = (remark_id(4), Some(remark_id(9)));
    let error = subject.unit().await.insert_remark(&answer).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}

pub(super) async fn a_draft_that_an_approval_waits_for_stays(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &[]).await.unwrap();
    let mut bound = draft(1, user_id(1));
    bound.approval = Some(approval_id(1));
    unit.put_draft(&bound).await.unwrap();
    assert_eq!(unit.draft_of_approval(approval_id(1)).await.unwrap(), Some(bound.clone()));
    assert_eq!(unit.draft_of_approval(approval_id(2)).await.unwrap(), None);
    assert_eq!(unit.prune_drafts(at(1000)).await.unwrap(), 0);
    assert!(!unit.delete_draft(user_id(1), draft_id(1)).await.unwrap());
    unit.replace_input(run_id(1), "{\"name\":\"other\"}").await.unwrap();
    unit.close_approval(approval_id(1), ApprovalState::Void, at(12)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.run(run_id(1)).await.unwrap().unwrap().input, "{\"name\":\"other\"}");
    assert!(matches!(unit.replace_input(run_id(9), "{}").await, Err(StoreError::Conflict)));
    drop(unit);
    let mut unit = subject.unit().await;
    assert!(unit.delete_draft(user_id(1), draft_id(1)).await.unwrap());
    let mut second = draft(2, user_id(1));
    second.approval = Some(approval_id(1));
    unit.put_draft(&second).await.unwrap();
    second.id = draft_id(3);
    let error = unit.put_draft(&second).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "approval_id"), "{error:?}");
}

pub(super) async fn a_draft_is_sent_once(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    for number in 1..=3 {
        unit.put_draft(&draft(number, user_id(1))).await.unwrap();
    }
    let mut kept = draft(1, user_id(1));
    "{\"name\":\"김\"}".clone_into(&mut kept.values);
    kept.updated_at = at(50);
    unit.put_draft(&kept).await.unwrap();
    unit.commit().await.unwrap();
    let mut senders = Vec::new();
    for number in 1..=4 {
        let subject = subject.clone();
        senders.push(tokio::spawn(async move {
            let mut unit = subject.unit().await;
            let mut draft = unit.draft(draft_id(1)).await.unwrap().unwrap();
            if draft.run.is_some() {
                return false;
            }
            tokio::task::yield_now().await;
            unit.insert_run(&run(number, user_id(1))).await.unwrap();
            draft.run = Some(run_id(number));
            unit.put_draft(&draft).await.unwrap();
            unit.commit().await.unwrap();
            true
        }));
    }
    let mut sent = 0;
    for sender in senders {
        sent += u32::from(sender.await.unwrap());
    }
    assert_eq!(sent, 1);
    let mut unit = subject.unit().await;
    // A late autosave, and another person's.
    assert!(matches!(unit.put_draft(&kept).await, Err(StoreError::Conflict)));
    assert!(matches!(unit.put_draft(&draft(2, user_id(2))).await, Err(StoreError::Conflict)));
    let left: Vec<_> = unit.drafts_of(user_id(1), 10).await.unwrap().into_iter().map(|draft| draft.id).collect();
    assert_eq!(left, [draft_id(3), draft_id(2)]);
    assert!(!unit.delete_draft(user_id(2), draft_id(3)).await.unwrap());
    assert!(!unit.delete_draft(user_id(1), draft_id(1)).await.unwrap());
    assert!(unit.delete_draft(user_id(1), draft_id(3)).await.unwrap());
    assert_eq!(unit.prune_drafts(at(2)).await.unwrap(), 0);
    assert_eq!(unit.prune_drafts(at(1000)).await.unwrap(), 1);
    assert!(unit.draft(draft_id(1)).await.unwrap().is_some());
}

pub(super) async fn an_idempotency_key_has_one_answer(subject: Subject) {
    subject.organisation(0).await;
    let mut begun = answered(user_id(1), "key");
    begun.status = 0;
    let mut unit = subject.unit().await;
    unit.insert_answered(&begun).await.unwrap();
    unit.insert_answered(&answered(user_id(2), "key")).await.unwrap();
    unit.finish_answered(&begun.reservation(), 201, "{\"id\":1}").await.unwrap();
    let missing = unit.finish_answered(&answered(user_id(1), "none").reservation(), 201, "{}").await;
    assert!(matches!(missing, Err(StoreError::Conflict)), "{missing:?}");
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let answer = unit.answered(user_id(1), "key").await.unwrap().unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (201, "{\"id\":1}"));
    assert_eq!(unit.answered(user_id(3), "key").await.unwrap(), None);
    assert_eq!(unit.prune_answered(at(0)).await.unwrap(), 0);
    let error = unit.insert_answered(&begun).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "user_id, key"), "{error:?}");
    drop(unit);
    let mut unit = subject.unit().await;
    assert_eq!(unit.prune_answered(at(1)).await.unwrap(), 2);
}

pub(super) async fn a_key_is_given_back_or_taken_over_unless_something_was_done(subject: Subject) {
    subject.organisation(0).await;
    let mut begun = answered(user_id(1), "key");
    begun.status = 0;
    begun.body.clear();
    let first = begun.reservation();
    let mut unit = subject.unit().await;
    unit.insert_answered(&begun).await.unwrap();
    unit.commit().await.unwrap();

    // Whoever takes it over makes the first claim void.
    let mut unit = subject.unit().await;
    assert!(unit.take_over_answered(&first, at(5)).await.unwrap());
    assert!(!unit.take_over_answered(&first, at(6)).await.unwrap());
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let void = unit.mark_answered(&first, "done").await;
    assert!(matches!(void, Err(StoreError::Conflict)), "{void:?}");
    drop(unit);
    let mut unit = subject.unit().await;
    let void = unit.finish_answered(&first, 201, "{}").await;
    assert!(matches!(void, Err(StoreError::Conflict)), "{void:?}");
    drop(unit);
    let mut unit = subject.unit().await;
    assert!(!unit.release_answered(&first).await.unwrap());

    // Under the second something is done, in the unit that does it.
    let second = unit.answered(user_id(1), "key").await.unwrap().unwrap().reservation();
    unit.mark_answered(&second, "done").await.unwrap();
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.answered(user_id(1), "key").await.unwrap().unwrap().body, "");
    unit.mark_answered(&second, "done").await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert!(!unit.release_answered(&second).await.unwrap());
    assert!(!unit.take_over_answered(&second, at(9)).await.unwrap());
    let done = unit.answered(user_id(1), "key").await.unwrap().unwrap();
    assert_eq!((done.status, done.body.as_str()), (0, "done"));
    drop(unit);

    let mut other = answered(user_id(1), "other");
    other.status = 0;
    other.body.clear();
    let mut unit = subject.unit().await;
    unit.insert_answered(&other).await.unwrap();
    assert!(unit.release_answered(&other.reservation()).await.unwrap());
    assert_eq!(unit.answered(user_id(1), "other").await.unwrap(), None);
}

use std::collections::BTreeSet;

use domain::{ApprovalState, DecisionKind, UserId};
use store::{
    StoreError,
    approvals::ApprovalFilter,
    delegations::{Represented, Revocation, Substitute},
    runs::Visibility,
};

use super::Subject;
use crate::fixtures::{
    approval, approval_id, approver, at, decision, delegation, delegation_id, run, run_id, user, user_id,
};

pub(super) async fn a_delegation_is_stored_whole_and_revoked_once(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let mut narrow = delegation(1, user_id(1), user_id(2));
    narrow.scope = "identity/onboard".parse().unwrap();
    let wide = delegation(2, user_id(3), user_id(1));
    unit.insert_delegation(&narrow).await.unwrap();
    unit.insert_delegation(&wide).await.unwrap();
    assert_eq!(unit.delegation(delegation_id(1)).await.unwrap().as_ref(), Some(&narrow));
    assert_eq!(unit.delegation(delegation_id(9)).await.unwrap(), None);
    assert_eq!(unit.delegations_about(user_id(1), 9).await.unwrap(), [wide.clone(), narrow.clone()]);
    assert_eq!(unit.delegations_about(user_id(1), 1).await.unwrap(), std::slice::from_ref(&wide));
    assert_eq!(unit.delegations_about(user_id(2), 9).await.unwrap(), std::slice::from_ref(&narrow));
    let revocation = Revocation { by: user_id(2), at: at(5) };
    unit.revoke_delegation(delegation_id(1), revocation).await.unwrap();
    narrow.revoked = Some(revocation);
    assert_eq!(unit.delegation(delegation_id(1)).await.unwrap(), Some(narrow));
    let again = unit.revoke_delegation(delegation_id(1), revocation).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    // What is over ends no more.
    let late = unit.revoke_delegation(delegation_id(2), Revocation { by: user_id(3), at: wide.ends_at }).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    unit.commit().await.unwrap();
    let error = subject.unit().await.insert_delegation(&delegation(3, user_id(1), user_id(9))).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
    for wrong in [delegation(4, user_id(1), user_id(1)), {
        let mut empty = delegation(4, user_id(1), user_id(2));
        empty.ends_at = empty.starts_at;
        empty
    }] {
        subject.unit().await.insert_delegation(&wrong).await.unwrap_err();
    }
}

pub(super) async fn a_delegation_holds_in_its_time_and_for_active_people(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(4, "deputy")).await.unwrap();
    let asked = [approver(user_id(2)), approver(user_id(3))];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &asked).await.unwrap();
    let mut everything = delegation(1, user_id(2), user_id(4));
    (everything.starts_at, everything.ends_at) = (at(10), at(20));
    unit.insert_delegation(&everything).await.unwrap();
    for (number, scope) in [(2, "identity"), (3, "identity/onboard"), (4, "identity/other"), (5, "incident")] {
        let mut narrow = delegation(number, user_id(3), user_id(4));
        narrow.scope = scope.parse().unwrap();
        unit.insert_delegation(&narrow).await.unwrap();
    }
    // The requester never stands in, nor is anybody left out who is asked.
    unit.insert_delegation(&delegation(6, user_id(2), user_id(1))).await.unwrap();
    unit.insert_delegation(&delegation(7, user_id(2), user_id(3))).await.unwrap();
    unit.commit().await.unwrap();

    let stands = |represented, substitute| Substitute {
        approval: approval_id(1),
        represented: user_id(represented),
        user_id: user_id(substitute),
    };
    let mut unit = subject.reading().await;
    for (now, expected) in [
        (at(9), vec![stands(2, 3), stands(3, 4)]),
        (at(10), vec![stands(2, 3), stands(2, 4), stands(3, 4)]),
        (at(19), vec![stands(2, 3), stands(2, 4), stands(3, 4)]),
        (at(20), vec![stands(2, 3), stands(3, 4)]),
        (at(100), vec![]),
    ] {
        assert_eq!(unit.substitutes_in(run_id(1), now).await.unwrap(), expected, "{now}");
    }
    let represented = |number, scope: &str| Represented { user_id: user_id(number), scope: scope.parse().unwrap() };
    let all = ["identity", "identity/onboard", "identity/other", "incident"].map(|scope| represented(3, scope));
    assert_eq!(unit.represented_by(user_id(4), at(9)).await.unwrap(), all);
    assert_eq!(unit.represented_by(user_id(4), at(10)).await.unwrap().first(), Some(&represented(2, "*")));
    assert_eq!(unit.represented_by(user_id(4), at(100)).await.unwrap(), []);
    drop(unit);

    // Neither for somebody disabled nor by somebody disabled.
    let mut unit = subject.unit().await;
    let mut disabled = user(3, "operator");
    disabled.active = false;
    unit.update_user(&disabled).await.unwrap();
    assert_eq!(unit.substitutes_in(run_id(1), at(10)).await.unwrap(), [stands(2, 4)]);
    assert_eq!(unit.represented_by(user_id(4), at(10)).await.unwrap(), [represented(2, "*")]);
    unit.revoke_delegation(delegation_id(1), Revocation { by: user_id(2), at: at(10) }).await.unwrap();
    assert_eq!(unit.substitutes_in(run_id(1), at(10)).await.unwrap(), []);
    assert_eq!(unit.represented_by(user_id(4), at(10)).await.unwrap(), []);
}

pub(super) async fn whoever_stands_in_sees_the_same_in_lists_and_one_by_one(subject: Subject) {
    subject.organisation(4).await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(4, "deputy")).await.unwrap();
    unit.insert_run(&run(5, user_id(4))).await.unwrap();
    let ask = [approver(user_id(2))];
    for number in 1..=3_u128 {
        unit.insert_approval(&approval(number, run_id(number), user_id(1), None), &ask).await.unwrap();
    }
    // One in whose run the substitute has changed something, and one that the substitute asked for.
    unit.insert_approval(&approval(4, run_id(4), user_id(1), None), &ask).await.unwrap();
    unit.note_change(run_id(4), user_id(4)).await.unwrap();
    unit.insert_approval(&approval(5, run_id(5), user_id(4), None), &ask).await.unwrap();
    // Run 2 was decided by the substitute, run 3 by whom they stand in for.
    let mut decided = decision(1, approval_id(2), user_id(4));
    decided.on_behalf_of = Some(user_id(2));
    unit.insert_decision(&decided).await.unwrap();
    unit.close_approval(approval_id(2), ApprovalState::Approved, at(11)).await.unwrap();
    unit.insert_decision(&decision(2, approval_id(3), user_id(2))).await.unwrap();
    unit.insert_delegation(&delegation(1, user_id(2), user_id(4))).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    assert_eq!(unit.decisions(approval_id(2)).await.unwrap(), [decided]);
    assert_eq!(unit.people_asked_in(run_id(2)).await.unwrap(), [user_id(2), user_id(4)]);
    assert_eq!(unit.people_asked_in(run_id(3)).await.unwrap(), [user_id(2)]);
    let within = |scope: &str| vec![Represented { user_id: user_id(2), scope: scope.parse().unwrap() }];
    for (represents, expected, waiting) in [
        (vec![], vec![5, 2], vec![]),
        (within("*"), vec![5, 3, 2, 1], vec![1]),
        (within("identity"), vec![5, 3, 2, 1], vec![1]),
        (within("identity/onboard"), vec![5, 3, 2, 1], vec![1]),
        (within("identity/other"), vec![5, 2], vec![]),
        (within("incident"), vec![5, 2], vec![]),
    ] {
        let visible = Visibility { person: Some(user_id(4)), represents: represents.clone(), ..Visibility::default() };
        let listed = unit.list_runs(&visible, &store::runs::RunFilter::default(), None, 50).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|run| run.id).collect();
        assert_eq!(listed, expected.iter().copied().map(run_id).collect::<Vec<_>>(), "{visible:?}");
        for number in 1..=5 {
            let single = unit.run_is_visible(&visible, run_id(number)).await.unwrap();
            assert_eq!(single, listed.contains(&run_id(number)), "run {number} for {visible:?}");
        }
        let filter = ApprovalFilter {
            state: Some(ApprovalState::Pending),
            waiting_for: Some(user_id(4)),
            for_others: represents.clone(),
            run: None,
        };
        let queue = unit.list_approvals(&visible, &filter, None, 50).await.unwrap();
        let queue: Vec<_> = queue.iter().map(|approval| approval.id).collect();
        assert_eq!(queue, waiting.iter().copied().map(approval_id).collect::<Vec<_>>(), "{visible:?}");
        let counted = unit.count_waiting_for(user_id(4), &represents, 99).await.unwrap();
        assert_eq!(counted, waiting.len() as u64, "{visible:?}");
    }
    // Whose vote was cast by a substitute is not waited for.
    let own = ApprovalFilter { waiting_for: Some(user_id(2)), ..ApprovalFilter::default() };
    let own = unit.list_approvals(&Visibility::everything(), &own, None, 50).await.unwrap();
    let own: BTreeSet<_> = own.iter().map(|approval| approval.id).collect();
    assert_eq!(own, [1, 4, 5].map(approval_id).into());
}

pub(super) async fn a_substitute_stands_in_where_the_open_stage_asks(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(4, "deputy")).await.unwrap();
    let mut second = approver(user_id(3));
    second.stage = 1;
    let asked = [approver(user_id(2)), second];
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &asked).await.unwrap();
    unit.insert_delegation(&delegation(1, user_id(3), user_id(4))).await.unwrap();
    let represents = vec![Represented { user_id: user_id(3), scope: "*".parse().unwrap() }];
    let visible = Visibility { person: Some(user_id(4)), represents: represents.clone(), ..Visibility::default() };
    for stage in 0..2_usize {
        if stage == 1 {
            unit.advance_approval(approval_id(1), 1).await.unwrap();
        }
        assert_eq!(unit.substitutes_in(run_id(1), at(10)).await.unwrap().len(), stage);
        assert_eq!(unit.run_is_visible(&visible, run_id(1)).await.unwrap(), stage == 1);
        assert_eq!(unit.count_waiting_for(user_id(4), &represents, 99).await.unwrap(), stage as u64);
    }
    let mut back = decision(1, approval_id(1), user_id(3));
    (back.stage, back.kind) = (1, DecisionKind::RequestChanges);
    unit.insert_decision(&back).await.unwrap();
    assert_eq!(unit.count_waiting_for(user_id(4), &represents, 99).await.unwrap(), 0);
}

pub(super) async fn a_vote_is_cast_once_by_whomever(subject: Subject) {
    subject.organisation(1).await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(4, "deputy")).await.unwrap();
    unit.insert_approval(&approval(1, run_id(1), user_id(1), None), &[approver(user_id(2))]).await.unwrap();
    let for_manager = |number, by: UserId| {
        let mut decision = decision(number, approval_id(1), by);
        decision.on_behalf_of = Some(user_id(2));
        decision
    };
    unit.insert_decision(&for_manager(1, user_id(3))).await.unwrap();
    unit.commit().await.unwrap();
    let error = subject.unit().await.insert_decision(&for_manager(2, user_id(4))).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate(_)), "{error:?}");
    // Nobody votes on behalf of themselves.
    subject.unit().await.insert_decision(&for_manager(2, user_id(2))).await.unwrap_err();
}

pub(super) async fn whoever_has_changed_a_run_decides_nothing_in_it(subject: Subject) {
    subject.organisation(3).await;
    let mut unit = subject.unit().await;
    for number in 1..=3 {
        let both = [approver(user_id(2)), approver(user_id(3))];
        unit.insert_approval(&approval(number, run_id(number), user_id(1), None), &both).await.unwrap();
    }
    assert_eq!(unit.count_waiting_for(user_id(2), &[], 99).await.unwrap(), 3);
    assert_eq!(unit.count_waiting_for(user_id(2), &[], 2).await.unwrap(), 2);
    for _ in 0..2 {
        unit.note_change(run_id(1), user_id(2)).await.unwrap();
    }
    unit.note_change(run_id(2), user_id(3)).await.unwrap();
    for _ in 0..2 {
        unit.pass_changes(run_id(1), run_id(2)).await.unwrap();
    }
    for (number, expected) in [(1, vec![2]), (2, vec![2, 3]), (3, vec![])] {
        let expected: Vec<_> = expected.into_iter().map(user_id).collect();
        assert_eq!(unit.changers(run_id(number)).await.unwrap(), expected, "run {number}");
    }
    assert_eq!(unit.count_waiting_for(user_id(2), &[], 99).await.unwrap(), 1);
    assert_eq!(unit.count_waiting_for(user_id(3), &[], 99).await.unwrap(), 2);
    let taken = unit.take_departures(9).await.unwrap();
    let taken: Vec<_> = taken.iter().map(|departure| (departure.run, departure.user_id)).collect();
    assert_eq!(taken, [(run_id(1), user_id(2)), (run_id(2), user_id(2)), (run_id(2), user_id(3))]);
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
}

pub(super) async fn a_disabled_approver_is_taken_once_for_each_change(subject: Subject) {
    subject.organisation(2).await;
    let mut unit = subject.unit().await;
    let both = [approver(user_id(2)), approver(user_id(3))];
    for number in 1..=2 {
        unit.insert_approval(&approval(number, run_id(number), user_id(1), None), &both).await.unwrap();
    }
    unit.insert_decision(&decision(1, approval_id(2), user_id(2))).await.unwrap();
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
    let disable = |seconds| {
        let mut disabled = user(2, "manager");
        disabled.active = false;
        disabled.updated_at = at(seconds);
        disabled
    };
    unit.update_user(&disable(5)).await.unwrap();
    unit.commit().await.unwrap();
    // Who has decided has nothing left to do.
    let mut unit = subject.unit().await;
    let taken = unit.take_departures(9).await.unwrap();
    let what: Vec<_> = taken.iter().map(|departure| (departure.approval, departure.user_id, departure.run)).collect();
    assert_eq!(what, [(approval_id(1), user_id(2), run_id(1))]);
    assert_eq!(taken[0].call, "call-1");
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
    unit.rollback().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.take_departures(9).await.unwrap().len(), 1);
    unit.update_user(&disable(6)).await.unwrap();
    assert_eq!(unit.take_departures(9).await.unwrap().len(), 1);
    unit.update_user(&disable(7)).await.unwrap();
    unit.close_approval(approval_id(1), ApprovalState::Void, at(8)).await.unwrap();
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
    // In a stage that is not open nobody is missed.
    let mut next = approver(user_id(2));
    next.stage = 1;
    unit.add_approvers(approval_id(2), &[next]).await.unwrap();
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
    unit.advance_approval(approval_id(2), 1).await.unwrap();
    assert_eq!(unit.take_departures(9).await.unwrap().len(), 1);
    assert_eq!(unit.take_departures(9).await.unwrap(), []);
    let refused = subject.reading().await.take_departures(9).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
}

use domain::{AnswerEvery, ApprovalState, Role, Scope, Timestamp};
use store::{
    StoreError, UnitOfWork,
    access::Subject as Holder,
    approvals::{Approval, Decision},
    audit::AuditRow,
    children::ChildRun,
    emergencies::Emergency,
    questions::{self, Field, Subscription},
};

use super::Subject;
use crate::fixtures::{
    approval, approval_id, at, audit, decision, decision_id, emergency, emergency_id, grant, grant_id, run_id, team,
    user, user_id,
};

/// The period that the cases ask about.
const PERIOD: (Timestamp, Timestamp) = (at(100), at(1_000));

async fn ask(unit: &mut dyn UnitOfWork, name: &str, limit: u32) -> Vec<Vec<Field>> {
    let (from, until) = PERIOD;
    unit.ask(questions::named(name).unwrap(), from, until, limit).await.unwrap()
}

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

fn number(number: i64) -> Field {
    Field::Number(number)
}

fn time(seconds: i64) -> Field {
    Field::Number(at(seconds).as_micros())
}

/// An entry of something that this person did at that time.
fn entry(seq: i64, seconds: i64, person: Option<u128>, action: &str) -> AuditRow {
    AuditRow {
        at: at(seconds),
        actor_id: person.map(user_id),
        actor: person.map_or_else(|| "system".to_owned(), |person| format!("person-{person}")),
        action: action.to_owned(),
        ..audit(seq)
    }
}

pub(super) async fn every_question_is_answered(subject: Subject) {
    let mut unit = subject.reading().await;
    for question in questions::ALL {
        assert!(ask(unit.as_mut(), question.name, 10).await.is_empty(), "{}", question.name);
    }
    assert_eq!(questions::named("nothing-like-this"), None);
}

/// A call of a run to another system.
fn change(seq: i64, seconds: i64, run: u128) -> AuditRow {
    AuditRow { resource_id: run_id(run).to_string(), ..entry(seq, seconds, None, "task.execute") }
}

async fn decided(unit: &mut dyn UnitOfWork, asked: &Approval, made: &Decision, state: ApprovalState) {
    unit.insert_approval(asked, &[]).await.unwrap();
    unit.insert_decision(made).await.unwrap();
    unit.close_approval(asked.id, state, made.decided_at).await.unwrap();
}

pub(super) async fn changes_that_nobody_else_approved_are_found(subject: Subject) {
    subject.organisation(9).await;
    let mut unit = subject.unit().await;
    // Of each run: who decided what about it, and when.
    let all = [
        (2, 2, None, ApprovalState::Approved, 150),
        // The requester has decided, or somebody for the requester.
        (3, 1, None, ApprovalState::Approved, 150),
        (4, 2, Some(1), ApprovalState::Approved, 150),
        // Too late, and void.
        (5, 2, None, ApprovalState::Approved, 300),
        (6, 2, None, ApprovalState::Void, 150),
        // By somebody who has put data of their own into it.
        (7, 3, None, ApprovalState::Approved, 150),
    ];
    for (number, by, for_whom, state, seconds) in all {
        let asked = approval(number, run_id(number), user_id(1), None);
        let on_behalf_of = for_whom.map(user_id);
        let made = Decision { on_behalf_of, decided_at: at(seconds), ..decision(number, asked.id, user_id(by)) };
        decided(unit.as_mut(), &asked, &made, state).await;
    }
    unit.note_change(run_id(7), user_id(3)).await.unwrap();
    // What was approved in a run counts for what it starts.
    let child = ChildRun { run: run_id(8), parent: run_id(2), call: 1, depth: 1 };
    unit.insert_child(&child).await.unwrap();
    let changes: Vec<_> = (1..=8_u32).map(|run| change(run.into(), 200 + i64::from(run), run.into())).collect();
    unit.append_audit(0, &changes).await.unwrap();
    // Before the period, after it, and once more by the first.
    unit.append_audit(8, &[change(9, 50, 9), change(10, 1_000, 9), change(11, 400, 1)]).await.unwrap();
    let found = ask(unit.as_mut(), "changes-without-approval", 10).await;
    let mut runs = Vec::new();
    for row in &found {
        let Field::Number(run) = row[1] else { panic!("{row:?}") };
        runs.push(unit.run_by_number(run).await.unwrap().unwrap().id);
        assert_eq!(row[2..4], [text("identity/onboard 1.0.0"), text("staff")]);
    }
    assert_eq!(runs, [7, 6, 5, 4, 3, 1].map(run_id));
    assert_eq!(
        found[0],
        [time(207), found[0][1].clone(), text("identity/onboard 1.0.0"), text("staff"), number(1), number(7)]
    );
    assert_eq!(found[5][4..], [number(2), number(1)]);
    assert_eq!(ask(unit.as_mut(), "changes-without-approval", 2).await, found[..2]);
}

pub(super) async fn quick_decisions_and_those_of_substitutes_are_found(subject: Subject) {
    subject.organisation(3).await;
    let mut unit = subject.unit().await;
    let asked = |number| Approval { opened_at: at(200), ..approval(number, run_id(number), user_id(1), None) };
    let made = |number, by, seconds| Decision {
        decided_at: at(seconds),
        comment: "Fine".to_owned(),
        ..decision(number, approval_id(number), user_id(by))
    };
    decided(unit.as_mut(), &asked(1), &made(1, 2, 259), ApprovalState::Approved).await;
    decided(unit.as_mut(), &asked(2), &made(2, 2, 260), ApprovalState::Approved).await;
    // The second stage begins with the decision of the first.
    unit.insert_approval(&asked(3), &[]).await.unwrap();
    unit.insert_decision(&made(3, 2, 500)).await.unwrap();
    let second = Decision { id: decision_id(4), stage: 1, on_behalf_of: Some(user_id(2)), ..made(3, 3, 530) };
    unit.insert_decision(&second).await.unwrap();
    let told = AuditRow { resource_id: approval_id(1).to_string(), ..entry(1, 259, Some(2), "approval.decide") };
    let refused = AuditRow { seq: 2, outcome: "refused".to_owned(), ..told.clone() };
    unit.append_audit(0, &[told, refused]).await.unwrap();
    let found = ask(unit.as_mut(), "decisions-within-a-minute", 10).await;
    let said: Vec<_> =
        found.iter().map(|row| [row[0].clone(), row[1].clone(), row[3].clone(), row[6].clone()]).collect();
    assert_eq!(
        said,
        [
            [time(530), text("operator"), number(30), Field::Nothing],
            [time(259), text("manager"), number(59), number(1)]
        ]
    );
    let found = ask(unit.as_mut(), "decisions-by-substitutes", 10).await;
    let [row] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(row[..5], [time(530), text("operator"), text("manager"), text("approve"), text("May it?")]);
    assert_eq!(row[6..], [text("Fine"), Field::Nothing]);
}

pub(super) async fn roles_that_were_not_used_are_found(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "night")).await.unwrap();
    unit.add_member(team(1, "night").id, user_id(1)).await.unwrap();
    unit.add_member(team(1, "night").id, user_id(2)).await.unwrap();
    let on = |namespace: &str| Scope::Namespace(namespace.parse().unwrap());
    let (staff, manager) = (Holder::User(user_id(1)), Holder::User(user_id(2)));
    let night = Holder::Team(team(1, "night").id);
    let mut grants = vec![
        // Used in the period, only before it, on another namespace, never.
        grant(1, staff, Role::Requester, Scope::Everywhere),
        grant(2, manager, Role::Approver, on("identity")),
        grant(3, manager, Role::Operator, on("network")),
        grant(4, staff, Role::Author, Scope::Everywhere),
        // By one of the team.
        grant(5, night, Role::Operator, on("identity")),
        grant(6, night, Role::Publisher, on("identity")),
        // Given in the period; ended in it.
        grant(7, manager, Role::Auditor, Scope::Everywhere),
        grant(8, manager, Role::Publisher, Scope::Everywhere),
    ];
    grants[6].created_at = at(500);
    grants[7].expires_at = Some(at(900));
    for grant in &grants {
        unit.insert_grant(grant).await.unwrap();
    }
    let given = AuditRow { resource_id: grant_id(4).to_string(), ..entry(5, 600, Some(3), "grant.create") };
    let refused = AuditRow { outcome: "refused".to_owned(), ..entry(4, 400, Some(1), "definition.save") };
    let entries = [
        entry(1, 50, Some(2), "approval.decide"),
        entry(2, 200, Some(1), "run.launch"),
        entry(3, 300, Some(2), "run.cancel"),
        refused,
        given,
    ];
    unit.append_audit(0, &entries).await.unwrap();
    let found = ask(unit.as_mut(), "unused-roles", 10).await;
    assert_eq!(
        found,
        [
            [text("manager"), Field::Nothing, text("approver"), text("identity"), time(0), time(50), Field::Nothing],
            [
                text("manager"),
                Field::Nothing,
                text("operator"),
                text("network"),
                time(0),
                Field::Nothing,
                Field::Nothing
            ],
            [text("staff"), Field::Nothing, text("author"), text("*"), time(0), Field::Nothing, number(5)],
            [
                Field::Nothing,
                text("Team 1"),
                text("publisher"),
                text("identity"),
                time(0),
                Field::Nothing,
                Field::Nothing
            ],
        ]
    );
}

pub(super) async fn roles_that_conflict_are_found_where_they_meet(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "night")).await.unwrap();
    unit.add_member(team(1, "night").id, user_id(1)).await.unwrap();
    let on = |namespace: &str| Scope::Namespace(namespace.parse().unwrap());
    let holder = |number| Holder::User(user_id(number));
    let mut grants = Vec::new();
    // Every pair that conflicts, each on a namespace of its own.
    for (place, (one, other)) in Role::CONFLICTS.iter().enumerate() {
        let place = u128::try_from(place).unwrap();
        let scope = on(&format!("n{place}"));
        grants.push(grant(10 + place, holder(3), *one, scope.clone()));
        grants.push(grant(20 + place, holder(3), *other, scope));
    }
    // Not where they do not meet, or once one has ended.
    grants.push(grant(1, holder(2), Role::Author, on("identity")));
    grants.push(grant(2, holder(2), Role::Publisher, on("network")));
    let mut ended = grant(3, holder(2), Role::Publisher, on("identity"));
    ended.expires_at = Some(at(99));
    grants.push(ended);
    // One everywhere, the other by a team.
    grants.push(grant(4, holder(1), Role::Requester, Scope::Everywhere));
    grants.push(grant(5, Holder::Team(team(1, "night").id), Role::Approver, on("identity")));
    for grant in &grants {
        unit.insert_grant(grant).await.unwrap();
    }
    let found = ask(unit.as_mut(), "conflicting-roles", 20).await;
    let (of_operator, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|row| row[0] == text("operator"));
    let mut pairs: Vec<_> = of_operator.iter().map(|row| (row[1].clone(), row[4].clone())).collect();
    let mut known: Vec<_> =
        Role::CONFLICTS.iter().map(|(one, other)| (text(one.as_str()), text(other.as_str()))).collect();
    pairs.sort_by_key(|pair| format!("{pair:?}"));
    known.sort_by_key(|pair| format!("{pair:?}"));
    assert_eq!(pairs, known);
    let by_team = [
        text("staff"),
        text("requester"),
        text("*"),
        Field::Nothing,
        text("approver"),
        text("identity"),
        text("Team 1"),
        time(0),
    ];
    assert_eq!(others, [by_team]);
}

pub(super) async fn emergencies_and_their_reviews_are_found(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_user(&user(4, "auditor")).await.unwrap();
    let confirmed = |number, seconds| Emergency {
        asked_at: at(seconds),
        confirmed_by: Some(user_id(2)),
        confirmed_at: Some(at(seconds + 1)),
        ends_at: Some(at(seconds + 20)),
        ..emergency(number, user_id(3))
    };
    let reviewed = |number, seconds, reviewed| Emergency {
        reviewed_by: Some(user_id(4)),
        reviewed_at: Some(at(reviewed)),
        review: "As it should be".to_owned(),
        ..confirmed(number, seconds)
    };
    let all = [
        // Reviewed before the period, in it, never; asked for in vain before it and in it; after it.
        reviewed(1, 10, 90),
        reviewed(2, 20, 500),
        confirmed(3, 30),
        emergency(4, user_id(3)),
        Emergency { asked_at: at(700), ..emergency(5, user_id(3)) },
        Emergency { asked_at: at(1_000), ..emergency(6, user_id(3)) },
    ];
    for one in &all {
        unit.insert_emergency(one).await.unwrap();
    }
    let during = format!("{{\"detail\":{{\"emergency\":\"{}\"}}}}", emergency_id(2));
    let asked = AuditRow { resource_id: emergency_id(2).to_string(), ..entry(1, 20, Some(3), "emergency.ask") };
    let marked = AuditRow { body: during, ..entry(2, 25, Some(3), "run.cancel") };
    unit.append_audit(0, &[asked, marked, entry(3, 26, Some(3), "run.cancel")]).await.unwrap();
    let found = ask(unit.as_mut(), "emergency-access", 10).await;
    assert_eq!(found.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [time(700), time(30), time(20)]);
    let whole = [
        time(20),
        text("operator"),
        text("operator"),
        text("*"),
        text("The line is down"),
        text("manager"),
        time(40),
        number(1),
        text("auditor"),
        time(500),
        text("As it should be"),
        number(1),
    ];
    assert_eq!(found[2], whole);
    assert_eq!(found[1][7..], [number(0), Field::Nothing, Field::Nothing, text(""), Field::Nothing]);
}

fn sign_in(seq: i64, seconds: i64, name: &str, address: &str, outcome: &str) -> AuditRow {
    AuditRow {
        actor: name.to_owned(),
        outcome: outcome.to_owned(),
        body: format!("{{\"address\":\"{address}\"}}"),
        ..entry(seq, seconds, None, "session.create")
    }
}

pub(super) async fn failed_sign_ins_are_counted_by_address(subject: Subject) {
    let mut unit = subject.unit().await;
    let entries = [
        sign_in(1, 50, "root", "192.0.2.7", "refused"),
        sign_in(2, 200, "root", "192.0.2.7", "refused"),
        sign_in(3, 300, "admin", "192.0.2.7", "refused"),
        sign_in(4, 400, "admin", "192.0.2.7", "refused"),
        sign_in(5, 500, "admin", "192.0.2.7", "done"),
        sign_in(6, 600, "staff", "2001:db8::7", "refused"),
        sign_in(7, 700, "staff", "192.0.2.8", "done"),
        AuditRow { action: "session.confirm".to_owned(), ..sign_in(8, 800, "staff", "192.0.2.9", "refused") },
    ];
    unit.append_audit(0, &entries).await.unwrap();
    assert_eq!(
        ask(unit.as_mut(), "failed-sign-ins", 10).await,
        [
            [text("192.0.2.7"), number(3), number(2), number(1), time(200), time(400), number(4)],
            [text("2001:db8::7"), number(1), number(1), number(0), time(600), time(600), number(6)],
        ]
    );
}

fn published(seq: i64, action: &str, detail: &str) -> AuditRow {
    let name = format!("identity/onboard 1.0.{seq}");
    AuditRow {
        resource_name: name,
        body: format!("{{\"detail\":{{{detail}}}}}"),
        ..entry(seq, 200 + seq, Some(2), action)
    }
}

pub(super) async fn versions_published_without_tests_are_found(subject: Subject) {
    let mut unit = subject.unit().await;
    let refused = AuditRow { outcome: "refused".to_owned(), ..published(5, "definition.publish", "\"tests\":0") };
    let entries = [
        published(1, "definition.publish", "\"tests\":0"),
        published(2, "definition.publish", "\"tests\":3"),
        // Published before the log counted tests.
        published(3, "definition.merge", "\"version\":\"1.0.3\""),
        published(4, "definition.submit", "\"tests\":0"),
        refused,
        published(6, "workflow.publish", "\"tests\":0"),
    ];
    unit.append_audit(0, &entries).await.unwrap();
    let found = ask(unit.as_mut(), "published-without-tests", 10).await;
    assert_eq!(found.iter().map(|row| row[5].clone()).collect::<Vec<_>>(), [6, 3, 1].map(number));
    let third = [
        time(203),
        text("identity/onboard 1.0.3"),
        text("person-2"),
        text("definition.merge"),
        Field::Nothing,
        number(3),
    ];
    assert_eq!(found[1], third);
    assert_eq!(found[2][4], number(0));
}

pub(super) async fn an_altered_entry_hides_no_others(subject: Subject) {
    let mut unit = subject.unit().await;
    let cut = AuditRow { body: "{\"addr".to_owned(), ..sign_in(2, 300, "root", "", "refused") };
    unit.append_audit(0, &[sign_in(1, 200, "root", "192.0.2.7", "refused"), cut]).await.unwrap();
    let found = ask(unit.as_mut(), "failed-sign-ins", 10).await;
    assert_eq!(found.iter().map(|row| row[0].clone()).collect::<Vec<_>>(), [Field::Nothing, text("192.0.2.7")]);
}

pub(super) async fn a_question_is_followed_once_and_moved_once(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    let daily = Subscription {
        user_id: user_id(1),
        question: "failed-sign-ins".to_owned(),
        every: AnswerEvery::Day,
        since: at(5),
        answered: at(0),
        due_at: at(50),
    };
    let monthly = Subscription { every: AnswerEvery::Month, due_at: at(60), ..daily.clone() };
    let other = Subscription { user_id: user_id(2), due_at: at(40), ..daily.clone() };
    for subscription in [&daily, &monthly, &other] {
        unit.put_subscription(subscription).await.unwrap();
    }
    assert_eq!(unit.subscription(user_id(1), "failed-sign-ins").await.unwrap(), Some(monthly.clone()));
    assert_eq!(unit.subscription(user_id(1), "unused-roles").await.unwrap(), None);
    assert_eq!(unit.subscriptions_of(user_id(2)).await.unwrap(), std::slice::from_ref(&other));
    assert_eq!(unit.due_subscriptions(at(39), 9).await.unwrap(), []);
    assert_eq!(unit.due_subscriptions(at(60), 9).await.unwrap(), [other.clone(), monthly.clone()]);
    assert_eq!(unit.due_subscriptions(at(60), 1).await.unwrap(), std::slice::from_ref(&other));
    unit.move_subscription(&other, at(40), at(90)).await.unwrap();
    for late in [&other, &daily] {
        let again = unit.move_subscription(late, at(41), at(91)).await;
        assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    }
    let moved = Subscription { answered: at(40), due_at: at(90), ..other };
    assert_eq!(unit.subscription(user_id(2), "failed-sign-ins").await.unwrap(), Some(moved));
    assert!(unit.delete_subscription(user_id(1), "failed-sign-ins").await.unwrap());
    assert!(!unit.delete_subscription(user_id(1), "failed-sign-ins").await.unwrap());
    unit.commit().await.unwrap();
}

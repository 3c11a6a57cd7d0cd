//! Emergency access: for two people, and a third who looks at it.

use std::time::Duration;

use domain::{
    Clock as _, EmergencyState, ErrorCode, Operation, Role, Scope,
    view::{EmergencyView, Person},
};
use service::{ApprovalQuery, Caller, NewEmergency};
use testkit::WallClock;

use crate::office::{Office, code};

pub(crate) fn emergency(role: Role, scope: Scope) -> NewEmergency {
    NewEmergency { role, scope, reason: "The line to Busan is down".to_owned(), minutes: 60 }
}

fn on(namespace: &str) -> Scope {
    Scope::Namespace(namespace.parse().unwrap())
}

fn login(person: Option<&Person>) -> &str {
    person.map_or("", |person| person.login.as_str())
}

/// Everybody whom an emergency on `network` may concern.
struct Duty {
    office: Office,
    on_call: Caller,
    second: Caller,
    auditor: Caller,
}

impl Duty {
    async fn begin() -> Self {
        let office = Office::open().await;
        let on_call = office.hire("oncall", &[Role::Operator], on("network")).await;
        let second = office.hire("second", &[Role::Approver], on("network")).await;
        let auditor = office.hire("looker", &[Role::Auditor], on("network")).await;
        Self { office, on_call, second, auditor }
    }

    async fn asked(&self) -> EmergencyView {
        let new = emergency(Role::Publisher, on("network"));
        self.office.service.ask_for_emergency(&self.on_call, new).await.unwrap()
    }

    async fn confirmed(&self) -> EmergencyView {
        self.office.service.confirm_emergency(&self.second, self.asked().await.id).await.unwrap()
    }

    async fn ended(&self) -> EmergencyView {
        let confirmed = self.confirmed().await;
        self.office.service.end_emergency(&self.on_call, confirmed.id).await.unwrap()
    }

    async fn roles(&self) -> Vec<Role> {
        let caller = self.office.caller("oncall").await;
        caller.principal.grants.into_iter().map(|(role, _)| role).collect()
    }
}

#[tokio::test]
async fn two_people_give_a_role_for_a_few_hours_and_a_third_looks_at_it() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let asked = duty.asked().await;
    assert_eq!((asked.state, asked.actions.as_slice()), (EmergencyState::Asked, &[Operation::EmergencyEnd][..]));
    assert_eq!(asked.ends_at, asked.asked_at + Duration::from_hours(1));
    assert_eq!(duty.roles().await, [Role::Operator]);
    let notices = service.notifications(&duty.second, None, None).await.unwrap().items;
    assert_eq!(
        (notices[0].kind.as_str(), notices[0].link.as_str()),
        ("emergency-asked", &*format!("/emergencies/{}", asked.id))
    );
    let own = service.confirm_emergency(&duty.on_call, asked.id).await.unwrap_err();
    assert_eq!((own.code, own.policies[0].id.as_str()), (ErrorCode::Forbidden, "nobody-confirms-their-own-emergency"));

    let confirmed = service.confirm_emergency(&duty.second, asked.id).await.unwrap();
    assert_eq!((confirmed.state, login(confirmed.confirmed_by.as_ref())), (EmergencyState::InForce, "second"));
    assert!(confirmed.ends_at <= WallClock.now() + Duration::from_hours(1));
    assert_eq!(duty.roles().await, [Role::Operator, Role::Publisher]);
    assert_eq!(code(service.confirm_emergency(&duty.second, asked.id).await), "conflict");
    let to_review = service.notifications(&duty.auditor, None, None).await.unwrap().items;
    assert_eq!(to_review[0].kind, "emergency-begun");
    assert_eq!(code(service.review_emergency(&duty.auditor, asked.id, "Too early").await), "conflict");

    let ended = service.end_emergency(&duty.office.caller("oncall").await, asked.id).await.unwrap();
    assert_eq!(ended.state, EmergencyState::Over);
    assert!(ended.ends_at <= WallClock.now());
    assert_eq!(duty.roles().await, [Role::Operator]);
    assert_eq!(code(service.end_emergency(&duty.on_call, asked.id).await), "conflict");

    let reviewed =
        service.review_emergency(&duty.auditor, asked.id, "  As it should be\r\nNothing else  ").await.unwrap();
    assert_eq!((reviewed.state, reviewed.review.as_str()), (EmergencyState::Reviewed, "As it should be\nNothing else"));
    assert_eq!(login(reviewed.reviewed_by.as_ref()), "looker");
    assert_eq!(code(service.review_emergency(&duty.auditor, asked.id, "Again").await), "conflict");
    assert_eq!(service.emergencies(&duty.auditor, None, None).await.unwrap().items, [reviewed]);
}

#[tokio::test]
async fn what_is_done_by_it_is_marked_in_the_audit_log() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let confirmed = duty.confirmed().await;
    let in_emergency = duty.office.caller("oncall").await;
    service.change_preferences(&in_emergency, Some("ko".to_owned()), None).await.unwrap();
    let refused = service.separate_roles(&in_emergency, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);
    service.change_preferences(&duty.second, Some("en".to_owned()), None).await.unwrap();
    let entries = duty.office.audit_after(0).await;
    let marked: Vec<_> = entries
        .iter()
        .filter(|entry| entry.body.contains(&format!("\"emergency\":\"{}\"", confirmed.id)))
        .map(|entry| (entry.actor.as_str(), entry.action.as_str()))
        .collect();
    assert_eq!(marked, [("oncall", "preferences.change"), ("oncall", "separation.update")]);
}

#[tokio::test]
async fn its_holder_lets_nobody_else_have_such_access() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    duty.confirmed().await;
    let other = duty.office.hire("other", &[Role::Operator], on("network")).await;
    let asked = service.ask_for_emergency(&other, emergency(Role::Publisher, on("network"))).await.unwrap();
    let refused = service.confirm_emergency(&duty.office.caller("oncall").await, asked.id).await.unwrap_err();
    assert_eq!(refused.policies[0].id, "emergencies-beget-no-emergencies");
}

#[tokio::test]
async fn until_it_is_reviewed_there_is_no_other_there_nor_for_its_holder() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let ended = duty.ended().await;
    let everywhere = duty.office.hire("everywhere", &[Role::Operator], Scope::Everywhere).await;
    let neighbour = duty.office.hire("neighbour", &[Role::Operator], on("cloud")).await;
    let ask =
        async |caller: &Caller, scope| code(service.ask_for_emergency(caller, emergency(Role::Approver, scope)).await);
    assert_eq!(ask(&duty.on_call, on("network")).await, "conflict");
    assert_eq!(ask(&everywhere, on("network")).await, "conflict");
    assert_eq!(ask(&everywhere, Scope::Everywhere).await, "conflict");
    assert_eq!(ask(&neighbour, on("cloud")).await, "ok");
    for involved in [&duty.on_call, &duty.second] {
        assert_eq!(code(service.review_emergency(involved, ended.id, "All well").await), "forbidden");
    }
    service.review_emergency(&duty.auditor, ended.id, "All well").await.unwrap();
    assert_eq!(ask(&everywhere, on("network")).await, "ok");
    assert_eq!(ask(&everywhere, on("network")).await, "conflict", "one at a time");
}

#[tokio::test]
async fn what_is_asked_for_is_declined_or_taken_back() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    for by in [&duty.on_call, &duty.second] {
        let asked = duty.asked().await;
        let dropped = service.end_emergency(by, asked.id).await.unwrap();
        assert_eq!((dropped.state, login(dropped.ended_by.as_ref())), (EmergencyState::Dropped, by.login.as_str()));
        assert_eq!(code(service.confirm_emergency(&duty.second, asked.id).await), "conflict");
    }
}

#[tokio::test]
async fn what_nobody_may_hold_together_nobody_holds_by_it() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let admin = duty.office.caller("admin").await;
    service.separate_roles(&admin, vec![(Role::Author, Role::Publisher)]).await.unwrap();
    let author = duty.office.hire("writer", &[Role::Author, Role::Operator], on("network")).await;
    let asked = service.ask_for_emergency(&author, emergency(Role::Publisher, on("network"))).await.unwrap();
    assert_eq!(code(service.confirm_emergency(&duty.second, asked.id).await), "conflicting-roles");
    assert_eq!(service.emergency(&author, asked.id).await.unwrap().state, EmergencyState::Asked);
}

#[tokio::test]
async fn what_is_wrong_with_it_is_said() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let good = || emergency(Role::Publisher, on("network"));
    for (new, pointer) in [
        (NewEmergency { reason: " ".to_owned(), ..good() }, "/reason"),
        (NewEmergency { reason: "x".repeat(501), ..good() }, "/reason"),
        (NewEmergency { role: Role::Administrator, ..good() }, "/role"),
        (NewEmergency { minutes: 14, ..good() }, "/minutes"),
        (NewEmergency { minutes: 241, ..good() }, "/minutes"),
    ] {
        let problem = service.ask_for_emergency(&duty.on_call, new).await.unwrap_err();
        assert_eq!((problem.code, problem.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, pointer));
    }
    let held = service.ask_for_emergency(&duty.on_call, NewEmergency { role: Role::Operator, ..good() }).await;
    assert_eq!(held.unwrap_err().code, ErrorCode::Conflict);
    let ended = duty.ended().await;
    let silent = service.review_emergency(&duty.auditor, ended.id, "").await.unwrap_err();
    assert_eq!(silent.errors[0].pointer, "/review");
}

#[tokio::test]
async fn only_those_on_duty_there_see_it() {
    let duty = Duty::begin().await;
    let service = &duty.office.service;
    let asked = duty.asked().await;
    let elsewhere = duty.office.hire("elsewhere", &[Role::Operator], on("cloud")).await;
    assert_eq!(code(service.emergency(&elsewhere, asked.id).await), "not-found");
    assert_eq!(service.emergencies(&elsewhere, None, None).await.unwrap().items, []);
    assert_eq!(service.emergencies_now(&elsewhere).await.unwrap(), []);
    assert_eq!(service.emergencies_now(&duty.second).await.unwrap().len(), 1);
    let staff = duty.office.caller("staff").await;
    assert_eq!(service.emergencies_now(&staff).await.unwrap(), []);
    assert_eq!(code(service.emergencies(&staff, None, None).await), "forbidden");
    // Who approves by such a role is asked like any other.
    assert!(service.approvals(&duty.second, ApprovalQuery::default(), None, None).await.is_ok());
}

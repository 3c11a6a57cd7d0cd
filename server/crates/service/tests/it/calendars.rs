//! Calendars, and what time does to approvals.

use std::{sync::Arc, time::Duration};

use domain::{
    ApprovalState, DecisionKind, ErrorCode, Role, RunId, RunStatus, Scope, Timestamp,
    view::{ApprovalDetail, TimeView},
};
use serde_json::json;
use service::{CalendarText, UserChange};
use testkit::ManualClock;

use crate::office::{Office, code};

const TWO: &str = "approvers: [{user: manager}, {user: operator}]";

/// From nine to five in UTC, Monday to Friday.
pub(crate) fn office_hours() -> CalendarText {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
    CalendarText {
        time_zone: "UTC".to_owned(),
        hours: days.map(|day| (day.to_owned(), vec!["09:00-17:00".to_owned()])).into(),
        holidays: Vec::new(),
    }
}

fn ask(name: &str, with: &str) -> String {
    let approvers = if with.contains("approvers") { "" } else { "approvers: {user: manager}, " };
    format!(
        "
document: {{dsl: 1.0.3, namespace: timed, name: {name}, version: 1.0.0, title: Ask}}
input: {{schema: {{document: {{type: object}}}}}}
do:
  - ask: {{call: approval, with: {{{approvers}{with}}}}}
"
    )
}

struct Timed {
    office: Office,
    clock: Arc<ManualClock>,
}

impl Timed {
    /// On Sunday, 2026-11-22, at nine o'clock.
    async fn open(with: &str) -> (Self, RunId, ApprovalDetail) {
        let clock = Arc::new(ManualClock::default());
        let office = Office::open_by(clock.clone(), None).await;
        office.service.load_shipped([("ask.yaml", ask("ask", with).as_str())]).await.unwrap();
        let admin = office.caller("admin").await;
        office.service.put_calendar(&admin, Scope::Everywhere, "hours".parse().unwrap(), office_hours()).await.unwrap();
        let staff = office.caller("staff").await;
        let run = office.service.launch(&staff, &"timed/ask".parse().unwrap(), None, json!({})).await.unwrap();
        let approval = office.approval_of(run.id).await;
        (Self { office, clock }, run.id, approval)
    }

    async fn kinds(&self, login: &str) -> Vec<String> {
        let caller = self.office.caller(login).await;
        let notices = self.office.service.notifications(&caller, None, None).await.unwrap();
        notices.items.into_iter().map(|notice| notice.kind).collect()
    }

    /// Waits until somebody has so many notices of a kind.
    async fn told(&self, login: &str, kind: &str, count: usize) {
        let told = async || self.kinds(login).await.iter().filter(|one| *one == kind).count();
        self.office.wait(async || (told().await == count).then_some(())).await;
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn an_approval_is_due_and_rejected_by_working_time() {
    let (timed, run, approval) = Timed::open("due: PT8H, calendar: hours, reminders: [PT2H]").await;
    assert_eq!(approval.summary.due, Some(at("2026-11-23T17:00:00Z")));
    let timing = approval.timing.unwrap();
    assert_eq!((timing.calendar.unwrap().as_str(), timing.on_due.as_str()), ("hours", "reject"));
    assert_eq!(timing.reminders, [TimeView { at: at("2026-11-23T15:00:00Z"), done: false }]);
    timed.clock.advance(Duration::from_hours(30));
    timed.told("manager", "approval-reminder", 1).await;
    timed.office.status(run, RunStatus::Waiting).await;
    timed.clock.advance(Duration::from_hours(2));
    let ended = timed.office.ended(run).await;
    assert!(ended.summary.rejected);
    assert_eq!(ended.approvals[0].state, ApprovalState::Rejected);
    let manager = timed.office.caller("manager").await;
    let seen = timed.office.service.approval(&manager, approval.summary.id).await.unwrap();
    assert!(seen.timing.unwrap().reminders[0].done);
}

#[tokio::test]
async fn the_namespaces_own_calendar_goes_before_everybodys() {
    let (timed, ..) = Timed::open("due: PT8H, calendar: hours").await;
    let office = &timed.office;
    let (admin, staff) = (office.caller("admin").await, office.caller("staff").await);
    let (own, elsewhere) = (Scope::Namespace("timed".parse().unwrap()), Scope::Namespace("other".parse().unwrap()));
    let night = |span: &str| {
        let mut hours = office_hours();
        hours.hours = [("sunday".to_owned(), vec![span.to_owned()])].into();
        hours
    };
    office.service.put_calendar(&admin, elsewhere, "hours".parse().unwrap(), night("10:00-19:00")).await.unwrap();
    office.service.put_calendar(&admin, own.clone(), "hours".parse().unwrap(), night("12:00-24:00")).await.unwrap();
    let listed = office.service.calendars(&admin).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.scope.to_string()).collect::<Vec<_>>(), ["*", "other", "timed"]);
    let run = office.service.launch(&staff, &"timed/ask".parse().unwrap(), None, json!({})).await.unwrap();
    assert_eq!(office.approval_of(run.id).await.summary.due, Some(at("2026-11-22T20:00:00Z")));
    office.service.delete_calendar(&admin, &own, &"hours".parse().unwrap()).await.unwrap();
    let again = office.service.delete_calendar(&admin, &own, &"hours".parse().unwrap()).await;
    assert_eq!(code(again), "not-found");
}

#[tokio::test]
async fn at_the_due_time_a_run_is_cancelled_if_the_workflow_says_so() {
    for with in ["due: PT8H, calendar: hours, onDue: cancel", "due: PT32H, onDue: cancel"] {
        let (timed, run, approval) = Timed::open(with).await;
        assert_eq!(approval.timing.unwrap().on_due, "cancel");
        timed.clock.advance(Duration::from_hours(33));
        let ended = timed.office.ended(run).await;
        assert_eq!((ended.summary.status, ended.approvals[0].state), (RunStatus::Cancelled, ApprovalState::Void));
    }
}

#[tokio::test]
async fn who_has_decided_is_not_reminded() {
    let (timed, run, approval) = Timed::open(&format!("{TWO}, quorum: 2, due: PT8H, reminders: [PT2H, PT1H]")).await;
    timed.clock.advance(Duration::from_hours(6));
    timed.told("manager", "approval-reminder", 1).await;
    timed.told("operator", "approval-reminder", 1).await;
    let manager = timed.office.caller("manager").await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    timed.office.service.decide(&manager, id, DecisionKind::Approve, "", digest).await.unwrap();
    timed.clock.advance(Duration::from_hours(1));
    timed.told("operator", "approval-reminder", 2).await;
    timed.told("manager", "approval-reminder", 1).await;
    timed.office.status(run, RunStatus::Waiting).await;
}

#[tokio::test]
async fn escalation_asks_more_people_and_they_may_decide() {
    let (timed, run, approval) =
        Timed::open("due: PT8H, calendar: hours, escalateAfter: PT4H, escalateTo: {user: author}").await;
    let author = timed.office.caller("author").await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    let early = timed.office.service.decide(&author, id, DecisionKind::Approve, "", digest).await;
    assert_eq!(code(early), "not-found");
    // Monday, one o'clock.
    timed.clock.advance(Duration::from_hours(28));
    timed.told("author", "approval-requested", 1).await;
    let seen = timed.office.service.approval(&author, id).await.unwrap();
    assert_eq!(seen.approvers.last().unwrap().via, "escalation: user author");
    let timing = seen.timing.unwrap();
    assert_eq!(timing.escalates_to, ["user:author"]);
    assert_eq!(timing.escalation, Some(TimeView { at: at("2026-11-23T13:00:00Z"), done: true }));
    timed.office.service.decide(&author, id, DecisionKind::Approve, "", digest).await.unwrap();
    assert_eq!(timed.office.ended(run).await.summary.status, RunStatus::Completed);
}

#[tokio::test]
async fn escalation_lowers_no_quorum() {
    let with = format!("{TWO}, quorum: all, due: PT8H, onDue: escalate, escalateTo: {{user: author}}");
    let (timed, run, approval) = Timed::open(&with).await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    timed.clock.advance(Duration::from_hours(8));
    timed.told("author", "approval-requested", 1).await;
    for (login, then) in [("author", ApprovalState::Pending), ("manager", ApprovalState::Approved)] {
        let caller = timed.office.caller(login).await;
        let decided = timed.office.service.decide(&caller, id, DecisionKind::Approve, "", digest).await.unwrap();
        assert_eq!(decided.summary.state, then, "{login}");
    }
    assert_eq!(timed.office.ended(run).await.summary.status, RunStatus::Completed);
}

#[tokio::test]
async fn at_the_due_time_the_managers_of_those_who_have_not_decided_are_asked() {
    let (timed, _, approval) = Timed::open("due: PT8H, onDue: escalate").await;
    let office = &timed.office;
    // Nobody has a manager: those who can help are told, and it stays open.
    timed.clock.advance(Duration::from_hours(9));
    timed.told("operator", "run-needs-attention", 1).await;
    let manager = office.caller("manager").await;
    let seen = office.service.approval(&manager, approval.summary.id).await.unwrap();
    assert_eq!(seen.summary.state, ApprovalState::Pending);

    let (admin, staff) = (office.caller("admin").await, office.caller("staff").await);
    office.hire("chief", &[Role::Approver], Scope::Everywhere).await;
    let change = UserChange {
        name: "Mina Manager".to_owned(),
        email: Some("manager@example.test".to_owned()),
        manager: Some("chief".to_owned()),
    };
    office.service.update_user(&admin, manager.user, change).await.unwrap();
    office.service.launch(&staff, &"timed/ask".parse().unwrap(), None, json!({})).await.unwrap();
    timed.told("manager", "approval-requested", 2).await;
    timed.clock.advance(Duration::from_hours(9));
    timed.told("chief", "approval-requested", 1).await;
}

#[tokio::test]
async fn what_time_does_survives_a_restart() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let (admin, staff) = (office.caller("admin").await, office.caller("staff").await);
    let text = ask("ask", "due: PT8H, calendar: hours, escalateAfter: PT4H, escalateTo: {user: author}");
    office.service.load_shipped([("ask.yaml", text.as_str())]).await.unwrap();
    office.service.put_calendar(&admin, Scope::Everywhere, "hours".parse().unwrap(), office_hours()).await.unwrap();
    let run = office.service.launch(&staff, &"timed/ask".parse().unwrap(), None, json!({})).await.unwrap();
    office.approval_of(run.id).await;
    let office = office.restarted().await;
    clock.advance(Duration::from_hours(28));
    let timed = Timed { office, clock };
    timed.told("author", "approval-requested", 1).await;
    let Timed { office, clock } = timed;
    let office = office.restarted().await;
    clock.advance(Duration::from_hours(4));
    let ended = office.ended(run.id).await;
    assert!(ended.summary.rejected, "{:?}", ended.summary);
}

#[tokio::test]
async fn a_calendar_that_is_not_there_fails_the_task() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let text = ask("ask", "due: PT8H, calendar: nowhere");
    office.service.load_shipped([("ask.yaml", text.as_str())]).await.unwrap();
    let staff = office.caller("staff").await;
    let run = office.service.launch(&staff, &"timed/ask".parse().unwrap(), None, json!({})).await.unwrap();
    let ended = office.ended(run.id).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    assert!(ended.error.unwrap().detail.contains("nowhere"));
}

#[tokio::test]
async fn what_is_wrong_with_a_calendar_is_said_field_by_field() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let mut wrong = office_hours();
    "Mars/Phobos".clone_into(&mut wrong.time_zone);
    wrong.hours.insert("monday".to_owned(), vec!["13:00-12:00".to_owned()]);
    wrong.holidays.push("25.12.".to_owned());
    let put = office.service.put_calendar(&admin, Scope::Everywhere, "wrong".parse().unwrap(), wrong).await;
    let refused = put.unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidInput);
    let pointers: Vec<_> = refused.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/timeZone", "/hours/monday", "/holidays"]);
}

//! What runs were worth: what is counted, and who sees it of what.

use std::{sync::Arc, time::Duration};

use domain::{
    DecisionKind, ErrorCode, Role, Scope, TeamOf, ValueBy, ValueStep,
    view::{ValueQuery, ValueView},
};
use testkit::ManualClock;

use crate::office::{Office, code};

/// An office by a clock that begins on Sunday, 2026-11-22, at nine o'clock.
struct Counted {
    office: Office,
    clock: Arc<ManualClock>,
}

#[expect(clippy::unnecessary_wraps, reason = "what is asked for is optional wherever it is told")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

impl Counted {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { office: Office::open_by(clock.clone(), None).await, clock }
    }

    async fn value(&self, login: &str, query: ValueQuery) -> ValueView {
        let caller = self.office.caller(login).await;
        self.office.service.value(&caller, &query).await.unwrap()
    }

    /// Staff asks for an account, and the manager rejects it after so long.
    async fn rejected_after(&self, wait: Duration) {
        let (run, approval) = self.office.request().await;
        self.clock.advance(wait);
        let manager = self.office.caller("manager").await;
        let digest = &approval.summary.digest;
        self.office.service.decide(&manager, approval.summary.id, DecisionKind::Reject, "no", digest).await.unwrap();
        self.office.ended(run).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_counted_where_they_were_asked_for_and_where_they_ended() {
    let counted = Counted::open().await;
    counted.rejected_after(Duration::from_hours(2)).await;
    let (cancelled, _) = counted.office.request().await;
    counted.clock.advance(Duration::from_hours(24));
    let operator = counted.office.caller("operator").await;
    counted.office.service.cancel_run(&operator, cancelled, "").await.unwrap();
    counted.office.ended(cancelled).await;

    let view = counted.value("operator", ValueQuery::default()).await;
    assert_eq!((view.from.as_str(), view.to.as_str(), view.zone.as_str()), ("2026-10-25", "2026-11-23", "UTC"));
    assert_eq!((view.step, view.buckets.len()), (ValueStep::Day, 30));
    let total = view.total;
    assert_eq!((total.started, total.completed, total.faulted, total.rejected, total.cancelled), (2, 0, 0, 1, 1));
    assert_eq!((total.saved_seconds, total.lead_time, total.failed_per_mille()), (0, None, Some(0)));
    let decision = total.decision_time.unwrap();
    assert_eq!((decision.count, decision.median_seconds), (1, 7_200));
    let of_day = |place: usize| {
        let figures = view.buckets[place].figures;
        (figures.started, figures.rejected, figures.cancelled)
    };
    assert_eq!((of_day(28), of_day(29)), ((2, 1, 0), (0, 0, 1)));
    let row = &view.rows[0];
    assert_eq!((row.key.as_str(), row.sees_runs, row.figures), ("identity/onboard-employee", true, total));
    assert_eq!(view.choices.teams[0].name, "it-identity");

    // In Seoul it was evening, and the same day; of the days before nothing is known.
    let before = ValueQuery { to: text("2026-11-21"), zone: text("Asia/Seoul"), ..ValueQuery::default() };
    assert!(counted.value("operator", before).await.rows.is_empty());
    let first = ValueQuery { from: text("2026-11-22"), to: text("2026-11-22"), ..ValueQuery::default() };
    assert_eq!(counted.value("operator", first.clone()).await.total.rejected, 1);
    let second = ValueQuery { from: text("2026-11-23"), ..ValueQuery::default() };
    let second = counted.value("operator", second).await;
    assert_eq!((second.total.started, second.before.started), (0, 2));
    counted.office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_narrowed_to_namespaces_workflows_and_teams() {
    let counted = Counted::open().await;
    counted.rejected_after(Duration::from_mins(5)).await;
    let started = async |query: ValueQuery| counted.value("auditor", query).await.total.started;
    let none = ValueQuery::default;
    assert_eq!(started(ValueQuery { namespace: text("identity"), ..none() }).await, 1);
    assert_eq!(started(ValueQuery { namespace: text("incident"), ..none() }).await, 0);
    assert_eq!(started(ValueQuery { workflow: text("identity/onboard-employee"), ..none() }).await, 1);
    assert_eq!(started(ValueQuery { workflow: text("identity/offboard-employee"), ..none() }).await, 0);
    assert_eq!(started(ValueQuery { team: text("it-identity"), ..none() }).await, 1);
    assert_eq!(started(ValueQuery { team: text("it-operations"), ..none() }).await, 0);
    // Of all staff there are three; of sales there is one, about whom nothing is told.
    let requester = |team: &str| ValueQuery { team: text(team), team_of: Some(TeamOf::Requester), ..none() };
    assert_eq!(started(requester("all-staff")).await, 1);
    let auditor = counted.office.caller("auditor").await;
    let refused = counted.office.service.value(&auditor, &requester("sales")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotFound);

    let by_owner = counted.value("auditor", ValueQuery { by: Some(ValueBy::Team), ..none() }).await;
    let keys: Vec<_> = by_owner.rows.iter().map(|row| (row.key.as_str(), row.figures.started)).collect();
    assert_eq!(keys, [("it-identity", 1)]);
    let by_requester = ValueQuery { by: Some(ValueBy::Team), team_of: Some(TeamOf::Requester), ..none() };
    let by_requester = counted.value("auditor", by_requester).await;
    let rows: Vec<_> = by_requester.rows.iter().map(|row| (row.key.as_str(), row.figures.rejected)).collect();
    assert_eq!(rows, [("all-staff", 1)]);
    assert_eq!(by_requester.rows[0].figures.decision_time.unwrap().median_seconds, 300);
    assert_eq!(by_requester.choices.teams.len(), 1);

    let csv = counted.office.service.value_csv(&auditor, &none()).await.unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines.len(), 5, "a head, all and one workflow, each in the period and before: {csv}");
    assert!(lines[1].starts_with(r#""total","","2026-10-24","2026-11-22","1","0""#), "{}", lines[1]);
    counted.office.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_of_those_namespaces_on_which_a_role_is_held() {
    let counted = Counted::open().await;
    counted.rejected_after(Duration::from_mins(5)).await;
    let office = &counted.office;
    for role in [Role::Operator, Role::Publisher, Role::Auditor, Role::Administrator] {
        for (namespace, seen) in [("identity", 1), ("incident", 0)] {
            let scope = Scope::Namespace(namespace.parse().unwrap());
            let person = office.hire(&format!("{role}-of-{namespace}"), &[role], scope).await;
            let view = office.service.value(&person, &ValueQuery::default()).await.unwrap();
            assert_eq!(
                (view.total.started, view.rows.len()),
                (seen, usize::try_from(seen).unwrap()),
                "{role} {namespace}"
            );
            assert_eq!(view.choices.namespaces.len(), view.rows.len(), "{role} {namespace}");
            let leads = view.rows.iter().any(|row| row.sees_runs);
            assert_eq!(leads, role == Role::Operator && seen == 1, "{role} {namespace}");
        }
    }
    for login in ["staff", "manager", "author"] {
        let caller = office.caller(login).await;
        let refused = code(office.service.value(&caller, &ValueQuery::default()).await);
        assert_eq!(refused, "forbidden", "{login}");
    }
    counted.office.stop().await;
}

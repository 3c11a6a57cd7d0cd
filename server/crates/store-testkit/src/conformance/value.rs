use domain::{ApprovalState, RunStatus, UserId, WorkflowRef};
use store::{
    approvals::Approval,
    audit::AuditRow,
    children::ChildRun,
    runs::Run,
    value::{Endings, LEAD_TIME_BOUNDS, Requesters, RunVersion, Span, Spread},
};

use super::Subject;
use crate::fixtures::{approval, at, audit, run, run_id, team, team_id, user_id, version, workflow};

/// The span that most cases ask about.
const SPAN: Span = Span { from: at(100), until: at(200) };

fn other() -> WorkflowRef {
    "incident/service-down".parse().unwrap()
}

fn of(workflow: &WorkflowRef) -> RunVersion {
    RunVersion { workflow: workflow.clone(), version: "1.0.0".to_owned() }
}

/// A run that was asked for at one time, and ended like this at another.
fn ended(number: u128, requester: UserId, (asked, end): (i64, i64), status: RunStatus) -> Run {
    Run { created_at: at(asked), ended_at: Some(at(end)), status, wake_at: None, ..run(number, requester) }
}

/// Two workflows; person 1 in the teams `blue` and `green`, person 2 in `green`, person 3 in none.
async fn teams(subject: &Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_version(&version(&other(), "1.0.0")).await.unwrap();
    for (number, name) in [(1, "blue"), (2, "green")] {
        unit.insert_team(&team(number, name)).await.unwrap();
    }
    for (of, person) in [(1, 1), (2, 1), (2, 2)] {
        unit.add_member(team_id(of), user_id(person)).await.unwrap();
    }
    unit.commit().await.unwrap();
}

pub(super) async fn runs_are_counted_by_when_they_were_asked_for(subject: Subject) {
    teams(&subject).await;
    let mut unit = subject.unit().await;
    for (number, person, second) in [(1, 1, 99), (2, 1, 100), (3, 2, 199), (4, 3, 150), (5, 1, 200)] {
        unit.insert_run(&Run { created_at: at(second), ..run(number, user_id(person)) }).await.unwrap();
    }
    let elsewhere = Run { workflow: other(), created_at: at(120), ..run(6, user_id(1)) };
    unit.insert_run(&elsewhere).await.unwrap();
    let part = Run { created_at: at(130), ..run(7, user_id(1)) };
    unit.insert_run(&part).await.unwrap();
    unit.insert_child(&ChildRun { run: run_id(7), parent: run_id(6), call: 1, depth: 1 }).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    let before = Span { from: at(0), until: at(100) };
    let found = unit.runs_asked(&[before, SPAN], Requesters::Everybody).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|it| (it.span, it.version, it.team, it.figure)).collect();
    let (onboard, down) = (of(&workflow()), of(&other()));
    assert_eq!(found, [(0, onboard.clone(), None, 1), (1, onboard.clone(), None, 3), (1, down, None, 1)]);
    let blue = unit.runs_asked(&[SPAN], Requesters::Of("blue")).await.unwrap();
    assert_eq!(blue.iter().map(|it| it.figure).sum::<u64>(), 2);
    let by_team = unit.runs_asked(&[SPAN], Requesters::ByTeam).await.unwrap();
    let of_onboarding: Vec<_> =
        by_team.iter().filter(|it| it.version == onboard).map(|it| (it.team.as_deref(), it.figure)).collect();
    assert_eq!(of_onboarding, [(None, 1), (Some("blue"), 1), (Some("green"), 2)]);
    assert!(unit.runs_asked(&[], Requesters::Everybody).await.unwrap().is_empty());
}

pub(super) async fn endings_are_counted_by_when_they_were(subject: Subject) {
    teams(&subject).await;
    let mut unit = subject.unit().await;
    let person = user_id(1);
    for (number, end, status) in [
        (1, 99, RunStatus::Completed),
        (2, 100, RunStatus::Completed),
        (3, 199, RunStatus::Completed),
        (4, 200, RunStatus::Completed),
        (5, 150, RunStatus::Cancelled),
        (6, 150, RunStatus::Faulted),
    ] {
        unit.insert_run(&ended(number, person, (1, end), status)).await.unwrap();
    }
    let rejected = Run { rejected: true, ..ended(7, person, (1, 150), RunStatus::Faulted) };
    let taken_back = Run { compensated: true, ..ended(8, person, (1, 150), RunStatus::Faulted) };
    let left_behind = Run { needs_attention: true, ..ended(9, user_id(3), (1, 150), RunStatus::Faulted) };
    let open = Run { created_at: at(150), needs_attention: true, ..run(10, person) };
    let part = ended(11, person, (1, 150), RunStatus::Completed);
    for run in [rejected, taken_back, left_behind, open, part] {
        unit.insert_run(&run).await.unwrap();
    }
    unit.insert_child(&ChildRun { run: run_id(11), parent: run_id(2), call: 1, depth: 1 }).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    let found = unit.runs_ended(&[SPAN], Requesters::Everybody).await.unwrap();
    let all = Endings { completed: 2, faulted: 3, rejected: 1, cancelled: 1, compensated: 1, unsettled: 1 };
    assert_eq!(found.iter().map(|it| (it.span, it.figure)).collect::<Vec<_>>(), [(0, all)]);
    assert_eq!(found[0].version, of(&workflow()));
    let blue = unit.runs_ended(&[SPAN], Requesters::Of("blue")).await.unwrap();
    let of_blue = Endings { faulted: 2, unsettled: 0, ..all };
    assert_eq!(blue.iter().map(|it| it.figure).collect::<Vec<_>>(), [of_blue]);
    let by_team = unit.runs_ended(&[SPAN], Requesters::ByTeam).await.unwrap();
    let by_team: Vec<_> = by_team.iter().map(|it| (it.team.as_deref(), it.figure)).collect();
    let nobodys = Endings { faulted: 1, unsettled: 1, ..Endings::default() };
    assert_eq!(by_team, [(None, nobodys), (Some("blue"), of_blue), (Some("green"), of_blue)]);
}

pub(super) async fn lead_times_are_ranked_by_group(subject: Subject) {
    teams(&subject).await;
    let mut unit = subject.unit().await;
    // They took 1 to 11 seconds, and ended in the span.
    for number in 1..=11_u32 {
        let took = i64::from(number);
        let person = user_id(if number <= 10 { 2 } else { 3 });
        unit.insert_run(&ended(number.into(), person, (150 - took, 150), RunStatus::Completed)).await.unwrap();
    }
    let slow = Run { workflow: other(), ..ended(12, user_id(2), (100 - 90, 100), RunStatus::Completed) };
    let failed = ended(13, user_id(2), (1, 150), RunStatus::Faulted);
    let later = ended(14, user_id(2), (1, 200), RunStatus::Completed);
    for run in [slow, failed, later] {
        unit.insert_run(&run).await.unwrap();
    }
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    let spread = |group, team: Option<&str>, count, median: i64, ninetieth: i64| Spread {
        group,
        team: team.map(ToOwned::to_owned),
        count,
        median: median * 1_000_000,
        ninetieth: ninetieth * 1_000_000,
    };
    let groups = [(of(&workflow()), 4), (of(&other()), 9)];
    let found = unit.lead_times(SPAN, &groups, Requesters::Everybody).await.unwrap();
    assert_eq!(found, [spread(4, None, 11, 6, 10), spread(9, None, 1, 90, 90)]);
    let together = [(of(&workflow()), 0), (of(&other()), 0)];
    let found = unit.lead_times(SPAN, &together, Requesters::Everybody).await.unwrap();
    assert_eq!(found, [spread(0, None, 12, 6, 11)]);
    let found = unit.lead_times(SPAN, &together[..1], Requesters::Of("green")).await.unwrap();
    assert_eq!(found, [spread(0, None, 10, 5, 9)]);
    let found = unit.lead_times(SPAN, &together[..1], Requesters::ByTeam).await.unwrap();
    assert_eq!(found, [spread(0, None, 1, 11, 11), spread(0, Some("green"), 10, 5, 9)]);
    assert!(unit.lead_times(SPAN, &[], Requesters::Everybody).await.unwrap().is_empty());

    let versions = [of(&workflow()), of(&other())];
    let classes = unit.lead_time_classes(SPAN, &versions, Requesters::Everybody).await.unwrap();
    assert_eq!(classes.len(), LEAD_TIME_BOUNDS.len() + 1);
    assert_eq!(classes[..3], [11, 1, 0]);
    let classes = unit.lead_time_classes(SPAN, &versions[1..], Requesters::Everybody).await.unwrap();
    assert_eq!(classes[..3], [0, 1, 0]);
}

pub(super) async fn decisions_are_ranked_and_help_is_counted(subject: Subject) {
    teams(&subject).await;
    let mut unit = subject.unit().await;
    for number in 1..=3 {
        unit.insert_run(&run(number, user_id(number))).await.unwrap();
    }
    let decided = |number: u128, state, took: i64| Approval {
        state,
        opened_at: at(150 - took),
        closed_at: Some(at(150)),
        ..approval(number, run_id(number), user_id(number), None)
    };
    for approval in [
        decided(1, ApprovalState::Approved, 30),
        decided(2, ApprovalState::Rejected, 50),
        decided(3, ApprovalState::Void, 5),
    ] {
        unit.insert_approval(&approval, &[]).await.unwrap();
    }
    let helped = |seq, second, run: u128, action: &str, outcome: &str| AuditRow {
        at: at(second),
        action: action.to_owned(),
        resource_id: run_id(run).to_string(),
        outcome: outcome.to_owned(),
        ..audit(seq)
    };
    let entries = [
        helped(1, 120, 1, "run.retry", "done"),
        helped(2, 130, 2, "run.skip", "done"),
        helped(3, 140, 2, "run.skip", "refused"),
        helped(4, 150, 2, "run.cancel", "done"),
        helped(5, 200, 2, "run.resolve", "done"),
    ];
    unit.append_audit(0, &entries).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.reading().await;
    let groups = [(of(&workflow()), 0)];
    let found = unit.decision_times(SPAN, &groups, Requesters::Everybody).await.unwrap();
    let whole = Spread { group: 0, team: None, count: 2, median: 30_000_000, ninetieth: 50_000_000 };
    assert_eq!(found, [whole]);
    let found = unit.decision_times(SPAN, &groups, Requesters::Of("blue")).await.unwrap();
    assert_eq!(found.iter().map(|it| (it.count, it.median)).collect::<Vec<_>>(), [(1, 30_000_000)]);
    let found = unit.approvals_decided(&[SPAN], Requesters::ByTeam).await.unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.team.as_deref(), it.figure)).collect();
    assert_eq!(found, [(Some("blue"), 1), (Some("green"), 2)]);
    let helped = unit.interventions(&[SPAN], Requesters::Everybody).await.unwrap();
    assert_eq!(helped.iter().map(|it| it.figure).collect::<Vec<_>>(), [2]);
    let helped = unit.interventions(&[SPAN], Requesters::Of("blue")).await.unwrap();
    assert_eq!(helped.iter().map(|it| it.figure).collect::<Vec<_>>(), [1]);
}

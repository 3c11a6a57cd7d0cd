//! Each refusal that separates duties, by each way that leads to what it refuses, as one golden table: no way is wider than
//! another.

use std::{fmt::Write as _, time::Duration};

use domain::{
    ApprovalId, DecisionKind, DelegationScope, ErrorCode, Problem, Role, RunStatus, Scope, view::ApprovalDetail,
};
use serde_json::json;
use service::{Caller, ChosenDecision, Door, NewConnection, NewDecision, NewDelegation};
use store::access::Subject;

use crate::{
    authoring::greet,
    doors::{link, waiting},
    office::{Office, code},
};

/// How somebody comes to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// On the page.
    Page,
    /// By REST.
    Rest,
    /// Together with others.
    Bulk,
    /// By a link in a mail.
    MailLink,
    /// As the substitute of somebody who may.
    Delegate,
    /// After an operator has halted the run and let it go on.
    Resume,
    /// After the run has failed, and an operator has had it try again.
    Retry,
    /// In a run that another run has started.
    SubWorkflow,
    /// In a run that has begun by itself.
    Schedule,
}

impl Way {
    const ALL: [Self; 9] = [
        Self::Page,
        Self::Rest,
        Self::Bulk,
        Self::MailLink,
        Self::Delegate,
        Self::Resume,
        Self::Retry,
        Self::SubWorkflow,
        Self::Schedule,
    ];

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Who is kept from deciding.
struct Case {
    name: &'static str,
    requester: &'static str,
    person: &'static str,
    /// Somebody who may decide, and could name the person as a substitute; none where a substitute rightly decides.
    substitute_of: Option<&'static str>,
    /// The arguments of the approval.
    with: &'static str,
    /// What comes before the person decides.
    before: Before,
    /// The code of each refusal, unless it is one that hides.
    refusal: ErrorCode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The person decides in the first stage.
    FirstStage,
    /// The person, an operator, has the run go on with other data.
    OtherData,
}

const TWO_STAGES: &str = "distinct: true
stages:
- {approvers: [{user: operator}, {user: manager}]}
- {approvers: [{user: operator}, {user: auditor}]}";

const CASES: [Case; 7] = [
    Case {
        name: "who asked for it",
        requester: "staff",
        person: "staff",
        substitute_of: Some("manager"),
        with: "approvers: [{user: staff}, {user: manager}]",
        before: Before::Nothing,
        refusal: ErrorCode::OwnRequest,
    },
    Case {
        name: "who asked, with every role",
        requester: "boss",
        person: "boss",
        substitute_of: Some("manager"),
        with: "approvers: [{role: approver}, {user: manager}]",
        before: Before::Nothing,
        refusal: ErrorCode::OwnRequest,
    },
    Case {
        name: "administrator, not asked",
        requester: "staff",
        person: "admin",
        substitute_of: None,
        with: "approvers: [{user: manager}]",
        before: Before::Nothing,
        refusal: ErrorCode::NotFound,
    },
    Case {
        name: "operator, not asked",
        requester: "staff",
        person: "operator",
        substitute_of: None,
        with: "approvers: [{user: manager}]",
        before: Before::Nothing,
        refusal: ErrorCode::Forbidden,
    },
    Case {
        name: "who decided a stage before",
        requester: "staff",
        person: "operator",
        substitute_of: Some("auditor"),
        with: TWO_STAGES,
        before: Before::FirstStage,
        refusal: ErrorCode::Forbidden,
    },
    Case {
        name: "asked in a later stage",
        requester: "staff",
        person: "auditor",
        substitute_of: None,
        with: TWO_STAGES,
        before: Before::Nothing,
        refusal: ErrorCode::NotFound,
    },
    Case {
        name: "who put other data in",
        requester: "staff",
        person: "operator",
        substitute_of: Some("manager"),
        with: "approvers: [{user: operator}, {user: manager}]",
        before: Before::OtherData,
        refusal: ErrorCode::OwnData,
    },
];

/// A run that has come this way, and the approval that it waits for.
async fn come(office: &Office, way: Way, case: &Case, name: &str) -> ApprovalDetail {
    let operator = office.caller("operator").await;
    let requester = office.caller(case.requester).await;
    let (schedule, first) = match way {
        Way::Schedule => ("schedule: {after: P1D}\n", String::new()),
        // Fails as long as there is no such connection. Of one that is written out, the launch would know.
        Way::Retry => (
            "",
            format!(
                "- first: {{call: directory, with: {{connection: '${{ \"{name}\" }}', operation: lookup, login: staff}}}}\n"
            ),
        ),
        _ => ("", String::new()),
    };
    let text = format!(
        "document: {{dsl: 1.0.3, namespace: identity, name: {name}, version: 1.0.0}}\n{schedule}do:\n{first}\
         - decide:\n    call: approval\n    with:\n      {}\n",
        case.with.replace('\n', "\n      ")
    );
    office.service.load_shipped([(format!("{name}.yaml").as_str(), text.as_str())]).await.unwrap();
    if way == Way::Schedule {
        return waiting(office, &operator, name, &[]).await;
    }
    let mut launched = format!("identity/{name}");
    if way == Way::SubWorkflow {
        launched.push_str("-outer");
        let text = format!(
            "document: {{dsl: 1.0.3, namespace: identity, name: {name}-outer, version: 1.0.0}}\n\
             do:\n- first: {{wait: PT1H}}\n\
             - inner: {{run: {{workflow: {{namespace: identity, name: {name}, version: 1.0.0}}}}}}\n"
        );
        office.service.load_shipped([(format!("{name}-outer.yaml").as_str(), text.as_str())]).await.unwrap();
    }
    let run = office.service.launch(&requester, &launched.parse().unwrap(), None, json!({})).await.unwrap().id;
    if way == Way::Retry {
        office.status(run, RunStatus::Faulted).await;
        let (name, kind, settings) = (name.to_owned(), "builtin".to_owned(), json!({}));
        let owner = Some(Subject::User(office.user("admin").await.unwrap()));
        let new = NewConnection { name, kind, settings, namespaces: vec!["*".to_owned()], owner };
        office.service.put_connection(&office.caller("admin").await, None, new).await.unwrap();
        office.service.retry_run(&operator, run).await.unwrap();
    }
    if way == Way::SubWorkflow {
        // What the other run is given: its data are not changed once it has begun.
        let output = (case.before == Before::OtherData).then(|| json!({"other": 1}));
        office.status(run, RunStatus::Waiting).await;
        office.service.skip_task(&operator, run, "/do/0/first", None, output, "now").await.unwrap();
    }
    let asked = waiting(office, &operator, name, &[]).await;
    if way == Way::Resume {
        office.service.suspend_run(&operator, run).await.unwrap();
        office.status(run, RunStatus::Suspended).await;
        office.service.resume_run(&operator, run).await.unwrap();
        office.status(run, RunStatus::Waiting).await;
    }
    asked
}

/// What comes before the person decides.
async fn prepare(office: &Office, way: Way, case: &Case, person: &Caller, asked: ApprovalDetail) -> ApprovalDetail {
    let operator = office.caller("operator").await;
    let id: ApprovalId = asked.summary.id;
    match case.before {
        Before::Nothing => asked,
        Before::OtherData if way == Way::SubWorkflow => asked,
        Before::FirstStage => {
            office.service.decide(person, id, DecisionKind::Approve, "", &asked.summary.digest).await.unwrap();
            office
                .wait(async || {
                    let detail = office.service.approval(&operator, id).await.unwrap();
                    detail.approvers.iter().any(|approver| approver.stage == 2).then_some(detail)
                })
                .await
        }
        Before::OtherData => {
            let (run, from) = (asked.summary.run, &asked.summary.reference);
            office.service.resume_run_from(person, run, from, json!({"other": 1}), "as I say").await.unwrap();
            waiting(office, &operator, asked.summary.name.as_str(), &[id]).await
        }
    }
}

/// What the person is answered who decides this way.
async fn attempt(office: &Office, way: Way, person: &Caller, on: &ApprovalDetail) -> String {
    let (id, digest) = (on.summary.id, on.summary.digest.clone());
    let service = &office.service;
    let kind = DecisionKind::Approve;
    match way {
        Way::Bulk => {
            let chosen = ChosenDecision { approval: id, kind, comment: String::new(), digest };
            let outcomes = service.decide_chosen(person, vec![chosen]).await.unwrap();
            code(outcomes[0].problem.clone().map_or(Ok(()), Err::<(), Problem>))
        }
        Way::MailLink => {
            let token = link(office, person, on);
            code(service.decide_by_link(person, &token, kind, "").await)
        }
        _ => code(service.decide_on(person, id, NewDecision::new(kind, "", &digest)).await),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_decides_by_any_way_what_another_has_to() {
    let office = Office::open().await;
    office.hire("boss", Role::ALL, Scope::Everywhere).await;
    let mut table = format!("{:<28}", "");
    for way in Way::ALL {
        write!(table, "{:<13}", way.name()).unwrap();
    }
    let mut table = table.trim_end().to_owned() + "\n";
    for (number, case) in CASES.iter().enumerate() {
        let mut line = format!("{:<28}", case.name);
        for way in Way::ALL {
            // Runs that begin by themselves were asked for by nobody who could decide.
            let nobody_asked = way == Way::Schedule && case.requester == case.person;
            if nobody_asked || (way == Way::Delegate && case.substitute_of.is_none()) {
                write!(line, "{:<13}", "-").unwrap();
                continue;
            }
            let name = format!("case{number}-{}", way.name());
            let mut person = office.caller(case.person).await;
            if way == Way::Rest {
                person.origin.door = Door::Rest;
            }
            let asked = come(&office, way, case, &name).await;
            let on = prepare(&office, way, case, &person, asked).await;
            let mut standing_in = None;
            if let Some(other) = case.substitute_of.filter(|_| way == Way::Delegate) {
                let new = NewDelegation {
                    substitute: case.person.to_owned(),
                    scope: DelegationScope::Everything,
                    from: None,
                    until: office.now() + Duration::from_hours(1),
                    reason: "holiday".to_owned(),
                };
                let other = office.caller(other).await;
                standing_in = Some((office.service.delegate(&other, new).await.unwrap().id, other));
            }
            let before = office.audit_end().await;
            let answer = attempt(&office, way, &person, &on).await;
            assert_eq!(answer, case.refusal.as_str(), "{} by {way:?}", case.name);
            let entries = office.audit_after(before).await;
            let door = if way == Way::Rest { "\"door\":\"rest\"" } else { "\"door\":\"portal\"" };
            let entered = |entry: &&store::audit::AuditRow| {
                entry.action == "approval.decide" && entry.outcome == "refused" && entry.body.contains(door)
            };
            assert!(entries.iter().any(|entry| entered(&entry)), "{} by {way:?}: no entry", case.name);
            if let Some((id, other)) = standing_in {
                office.service.revoke_delegation(&other, id).await.unwrap();
            }
            let seen = office.service.approval(&office.caller("operator").await, on.summary.id).await.unwrap();
            let decided = |decision: &&domain::view::DecisionView| decision.person.login == case.person;
            let expected = usize::from(case.before == Before::FirstStage);
            assert_eq!(seen.decisions.iter().filter(decided).count(), expected, "{} by {way:?}", case.name);
            write!(line, "{answer:<13}").unwrap();
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    insta::assert_snapshot!("separation_of_duties", table);
}

/// What else separates duties, beside decisions: what is tried, and what it is answered.
async fn tried(office: &Office, what: usize, door: Door) -> (&'static str, String) {
    let service = &office.service;
    let by = async |login: &str| {
        let mut caller = office.caller(login).await;
        caller.origin.door = door;
        caller
    };
    let unique = office.ids.next().as_u128() % 1_000_000_000;
    let version = &format!("1.0.{unique}");
    match what {
        0 => {
            let author = by("both").await;
            let digest = office.in_review(&author, version, "hello").await.digest;
            let answer = service.publish_definition(&author, &greet(), version, &digest).await;
            ("author publishes own change", code(answer))
        }
        1 => {
            let boss = by("boss").await;
            let digest = office.in_review(&boss, version, "hello").await.digest;
            let answer = service.publish_definition(&boss, &greet(), version, &digest).await;
            ("the same with every role", code(answer))
        }
        2 => {
            let admin = by("admin").await;
            let new = office.new_policies(&format!("// {unique}\n")).await;
            let proposed = service.propose_policies(&admin, new).await.unwrap().item;
            let answer = service.activate_policies(&admin, proposed.version, &proposed.digest).await;
            ("own policies into force", code(answer))
        }
        3 => {
            let (admin, author) = (by("admin").await, Subject::User(office.user("author").await.unwrap()));
            let answer = service.grant(&admin, author, Role::Publisher, Scope::Everywhere, None).await;
            ("conflicting role, by grant", code(answer))
        }
        4 => {
            let (admin, author) = (by("admin").await, office.user("author").await.unwrap());
            let team = service.put_team(&admin, &format!("t{unique}"), "Reviewers").await.unwrap();
            let team_of = Subject::Team(team.id);
            service.grant(&admin, team_of, Role::Publisher, Scope::Everywhere, None).await.unwrap();
            ("conflicting role, by team", code(service.add_member(&admin, team.id, author).await))
        }
        5 => {
            let admin = by("admin").await;
            let answer =
                service.grant(&admin, Subject::User(admin.user), Role::Approver, Scope::Everywhere, None).await;
            ("role for oneself", code(answer))
        }
        6 => {
            let (run, _) = office.request().await;
            ("requester retries", code(service.retry_run(&by("staff").await, run).await))
        }
        7 => {
            let (run, _) = office.request().await;
            service.suspend_run(&office.caller("operator").await, run).await.unwrap();
            ("requester resumes", code(service.resume_run(&by("staff").await, run).await))
        }
        8 => {
            let (run, approval) = office.request().await;
            let output = Some(json!({"outcome": "approved"}));
            let reference = &approval.summary.reference;
            let answer = service.skip_task(&by("operator").await, run, reference, None, output, "because").await;
            ("operator skips a decision", code(answer))
        }
        9 => {
            let (_, approval) = office.request().await;
            let answer = service.resubmit(&by("manager").await, approval.summary.id, Office::newcomer()).await;
            ("approver sends the input again", code(answer))
        }
        _ => {
            let (admin, mut second) = (office.caller("admin").await, office.second_administrator().await);
            second.origin.door = door;
            let scope = Scope::Namespace(format!("n{unique}").parse().unwrap());
            let person = Subject::User(second.user);
            let own = service.grant(&admin, person, Role::Administrator, scope.clone(), None).await.unwrap().id;
            let until = office.now() + Duration::from_hours(24);
            let review = service.start_access_review(&admin, "Autumn", scope, until).await.unwrap();
            ("own role confirmed", code(service.decide_access(&second, review.item.id, own, true, "").await))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_does_by_another_door_what_separates_duties() {
    let office = Office::open().await;
    office.hire("boss", Role::ALL, Scope::Everywhere).await;
    office.hire("both", &[Role::Author, Role::Publisher], Scope::Everywhere).await;
    let admin = office.caller("admin").await;
    office.service.separate_roles(&admin, vec![(Role::Author, Role::Publisher)]).await.unwrap();
    let mut table = format!("{:<32}{:<18}rest\n", "", "page");
    for what in 0..11 {
        let (name, page) = tried(&office, what, Door::Portal).await;
        let (_, rest) = tried(&office, what, Door::Rest).await;
        assert_ne!(page, "ok", "{name}");
        writeln!(table, "{name:<32}{page:<18}{rest}").unwrap();
    }
    insta::assert_snapshot!("separation_of_duties_elsewhere", table);
}

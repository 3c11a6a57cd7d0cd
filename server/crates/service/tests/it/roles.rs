//! Every operation × every role, as one golden table; and every change and refusal in the audit log.

use std::fmt::Write as _;

use domain::{
    AnswerEvery, DecisionKind, Name, Operation, OperationKind, Role, RunnerState, Scope, SessionId, TokenId,
    TriggerKind,
    view::{AuditFilter, SubjectView, ValueQuery},
};
use serde_json::json;
use service::{
    ApprovalQuery, Caller, DefinitionQuery, ExportFormat, ExportedVersions, NewConnection, NewLimits, NewPolicies,
    NewRunner, NewUser, Publication, RunQuery, RunResolution, UserChange,
};
use store::access::Subject;

use crate::{
    authoring::{greet, greeting},
    emergencies::emergency,
    office::{Office, code},
    repositories::new_repository,
    triggers::{delivered, new_trigger, trial},
};

fn runner_for_all(name: &str) -> NewRunner {
    NewRunner { name: name.to_owned(), labels: Vec::new(), namespaces: vec!["*".to_owned()] }
}

const PEOPLE: [&str; 7] = ["staff", "manager", "operator", "author", "publisher", "auditor", "admin"];

/// A definition to be tried out.
const TRIED: &str =
    "document: {dsl: 1.0.3, namespace: identity, name: tried, version: 1.0.0}\ndo: [{a: {set: {b: 1}}}]\n";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Does with emergency access what there is to do: to one of somebody else's, on a namespace of its own.
async fn in_an_emergency(office: &Office, caller: &Caller, operation: Operation) -> String {
    let service = &office.service;
    let scope = Scope::Namespace(uuid_word(office).parse().unwrap());
    if operation == Operation::EmergencyAsk {
        return code(service.ask_for_emergency(caller, emergency(Role::Publisher, scope)).await);
    }
    let on_call = office.hire(&uuid_word(office), &[Role::Operator], scope.clone()).await;
    let asked = service.ask_for_emergency(&on_call, emergency(Role::Publisher, scope.clone())).await.unwrap();
    if operation == Operation::EmergencyReview {
        let second = office.hire(&uuid_word(office), &[Role::Operator], scope).await;
        service.confirm_emergency(&second, asked.id).await.unwrap();
        service.end_emergency(&on_call, asked.id).await.unwrap();
    }
    match operation {
        Operation::EmergencyConfirm => code(service.confirm_emergency(caller, asked.id).await),
        Operation::EmergencyEnd => code(service.end_emergency(caller, asked.id).await),
        _ => code(service.review_emergency(caller, asked.id, "All as it should be").await),
    }
}

/// Does an operation as this caller, on things of staff (or of the caller, where an operation is about oneself).
async fn perform(office: &Office, caller: &Caller, operation: Operation) -> String {
    let service = &office.service;
    let onboarding = Office::onboarding();
    let unique = uuid_word(office);
    match operation {
        Operation::SetupClaim => {
            let password = "a fine long password";
            code(service.claim_setup(&caller.origin, "x", "first", "First", None, password).await)
        }
        Operation::SessionCreate => code(service.sign_in(&caller.origin, &unique, "wrong password").await),
        Operation::PasswordClaim => code(service.claim_password(&caller.origin, "x", "a fine long password").await),
        Operation::PasswordReveal => code(service.reveal_password(&caller.origin, "x").await),
        Operation::SessionConfirm => code(service.confirm(caller, &format!("rondo-demo-{}", caller.login)).await),
        Operation::SessionEnd => code(service.sign_out(caller).await),
        Operation::SessionList => code(service.sessions(caller).await),
        Operation::SessionRevoke => code(service.revoke_session(caller, SessionId::new(office.ids.as_ref())).await),
        Operation::PasswordChange => {
            let current = format!("rondo-demo-{}", caller.login);
            let changed = service.change_password(caller, &current, "a fine long password").await;
            service.change_password(caller, "a fine long password", &current).await.ok();
            code(changed)
        }
        Operation::PreferencesChange => code(service.change_preferences(caller, Some("ko".to_owned()), None).await),
        Operation::MeRead => code(service.me(caller).await),
        Operation::TokenList => code(service.tokens(caller).await),
        Operation::TokenCreate => code(service.create_token(caller, "test", Some(1)).await),
        Operation::TokenRevoke => code(service.revoke_token(caller, TokenId::new(office.ids.as_ref())).await),
        Operation::NotificationList => code(service.notifications(caller, None, None).await),
        Operation::NotificationRead => code(service.mark_notifications_read(caller, None).await),
        Operation::CatalogueList => code(service.catalogue(caller, None).await),
        Operation::WorkflowRead => code(service.workflow(caller, &onboarding).await),
        Operation::DefinitionList => code(service.definitions(caller, DefinitionQuery::default(), None, None).await),
        Operation::DefinitionExport => {
            code(service.export_definitions(caller, None, ExportedVersions::default()).await)
        }
        Operation::DefinitionValidate => code(service.validate_definition(caller, "").await),
        Operation::DefinitionRehearse => code(service.rehearse_definition(caller, TRIED, Some(json!({}))).await),
        Operation::DefinitionForesee => code(service.foresee_definition(caller, TRIED, Some(json!({}))).await),
        Operation::DefinitionRead
        | Operation::DefinitionSave
        | Operation::DefinitionDelete
        | Operation::DefinitionSubmit
        | Operation::DefinitionWithdraw
        | Operation::DefinitionReturn
        | Operation::DefinitionComment
        | Operation::DefinitionPublish
        | Operation::DefinitionRetire => define(office, caller, operation).await,
        Operation::TriggerList => code(service.triggers(caller).await),
        Operation::TriggerUpdate => {
            let (namespace, name) = (name("identity"), unique.parse().unwrap());
            let kind = TriggerKind::Webhook;
            code(service.create_trigger(caller, namespace, name, kind, new_trigger("onboard-employee")).await)
        }
        Operation::TriggerDelete | Operation::TriggerReplay | Operation::TriggerTry => {
            let trigger = delivered(office, &unique).await;
            match operation {
                Operation::TriggerDelete => code(service.delete_trigger(caller, trigger).await),
                Operation::TriggerReplay => code(service.replay_delivery(caller, trigger, 1).await),
                _ => code(service.try_trigger(caller, trigger, trial(json!({}))).await),
            }
        }
        Operation::RepositoryList => code(service.repositories(caller).await),
        Operation::RepositoryUpdate => {
            code(service.put_repository(caller, unique.parse().unwrap(), name("main"), new_repository()).await)
        }
        Operation::RepositorySync | Operation::RepositoryDelete => {
            let (namespace, admin) = (name("identity"), office.caller("admin").await);
            service.put_repository(&admin, namespace.clone(), name(&unique), new_repository()).await.unwrap();
            if operation == Operation::RepositorySync {
                code(service.sync_repository(caller, &namespace, &name(&unique)).await)
            } else {
                code(service.delete_repository(caller, &namespace, &name(&unique)).await)
            }
        }
        Operation::DefinitionMerge => office.merged_for(caller, &unique).await,
        Operation::DraftSave => code(service.save_draft(caller, &onboarding, None, json!({})).await),
        Operation::DraftRead | Operation::DraftDelete => {
            let staff = office.caller("staff").await;
            let draft = service.save_draft(&staff, &onboarding, None, json!({})).await.unwrap();
            if operation == Operation::DraftRead {
                code(service.draft(caller, draft.id).await)
            } else {
                code(service.delete_draft(caller, draft.id).await)
            }
        }
        Operation::RunLaunch => code(service.launch(caller, &onboarding, None, Office::newcomer()).await),
        Operation::RunList => code(service.runs(caller, RunQuery::default(), None, None).await),
        Operation::RunRead => {
            let (run, _) = office.request().await;
            code(service.run(caller, run).await)
        }
        Operation::RunCancel => {
            let (run, _) = office.request().await;
            code(service.cancel_run(caller, run, "").await)
        }
        Operation::RunSuspend => {
            let (run, _) = office.request().await;
            code(service.suspend_run(caller, run).await)
        }
        Operation::RunResume => {
            let (run, _) = office.request().await;
            code(service.resume_run(caller, run).await)
        }
        Operation::RunRetry => {
            let (run, _) = office.request().await;
            code(service.retry_run(caller, run).await)
        }
        Operation::RunSkip => {
            let (run, _) = office.request().await;
            code(service.skip_task(caller, run, "/do/0/managerApproval", None, None, "because").await)
        }
        Operation::RunResumeFrom => {
            let (run, _) = office.request().await;
            let newcomer = Office::newcomer();
            code(service.resume_run_from(caller, run, "/do/0/managerApproval", newcomer, "because").await)
        }
        Operation::RunResolve => {
            let (run, _) = office.request().await;
            let reference = "/do/0/managerApproval";
            code(service.resolve_task(caller, run, reference, 1, RunResolution::TryAgain).await)
        }
        Operation::ValueRead => code(service.value(caller, &ValueQuery::default()).await),
        Operation::EventPublish => {
            let event = json!({"specversion": "1.0", "id": unique, "source": "/test", "type": "test"});
            code(service.publish_events(caller, Publication::One(event)).await)
        }
        Operation::ApprovalList => code(service.approvals(caller, ApprovalQuery::default(), None, None).await),
        Operation::ApprovalRead => {
            let (_, approval) = office.request().await;
            code(service.approval(caller, approval.summary.id).await)
        }
        Operation::ApprovalForesee => {
            let (_, approval) = office.request().await;
            code(service.foresee_approval(caller, approval.summary.id).await)
        }
        Operation::ApprovalDecide => {
            let (_, approval) = office.request().await;
            let digest = &approval.summary.digest;
            code(service.decide(caller, approval.summary.id, DecisionKind::Reject, "no", digest).await)
        }
        Operation::ApprovalResubmit => {
            let (_, approval) = office.request().await;
            let (id, digest) = (approval.summary.id, &approval.summary.digest);
            let manager = office.caller("manager").await;
            service.decide(&manager, id, DecisionKind::RequestChanges, "which team?", digest).await.unwrap();
            code(service.resubmit(caller, id, Office::newcomer()).await)
        }
        Operation::ApprovalAsk => {
            let (_, approval) = office.request().await;
            code(service.ask(caller, approval.summary.id, "For how long?").await)
        }
        Operation::ApprovalAnswer => {
            let (_, approval) = office.request().await;
            let manager = office.caller("manager").await;
            let asked = service.ask(&manager, approval.summary.id, "For how long?").await.unwrap();
            code(service.answer(caller, approval.summary.id, asked.questions[0].id, "A year.").await)
        }
        Operation::DelegationList => {
            let staff = office.user("staff").await;
            code(service.delegations(caller, staff).await)
        }
        Operation::DelegationCreate => code(service.delegate(caller, office.substitute_of(&caller.login)).await),
        Operation::DelegationRevoke => {
            let staff = office.caller("staff").await;
            let made = service.delegate(&staff, office.substitute_of("staff")).await.unwrap();
            code(service.revoke_delegation(caller, made.id).await)
        }
        Operation::AuditRead => code(service.audit(caller, AuditFilter::default(), None, None).await),
        Operation::AuditExport => code(service.audit_export(caller, AuditFilter::default(), ExportFormat::Csv).await),
        Operation::AuditSubscribe => {
            code(service.follow_question(caller, "failed-sign-ins", Some(AnswerEvery::Week)).await)
        }
        Operation::AuditViewSave => code(service.save_audit_view(caller, &unique, "outcome=refused", false).await),
        Operation::AuditViewDelete => {
            // Whoever may name a search may delete it; the others are refused either way.
            let _ = service.save_audit_view(caller, &unique, "", false).await;
            code(service.delete_audit_view(caller, &unique).await)
        }
        Operation::ControlRead => code(service.audit_controls(caller, None, None).await),
        Operation::AuditRetentionRead => code(service.audit_retention(caller).await),
        Operation::AuditHoldPlace => code(service.place_audit_hold(caller, crate::retention::hold(&unique)).await),
        Operation::AuditHoldRelease => {
            let admin = office.caller("admin").await;
            let placed = service.place_audit_hold(&admin, crate::retention::hold(&unique)).await.unwrap();
            code(service.release_audit_hold(caller, placed.id, "it is over").await)
        }
        Operation::PolicyRead => code(service.policies(caller).await),
        Operation::PolicyPropose => {
            code(service.propose_policies(caller, office.new_policies(&format!("// {unique}\n")).await).await)
        }
        Operation::PolicyWithdraw | Operation::PolicyActivate => {
            let second = office.second_administrator().await;
            let new: NewPolicies = office.new_policies(&format!("// {unique}\n")).await;
            let proposed = service.propose_policies(&second, new).await.unwrap().item;
            if operation == Operation::PolicyWithdraw {
                code(service.withdraw_policies(caller, proposed.version, "no").await)
            } else {
                code(service.activate_policies(caller, proposed.version, &proposed.digest).await)
            }
        }
        Operation::AccessReviewRead => code(service.access_reviews(caller, None, None).await),
        Operation::AccessReviewStart => code(office.access_review(caller).await),
        Operation::AccessReviewDecide | Operation::AccessReviewClose => {
            let admin = office.caller("admin").await;
            let review = office.access_review(&admin).await.unwrap();
            if operation == Operation::AccessReviewClose {
                code(service.close_access_review(caller, review.item.id).await)
            } else {
                code(service.decide_access(caller, review.item.id, review.items[0].grant, true, "").await)
            }
        }
        Operation::EmergencyRead => code(service.emergencies(caller, None, None).await),
        Operation::EmergencyAsk
        | Operation::EmergencyConfirm
        | Operation::EmergencyEnd
        | Operation::EmergencyReview => in_an_emergency(office, caller, operation).await,
        Operation::SeparationRead => code(service.separation(caller).await),
        Operation::SeparationUpdate => code(service.separate_roles(caller, Vec::new()).await),
        Operation::UserList => code(service.users(caller, None, None, None).await),
        Operation::UserCreate => {
            let new = NewUser { login: unique, name: "New".to_owned(), ..NewUser::default() };
            code(service.create_user(caller, new).await)
        }
        Operation::UserUpdate => {
            let staff = office.user("staff").await.unwrap();
            let change = UserChange {
                name: "Sam Staff".to_owned(),
                email: Some("staff@example.test".to_owned()),
                manager: Some("manager".to_owned()),
            };
            code(service.update_user(caller, staff, change).await)
        }
        Operation::UserDisable => {
            let author = office.user("author").await.unwrap();
            code(service.set_user_active(caller, author, true).await)
        }
        Operation::UserResetPassword => {
            let staff = office.user("staff").await.unwrap();
            code(service.reset_password(caller, staff).await)
        }
        Operation::UserErase => {
            let admin = office.caller("admin").await;
            let new = NewUser { login: unique, name: "Gone".to_owned(), ..NewUser::default() };
            let gone = service.create_user(&admin, new).await.unwrap().0.id;
            service.set_user_active(&admin, gone, false).await.unwrap();
            code(service.erase_user(caller, gone, "as asked").await)
        }
        Operation::TeamUpdate => code(service.put_team(caller, "sales", "Sales").await),
        Operation::GrantList => code(service.grants(caller).await),
        Operation::GrantCreate => {
            let author = Subject::User(office.user("author").await.unwrap());
            let scope = Scope::Namespace(unique.parse().unwrap());
            code(service.grant(caller, author, Role::Author, scope, None).await)
        }
        Operation::GrantRevoke => {
            let admin = office.caller("admin").await;
            let author = Subject::User(office.user("author").await.unwrap());
            let scope = Scope::Namespace(unique.parse().unwrap());
            let grant = service.grant(&admin, author, Role::Author, scope, None).await.unwrap();
            assert!(matches!(grant.subject, SubjectView::User { .. }));
            code(service.revoke_grant(caller, grant.id).await)
        }
        Operation::ProcessList => code(service.process_permissions(caller).await),
        Operation::ProcessPermit => code(service.permit_processes(caller, unique.parse().unwrap()).await),
        Operation::ProcessForbid => {
            let namespace = unique.parse().unwrap();
            service.permit_processes(&office.caller("admin").await, unique.parse().unwrap()).await.unwrap();
            code(service.forbid_processes(caller, &namespace).await)
        }
        Operation::RunnerList => code(service.runners(caller).await),
        Operation::RunnerEnrol => code(service.enrol_runner(caller, runner_for_all(&unique)).await),
        Operation::RunnerUpdate | Operation::RunnerRemove => {
            let name: Name = unique.parse().unwrap();
            service.enrol_runner(&office.caller("admin").await, runner_for_all(&unique)).await.unwrap();
            if operation == Operation::RunnerUpdate {
                return code(service.update_runner(caller, &name, RunnerState::Draining).await);
            }
            code(service.remove_runner(caller, &name).await)
        }
        Operation::SecretList => code(service.secrets(caller).await),
        Operation::SecretUpdate | Operation::SecretDelete => {
            let (namespace, value): (Name, _) = (unique.parse().unwrap(), json!("s3cret"));
            if operation == Operation::SecretUpdate {
                return code(service.put_secret(caller, namespace, "token", &value).await);
            }
            let admin = office.caller("admin").await;
            service.put_secret(&admin, namespace.clone(), "token", &value).await.unwrap();
            code(service.delete_secret(caller, &namespace, "token").await)
        }
        Operation::LimitList => code(service.namespace_limits(caller).await),
        Operation::LimitUpdate => {
            let new = NewLimits { runs: Some(5), calls: None };
            code(service.limit_namespace(caller, unique.parse().unwrap(), new).await)
        }
        Operation::LimitDelete => {
            let (namespace, new) = (unique.parse().unwrap(), NewLimits { runs: None, calls: Some(5) });
            let admin = office.caller("admin").await;
            service.limit_namespace(&admin, unique.parse().unwrap(), new).await.unwrap();
            code(service.unlimit_namespace(caller, &namespace).await)
        }
        Operation::CalendarList => code(service.calendars(caller).await),
        Operation::CalendarUpdate => {
            let name = unique.parse().unwrap();
            code(service.put_calendar(caller, Scope::Everywhere, name, crate::calendars::office_hours()).await)
        }
        Operation::CalendarDelete => {
            let (scope, name): (_, Name) = (Scope::Everywhere, unique.parse().unwrap());
            let (admin, hours) = (office.caller("admin").await, crate::calendars::office_hours());
            service.put_calendar(&admin, scope.clone(), name.clone(), hours).await.unwrap();
            code(service.delete_calendar(caller, &scope, &name).await)
        }
        Operation::ConnectionList => code(service.connections(caller, None).await),
        Operation::ConnectionUpdate | Operation::ConnectionDelete | Operation::ConnectionTest => {
            let new = NewConnection {
                name: unique,
                kind: "builtin".to_owned(),
                settings: json!({}),
                namespaces: vec!["*".to_owned()],
                owner: Some(Subject::User(office.user("admin").await.unwrap())),
            };
            if operation == Operation::ConnectionUpdate {
                return code(service.put_connection(caller, None, new).await);
            }
            let admin = office.caller("admin").await;
            let made = service.put_connection(&admin, None, new).await.unwrap();
            if operation == Operation::ConnectionDelete {
                code(service.delete_connection(caller, made.id).await)
            } else {
                code(service.test_connection(caller, made.id).await)
            }
        }
    }
}

/// Does an operation as this caller on a version that the author has written.
async fn define(office: &Office, caller: &Caller, operation: Operation) -> String {
    let service = &office.service;
    let (author, publisher) = (office.caller("author").await, office.caller("publisher").await);
    let version = &format!("1.0.{}", office.ids.next().as_u128() % 1_000_000_000);
    if matches!(
        operation,
        Operation::DefinitionRead
            | Operation::DefinitionSave
            | Operation::DefinitionDelete
            | Operation::DefinitionSubmit
    ) {
        let digest = office.draft(&author, version, "hello").await;
        return match operation {
            Operation::DefinitionRead => code(service.workflow_version(caller, &greet(), version).await),
            Operation::DefinitionSave => {
                let text = greeting(version, "goodbye");
                code(service.save_definition(caller, &greet(), version, &text, Some(&digest)).await)
            }
            Operation::DefinitionDelete => code(service.delete_definition(caller, &greet(), version).await),
            _ => code(service.submit_definition(caller, &greet(), version).await),
        };
    }
    let digest = &office.in_review(&author, version, "hello").await.digest;
    match operation {
        Operation::DefinitionWithdraw => code(service.withdraw_definition(caller, &greet(), version).await),
        Operation::DefinitionReturn => code(service.return_definition(caller, &greet(), version, "again").await),
        Operation::DefinitionComment => {
            code(service.comment_on_definition(caller, &greet(), version, "why?", None, digest).await)
        }
        Operation::DefinitionPublish => code(service.publish_definition(caller, &greet(), version, digest).await),
        _ => {
            service.publish_definition(&publisher, &greet(), version, digest).await.unwrap();
            code(service.retire_definition(caller, &greet(), version, true).await)
        }
    }
}

/// A word that nothing else is called.
fn uuid_word(office: &Office) -> String {
    format!("x{}", office.ids.next().simple())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_answers_each_role_as_the_table_says_and_leaves_its_entry() {
    let office = Office::open().await;
    office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let mut table = format!("{:<22}", "");
    for login in PEOPLE {
        write!(table, "{login:<17}").unwrap();
    }
    table.push('\n');
    let mut missing = Vec::new();
    for operation in Operation::ALL.iter().copied() {
        let mut line = format!("{operation:<22}");
        for login in PEOPLE {
            let caller = office.caller(login).await;
            let before = office.audit_end().await;
            let answer = Box::pin(perform(&office, &caller, operation)).await;
            let entries = office.audit_after(before).await;
            let entered = |outcome: &str| {
                entries.iter().any(|entry| entry.action == operation.as_str() && entry.outcome == outcome)
            };
            // Reading the log, and taking things out, are entries as well.
            let reads =
                [Operation::AuditRead, Operation::AuditExport, Operation::DefinitionExport, Operation::ControlRead];
            let is_entered = operation.kind() == OperationKind::Change || reads.contains(&operation);
            match answer.as_str() {
                "ok" if is_entered && !entered("done") => {
                    missing.push(format!("{operation} by {login}: done, not in the audit log"));
                }
                "forbidden" | "own-request" | "own-policies" | "sign-in-refused" | "link-invalid"
                    if !entered("refused") =>
                {
                    missing.push(format!("{operation} by {login}: refused, not in the audit log"));
                }
                _ => {}
            }
            write!(line, "{answer:<17}").unwrap();
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    assert!(missing.is_empty(), "{missing:#?}");
    insta::assert_snapshot!("operations_by_role", table);
}

#[tokio::test]
async fn what_the_portal_shows_is_what_it_allows() {
    let office = Office::open().await;
    office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    for login in PEOPLE {
        let caller = office.caller(login).await;
        let me = office.service.me(&caller).await.unwrap();
        for operation in [Operation::CatalogueList, Operation::AuditRead, Operation::UserList, Operation::GrantList] {
            let shown = me.operations.contains(&operation);
            assert_eq!(shown, Box::pin(perform(&office, &caller, operation)).await == "ok", "{login}: {operation}");
        }
    }
}

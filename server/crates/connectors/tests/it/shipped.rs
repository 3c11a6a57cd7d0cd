//! The shipped workflows, parsed, and driven to their end over real connectors.

use std::collections::{BTreeMap, HashSet, VecDeque};

use connectors::{Call, FailureKind, Outcome};
use domain::{Clock as _, RunStatus};
use serde_json::{Value, json};
use store::access::Team;
use testkit::WallClock;
use workflow::{Definition, Effect, Event, EventKind, RunState, apply, build_call};

use crate::support::Bench;

fn source(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../workflows/");
    std::fs::read_to_string(format!("{root}{path}")).unwrap()
}

pub(crate) fn parsed(bench: &Bench, path: &str) -> Definition {
    Definition::parse(&source(path), bench.registry.function_catalogue())
        .unwrap_or_else(|diagnostics| panic!("{path}: {diagnostics:#?}"))
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) status: RunStatus,
    pub(crate) output: Value,
    pub(crate) error: Option<String>,
    pub(crate) compensated: bool,
    /// Names of tasks in order of start, each once per execution.
    pub(crate) tasks: Vec<String>,
}

/// Runs a definition to its end: calls are made, time passes at once, approvals are answered by `approve`.
pub(crate) async fn run(bench: &Bench, definition: &Definition, input: Value, approve: bool) -> Ended {
    let mut state = RunState::new();
    let runtime = json!({"requester": {"login": "staff", "name": "Sam Staff"}});
    let run = bench.context("").run;
    let mut events = VecDeque::from([EventKind::Started { run, input, runtime }]);
    let mut timers = BTreeMap::new();
    let mut now = WallClock.now();
    let mut ended =
        Ended { status: RunStatus::Pending, output: Value::Null, error: None, compensated: false, tasks: Vec::new() };
    let mut seen = HashSet::new();
    loop {
        // Time passes only when nothing else happens, and then at once.
        let earliest = timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
        let kind = match (events.pop_front(), earliest) {
            (Some(kind), _) => kind,
            (None, Some((timer, at))) => {
                timers.remove(&timer);
                now = now.max(at);
                EventKind::TimerFired { timer }
            }
            (None, None) => break,
        };
        let effects = apply(definition, &mut state, &Event::new(now, kind));
        for effect in effects {
            match effect {
                Effect::Call(ticket) => {
                    let outcome = match build_call(definition, &state, &ticket.call, &()) {
                        Ok(mut request) => {
                            bench.vault.unseal_within(&mut request.with).unwrap();
                            let namespace = definition.document().namespace.parse().unwrap();
                            let call = Call {
                                function: &request.function,
                                with: request.with,
                                namespace: &namespace,
                                idempotent: ticket.idempotent,
                            };
                            match bench.registry.prepare(call, &bench.connections).await {
                                Ok(prepared) => bench.registry.execute(&prepared, &bench.context(&ticket.key)).await,
                                Err(failure) => {
                                    assert_ne!(failure.kind, FailureKind::Unknown);
                                    Err(failure).into()
                                }
                            }
                        }
                        Err(error) => Outcome::Permanent(error),
                    };
                    let call = ticket.call;
                    events.push_back(match outcome {
                        Outcome::Done(output) => EventKind::CallCompleted { call, output },
                        Outcome::Retryable(error) | Outcome::Permanent(error) => {
                            EventKind::CallFailed { call, error, retryable: false }
                        }
                        Outcome::Lost(error) => EventKind::CallLost { call, error },
                        Outcome::Unknown(_) => EventKind::CallUnknown { call },
                    });
                }
                Effect::OpenApproval(request) => {
                    let call = request.call;
                    events.push_back(if approve {
                        EventKind::CallCompleted { call, output: json!({"outcome": "approved", "decisions": []}) }
                    } else {
                        EventKind::CallFailed { call, error: workflow::RunError::rejected("no"), retryable: false }
                    });
                }
                Effect::SetTimer { timer, at } => {
                    timers.insert(timer, at);
                }
                Effect::ClearTimer { timer } => {
                    timers.remove(&timer);
                }
                Effect::Task(record) => {
                    if seen.insert((record.reference.clone(), record.occurrence)) {
                        ended.tasks.push(record.name.clone());
                    }
                }
                Effect::Run(record) => {
                    ended.status = record.status;
                    ended.output = record.output.clone().unwrap_or(Value::Null);
                    ended.error = record.error.as_ref().map(ToString::to_string);
                    ended.compensated = record.compensation == workflow::Compensation::Done;
                }
                Effect::StopCall { .. }
                | Effect::SettleCall { .. }
                | Effect::AskStage { .. }
                | Effect::Escalate(_)
                | Effect::CloseApproval { .. } => {}
                Effect::Subscribe(_) | Effect::Unsubscribe { .. } | Effect::Emit(_) => {
                    panic!("what ships neither listens nor emits")
                }
            }
        }
    }
    ended
}

/// The demonstration's connections and teams.
async fn organisation() -> Bench {
    let bench = organisation_without_mail().await;
    bench.connect("mail", "file", json!({"from": "Rondo <rondo@example.test>"})).await;
    bench
}

async fn organisation_without_mail() -> Bench {
    let bench = Bench::new().await;
    bench.connect("directory", "builtin", json!({})).await;
    let mut unit = bench.store.begin().await.unwrap();
    for (number, name) in
        ["all-staff", "sales", "finance", "engineering", "it-identity", "it-operations"].iter().enumerate()
    {
        unit.insert_team(&Team {
            id: domain::TeamId::from_uuid(uuid::Uuid::from_u128(0x1000 + number as u128)),
            name: (*name).to_owned(),
            title: (*name).to_owned(),
            created_at: WallClock.now(),
        })
        .await
        .unwrap();
    }
    unit.commit().await.unwrap();
    bench
}

fn newcomer() -> Value {
    json!({"givenName": "Zoë", "familyName": "Łukasz", "privateEmail": "zoe@example.test", "department": "sales",
        "jobTitle": "Seller", "startDate": "2026-12-01", "contract": "permanent", "language": "en",
        "additionalGroups": ["it-identity"], "note": "We look forward to you."})
}

fn mails(bench: &Bench) -> Vec<String> {
    std::fs::read_dir(bench.folder.path().join("mail")).map_or_else(
        |_| Vec::new(),
        |entries| entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect(),
    )
}

#[tokio::test]
async fn every_shipped_workflow_is_valid() {
    let bench = Bench::new().await;
    for path in ["identity/onboard-employee.yaml", "identity/offboard-employee.yaml", "incident/service-down.yaml"] {
        let definition = parsed(&bench, path);
        let document = definition.document();
        assert_eq!(path, format!("{}/{}.yaml", document.namespace, document.name));
        assert!(definition.input_schema().is_some(), "{path}");
    }
}

#[tokio::test]
async fn onboarding_makes_the_account_and_mails_the_link() {
    let bench = organisation().await;
    let definition = parsed(&bench, "identity/onboard-employee.yaml");
    let ended = run(&bench, &definition, newcomer(), true).await;
    assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.error);
    assert_eq!(ended.output["login"], "zlukasz");
    assert_eq!(ended.output["groups"], json!(["all-staff", "it-identity", "sales"]));
    let mut unit = bench.store.snapshot().await.unwrap();
    let user = unit.user_by_login("zlukasz").await.unwrap().unwrap();
    assert_eq!(user.name, "Zoë Łukasz");
    let teams: Vec<String> = unit.teams_of(user.id).await.unwrap().into_iter().map(|team| team.name).collect();
    assert_eq!(teams, ["all-staff", "it-identity", "sales"]);
    let mails = mails(&bench);
    assert_eq!(mails.len(), 1);
    let text = mails[0].replace("=\r\n", "").replace("=3D", "=");
    assert!(text.contains("http://portal.test/link/"), "{text}");
    assert!(!text.contains("rondo-sealed"), "{text}");
}

#[tokio::test]
async fn onboarding_finds_a_free_name_when_others_are_taken() {
    let bench = organisation().await;
    let definition = parsed(&bench, "identity/onboard-employee.yaml");
    for login in ["zlukasz", "zlukasz2"] {
        let person = json!({"connection": "directory", "operation": "createUser", "login": login, "name": "Other"});
        crate::support::done(bench.call("directory", login, person).await);
    }
    let ended = run(&bench, &definition, newcomer(), true).await;
    assert_eq!(ended.output["login"], "zlukasz3", "{:?}", ended.error);
    assert_eq!(ended.tasks.iter().filter(|name| *name == "nextLogin").count(), 2, "{:?}", ended.tasks);
}

#[tokio::test]
async fn onboarding_makes_a_name_for_every_script() {
    let bench = organisation().await;
    let definition = parsed(&bench, "identity/onboard-employee.yaml");
    let mut korean = newcomer();
    korean["givenName"] = json!("민아");
    korean["familyName"] = json!("김");
    korean["language"] = json!("ko");
    korean["department"] = json!("it");
    korean["privateEmail"] = json!("mina.kim@example.test");
    let ended = run(&bench, &definition, korean, true).await;
    assert_eq!(ended.output["login"], "minakim", "{:?}", ended.error);
    assert_eq!(ended.output["name"], "김민아");
    assert_eq!(ended.output["groups"], json!(["all-staff", "it-identity", "it-operations"]));
}

#[tokio::test]
async fn a_rejected_onboarding_changes_nothing() {
    let bench = organisation().await;
    let definition = parsed(&bench, "identity/onboard-employee.yaml");
    let ended = run(&bench, &definition, newcomer(), false).await;
    assert_eq!(ended.status, RunStatus::Faulted);
    assert_eq!(bench.store.snapshot().await.unwrap().count_users().await.unwrap(), 0);
}

#[tokio::test]
async fn an_onboarding_that_fails_late_takes_everything_back() {
    let bench = organisation_without_mail().await;
    let definition = parsed(&bench, "identity/onboard-employee.yaml");
    let ended = run(&bench, &definition, newcomer(), true).await;
    assert_eq!(ended.status, RunStatus::Faulted, "{:?}", ended.tasks);
    assert!(ended.error.as_ref().is_some_and(|error| error.contains("mail is off")), "{:?}", ended.error);
    assert!(ended.compensated, "{:?}", ended.tasks);
    let mut unit = bench.store.snapshot().await.unwrap();
    assert_eq!(unit.count_users().await.unwrap(), 0, "{:?}", ended.tasks);
    assert!(ended.tasks.ends_with(&["leaveGroup".to_owned(), "removeAccount".to_owned()]), "{:?}", ended.tasks);
}

#[tokio::test]
async fn offboarding_disables_the_account_and_takes_the_groups() {
    let bench = organisation().await;
    let onboard = parsed(&bench, "identity/onboard-employee.yaml");
    run(&bench, &onboard, newcomer(), true).await;
    let definition = parsed(&bench, "identity/offboard-employee.yaml");
    let input = json!({"login": "zlukasz", "reason": "leaves", "handOverTo": "sam@example.test", "note": "Keys are in the desk."});
    let ended = run(&bench, &definition, input, true).await;
    assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.error);
    let mut unit = bench.store.snapshot().await.unwrap();
    let user = unit.user_by_login("zlukasz").await.unwrap().unwrap();
    assert!(!user.active);
    assert_eq!(unit.teams_of(user.id).await.unwrap().len(), 0);
    drop(unit);
    let nobody = json!({"login": "ghost", "reason": "leaves", "handOverTo": "sam@example.test"});
    let ended = run(&bench, &definition, nobody, true).await;
    assert_eq!(ended.status, RunStatus::Faulted);
    assert!(ended.error.unwrap().contains("ghost"));
}

mod service_down {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use axum::{Router, http::StatusCode, routing};
    use tokio::net::TcpListener;

    use super::*;

    /// A service that is down until its remedy is called.
    async fn patient(healthy: bool) -> (String, Arc<AtomicBool>) {
        let state = Arc::new(AtomicBool::new(healthy));
        let (asked, cured) = (Arc::clone(&state), Arc::clone(&state));
        let router = Router::new()
            .route(
                "/health",
                routing::get(move || async move {
                    if asked.load(Ordering::SeqCst) { StatusCode::OK } else { StatusCode::BAD_GATEWAY }
                }),
            )
            .route(
                "/restart",
                routing::post(move || async move {
                    cured.store(true, Ordering::SeqCst);
                    StatusCode::ACCEPTED
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (base, state)
    }

    async fn incident(healthy: bool, approve: bool) -> (Ended, bool, Vec<String>) {
        let bench = organisation().await;
        let definition = parsed(&bench, "incident/service-down.yaml");
        let (base, state) = patient(healthy).await;
        let input = json!({"service": "Shop", "url": format!("{base}/health"), "expectedStatus": 200,
            "remedy": {"url": format!("{base}/restart"), "method": "post"}, "notify": "ops@example.test"});
        let ended = run(&bench, &definition, input, approve).await;
        assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.error);
        (ended, state.load(Ordering::SeqCst), mails(&bench))
    }

    #[tokio::test]
    async fn a_healthy_service_is_left_alone() {
        let (ended, _, mails) = incident(true, true).await;
        assert_eq!(ended.output["outcome"], "healthy");
        assert!(!ended.tasks.contains(&"callRemedy".to_owned()), "{:?}", ended.tasks);
        assert_eq!(mails.len(), 1);
    }

    #[tokio::test]
    async fn an_approved_remedy_is_called_and_checked() {
        let (ended, cured, mails) = incident(false, true).await;
        assert_eq!(ended.output["outcome"], "recovered", "{:?}", ended.tasks);
        assert_eq!(ended.output["checks"].as_array().unwrap().len(), 3);
        assert_eq!(ended.output["checks"][0]["status"], 502);
        assert!(cured);
        assert!(mails[0].contains("Remedy: status 202"), "{}", mails[0]);
    }

    #[tokio::test]
    async fn a_declined_remedy_is_not_called() {
        let (ended, cured, mails) = incident(false, false).await;
        assert_eq!(ended.output["outcome"], "declined");
        assert!(!cured);
        assert_eq!(mails.len(), 1);
    }
}

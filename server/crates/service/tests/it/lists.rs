//! Lists show exactly what the detail pages would, whoever holds whatever: one organisation made at random, in which each
//! list of each person is compared with what the person may do with each thing there is.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    ApprovalId, ConnectionId, DelegationId, ErrorCode, GrantId, Problem, Role, RunId, Scope, SessionId, TeamId, UserId,
    WorkflowRef, view::Page,
};
use engine::launch::{Cause, Launch};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::json;
use service::{ApprovalQuery, Caller, NewConnection, NewLimits, RunQuery};
use store::{
    access::{Grant, Subject, Team},
    approvals::ApprovalFilter,
    connections::Connection,
    delegations::Delegation,
    runs::{RunFilter, Visibility},
    secrets::SealedSecret,
    users::User,
};

use crate::office::Office;

const NAMESPACES: [&str; 3] = ["alpha", "beta", "gamma"];
const RUNS: usize = 9;
/// Small, so that every list has several pages.
const PAGE: u32 = 2;

fn ask(namespace: &str) -> String {
    format!(
        "
document: {{dsl: 1.0.3, namespace: {namespace}, name: ask, version: 1.0.0, title: Ask}}
input: {{schema: {{document: {{type: object}}}}}}
do:
  - both:
      fork:
        branches:
          - one: {{call: approval, with: {{approvers: {{user: '${{ .one }}'}}}}}}
          - two: {{call: approval, with: {{approvers: {{user: '${{ .two }}'}}}}}}
"
    )
}

fn workflow(namespace: &str) -> WorkflowRef {
    format!("{namespace}/ask").parse().unwrap()
}

struct Organisation {
    office: Office,
    random: StdRng,
    people: Vec<User>,
    /// Holds nothing and gets what is given to try whether it may be given.
    bystander: UserId,
}

impl Organisation {
    async fn made_by(seed: u64) -> Self {
        let office = Office::open().await;
        let texts = NAMESPACES.map(|namespace| (format!("{namespace}.yaml"), ask(namespace)));
        office.service.load_shipped(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).await.unwrap();
        let mut made =
            Self { office, random: StdRng::seed_from_u64(seed), people: Vec::new(), bystander: UserId::SCHEDULE };
        made.people_with_grants().await;
        made.things_of_namespaces().await;
        made.runs().await;
        made.substitutes().await;
        made
    }

    fn scope(&mut self) -> Scope {
        if self.random.random_bool(0.2) {
            return Scope::Everywhere;
        }
        Scope::Namespace(NAMESPACES.choose(&mut self.random).unwrap().parse().unwrap())
    }

    async fn people_with_grants(&mut self) {
        let ids = std::sync::Arc::clone(&self.office.ids);
        let mut unit = self.office.store.begin().await.unwrap();
        let like = unit.user_by_login("staff").await.unwrap().unwrap();
        for number in 0..7 {
            let (login, email) = (format!("person-{number}"), Some(format!("person-{number}@example.test")));
            let user = User {
                id: UserId::new(ids.as_ref()),
                name: login.clone(),
                login,
                email,
                manager_id: None,
                ..like.clone()
            };
            unit.insert_user(&user).await.unwrap();
            self.people.push(user);
        }
        self.bystander = self.people.pop().unwrap().id;
        let mut holders: Vec<Subject> = self.people.iter().map(|user| Subject::User(user.id)).collect();
        for name in ["red", "blue"] {
            let team = Team {
                id: TeamId::new(ids.as_ref()),
                name: name.to_owned(),
                title: name.to_owned(),
                created_at: like.created_at,
            };
            unit.insert_team(&team).await.unwrap();
            for user in &self.people {
                if self.random.random_bool(0.4) {
                    unit.add_member(team.id, user.id).await.unwrap();
                }
            }
            holders.push(Subject::Team(team.id));
        }
        let mut given = BTreeSet::new();
        for _ in 0..12 {
            let (subject, role) =
                (*holders.choose(&mut self.random).unwrap(), *Role::ALL.choose(&mut self.random).unwrap());
            let scope = self.scope();
            // The same twice says nothing more, and is refused.
            if !given.insert((subject, role, scope.to_string())) {
                continue;
            }
            let id = GrantId::new(ids.as_ref());
            let created_at = like.created_at;
            let grant =
                Grant { id, subject, role, scope, expires_at: None, created_by: None, created_at, emergency: None };
            unit.insert_grant(&grant).await.unwrap();
        }
        unit.commit().await.unwrap();
    }

    async fn things_of_namespaces(&mut self) {
        let ids = std::sync::Arc::clone(&self.office.ids);
        let mut unit = self.office.store.begin().await.unwrap();
        let (by, at) = (self.people[0].id, self.people[0].created_at);
        for number in 0..6 {
            let usable_in: BTreeSet<String> =
                (0..self.random.random_range(1..3)).map(|_| self.scope().to_string()).collect();
            let connection = Connection {
                id: ConnectionId::new(ids.as_ref()),
                name: format!("connection-{number}"),
                kind: "builtin".to_owned(),
                settings: json!({}).to_string(),
                sealed_secret: None,
                namespaces: json!(usable_in).to_string(),
                owner: None,
                last_check: None,
                failing_since: None,
                check_due_at: at,
                created_at: at,
                updated_at: at,
            };
            unit.put_connection(&connection).await.unwrap();
        }
        for namespace in NAMESPACES {
            for name in ["one", "two"] {
                let secret = SealedSecret {
                    namespace: namespace.parse().unwrap(),
                    name: name.to_owned(),
                    sealed_value: "closed".to_owned(),
                    created_by: by,
                    created_at: at,
                    updated_by: by,
                    updated_at: at,
                };
                unit.put_secret(&secret).await.unwrap();
            }
        }
        unit.commit().await.unwrap();
    }

    /// Runs that ask two people each, and wait for them.
    async fn runs(&mut self) {
        let mut unit = self.office.store.begin().await.unwrap();
        for _ in 0..RUNS {
            let three: Vec<User> = self.people.choose_multiple(&mut self.random, 3).cloned().collect();
            let version = workflow(NAMESPACES.choose(&mut self.random).unwrap());
            let version = unit.launchable_version(&version).await.unwrap().unwrap();
            let launch = Launch {
                version: &version,
                requester: &three[0],
                input: json!({"one": three[1].login, "two": three[2].login}),
                cause: Cause::Request,
                base_url: "",
            };
            launch.write(unit.as_mut(), self.office.ids.as_ref(), three[0].created_at).await.unwrap();
        }
        unit.commit().await.unwrap();
        self.office.wait(async || (self.all_approvals().await.len() == 2 * RUNS).then_some(())).await;
    }

    /// Who stands in for whom: now, not yet, or no more.
    async fn substitutes(&mut self) {
        let mut unit = self.office.store.begin().await.unwrap();
        let now = self.office.clock.now();
        let hour = Duration::from_hours(1);
        for _ in 0..5 {
            let two: Vec<UserId> = self.people.choose_multiple(&mut self.random, 2).map(|user| user.id).collect();
            let scope = *["*", "alpha", "beta", "gamma/ask", "alpha/other"].choose(&mut self.random).unwrap();
            let starts_at = if self.random.random_bool(0.8) { self.people[0].created_at } else { now + hour };
            let delegation = Delegation {
                id: DelegationId::new(self.office.ids.as_ref()),
                user_id: two[0],
                substitute_id: two[1],
                scope: scope.parse().unwrap(),
                reason: String::new(),
                starts_at,
                ends_at: starts_at + if self.random.random_bool(0.8) { hour * 2 } else { hour / 3_600_000 },
                created_at: self.people[0].created_at,
                revoked: None,
            };
            unit.insert_delegation(&delegation).await.unwrap();
        }
        unit.commit().await.unwrap();
    }

    async fn all_runs(&self) -> Vec<RunId> {
        let mut unit = self.office.store.snapshot().await.unwrap();
        let runs = unit.list_runs(&Visibility::everything(), &RunFilter::default(), None, 1_000).await.unwrap();
        runs.into_iter().map(|run| run.id).collect()
    }

    async fn all_approvals(&self) -> Vec<ApprovalId> {
        let mut unit = self.office.store.snapshot().await.unwrap();
        let approvals =
            unit.list_approvals(&Visibility::everything(), &ApprovalFilter::default(), None, 1_000).await.unwrap();
        approvals.into_iter().map(|approval| approval.id).collect()
    }
}

/// What is on the pages of a list, each of which is full but the last.
fn take<T>(page: Page<T>, onto: &mut Vec<T>) -> Option<String> {
    if page.next.is_some() {
        assert_eq!(page.items.len(), PAGE as usize, "a page that is not the last is full");
    }
    onto.extend(page.items);
    assert!(onto.len() <= 2 * RUNS, "the pages have no end");
    page.next
}

/// Whether something was permitted; whatever else may have been wrong with it.
fn permitted<T>(answer: Result<T, Problem>) -> bool {
    match answer {
        Err(problem) => !matches!(problem.code, ErrorCode::Forbidden | ErrorCode::NotFound),
        Ok(_) => true,
    }
}

/// The items of a list that may not be opened at all: none.
fn items<T>(answer: Result<Vec<T>, Problem>) -> Vec<T> {
    answer.unwrap_or_else(|problem| {
        assert_eq!(problem.code, ErrorCode::Forbidden, "{problem:?}");
        Vec::new()
    })
}

impl Organisation {
    async fn runs_and_approvals_of(&self, caller: &Caller) {
        let service = &self.office.service;
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = service.runs(caller, RunQuery::default(), cursor.as_deref(), Some(PAGE)).await.unwrap();
            cursor = take(page, &mut listed);
            if cursor.is_none() {
                break;
            }
        }
        for id in self.all_runs().await {
            let shown = listed.iter().any(|run| run.id == id);
            assert_eq!(shown, permitted(service.run(caller, id).await), "{} and the run {id}", caller.login);
        }
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let query = ApprovalQuery::default();
            let page = service.approvals(caller, query, cursor.as_deref(), Some(PAGE)).await.unwrap();
            cursor = take(page, &mut listed);
            if cursor.is_none() {
                break;
            }
        }
        for id in self.all_approvals().await {
            let shown = listed.iter().any(|approval| approval.id == id);
            assert_eq!(shown, permitted(service.approval(caller, id).await), "{} and the approval {id}", caller.login);
        }
    }

    async fn catalogue_of(&self, caller: &Caller) {
        let service = &self.office.service;
        let listed = items(service.catalogue(caller, None).await);
        for namespace in NAMESPACES {
            let shown = listed.iter().any(|item| item.namespace.as_str() == namespace);
            // An input that the workflow does not take, so that nothing is launched.
            let launched = service.launch(caller, &workflow(namespace), None, json!("wrong")).await;
            assert_eq!(shown, permitted(launched), "{} and {namespace}/ask", caller.login);
        }
    }

    async fn administration_of(&self, caller: &Caller) {
        let service = &self.office.service;
        let who = &caller.login;
        let listed = items(service.connections(caller, None).await);
        let all = self.office.store.snapshot().await.unwrap().list_connections().await.unwrap();
        for connection in all {
            let shown = listed.iter().any(|view| view.id == connection.id);
            let same = NewConnection {
                name: connection.name.clone(),
                kind: connection.kind,
                settings: serde_json::from_str(&connection.settings).unwrap(),
                namespaces: serde_json::from_str(&connection.namespaces).unwrap(),
                owner: connection.owner,
            };
            let put = service.put_connection(caller, Some(connection.id), same).await;
            assert_eq!(shown, permitted(put), "{who} and {} for {}", connection.name, connection.namespaces);
        }
        let listed = items(service.secrets(caller).await);
        for secret in self.office.store.snapshot().await.unwrap().list_secrets().await.unwrap() {
            let shown = listed.iter().any(|view| view.namespace == secret.namespace && view.name == secret.name);
            let put = service.put_secret(caller, secret.namespace.clone(), &secret.name, &json!("new")).await;
            assert_eq!(shown, permitted(put), "{who} and the secret {} of {}", secret.name, secret.namespace);
        }
        let all = self.office.store.snapshot().await.unwrap().list_grants().await.unwrap();
        let listed = items(service.grants(caller).await);
        for grant in all {
            let shown = listed.iter().any(|view| view.id == grant.id);
            let given =
                service.grant(caller, Subject::User(self.bystander), grant.role, grant.scope.clone(), None).await;
            assert_eq!(shown, permitted(given), "{who} and a grant on {}", grant.scope);
        }
    }

    /// What is about the whole portal: its lists are shown whole, or not at all.
    async fn whole_lists_of(&self, caller: &Caller) {
        let service = &self.office.service;
        let who = &caller.login;
        let listed = permitted(service.users(caller, None, None, Some(PAGE)).await);
        for user in &self.people {
            assert_eq!(listed, permitted(service.user(caller, user.id).await), "{who} and {}", user.login);
        }
        assert_eq!(
            permitted(service.teams(caller).await),
            permitted(service.put_team(caller, "red", "Red").await),
            "{who}"
        );
        for namespace in NAMESPACES.map(|namespace| namespace.parse().unwrap()) {
            let limits = NewLimits { runs: Some(100), calls: None };
            let limited = permitted(service.limit_namespace(caller, namespace, limits).await);
            assert_eq!(permitted(service.namespace_limits(caller).await), limited, "{who}");
        }
        let policies = permitted(service.policies(caller).await);
        assert_eq!(permitted(service.policy_sets(caller, None, Some(PAGE)).await), policies, "{who}");
        assert_eq!(permitted(service.policy(caller, "operators-steer-runs").await), policies, "{who}");
        assert_eq!(permitted(service.access_reviews(caller, None, None).await), policies, "{who}");
        for namespace in NAMESPACES.map(|namespace| namespace.parse().unwrap()) {
            let processes = permitted(service.permit_processes(caller, namespace).await);
            assert_eq!(permitted(service.process_permissions(caller).await), processes, "{who}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_show_exactly_what_their_items_would_let_see() {
    let organisation = Organisation::made_by(testkit::seed()).await;
    for user in &organisation.people {
        let session = SessionId::new(organisation.office.ids.as_ref());
        let caller = organisation.office.service.caller_of_session(user.id, session, Office::origin()).await;
        let caller = caller.unwrap().unwrap();
        organisation.runs_and_approvals_of(&caller).await;
        organisation.catalogue_of(&caller).await;
        organisation.administration_of(&caller).await;
        organisation.whole_lists_of(&caller).await;
    }
}

/// What a person of the demonstration never is: an administrator of one namespace alone.
#[tokio::test]
async fn an_administrator_of_one_namespace_sees_what_belongs_to_it_alone() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let staff = Subject::User(office.user("staff").await.unwrap());
    let scope = Scope::Namespace("alpha".parse().unwrap());
    office.service.grant(&admin, staff, Role::Administrator, scope, None).await.unwrap();
    for (name, namespaces) in [("ours", vec!["alpha"]), ("shared", vec!["alpha", "beta"]), ("theirs", vec!["beta"])] {
        let new = NewConnection {
            name: name.to_owned(),
            kind: "builtin".to_owned(),
            settings: json!({}),
            namespaces: namespaces.into_iter().map(str::to_owned).collect(),
            owner: Some(staff),
        };
        office.service.put_connection(&admin, None, new).await.unwrap();
    }
    let staff = office.caller("staff").await;
    let names = |views: Vec<domain::view::ConnectionView>| views.into_iter().map(|view| view.name).collect::<Vec<_>>();
    assert_eq!(names(office.service.connections(&staff, None).await.unwrap()), ["ours"]);
    let grants = office.service.grants(&staff).await.unwrap();
    assert_eq!(grants.iter().map(|grant| grant.scope.to_string()).collect::<Vec<_>>(), ["alpha"]);
    assert!(names(office.service.connections(&admin, None).await.unwrap()).len() >= 3);
}

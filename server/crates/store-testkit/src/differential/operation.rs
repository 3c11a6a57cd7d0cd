mod controls;
mod questions;
mod receivers;
mod repositories;
mod retention;
mod runners;
mod triggers;
mod value;
mod witnesses;

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use domain::{
    AccessVerdict, ApprovalState, DecisionKind, PolicySetState, Risk, Role, RunId, RunStatus, Scope, Timestamp,
    Trigger, WorkflowRef, view::AuditFilter,
};
use rand::{Rng, rngs::StdRng};
use store::{
    Result, Store, StoreError, UnitOfWork,
    access::Subject as Holder,
    access_reviews::{AccessReview, ReviewItem},
    approvals::{ApprovalFilter, QueueKey},
    audit::{AuditTerms, Mark},
    calendars::{ApprovalTimer, TimerKind},
    children::ChildRun,
    connections::ConnectionChecked,
    credentials::LinkPurpose,
    delegations::{Represented, Revocation},
    emergencies::Emergency,
    events::{EventKey, Filter, KeptEvent, NewEvent, Subscriber},
    policy_sets::{AskedQuestion, PolicySet},
    process_permissions::ProcessPermission,
    runs::{Hold, JournalEntry, Lease, RunFilter, Taken, Visibility},
    schedules::Schedule,
    search,
    secrets::SealedSecret,
    workflows::{ListedVersion, VersionFilter, VersionState},
};

use crate::fixtures::{
    access_review, access_review_id, answered, approval, approval_id, approver, at, audit, comment, connection,
    connection_id, decision, delegation, delegation_id, draft, draft_id, emergency, emergency_id, grant, grant_id,
    link, link_id, notification, notification_id, outgoing, policy_set, remark, remark_id, review_item, run, run_id,
    schedule, session, session_id, task, team, team_id, throttle, token, token_id, user, user_id, version,
};

/// Numbers that each database gives by itself, as far as they are committed. They may differ; their order may not.
#[derive(Clone, Default)]
pub(super) struct Places {
    runs: BTreeMap<RunId, i64>,
    messages: BTreeMap<String, i64>,
}

/// An operation with everything that was drawn for it.
#[derive(Debug)]
pub(super) struct Operation {
    kind: u32,
    step: usize,
    /// Small numbers to pick rows by.
    a: u128,
    b: u128,
    c: u128,
    flag: bool,
    time: Timestamp,
    limit: u32,
    text: &'static str,
}

const KINDS: u32 = 90;

const TEXTS: &[&str] = &[
    "",
    "a",
    "staff",
    "Staff",
    "김민수",
    "ÄRGER",
    "ärger",
    "%",
    "_",
    "\\",
    "100%",
    "' OR 1=1 --",
    "a\0b",
    "run",
    "R-1",
    "3",
    "run.cancel",
    "{\"name\":\"김 민수\"}",
    "{\"deep\":[{\"x\":\"Ärger\"}]}",
    "👩‍👩‍👧",
    "z",
    "-",
    "e\u{301}",
    "é",
];

const WORKFLOWS: &[&str] = &["identity/onboard", "identity/offboard", "incident/service-down"];

const DELEGATED: &[&str] = &["*", "identity", "incident", "identity/onboard", "incident/service-down"];

const LOGINS: &[&str] = &["staff", "manager", "operator", "jane.doe", "김", "a-b", "ab", "Upper", "", "x\0"];

fn pick<T: Copy>(from: &[T], by: u128) -> T {
    from[usize::try_from(by).unwrap() % from.len()]
}

/// Rows that most operations can refer to; without them, most would only be refused.
pub(super) async fn prepare(store: &dyn Store) -> Places {
    let mut places = Places::default();
    let mut unit = store.begin().await.unwrap();
    for number in 1..=6 {
        unit.insert_user(&user(number, &format!("seed-{number}"))).await.unwrap();
    }
    for number in 1..=3 {
        unit.insert_team(&team(number, &format!("seed-{number}"))).await.unwrap();
    }
    for workflow in WORKFLOWS {
        unit.insert_version(&version(&workflow.parse().unwrap(), "1.0.0")).await.unwrap();
    }
    for number in 1..=4 {
        let number_given = unit.insert_run(&run(number, user_id(number))).await.unwrap();
        places.runs.insert(run_id(number), number_given);
        unit.insert_approval(&approval(number, run_id(number), user_id(number), None), &[]).await.unwrap();
    }
    unit.commit().await.unwrap();
    places
}

/// What went wrong, in words that both databases share.
pub(super) fn kind(error: &StoreError) -> String {
    match error {
        StoreError::Unavailable(_) => "unavailable".to_owned(),
        StoreError::Reference(_) => "reference".to_owned(),
        StoreError::Driver(_) => "driver".to_owned(),
        // Of two violated constraints, each database names the one that it looks at first.
        StoreError::Duplicate(_) => "duplicate".to_owned(),
        other => other.to_string(),
    }
}

/// Every event, without the numbers that a database gives by itself.
pub(super) async fn all_events(unit: &mut dyn UnitOfWork) -> Vec<(Timestamp, String)> {
    let anything = [Filter { kind: None, source: None }];
    let events = unit.missed_events(run_id(0), &anything, at(-100), None, 100_000).await.unwrap();
    events.into_iter().map(body).collect()
}

/// Every schedule.
pub(super) async fn all_schedules(unit: &mut dyn UnitOfWork) -> Vec<Schedule> {
    let mut all = Vec::new();
    for workflow in WORKFLOWS {
        all.extend(unit.schedules_of(&workflow.parse().unwrap()).await.unwrap());
    }
    all
}

/// Every version with its authors and comments.
pub(super) async fn all_reviews(unit: &mut dyn UnitOfWork) -> Vec<String> {
    let mut all = Vec::new();
    for version in unit.list_versions(&VersionFilter::default(), None, 100_000).await.unwrap() {
        let authors = unit.version_authors(&version.workflow, &version.version).await.unwrap();
        let comments = unit.version_comments(&version.workflow, &version.version).await.unwrap();
        all.push(shown((version, authors, comments)));
    }
    all
}

/// Every set of policies with its authors, every question, every access review, every emergency, every repository, and who
/// follows which question of auditors.
pub(super) async fn all_policies(unit: &mut dyn UnitOfWork) -> Vec<String> {
    let mut all = Vec::new();
    for set in unit.list_policy_sets(None, 100_000).await.unwrap() {
        all.push(shown((unit.policy_set_authors(set.version).await.unwrap(), set)));
    }
    all.extend(unit.latest_questions(100_000).await.unwrap().into_iter().map(shown));
    for review in unit.list_access_reviews(None, 100_000).await.unwrap() {
        all.push(shown((unit.review_items(review.id).await.unwrap(), review)));
    }
    all.extend(unit.list_emergencies(None, 100_000).await.unwrap().into_iter().map(shown));
    all.extend(unit.list_repositories().await.unwrap().into_iter().map(shown));
    all.extend(unit.due_subscriptions(Timestamp::from_micros(i64::MAX), 100_000).await.unwrap().into_iter().map(shown));
    all.extend(unit.list_receivers().await.unwrap().into_iter().map(shown));
    all.extend(unit.named_controls().await.unwrap().into_iter().map(shown));
    all.extend(unit.list_witnesses().await.unwrap().into_iter().map(shown));
    all.extend(unit.cosignatures(0, i64::MAX).await.unwrap().into_iter().map(shown));
    all.extend(unit.list_audit_holds().await.unwrap().into_iter().map(shown));
    all.push(shown(unit.archiving().await.unwrap()));
    for trigger in unit.list_triggers().await.unwrap() {
        let items = unit.noted_items(trigger.id).await.unwrap();
        all.push(shown((unit.list_deliveries(trigger.id, None, None, 100_000).await.unwrap(), items, trigger)));
    }
    all.extend(unit.list_watches().await.unwrap().into_iter().map(shown));
    all.extend(unit.list_runners().await.unwrap().into_iter().map(shown));
    all.extend(unit.open_runner_tasks().await.unwrap().into_iter().map(shown));
    all
}

fn body(event: KeptEvent) -> (Timestamp, String) {
    (event.received_at, event.body)
}

fn shown(value: impl Debug) -> String {
    format!("{value:?}")
}

impl Operation {
    pub(super) fn random(random: &mut StdRng, step: usize) -> Self {
        Self {
            kind: random.random_range(0..KINDS),
            step,
            a: random.random_range(1..8),
            b: random.random_range(1..8),
            c: random.random_range(1..24),
            flag: random.random(),
            time: at(random.random_range(0..40)),
            limit: random.random_range(0..6),
            text: TEXTS[random.random_range(0..TEXTS.len())],
        }
    }

    fn scope(&self) -> Scope {
        if self.flag { Scope::Everywhere } else { Scope::Namespace("identity".parse().unwrap()) }
    }

    fn visibility(&self) -> Visibility {
        Visibility {
            everywhere: self.c.is_multiple_of(4),
            namespaces: if self.flag { vec!["incident".parse().unwrap()] } else { vec![] },
            person: (!self.a.is_multiple_of(3)).then_some(user_id(self.a)),
            represents: self.represents(),
        }
    }

    fn represents(&self) -> Vec<Represented> {
        let scope = pick(DELEGATED, self.c).parse().unwrap();
        if self.b.is_multiple_of(3) { vec![] } else { vec![Represented { user_id: user_id(self.b), scope }] }
    }

    fn run_filter(&self) -> RunFilter {
        RunFilter {
            requester: self.b.is_multiple_of(3).then_some(user_id(self.a)),
            statuses: if self.c.is_multiple_of(3) { vec![RunStatus::Running, RunStatus::Pending] } else { vec![] },
            workflow: self.c.is_multiple_of(5).then(|| self.workflow()),
            namespace: None,
            needs_attention: self.c.is_multiple_of(7).then_some(self.flag),
            search: self.flag.then(|| self.text.to_owned()),
        }
    }

    fn workflow(&self) -> domain::WorkflowRef {
        pick(WORKFLOWS, self.b).parse().unwrap()
    }

    fn lease(&self) -> Lease {
        Lease {
            run: run_id(self.a),
            owner: pick(&["node-a", "node-b"], self.b).to_owned(),
            epoch: i64::try_from(self.c % 4).unwrap(),
            until: self.time,
        }
    }

    /// Performs it; what came back, without the numbers that a database gives by itself.
    pub(super) async fn apply(&self, unit: &mut dyn UnitOfWork, places: &mut Places) -> Result<String> {
        match self.kind {
            0..=15 => self.people(unit).await,
            16..=29 => self.secrets(unit).await,
            30..=51 => self.runs(unit, places).await,
            66..=69 => self.events(unit).await,
            70..=73 => self.schedules(unit).await,
            74 | 75 => self.policies(unit).await,
            76 => self.access_reviews(unit).await,
            77 | 78 => self.substitutes(unit).await,
            79 => self.emergencies(unit).await,
            80 => self.repositories(unit).await,
            81 => self.questions(unit).await,
            82 => self.receivers(unit).await,
            83 => self.value(unit).await,
            84 => self.controls(unit).await,
            85 => self.witnesses(unit).await,
            86 => self.retention(unit).await,
            87 => self.runners(unit).await,
            88 => self.triggers(unit).await,
            _ => self.talk(unit, places).await,
        }
    }

    async fn people(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let login = pick(LOGINS, self.c);
        Ok(match self.kind {
            0..=2 => {
                let mut person = user(a, login);
                self.text.clone_into(&mut person.name);
                person.manager_id = self.c.is_multiple_of(5).then_some(user_id(b));
                shown(unit.insert_user(&person).await?)
            }
            3 => {
                let mut person = user(a, login);
                person.email = Some(self.text.to_owned());
                person.active = self.flag;
                person.updated_at = self.time;
                shown(unit.update_user(&person).await?)
            }
            4 => shown(unit.delete_user(user_id(a)).await?),
            5 => shown((unit.user(user_id(a)).await?, unit.user_by_login(login).await?)),
            6 => {
                let search = self.flag.then_some(self.text);
                let after = self.c.is_multiple_of(3).then_some(login);
                shown(unit.list_users(search, after, self.limit).await?)
            }
            7 => {
                let mut users = unit.users_by_id(&[user_id(a), user_id(b)]).await?;
                users.sort_by_key(|user| user.id);
                shown((users, unit.count_users().await?))
            }
            8 => shown(unit.insert_team(&team(a, login)).await?),
            9 if self.flag => shown(unit.update_team(&team(a, "x")).await?),
            9 => self.permissions(unit).await?,
            10 if self.c.is_multiple_of(3) => shown(unit.delete_team(team_id(a)).await?),
            10 => shown((unit.list_teams().await?, unit.teams_of(user_id(b)).await?)),
            11 if self.flag => shown(unit.add_member(team_id(a), user_id(b)).await?),
            11 => shown(unit.remove_member(team_id(a), user_id(b)).await?),
            12 | 13 => {
                let holder = if self.flag { Holder::User(user_id(a)) } else { Holder::Team(team_id(a)) };
                let mut grant = grant(self.c, holder, pick(Role::ALL, b), self.scope());
                grant.expires_at = b.is_multiple_of(2).then_some(self.time);
                grant.created_by = b.is_multiple_of(3).then_some(user_id(b));
                grant.created_at = self.time;
                shown(unit.insert_grant(&grant).await?)
            }
            14 => shown((unit.delete_grant(grant_id(self.c)).await?, unit.list_grants().await?)),
            _ => shown((
                unit.grants_of(user_id(a), self.time).await?,
                unit.users_with_role(pick(Role::ALL, b), &"identity".parse().unwrap(), self.time).await?,
                unit.team_members(team_id(a)).await?,
                unit.team_by_name(login).await?,
            )),
        })
    }

    async fn permissions(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let namespace = self.workflow().namespace;
        let granted_by = user_id(self.b);
        let permission = ProcessPermission { namespace: namespace.clone(), granted_by, granted_at: self.time };
        let name = if self.flag { "token" } else { "Zugang" };
        Ok(match self.c % 6 {
            0 => shown(unit.delete_process_permission(&namespace).await?),
            1 | 2 => shown(unit.insert_process_permission(&permission).await?),
            3 => shown((unit.delete_secret(&namespace, name).await?, unit.secrets_of(&namespace).await?)),
            _ => {
                let secret = SealedSecret {
                    namespace,
                    name: name.to_owned(),
                    sealed_value: self.text.to_owned(),
                    created_by: granted_by,
                    created_at: self.time,
                    updated_by: granted_by,
                    updated_at: self.time,
                };
                shown(unit.put_secret(&secret).await?)
            }
        })
    }

    async fn secrets(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let purpose = if self.flag { LinkPurpose::SetPassword } else { LinkPurpose::FirstAdministrator };
        Ok(match self.kind {
            16 => {
                let mut session = session(self.c, self.flag.then_some(user_id(a)));
                session.token_hash = format!("session-{b}");
                self.text.clone_into(&mut session.data);
                session.expires_at = self.time;
                shown(unit.put_session(&session).await?)
            }
            17 => shown((
                unit.sessions_of(user_id(a), self.time).await?,
                unit.session_by_hash(&format!("session-{b}")).await?,
            )),
            18 => shown((
                unit.revoke_session(user_id(a), session_id(self.c)).await?,
                unit.revoke_sessions_of(user_id(b), self.flag.then_some(session_id(self.c))).await?,
                unit.prune_sessions(self.time).await?,
            )),
            19 => {
                let mut failed = throttle(self.text, u32::try_from(a).unwrap(), self.time);
                failed.locked_until = self.flag.then_some(self.time);
                unit.put_throttle(&failed).await?;
                shown(unit.throttle(self.text).await?)
            }
            20 if self.flag => shown(unit.clear_throttle(self.text).await?),
            20 => shown(unit.prune_throttles(self.time).await?),
            21 => shown(unit.insert_link(&link(a, purpose, b.is_multiple_of(2).then_some(user_id(b)))).await?),
            22 => shown(unit.use_link(link_id(a), self.time).await?),
            23 => shown((
                unit.revoke_links_of(user_id(a), self.time).await?,
                unit.revoke_links_for(purpose, self.time).await?,
                unit.link_by_hash(&format!("link-{b}")).await?,
            )),
            24 => shown(unit.insert_token(&token(a, user_id(b))).await?),
            25 => {
                unit.touch_token(token_id(a), self.time).await?;
                shown((unit.tokens_of(user_id(b)).await?, unit.token_by_hash(&format!("token-{a}")).await?))
            }
            26 if self.flag => shown(unit.revoke_token(user_id(b), token_id(a), self.time).await?),
            26 => shown(unit.revoke_tokens_of(user_id(b), self.time).await?),
            27 => {
                unit.put_setting(self.text, pick(TEXTS, self.c)).await?;
                shown(unit.setting(self.text).await?)
            }
            28 => {
                let mut connection = connection(a, pick(LOGINS, b));
                connection.last_check = self.flag.then(|| self.text.to_owned());
                let owner = if self.flag { Holder::User(user_id(b)) } else { Holder::Team(team_id(b)) };
                connection.owner = self.c.is_multiple_of(3).then_some(owner);
                (connection.updated_at, connection.check_due_at) = (at(i64::from(self.limit)), self.time);
                shown(unit.put_connection(&connection).await?)
            }
            _ if self.c.is_multiple_of(2) => self.check_of_a_connection(unit).await?,
            _ if self.flag => shown(unit.delete_connection(connection_id(a)).await?),
            _ => shown((unit.list_connections().await?, unit.connection_by_name(pick(LOGINS, b)).await?)),
        })
    }

    async fn check_of_a_connection(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let id = connection_id(self.a);
        Ok(match self.c % 3 {
            0 => shown(unit.connections_to_check(self.time, self.limit).await?),
            1 => shown(unit.take_connection_check(id, self.time, self.time + Duration::from_mins(1)).await?),
            _ => shown(
                unit.note_connection_check(&ConnectionChecked {
                    id,
                    settings_of: at(i64::from(self.limit)),
                    check: self.text.to_owned(),
                    works: self.flag,
                    at: self.time,
                    next_at: self.time + Duration::from_mins(1),
                })
                .await?,
            ),
        })
    }

    /// Something in the life of a version. Its name comes from `b`, as those of other operations on versions do.
    async fn life(&self, unit: &mut dyn UnitOfWork, workflow: &WorkflowRef, text: &str) -> Result<String> {
        let (person, step) = (user_id(self.b), u128::try_from(self.step).unwrap());
        let mut changed = version(workflow, text);
        self.text.clone_into(&mut changed.source);
        changed.changed_by = self.flag.then_some(person);
        changed.changed_at = self.time;
        let moves = [
            (VersionState::Draft, VersionState::Draft),
            (VersionState::Draft, VersionState::InReview),
            (VersionState::InReview, VersionState::Draft),
            (VersionState::InReview, VersionState::Published),
            (VersionState::Published, VersionState::Retired),
            (VersionState::Retired, VersionState::Published),
        ];
        Ok(match self.a {
            1 | 2 => {
                let (from, to) = pick(&moves, self.c / 3);
                changed.state = to;
                if let Some(known) = unit.lock_version(workflow, text).await?
                    && from != VersionState::Draft
                    && self.flag
                {
                    changed.source = known.source;
                }
                shown((unit.update_version(&changed, from).await?, unit.workflow_version(workflow, text).await?))
            }
            3 => shown(unit.delete_draft_version(workflow, text).await?),
            4 => shown(unit.add_version_author(workflow, text, person, self.time).await?),
            5 => {
                let mut comment = comment(1000 + step, workflow, text, person);
                comment.line = self.flag.then_some(self.limit);
                shown(unit.insert_version_comment(&comment).await?)
            }
            6 => {
                let comments = unit.version_comments(workflow, text).await?;
                if let Some(first) = comments.first() {
                    unit.resolve_version_comment(first.id, person, self.time).await?;
                }
                shown((comments, unit.version_authors(workflow, text).await?))
            }
            _ => {
                let namespaces = self.flag.then(|| vec![workflow.namespace.clone()]);
                let filter = VersionFilter { namespaces, state: Some(pick(&moves, self.c).0) };
                let page = unit.list_versions(&filter, None, self.limit).await?;
                let after = page.last().map(ListedVersion::key);
                shown((page, unit.list_versions(&filter, after.as_ref(), self.limit).await?))
            }
        })
    }

    async fn runs(&self, unit: &mut dyn UnitOfWork, places: &mut Places) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let workflow = self.workflow();
        let versions = ["1.0.0", "1.1.0", "2.0.0"];
        Ok(match self.kind {
            30 | 31 => {
                let mut version = version(&workflow, pick(&versions, self.c));
                version.state = if self.flag { VersionState::Published } else { pick(VersionState::ALL, a) };
                shown(unit.insert_version(&version).await?)
            }
            32 => self.life(unit, &pick(WORKFLOWS, b).parse().unwrap(), pick(&versions, self.c)).await?,
            33 => shown((
                unit.launchable_version(&workflow).await?,
                unit.launchable_versions().await?,
                unit.versions_of(&workflow).await?,
                unit.count_open_runs(&workflow, pick(&versions, self.c)).await?,
                unit.list_versions(&VersionFilter::default(), None, self.limit).await?,
            )),
            34..=36 => {
                let mut run = run(a, user_id(b));
                run.workflow = workflow;
                "Betrieb 운영".clone_into(&mut run.title);
                self.text.clone_into(&mut run.input);
                run.wake_at = self.flag.then_some(self.time);
                run.needs_attention = self.c.is_multiple_of(7);
                let number = unit.insert_run(&run).await?;
                places.runs.insert(run.id, number);
                shown(())
            }
            37 | 38 => {
                let before = places.runs.get(&run_id(b)).copied().filter(|_| self.c.is_multiple_of(2));
                let mut filter = self.run_filter();
                // A search for a number finds what each database numbered by itself.
                if filter.search.as_deref().is_some_and(|text| store::search::run_number(text).is_some()) {
                    filter.search = None;
                }
                let mut runs = unit.list_runs(&self.visibility(), &filter, before, self.limit).await?;
                for run in &mut runs {
                    run.number = 0;
                }
                shown((runs, unit.run_is_visible(&self.visibility(), run_id(a)).await?))
            }
            39 => shown((
                unit.run_statistics(&workflow, self.limit).await?,
                unit.run_durations(&workflow, self.limit).await?,
                unit.last_launches(user_id(a), self.limit).await?,
                unit.count_runs().await?,
            )),
            40 => shown(
                unit.claim_runs(
                    pick(&["node-a", "node-b"], b),
                    self.time,
                    self.time,
                    Duration::from_secs(9),
                    self.limit,
                    self.flag.then_some(&workflow.namespace),
                )
                .await?,
            ),
            41 => shown(
                unit.claim_run(run_id(a), pick(&["node-a", "node-b"], b), self.time, Duration::from_secs(9))
                    .await?
                    .map(|(lease, claimed)| (lease, claimed.status)),
            ),
            42 if self.flag => shown(unit.renew_lease(&self.lease(), self.time).await?),
            42 if self.c == 13 => shown(unit.release_all_leases().await?),
            42 => shown(unit.release_lease(&self.lease()).await?),
            43..=45 => {
                let Some(mut state) = unit.run(run_id(a)).await? else { return Ok("no run".to_owned()) };
                let expected = state.journal_version - i64::from(self.c == 13);
                let more = i64::from(self.limit);
                let hold = pick(&[Hold::Keep, Hold::Release, Hold::Take, Hold::Pass], b);
                let inbox = unit.inbox(run_id(a)).await?;
                let taken = Taken::all(inbox.get(..self.limit as usize / 2).unwrap_or(&inbox));
                state.journal_version = expected + more;
                state.status = pick(RunStatus::ALL, b);
                state.ended_at = state.status.is_final().then_some(self.time);
                state.wake_at = self.flag.then_some(self.time);
                let entries: Vec<_> = (1..=more)
                    .map(|offset| JournalEntry {
                        version: expected + offset,
                        at: self.time,
                        event: self.text.to_owned(),
                    })
                    .collect();
                unit.advance_run(&self.lease(), &state, expected, &entries, taken, hold).await?;
                // What is gathered is sent before the next question: each database names another of several faults.
                shown(unit.journal(run_id(a), expected, 10).await?)
            }
            46 => {
                shown((unit.journal(run_id(a), i64::from(self.limit), 10).await?, unit.snapshot_of(run_id(a)).await?))
            }
            47 => {
                unit.put_snapshot(run_id(a), i64::from(self.limit), self.text).await?;
                shown(unit.snapshot_of(run_id(a)).await?)
            }
            48 => shown(unit.push_inbox(run_id(a), self.text, self.time).await?),
            49 => {
                let items = unit.inbox(run_id(a)).await?;
                shown(items.into_iter().map(|item| item.event).collect::<Vec<_>>())
            }
            50 => {
                let mut task = task(run_id(a), if self.flag { "/do/0/a" } else { self.text }, i64::from(self.limit));
                task.occurrence = u32::try_from(b % 3).unwrap();
                unit.put_tasks(&[task]).await?;
                shown(unit.tasks(run_id(a)).await?)
            }
            _ => {
                unit.put_effect(&format!("effect-{}", self.c), self.text, self.time).await?;
                shown(unit.effect(&format!("effect-{a}")).await?)
            }
        })
    }

    async fn events(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let number = u32::try_from(b).unwrap();
        let subscriber = Subscriber { run: run_id(a), subscription: number };
        let kinds = ["opened", "closed", self.text];
        let kind = pick(&kinds, self.c);
        let source = if self.flag { "/tickets" } else { "/doors" };
        let filters = [
            Filter { kind: Some(kind), source: None },
            Filter { kind: None, source: self.flag.then_some(source) },
            Filter { kind: Some(self.text), source: Some(source) },
        ];
        let filters = &filters[usize::try_from(self.c % 3).unwrap()..];
        Ok(match self.kind {
            66 => {
                let event = NewEvent {
                    key: EventKey { kind, source, id: self.text },
                    about: self.c.is_multiple_of(5).then_some(run_id(a)),
                    received_at: self.time,
                    body: self.text,
                };
                let kept = unit.insert_event(&event).await?;
                shown((kept, unit.subscribers(kind, source).await?))
            }
            67 => {
                unit.open_subscription(subscriber, filters).await?;
                unit.put_consumed(run_id(b), source, self.text, self.time).await?;
                shown(
                    unit.missed_events(run_id(a), filters, self.time, None, self.limit)
                        .await?
                        .into_iter()
                        .map(body)
                        .collect::<Vec<_>>(),
                )
            }
            68 if self.c == 13 => shown(unit.prune_events(self.time, self.limit).await?),
            68 if self.flag => shown(unit.close_subscription(subscriber).await?),
            68 => shown((
                unit.close_subscriptions(run_id(b)).await?,
                unit.is_anybody_listening(&kinds, source, run_id(a), &self.workflow()).await?,
            )),
            _ => {
                unit.lock_runs(&[run_id(a), run_id(b)]).await?;
                let child = ChildRun { run: run_id(self.c), parent: run_id(a), call: number, depth: 1 };
                unit.insert_child(&child).await?;
                shown((unit.child(run_id(b)).await?, unit.child_of_call(run_id(b), number).await?))
            }
        })
    }

    async fn schedules(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let workflow = self.workflow();
        let mut planned = schedule(&workflow, pick(Trigger::ALL, self.a));
        planned.due_at = self.flag.then_some(self.time);
        planned.run = self.c.is_multiple_of(3).then_some(run_id(self.a));
        planned.refused = self.c.is_multiple_of(4).then(|| self.text.to_owned());
        planned.gathered = self.c.is_multiple_of(5).then(|| self.text.to_owned());
        let source = if self.flag { "/tickets" } else { "/doors" };
        let filters = [Filter { kind: Some(self.text), source: None }, Filter { kind: None, source: Some(source) }];
        let filters = &filters[usize::from(self.flag)..];
        Ok(match self.kind {
            70 => shown(unit.insert_schedule(&planned, filters).await?),
            71 if self.c.is_multiple_of(6) => shown(unit.delete_schedules(&workflow).await?),
            71 => {
                let claimed = unit.claim_schedule(self.time).await?;
                if let Some(mut claimed) = claimed.clone() {
                    claimed.fired_at = Some(self.time);
                    claimed.due_at = planned.due_at;
                    claimed.run = planned.run;
                    claimed.refused = planned.refused;
                    unit.advance_schedule(&claimed).await?;
                }
                shown((claimed, unit.next_schedule().await?))
            }
            72 if self.flag => shown(unit.advance_schedule(&planned).await?),
            72 => shown((unit.schedule_after(run_id(self.a), self.time).await?, unit.next_schedule().await?)),
            _ => {
                let about = self.c.is_multiple_of(4).then_some(&workflow);
                let called = unit.call_schedules(self.text, source, about, self.time).await?;
                // The place in the stream is a number that each database gives by itself; its beginning is not.
                unit.end_of_stream().await?;
                let events = unit.events_for_schedule(&workflow, filters, 0, self.limit).await?;
                shown((
                    called,
                    unit.is_anybody_listening(&[self.text, "opened"], source, run_id(self.a), &workflow).await?,
                    events.into_iter().map(body).collect::<Vec<_>>(),
                ))
            }
        })
    }

    async fn access_reviews(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let id = access_review_id(a);
        Ok(match self.c % 4 {
            0 => {
                let review = AccessReview {
                    title: self.text.to_owned(),
                    scope: self.scope(),
                    due_at: self.time,
                    ..access_review(a, user_id(b))
                };
                let items = [review_item(a, 1), ReviewItem { holder: self.text.to_owned(), ..review_item(a, b + 1) }];
                shown(unit.insert_access_review(&review, &items).await?)
            }
            1 => {
                let verdict = pick(&AccessVerdict::ALL[1..], b);
                let decided_by = self.flag.then_some(user_id(b));
                let item = ReviewItem { verdict, decided_by, decided_at: Some(self.time), ..review_item(a, 1) };
                shown(unit.decide_review_item(&item).await?)
            }
            2 if self.flag => shown(unit.close_access_review(id, self.time).await?),
            _ => {
                let page = unit.list_access_reviews(None, self.limit).await?;
                let after = page.last().map(|review| (review.started_at, review.id));
                shown((
                    unit.access_review(id).await?,
                    unit.due_access_review(self.time).await?,
                    unit.review_items(id).await?,
                    unit.list_access_reviews(after, self.limit).await?,
                    page,
                ))
            }
        })
    }

    async fn emergencies(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        let id = emergency_id(a);
        Ok(match self.c % 4 {
            0 => {
                let asked = Emergency {
                    role: pick(&[Role::Approver, Role::Operator, Role::Publisher], b),
                    scope: self.scope(),
                    reason: self.text.to_owned(),
                    ..emergency(a, user_id(b))
                };
                shown(unit.insert_emergency(&asked).await?)
            }
            1 => {
                let before = unit.emergency(id).await?.unwrap_or_else(|| emergency(a, user_id(b)));
                let ends_at = self.flag.then_some(self.time);
                let (confirmed_by, confirmed_at) = (ends_at.map(|_| user_id(b)), ends_at);
                shown(unit.update_emergency(&Emergency { confirmed_by, confirmed_at, ends_at, ..before }).await?)
            }
            2 => {
                let before = unit.emergency(id).await?.unwrap_or_else(|| emergency(a, user_id(b)));
                let (reviewed_by, reviewed_at) = (Some(user_id(b)), Some(self.time));
                let seen = Emergency { reviewed_by, reviewed_at, review: self.text.to_owned(), ..before };
                shown(unit.update_emergency(&seen).await?)
            }
            _ => {
                let page = unit.list_emergencies(None, self.limit).await?;
                let after = page.last().map(|emergency| (emergency.asked_at, emergency.id));
                shown((
                    unit.emergency(id).await?,
                    unit.open_emergencies().await?,
                    unit.list_emergencies(after, self.limit).await?,
                    page,
                ))
            }
        })
    }

    async fn policies(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let version = i64::try_from(self.a).unwrap();
        let person = user_id(self.b);
        let state = pick(PolicySetState::ALL, self.b);
        let settled = state != PolicySetState::Proposed;
        let set = PolicySet {
            source: self.text.to_owned(),
            state,
            based_on: self.c.is_multiple_of(5).then_some(version - 1),
            settled_by: settled.then_some(person),
            settled_at: settled.then_some(self.time),
            ..policy_set(version)
        };
        Ok(match self.c % 6 {
            0 if self.kind == 74 => shown(unit.insert_policy_set(&PolicySet { based_on: None, ..set }).await?),
            0 | 1 => shown(unit.insert_policy_set(&policy_set(version)).await?),
            2 if self.flag => shown(unit.update_policy_set(&set, pick(PolicySetState::ALL, self.c)).await?),
            2 | 3 => {
                if let Some(known) = unit.policy_set(version).await? {
                    let from = known.state;
                    let moved = PolicySet { state, settled_by: set.settled_by, settled_at: set.settled_at, ..known };
                    unit.update_policy_set(&moved, from).await?;
                }
                shown((unit.active_policy_set().await?, unit.list_policy_sets(Some(version), self.limit).await?))
            }
            4 => {
                unit.add_policy_set_author(version, person, self.time).await?;
                shown((unit.policy_set_authors(version).await?, unit.list_policy_sets(None, self.limit).await?))
            }
            _ => {
                let asked = AskedQuestion {
                    digest: format!("question-{}", self.a),
                    question: self.text.to_owned(),
                    asked_at: self.time,
                    times: i64::from(self.limit),
                };
                unit.note_questions(&[asked]).await?;
                let pruned = if self.flag { unit.prune_questions(self.limit).await? } else { 0 };
                shown((pruned, unit.latest_questions(self.limit).await?))
            }
        })
    }

    async fn substitutes(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (a, b) = (self.a, self.b);
        Ok(match self.c % 4 {
            0 | 1 if self.kind == 77 => {
                let step = u128::try_from(self.step).unwrap();
                let mut new = delegation(1000 + 24 * step + self.c, user_id(a), user_id(b));
                new.scope = pick(DELEGATED, self.c).parse().unwrap();
                self.text.clone_into(&mut new.reason);
                new.starts_at = self.time;
                new.ends_at = if self.flag { at(40) } else { at(20) };
                shown(unit.insert_delegation(&new).await?)
            }
            2 if self.kind == 77 => {
                let known = unit.delegations_about(user_id(a), self.limit).await?;
                let id = known.first().map_or_else(|| delegation_id(b), |known| known.id);
                unit.revoke_delegation(id, Revocation { by: user_id(b), at: self.time }).await?;
                shown(known)
            }
            3 if self.kind == 77 => shown(unit.take_departures(self.limit).await?),
            0 => shown(self.time_passes(unit).await?),
            _ => shown((
                unit.delegations_about(user_id(b), self.limit).await?,
                unit.represented_by(user_id(a), self.time).await?,
                unit.substitutes_in(run_id(b), self.time).await?,
                unit.people_asked_in(run_id(b)).await?,
            )),
        })
    }

    async fn time_passes(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let approval = approval_id(self.c % 8);
        let timer = ApprovalTimer { approval, kind: pick(TimerKind::ALL, self.a), at: self.time, fired_at: None };
        if self.flag {
            unit.insert_approval_timer(&timer).await?;
        }
        let taken = if self.a < self.b { unit.take_approval_timers(self.time, self.limit).await? } else { Vec::new() };
        Ok(shown((taken, unit.approval_timers(approval).await?, unit.next_approval_timer().await?)))
    }

    async fn talk(&self, unit: &mut dyn UnitOfWork, places: &mut Places) -> Result<String> {
        let (a, b) = (self.a, self.b);
        Ok(match self.kind {
            52 | 53 => {
                let mut asked = approval(self.c % 8, run_id(a), user_id(b), self.flag.then_some(self.time));
                asked.call = format!("call-{b}");
                unit.insert_approval(&asked, &[approver(user_id(a)), approver(user_id(b))]).await?;
                if self.c.is_multiple_of(5) {
                    unit.note_change(run_id(a), user_id(self.c % 7)).await?;
                    unit.pass_changes(run_id(a), run_id(b)).await?;
                }
                shown(unit.changers(run_id(b)).await?)
            }
            54 => {
                let filter = ApprovalFilter {
                    state: self.c.is_multiple_of(2).then_some(pick(ApprovalState::ALL, self.c / 2)),
                    waiting_for: self.flag.then_some(user_id(b)),
                    for_others: self.represents(),
                    run: self.c.is_multiple_of(5).then_some(run_id(a)),
                };
                let after = self.c.is_multiple_of(3).then_some(QueueKey { due: self.time, id: approval_id(b) });
                shown((
                    unit.list_approvals(&self.visibility(), &filter, after, self.limit).await?,
                    unit.count_waiting_for(user_id(b), &self.represents(), 99).await?,
                    unit.overdue_approvals(self.time, self.limit).await?,
                ))
            }
            55 => {
                shown(unit.close_approval(approval_id(self.c % 8), pick(&ApprovalState::ALL[1..], b), self.time).await?)
            }
            56 => {
                let step = u128::try_from(self.step).unwrap();
                let mut decided = decision(1000 + step, approval_id(self.c % 8), user_id(b));
                decided.stage = u32::from(self.flag);
                decided.on_behalf_of = (self.limit.is_multiple_of(2) && a != b).then_some(user_id(a));
                decided.kind = pick(DecisionKind::ALL, a);
                decided.narrowed = (decided.kind == DecisionKind::Narrow).then(|| self.text.to_owned());
                decided.filled_in = self.c.is_multiple_of(3).then(|| self.text.to_owned());
                decided.decided_at = self.time;
                shown(unit.insert_decision(&decided).await?)
            }
            57 => {
                let id = approval_id(self.c % 8);
                let mut asked = approver(user_id(a));
                asked.stage = u32::from(self.flag);
                asked.later = self.c.is_multiple_of(2);
                unit.add_approvers(id, &[asked]).await?;
                if b.is_multiple_of(3) {
                    let mut remark = remark(1000 + u128::try_from(self.step).unwrap(), id, user_id(b));
                    remark.answers = self.c.is_multiple_of(2).then(|| remark_id(1000 + a));
                    self.text.clone_into(&mut remark.text);
                    unit.insert_remark(&remark).await?;
                }
                if b.is_multiple_of(4) {
                    unit.advance_approval(id, 1).await?;
                }
                shown((
                    unit.approval(id).await?,
                    unit.approvers(id).await?,
                    unit.decisions(id).await?,
                    unit.approval_of_call(run_id(a), &format!("call-{b}")).await?,
                    unit.remarks_of_run(run_id(a)).await?,
                ))
            }
            58 => {
                let mut draft = draft(a, user_id(b));
                draft.run = self.c.is_multiple_of(5).then_some(run_id(a));
                draft.approval = self.c.is_multiple_of(7).then_some(approval_id(self.c % 8));
                draft.updated_at = self.time;
                self.text.clone_into(&mut draft.values);
                unit.put_draft(&draft).await?;
                shown((
                    unit.draft(draft_id(a)).await?,
                    unit.draft_of_approval(approval_id(self.c % 8)).await?,
                    unit.drafts_of(user_id(b), self.limit).await?,
                ))
            }
            59 if self.flag => shown(unit.delete_draft(user_id(b), draft_id(a)).await?),
            59 => shown(unit.prune_drafts(self.time).await?),
            60 => {
                unit.insert_answered(&answered(user_id(a), self.text)).await?;
                if self.flag {
                    unit.finish_answered(&answered(user_id(b), self.text).reservation(), 409, "{}").await?;
                }
                shown(unit.answered(user_id(a), self.text).await?)
            }
            61 => {
                unit.insert_notification(&notification(self.c, user_id(a), self.time)).await?;
                unit.mark_read(user_id(b), self.flag.then_some(notification_id(self.c)), self.time).await?;
                let before = self.flag.then_some((self.time, notification_id(self.c)));
                shown((
                    unit.notifications_of(user_id(a), before, self.limit).await?,
                    unit.count_unread(user_id(b)).await?,
                ))
            }
            62 => {
                let pushed = unit.push_outgoing(&outgoing(&format!("key-{}", self.c), self.time)).await?;
                shown((pushed, unit.count_outgoing().await?))
            }
            63 => {
                let mut taken = unit.take_outgoing("mail", self.time, Duration::from_secs(5), self.limit).await?;
                for message in &mut taken {
                    places.messages.insert(message.key.clone(), message.seq);
                    message.seq = 0;
                }
                shown(taken)
            }
            64 => {
                let seq = places.messages.get(&format!("key-{}", self.c)).copied().unwrap_or(-1);
                if self.flag {
                    unit.settle_outgoing(seq, self.time).await?;
                } else {
                    unit.defer_outgoing(seq, self.text, a.is_multiple_of(2).then_some(self.time)).await?;
                }
                shown(unit.count_outgoing().await?)
            }
            _ => {
                let size = unit.audit_size().await?;
                let mut entry = audit(size + i64::from(self.c != 13));
                entry.actor_id = self.flag.then_some(user_id(a));
                self.text.clone_into(&mut entry.action);
                unit.append_audit(size, &[entry]).await?;
                if size % 2 == 0 {
                    let indexed = unit.audit_indexed().await?;
                    let words = search::words(self.text);
                    let risk = (Mark::Risk, Risk::High.to_string());
                    let marks = vec![(Mark::Policy, self.text.to_owned()), risk, (Mark::Run, format!("id-{a}"))];
                    unit.index_audit(indexed, &[AuditTerms { seq: size + 1, words, marks }]).await?;
                }
                let filter = AuditFilter {
                    action: self.flag.then(|| self.text.to_owned()),
                    from: b.is_multiple_of(2).then_some(self.time),
                    text: b.is_multiple_of(5).then(|| self.text.chars().take(3).collect()),
                    policy: b.is_multiple_of(7).then(|| self.text.to_owned()),
                    risk: b.is_multiple_of(11).then_some(Risk::High),
                    run: b.is_multiple_of(13).then(|| format!("R-{b}")),
                    ..AuditFilter::default()
                };
                shown((unit.list_audit(&filter, b.is_multiple_of(3).then_some(size), self.limit).await?, size))
            }
        })
    }
}

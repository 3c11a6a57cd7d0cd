//! Substitutes, and people who leave.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use domain::{
    ApprovalId, ApprovalState, Clock as _, DecisionKind, DelegationId, DelegationScope, ErrorCode, Role, RunId,
    RunStatus, Scope, SessionId, UserId, view::DelegationView,
};
use engine::launch::{Cause, Launch};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde_json::json;
use service::{ApprovalQuery, Caller, NewDelegation, UserChange};
use store::{
    approvals::{Approval, ApprovalFilter, Approver, Decision},
    runs::Visibility,
};
use testkit::ManualClock;
use workflow::approval::ApprovalRule;

use crate::office::{Office, code, shown};

const HOUR: Duration = Duration::from_hours(1);

impl Office {
    /// Somebody who stands in for this person for an hour, in everything.
    pub(crate) fn substitute_of(&self, login: &str) -> NewDelegation {
        self.by(if login == "author" { "operator" } else { "author" })
    }

    fn by(&self, substitute: &str) -> NewDelegation {
        NewDelegation {
            substitute: substitute.to_owned(),
            scope: DelegationScope::Everything,
            from: None,
            until: self.clock.now() + HOUR,
            reason: "holiday".to_owned(),
        }
    }

    async fn delegated(&self, from: &str, new: NewDelegation) -> DelegationView {
        self.service.delegate(&self.caller(from).await, new).await.unwrap()
    }

    async fn queue_of(&self, login: &str) -> Vec<ApprovalId> {
        let query = ApprovalQuery { mine: true, state: Some(ApprovalState::Pending), ..ApprovalQuery::default() };
        let caller = self.caller(login).await;
        let queue = self.service.approvals(&caller, query, None, None).await.unwrap();
        let counted = self.service.me(&caller).await.unwrap().pending_decisions;
        assert_eq!(counted, queue.items.len() as u64);
        assert!(queue.items.iter().all(|item| item.mine));
        queue.items.iter().map(|item| item.id).collect()
    }
}

#[tokio::test]
async fn a_substitute_decides_and_it_is_the_vote_of_whom_they_stand_in_for() {
    a_substitute_decides_what_waits_already(&Office::open().await).await;
}

pub(crate) async fn a_substitute_decides_what_waits_already(office: &Office) {
    let (run, approval) = office.request().await;
    let (id, digest) = (approval.summary.id, approval.summary.digest.clone());
    assert_eq!(office.queue_of("author").await, []);
    let author = office.caller("author").await;
    assert_eq!(code(office.service.approval(&author, id).await), "not-found");

    office.delegated("manager", office.by("author")).await;
    let notices = office.service.notifications(&author, None, None).await.unwrap();
    assert_eq!(notices.items[0].kind, "delegation-given");
    assert_eq!(office.queue_of("author").await, [id]);
    assert_eq!(office.queue_of("manager").await, [id]);
    let seen = office.service.approval(&author, id).await.unwrap();
    assert!(seen.can_decide, "{:?}", seen.refusal);
    assert_eq!(seen.summary.on_behalf_of.as_ref().unwrap().login, "manager");
    assert_eq!(seen.approvers[0].substitutes[0].login, "author");
    assert!(office.service.run(&author, run).await.is_ok());

    let before = office.audit_end().await;
    let decided = office.service.decide(&author, id, DecisionKind::Approve, "", &digest).await.unwrap();
    let decision = &decided.decisions[0];
    assert_eq!(decision.person.login, "author");
    assert_eq!(decision.on_behalf_of.as_ref().unwrap().login, "manager");
    assert_eq!(decided.summary.state, ApprovalState::Approved);
    let entries = office.audit_after(before).await;
    let entry = entries.iter().find(|entry| entry.action == "approval.decide").unwrap();
    assert_eq!(shown(entry)["detail"]["onBehalfOf"], "manager");
    let manager = office.caller("manager").await;
    let late = office.service.decide(&manager, id, DecisionKind::Reject, "no", &digest).await;
    assert_eq!(code(late), "already-decided");
    assert_eq!(office.ended(run).await.summary.status, RunStatus::Completed);
    // What they have decided stays in sight.
    assert!(office.service.run(&author, run).await.is_ok());
}

#[tokio::test]
async fn a_delegation_applies_in_its_time_and_scope_and_until_it_is_revoked() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let later = NewDelegation { from: Some(clock.now() + HOUR), until: clock.now() + HOUR * 3, ..office.by("author") };
    office.delegated("manager", later).await;
    let elsewhere = NewDelegation { scope: "incident".parse().unwrap(), ..office.by("auditor") };
    office.delegated("manager", elsewhere).await;
    let (_, approval) = office.request().await;
    let id = approval.summary.id;
    assert_eq!(office.queue_of("author").await, []);
    assert_eq!(office.queue_of("auditor").await, []);
    clock.advance(HOUR);
    assert_eq!(office.queue_of("author").await, [id]);
    // An approval that is opened in the time tells the substitute.
    let (_, second) = office.request().await;
    let author = office.caller("author").await;
    let notices = office.service.notifications(&author, None, None).await.unwrap();
    assert!(notices.items.iter().any(|notice| notice.link == format!("/approvals/{}", second.summary.id)));
    clock.advance(HOUR * 2);
    assert_eq!(office.queue_of("author").await, []);
    assert_eq!(code(office.service.approval(&author, id).await), "not-found");

    let made = office.delegated("manager", office.by("author")).await;
    assert_eq!(office.queue_of("author").await.len(), 2);
    let refused = office.service.revoke_delegation(&author, made.id).await;
    assert_eq!(code(refused), "not-found");
    let manager = office.caller("manager").await;
    office.service.revoke_delegation(&manager, made.id).await.unwrap();
    assert_eq!(code(office.service.revoke_delegation(&manager, made.id).await), "conflict");
    assert_eq!(office.queue_of("author").await, []);
    let refused = office.service.decide(&author, id, DecisionKind::Approve, "", &approval.summary.digest).await;
    assert_eq!(code(refused), "not-found");
    let states: Vec<_> = office.service.delegations(&manager, None).await.unwrap();
    let states: Vec<_> = states.iter().map(|one| one.state.as_str()).collect();
    assert_eq!(states, ["revoked", "ended", "ended"]);
}

#[tokio::test]
async fn neither_requester_nor_the_substitutes_substitute_decides() {
    let office = Office::open().await;
    let (_, approval) = office.request().await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    office.delegated("manager", office.by("staff")).await;
    office.delegated("manager", office.by("author")).await;
    office.delegated("author", office.by("auditor")).await;
    for (login, expected) in [("staff", "own-request"), ("auditor", "not-found")] {
        assert_eq!(office.queue_of(login).await, [], "{login}");
        let caller = office.caller(login).await;
        let refused = office.service.decide(&caller, id, DecisionKind::Approve, "", digest).await;
        assert_eq!(code(refused), expected, "{login}");
    }
    let author = office.caller("author").await;
    let seen = office.service.approval(&author, id).await.unwrap();
    assert_eq!(seen.approvers[0].substitutes.iter().map(|other| &other.login).collect::<Vec<_>>(), ["author"]);
}

#[tokio::test]
async fn who_cannot_be_a_substitute_is_refused_beside_the_field() {
    let office = Office::open().await;
    let manager = office.caller("manager").await;
    let admin = office.caller("admin").await;
    let operator = office.user("operator").await.unwrap();
    office.service.set_user_active(&admin, operator, false).await.unwrap();
    let now = office.clock.now();
    for (new, pointer) in [
        (office.by("manager"), "/substitute"),
        (office.by("nobody"), "/substitute"),
        (office.by("operator"), "/substitute"),
        (NewDelegation { until: now, ..office.by("author") }, "/until"),
        (NewDelegation { until: now + HOUR * 24 * 400, ..office.by("author") }, "/until"),
        (NewDelegation { from: Some(now + HOUR * 2), ..office.by("author") }, "/until"),
        (NewDelegation { reason: "x".repeat(501), ..office.by("author") }, "/reason"),
    ] {
        let refused = office.service.delegate(&manager, new).await.unwrap_err();
        assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, pointer));
    }
    // An administrator sees and ends what others have made.
    let made = office.delegated("manager", office.by("author")).await;
    let seen = office.service.delegations(&admin, Some(manager.user)).await.unwrap();
    assert_eq!(seen.iter().map(|one| one.id).collect::<Vec<_>>(), [made.id]);
    let ended = office.service.revoke_delegation(&admin, made.id).await.unwrap();
    assert_eq!(ended.revoked_by.unwrap().login, "admin");
    let notices = office.service.notifications(&manager, None, None).await.unwrap();
    assert!(notices.items.iter().any(|notice| notice.kind == "delegation-revoked"));
}

#[tokio::test]
async fn who_is_disabled_is_replaced_as_soon_as_the_rule_gives_somebody() {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(clock.clone(), None).await;
    let (run, approval) = office.request().await;
    let (id, digest) = (approval.summary.id, &approval.summary.digest);
    let admin = office.caller("admin").await;
    let manager = office.caller("manager").await;
    office.service.set_user_active(&admin, manager.user, false).await.unwrap();
    let operator = office.caller("operator").await;
    office.wait(async || office.service.run(&operator, run).await.unwrap().summary.needs_attention.then_some(())).await;
    let seen = office.service.approval(&operator, id).await.unwrap();
    assert!(seen.approvers[0].gone);
    let notices = office.service.notifications(&operator, None, None).await.unwrap();
    assert!(notices.items.iter().any(|notice| notice.kind == "run-needs-attention"));
    assert_eq!(code(office.service.decide(&operator, id, DecisionKind::Approve, "", digest).await), "forbidden");

    let change = UserChange {
        name: "Sam Staff".to_owned(),
        email: Some("staff@example.test".to_owned()),
        manager: Some("operator".to_owned()),
    };
    office.service.update_user(&admin, office.user("staff").await.unwrap(), change).await.unwrap();
    clock.advance(Duration::from_mins(6));
    office.wait(async || office.service.approval(&operator, id).await.unwrap().can_decide.then_some(())).await;
    assert_eq!(office.queue_of("operator").await, [id]);
    assert!(!office.service.run(&operator, run).await.unwrap().summary.needs_attention);
    office.service.decide(&operator, id, DecisionKind::Approve, "", digest).await.unwrap();
    assert_eq!(office.ended(run).await.summary.status, RunStatus::Completed);
}

const BOARD: [&str; 6] = ["ann", "ben", "cid", "dot", "eve", "fay"];

const RULES: [(&str, &str); 5] = [
    ("any", "approvers: {team: board}"),
    ("two", "approvers: {team: board}, quorum: 2"),
    ("all", "approvers: {team: board}, quorum: all"),
    ("most", "approvers: {team: board}, quorum: \"60%\""),
    ("staged", "distinct: true, stages: [{approvers: {team: board}}, {approvers: {role: approver}, quorum: 2}]"),
];

fn ask(name: &str, rule: &str) -> String {
    format!(
        "
document: {{dsl: 1.0.3, namespace: board, name: {name}, version: 1.0.0, title: Ask}}
input: {{schema: {{document: {{type: object}}}}}}
do:
  - ask: {{call: approval, with: {{{rule}}}, output: {{as: '${{ $input }}'}}}}
  - act: {{set: {{n: '${{ .n }}'}}}}
"
    )
}

/// People who decide together, and leave, and stand in for each other, and change what they decide about.
struct Board {
    office: Office,
    clock: Arc<ManualClock>,
    random: StdRng,
    people: Vec<UserId>,
    /// As they were made, for an account of who stands in for whom that does not ask the portal.
    delegations: Vec<DelegationView>,
    revoked: BTreeSet<DelegationId>,
    /// Who has put data of their own into which run.
    changes: BTreeSet<(RunId, UserId)>,
    /// How often something else was to be done than before.
    changed: u32,
    /// How many people an approval asked at first, of those that were opened later than all others.
    reopened: BTreeMap<ApprovalId, usize>,
}

impl Board {
    async fn made_by(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let office = Office::open_by(clock.clone(), None).await;
        let texts = RULES.map(|(name, rule)| (format!("{name}.yaml"), ask(name, rule)));
        office.service.load_shipped(texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))).await.unwrap();
        let admin = office.caller("admin").await;
        let team = office.service.put_team(&admin, "board", "Board").await.unwrap().id;
        let mut people = Vec::new();
        for login in BOARD {
            let roles = [Role::Requester, Role::Approver, Role::Operator];
            let person = office.hire(login, &roles, Scope::Everywhere).await.user;
            people.push(person);
            if people.len() <= 3 {
                office.service.add_member(&admin, team, person).await.unwrap();
            }
        }
        let random = StdRng::seed_from_u64(seed);
        let mut made = Self {
            office,
            clock,
            random,
            people,
            delegations: Vec::new(),
            revoked: BTreeSet::new(),
            changes: BTreeSet::new(),
            changed: 0,
            reopened: BTreeMap::new(),
        };
        made.launch().await;
        made
    }

    fn somebody(&mut self) -> UserId {
        *self.people.choose(&mut self.random).unwrap()
    }

    async fn launch(&mut self) {
        let mut unit = self.office.store.begin().await.unwrap();
        let mut runs = 0;
        for (name, _) in RULES {
            let workflow = format!("board/{name}").parse().unwrap();
            let version = unit.launchable_version(&workflow).await.unwrap().unwrap();
            for _ in 0..3 {
                let requester = unit.user(self.somebody()).await.unwrap().unwrap();
                let launch = Launch {
                    version: &version,
                    requester: &requester,
                    input: json!({"n": runs}),
                    cause: Cause::Request,
                    base_url: "",
                };
                launch.write(unit.as_mut(), self.office.ids.as_ref(), self.clock.now()).await.unwrap();
                runs += 1;
            }
        }
        unit.commit().await.unwrap();
        self.office.wait(async || (self.approvals().await.len() == runs).then_some(())).await;
    }

    async fn approvals(&self) -> Vec<Approval> {
        let mut unit = self.office.store.snapshot().await.unwrap();
        unit.list_approvals(&Visibility::everything(), &ApprovalFilter::default(), None, 1_000).await.unwrap()
    }

    /// The person, signed in; none when they are disabled.
    async fn caller(&self, person: UserId) -> Option<Caller> {
        let session = SessionId::new(self.office.ids.as_ref());
        self.office.service.caller_of_session(person, session, Office::origin()).await.unwrap()
    }

    async fn asked(&self, approval: ApprovalId) -> Vec<Approver> {
        self.office.store.snapshot().await.unwrap().approvers(approval).await.unwrap()
    }

    async fn is_active(&self, person: UserId) -> bool {
        self.office.store.snapshot().await.unwrap().user(person).await.unwrap().unwrap().active
    }

    /// Whether `substitute` stands in for `person` now, in decisions on a workflow of the board.
    fn stands_in(&self, substitute: UserId, person: UserId, workflow: &str) -> bool {
        let now = self.clock.now();
        self.delegations.iter().any(|one| {
            let scope = one.scope.to_string();
            one.person.id == person
                && one.substitute.id == substitute
                && one.from <= now
                && now < one.until
                && !self.revoked.contains(&one.id)
                && (scope == "*" || scope == "board" || scope == workflow)
        })
    }

    /// Whether this person's decision should count, as a plain account of the rules has it.
    async fn should_count(&self, person: UserId, approval: &Approval, asked: &[Approver]) -> bool {
        let mut unit = self.office.store.snapshot().await.unwrap();
        let decided = unit.decisions(approval.id).await.unwrap();
        let workflow = unit.run(approval.run).await.unwrap().unwrap().workflow.to_string();
        drop(unit);
        let here = |decision: &&Decision| decision.stage == approval.stage;
        let distinct = workflow == "board/staged";
        let done = |of: UserId| {
            let took_part = |decision: &Decision| decision.user_id == of || decision.vote_of() == of;
            distinct && decided.iter().filter(|decision| !here(decision)).any(took_part)
        };
        if approval.state != ApprovalState::Pending
            || approval.requester_id == person
            || self.changes.contains(&(approval.run, person))
            || decided.iter().any(|decision| decision.kind == DecisionKind::RequestChanges)
            || done(person)
            || decided.iter().filter(here).any(|decision| decision.user_id == person)
        {
            return false;
        }
        let voted = |of: UserId| decided.iter().filter(here).any(|decision| decision.vote_of() == of);
        let asked = asked.iter().filter(|asked| asked.stage == approval.stage && !done(asked.user_id));
        let asked: Vec<UserId> = asked.map(|asked| asked.user_id).collect();
        if asked.contains(&person) {
            return !voted(person);
        }
        for other in asked {
            if !voted(other) && self.stands_in(person, other, &workflow) && self.is_active(other).await {
                return true;
            }
        }
        false
    }

    async fn delegate(&mut self) {
        let (person, substitute) = (self.somebody(), self.somebody());
        let Some(caller) = self.caller(person).await else { return };
        let substitute = self.office.store.snapshot().await.unwrap().user(substitute).await.unwrap().unwrap().login;
        let scope = *["*", "board", "board/all", "elsewhere"].choose(&mut self.random).unwrap();
        let from = self.clock.now() + HOUR * self.random.random_range(0..30);
        let until = from + HOUR * self.random.random_range(1..60);
        let new =
            NewDelegation { substitute, scope: scope.parse().unwrap(), from: Some(from), until, reason: String::new() };
        if let Ok(made) = self.office.service.delegate(&caller, new).await {
            self.delegations.push(made);
        }
    }

    async fn revoke(&mut self) {
        let Some(one) = self.delegations.choose(&mut self.random).cloned() else { return };
        let admin = self.office.caller("admin").await;
        if self.office.service.revoke_delegation(&admin, one.id).await.is_ok() {
            self.revoked.insert(one.id);
        }
    }

    /// Lets somebody leave, or come back, or join the board.
    async fn come_or_go(&mut self) {
        let admin = self.office.caller("admin").await;
        let (person, service) = (self.somebody(), self.office.service.clone());
        if self.random.random_bool(0.2) {
            let team = service.put_team(&admin, "board", "Board").await.unwrap().id;
            service.add_member(&admin, team, person).await.unwrap();
        } else {
            let active = self.random.random_bool(0.5);
            service.set_user_active(&admin, person, active).await.unwrap();
        }
    }

    async fn decide(&mut self) {
        let approvals = self.approvals().await;
        let pending: Vec<_> = approvals.iter().filter(|one| one.state == ApprovalState::Pending).collect();
        let from =
            if pending.is_empty() || self.random.random_bool(0.1) { approvals.iter().collect() } else { pending };
        let id = from.choose(&mut self.random).unwrap().id;
        let person = self.somebody();
        let kind = match self.random.random_range(0..20) {
            0..=14 => DecisionKind::Approve,
            15..=16 => DecisionKind::RequestChanges,
            _ => DecisionKind::Reject,
        };
        let Some(caller) = self.caller(person).await.filter(|caller| caller.principal.active) else { return };
        let asked = self.asked(id).await;
        let approval = self.office.store.snapshot().await.unwrap().approval(id).await.unwrap().unwrap();
        let should_count = self.should_count(person, &approval, &asked).await;
        let stale = approvals.iter().find(|other| other.run == approval.run && other.digest != approval.digest);
        if let Some(stale) = stale.filter(|_| self.random.random_bool(0.2)) {
            let answer = self.office.service.decide(&caller, id, kind, "because", &stale.digest).await;
            assert!(answer.is_err(), "{} decided on what they had seen elsewhere", caller.login);
        }
        let answer = self.office.service.decide(&caller, id, kind, "because", &approval.digest).await;
        // The engine may have found somebody else to ask meanwhile.
        if self.asked(id).await == asked {
            assert_eq!(answer.is_ok(), should_count, "{} on {id}: {:?}", caller.login, answer.err());
        }
        self.check(id).await;
    }

    /// Has a run that waits go on with something else: an operator by changing the input of what waits, or the requester by
    /// sending other input where changes were asked for.
    async fn change(&mut self) {
        let approvals = self.approvals().await;
        let pending = approvals.iter().filter(|one| one.state == ApprovalState::Pending);
        let Some(approval) = pending.collect::<Vec<_>>().choose(&mut self.random).copied().cloned() else { return };
        self.changed += 1;
        let input = json!({"n": 1_000 + self.changed});
        let decisions = self.office.store.snapshot().await.unwrap().decisions(approval.id).await.unwrap();
        let service = Arc::clone(&self.office.service);
        if decisions.iter().any(|decision| decision.kind == DecisionKind::RequestChanges) {
            let Some(requester) = self.caller(approval.requester_id).await else { return };
            if service.resubmit(&requester, approval.id, input).await.is_err() {
                return;
            }
        } else {
            let person = self.somebody();
            let Some(caller) = self.caller(person).await else { return };
            let answer = service.resume_run_from(&caller, approval.run, &approval.reference, input, "better").await;
            if answer.is_err() {
                return;
            }
            self.changes.insert((approval.run, person));
        }
        let replaced = async || {
            let approvals = self.approvals().await.into_iter().filter(|one| one.run == approval.run);
            let (void, open): (Vec<_>, Vec<_>) = approvals.partition(|one| one.state != ApprovalState::Pending);
            let given_up = void.iter().any(|one| one.id == approval.id && one.state == ApprovalState::Void);
            open.first().filter(|_| given_up).map(|one| one.id)
        };
        let opened = self.office.wait(replaced).await;
        let mut unit = self.office.store.snapshot().await.unwrap();
        let team = unit.team_by_name("board").await.unwrap().unwrap().id;
        let members = unit.team_members(team).await.unwrap();
        let members = unit.users_by_id(&members).await.unwrap();
        let may = |person: UserId| person != approval.requester_id && !self.changes.contains(&(approval.run, person));
        let asked = members.iter().filter(|person| person.active && may(person.id)).count();
        self.reopened.insert(opened, asked);
    }

    /// Every run that has gone on did what was approved, and nothing else.
    async fn check_runs(&self) -> usize {
        let approvals = self.approvals().await;
        let runs: BTreeSet<RunId> = approvals.iter().map(|approval| approval.run).collect();
        let mut gone_on = 0;
        for run in runs {
            let mut unit = self.office.store.snapshot().await.unwrap();
            let tasks = unit.tasks(run).await.unwrap();
            let Some(act) = tasks.iter().find(|task| task.name == "act") else { continue };
            let approved = approvals.iter().filter(|one| one.run == run && one.state == ApprovalState::Approved);
            let [approved] = approved.collect::<Vec<_>>()[..] else { panic!("run {run} went on without one decision") };
            let shown: serde_json::Value = serde_json::from_str(&approved.shown).unwrap();
            let done: serde_json::Value = serde_json::from_str(act.input.as_deref().unwrap()).unwrap();
            assert_eq!(shown["about"], done, "run {run} did something else than what was approved");
            gone_on += 1;
        }
        gone_on
    }

    /// What must hold whatever happens.
    async fn check(&self, id: ApprovalId) {
        let mut unit = self.office.store.snapshot().await.unwrap();
        let approval = unit.approval(id).await.unwrap().unwrap();
        let asked = unit.approvers(id).await.unwrap();
        let decisions = unit.decisions(id).await.unwrap();
        let rule: ApprovalRule = serde_json::from_str(&approval.rule).unwrap();
        let mut before: BTreeSet<UserId> = BTreeSet::new();
        for (number, stage) in (0..).zip(&rule.stages) {
            let here: Vec<_> = decisions.iter().filter(|decision| decision.stage == number).collect();
            let voters: BTreeSet<UserId> = here.iter().map(|decision| decision.vote_of()).collect();
            let people: BTreeSet<UserId> = here.iter().map(|decision| decision.user_id).collect();
            assert_eq!(voters.len(), here.len(), "a vote was cast twice");
            assert_eq!(people.len(), here.len(), "somebody decided twice");
            let is_asked = |voter: &UserId| asked.iter().any(|one| one.stage == number && one.user_id == *voter);
            assert!(voters.iter().all(is_asked), "a vote of somebody who was not asked");
            let all: BTreeSet<UserId> = voters.union(&people).copied().collect();
            assert!(!all.contains(&approval.requester_id), "the requester took part");
            let seen = |decision: &&Decision| decision.digest == approval.digest;
            assert!(here.iter().all(seen), "a decision on something else");
            assert!(!rule.distinct || before.is_disjoint(&all), "somebody took part in two stages");
            before.extend(all);
            let at_first = match number {
                0 if self.reopened.contains_key(&id) => self.reopened[&id],
                // The board's first three, without the requester, whatever the rows say.
                0 => self.people.iter().take(3).filter(|person| **person != approval.requester_id).count(),
                _ => asked.iter().filter(|one| one.stage == number && !one.later).count(),
            };
            let wanted = stage.quorum.needed(at_first);
            let agreed = here.iter().filter(|decision| decision.kind == DecisionKind::Approve).count();
            if approval.state == ApprovalState::Approved || number < approval.stage {
                assert!(agreed >= wanted, "{agreed} of {wanted} in stage {number}");
            } else if approval.state == ApprovalState::Pending && number == approval.stage {
                assert!(agreed < wanted, "enough, and still open");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_an_approval_has_the_people_that_its_rule_asked_for() {
    let mut board = Board::made_by(testkit::seed()).await;
    for _ in 0..250 {
        match board.random.random_range(0..22) {
            0..=4 => board.delegate().await,
            5 => board.revoke().await,
            6..=7 => board.come_or_go().await,
            8..=9 => board.clock.advance(HOUR * board.random.random_range(1..12)),
            10..=11 => board.change().await,
            _ => board.decide().await,
        }
    }
    let mut ended = 0;
    for approval in board.approvals().await {
        board.check(approval.id).await;
        ended += usize::from(approval.state != ApprovalState::Pending);
    }
    assert!(ended > 0, "nothing was decided");
    assert!(!board.changes.is_empty(), "nothing was changed");
    assert!(board.check_runs().await > 0, "nothing went on");
}

//! Rows to test with. Ids are made from numbers, so that failures can be read.

use domain::{
    AccessReviewId, AccessVerdict, AlertEnd, ApprovalId, ApprovalState, CommentId, ConnectionId, DecisionId,
    DecisionKind, DelegationId, DelegationScope, DraftId, EmergencyId, GrantId, HoldId, LinkId, NotificationId,
    PolicySetState, RemarkId, Role, RunId, RunStatus, RunnerId, RunnerState, RunnerTaskState, Scope, SessionId,
    TaskStatus, TeamId, Timestamp, TokenId, Trigger as ScheduleTrigger, TriggerId, TriggerKind, TriggerOutcome, UserId,
    WorkflowRef, view::LogLine,
};
use store::{
    UnitOfWork,
    access::{Grant, Subject, Team},
    access_reviews::{AccessReview, ReviewItem},
    approvals::{Approval, Approver, Decision, Remark},
    audit::{AuditCheckpoint, AuditKey, AuditRow, AuditTile},
    connections::Connection,
    credentials::{ApiToken, LinkPurpose, OneTimeLink, Throttle},
    delegations::Delegation,
    emergencies::Emergency,
    messages::{Notification, Outgoing},
    policy_sets::PolicySet,
    repositories::{Look, Repository},
    requests::{Answered, Draft},
    reviews::VersionComment,
    runners::{Demand, Runner, RunnerTask, TaskKey},
    runs::{JournalEntry, Run, Task},
    schedules::Schedule,
    sessions::Session,
    triggers::{Delivery, Signing, Trigger},
    users::User,
    watches::Watch,
    witnesses::Cosignature,
    workflows::{VersionState, WorkflowVersion},
};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $kind:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(number: u128) -> $kind {
            <$kind>::from_uuid(Uuid::from_u128(number))
        }
    )+};
}

ids! {
    /// The user of a number.
    user_id: UserId,
    /// The team of a number.
    team_id: TeamId,
    /// The grant of a number.
    grant_id: GrantId,
    /// The session of a number.
    session_id: SessionId,
    /// The token of a number.
    token_id: TokenId,
    /// The link of a number.
    link_id: LinkId,
    /// The run of a number.
    run_id: RunId,
    /// The approval of a number.
    approval_id: ApprovalId,
    /// The decision of a number.
    decision_id: DecisionId,
    /// The remark of a number.
    remark_id: RemarkId,
    /// The delegation of a number.
    delegation_id: DelegationId,
    /// The connection of a number.
    connection_id: ConnectionId,
    /// The draft of a number.
    draft_id: DraftId,
    /// The access review of a number.
    access_review_id: AccessReviewId,
    /// The emergency of a number.
    emergency_id: EmergencyId,
    /// The runner of a number.
    runner_id: RunnerId,
    /// The trigger of a number.
    trigger_id: TriggerId,
    /// The hold of a number.
    hold_id: HoldId,
    /// The notification of a number.
    notification_id: NotificationId,
    /// The comment of a number.
    comment_id: CommentId,
}

/// So many seconds after the beginning of the test's time.
#[must_use]
pub const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000_i64.saturating_add(seconds.saturating_mul(1_000_000)))
}

/// `identity/onboard`.
#[must_use]
pub fn workflow() -> WorkflowRef {
    "identity/onboard".parse().unwrap()
}

/// A person with nothing set that need not be.
#[must_use]
pub fn user(number: u128, login: &str) -> User {
    User {
        id: user_id(number),
        login: login.to_owned(),
        name: format!("Person {number}"),
        email: None,
        active: true,
        password_hash: None,
        must_change_password: false,
        manager_id: None,
        locale: None,
        theme: None,
        created_at: at(0),
        updated_at: at(0),
        last_sign_in_at: None,
    }
}

/// A runner that was enrolled and never heard of, with these labels.
#[must_use]
pub fn runner(number: u128, labels: &[&str]) -> Runner {
    Runner {
        id: runner_id(number),
        name: format!("runner-{number}").parse().unwrap(),
        labels: labels.iter().map(|label| label.parse().unwrap()).collect(),
        namespaces: vec![Scope::Everywhere],
        token_hash: format!("hash-{number}"),
        state: RunnerState::Enabled,
        created_by: user_id(1),
        created_at: at(0),
        instance: None,
        session: 0,
        turn: 0,
        version: None,
        capacity: None,
        load: None,
        seen_at: None,
    }
}

/// A task of the run of a number that waits for a runner with these labels.
#[must_use]
pub fn runner_task(run: u128, call: u32, labels: &[&str]) -> RunnerTask {
    RunnerTask {
        key: TaskKey { run: run_id(run), call },
        reference: "/do/0/look".to_owned(),
        demand: Demand {
            namespace: "identity".parse().unwrap(),
            labels: labels.iter().map(|label| label.parse().unwrap()).collect(),
        },
        idempotent: false,
        deadline: None,
        state: RunnerTaskState::Queued,
        epoch: 0,
        runner: None,
        lease_until: None,
        stopped: false,
        queued_at: at(i64::from(call)),
        started_at: None,
        done_at: None,
        outcome: None,
    }
}

/// A repository of the namespace `identity` at which nobody has looked yet, and which is due when somebody asks.
#[must_use]
pub fn repository(name: &str) -> Repository {
    Repository {
        namespace: "identity".parse().unwrap(),
        name: name.parse().unwrap(),
        url: "https://git.example.test/definitions.git".to_owned(),
        branch: "main".to_owned(),
        folder: String::new(),
        account: None,
        sealed_password: None,
        authority: None,
        sealed_hook: None,
        every_minutes: None,
        changed_by: user_id(1),
        changed_at: at(0),
        due_at: None,
        look: Look { files: "[]".to_owned(), ..Look::default() },
    }
}

/// A team.
#[must_use]
pub fn team(number: u128, name: &str) -> Team {
    Team { id: team_id(number), name: name.to_owned(), title: format!("Team {number}"), created_at: at(0) }
}

/// A grant without end.
#[must_use]
pub fn grant(number: u128, subject: Subject, role: Role, scope: Scope) -> Grant {
    Grant {
        id: grant_id(number),
        subject,
        role,
        scope,
        expires_at: None,
        created_by: None,
        created_at: at(0),
        emergency: None,
    }
}

/// A session that ends after 100 seconds.
#[must_use]
pub fn session(number: u128, user: Option<UserId>) -> Session {
    Session {
        id: session_id(number),
        token_hash: format!("session-{number}"),
        user_id: user,
        data: "{}".to_owned(),
        address: "127.0.0.1".to_owned(),
        user_agent: "test".to_owned(),
        created_at: at(0),
        last_seen_at: at(i64::try_from(number).unwrap()),
        expires_at: at(100),
    }
}

/// A token without end.
#[must_use]
pub fn token(number: u128, user: UserId) -> ApiToken {
    ApiToken {
        id: token_id(number),
        user_id: user,
        name: "ci".to_owned(),
        token_hash: format!("token-{number}"),
        created_at: at(i64::try_from(number).unwrap()),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

/// An unused link.
#[must_use]
pub fn link(number: u128, purpose: LinkPurpose, user: Option<UserId>) -> OneTimeLink {
    OneTimeLink {
        id: link_id(number),
        token_hash: format!("link-{number}"),
        purpose,
        user_id: user,
        sealed: Some("sealed".to_owned()),
        created_at: at(0),
        expires_at: at(100),
        used_at: None,
    }
}

/// Failed attempts.
#[must_use]
pub fn throttle(subject: &str, failures: u32, last: Timestamp) -> Throttle {
    Throttle { subject: subject.to_owned(), failures, locked_until: None, last_failure_at: last }
}

/// A published version; `version` is its sort key as well.
#[must_use]
pub fn version(workflow: &WorkflowRef, version: &str) -> WorkflowVersion {
    WorkflowVersion {
        workflow: workflow.clone(),
        version: version.to_owned(),
        state: VersionState::Published,
        source: "document: {}".to_owned(),
        resources: r#"{"https://example.test/schema.json":"{\"type\": \"object\"}"}"#.to_owned(),
        digest: "d".repeat(64),
        title: format!("Title of {workflow}"),
        created_by: None,
        created_at: at(0),
        changed_by: None,
        changed_at: at(0),
        sort_key: version.to_owned(),
    }
}

/// A comment on a version, not resolved.
#[must_use]
pub fn comment(number: u128, workflow: &WorkflowRef, version: &str, by: UserId) -> VersionComment {
    VersionComment {
        id: comment_id(number),
        workflow: workflow.clone(),
        version: version.to_owned(),
        digest: "d".repeat(64),
        line: Some(3),
        text: "Why?".to_owned(),
        written_by: by,
        written_at: at(i64::try_from(number).unwrap()),
        resolved_by: None,
        resolved_at: None,
    }
}

/// A review of all grants that goes on.
#[must_use]
pub fn access_review(number: u128, by: UserId) -> AccessReview {
    AccessReview {
        id: access_review_id(number),
        title: "Autumn".to_owned(),
        scope: Scope::Everywhere,
        due_at: at(100),
        started_by: by,
        started_at: at(i64::try_from(number).unwrap()),
        closed_at: None,
    }
}

/// An emergency for which somebody asks.
#[must_use]
pub fn emergency(number: u128, person: UserId) -> Emergency {
    Emergency {
        id: emergency_id(number),
        person,
        role: Role::Operator,
        scope: Scope::Everywhere,
        reason: "The line is down".to_owned(),
        minutes: 60,
        asked_at: at(i64::try_from(number).unwrap()),
        confirmed_by: None,
        confirmed_at: None,
        ends_at: None,
        ended_by: None,
        ended_at: None,
        reviewed_by: None,
        reviewed_at: None,
        review: String::new(),
    }
}

/// A grant in a review of which nobody has said anything.
#[must_use]
pub fn review_item(review: u128, grant: u128) -> ReviewItem {
    ReviewItem {
        review: access_review_id(review),
        grant: grant_id(grant),
        holder: "Night shift".to_owned(),
        team: true,
        role: Role::Operator,
        scope: Scope::Everywhere,
        verdict: AccessVerdict::Pending,
        decided_by: None,
        decided_at: None,
        comment: String::new(),
    }
}

/// Policies that are proposed.
#[must_use]
pub fn policy_set(version: i64) -> PolicySet {
    PolicySet {
        version,
        state: PolicySetState::Proposed,
        source: format!("// Set {version}."),
        note: "For the night".to_owned(),
        digest: "d".repeat(64),
        based_on: None,
        changed_at: at(version),
        settled_by: None,
        settled_at: None,
    }
}

/// A schedule of version 1.0.0 that is due at once and has done nothing yet.
#[must_use]
pub fn schedule(workflow: &WorkflowRef, trigger: ScheduleTrigger) -> Schedule {
    Schedule {
        workflow: workflow.clone(),
        trigger,
        version: "1.0.0".to_owned(),
        anchor: at(0),
        due_at: Some(at(0)),
        fired_at: None,
        run: None,
        refused: None,
        seen: 0,
        gathered: None,
    }
}

/// A run of [`workflow`] 1.0.0 that nobody has touched; it wants to be looked at at once.
#[must_use]
pub fn run(number: u128, requester: UserId) -> Run {
    Run {
        id: run_id(number),
        number: 0,
        workflow: workflow(),
        version: "1.0.0".to_owned(),
        definition_digest: "d".repeat(64),
        title: "Onboard an employee".to_owned(),
        status: RunStatus::Pending,
        needs_attention: false,
        rejected: false,
        compensated: false,
        requester_id: requester,
        input: "{}".to_owned(),
        output: None,
        error: None,
        created_at: at(i64::try_from(number).unwrap()),
        started_at: None,
        ended_at: None,
        updated_at: at(0),
        journal_version: 0,
        wake_at: Some(at(0)),
        waits_for: None,
    }
}

/// Journal entries of the given places.
#[must_use]
pub fn entries(versions: std::ops::RangeInclusive<i64>) -> Vec<JournalEntry> {
    versions
        .map(|version| JournalEntry { version, at: at(version), event: format!("{{\"event\":{version}}}") })
        .collect()
}

/// A task at work.
#[must_use]
pub fn task(run: RunId, reference: &str, position: i64) -> Task {
    Task {
        run,
        reference: reference.to_owned(),
        occurrence: 1,
        position,
        name: "create".to_owned(),
        kind: "call".to_owned(),
        status: TaskStatus::Running,
        call: Some(7),
        attempts: 1,
        compensation: false,
        input: Some("{}".to_owned()),
        output: None,
        error: None,
        started_at: Some(at(1)),
        ended_at: None,
    }
}

/// A pending approval.
#[must_use]
pub fn approval(number: u128, run: RunId, requester: UserId, due: Option<Timestamp>) -> Approval {
    Approval {
        id: approval_id(number),
        run,
        call: format!("call-{number}"),
        reference: "/do/0/ask".to_owned(),
        title: "May it?".to_owned(),
        message: String::new(),
        state: ApprovalState::Pending,
        rule: "{}".to_owned(),
        shown: "{}".to_owned(),
        digest: "d".repeat(64),
        requester_id: requester,
        stage: 0,
        returnable: true,
        opened_at: at(0),
        due_at: due,
        closed_at: None,
        timing: None,
    }
}

/// Somebody who is asked in the first stage.
#[must_use]
pub fn approver(user: UserId) -> Approver {
    Approver { user_id: user, via: "manager of staff".to_owned(), stage: 0, later: false }
}

/// A question about an approval.
#[must_use]
pub fn remark(number: u128, approval: ApprovalId, user: UserId) -> Remark {
    Remark {
        id: remark_id(number),
        approval,
        answers: None,
        user_id: user,
        text: "For how long?".to_owned(),
        made_at: at(i64::try_from(number).unwrap()),
    }
}

/// A yes.
#[must_use]
pub fn decision(number: u128, approval: ApprovalId, user: UserId) -> Decision {
    Decision {
        id: decision_id(number),
        approval,
        user_id: user,
        on_behalf_of: None,
        kind: DecisionKind::Approve,
        comment: String::new(),
        digest: "d".repeat(64),
        stage: 0,
        filled_in: None,
        narrowed: None,
        decided_at: at(10),
    }
}

/// A delegation of everything from the beginning of the test's time, for a hundred seconds.
#[must_use]
pub fn delegation(number: u128, user: UserId, substitute: UserId) -> Delegation {
    Delegation {
        id: delegation_id(number),
        user_id: user,
        substitute_id: substitute,
        scope: DelegationScope::Everything,
        reason: "holiday".to_owned(),
        starts_at: at(0),
        ends_at: at(100),
        created_at: at(i64::try_from(number).unwrap()),
        revoked: None,
    }
}

/// An unsent draft.
#[must_use]
pub fn draft(number: u128, user: UserId) -> Draft {
    Draft {
        id: draft_id(number),
        user_id: user,
        workflow: workflow(),
        values: "{}".to_owned(),
        created_at: at(0),
        updated_at: at(i64::try_from(number).unwrap()),
        run: None,
        approval: None,
    }
}

/// A kept answer.
#[must_use]
pub fn answered(user: UserId, key: &str) -> Answered {
    Answered {
        user_id: user,
        key: key.to_owned(),
        request_digest: "d".repeat(64),
        status: 201,
        body: "{}".to_owned(),
        created_at: at(0),
    }
}

/// An unread notice.
#[must_use]
pub fn notification(number: u128, user: UserId, created: Timestamp) -> Notification {
    Notification {
        id: notification_id(number),
        user_id: user,
        kind: "run.completed".to_owned(),
        title: "Onboard".to_owned(),
        run_number: Some(7),
        link: "/runs/7".to_owned(),
        created_at: created,
        read_at: None,
    }
}

/// A mail that is due.
#[must_use]
pub fn outgoing(key: &str, due: Timestamp) -> Outgoing {
    Outgoing {
        seq: 0,
        kind: "mail".to_owned(),
        payload: "{\"to\":\"a\"}".to_owned(),
        key: key.to_owned(),
        attempts: 0,
        due_at: due,
        last_error: None,
        created_at: at(0),
    }
}

/// A connection.
#[must_use]
pub fn connection(number: u128, name: &str) -> Connection {
    Connection {
        id: connection_id(number),
        name: name.to_owned(),
        kind: "smtp".to_owned(),
        settings: "{}".to_owned(),
        sealed_secret: Some("sealed".to_owned()),
        namespaces: "[\"*\"]".to_owned(),
        owner: None,
        last_check: None,
        failing_since: None,
        check_due_at: at(0),
        created_at: at(0),
        updated_at: at(0),
    }
}

/// An audit entry.
#[must_use]
pub fn audit(seq: i64) -> AuditRow {
    AuditRow {
        seq,
        at: at(seq),
        actor_id: None,
        actor: "system".to_owned(),
        action: "run.launch".to_owned(),
        resource_kind: "run".to_owned(),
        resource_id: format!("id-{seq}"),
        resource_name: format!("R-{seq}"),
        namespace: Some("identity".to_owned()),
        outcome: "done".to_owned(),
        body: format!("{{\"seq\":{seq}}}"),
        personal: None,
        segment: None,
    }
}

/// A tile, a key, a checkpoint and its cosignature of the audit log.
pub async fn seal_audit(unit: &mut dyn UnitOfWork) {
    unit.put_audit_tiles(&[AuditTile { level: 0, place: 0, hashes: "ab".repeat(32) }]).await.unwrap();
    let key = AuditKey {
        id: "00000001".to_owned(),
        number: 1,
        public: "public".to_owned(),
        sealed: "sealed".to_owned(),
        introduction: None,
        created_at: at(1),
    };
    unit.insert_audit_key(&key).await.unwrap();
    let checkpoint = AuditCheckpoint { size: 1, at: at(1), note: "note".to_owned() };
    assert!(unit.insert_audit_checkpoint(&checkpoint).await.unwrap());
    let cosignature = Cosignature { size: 1, witness: "witness".to_owned(), line: "line".to_owned() };
    assert!(unit.insert_cosignature(&cosignature).await.unwrap());
}

/// A line of a task's log.
#[must_use]
pub fn line(reference: &str, text: &str) -> LogLine {
    LogLine { seq: 0, at: at(1), reference: reference.to_owned(), level: "info".to_owned(), text: text.to_owned() }
}

/// What most cases start from: the people 1 `staff`, 2 `manager`, 3 `operator`, and [`workflow`] 1.0.0.
pub async fn organisation(unit: &mut dyn UnitOfWork) {
    for (number, login) in [(1, "staff"), (2, "manager"), (3, "operator")] {
        unit.insert_user(&user(number, login)).await.unwrap();
    }
    unit.insert_version(&version(&workflow(), "1.0.0")).await.unwrap();
}

/// A trigger of the namespace `identity` that is called at the place `place-NUMBER`.
#[must_use]
pub fn trigger(number: u128, name: &str) -> Trigger {
    Trigger {
        id: trigger_id(number),
        namespace: "identity".parse().unwrap(),
        name: name.parse().unwrap(),
        kind: TriggerKind::Webhook,
        place: format!("place-{number}"),
        sealed_secret: "sealed".to_owned(),
        secret_by: user_id(1),
        workflow: "onboard".parse().unwrap(),
        mapping: ".payload".to_owned(),
        filter: None,
        signing: Signing::default(),
        alert_end: AlertEnd::Continue,
        enabled: true,
        deliveries: 0,
        changed_by: user_id(1),
        changed_at: at(0),
    }
}

/// Where that trigger looks, if it is one that looks.
#[must_use]
pub fn watch(trigger: u128) -> Watch {
    Watch {
        trigger: trigger_id(trigger),
        connection: "storage".to_owned(),
        place: r#"{"bucket":"incoming"}"#.to_owned(),
        pause: 60,
        due_at: at(0),
        progress: None,
        looked_at: None,
        trouble: None,
    }
}

/// A delivery to that trigger that came to nothing.
#[must_use]
pub fn delivery(trigger: u128, key: &str, received_at: Timestamp) -> Delivery {
    Delivery {
        trigger: trigger_id(trigger),
        number: 0,
        key: key.to_owned(),
        received_at,
        payload: Some("sealed".to_owned()),
        outcome: TriggerOutcome::Filtered,
        detail: None,
        run: None,
        fingerprint: None,
        replay: None,
        repeats: 0,
        repeated_at: None,
    }
}

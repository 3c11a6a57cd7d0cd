//! The gate of every operation: one unit of work, one authorization, one audit entry.

use std::sync::Arc;

use audit::{Actor, Detail, Entry, Outcome, ResourceRef};
use domain::{ErrorCode, Name, NamedPolicy, Operation, OperationKind, Problem, Risk, RunId, Scope, Timestamp, UserId};
use policy::{Policies, Principal, Resource};
use serde_json::json;
use store::UnitOfWork;

use crate::{
    Caller, Origin, Reservation, Service, idempotency,
    problems::{OrProblem as _, from_store},
};

/// The policies of separated duties, whose refusals have codes of their own.
const SEPARATED: [(&str, ErrorCode); 4] = [
    ("nobody-decides-on-an-own-request", ErrorCode::OwnRequest),
    ("nobody-decides-on-an-own-change", ErrorCode::OwnData),
    ("nobody-publishes-their-own-change", ErrorCode::OwnChange),
    ("nobody-activates-their-own-policies", ErrorCode::OwnPolicies),
];

/// The code of a refusal that these policies have determined.
pub(crate) fn code_of(policies: &[String]) -> ErrorCode {
    let separated = SEPARATED.iter().find(|(policy, _)| policies.iter().any(|named| named == policy));
    separated.map_or(ErrorCode::Forbidden, |(_, code)| *code)
}

/// An operation under way.
pub struct Gate<'s> {
    service: &'s Service,
    operation: Operation,
    origin: Origin,
    actor: Actor,
    principal: Option<Principal>,
    session: Option<domain::SessionId>,
    token: Option<domain::TokenId>,
    reservation: Option<Reservation>,
    /// The unit of work; everything that the operation reads and writes goes through it.
    pub unit: Box<dyn UnitOfWork>,
    /// The time of the operation.
    pub now: Timestamp,
    /// The policies that are asked: the same from beginning to end.
    in_force: Arc<Policies>,
    /// Those that determined the answer; none were asked yet without.
    policies: Option<Vec<String>>,
    /// The risk of the workflow that they were asked about.
    risk: Option<Risk>,
}

/// What an operation was done on, as the audit log names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    /// Kind of resource.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its namespace.
    pub namespace: Option<Name>,
    /// The run that it belongs to, where it is none itself.
    pub run: Option<RunId>,
    /// Whom its name names, where it is no user and has the names of some in it.
    pub persons: Vec<UserId>,
}

impl Target {
    /// A resource without namespace.
    #[expect(clippy::needless_pass_by_value, reason = "ids are small and copied; a reference would clutter every call")]
    pub(crate) fn new(kind: &'static str, id: impl ToString, name: impl Into<String>) -> Self {
        Self { kind, id: id.to_string(), name: name.into(), namespace: None, run: None, persons: Vec::new() }
    }

    /// The same within a namespace.
    pub(crate) fn within(mut self, namespace: &Name) -> Self {
        self.namespace = Some(namespace.clone());
        self
    }

    /// The same as part of a run.
    pub(crate) fn of_run(self, run: RunId) -> Self {
        Self { run: Some(run), ..self }
    }

    /// The same, whose name has those of people in it.
    pub(crate) fn naming(self, persons: impl IntoIterator<Item = UserId>) -> Self {
        Self { persons: persons.into_iter().collect(), ..self }
    }

    /// The same on a scope.
    pub(crate) fn on(self, scope: &Scope) -> Self {
        Self { namespace: scope.namespace().cloned(), ..self }
    }
}

impl Service {
    /// Begins an operation that changes something.
    pub(crate) async fn enter(&self, caller: &Caller, operation: Operation) -> Result<Gate<'_>, Problem> {
        let unit = self.parts.store.begin().await.or_problem()?;
        Ok(self.gate(caller, operation, unit))
    }

    /// Begins an operation that only reads.
    pub(crate) async fn look(&self, caller: &Caller, operation: Operation) -> Result<Gate<'_>, Problem> {
        let unit = self.parts.store.snapshot().await.or_problem()?;
        Ok(self.gate(caller, operation, unit))
    }

    fn gate(&self, caller: &Caller, operation: Operation, unit: Box<dyn UnitOfWork>) -> Gate<'_> {
        Gate {
            service: self,
            operation,
            origin: caller.origin.clone(),
            actor: Actor { id: Some(caller.user), login: caller.login.clone() },
            principal: Some(caller.principal.clone()),
            session: caller.session,
            token: caller.token,
            reservation: caller.reservation.clone(),
            unit,
            now: self.now(),
            in_force: self.in_force(),
            policies: None,
            risk: None,
        }
    }

    /// Begins an operation of somebody who is not signed in. `claimed` is the name they gave, if any.
    pub(crate) async fn enter_anonymous(
        &self,
        origin: &Origin,
        operation: Operation,
        claimed: &str,
    ) -> Result<Gate<'_>, Problem> {
        Ok(Gate {
            service: self,
            operation,
            origin: origin.clone(),
            actor: Actor { id: None, login: claimed.to_owned() },
            principal: None,
            session: None,
            token: None,
            reservation: None,
            unit: self.parts.store.begin().await.or_problem()?,
            now: self.now(),
            in_force: self.in_force(),
            policies: None,
            risk: None,
        })
    }
}

impl Gate<'_> {
    /// Who acts, where that is known.
    pub(crate) fn person(&self) -> Option<UserId> {
        self.actor.id
    }

    /// Asks the policies. A refusal rolls back, is written to the audit log, and is what the operation returns.
    pub(crate) async fn authorize(&mut self, resource: &Resource, target: &Target) -> Result<(), Problem> {
        let decision = self.in_force.decide(self.principal.as_ref(), self.operation, resource);
        if let Some(principal) = &self.principal {
            self.service.questions.note(principal, self.operation, resource, self.now);
        }
        self.policies = Some(decision.policies.clone());
        self.risk = resource.risk();
        if decision.allowed {
            return Ok(());
        }
        // Nothing but the password is missing, whichever policy asks for it.
        let confirmed = resource.clone().confirmed(true);
        let code = if confirmed != *resource
            && self.in_force.decide(self.principal.as_ref(), self.operation, &confirmed).allowed
        {
            ErrorCode::StepUpRequired
        } else {
            code_of(&decision.policies)
        };
        let mut problem = Problem::new(code).with_detail(decision.missing);
        problem.policies = decision.policies.into_iter().map(NamedPolicy::of).collect();
        Err(self.refuse(target, problem).await)
    }

    /// Becomes another operation of the same unit: what was read has shown that it is that. Before anything is authorized.
    pub(crate) fn turn_into(&mut self, operation: Operation) {
        self.operation = operation;
    }

    /// Like [`Gate::authorize`], but a refusal looks as if the resource did not exist: for what the caller may not know of.
    pub(crate) async fn authorize_or_hide(&mut self, resource: &Resource, target: &Target) -> Result<(), Problem> {
        self.authorize(resource, target).await.map_err(|problem| {
            if problem.code == ErrorCode::Forbidden { Problem::new(ErrorCode::NotFound) } else { problem }
        })
    }

    /// Whether the operation's list shows this: the same question as of the thing itself, so that a list shows exactly what
    /// its detail pages would. For lists that are read whole; a page of a longer one is filtered where it is cut.
    pub(crate) fn shows(&self, resource: &Resource) -> bool {
        self.in_force.decide(self.principal.as_ref(), self.operation, resource).allowed
    }

    /// Drops what was begun, enters the refusal in the audit log, and gives the problem back.
    pub(crate) async fn refuse(&mut self, target: &Target, problem: Problem) -> Problem {
        // The sentence can have somebody in it.
        let detail = Detail::from(json!({"code": problem.code, "detail": problem.detail})).naming("/detail", None);
        let entry = self.entry(target, Outcome::Refused, detail);
        match self.refused(&entry).await {
            Ok(()) => problem,
            // A refusal that cannot be recorded is still no permission.
            Err(cause) => from_store(cause),
        }
    }

    async fn refused(&mut self, entry: &Entry) -> store::Result<()> {
        // The refused unit must give its locks up first: SQLite has one writer.
        let reading = self.service.parts.store.snapshot().await?;
        std::mem::replace(&mut self.unit, reading).rollback().await?;
        let mut unit = self.service.parts.store.begin().await?;
        audit::append(unit.as_mut(), entry).await?;
        unit.commit().await
    }

    /// An audit entry of this operation. Whoever holds a role by emergency access is marked in all that they do, and what
    /// belongs to a run says to which.
    pub(crate) fn entry(&self, target: &Target, outcome: Outcome, detail: impl Into<Detail>) -> Entry {
        let mut detail = detail.into();
        if let Some(members) = detail.value.as_object_mut() {
            let marks = [
                ("emergency", self.principal.as_ref().and_then(|person| person.emergency).map(|id| json!(id))),
                ("run", target.run.map(|run| json!(run))),
                ("risk", self.risk.map(|risk| json!(risk))),
            ];
            members.extend(marks.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        Entry {
            at: self.now,
            actor: self.actor.clone(),
            door: self.origin.door,
            session: self.session,
            token: self.token,
            address: Some(self.origin.address.clone()).filter(|address| !address.is_empty()),
            trace_id: self.origin.trace_id.clone(),
            action: self.operation.to_string(),
            resource: ResourceRef {
                kind: target.kind.to_owned(),
                id: target.id.clone(),
                name: target.name.clone(),
                persons: target.persons.clone(),
            },
            namespace: target.namespace.clone(),
            outcome,
            policies: self.policies.clone().unwrap_or_default(),
            policy_set: self.policies.as_ref().map(|_| self.in_force.digest().to_owned()),
            detail: detail.value,
            named: detail.named,
        }
    }

    /// Says who acts, once it is known (a sign-in, a one-time link).
    pub(crate) fn act_as(&mut self, user: &store::users::User) {
        self.actor = Actor { id: Some(user.id), login: user.login.clone() };
    }

    /// Enters the change in the audit log, and under its idempotency key, and makes all of it durable.
    pub(crate) async fn finish(mut self, target: &Target, detail: impl Into<Detail>) -> Result<(), Problem> {
        debug_assert_eq!(self.operation.kind(), OperationKind::Change);
        let entry = self.entry(target, Outcome::Done, detail);
        audit::append(self.unit.as_mut(), &entry).await.or_problem()?;
        self.finish_unaudited(&target.id).await
    }

    /// The same for a change of which there is no audit entry; a test has the list of those.
    pub(crate) async fn finish_unaudited(mut self, id: &str) -> Result<(), Problem> {
        if let Some(reservation) = &self.reservation {
            let done = idempotency::Done { operation: self.operation, id: id.to_owned() };
            self.unit.mark_answered(reservation, &done.to_string()).await.or_problem()?;
        }
        self.unit.commit().await.or_problem()
    }

    /// Enters a reading of something that auditors want to know of. Reading units cannot write, so it is a unit of its own.
    pub(crate) async fn note_reading(&mut self, target: &Target, detail: impl Into<Detail>) -> Result<(), Problem> {
        let entry = self.entry(target, Outcome::Done, detail);
        let mut unit = self.service.parts.store.begin().await.or_problem()?;
        audit::append(unit.as_mut(), &entry).await.or_problem()?;
        unit.commit().await.or_problem()
    }

    /// Makes a failed attempt durable (a wrong password with its count), with its audit entry.
    pub(crate) async fn fail(mut self, target: &Target, problem: Problem, detail: impl Into<Detail>) -> Problem {
        let entry = self.entry(target, Outcome::Refused, detail);
        let written = async {
            audit::append(self.unit.as_mut(), &entry).await?;
            self.unit.commit().await
        };
        match written.await {
            Ok(()) => problem,
            Err(cause) => from_store(cause),
        }
    }
}

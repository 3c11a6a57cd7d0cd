//! How many runs and calls of a namespace are executed at once.

use domain::{ErrorCode, Name, Operation, Problem, view::NamespaceLimitsView};
use policy::Resource;
use serde_json::{Value, json};
use store::limits::NamespaceLimits;

use crate::{
    Caller, Service,
    gate::Target,
    people::field,
    problems::{OrProblem as _, not_found},
    views::People,
};

/// The highest limit that can be set.
const MOST: u32 = 10_000;

/// Limits of a namespace to be set. What is not set has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewLimits {
    /// Runs at once.
    pub runs: Option<u32>,
    /// Calls at once.
    pub calls: Option<u32>,
}

fn target(namespace: &Name) -> Target {
    Target::new("namespace", namespace, namespace.as_str()).within(namespace)
}

fn checked(new: NewLimits) -> Result<(), Problem> {
    let mut errors = Vec::new();
    for (pointer, limit) in [("/runs", new.runs), ("/calls", new.calls)] {
        let (rule, expected) = match limit {
            Some(0) => ("minimum", 1),
            Some(limit) if limit > MOST => ("maximum", MOST),
            _ => continue,
        };
        errors.push(field(pointer, rule, json!(expected), "a limit is a number from 1 to 10000"));
    }
    if new == NewLimits::default() {
        errors.push(field("/runs", "required", Value::Null, "name a limit of runs, of calls, or of both"));
    }
    if errors.is_empty() { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors)) }
}

impl Service {
    /// The namespaces that have limits, by name.
    pub async fn namespace_limits(&self, caller: &Caller) -> Result<Vec<NamespaceLimitsView>, Problem> {
        let mut gate = self.look(caller, Operation::LimitList).await?;
        gate.authorize(&Resource::system(), &Target::new("namespaces", "", "")).await?;
        let limits = gate.unit.list_namespace_limits().await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), limits.iter().map(|limits| limits.changed_by)).await;
        let people = people.or_problem()?;
        Ok(limits.into_iter().map(|limits| view(limits, &people)).collect())
    }

    /// Limits how many runs and calls of a namespace are executed at once. Nodes follow within their next look around (a second);
    /// what is executed already goes on.
    pub async fn limit_namespace(
        &self,
        caller: &Caller,
        namespace: Name,
        new: NewLimits,
    ) -> Result<NamespaceLimitsView, Problem> {
        let mut gate = self.enter(caller, Operation::LimitUpdate).await?;
        let target = target(&namespace);
        gate.authorize(&Resource::system(), &target).await?;
        checked(new)?;
        let before = gate.unit.namespace_limits(&namespace).await.or_problem()?;
        let NewLimits { runs, calls } = new;
        let limits = NamespaceLimits { namespace, runs, calls, changed_by: caller.user, changed_at: gate.now };
        gate.unit.put_namespace_limits(&limits).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let change = json!({"before": before.as_ref().map(shown), "after": shown(&limits)});
        gate.finish(&target, change).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(view(limits, &people))
    }

    /// Takes the limits of a namespace away.
    pub async fn unlimit_namespace(&self, caller: &Caller, namespace: &Name) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::LimitDelete).await?;
        let target = target(namespace);
        gate.authorize(&Resource::system(), &target).await?;
        let before = gate.unit.namespace_limits(namespace).await.or_problem()?.ok_or_else(not_found)?;
        gate.unit.delete_namespace_limits(namespace).await.or_problem()?;
        gate.finish(&target, json!({"before": shown(&before), "after": null})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(())
    }
}

fn shown(limits: &NamespaceLimits) -> Value {
    json!({"runs": limits.runs, "calls": limits.calls})
}

fn view(limits: NamespaceLimits, people: &People) -> NamespaceLimitsView {
    NamespaceLimitsView {
        changed_by: people.get(limits.changed_by),
        namespace: limits.namespace,
        runs: limits.runs,
        calls: limits.calls,
        changed_at: limits.changed_at,
    }
}

//! Compliance controls: which workflows are evidence for them, how they were exercised, and what is open. See
//! `docs/adr/0036-controls-are-what-definitions-name.md`.

mod exceptions;
mod health;
mod index;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    ErrorCode, Operation, Problem, Timestamp, VersionState, WorkflowRef,
    view::{
        ComplianceView, ControlCoverage, ControlEvidence, ControlExceptionView, ControlListView, ControlSummary,
        ControlView, ControlWorkflowView, ControlsView, Page, RunSummary, Words,
    },
};
use policy::Resource;
use serde_json::{Value, json};
use store::controls::{NamedControl, VersionRuns};

use crate::{
    Caller, Service, cursor,
    gate::{Gate, Target},
    people::field,
    problems::{OrProblem as _, not_found},
    views::{People, run_summary},
};

/// How long a period is unless told.
const PERIOD: Duration = Duration::from_hours(90 * 24);
/// The id under which those controls are listed that definitions name and no list has.
const UNLISTED: &str = "-";

fn target(id: &str) -> Target {
    Target::new("control", id, id)
}

/// A version, whatever names it.
type VersionKey = (WorkflowRef, String);

/// What is known of all controls in a period, as far as the caller may see it.
struct Survey {
    from: Timestamp,
    to: Timestamp,
    named: Vec<NamedControl>,
    runs: BTreeMap<VersionKey, VersionRuns>,
    exceptions: Vec<ControlExceptionView>,
    cut_off: bool,
    archived: bool,
}

impl Survey {
    fn runs_of(&self, named: &NamedControl) -> Option<&VersionRuns> {
        self.runs.get(&(named.workflow.clone(), named.version.clone()))
    }

    fn of<'s>(&'s self, control: &'s str) -> impl Iterator<Item = &'s NamedControl> {
        self.named.iter().filter(move |named| named.control == control)
    }

    /// The versions in use that name a control: those that can be launched, and those that were in the period.
    fn in_use<'s>(&'s self, control: &'s str) -> impl Iterator<Item = (&'s NamedControl, u64)> {
        let counted = self.of(control).map(|named| (named, self.runs_of(named).map_or(0, |runs| runs.runs)));
        counted.filter(|(named, runs)| named.state == VersionState::Published || *runs > 0)
    }

    fn exceptions_of<'s>(&'s self, control: &'s str) -> impl Iterator<Item = &'s ControlExceptionView> {
        self.exceptions.iter().filter(move |exception| exception.controls.iter().any(|named| named == control))
    }

    fn summary(&self, id: String, number: String, title: Words) -> ControlSummary {
        let workflows: BTreeSet<_> = self.in_use(&id).map(|(named, _)| &named.workflow).collect();
        let last = self.of(&id).filter_map(|named| self.runs_of(named)?.last);
        ControlSummary {
            workflows: count(workflows.len()),
            runs: self.in_use(&id).map(|(_, runs)| runs).sum(),
            exceptions: count(self.exceptions_of(&id).count()),
            last_evidence: last.max_by_key(|(run, at)| (*at, *run)).map(|(run, at)| ControlEvidence { run, at }),
            id,
            number,
            title,
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn covered(id: &str, title: Words, controls: Vec<ControlSummary>) -> ControlListView {
    let sum = |counts: fn(&ControlSummary) -> bool| count(controls.iter().filter(|control| counts(control)).count());
    let coverage = ControlCoverage {
        id: id.to_owned(),
        title,
        total: count(controls.len()),
        covered: sum(|control| control.workflows > 0),
        exercised: sum(|control| control.runs > 0),
        with_exceptions: sum(|control| control.exceptions > 0),
    };
    ControlListView { coverage, controls }
}

impl Service {
    /// All controls by their lists, with what there is for them from `from` up to `to`; unless told, in the last 90 days.
    pub async fn audit_controls(
        &self,
        caller: &Caller,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<ControlsView, Problem> {
        let mut gate = self.look(caller, Operation::ControlRead).await?;
        let survey = self.survey(&mut gate, "all", (from, to)).await?;
        let Survey { from, to, cut_off, archived, .. } = survey;
        Ok(ControlsView { from, to, lists: self.lists(&survey), cut_off, archived })
    }

    /// One control with its workflows, runs and exceptions.
    pub async fn audit_control(
        &self,
        caller: &Caller,
        control: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<ControlView, Problem> {
        let mut gate = self.look(caller, Operation::ControlRead).await?;
        let survey = self.survey(&mut gate, control, (from, to)).await?;
        let listed = self.parts.controls.find(control);
        if listed.is_none() && survey.of(control).next().is_none() {
            return Err(not_found());
        }
        let (number, title) = match listed {
            Some((_, known)) => (known.number.clone(), known.title.clone()),
            None => (control.to_owned(), Words { en: control.to_owned(), ko: control.to_owned() }),
        };
        let runs = runs(&mut gate, &survey, control, cursor, limit).await?;
        let workflows = survey.in_use(control).map(|(named, runs)| ControlWorkflowView {
            namespace: named.workflow.namespace.clone(),
            name: named.workflow.name.clone(),
            version: named.version.clone(),
            title: named.title.clone(),
            state: named.state,
            runs,
        });
        Ok(ControlView {
            workflows: workflows.collect(),
            exceptions: survey.exceptions_of(control).cloned().collect(),
            control: survey.summary(control.to_owned(), number, title),
            list: listed.map(|(list, _)| list.title.clone()),
            from: survey.from,
            to: survey.to,
            runs,
            cut_off: survey.cut_off,
            archived: survey.archived,
        })
    }

    /// How the controls stand, what is open, and how the log stands that says so.
    pub async fn compliance(
        &self,
        caller: &Caller,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<ComplianceView, Problem> {
        let mut gate = self.look(caller, Operation::ControlRead).await?;
        let survey = self.survey(&mut gate, "compliance", (from, to)).await?;
        let reads_log = self.in_force().decide(&caller.principal, Operation::AuditRead, &Resource::system()).allowed;
        let ledger = if reads_log { Some(self.ledger_health(gate.unit.as_mut()).await.or_problem()?) } else { None };
        Ok(ComplianceView {
            from: survey.from,
            to: survey.to,
            lists: self.lists(&survey).into_iter().map(|list| list.coverage).collect(),
            exceptions: survey.exceptions,
            cut_off: survey.cut_off,
            archived: survey.archived,
            ledger,
        })
    }

    /// Looks at everything that names controls, as it is now. The gate is asked, the reading is noted, and its unit is one that
    /// has what happened until now.
    async fn survey(
        &self,
        gate: &mut Gate<'_>,
        about: &str,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Survey, Problem> {
        gate.authorize(&Resource::system(), &target(about)).await?;
        let to = to.unwrap_or(gate.now);
        let from = from.unwrap_or(to - PERIOD);
        if from >= to {
            let words = "the period must begin before it ends";
            let wrong = vec![field("/from", "period", Value::Null, words)];
            return Err(Problem::new(ErrorCode::InvalidInput).with_detail(words).with_errors(wrong));
        }
        gate.note_reading(&target(about), json!({"from": from, "to": to})).await?;
        self.sequence().await.or_problem()?;
        self.read_controls().await.or_problem()?;
        gate.unit = self.parts.store.snapshot().await.or_problem()?;
        let mut named = gate.unit.named_controls().await.or_problem()?;
        let mut seen = BTreeMap::new();
        named.retain(|named| {
            *seen.entry(named.workflow.clone()).or_insert_with_key(|workflow| gate.shows(&Resource::workflow(workflow)))
        });
        let runs = gate.unit.version_runs(from, to).await.or_problem()?;
        let runs = runs.into_iter().map(|runs| ((runs.workflow.clone(), runs.version.clone()), runs)).collect();
        let archived = gate.unit.has_archived(Some(from), Some(to)).await.or_problem()?;
        let mut survey = Survey { from, to, named, runs, exceptions: Vec::new(), cut_off: false, archived };
        let found = exceptions::found(gate.unit.as_mut(), &survey).await?;
        (survey.exceptions, survey.cut_off) = found;
        Ok(survey)
    }

    fn lists(&self, survey: &Survey) -> Vec<ControlListView> {
        let known = &self.parts.controls;
        let mut lists: Vec<_> = known
            .lists()
            .iter()
            .map(|list| {
                let summaries = list.controls.iter().map(|control| {
                    survey.summary(list.name_of(control), control.number.clone(), control.title.clone())
                });
                covered(&list.id, list.title.clone(), summaries.collect())
            })
            .collect();
        let unlisted: BTreeSet<_> =
            survey.named.iter().map(|named| &named.control).filter(|name| known.find(name).is_none()).collect();
        if !unlisted.is_empty() {
            let title = Words { en: "In no list".to_owned(), ko: "목록에 없는 통제".to_owned() };
            let summary = |name: &String| {
                survey.summary(name.clone(), name.clone(), Words { en: name.clone(), ko: name.clone() })
            };
            lists.push(covered(UNLISTED, title, unlisted.into_iter().map(summary).collect()));
        }
        lists
    }
}

/// A page of the runs that exercised a control, newest first.
async fn runs(
    gate: &mut Gate<'_>,
    survey: &Survey,
    control: &str,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<Page<RunSummary>, Problem> {
    let (limit, before) = (cursor::limit(limit), cursor::decode(cursor)?);
    let versions: Vec<_> = survey
        .in_use(control)
        .filter(|(_, runs)| *runs > 0)
        .map(|(named, _)| (named.workflow.clone(), named.version.clone()))
        .collect();
    let unit = gate.unit.as_mut();
    let found = unit.runs_of_versions(&versions, survey.from, survey.to, before, limit + 1).await.or_problem()?;
    let page = cursor::page(found, limit, |(number, _)| *number);
    let ids: Vec<_> = page.items.iter().map(|(_, id)| *id).collect();
    let mut rows = unit.runs_by_id(&ids).await.or_problem()?;
    rows.sort_by_key(|run| std::cmp::Reverse(run.number));
    let people = People::load(unit, rows.iter().map(|run| run.requester_id)).await.or_problem()?;
    Ok(Page { items: rows.iter().map(|run| run_summary(run, &people)).collect(), next: page.next })
}

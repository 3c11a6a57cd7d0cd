//! Exceptions: what saved questions find where a control should have held, and runs that failed and were not taken back.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Problem, Scope, Timestamp, VersionState, view::ControlExceptionView};
use store::{UnitOfWork, controls::NamedControl, questions::Field};

use super::{Survey, VersionKey};
use crate::{
    problems::OrProblem as _,
    questions::{Finding, findings},
};

/// Runs that need an operator, at most.
const RUNS: u32 = 1_000;
/// What a run is called that faulted and was not taken back.
const NEEDS_ATTENTION: &str = "needs-attention";
/// Emergency access without a review.
const EMERGENCY: &str = "emergency-access";

/// What an exception is about.
enum About {
    Run(i64),
    Version(VersionKey),
    Scope(Scope),
}

struct Exception {
    kind: &'static str,
    at: Timestamp,
    about: About,
    person: Option<String>,
    entry: Option<i64>,
}

/// The exceptions in the period of a survey that concern its controls, newest first, and whether there may be more.
pub(super) async fn found(
    unit: &mut dyn UnitOfWork,
    survey: &Survey,
) -> Result<(Vec<ControlExceptionView>, bool), Problem> {
    let (mut all, mut cut_off) = (Vec::new(), false);
    for (kind, reads) in [
        ("changes-without-approval", of_run as fn(&Finding) -> Option<About>),
        ("decisions-within-a-minute", of_run),
        ("published-without-tests", of_version),
        (EMERGENCY, of_emergency),
    ] {
        let answer = findings(unit, kind, survey.from, survey.to).await?;
        cut_off |= answer.cut_off;
        all.extend(answer.rows.iter().filter_map(|row| exception(kind, row, reads(row)?)));
    }
    let faulted = unit.faulted_for_attention(survey.from, survey.to, RUNS + 1).await.or_problem()?;
    cut_off |= faulted.len() > RUNS as usize;
    let mut versions = BTreeMap::new();
    for run in faulted.into_iter().take(RUNS as usize) {
        let about = About::Run(run.number);
        all.push(Exception { kind: NEEDS_ATTENTION, at: run.at, about, person: None, entry: None });
        versions.insert(run.number, (run.workflow, run.version));
    }
    let numbers: BTreeSet<_> = all
        .iter()
        .filter_map(|exception| match exception.about {
            About::Run(number) if !versions.contains_key(&number) => Some(number),
            _ => None,
        })
        .collect();
    let numbers: Vec<_> = numbers.into_iter().collect();
    for run in unit.versions_of_numbers(&numbers).await.or_problem()? {
        versions.insert(run.number, (run.workflow, run.version));
    }
    let mut views: Vec<_> = all.into_iter().filter_map(|exception| view(exception, survey, &versions)).collect();
    views.sort_by_key(|exception| std::cmp::Reverse((exception.at, exception.entry)));
    Ok((views, cut_off))
}

fn exception(kind: &'static str, row: &Finding, about: About) -> Option<Exception> {
    let at = ["at", "first_change"].into_iter().find_map(|name| number(row, name))?;
    let person = ["person", "requester"].into_iter().find_map(|name| text(row, name));
    let at = Timestamp::from_micros(at);
    Some(Exception { kind, at, about, person: person.map(str::to_owned), entry: number(row, "entry") })
}

fn of_run(row: &Finding) -> Option<About> {
    number(row, "run").map(About::Run)
}

fn of_version(row: &Finding) -> Option<About> {
    let (workflow, version) = text(row, "definition")?.rsplit_once(' ')?;
    Some(About::Version((workflow.parse().ok()?, version.to_owned())))
}

/// Whoever held a role, and nobody has looked at what was done with it.
fn of_emergency(row: &Finding) -> Option<About> {
    text(row, "confirmed_by").filter(|_| text(row, "reviewed_by").is_none())?;
    Some(About::Scope(text(row, "scope")?.parse().ok()?))
}

fn number(row: &Finding, name: &str) -> Option<i64> {
    match row.get(name) {
        Some(Field::Number(number)) => Some(*number),
        _ => None,
    }
}

fn text<'r>(row: &'r Finding, name: &str) -> Option<&'r str> {
    match row.get(name) {
        Some(Field::Text(text)) => Some(text),
        _ => None,
    }
}

/// The exception with the controls that it concerns; none if there are none that the caller may see.
fn view(exception: Exception, survey: &Survey, versions: &BTreeMap<i64, VersionKey>) -> Option<ControlExceptionView> {
    let Exception { kind, at, about, person, entry } = exception;
    let run = if let About::Run(number) = about { Some(number) } else { None };
    let (version, scope) = match &about {
        About::Run(number) => (Some(versions.get(number)?), None),
        About::Version(version) => (Some(version), None),
        About::Scope(scope) => (None, Some(scope)),
    };
    let concerns = |named: &NamedControl| match (version, scope) {
        (Some((workflow, version)), _) => named.workflow == *workflow && named.version == *version,
        (None, Some(scope)) => {
            named.state == VersionState::Published
                && scope.namespace().is_none_or(|namespace| *namespace == named.workflow.namespace)
        }
        (None, None) => false,
    };
    let controls: BTreeSet<_> =
        survey.named.iter().filter(|named| concerns(named)).map(|named| named.control.clone()).collect();
    if controls.is_empty() {
        return None;
    }
    Some(ControlExceptionView {
        kind: kind.to_owned(),
        at,
        run,
        definition: version.map(|(workflow, version)| format!("{workflow} {version}")),
        person,
        entry,
        controls: controls.into_iter().collect(),
    })
}

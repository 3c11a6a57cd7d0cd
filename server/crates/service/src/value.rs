//! What runs were worth: how many, what they saved, how long they took, how they failed. By workflow and team, never by person.
//!
//! The database counts by version that ran; what a version saves and whose it is, stands in its definition, and is put
//! together here. Nothing is kept: the same question about a period that is over has the same answer for ever, unless a team
//! has other members.

mod figures;
mod period;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ErrorCode, Name, Operation, Problem, TeamOf, Timestamp, ValueBy, WorkflowRef,
    view::{ValueBucket, ValueChoices, ValueClass, ValueQuery, ValueTeam, ValueView},
};
use jiff::civil::Date;
use policy::Resource;
use store::{
    UnitOfWork,
    value::{LEAD_TIME_BOUNDS, Requesters, RunVersion, Span, Spread},
};
use workflow::timetable::Zone;

use crate::{
    Caller, Gate, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
};
use figures::{Counts, Facts, Rows};
use period::{Days, Period, Wrong, day_of};

/// Teams with fewer members are not shown by what their members asked for: that would be about persons.
const SMALLEST_TEAM: usize = 3;
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

fn target() -> Target {
    Target::new("value", "", "")
}

/// What is asked, read.
struct Asked {
    zone: Zone,
    period: Period,
    namespace: Option<Name>,
    workflow: Option<WorkflowRef>,
    team: Option<String>,
    team_of: TeamOf,
    by: ValueBy,
}

impl Asked {
    fn read(query: &ValueQuery, now: Timestamp) -> Result<Self, Problem> {
        let text = |text: &Option<String>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        let mut wrong = Vec::new();
        let zone = match text(&query.zone) {
            None => Zone::default(),
            Some(name) => Zone::named(&name).unwrap_or_else(|| {
                let words = "there is no time zone of this name; an example is Asia/Seoul";
                wrong.push(field("/zone", "zone", serde_json::Value::Null, words));
                Zone::default()
            }),
        };
        let mut day = |pointer: &str, told: &Option<String>| -> Option<Date> {
            let told = text(told)?;
            let read = told.parse().ok();
            if read.is_none() {
                wrong.push(field(pointer, "date", serde_json::Value::Null, "a day is written like 2026-11-01"));
            }
            read
        };
        let (from, to) = (day("/from", &query.from), day("/to", &query.to));
        let namespace = text(&query.namespace).and_then(|name| {
            let read = name.parse().ok();
            if read.is_none() {
                wrong.push(field("/namespace", "namespace", serde_json::Value::Null, "this is no name of a namespace"));
            }
            read
        });
        let workflow = text(&query.workflow).and_then(|name| {
            let read = name.parse().ok();
            if read.is_none() {
                let words = "a workflow is named like identity/onboard-employee";
                wrong.push(field("/workflow", "workflow", serde_json::Value::Null, words));
            }
            read
        });
        all_right(wrong)?;
        let today = day_of(&zone, now).unwrap_or_default();
        let period = match (query.period, from, to) {
            (_, Some(from), to) => Period::of_days(from, to.unwrap_or(today)),
            (_, None, Some(to)) => Period::of_last(30, to),
            (Some(name), None, None) => Period::named(name, today),
            (None, None, None) => Period::of_last(30, today),
        };
        let period = period.map_err(|why| {
            let words = match why {
                Wrong::Reversed => "the period must begin before it ends",
                Wrong::TooLong => "the period is at most five years",
                Wrong::OutOfReach => "the period is outside of the calendar",
            };
            let wrong = vec![field("/from", "period", serde_json::Value::Null, words)];
            Problem::new(ErrorCode::InvalidInput).with_detail(words).with_errors(wrong)
        })?;
        Ok(Self {
            zone,
            period,
            namespace,
            workflow,
            team: text(&query.team),
            team_of: query.team_of.unwrap_or(TeamOf::Owner),
            by: query.by.unwrap_or(ValueBy::Workflow),
        })
    }

    fn span(&self, days: Days) -> Result<Span, Problem> {
        let outside = || Problem::new(ErrorCode::InvalidInput).with_detail("the period is outside of the calendar");
        days.span(&self.zone).ok_or_else(outside)
    }

    /// Whose requests count at all.
    fn requesters(&self) -> Requesters<'_> {
        match (&self.team, self.team_of) {
            (Some(team), TeamOf::Requester) => Requesters::Of(team),
            _ => Requesters::Everybody,
        }
    }

    /// Whether the runs of a version count.
    fn includes(&self, version: &RunVersion, facts: &Facts) -> bool {
        let workflow = &version.workflow;
        self.namespace.as_ref().is_none_or(|namespace| workflow.namespace == *namespace)
            && self.workflow.as_ref().is_none_or(|wanted| workflow == wanted)
            && (self.team_of == TeamOf::Requester
                || self.team.as_ref().is_none_or(|team| facts.owner.as_ref() == Some(team)))
    }

    /// Whether each row is about a team of those who asked.
    fn by_requesters(&self) -> bool {
        self.by == ValueBy::Team && self.team_of == TeamOf::Requester
    }
}

impl Service {
    /// What the runs were worth whose workflows the caller may see figures of.
    pub async fn value(&self, caller: &Caller, query: &ValueQuery) -> Result<ValueView, Problem> {
        let mut gate = self.look(caller, Operation::ValueRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let asked = Asked::read(query, gate.now)?;
        let teams = teams_of_requesters(gate.unit.as_mut(), asked.team_of).await?;
        if asked.team_of == TeamOf::Requester
            && let Some(team) = &asked.team
            && !teams.iter().any(|known| known.name == *team)
        {
            // A team that is too small looks like one that there is not.
            return Err(not_found());
        }
        let (step, parts) = asked.period.days.parts();
        let (whole, before) = (asked.span(asked.period.days)?, asked.span(asked.period.before)?);
        let mut spans = vec![before];
        for part in &parts {
            spans.push(asked.span(*part)?);
        }
        let unit = gate.unit.as_mut();
        let counts = Counts::read(unit, &spans, [before, whole], asked.requesters()).await?;
        let of_teams = if asked.by_requesters() {
            Some(Counts::read(unit, &[before, whole], [before, whole], Requesters::ByTeam).await?)
        } else {
            None
        };
        let shown = self.shown(&mut gate, counts.versions().chain(of_teams.iter().flat_map(Counts::versions))).await?;
        let kept: BTreeMap<_, _> =
            shown.iter().filter(|(version, facts)| asked.includes(version, facts)).map(|(v, f)| (*v, f)).collect();

        let mut rows = match &of_teams {
            Some(of_teams) => Rows::of_requesters(of_teams, &kept, &teams, asked.team.as_deref()),
            None => Rows::of_versions(&counts, &kept, asked.by),
        };
        let (mut total, mut earlier) = (counts.after_first(&kept), counts.of_first(&kept));
        for (span, of_all, now) in [(before, &mut earlier, false), (whole, &mut total, true)] {
            let groups = rows.groups(&kept);
            let (lead, decision) = times(gate.unit.as_mut(), span, &groups, asked.requesters()).await?;
            (of_all.lead_time, of_all.decision_time) = (figures::of_group(&lead, 0), figures::of_group(&decision, 0));
            if of_teams.is_some() {
                let (lead, decision) = times(gate.unit.as_mut(), span, &groups, Requesters::ByTeam).await?;
                rows.measured_by_team(now, &lead, &decision);
            } else {
                rows.measured(now, &lead, &decision);
            }
        }
        let versions: Vec<_> = kept.keys().map(|version| (*version).clone()).collect();
        let classes = gate.unit.lead_time_classes(whole, &versions, asked.requesters()).await.or_problem()?;
        let sees = self.in_force().run_visibility(&caller.principal);
        let archived = gate.unit.has_archived(Some(before.from), Some(whole.until)).await.or_problem()?;
        let buckets = parts.iter().enumerate().map(|(place, days)| ValueBucket {
            from: days.first.to_string(),
            to: days.last.to_string(),
            figures: counts.of_span(place + 1, &kept),
        });
        Ok(ValueView {
            from: asked.period.days.first.to_string(),
            to: asked.period.days.last.to_string(),
            before_from: asked.period.before.first.to_string(),
            before_to: asked.period.before.last.to_string(),
            zone: asked.zone.to_string(),
            step,
            by: asked.by,
            team_of: asked.team_of,
            total,
            before: earlier,
            buckets: buckets.collect(),
            lead_times: lead_times(&classes),
            rows: rows.into_views(|namespace| sees.includes(namespace, false)),
            choices: choices(&shown, teams, gate.unit.as_mut(), asked.team_of).await?,
            archived,
        })
    }

    /// The same as comma-separated values, for spreadsheets.
    pub async fn value_csv(&self, caller: &Caller, query: &ValueQuery) -> Result<String, Problem> {
        Ok(table::csv(&self.value(caller, query).await?))
    }

    /// What is known of each version whose figures the caller may see.
    async fn shown<'v>(
        &self,
        gate: &mut Gate<'_>,
        versions: impl Iterator<Item = &'v RunVersion>,
    ) -> Result<BTreeMap<&'v RunVersion, Facts>, Problem> {
        let mut allowed = BTreeMap::new();
        let mut shown = BTreeMap::new();
        for version in versions.collect::<BTreeSet<_>>() {
            let workflow = &version.workflow;
            let may = match allowed.get(workflow) {
                Some(may) => *may,
                None => gate.shows(&Resource::workflow(workflow)),
            };
            allowed.insert(workflow, may);
            if may {
                shown.insert(version, self.facts(gate.unit.as_mut(), version).await?);
            }
        }
        Ok(shown)
    }

    /// What a version says of itself; nothing where this program cannot read it any more, whose runs count nevertheless.
    async fn facts(&self, unit: &mut dyn UnitOfWork, version: &RunVersion) -> Result<Facts, Problem> {
        let mut definition = self.parts.definitions.known(&version.workflow, &version.version);
        if definition.is_none() {
            let stored = unit.workflow_version(&version.workflow, &version.version).await.or_problem()?;
            definition = stored.and_then(|stored| self.restore(&stored).ok());
        }
        Ok(definition.map_or_else(Facts::default, |definition| Facts {
            title: Some(definition.document().title()),
            owner: definition.rondo().owner.clone(),
            saves: definition.rondo().time_saved.map(|saved| saved.as_secs()),
        }))
    }
}

/// How long runs and decisions took.
async fn times(
    unit: &mut dyn UnitOfWork,
    span: Span,
    groups: &[(RunVersion, u32)],
    requesters: Requesters<'_>,
) -> Result<(Vec<Spread>, Vec<Spread>), Problem> {
    let lead = unit.lead_times(span, groups, requesters).await.or_problem()?;
    let decision = unit.decision_times(span, groups, requesters).await.or_problem()?;
    Ok((lead, decision))
}

/// The teams that are large enough to be shown by what their members asked for.
async fn teams_of_requesters(unit: &mut dyn UnitOfWork, team_of: TeamOf) -> Result<Vec<ValueTeam>, Problem> {
    let mut teams = Vec::new();
    if team_of == TeamOf::Requester {
        for team in unit.list_teams().await.or_problem()? {
            if unit.team_members(team.id).await.or_problem()?.len() >= SMALLEST_TEAM {
                teams.push(ValueTeam { name: team.name, title: team.title });
            }
        }
    }
    Ok(teams)
}

async fn choices(
    shown: &BTreeMap<&RunVersion, Facts>,
    of_requesters: Vec<ValueTeam>,
    unit: &mut dyn UnitOfWork,
    team_of: TeamOf,
) -> Result<ValueChoices, Problem> {
    let teams = if team_of == TeamOf::Requester {
        of_requesters
    } else {
        let known = unit.list_teams().await.or_problem()?;
        let owners: BTreeSet<_> = shown.values().filter_map(|facts| facts.owner.as_ref()).collect();
        let title = |owner: &str| known.iter().find(|team| team.name == owner).map(|team| team.title.clone());
        owners
            .into_iter()
            .map(|owner| ValueTeam { name: owner.clone(), title: title(owner).unwrap_or_else(|| owner.clone()) })
            .collect()
    };
    let namespaces: BTreeSet<_> = shown.keys().map(|version| version.workflow.namespace.to_string()).collect();
    let workflows: BTreeSet<_> = shown.keys().map(|version| version.workflow.to_string()).collect();
    Ok(ValueChoices { namespaces: namespaces.into_iter().collect(), teams, workflows: workflows.into_iter().collect() })
}

/// The classes with their bounds.
fn lead_times(counts: &[u64]) -> Vec<ValueClass> {
    let seconds = |bound: &i64| u64::try_from(bound / SECOND).unwrap_or(0);
    let mut from_seconds = 0;
    let bounds = LEAD_TIME_BOUNDS.iter().map(|bound| Some(seconds(bound))).chain([None]);
    bounds
        .zip(counts)
        .map(|(below_seconds, runs)| {
            let class = ValueClass { from_seconds, below_seconds, runs: *runs };
            from_seconds = below_seconds.unwrap_or(from_seconds);
            class
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::ValuePeriod;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-27T16:30:00Z".parse().unwrap()
    }

    #[test]
    fn days_win_over_a_name_and_thirty_are_the_rule() {
        let read = |query: &ValueQuery| {
            let asked = Asked::read(query, now()).unwrap();
            (asked.period.days.first.to_string(), asked.period.days.last.to_string())
        };
        let text = |text: &str| Some(text.to_owned());
        let of = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        let empty = ValueQuery { from: text(""), namespace: text(" "), ..ValueQuery::default() };
        assert_eq!(read(&empty), of("2026-10-29", "2026-11-27"));
        let seoul = ValueQuery { zone: text("Asia/Seoul"), ..ValueQuery::default() };
        assert_eq!(read(&seoul), of("2026-10-30", "2026-11-28"));
        let named = ValueQuery { period: Some(ValuePeriod::LastMonth), ..ValueQuery::default() };
        assert_eq!(read(&named), of("2026-10-01", "2026-10-31"));
        let told = ValueQuery { from: text("2026-11-20"), ..named };
        assert_eq!(read(&told), of("2026-11-20", "2026-11-27"));
        let until = ValueQuery { to: text("2026-01-30"), ..ValueQuery::default() };
        assert_eq!(read(&until), of("2026-01-01", "2026-01-30"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let text = |text: &str| Some(text.to_owned());
        let query = ValueQuery {
            from: text("yesterday"),
            zone: text("Mars/Olympus"),
            workflow: text("onboard"),
            namespace: text("No Name"),
            ..ValueQuery::default()
        };
        let problem = Asked::read(&query, now()).err().unwrap();
        let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(
            (problem.code, pointers),
            (ErrorCode::InvalidInput, vec!["/zone", "/from", "/namespace", "/workflow"])
        );
        let reversed = ValueQuery { from: text("2026-11-02"), to: text("2026-11-01"), ..ValueQuery::default() };
        assert_eq!(Asked::read(&reversed, now()).err().unwrap().code, ErrorCode::InvalidInput);
    }

    #[test]
    fn classes_have_their_bounds() {
        let classes = lead_times(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(classes.len(), 10);
        assert_eq!(classes[0], ValueClass { from_seconds: 0, below_seconds: Some(60), runs: 1 });
        assert_eq!(classes[1].from_seconds, 60);
        assert_eq!(classes[9], ValueClass { from_seconds: 2_592_000, below_seconds: None, runs: 7 });
    }
}

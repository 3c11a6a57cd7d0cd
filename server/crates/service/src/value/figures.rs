//! From what the database counted to figures of all, of parts of a period, and of workflows and teams.

use std::collections::BTreeMap;

use domain::{
    Name, Problem, ValueBy,
    view::{SpreadView, ValueFigures, ValueRow, ValueTeam},
};
use store::{
    UnitOfWork,
    value::{Counted, Endings, Requesters, RunVersion, Span, Spread},
};

use super::SECOND;
use crate::problems::OrProblem as _;

/// What a version says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// What people call it.
    pub(super) title: Option<String>,
    /// The team that answers for it.
    pub(super) owner: Option<String>,
    /// The seconds of work that a run of it saves.
    pub(super) saves: Option<u64>,
}

/// The versions that count.
pub(super) type Kept<'v> = BTreeMap<&'v RunVersion, &'v Facts>;

/// What was counted in several spans.
pub(super) struct Counts {
    asked: Vec<Counted<u64>>,
    ended: Vec<Counted<Endings>>,
    /// In the period before, and in the whole one.
    helped: Vec<Counted<u64>>,
    decided: Vec<Counted<u64>>,
}

impl Counts {
    pub(super) async fn read(
        unit: &mut dyn UnitOfWork,
        spans: &[Span],
        before_and_whole: [Span; 2],
        requesters: Requesters<'_>,
    ) -> Result<Self, Problem> {
        Ok(Self {
            asked: unit.runs_asked(spans, requesters).await.or_problem()?,
            ended: unit.runs_ended(spans, requesters).await.or_problem()?,
            helped: unit.interventions(&before_and_whole, requesters).await.or_problem()?,
            decided: unit.approvals_decided(&before_and_whole, requesters).await.or_problem()?,
        })
    }

    /// The versions of which anything was counted.
    pub(super) fn versions(&self) -> impl Iterator<Item = &RunVersion> {
        let ended = self.ended.iter().map(|counted| &counted.version);
        [&self.asked, &self.helped, &self.decided].into_iter().flatten().map(|counted| &counted.version).chain(ended)
    }

    /// The figures of one span.
    pub(super) fn of_span(&self, span: usize, kept: &Kept<'_>) -> ValueFigures {
        let mut figures = ValueFigures::default();
        for (_, it) in in_spans(&self.asked, kept, |at| at == span) {
            figures.started += it.figure;
        }
        for (facts, it) in in_spans(&self.ended, kept, |at| at == span) {
            add(&mut figures, facts, it.figure);
        }
        figures
    }

    /// The figures of the first span, which is the period before.
    pub(super) fn of_first(&self, kept: &Kept<'_>) -> ValueFigures {
        let helped = in_spans(&self.helped, kept, |at| at == 0).map(|(_, it)| it.figure).sum();
        ValueFigures { interventions: helped, ..self.of_span(0, kept) }
    }

    /// The figures of all others, which are the parts of the period.
    pub(super) fn after_first(&self, kept: &Kept<'_>) -> ValueFigures {
        let mut figures = ValueFigures::default();
        for (_, it) in in_spans(&self.asked, kept, |at| at > 0) {
            figures.started += it.figure;
        }
        for (facts, it) in in_spans(&self.ended, kept, |at| at > 0) {
            add(&mut figures, facts, it.figure);
        }
        figures.interventions = in_spans(&self.helped, kept, |at| at > 0).map(|(_, it)| it.figure).sum();
        figures
    }
}

/// What was counted in some of the spans, of versions that count.
fn in_spans<'c, T>(
    counted: &'c [Counted<T>],
    kept: &'c Kept<'_>,
    wanted: impl Fn(usize) -> bool + 'c,
) -> impl Iterator<Item = (&'c Facts, &'c Counted<T>)> {
    counted.iter().filter(move |it| wanted(it.span)).filter_map(|it| Some((*kept.get(&it.version)?, it)))
}

fn add(figures: &mut ValueFigures, facts: &Facts, endings: Endings) {
    let Endings { completed, faulted, rejected, cancelled, compensated, unsettled } = endings;
    figures.completed += completed;
    figures.faulted += faulted;
    figures.rejected += rejected;
    figures.cancelled += cancelled;
    figures.compensated += compensated;
    figures.unsettled += unsettled;
    if let Some(saves) = facts.saves {
        figures.saving += completed;
        figures.saved_seconds = figures.saved_seconds.saturating_add(saves.saturating_mul(completed));
    }
}

/// How long what is in a group took.
pub(super) fn of_group(spreads: &[Spread], group: u32) -> Option<SpreadView> {
    spreads.iter().find(|spread| spread.group == group).map(spread_view)
}

fn spread_view(spread: &Spread) -> SpreadView {
    let seconds = |micros: i64| u64::try_from(micros / SECOND).unwrap_or(0);
    SpreadView {
        count: spread.count,
        median_seconds: seconds(spread.median),
        ninetieth_seconds: seconds(spread.ninetieth),
    }
}

/// Figures by workflow or team. The place of a row, from 1, is its group; 0 is the group of all.
pub(super) struct Rows(Vec<Row>);

struct Row {
    key: String,
    title: String,
    /// The namespace of its workflow; none of a team's.
    namespace: Option<Name>,
    figures: ValueFigures,
    before: ValueFigures,
    versions: Vec<RunVersion>,
}

impl Row {
    fn new(key: String, title: String, namespace: Option<Name>) -> Self {
        let (figures, before) = (ValueFigures::default(), ValueFigures::default());
        Self { key, title, namespace, figures, before, versions: Vec::new() }
    }

    fn side(&mut self, is_before: bool) -> &mut ValueFigures {
        if is_before { &mut self.before } else { &mut self.figures }
    }
}

impl Rows {
    /// By workflow, or by the team that answers for it.
    pub(super) fn of_versions(counts: &Counts, kept: &Kept<'_>, by: ValueBy) -> Self {
        let mut rows: BTreeMap<String, Row> = BTreeMap::new();
        // Versions are in order, so the title is that of the last.
        for (version, facts) in kept {
            let workflow = &version.workflow;
            let (key, title, namespace) = match by {
                ValueBy::Workflow => (
                    workflow.to_string(),
                    facts.title.clone().unwrap_or_else(|| workflow.name.to_string()),
                    Some(workflow.namespace.clone()),
                ),
                ValueBy::Team => {
                    let owner = facts.owner.clone().unwrap_or_default();
                    (owner.clone(), owner, None)
                }
            };
            let row = rows.entry(key.clone()).or_insert_with(|| Row::new(key, String::new(), namespace));
            row.title = title;
            row.versions.push((*version).clone());
        }
        for row in rows.values_mut() {
            let own: Kept<'_> =
                row.versions.iter().filter_map(|version| kept.get_key_value(version)).map(|(v, f)| (*v, *f)).collect();
            (row.before, row.figures) = (counts.of_first(&own), counts.after_first(&own));
        }
        Self(rows.into_values().collect())
    }

    /// By the teams of those who asked; `only` one of them where that is told. Who is in none may be one person, and is left out.
    pub(super) fn of_requesters(counts: &Counts, kept: &Kept<'_>, teams: &[ValueTeam], only: Option<&str>) -> Self {
        let wanted = teams.iter().filter(|team| only.is_none_or(|only| only == team.name));
        let rows = wanted.map(|team| {
            let of_team = counts.of_team(&team.name);
            let mut row = Row::new(team.name.clone(), team.title.clone(), None);
            (row.before, row.figures) = (of_team.of_first(kept), of_team.after_first(kept));
            row
        });
        Self(rows.collect())
    }

    /// Which versions are in which groups: each in that of all, and in its row's.
    pub(super) fn groups(&self, kept: &Kept<'_>) -> Vec<(RunVersion, u32)> {
        let of_all = kept.keys().map(|version| ((*version).clone(), 0));
        let of_rows =
            (1..).zip(&self.0).flat_map(|(group, row)| row.versions.iter().map(move |it| (it.clone(), group)));
        of_all.chain(of_rows).collect()
    }

    /// Takes in how long what is in the groups took.
    pub(super) fn measured(&mut self, now: bool, lead: &[Spread], decision: &[Spread]) {
        for (group, row) in (1..).zip(&mut self.0) {
            let side = row.side(!now);
            (side.lead_time, side.decision_time) = (of_group(lead, group), of_group(decision, group));
        }
    }

    /// Takes in how long what each team asked for took.
    pub(super) fn measured_by_team(&mut self, now: bool, lead: &[Spread], decision: &[Spread]) {
        for row in &mut self.0 {
            let key = row.key.clone();
            let of_team = |spreads: &[Spread]| {
                let its = |spread: &&Spread| spread.group == 0 && spread.team.as_deref() == Some(key.as_str());
                spreads.iter().find(its).map(spread_view)
            };
            let side = row.side(!now);
            (side.lead_time, side.decision_time) = (of_team(lead), of_team(decision));
        }
    }

    /// Those with anything to show, those that saved most first.
    pub(super) fn into_views(self, sees: impl Fn(&Name) -> bool) -> Vec<ValueRow> {
        let anything = |row: &Row| row.figures != ValueFigures::default() || row.before != ValueFigures::default();
        let mut views: Vec<_> = self
            .0
            .into_iter()
            .filter(anything)
            .map(|row| ValueRow {
                sees_runs: row.namespace.as_ref().is_some_and(&sees),
                key: row.key,
                title: row.title,
                figures: row.figures,
                before: row.before,
            })
            .collect();
        let order = |row: &ValueRow| (row.figures.saved_seconds, row.figures.ended(), row.figures.started);
        views.sort_by(|one, other| order(other).cmp(&order(one)).then_with(|| one.key.cmp(&other.key)));
        views
    }
}

impl Counts {
    /// What was counted of what the members of a team asked for.
    fn of_team(&self, name: &str) -> Self {
        fn only<T: Clone>(counted: &[Counted<T>], name: &str) -> Vec<Counted<T>> {
            counted.iter().filter(|it| it.team.as_deref() == Some(name)).cloned().collect()
        }
        Self {
            asked: only(&self.asked, name),
            ended: only(&self.ended, name),
            helped: only(&self.helped, name),
            decided: only(&self.decided, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(workflow: &str, version: &str) -> RunVersion {
        RunVersion { workflow: workflow.parse().unwrap(), version: version.to_owned() }
    }

    fn counted<T>(span: usize, version: &RunVersion, figure: T) -> Counted<T> {
        Counted { span, version: version.clone(), team: None, figure }
    }

    fn facts(owner: &str, saves: Option<u64>) -> Facts {
        Facts { title: Some(format!("Of {owner}")), owner: Some(owner.to_owned()), saves }
    }

    #[test]
    fn what_is_saved_is_that_of_the_version_that_ran() {
        let (old, new, other) = (version("it/a", "1.0.0"), version("it/a", "1.1.0"), version("hr/b", "1.0.0"));
        let ended = |completed, faulted| Endings { completed, faulted, ..Endings::default() };
        let counts = Counts {
            asked: vec![counted(0, &old, 9), counted(1, &old, 2), counted(2, &new, 3), counted(1, &other, 5)],
            ended: vec![
                counted(0, &old, ended(1, 0)),
                counted(1, &old, ended(2, 1)),
                counted(2, &new, ended(3, 0)),
                counted(2, &other, ended(4, 0)),
            ],
            helped: vec![counted(0, &old, 1), counted(1, &new, 2)],
            decided: vec![],
        };
        let (of_old, of_new, of_other) = (facts("blue", Some(60)), facts("green", Some(600)), facts("green", None));
        let kept = Kept::from([(&old, &of_old), (&new, &of_new), (&other, &of_other)]);
        let total = counts.after_first(&kept);
        assert_eq!((total.started, total.completed, total.faulted, total.interventions), (10, 9, 1, 2));
        assert_eq!((total.saved_seconds, total.saving), (2 * 60 + 3 * 600, 5));
        assert_eq!(counts.of_span(1, &kept).saved_seconds, 120);
        let before = counts.of_first(&kept);
        assert_eq!((before.started, before.saved_seconds, before.interventions), (9, 60, 1));
        assert_eq!(total.failed_per_mille(), Some(100));

        let by_workflow = Rows::of_versions(&counts, &kept, ValueBy::Workflow);
        assert_eq!(by_workflow.groups(&kept).len(), 6);
        let by_workflow = by_workflow.into_views(|namespace| namespace.as_str() == "it");
        let keys: Vec<_> = by_workflow.iter().map(|row| (row.key.as_str(), row.sees_runs)).collect();
        assert_eq!(keys, [("it/a", true), ("hr/b", false)]);
        assert_eq!(by_workflow[0].title, "Of green", "the title is that of the latest version");
        let by_team = Rows::of_versions(&counts, &kept, ValueBy::Team).into_views(|_| true);
        let saved: Vec<_> = by_team.iter().map(|row| (row.key.as_str(), row.figures.saved_seconds)).collect();
        assert_eq!(saved, [("green", 1_800), ("blue", 120)]);
        let only = Kept::from([(&other, &of_other)]);
        assert_eq!(counts.after_first(&only).completed, 4);
    }

    #[test]
    fn times_come_to_their_rows() {
        let (one, two) = (version("it/a", "1.0.0"), version("it/b", "1.0.0"));
        let known = facts("blue", None);
        let kept = Kept::from([(&one, &known), (&two, &known)]);
        let counts = Counts {
            asked: vec![counted(1, &one, 1), counted(1, &two, 1)],
            ended: vec![],
            helped: vec![],
            decided: vec![],
        };
        let mut rows = Rows::of_versions(&counts, &kept, ValueBy::Workflow);
        let spread = |group, seconds: i64| Spread {
            group,
            team: None,
            count: 3,
            median: seconds * SECOND,
            ninetieth: 2 * seconds * SECOND + 1,
        };
        let found = [spread(0, 5), spread(2, 7)];
        assert_eq!(of_group(&found, 0), Some(SpreadView { count: 3, median_seconds: 5, ninetieth_seconds: 10 }));
        rows.measured(true, &found, &[]);
        let views = rows.into_views(|_| true);
        assert_eq!(views[0].figures.lead_time, None);
        assert_eq!(views[1].figures.lead_time.unwrap().median_seconds, 7);
        assert_eq!(views[1].before.lead_time, None);
    }
}

use serde::{Deserialize, Serialize};

use crate::{TeamOf, ValueBy, ValuePeriod, ValueStep};

/// What figures about value are asked for, as it stands in addresses. Nothing given: the last 30 days of UTC, all that one may
/// see, by workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ValueQuery {
    /// A period that is known by name. Days that are given win over it.
    pub period: Option<ValuePeriod>,
    /// The first day (`2026-11-01`); the 29th before the last day unless told.
    pub from: Option<String>,
    /// The last day; today unless told.
    pub to: Option<String>,
    /// The IANA time zone whose days are meant (`Asia/Seoul`); UTC unless told.
    pub zone: Option<String>,
    /// Only workflows of this namespace.
    pub namespace: Option<String>,
    /// Only this team.
    pub team: Option<String>,
    /// Which team is meant; the owner of the workflow unless told.
    pub team_of: Option<TeamOf>,
    /// Only this workflow (`namespace/name`).
    pub workflow: Option<String>,
    /// What each row is about; a workflow unless told.
    pub by: Option<ValueBy>,
}

/// How long something took. Both are nearest ranks: each was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SpreadView {
    /// How many were measured.
    pub count: u64,
    /// What half of them took at most.
    pub median_seconds: u64,
    /// What nine of ten took at most.
    pub ninetieth_seconds: u64,
}

/// Figures about runs. Of those that were asked for in the period, `started`; everything else of those that ended, were
/// decided or were helped in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ValueFigures {
    /// Runs that were asked for.
    pub started: u64,
    /// Runs that ended as defined.
    pub completed: u64,
    /// Runs that ended by an error, rejected ones left out.
    pub faulted: u64,
    /// Runs that ended because somebody rejected them.
    pub rejected: u64,
    /// Runs that somebody cancelled.
    pub cancelled: u64,
    /// Runs that took back all that they had done.
    pub compensated: u64,
    /// Runs that ended with something left to an operator, because it could not be taken back.
    pub unsettled: u64,
    /// How often a run was retried, a task skipped, a run resumed elsewhere, or the outcome of a call told.
    pub interventions: u64,
    /// The work that completed runs saved, as their definitions tell.
    pub saved_seconds: u64,
    /// How many of the completed runs have a definition that tells what it saves.
    pub saving: u64,
    /// From request to end, of runs that completed.
    #[serde(default)]
    pub lead_time: Option<SpreadView>,
    /// From the opening of an approval to its decision.
    #[serde(default)]
    pub decision_time: Option<SpreadView>,
}

impl ValueFigures {
    /// Runs that ended.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.completed + self.faulted + self.rejected + self.cancelled
    }

    /// How many of a thousand runs that ended had failed; none where none ended.
    #[must_use]
    pub const fn failed_per_mille(&self) -> Option<u64> {
        per_mille(self.faulted, self.ended())
    }

    /// How many of a thousand runs that ended had taken something back, whether that worked or not.
    #[must_use]
    pub const fn compensated_per_mille(&self) -> Option<u64> {
        per_mille(self.compensated + self.unsettled, self.ended())
    }
}

/// A part of a whole in thousandths, rounded.
const fn per_mille(part: u64, whole: u64) -> Option<u64> {
    (part * 1_000 + whole / 2).checked_div(whole)
}

/// A part of the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ValueBucket {
    /// Its first day.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub from: String,
    /// Its last day.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub to: String,
    /// Its figures, without how long anything took and how often somebody helped.
    pub figures: ValueFigures,
}

/// A class of lead times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ValueClass {
    /// Runs in it took at least this.
    pub from_seconds: u64,
    /// And less than this; none: however long.
    #[serde(default)]
    pub below_seconds: Option<u64>,
    /// How many runs.
    pub runs: u64,
}

/// Figures about one workflow or team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ValueRow {
    /// The workflow (`namespace/name`), or the name of the team; empty for what is no team's.
    pub key: String,
    /// What people call it.
    pub title: String,
    /// Whether the caller sees the runs of it.
    pub sees_runs: bool,
    /// Its figures.
    pub figures: ValueFigures,
    /// Those of the period before.
    pub before: ValueFigures,
}

/// A team that figures can be narrowed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueTeam {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// What figures can be narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValueChoices {
    /// Namespaces of which something ran.
    pub namespaces: Vec<String>,
    /// Teams.
    pub teams: Vec<ValueTeam>,
    /// Workflows that ran.
    pub workflows: Vec<String>,
}

/// What runs were worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ValueView {
    /// The first day.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub from: String,
    /// The last day.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub to: String,
    /// The first day of the period that it is compared with.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub before_from: String,
    /// Its last day.
    #[cfg_attr(feature = "openapi", schema(format = Date))]
    pub before_to: String,
    /// The time zone whose days these are.
    pub zone: String,
    /// How long each part of the period is.
    pub step: ValueStep,
    /// What each row is about.
    pub by: ValueBy,
    /// Which team is meant.
    pub team_of: TeamOf,
    /// Of all.
    pub total: ValueFigures,
    /// Of all, in the period before.
    pub before: ValueFigures,
    /// The period in its parts, in order.
    pub buckets: Vec<ValueBucket>,
    /// How many runs took how long, the shortest first.
    pub lead_times: Vec<ValueClass>,
    /// By workflow or team, those that saved most first.
    pub rows: Vec<ValueRow>,
    /// What it can be narrowed to.
    pub choices: ValueChoices,
    /// Whether entries of the audit log from both periods were archived, so that not all interventions are counted.
    #[serde(default)]
    pub archived: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_what_ended() {
        let figures =
            ValueFigures { completed: 5, faulted: 1, compensated: 1, unsettled: 1, ..ValueFigures::default() };
        assert_eq!((figures.failed_per_mille(), figures.compensated_per_mille()), (Some(167), Some(333)));
        assert_eq!(ValueFigures { started: 3, ..ValueFigures::default() }.failed_per_mille(), None);
    }
}

use store::{
    Result, UnitOfWork,
    value::{Requesters, RunVersion, Span},
};

use super::{Operation, WORKFLOWS, shown};
use crate::fixtures::at;

impl Operation {
    pub(super) async fn value(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let spans = [Span { from: at(0), until: self.time }, Span { from: self.time, until: at(1_000) }];
        let requesters = match self.a % 3 {
            0 => Requesters::Everybody,
            1 => Requesters::Of("seed-1"),
            _ => Requesters::ByTeam,
        };
        let versions = WORKFLOWS.iter().map(|name| RunVersion {
            workflow: name.parse().unwrap(),
            version: if self.flag { "1.0.0" } else { "2.0.0" }.to_owned(),
        });
        let groups: Vec<_> = versions.zip(0..2).collect();
        let only: Vec<_> = groups.iter().map(|(version, _)| version.clone()).collect();
        Ok(match self.b % 3 {
            0 => shown((unit.runs_asked(&spans, requesters).await?, unit.runs_ended(&spans, requesters).await?)),
            1 => shown((
                unit.interventions(&spans, requesters).await?,
                unit.approvals_decided(&spans, requesters).await?,
                unit.lead_time_classes(spans[1], &only, requesters).await?,
            )),
            _ => shown((
                unit.lead_times(spans[1], &groups, requesters).await?,
                unit.decision_times(spans[1], &groups, requesters).await?,
            )),
        })
    }
}

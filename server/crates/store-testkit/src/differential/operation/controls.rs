use domain::view::AuditFilter;
use store::{Result, UnitOfWork};

use super::{Operation, pick, shown};
use crate::fixtures::{at, workflow};

const NAMES: &[&str] = &["X:1", "X:2", "Y:A.5.16"];
const VERSIONS: &[&str] = &["1.0.0", "2.0.0", "3.0.0"];

impl Operation {
    pub(super) async fn controls(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let version = pick(VERSIONS, self.a);
        let control = pick(NAMES, self.b).to_owned();
        let versions = [(workflow(), version.to_owned())];
        Ok(match self.c % 8 {
            0 => shown(unit.unread_versions(self.limit).await?),
            1 | 2 => {
                let named: Vec<_> = self.flag.then_some(control).into_iter().collect();
                let unread = unit.unread_versions(9).await?;
                match unread.first() {
                    Some(first) => shown(unit.put_version_controls(&first.workflow, &first.version, &named).await?),
                    None => shown(unread),
                }
            }
            3 => shown(unit.version_runs(at(0), self.time).await?.iter().map(|runs| runs.runs).collect::<Vec<_>>()),
            4 => shown(unit.runs_of_versions(&versions, at(0), self.time, None, self.limit).await?.len()),
            5 => shown(unit.faulted_for_attention(at(0), self.time, self.limit).await?.len()),
            6 => {
                let (indexed, size) = (unit.controls_indexed().await?, unit.audit_size().await?);
                shown(unit.index_controls(indexed, size).await?)
            }
            _ => {
                let filter = AuditFilter { control: Some(control), ..AuditFilter::default() };
                let verified = unit.last_audit_verification().await?;
                shown((unit.audit_places(&filter, None, self.limit).await?, unit.named_controls().await?, verified))
            }
        })
    }
}

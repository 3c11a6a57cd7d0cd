use std::time::Duration;

use store::{Result, UnitOfWork, receivers::Reached};

use super::{Operation, pick, shown};

const NAMES: &[&str] = &["archive", "siem"];
const NODES: &[&str] = &["node-a", "node-b"];

impl Operation {
    pub(super) async fn receivers(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (name, node) = (pick(NAMES, self.a), pick(NODES, self.b));
        let reached =
            Reached { entries: i64::from(self.limit), checkpoint: self.flag.then_some(i64::from(self.limit)) };
        let until = self.time + Duration::from_secs(5);
        Ok(match self.c % 7 {
            0 => shown(unit.insert_receiver(name, reached).await?),
            1 | 2 => shown(unit.take_receiver(name, node, self.time, until).await?),
            3 => shown(unit.note_delivery(name, node, reached, self.time, until).await?),
            4 => shown(unit.note_delivery_failure(name, node, self.text, self.time).await?),
            5 if self.flag => shown(unit.release_all_receivers().await?),
            5 => shown(unit.release_receiver(name, node).await?),
            _ => shown(unit.receiver(name).await?),
        })
    }
}

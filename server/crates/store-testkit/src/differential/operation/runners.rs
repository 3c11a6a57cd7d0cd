use std::time::Duration;

use domain::RunnerState;
use store::{
    Result, UnitOfWork,
    runners::{Beginning, Held, Turn},
};

use super::{Operation, pick, shown};
use crate::fixtures::{runner, runner_id, runner_task};

const LABELS: &[&[&str]] = &[&[], &["dmz"], &["dmz", "linux"]];

impl Operation {
    pub(super) async fn runners(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (labels, id) = (pick(LABELS, self.b), runner_id(self.a % 3));
        let call = u32::try_from(self.b % 4).unwrap_or_default();
        let mut task = runner_task(self.a, call, labels);
        task.idempotent = self.flag;
        task.queued_at = self.time;
        let held = Held { key: task.key, epoch: i64::from(self.limit % 3) };
        let until = self.time + Duration::from_secs(20);
        Ok(match self.c {
            1 => shown(unit.insert_runner(&runner(self.a, labels)).await?),
            2 => shown(unit.update_runner_state(id, RunnerState::Disabled).await?),
            3 if self.flag => shown(unit.delete_runner(id).await?),
            3 => shown(unit.list_runners().await?),
            4 => {
                let beginning = Beginning { instance: self.text.to_owned(), version: "1".to_owned(), capacity: 2 };
                shown(unit.begin_runner(id, &beginning, self.time).await?)
            }
            5 => {
                let turn = Turn { runner: id, session: i64::from(self.limit % 2), turn: i64::from(call) };
                shown(unit.take_runner_turn(turn, self.limit, self.time).await?)
            }
            6..=9 => shown(unit.insert_runner_task(&task, self.text).await?),
            10..=13 => {
                let demands = unit.queued_demands().await?;
                shown(unit.lease_runner_tasks(id, &demands, self.limit, until).await?)
            }
            14 | 15 => shown(unit.start_runner_task(held, id, self.time).await?),
            16 => shown(unit.requeue_runner_task(held).await?),
            17 | 18 => shown(unit.finish_runner_task(held, self.text, self.time).await?),
            19 => shown(unit.stop_runner_task(task.key, self.text, self.time).await?),
            20 => {
                unit.renew_runner_tasks(id, until).await?;
                shown(unit.expired_runner_tasks(self.time, self.limit).await?)
            }
            21 => shown((unit.runners_to_stop().await?, unit.finished_runner_tasks(&[task.key]).await?)),
            22 if self.flag => shown(unit.delete_runner_tasks(self.time).await?),
            22 => shown(unit.stop_orphaned_runner_tasks(self.text, self.time).await?),
            _ => shown((unit.runner_task(task.key).await?, unit.tasks_of_runner(id).await?)),
        })
    }
}

use domain::{AnswerEvery, Timestamp};
use store::{
    Result, UnitOfWork,
    questions::{self, Subscription},
};

use super::{Operation, pick, shown};
use crate::fixtures::{at, user_id};

impl Operation {
    pub(super) async fn questions(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let user = user_id(self.a);
        let question = questions::named(pick(questions::ALL, self.c).name).unwrap();
        let subscription = Subscription {
            user_id: user,
            question: question.name.to_owned(),
            every: pick(AnswerEvery::ALL, self.b),
            since: at(0),
            answered: self.time,
            due_at: self.time + std::time::Duration::from_secs(1),
        };
        Ok(match self.b % 5 {
            0 => shown(unit.put_subscription(&subscription).await?),
            1 => shown(unit.delete_subscription(user, question.name).await?),
            2 => {
                let due = unit.due_subscriptions(self.time, self.limit).await?;
                if let Some(first) = due.first() {
                    unit.move_subscription(first, self.time, self.time + std::time::Duration::from_secs(5)).await?;
                }
                shown(due)
            }
            3 => shown((unit.subscription(user, question.name).await?, unit.subscriptions_of(user).await?)),
            _ => {
                let (from, until) = (self.time, Timestamp::from_micros(i64::MAX));
                let rows = unit.ask(question, from, until, 100_000).await?;
                // Each database gives numbers to runs by itself.
                if question.query.contains("r.number") { shown(rows.len()) } else { shown(rows) }
            }
        })
    }
}

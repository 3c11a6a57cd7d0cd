//! Saved questions of auditors: each is a text in the repository, shown as it runs, answered about a period, and had answered
//! every so often by whoever wants that. See `docs/adr/0030-questions-are-texts.md`.

mod catalogue;
mod cells;
mod following;
mod period;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    ErrorCode, Operation, Problem, Timestamp,
    view::{AuditAnswerView, AuditQuestionView},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    questions::{Field, Question, Subscription},
};

use crate::{
    Caller, Service,
    gate::Target,
    people::field,
    problems::{OrProblem as _, not_found},
};
use catalogue::Saved;

/// Rows of an answer at most.
const ROWS: u32 = 1_000;
/// The length of a day.
const DAY: Duration = Duration::from_hours(24);

fn target(name: &str) -> Target {
    Target::new("question", name, name)
}

impl Service {
    /// The saved questions, and which of them the caller follows.
    pub async fn audit_questions(&self, caller: &Caller) -> Result<Vec<AuditQuestionView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target("")).await?;
        let followed = gate.unit.subscriptions_of(caller.user).await.or_problem()?;
        let view =
            |saved: &Saved| view(saved, followed.iter().find(|followed| followed.question == saved.question.name));
        Ok(catalogue::all().iter().map(view).collect())
    }

    /// The answer to a question about the time from `from` up to `to`: unless told, up to now, for as long as the question says.
    pub async fn audit_answer(
        &self,
        caller: &Caller,
        name: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<AuditAnswerView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target(name)).await?;
        let saved = catalogue::named(name).ok_or_else(not_found)?;
        let to = to.unwrap_or(gate.now);
        let from = from.unwrap_or(to - DAY * saved.text.days);
        if from >= to {
            let words = "the period must begin before it ends";
            let wrong = vec![field("/from", "period", Value::Null, words)];
            return Err(Problem::new(ErrorCode::InvalidInput).with_detail(words).with_errors(wrong));
        }
        gate.note_reading(&target(name), json!({"from": from, "to": to})).await?;
        // What has happened by now belongs to the answer, wherever it waits for its place.
        self.sequence().await.or_problem()?;
        gate.unit = self.parts.store.snapshot().await.or_problem()?;
        let (rows, cut_off) = answer(gate.unit.as_mut(), saved.question, from, to).await?;
        let archived = gate.unit.has_archived(Some(from), Some(to)).await.or_problem()?;
        let followed = gate.unit.subscription(caller.user, name).await.or_problem()?;
        Ok(AuditAnswerView {
            question: view(saved, followed.as_ref()),
            from,
            to,
            rows: rows.into_iter().map(|row| cells::row(&saved.text.columns, row)).collect(),
            cut_off,
            archived,
        })
    }

    /// The same as comma-separated values, for spreadsheets.
    pub async fn audit_answer_csv(
        &self,
        caller: &Caller,
        name: &str,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<String, Problem> {
        Ok(cells::csv(&self.audit_answer(caller, name, from, to).await?))
    }
}

/// A row of an answer: what stands in each column, by the column's name.
pub(crate) type Finding = BTreeMap<&'static str, Field>;

/// What a question has found.
pub(crate) struct Findings {
    /// The rows of its answer.
    pub(crate) rows: Vec<Finding>,
    /// Whether there are more.
    pub(crate) cut_off: bool,
}

/// What the question of this name finds, for those who go on working with it.
pub(crate) async fn findings(
    unit: &mut dyn UnitOfWork,
    name: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<Findings, Problem> {
    let saved = catalogue::named(name).ok_or_else(not_found)?;
    let (rows, cut_off) = answer(unit, saved.question, from, to).await?;
    let names = || saved.text.columns.iter().map(|column| column.name.as_str());
    Ok(Findings { rows: rows.into_iter().map(|row| names().zip(row).collect()).collect(), cut_off })
}

/// The rows of an answer, and whether there are more.
async fn answer(
    unit: &mut dyn UnitOfWork,
    question: &'static Question,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Vec<Vec<Field>>, bool), Problem> {
    let mut rows = unit.ask(question, from, to, ROWS + 1).await.or_problem()?;
    let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let cut_off = rows.len() > most;
    rows.truncate(most);
    Ok((rows, cut_off))
}

fn view(saved: &Saved, followed: Option<&Subscription>) -> AuditQuestionView {
    let text = saved.text.clone();
    AuditQuestionView {
        name: saved.question.name.to_owned(),
        title: text.title,
        asks: text.asks,
        counts: text.counts,
        unseen: text.unseen,
        days: text.days,
        columns: text.columns,
        query: saved.question.query.to_owned(),
        every: followed.map(|followed| followed.every),
        due_at: followed.map(|followed| followed.due_at),
    }
}

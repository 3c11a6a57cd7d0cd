//! Questions about what is to be decided, and answers.

use domain::{
    ApprovalId, ApprovalState, ErrorCode, FieldError, Operation, Problem, RemarkId, UserId,
    view::{AnswerView, ApprovalDetail, QuestionView},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use serde_json::{Value, json};
use store::approvals::Remark;

use super::{COMMENT_LIMIT, Loaded, already_decided, load, target};
use crate::{
    Caller, Service,
    problems::{OrProblem as _, not_found},
    views::People,
};

impl Service {
    /// Asks something about what is to be decided. The requester is told.
    pub async fn ask(&self, caller: &Caller, id: ApprovalId, text: &str) -> Result<ApprovalDetail, Problem> {
        self.remark(caller, Operation::ApprovalAsk, id, None, text).await
    }

    /// Answers a question. Whoever asked is told.
    pub async fn answer(
        &self,
        caller: &Caller,
        id: ApprovalId,
        question: RemarkId,
        text: &str,
    ) -> Result<ApprovalDetail, Problem> {
        self.remark(caller, Operation::ApprovalAnswer, id, Some(question), text).await
    }

    async fn remark(
        &self,
        caller: &Caller,
        operation: Operation,
        id: ApprovalId,
        answers: Option<RemarkId>,
        text: &str,
    ) -> Result<ApprovalDetail, Problem> {
        let mut gate = self.enter(caller, operation).await?;
        let loaded = load(gate.unit.as_mut(), id, gate.now).await?;
        let resource = self.approval_resource(gate.unit.as_mut(), caller, &loaded).await?;
        let Loaded { approval, run, asked, .. } = loaded;
        let target = target(&approval, &run);
        if self.in_force().decide(&caller.principal, Operation::ApprovalRead, &resource).allowed {
            gate.authorize(&resource, &target).await?;
        } else {
            gate.authorize_or_hide(&resource, &target).await?;
        }
        let text = check_text(text)?;
        if approval.state != ApprovalState::Pending {
            return Err(gate.refuse(&target, already_decided(&approval)).await);
        }
        let (kind, told) = match answers {
            None if !approval.requester_id.can_be_a_person() => {
                (NoticeKind::QuestionAsked, asked.iter().map(|approver| approver.user_id).collect())
            }
            None => (NoticeKind::QuestionAsked, vec![approval.requester_id]),
            Some(question) => {
                let remarks = gate.unit.remarks_of_run(run.id).await.or_problem()?;
                let asked = remarks.iter().find(|remark| remark.id == question && remark.answers.is_none());
                (NoticeKind::QuestionAnswered, vec![asked.ok_or_else(not_found)?.user_id])
            }
        };
        let remark = Remark {
            id: RemarkId::new(self.ids()),
            approval: id,
            answers,
            user_id: caller.user,
            text: text.clone(),
            made_at: gate.now,
        };
        gate.unit.insert_remark(&remark).await.or_problem()?;
        let told: Vec<UserId> = told.into_iter().filter(|person| *person != caller.user).collect();
        let told = gate.unit.users_by_id(&told).await.or_problem()?;
        let notice = Notice {
            kind,
            title: run.title.clone(),
            run_number: Some(run.number),
            link: format!("/approvals/{id}"),
            cause: format!("remark:{}", remark.id),
        };
        notify(gate.unit.as_mut(), self.ids(), gate.now, self.parts.mail_enabled, &told, &notice).await.or_problem()?;
        let detail = json!({"step": approval.title, "remark": remark.id, "answers": answers, "text": text});
        gate.finish(&target, detail).await?;
        self.parts.live.changed(Topic::Approvals);
        for person in told {
            self.parts.live.changed(Topic::Notifications(person.id));
        }
        self.approval(caller, id).await
    }
}

fn check_text(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let error = |rule: &str, expected: Value, message: &str| {
        let (pointer, rule, message) = ("/text".to_owned(), rule.to_owned(), message.to_owned());
        Problem::new(ErrorCode::InvalidInput).with_errors(vec![FieldError { pointer, rule, expected, message }])
    };
    if text.is_empty() {
        return Err(error("required", Value::Null, "say something"));
    }
    if text.chars().count() > COMMENT_LIMIT {
        return Err(error("maxLength", json!(COMMENT_LIMIT), "the text is too long"));
    }
    Ok(text.to_owned())
}

/// The questions with their answers, in order.
pub(super) fn questions(remarks: Vec<Remark>, people: &People) -> Vec<QuestionView> {
    let mut questions: Vec<QuestionView> = Vec::new();
    for remark in remarks {
        let (person, text) = (people.get(remark.user_id), remark.text);
        match remark.answers {
            None => {
                let asked_at = remark.made_at;
                questions.push(QuestionView { id: remark.id, person, text, asked_at, answers: Vec::new() });
            }
            Some(question) => {
                let answer = AnswerView { id: remark.id, person, text, answered_at: remark.made_at };
                if let Some(question) = questions.iter_mut().find(|asked| asked.id == question) {
                    question.answers.push(answer);
                }
            }
        }
    }
    questions
}

//! Questions before a decision, and answers.

use domain::{
    ApprovalId, RemarkId,
    view::{ApprovalDetail, QuestionView},
};
use leptos::prelude::*;

use super::decide::Words;
use crate::{
    api::approvals::{Answer, Ask},
    components::{Avatar, Button, Card, FormFeedback, Glyph, Moment, TextArea},
    i18n::use_texts,
    submission::{Submission, SubmitForm},
    view,
};

/// The most characters of a question or an answer.
const LENGTH: u32 = 2_000;

/// The calls of this part; the page owns them.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    pub(super) ask: Submission<Ask>,
    pub(super) answer: Submission<Answer>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self { ask: Submission::new(), answer: Submission::new() }
    }
}

/// What was asked and answered, with room for more.
#[component]
pub(super) fn Questions(detail: ApprovalDetail, asking: Asking, words: Words) -> impl IntoView {
    let t = use_texts();
    let approval = detail.summary.id;
    if detail.questions.is_empty() && !detail.can_ask {
        return None;
    }
    let may_answer = detail.can_answer;
    let threads: Vec<_> = detail
        .questions
        .into_iter()
        .map(|question| view! { <Thread question approval may_answer asking words/> })
        .collect();
    let ask = asking.ask;
    let form = detail.can_ask.then(|| {
        view! {
            <SubmitForm to=ask>
                <div class="stack">
                    <FormFeedback problem=ask.problem()/>
                    <input type="hidden" name="approval" value=approval.to_string()/>
                    <TextArea
                        name="text"
                        id="question"
                        label=t.approvals.your_question()
                        hint=t.approvals.question_hint()
                        rows=2
                        maxlength=LENGTH
                        value=words.begin("question", String::new())
                        error=ask.error("/text")
                    />
                    <Button small=true icon=Glyph::Info busy=ask.pending()>{t.approvals.ask()}</Button>
                </div>
            </SubmitForm>
        }
    });
    Some(view! {
        <Card title=t.approvals.questions()>
            <ul class="decisions">{threads}</ul>
            {form}
        </Card>
    })
}

#[component]
fn Thread(
    question: QuestionView,
    approval: ApprovalId,
    may_answer: bool,
    asking: Asking,
    words: Words,
) -> impl IntoView {
    let t = use_texts();
    let QuestionView { id, person, text, asked_at, answers } = question;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| {
            view! {
                <div>
                    <p>
                        <strong>{answer.person.name}</strong>
                        " "
                        <span class="muted"><Moment at=answer.answered_at/></span>
                    </p>
                    <blockquote class="quote">{answer.text}</blockquote>
                </div>
            }
        })
        .collect();
    view! {
        <li class="decision">
            <Avatar name=person.name.clone()/>
            <div class="stack">
                <p>
                    <strong>{person.name}</strong>
                    " "
                    {t.approvals.asked()}
                    " "
                    <span class="muted"><Moment at=asked_at/></span>
                </p>
                <blockquote class="quote">{text}</blockquote>
                {answers}
                {may_answer.then(|| view! { <AnswerForm approval question=id asking words/> })}
            </div>
        </li>
    }
}

#[component]
fn AnswerForm(approval: ApprovalId, question: RemarkId, asking: Asking, words: Words) -> impl IntoView {
    let t = use_texts();
    let answer = asking.answer;
    let id = format!("answer-{question}");
    let typed = words.begin(&id, String::new());
    view! {
        <SubmitForm to=answer>
            <div class="stack">
                <input type="hidden" name="approval" value=approval.to_string()/>
                <input type="hidden" name="question" value=question.to_string()/>
                <TextArea
                    name="text"
                    id=id
                    label=t.approvals.your_answer()
                    rows=2
                    maxlength=LENGTH
                    value=typed
                    error=answer.error("/text")
                />
                <Button small=true busy=answer.pending()>{t.approvals.answer()}</Button>
            </div>
        </SubmitForm>
    }
}

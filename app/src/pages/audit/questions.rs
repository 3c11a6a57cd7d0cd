//! Saved questions about the log: their list, and the answer to one with its words, its query and how often it comes.

use domain::{
    AnswerEvery, CellKind, Operation, Timestamp,
    view::{AnswerCell, AuditAnswerView, AuditQuestionColumn, AuditQuestionView, Words},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

use super::period::{Period, period_of, period_query};
use crate::{
    api::audit_questions::{FollowQuestion, audit_answer, audit_questions},
    components::{
        Badge, Banner, Button, Card, Column, CopyButton, DefinitionList, DownloadLink, EmptyState, FormFeedback, Glyph,
        LinkButton, Moment, PageHeader, SelectField, Skeleton, Table, Tone, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    session::may,
    submission::{Submission, SubmitForm},
    view,
};

fn said(t: Texts, words: &Words) -> String {
    words.in_language(t.locale.as_str()).to_owned()
}

/// The questions.
#[component]
pub fn QuestionsPage() -> impl IntoView {
    let t = use_texts().questions;
    let data = Data::new(|| (), |()| audit_questions());
    view! {
        <PageHeader title=t.title() subtitle=t.lead()>
            <LinkButton href="/audit" icon=Glyph::Audit>{t.to_log()}</LinkButton>
        </PageHeader>
        <Card flush=true>
            {load(data, || view! { <Skeleton lines=16/> }, |questions| view! { <Questions questions/> })}
        </Card>
    }
}

#[component]
fn Questions(questions: Vec<AuditQuestionView>) -> impl IntoView {
    let t = use_texts();
    let lines: Vec<_> = questions
        .into_iter()
        .map(|question| {
            let followed = question
                .every
                .map(|_| view! { <Badge tone=Tone::Info glyph=Glyph::Bell label=t.questions.followed()/> });
            view! {
                <li>
                    <a class="line" href=format!("/audit/questions/{}", question.name)>
                        <span class="line__text">
                            <span class="line__title">{said(t, &question.title)}</span>
                            <span class="line__detail">
                                <span>{said(t, &question.asks)}</span>
                            </span>
                        </span>
                        <span class="line__side">{followed}</span>
                    </a>
                </li>
            }
        })
        .collect();
    view! { <ul class="lines">{lines}</ul> }
}

/// The answer to a question.
#[component]
pub fn QuestionPage() -> impl IntoView {
    let query = use_location().query;
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    let period = Memo::new(move |_| query.with(period_of));
    let follow = Submission::<FollowQuestion>::new();
    let data = Data::new(
        move || (name.get(), period.get(), follow.version().get()),
        |(name, (from, to), _)| audit_answer(name, from, to),
    );
    load(data, || view! { <Card><Skeleton lines=16/></Card> }, move |answer| view! { <Answer answer follow/> })
}

#[component]
fn Answer(answer: AuditAnswerView, follow: Submission<FollowQuestion>) -> impl IntoView {
    let t = use_texts();
    let AuditAnswerView { question, from, to, rows, cut_off, archived } = answer;
    let title = said(t, &question.title);
    let csv = csv_href(&question.name, from, to);
    let count = rows.len();
    let found = if rows.is_empty() {
        view! {
            <EmptyState glyph=Glyph::CircleCheck title=t.questions.nothing() text=t.questions.nothing_text()/>
        }
    } else {
        let columns = question.columns.clone();
        view! { <Rows label=title.clone() columns rows/> }
    };
    view! {
        <PageHeader title=title subtitle=said(t, &question.asks)>
            <LinkButton href="/audit/questions" icon=Glyph::Question>{t.questions.all()}</LinkButton>
            <DownloadLink href=csv>{t.questions.csv()}</DownloadLink>
        </PageHeader>
        <Period action=format!("/audit/questions/{}", question.name) from to/>
        {cut_off.then(|| view! { <Banner tone=Tone::Warning title=t.questions.cut_off(count)/> })}
        {archived.then(|| view! { <Banner tone=Tone::Info title=t.audit.archived_missing()/> })}
        <Card flush=true title=t.questions.rows(count)>{found}</Card>
        <About question=question.clone()/>
        {may(Operation::AuditSubscribe).then(|| view! { <Follow question follow/> })}
    }
}

/// The same answer for spreadsheets.
fn csv_href(name: &str, from: Timestamp, to: Timestamp) -> String {
    format!("/api/v1/audit/questions/{name}?format=csv&{}", period_query(from, to))
}

#[component]
fn Rows(label: String, columns: Vec<AuditQuestionColumn>, rows: Vec<Vec<AnswerCell>>) -> impl IntoView {
    let t = use_texts();
    let heads = columns.iter().map(|column| {
        let head = Column::new(said(t, &column.title));
        if column.kind == CellKind::Number { head.end() } else { head }
    });
    let heads: Vec<_> = heads.collect();
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let cells: Vec<_> = columns
                .iter()
                .zip(row)
                .map(|(column, cell)| cell_view(column.kind, said(t, &column.title), cell))
                .collect();
            view! { <tr>{cells}</tr> }
        })
        .collect();
    view! { <Table label columns=heads>{rows}</Table> }
}

fn cell_view(kind: CellKind, label: String, cell: AnswerCell) -> AnyView {
    let AnswerCell { text, link } = cell;
    let moment = if kind == CellKind::Time { text.parse::<Timestamp>().ok() } else { None };
    let text = if kind == CellKind::Entry && !text.is_empty() { format!("#{text}") } else { text };
    let content = match (moment, link) {
        (Some(at), _) => view! { <Moment at exact=true/> },
        (None, Some(href)) => view! { <a href=href>{text}</a> },
        (None, None) => text.into_any(),
    };
    view! { <td data-label=label class:table__end=kind == CellKind::Number>{content}</td> }
}

/// What counts, what cannot be seen, and the query as it runs.
#[component]
fn About(question: AuditQuestionView) -> impl IntoView {
    let t = use_texts();
    let items = vec![
        (t.questions.asks().to_owned(), said(t, &question.asks).into_any()),
        (t.questions.counts().to_owned(), said(t, &question.counts).into_any()),
        (t.questions.unseen().to_owned(), said(t, &question.unseen).into_any()),
    ];
    let copy = view! { <CopyButton text=question.query.clone()/> };
    view! {
        <Card title=t.questions.about()>
            <DefinitionList items/>
        </Card>
        <Card title=t.questions.query() subtitle=t.questions.query_text() actions=copy>
            <pre class="code" tabindex="0" role="region" aria-label=t.questions.query()>{question.query}</pre>
        </Card>
    }
}

/// How often the answer comes by itself.
#[component]
fn Follow(question: AuditQuestionView, follow: Submission<FollowQuestion>) -> impl IntoView {
    let t = use_texts();
    let choice = |every: AnswerEvery| {
        let words = t.questions.by_key(&format!("every_{every}")).unwrap_or_default();
        (every.to_string(), words.to_owned())
    };
    let mut options = vec![(String::new(), t.questions.every_none().to_owned())];
    options.extend(AnswerEvery::ALL.iter().copied().map(choice));
    let every = question.every.map(|every| every.to_string()).unwrap_or_default();
    let next = question.due_at.map(|at| view! { <p>{t.questions.next()} ": " <Moment at exact=true/></p> });
    view! {
        <Card title=t.questions.follow() subtitle=t.questions.follow_text()>
            <SubmitForm to=follow>
                <div class="stack">
                    <FormFeedback problem=follow.problem()/>
                    {next}
                    <input type="hidden" name="name" value=question.name/>
                    <SelectField
                        name="every"
                        label=t.questions.every()
                        options=options
                        value=every
                        error=follow.error("/every")
                        optional=true
                    />
                    <div>
                        <Button busy=follow.pending()>{t.common.save()}</Button>
                    </div>
                </div>
            </SubmitForm>
        </Card>
    }
}

//! The details of the selected task.

use domain::{
    RunId, TaskStatus,
    view::{ApprovalDetail, LogLine, TaskView},
};
use leptos::prelude::*;

use super::{
    actions::{ResolveDialog, ResumeFromDialog, RunActions, SkipDialog},
    story::{detail, remedy},
};
use crate::{
    components::{
        ApprovalBadge, Avatar, Banner, ButtonLook, Card, DefinitionList, Glyph, Icon, JsonBlock, LinkButton, Moment,
        TaskBadge, Tone, dialog_href,
        log_view::{LogStore, LogView},
        timeline::span_text,
    },
    i18n::{Texts, use_texts},
    view,
};

/// The executions of one task: the latest in full, earlier ones in a line each.
#[component]
pub(super) fn TaskPanel(
    run: RunId,
    number: i64,
    /// The executions of the selected task, in order of start.
    executions: Vec<TaskView>,
    approvals: Vec<ApprovalDetail>,
    allowed: Vec<String>,
    actions: RunActions,
    store: LogStore,
    first_lines: Vec<LogLine>,
) -> impl IntoView {
    let t = use_texts();
    let Some((task, earlier)) = executions.split_last() else {
        return view! { <p class="muted">{t.runs.not_reached()}</p> };
    };
    let task = task.clone();
    let open = !matches!(
        task.status,
        TaskStatus::Completed | TaskStatus::Faulted | TaskStatus::Cancelled | TaskStatus::Skipped
    );
    let approvals: Vec<_> =
        approvals.into_iter().filter(|approval| approval.summary.reference == task.reference).collect();
    let may = |action: &str| !task.compensation && allowed.iter().any(|allowed| allowed == action);
    // Whether it really can be is for the server to say, which knows all that is under way.
    let halted =
        matches!(task.status, TaskStatus::Faulted | TaskStatus::Waiting | TaskStatus::Retrying | TaskStatus::Unknown);
    let skippable = halted && may("skip");
    let resumable = may("resume-from");
    let resolvable = task.status == TaskStatus::Unknown && allowed.iter().any(|action| action == "resolve");
    let reference = task.reference.clone();
    Effect::new(move |_| store.show(run, &reference));
    let earlier: Vec<_> = earlier
        .iter()
        .rev()
        .map(|task| {
            let error = detail(task.error.as_ref());
            view! {
                <li>
                    <span>{t.runs.occurrence(task.occurrence)}</span>
                    " "
                    <TaskBadge status=task.status/>
                    " "
                    {task.started_at.map(|at| view! { <Moment at=at exact=true/> })}
                    {error.map(|text| view! { <span class="muted">" " {text}</span> })}
                </li>
            }
        })
        .collect();
    let failure = task.error.clone();
    let facts = facts(t, &task);
    let title = task.title.clone();
    let kind = t.runs.by_key(&format!("kind_{}", task.kind)).unwrap_or_default();
    let file = format!("R-{number}-{}.log", task.name);
    view! {
        {resolvable
            .then(|| {
                view! { <ResolveDialog actions id=run reference=task.reference.clone() occurrence=task.occurrence/> }
            })}
        {skippable
            .then(|| {
                view! { <SkipDialog actions id=run reference=task.reference.clone() occurrence=task.occurrence/> }
            })}
        {resumable
            .then(|| {
                let input = task.raw_input.as_ref().or(task.input.as_ref());
                let input = input.and_then(|input| serde_json::to_string_pretty(input).ok()).unwrap_or_default();
                view! { <ResumeFromDialog actions id=run reference=task.reference.clone() input/> }
            })}
        <Card title=title subtitle=kind>
            <div class="task-panel">
                <div class="task-panel__head">
                    <TaskBadge status=task.status/>
                    {task
                        .compensation
                        .then(|| view! { <span class="muted"><Icon glyph=Glyph::Undo/> {t.runs.compensation()}</span> })}
                </div>
                {failure
                    .map(|error| {
                        let words = detail(Some(&error)).unwrap_or_else(|| error.kind.clone());
                        let help = remedy(t, &error);
                        let (kind, status) = (error.kind, error.status);
                        view! {
                            <Banner tone=Tone::Danger title=words>
                                {help.map(|help| view! { <p>{help}</p> })}
                                <p class="muted"><code>{kind}</code> " " {status}</p>
                            </Banner>
                        }
                    })}
                {resolvable
                    .then(|| {
                        view! {
                            <div class="button-row">
                                <LinkButton href=dialog_href("resolve") look=ButtonLook::Primary>{t.runs.resolve()}</LinkButton>
                            </div>
                        }
                    })}
                {(!approvals.is_empty()).then(|| view! { <Approvals approvals/> })}
                <DefinitionList items=facts/>
                {task.raw_input.clone().map(|value| view! { <JsonBlock title=t.runs.raw_input() value/> })}
                {task.input.clone().map(|value| view! { <JsonBlock title=t.runs.input() value/> })}
                {task.output.clone().map(|value| view! { <JsonBlock title=t.runs.output() value/> })}
                {(skippable || resumable)
                    .then(|| {
                        let opener = |dialog, words| view! { <LinkButton href=dialog_href(dialog) small=true>{words}</LinkButton> };
                        view! {
                            <div class="button-row">
                                {skippable.then(|| opener("skip", t.runs.skip()))}
                                {resumable.then(|| opener("resume-from", t.runs.resume_from()))}
                            </div>
                        }
                    })}
                {(!earlier.is_empty())
                    .then(|| {
                        view! {
                            <h3 class="task-panel__heading">{t.runs.earlier()}</h3>
                            <ul class="plain-list">{earlier}</ul>
                        }
                    })}
                <h3 class="task-panel__heading">{t.runs.log()}</h3>
                <LogView store first=first_lines file open=Signal::stored(open)/>
            </div>
        </Card>
    }
}

fn facts(t: Texts, task: &TaskView) -> Vec<(String, AnyView)> {
    let mut facts = Vec::new();
    if let Some(at) = task.started_at {
        facts.push((t.runs.began().to_owned(), view! { <Moment at=at exact=true/> }));
    }
    if let Some(at) = task.ended_at {
        facts.push((t.runs.ended().to_owned(), view! { <Moment at=at exact=true/> }));
    }
    if let Some((from, until)) = task.started_at.zip(task.ended_at) {
        facts.push((t.runs.duration().to_owned(), view! { <span>{span_text(t, from, until)}</span> }));
    }
    if task.attempts > 0 {
        facts.push((t.runs.attempts().to_owned(), view! { <span>{task.attempts}</span> }));
    }
    facts.push((t.runs.reference().to_owned(), view! { <code>{task.reference.clone()}</code> }));
    facts
}

/// Approvals with their decisions.
#[component]
pub(super) fn Approvals(approvals: Vec<ApprovalDetail>) -> impl IntoView {
    let t = use_texts();
    let rows: Vec<_> = approvals.into_iter().map(|approval| approval_line(t, approval)).collect();
    view! { <ul class="approval-lines">{rows}</ul> }
}

fn approval_line(t: Texts, approval: ApprovalDetail) -> impl IntoView {
    let summary = approval.summary;
    let decisions: Vec<_> = approval
        .decisions
        .into_iter()
        .map(|decision| {
            let said = t.approvals.by_key(&format!("said_{}", decision.decision.as_str().replace('-', "_")));
            view! {
                <li class="decision">
                    <Avatar name=decision.person.name.clone()/>
                    <div>
                        <p>
                            <strong>{decision.person.name}</strong>
                            " "
                            {said.unwrap_or_default()}
                            " "
                            <span class="muted"><Moment at=decision.decided_at/></span>
                        </p>
                        {(!decision.comment.is_empty())
                            .then(|| view! { <blockquote class="quote">{decision.comment}</blockquote> })}
                    </div>
                </li>
            }
        })
        .collect();
    let asked: Vec<String> = approval.approvers.into_iter().map(|approver| approver.person.name).collect();
    let href = format!("/approvals/{}", summary.id);
    view! {
        <li class="approval-line">
            <div class="approval-line__head">
                <span class="approval-line__title">{summary.title}</span>
                <ApprovalBadge state=summary.state/>
                {approval
                    .can_decide
                    .then(|| view! { <LinkButton href=href small=true icon=Glyph::Decisions>{t.runs.decide()}</LinkButton> })}
            </div>
            {(!asked.is_empty()).then(|| view! { <p class="muted">{t.runs.asked(asked.join(", "))}</p> })}
            <ul class="decisions">{decisions}</ul>
        </li>
    }
}

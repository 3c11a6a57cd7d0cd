//! The page of one run.

use std::sync::Arc;

use domain::{RunId, TaskStatus, UserId, view::TaskView};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

use super::{
    actions::{ActionButtons, ActionDialogs, RunActions},
    journal::Journal,
    story::story,
    task_panel::{Approvals, TaskPanel},
};
use crate::{
    api::runs::{RunData, run},
    components::{
        Card, DefinitionList, EmptyState, Glyph, Icon, JsonBlock, Moment, PageHeader, RunBadge, Skeleton, Tab, Tabs,
        Tone,
        graph::{GraphView, NodeHref, Progression},
        load,
        log_view::{LogStore, LogView},
        timeline::{Timeline, span_text},
    },
    data::Data,
    i18n::use_texts,
    live::follow_run,
    pages::catalogue::InputList,
    url_state::{href_with, query_text},
    view,
};

/// A run, live.
#[component]
pub fn RunPage() -> impl IntoView {
    let params = use_params_map();
    let key = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let (task, tab, cursor) = (query_text("task"), query_text("tab"), query_text("cursor"));
    let store = LogStore::new();
    let actions = RunActions::new();
    // The address has a number; the stream wants the id, which comes with the data.
    let id = RwSignal::new(None::<RunId>);
    let version = follow_run(id.into(), move |line| store.add(line));
    // What is being typed into a dialog must not be drawn anew; the page catches up when the dialog closes.
    let dialog = query_text("dialog");
    let version = Memo::new(move |held: Option<&u64>| {
        let now = version.get();
        if dialog.with(String::is_empty) { now } else { held.copied().unwrap_or(now) }
    });
    let data = Data::new(
        move || (key.get(), task.get(), tab.get(), cursor.get(), version.get(), actions.done()),
        |(key, task, tab, cursor, ..)| run(key, task, tab, cursor),
    );
    load(
        data,
        || {
            view! {
                <div class="run">
                    <Skeleton lines=3/>
                    <div class="run__columns"><Skeleton lines=14/><Skeleton lines=14/></div>
                </div>
            }
        },
        move |data| view! { <Run data id store actions/> },
    )
}

#[component]
fn Run(data: RunData, id: RwSignal<Option<RunId>>, store: LogStore, actions: RunActions) -> impl IntoView {
    let t = use_texts();
    let RunData { run, tasks, approvals, log, journal } = data;
    let summary = run.summary.clone();
    let run_id = summary.id;
    Effect::new(move |_| id.set(Some(run_id)));
    let story = story(t, &run, &tasks, &approvals);
    let name = t.common.run_number(summary.number);
    let (status, needs_attention) = (summary.status, summary.needs_attention);
    let (rejected, compensated) = (summary.rejected, summary.compensated);
    let marks = view! { <RunBadge status needs_attention rejected compensated/> };
    let tabs = vec![
        Tab { value: "", label: t.runs.tab_overview().to_owned(), count: None },
        Tab { value: "log", label: t.runs.log().to_owned(), count: None },
        Tab { value: "journal", label: t.runs.journal().to_owned(), count: None },
    ];
    let tab = query_text("tab");
    let open = !status.is_final();
    let number = summary.number;
    let allowed = run.actions.clone();
    let buttons = allowed.clone();
    let body = match (tab.get_untracked().as_str(), journal) {
        ("journal", Some(page)) => view! { <Journal page/> },
        ("log", _) => view! { <RunLog run=run_id number store first=log open/> },
        _ => {
            let data = RunData { run, tasks, approvals, log, journal: None };
            view! { <Overview data store actions/> }
        }
    };
    view! {
        <PageHeader
            title=t.runs.run_title(&name, &summary.title)
            subtitle=if summary.requester.id == UserId::SCHEDULE {
                t.runs.started_by_schedule().to_owned()
            } else if summary.requester.id == UserId::TRIGGER {
                t.runs.started_by_trigger().to_owned()
            } else {
                t.runs.requested_by(&summary.requester.name)
            }
            marks=marks
        >
            <ActionButtons allowed=buttons/>
        </PageHeader>
        <ActionDialogs actions id=run_id number allowed/>
        <div class=format!("run-story run-story--{}", story.tone.as_str()) role="status">
            <Icon glyph=story_glyph(story.tone)/>
            <div class="run-story__text">
                <p class="run-story__sentence">{story.words}</p>
                {story.quote.map(|quote| view! { <p class="run-story__quote">{quote}</p> })}
                {story.remedy.map(|remedy| view! { <p class="run-story__remedy">{remedy}</p> })}
            </div>
        </div>
        // Without JavaScript nothing else brings news. Markup, because a browser that has JavaScript reads what is in
        // here as text.
        {open.then(|| view! { <noscript inner_html="<meta http-equiv=refresh content=5>"></noscript> })}
        <Tabs label=t.runs.parts() tabs/>
        {body}
    }
}

const fn story_glyph(tone: Tone) -> Glyph {
    match tone {
        Tone::Neutral => Glyph::Info,
        Tone::Info => Glyph::Runs,
        Tone::Success => Glyph::CircleCheck,
        Tone::Warning => Glyph::Clock,
        Tone::Danger => Glyph::Octagon,
    }
}

#[component]
fn RunLog(run: RunId, number: i64, store: LogStore, first: Vec<domain::view::LogLine>, open: bool) -> impl IntoView {
    Effect::new(move |_| store.show(run, ""));
    view! {
        <Card>
            <LogView store first file=format!("R-{number}.log") open=Signal::stored(open)/>
        </Card>
    }
}

#[component]
fn Overview(data: RunData, store: LogStore, actions: RunActions) -> impl IntoView {
    let t = use_texts();
    let RunData { run, tasks, approvals, log, .. } = data;
    let summary = run.summary;
    let location = use_location();
    let (path, query) = (location.pathname.get_untracked(), location.query.get_untracked());
    let asked = query.get("task").unwrap_or_default();
    let selected = if asked.is_empty() { worth_a_look(&tasks) } else { asked };
    let href: NodeHref = Arc::new(move |reference: &str| href_with(&path, &query, &[("task", Some(reference))]));
    let executions: Vec<TaskView> = tasks.iter().filter(|task| task.reference == selected).cloned().collect();
    let ended = summary.status == domain::RunStatus::Completed;
    let progression = Progression::of(&tasks, ended);
    let span = (summary.started_at.unwrap_or(summary.created_at), summary.ended_at.unwrap_or(summary.updated_at));
    let words = |text: String| view! { <span>{text}</span> };
    let mut facts = vec![
        (
            t.runs.workflow().to_owned(),
            view! {
                <a href=format!("/catalogue/{}/{}", summary.namespace, summary.name)>
                    {format!("{}/{}", summary.namespace, summary.name)}
                </a>
                " "
                <span class="muted">{summary.version.clone()}</span>
            },
        ),
        (t.common.requester().to_owned(), words(t.name_of(&summary.requester))),
        (t.common.created().to_owned(), view! { <Moment at=summary.created_at exact=true/> }),
    ];
    if let Some((from, until)) = summary.started_at.zip(summary.ended_at) {
        facts.push((t.runs.duration().to_owned(), words(span_text(t, from, until))));
    }
    let whole_approvals = approvals.clone();
    let timeline = if tasks.is_empty() {
        view! { <EmptyState glyph=Glyph::Clock title=t.runs.no_tasks() text=t.runs.no_tasks_text()/> }
    } else {
        view! { <Timeline tasks=tasks.clone() span selected=selected.clone() href=href.clone()/> }
    };
    let schema = whole_approvals.first().and_then(|approval| approval.input_schema.clone());
    view! {
        <div class="run__columns">
            <Card title=t.runs.graph()>
                <GraphView graph=run.graph progression selected=selected.clone() href=href/>
            </Card>
            <div class="run__side">
                <Card title=t.runs.timeline() flush=true>{timeline}</Card>
                {(!executions.is_empty())
                    .then(|| {
                        view! {
                            <TaskPanel
                                run=summary.id
                                number=summary.number
                                executions
                                approvals
                                allowed=run.actions
                                actions
                                store
                                first_lines=log
                            />
                        }
                    })}
            </div>
        </div>
        <div class="run__below">
            {(!whole_approvals.is_empty())
                .then(|| {
                    view! {
                        <Card title=t.runs.approvals()>
                            <Approvals approvals=whole_approvals/>
                        </Card>
                    }
                })}
            <Card title=t.common.details()>
                <DefinitionList items=facts/>
            </Card>
            <Card title=t.runs.input()>
                <InputList input=run.input schema/>
            </Card>
            {run
                .output
                .map(|value| view! { <Card title=t.runs.output()><JsonBlock title=t.runs.as_json() value/></Card> })}
        </div>
    }
}

/// The task that a person most likely wants to see: what is unknown, failed, waits or runs; empty for none.
fn worth_a_look(tasks: &[TaskView]) -> String {
    use TaskStatus::{Faulted, Retrying, Running, Unknown, Waiting};
    let latest = |status| tasks.iter().rev().find(|task| task.status == status);
    let found = [Unknown, Faulted, Retrying, Waiting, Running].into_iter().find_map(latest);
    found.map(|task| task.reference.clone()).unwrap_or_default()
}

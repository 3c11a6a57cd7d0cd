use domain::{
    Operation, RunnerState,
    view::{RunnerTaskView, RunnerView},
};
use leptos::prelude::*;

use super::close_dialog;
use crate::{
    api::runners::{EnrolRunner, RemoveRunner, UpdateRunner, runners},
    components::{
        Badge, Banner, Button, ButtonLook, Card, CopyButton, Dialog, EmptyState, FormFeedback, Glyph, LinkButton,
        Moment, PageHeader, Skeleton, TextField, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::{AdminTexts, use_texts},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// What can be done with runners.
#[derive(Clone, Copy)]
struct Actions {
    enrol: Submission<EnrolRunner>,
    update: Submission<UpdateRunner>,
    remove: Submission<RemoveRunner>,
}

/// The runners near the systems: whether they are there, what they run, and what waits for one.
#[component]
pub fn RunnersPage() -> impl IntoView {
    let t = use_texts();
    let actions = Actions { enrol: Submission::new(), update: Submission::new(), remove: Submission::new() };
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(actions.enrol, move |_| close());
    when_done(actions.update, move |()| toasts.done(t.common.saved()));
    when_done(actions.remove, move |()| toasts.done(t.admin.runner_removed()));
    let data = Data::new(
        move || (actions.enrol.version().get(), actions.update.version().get(), actions.remove.version().get()),
        |_| runners(),
    );
    view! {
        <PageHeader title=t.frame.runners() subtitle=t.admin.runners_lead()>
            {may(Operation::RunnerEnrol)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.admin.runner_enrol()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <NewToken actions/>
        <FormFeedback problem=actions.update.problem()/>
        <FormFeedback problem=actions.remove.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=6/></Card> },
            move |(runners, waiting)| view! { <Runners runners actions/> <Waiting waiting/> },
        )}
        <EnrolDialog actions/>
    }
}

/// The token of the runner that was just enrolled, shown this once.
#[component]
fn NewToken(actions: Actions) -> impl IntoView {
    let t = use_texts().admin;
    let kept = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        return crate::api::take_once("runner");
        #[cfg(not(feature = "ssr"))]
        None::<String>
    })
    .into_inner();
    let token = move || actions.enrol.output().or_else(|| kept.clone());
    move || {
        token().map(|token| {
            view! {
                <Banner tone=Tone::Success title=t.runner_enrolled()>
                    <p>{t.runner_once()}</p>
                    <div class="secret">
                        <code class="secret__text">{token.clone()}</code>
                        <CopyButton text=token/>
                    </div>
                </Banner>
            }
        })
    }
}

#[component]
fn EnrolDialog(actions: Actions) -> impl IntoView {
    let t = use_texts();
    let enrol = actions.enrol;
    view! {
        <Dialog name="new" title=t.admin.runner_enrol()>
            <SubmitForm to=enrol>
                <div class="stack">
                    <FormFeedback problem=enrol.problem()/>
                    <TextField name="name" id="runner-name" label=t.common.name() code=true maxlength=63_u32 error=enrol.error("/name")/>
                    <TextField
                        name="labels"
                        id="runner-labels"
                        label=t.admin.runner_labels()
                        hint=t.admin.runner_labels_hint()
                        code=true
                        optional=true
                        error=enrol.error("/labels")
                    />
                    <TextField
                        name="namespaces"
                        id="runner-namespaces"
                        label=t.admin.runner_namespaces()
                        hint=t.admin.runner_namespaces_hint()
                        code=true
                        error=enrol.error("/namespaces")
                    />
                    <Button look=ButtonLook::Primary busy=enrol.pending()>{t.admin.runner_enrol()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn Runners(runners: Vec<RunnerView>, actions: Actions) -> impl IntoView {
    let t = use_texts();
    if runners.is_empty() {
        return view! {
            <Card><EmptyState glyph=Glyph::Monitor title=t.admin.runners_none() text=t.admin.runners_none_text()/></Card>
        };
    }
    let lines: Vec<_> = runners.into_iter().map(|runner| view! { <Line runner actions/> }).collect();
    view! { <Card title=t.frame.runners() flush=true><ul class="lines">{lines}</ul></Card> }
}

#[component]
fn Line(runner: RunnerView, actions: Actions) -> impl IntoView {
    let t = use_texts().admin;
    let mark = mark(t, &runner);
    let words = |names: Vec<String>| names.join(", ");
    let labels = words(runner.labels.iter().map(ToString::to_string).collect());
    let namespaces = words(runner.namespaces.iter().map(ToString::to_string).collect());
    let facts = [
        (!labels.is_empty()).then(|| format!("{}: {labels}", t.runner_labels())),
        Some(format!("{}: {namespaces}", t.runner_namespaces())),
        runner.version.clone().map(|version| t.runner_version(version)),
        runner.capacity.map(|capacity| t.runner_busy(runner.tasks.len().to_string(), capacity.to_string())),
        runner.load.map(|load| t.runner_load(load.to_string())),
    ];
    let facts: Vec<_> = facts.into_iter().flatten().map(|fact| view! { <span>{fact}</span> }).collect();
    let seen = runner.seen_at.map(|at| view! { <span>{t.runner_seen()} " " <Moment at/></span> });
    let tasks: Vec<_> = runner.tasks.iter().map(|task| view! { <Task task=task.clone()/> }).collect();
    let name = runner.name.to_string();
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title line__title--plain"><code>{name.clone()}</code></span>
                <span class="line__detail">{facts} {seen}</span>
                {tasks}
            </span>
            <span class="line__side">
                {mark}
                {may(Operation::RunnerUpdate).then(|| view! { <Ways name=name state=runner.state actions/> })}
            </span>
        </li>
    }
}

/// What a runner executes, or what waits for one.
#[component]
fn Task(task: RunnerTaskView) -> impl IntoView {
    let t = use_texts().admin;
    let since = task.started_at.unwrap_or(task.queued_at);
    let labels: Vec<String> = task.labels.iter().map(ToString::to_string).collect();
    let labels = (!labels.is_empty()).then(|| view! { <span>{t.runner_labels()} ": " {labels.join(", ")}</span> });
    let until = task.deadline.map(|at| view! { <span>{t.runner_task_until()} " " <Moment at/></span> });
    view! {
        <span class="line__detail">
            <a href=format!("/runs/{}", task.run)><code>{task.namespace.to_string()} " " {task.reference}</code></a>
            {labels}
            <span>{t.runner_task_since()} " " <Moment at=since/></span>
            {until}
        </span>
    }
}

/// What can be done with a runner in this state.
#[component]
fn Ways(name: String, state: RunnerState, actions: Actions) -> impl IntoView {
    let t = use_texts().admin;
    let ways = [
        (RunnerState::Enabled, t.runner_enable()),
        (RunnerState::Draining, t.runner_drain()),
        (RunnerState::Disabled, t.runner_disable()),
    ];
    let buttons: Vec<_> = ways
        .into_iter()
        .filter(|(other, _)| *other != state)
        .map(|(other, words)| {
            let named = name.clone();
            view! {
                <SubmitForm to=actions.update>
                    <input type="hidden" name="name" value=named/>
                    <input type="hidden" name="state" value=other.as_str()/>
                    <Button small=true>{words}</Button>
                </SubmitForm>
            }
        })
        .collect();
    let remove = may(Operation::RunnerRemove).then(|| {
        view! {
            <SubmitForm to=actions.remove>
                <input type="hidden" name="name" value=name/>
                <Button small=true look=ButtonLook::Danger>{t.runner_remove()}</Button>
            </SubmitForm>
        }
    });
    view! { {buttons} {remove} }
}

#[component]
fn Waiting(waiting: Vec<RunnerTaskView>) -> impl IntoView {
    let t = use_texts().admin;
    (!waiting.is_empty()).then(|| {
        let lines: Vec<_> = waiting
            .into_iter()
            .map(|task| view! { <li class="line"><span class="line__text"><Task task/></span></li> })
            .collect();
        view! {
            <Card title=t.runner_waiting() subtitle=t.runner_waiting_lead() flush=true>
                <ul class="lines">{lines}</ul>
            </Card>
        }
    })
}

fn mark(t: AdminTexts, runner: &RunnerView) -> AnyView {
    match (runner.state, runner.online) {
        (RunnerState::Disabled, _) => view! { <Badge glyph=Glyph::Cross label=t.runner_disabled()/> },
        (RunnerState::Draining, _) => view! { <Badge tone=Tone::Info glyph=Glyph::Clock label=t.runner_draining()/> },
        (RunnerState::Enabled, true) => {
            view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.runner_online()/> }
        }
        (RunnerState::Enabled, false) if runner.seen_at.is_none() => {
            view! { <Badge glyph=Glyph::Clock label=t.runner_new()/> }
        }
        (RunnerState::Enabled, false) => view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.runner_away()/> },
    }
}

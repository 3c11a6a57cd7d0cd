use domain::{
    Name, Operation, RunnerState,
    view::{RunnerTaskView, RunnerView},
};
use leptos::prelude::*;

use super::close_dialog;
use crate::{
    api::runners::{EnrolRunner, RemoveRunner, UpdateRunner, runners},
    components::{
        Badge, Banner, Button, ButtonLook, Card, CopyButton, Dialog, EmptyState, FormFeedback, Glyph, LinkButton, Menu,
        MenuLink, Moment, PageHeader, Skeleton, TextField, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::{AdminTexts, use_texts},
    live::{Topic, use_live},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Tasks of one runner that are shown before others are asked for.
const SHOWN: usize = 5;

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
    let (close_too, close_as_well) = (close.clone(), close.clone());
    when_done(actions.enrol, move |_| close());
    when_done(actions.update, move |()| {
        toasts.done(t.common.saved());
        close_too();
    });
    when_done(actions.remove, move |()| {
        toasts.done(t.admin.runner_removed());
        close_as_well();
    });
    let live = use_live();
    let data = Data::new(
        move || {
            let done = (actions.enrol.version().get(), actions.update.version().get(), actions.remove.version().get());
            (live.version(Topic::Runners), done)
        },
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
        {load(
            data,
            || view! { <Card><Skeleton lines=6/></Card> },
            move |(runners, waiting, more)| view! { <Runners runners/> <Waiting waiting more/> },
        )}
        <EnrolDialog actions/>
        <WayDialog actions/>
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

/// What can be done with a runner, each in a dialog of its own: `?dialog=draining-dmz-1`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Set(RunnerState),
    Remove,
}

impl Way {
    const ALL: [Self; 4] = [
        Self::Set(RunnerState::Enabled),
        Self::Set(RunnerState::Draining),
        Self::Set(RunnerState::Disabled),
        Self::Remove,
    ];

    fn dialog(self, name: &str) -> String {
        let verb = match self {
            Self::Set(state) => state.as_str(),
            Self::Remove => "remove",
        };
        format!("{verb}-{name}")
    }

    /// What it is called, its glyph, and whether something is lost by it.
    fn look(self, t: AdminTexts) -> (&'static str, Glyph, bool) {
        match self {
            Self::Set(RunnerState::Enabled) => (t.runner_enable(), Glyph::Check, false),
            Self::Set(RunnerState::Draining) => (t.runner_drain(), Glyph::Clock, false),
            Self::Set(RunnerState::Disabled) => (t.runner_disable(), Glyph::CircleSlash, true),
            Self::Remove => (t.runner_remove(), Glyph::Trash, true),
        }
    }

    fn consequence(self, t: AdminTexts) -> &'static str {
        match self {
            Self::Set(RunnerState::Enabled) => t.runner_enable_text(),
            Self::Set(RunnerState::Draining) => t.runner_drain_text(),
            Self::Set(RunnerState::Disabled) => t.runner_disable_text(),
            Self::Remove => t.runner_remove_text(),
        }
    }
}

/// The dialog that the address asks for. It stands beside the list, which changes while somebody reads it.
#[component]
fn WayDialog(actions: Actions) -> impl IntoView {
    let dialog = query_text("dialog");
    let asked = Memo::new(move |_| {
        let dialog = dialog.get();
        let name: Name = dialog.split_once('-')?.1.parse().ok()?;
        let way = Way::ALL.into_iter().find(|way| way.dialog(name.as_str()) == dialog)?;
        Some((way, name))
    });
    move || asked.get().map(|(way, name)| view! { <OneWay way name actions/> })
}

#[component]
fn OneWay(way: Way, name: Name, actions: Actions) -> impl IntoView {
    let t = use_texts().admin;
    let (verb, _, loses) = way.look(t);
    let look = if loses { ButtonLook::Danger } else { ButtonLook::Primary };
    let (dialog, title) = (way.dialog(name.as_str()), format!("{verb}: {name}"));
    let form = move || {
        let named = name.to_string();
        match way {
            Way::Set(state) => view! {
                <SubmitForm to=actions.update>
                    <div class="stack">
                        <FormFeedback problem=actions.update.problem()/>
                        <input type="hidden" name="name" value=named/>
                        <input type="hidden" name="state" value=state.as_str()/>
                        <p>{way.consequence(t)}</p>
                        <Button look=look busy=actions.update.pending()>{verb}</Button>
                    </div>
                </SubmitForm>
            },
            Way::Remove => view! {
                <SubmitForm to=actions.remove>
                    <div class="stack">
                        <FormFeedback problem=actions.remove.problem()/>
                        <input type="hidden" name="name" value=named/>
                        <p>{way.consequence(t)}</p>
                        <Button look=look busy=actions.remove.pending()>{verb}</Button>
                    </div>
                </SubmitForm>
            },
        }
    };
    view! { <Dialog name=dialog title=title>{form()}</Dialog> }
}

#[component]
fn Runners(runners: Vec<RunnerView>) -> impl IntoView {
    let t = use_texts();
    if runners.is_empty() {
        return view! {
            <Card><EmptyState glyph=Glyph::Monitor title=t.admin.runners_none() text=t.admin.runners_none_text()/></Card>
        };
    }
    let lines: Vec<_> = runners.into_iter().map(|runner| view! { <Line runner/> }).collect();
    view! { <Card title=t.frame.runners() flush=true><ul class="lines">{lines}</ul></Card> }
}

#[component]
fn Line(runner: RunnerView) -> impl IntoView {
    let t = use_texts().admin;
    let marks = marks(t, &runner);
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
    let mut tasks: Vec<_> = runner.tasks.into_iter().map(|task| view! { <Task task/> }).collect();
    let others = tasks.split_off(tasks.len().min(SHOWN));
    let others = (!others.is_empty()).then(|| {
        let words = t.runner_more(u64::try_from(others.len()).unwrap_or(u64::MAX));
        view! { <details><summary class="muted">{words}</summary>{others}</details> }
    });
    let name = runner.name.to_string();
    view! {
        <li class="line">
            <div class="line__text">
                <span class="line__title line__title--plain"><code>{name.clone()}</code></span>
                <span class="line__detail">{facts} {seen}</span>
                {tasks}
                {others}
            </div>
            <span class="line__side">{marks}</span>
            {may(Operation::RunnerUpdate).then(|| view! { <Ways name=name state=runner.state/> })}
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
fn Ways(name: String, state: RunnerState) -> impl IntoView {
    let t = use_texts();
    let links: Vec<_> = Way::ALL
        .into_iter()
        .filter(|way| *way != Way::Set(state) && (*way != Way::Remove || may(Operation::RunnerRemove)))
        .map(|way| {
            let (verb, icon, danger) = way.look(t.admin);
            view! { <MenuLink href=dialog_href(way.dialog(&name)) icon=icon danger=danger>{verb}</MenuLink> }
        })
        .collect();
    view! { <Menu label=t.common.actions_for(&name)>{links}</Menu> }
}

#[component]
fn Waiting(waiting: Vec<RunnerTaskView>, more: usize) -> impl IntoView {
    let t = use_texts().admin;
    (!waiting.is_empty()).then(|| {
        let lines: Vec<_> = waiting
            .into_iter()
            .map(|task| view! { <li class="line"><span class="line__text"><Task task/></span></li> })
            .collect();
        let more = (more > 0).then(|| {
            let words = t.runner_more(u64::try_from(more).unwrap_or(u64::MAX));
            view! { <li class="line"><span class="line__detail">{words}</span></li> }
        });
        view! {
            <Card title=t.runner_waiting() subtitle=t.runner_waiting_lead() flush=true>
                <ul class="lines">{lines} {more}</ul>
            </Card>
        }
    })
}

/// What it may do where that is not everything, and whether it is there where it should be.
fn marks(t: AdminTexts, runner: &RunnerView) -> Vec<AnyView> {
    let may = match runner.state {
        RunnerState::Disabled => return vec![view! { <Badge glyph=Glyph::Cross label=t.runner_disabled()/> }],
        RunnerState::Draining if runner.tasks.is_empty() => {
            Some(view! { <Badge tone=Tone::Info glyph=Glyph::Check label=t.runner_drained()/> })
        }
        RunnerState::Draining => Some(view! { <Badge tone=Tone::Info glyph=Glyph::Clock label=t.runner_draining()/> }),
        RunnerState::Enabled => None,
    };
    let is = if runner.online {
        view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.runner_online()/> }
    } else if runner.seen_at.is_none() {
        view! { <Badge glyph=Glyph::Clock label=t.runner_new()/> }
    } else {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.runner_away()/> }
    };
    may.into_iter().chain([is]).collect()
}

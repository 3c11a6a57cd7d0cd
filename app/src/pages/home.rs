//! What needs me, what became of mine, is anything on fire.

use domain::{
    Operation,
    view::{ApprovalSummary, FailingConnection, HomeView, RunSummary},
};
use leptos::prelude::*;

use crate::{
    api::home::home,
    components::{
        Avatar, Banner, ButtonLook, Card, EmptyState, Glyph, Icon, LinkButton, Moment, PageHeader, RiskBadge, RunBadge,
        Skeleton, Tone, load,
    },
    data::Data,
    i18n::use_texts,
    live::{Topic, use_live},
    session::may,
    view,
};

/// What needs me, what became of mine, is anything on fire.
#[component]
pub fn HomePage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let data = Data::new(
        move || (live.version(Topic::Runs), live.version(Topic::Approvals), live.version(Topic::Connections)),
        |_| home(),
    );
    view! {
        <PageHeader title=t.home.title() subtitle=t.home.subtitle()>
            {may(Operation::RunLaunch)
                .then(|| {
                    view! {
                        <LinkButton href="/catalogue" look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.home.new_request()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        {load(data, || view! { <HomeSkeleton/> }, |home| view! { <Home home/> })}
    }
}

#[component]
fn HomeSkeleton() -> impl IntoView {
    view! {
        <div class="home">
            <Card><Skeleton lines=6/></Card>
            <Card><Skeleton lines=6/></Card>
        </div>
    }
}

#[component]
fn Home(home: HomeView) -> impl IntoView {
    let t = use_texts();
    let HomeView { decisions, requests, running, attention, connections } = home;
    let decides = may(Operation::ApprovalDecide);
    let requests_own = may(Operation::RunLaunch);
    let operates = may(Operation::RunSuspend);
    let nothing = !decides && !requests_own && !operates;
    view! {
        {(!attention.is_empty())
            .then(|| {
                view! {
                    <Banner tone=Tone::Danger title=t.home.attention(attention.len())>
                        <a href="/runs?attention=true">{t.home.attention_show()}</a>
                    </Banner>
                }
            })}
        {(!connections.is_empty()).then(|| view! { <FailingConnections connections/> })}
        <div class="home">
            {decides.then(|| view! { <Decisions decisions/> })}
            {requests_own.then(|| view! { <Requests requests/> })}
            {operates.then(|| view! { <Running attention running/> })}
            {nothing.then(|| view! { <Elsewhere/> })}
        </div>
    }
}

/// The connections that fail, for those who administer them.
#[component]
fn FailingConnections(connections: Vec<FailingConnection>) -> impl IntoView {
    let t = use_texts();
    let title = t.home.connections_fail(connections.len());
    let lines: Vec<_> = connections
        .into_iter()
        .take(8)
        .map(|connection| {
            view! {
                <li>
                    <code>{connection.name}</code>
                    " "
                    <span class="muted">{t.home.since()} " " <Moment at=connection.failing_since/></span>
                    {connection.detail.map(|detail| view! { <span>": " {detail}</span> })}
                </li>
            }
        })
        .collect();
    view! {
        <Banner tone=Tone::Danger title>
            <ul>{lines}</ul>
            <a href="/admin/connections?state=failing">{t.home.connections_show()}</a>
        </Banner>
    }
}

#[component]
fn Decisions(decisions: Vec<ApprovalSummary>) -> impl IntoView {
    let t = use_texts();
    let body = if decisions.is_empty() {
        view! { <EmptyState glyph=Glyph::CircleCheck title=t.home.no_decisions() text=t.home.no_decisions_text()/> }
    } else {
        let lines: Vec<_> = decisions
            .into_iter()
            .take(8)
            .map(|approval| {
                view! {
                    <li>
                        <a class="line" href=format!("/approvals/{}", approval.id)>
                            <Avatar name=approval.requester.name.clone()/>
                            <span class="line__text">
                                <span class="line__title">{approval.workflow_title}</span>
                                <span class="line__detail">
                                    <span>{t.name_of(&approval.requester)}</span>
                                    <span>{approval.title}</span>
                                    <span>{t.common.run_number(approval.run_number)}</span>
                                </span>
                            </span>
                            <span class="line__side">
                                <RiskBadge risk=approval.risk/>
                                <span class="line__time">
                                    {match approval.due {
                                        Some(due) => view! { {t.home.due()} " " <Moment at=due/> },
                                        None => view! { {t.home.since()} " " <Moment at=approval.opened_at/> },
                                    }}
                                </span>
                            </span>
                        </a>
                    </li>
                }
            })
            .collect();
        view! { <ul class="lines">{lines}</ul> }
    };
    let all =
        view! { <a class="more-link" href="/approvals">{t.common.show_all()}<Icon glyph=Glyph::ChevronRight/></a> };
    view! { <Card title=t.home.decisions() actions=all.into_any() flush=true>{body}</Card> }
}

#[component]
fn Requests(requests: Vec<RunSummary>) -> impl IntoView {
    let t = use_texts();
    let body = if requests.is_empty() {
        view! {
            <EmptyState glyph=Glyph::Requests title=t.home.no_requests() text=t.home.no_requests_text()>
                <LinkButton href="/catalogue">{t.home.to_catalogue()}</LinkButton>
            </EmptyState>
        }
    } else {
        view! { <ul class="lines">{run_lines(requests, false)}</ul> }
    };
    let all =
        view! { <a class="more-link" href="/requests">{t.common.show_all()}<Icon glyph=Glyph::ChevronRight/></a> };
    view! { <Card title=t.home.requests() actions=all.into_any() flush=true>{body}</Card> }
}

#[component]
fn Running(attention: Vec<RunSummary>, running: Vec<RunSummary>) -> impl IntoView {
    let t = use_texts();
    let mut runs = attention;
    let known: Vec<_> = runs.iter().map(|run| run.id).collect();
    runs.extend(running.into_iter().filter(|run| !known.contains(&run.id)));
    let body = if runs.is_empty() {
        view! { <EmptyState glyph=Glyph::Runs title=t.home.no_runs()/> }
    } else {
        view! { <ul class="lines">{run_lines(runs, true)}</ul> }
    };
    let all = view! { <a class="more-link" href="/runs">{t.common.show_all()}<Icon glyph=Glyph::ChevronRight/></a> };
    view! { <Card title=t.home.running() actions=all.into_any() flush=true>{body}</Card> }
}

fn run_lines(runs: Vec<RunSummary>, with_requester: bool) -> Vec<impl IntoView> {
    let t = use_texts();
    runs.into_iter()
        .take(8)
        .map(|run| {
            view! {
                <li>
                    <a class="line" href=format!("/runs/{}", run.number)>
                        <span class="line__text">
                            <span class="line__title">{run.title}</span>
                            <span class="line__detail">
                                <span>{t.common.run_number(run.number)}</span>
                                {with_requester.then(|| view! { <span>{t.name_of(&run.requester)}</span> })}
                            </span>
                        </span>
                        <span class="line__side">
                            <RunBadge
                                status=run.status
                                needs_attention=run.needs_attention
                                rejected=run.rejected
                                compensated=run.compensated
                            />
                            <span class="line__time"><Moment at=run.updated_at/></span>
                        </span>
                    </a>
                </li>
            }
        })
        .collect()
}

/// For those whose work lies on other pages.
#[component]
fn Elsewhere() -> impl IntoView {
    let t = use_texts();
    view! {
        <Card>
            <EmptyState glyph=Glyph::Home title=t.home.elsewhere() text=t.home.elsewhere_text()>
                {may(Operation::AuditRead).then(|| view! { <LinkButton href="/audit" icon=Glyph::Audit>{t.frame.audit()}</LinkButton> })}
                {may(Operation::UserUpdate)
                    .then(|| view! { <LinkButton href="/admin/people" icon=Glyph::People>{t.frame.people()}</LinkButton> })}
            </EmptyState>
        </Card>
    }
}

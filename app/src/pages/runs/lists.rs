//! Lists of runs: my requests, and all that an operator may see.

use domain::{
    WorkflowRef,
    view::{DraftView, Page, RunSummary},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::super::catalogue::request_href;
use crate::{
    api::{
        catalogue::DeleteDraft,
        runs::{RequestsData, RunListQuery, requests, runs},
    },
    components::{
        Button, ButtonLook, Card, Column, EmptyState, FilterChip, FormFeedback, Glyph, Icon, LinkButton, Moment,
        PageHeader, Pager, RunBadge, SearchForm, Skeleton, Table, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    submission::{Submission, SubmitForm},
    url_state::href_with,
    view,
};

/// What the list is narrowed to, from the address.
fn query_in_address() -> Memo<RunListQuery> {
    let query = use_location().query;
    Memo::new(move |_| {
        query.with(|query| {
            let text = |name: &str| query.get(name).unwrap_or_default();
            let attention = query.get_str("attention") == Some("true");
            RunListQuery {
                state: if attention { "attention".to_owned() } else { text("state") },
                search: text("q"),
                workflow: text("workflow"),
                cursor: text("cursor"),
            }
        })
    })
}

/// My requests, sent and not.
#[component]
pub fn RequestsPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let query = query_in_address();
    let delete = Submission::<DeleteDraft>::new();
    let data = Data::new(
        move || (query.get(), live.version(Topic::Runs), delete.version().get()),
        |(query, ..)| requests(query),
    );
    view! {
        <PageHeader title=t.runs.requests_title() subtitle=t.runs.requests_subtitle()>
            <LinkButton href="/catalogue" look=ButtonLook::Primary icon=Glyph::Plus>{t.runs.new_request()}</LinkButton>
        </PageHeader>
        <FormFeedback problem=delete.problem()/>
        <Filters path="/requests" operator=false/>
        {load(
            data,
            || view! { <Card flush=true><Skeleton lines=10/></Card> },
            move |data| {
                let RequestsData { runs, drafts } = data;
                let narrowed = query.with_untracked(|query| *query != RunListQuery::default());
                view! {
                    {(!drafts.is_empty()).then(|| view! { <Drafts drafts delete/> })}
                    <List page=runs own=true narrowed/>
                }
            },
        )}
    }
}

/// All runs that I may see.
#[component]
pub fn RunsPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let query = query_in_address();
    let data = Data::new(move || (query.get(), live.version(Topic::Runs)), |(query, _)| runs(query));
    view! {
        <PageHeader title=t.runs.title() subtitle=t.runs.subtitle()/>
        <Filters path="/runs" operator=true/>
        {load(
            data,
            || view! { <Card flush=true><Skeleton lines=12/></Card> },
            move |page| {
                let narrowed = query.with_untracked(|query| *query != RunListQuery::default());
                view! { <List page own=false narrowed/> }
            },
        )}
    }
}

#[component]
fn Filters(path: &'static str, operator: bool) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query;
    let state = Memo::new(move |_| query.with(|query| query.get("state").unwrap_or_default()));
    let workflow = Memo::new(move |_| query.with(|query| query.get("workflow").unwrap_or_default()));
    // Only figures lead here with a workflow; its chip takes it away again.
    let of_workflow = move || {
        let workflow = workflow.get();
        (!workflow.is_empty()).then(|| {
            let href = query.with(|query| href_with(path, query, &[("workflow", None)]));
            let name = t.value.workflow();
            view! {
                <a class="chip chip--set" href=href aria-label=t.audit.remove_filter(name, &workflow)>
                    <span>{t.audit.filter_is(name, &workflow)}</span>
                    <Icon glyph=Glyph::Cross/>
                </a>
            }
        })
    };
    view! {
        <div class="list-bar">
            <SearchForm action=path name="q" label=t.runs.search()>
                {move || {
                    let state = state.get();
                    (!state.is_empty()).then(|| view! { <input type="hidden" name="state" value=state/> })
                }}
                {move || {
                    let workflow = workflow.get();
                    (!workflow.is_empty()).then(|| view! { <input type="hidden" name="workflow" value=workflow/> })
                }}
            </SearchForm>
            <div class="chips" role="group" aria-label=t.common.state()>
                <FilterChip param="state" value="" label=t.common.all()/>
                <FilterChip param="state" value="open" label=t.runs.filter_open()/>
                {operator.then(|| view! { <FilterChip param="state" value="attention" label=t.common.state_needs_attention()/> })}
                <FilterChip param="state" value="waiting" label=t.common.state_waiting()/>
                <FilterChip param="state" value="completed" label=t.common.state_completed()/>
                <FilterChip param="state" value="faulted" label=t.common.state_faulted()/>
                <FilterChip param="state" value="cancelled" label=t.common.state_cancelled()/>
                {of_workflow}
            </div>
        </div>
    }
}

#[component]
fn Drafts(drafts: Vec<DraftView>, delete: Submission<DeleteDraft>) -> impl IntoView {
    let t = use_texts();
    let rows: Vec<_> = drafts
        .into_iter()
        .map(|draft| {
            let reference = WorkflowRef { namespace: draft.namespace, name: draft.name };
            let href = request_href(&reference, Some(draft.id));
            view! {
                <li class="draft-line">
                    <Icon glyph=Glyph::Pencil/>
                    <span class="draft-line__text">
                        <a href=href.clone()>{reference.to_string()}</a>
                        " "
                        <span class="muted">{t.catalogue.draft_kept()} " " <Moment at=draft.updated_at/></span>
                    </span>
                    <LinkButton href=href small=true>{t.catalogue.draft_continue()}</LinkButton>
                    <SubmitForm to=delete>
                        <input type="hidden" name="draft" value=draft.id.to_string()/>
                        <input type="hidden" name="next" value="/requests"/>
                        <Button look=ButtonLook::Quiet small=true icon=Glyph::Trash>{t.catalogue.draft_discard()}</Button>
                    </SubmitForm>
                </li>
            }
        })
        .collect();
    view! {
        <Card title=t.catalogue.drafts()>
            <ul class="draft-lines">{rows}</ul>
        </Card>
    }
}

#[component]
fn List(page: Page<RunSummary>, own: bool, narrowed: bool) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return empty(t, own, narrowed);
    }
    let mut columns = vec![Column::new(t.runs.number()), Column::new(t.runs.what()), Column::new(t.common.state())];
    if !own {
        columns.push(Column::new(t.common.requester()));
    }
    columns.extend([Column::new(t.common.created()), Column::new(t.common.updated())]);
    let label = if own { t.runs.requests_title() } else { t.runs.title() };
    let rows: Vec<_> = page.items.into_iter().map(|run| row(t, run, own)).collect();
    view! {
        <Card flush=true>
            <Table label=label columns=columns>{rows}</Table>
            <Pager next=page.next/>
        </Card>
    }
}

fn row(t: Texts, run: RunSummary, own: bool) -> impl IntoView {
    view! {
        <tr>
            <td data-label=t.runs.number()>
                <a class="run-number" href=format!("/runs/{}", run.number)>{t.common.run_number(run.number)}</a>
            </td>
            <td data-label=t.runs.what()>
                <span class="run-title">{run.title}</span>
            </td>
            <td data-label=t.common.state()>
                <RunBadge
                    status=run.status
                    needs_attention=run.needs_attention
                    rejected=run.rejected
                    compensated=run.compensated
                />
            </td>
            {(!own).then(|| view! { <td data-label=t.common.requester()>{t.name_of(&run.requester)}</td> })}
            <td data-label=t.common.created()><Moment at=run.created_at/></td>
            <td data-label=t.common.updated()><Moment at=run.updated_at/></td>
        </tr>
    }
}

fn empty(t: Texts, own: bool, narrowed: bool) -> AnyView {
    if narrowed {
        let all = if own { "/requests" } else { "/runs" };
        return view! {
            <EmptyState glyph=Glyph::Search title=t.runs.no_match() text=t.runs.no_match_text()>
                <LinkButton href=all>{t.common.clear_filters()}</LinkButton>
            </EmptyState>
        };
    }
    if own {
        return view! {
            <EmptyState glyph=Glyph::Requests title=t.runs.no_requests() text=t.runs.no_requests_text()>
                <LinkButton href="/catalogue" look=ButtonLook::Primary>{t.runs.open_catalogue()}</LinkButton>
            </EmptyState>
        };
    }
    view! { <EmptyState glyph=Glyph::Runs title=t.runs.no_runs() text=t.runs.no_runs_text()/> }
}

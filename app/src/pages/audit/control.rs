//! One control: the workflows that name it, their runs, and what is open.

use domain::{
    Operation,
    view::{ControlView, ControlWorkflowView, Page, RunSummary},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

use super::{
    exceptions::{Exceptions, in_log},
    period::{Period, days_of, period_of, period_query},
};
use crate::{
    api::controls::control,
    components::{
        Banner, Card, Column, DownloadLink, EmptyState, Glyph, LinkButton, Moment, PageHeader, Pager, RunBadge,
        Skeleton, Table, Tone, load,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    url_state::query_text,
    view,
};

/// A control with all that there is for it.
#[component]
pub fn ControlPage() -> impl IntoView {
    let query = use_location().query;
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("control").unwrap_or_default()));
    let period = Memo::new(move |_| query.with(period_of));
    let cursor = query_text("cursor");
    let data = Data::new(
        move || (id.get(), period.get(), cursor.get()),
        |(id, (from, to), cursor)| control(id, from, to, Some(cursor).filter(|cursor| !cursor.is_empty())),
    );
    load(data, || view! { <Card><Skeleton lines=16/></Card> }, |control| view! { <Control control/> })
}

#[component]
fn Control(control: ControlView) -> impl IntoView {
    let t = use_texts();
    let language = t.locale.as_str();
    let ControlView { control, list, from, to, workflows, runs, exceptions, cut_off, archived } = control;
    let name = control.title.in_language(language).to_owned();
    let title = if name == control.id { name } else { format!("{} {name}", control.number) };
    let list = list.map_or_else(String::new, |list| list.in_language(language).to_owned());
    let asked = urlencoding::encode(&control.id).into_owned();
    let evidence = format!("/api/v1/audit/evidence?language={language}&control={asked}&{}", period_query(from, to));
    let (first, last_day) = days_of(from, to);
    let entries = format!("/audit?control={asked}&from={first}&to={last_day}");
    let last = control.last_evidence.map(|last| {
        view! {
            <p>
                {t.controls.last_evidence()} ": " {in_log(format!("R-{}", last.run))} " " <Moment at=last.at exact=true/>
            </p>
        }
    });
    view! {
        <PageHeader title=title subtitle=list>
            <LinkButton href="/audit/controls">{t.controls.title()}</LinkButton>
            {may(Operation::AuditRead)
                .then(|| view! { <LinkButton href=entries icon=Glyph::Audit>{t.controls.entries()}</LinkButton> })}
            {may(Operation::AuditExport)
                .then(|| view! { <DownloadLink href=evidence>{t.controls.evidence()}</DownloadLink> })}
        </PageHeader>
        <Period action=format!("/audit/controls/{}", control.id) from to/>
        {last}
        {cut_off.then(|| view! { <Banner tone=Tone::Warning title=t.controls.cut_off()/> })}
        {archived.then(|| view! { <Banner tone=Tone::Info title=t.audit.archived_missing()/> })}
        <Card flush=true title=t.controls.exceptions() subtitle=t.controls.exceptions_text()>
            <Exceptions exceptions from to/>
        </Card>
        <Card flush=true title=t.controls.workflows() subtitle=t.controls.workflows_text()>
            <Workflows workflows/>
        </Card>
        <Card flush=true title=t.controls.runs() subtitle=t.controls.runs_text()>
            <Runs runs/>
        </Card>
    }
}

#[component]
fn Workflows(workflows: Vec<ControlWorkflowView>) -> impl IntoView {
    let t = use_texts().controls;
    if workflows.is_empty() {
        return view! { <EmptyState glyph=Glyph::Steps title=t.no_workflows() text=t.no_workflows_text()/> };
    }
    let rows: Vec<_> = workflows
        .into_iter()
        .map(|workflow| {
            let ControlWorkflowView { namespace, name, version, title, runs, .. } = workflow;
            view! {
                <tr>
                    <th scope="row">{title}</th>
                    <td data-label=t.version()>{in_log(format!("{namespace}/{name} {version}"))}</td>
                    <td data-label=t.runs() class="table__end">{runs}</td>
                </tr>
            }
        })
        .collect();
    let columns = vec![Column::new(t.workflow()), Column::new(t.version()), Column::new(t.runs()).end()];
    view! { <Table label=t.workflows() columns>{rows}</Table> }
}

#[component]
fn Runs(runs: Page<RunSummary>) -> impl IntoView {
    let t = use_texts();
    if runs.items.is_empty() {
        return view! {
            <EmptyState glyph=Glyph::Runs title=t.controls.no_runs() text=t.controls.no_runs_text()/>
        };
    }
    let rows: Vec<_> = runs
        .items
        .into_iter()
        .map(|run| {
            view! {
                <tr>
                    <th scope="row">{in_log(format!("R-{}", run.number))} " " {run.title}</th>
                    <td data-label=t.controls.state()>
                        <RunBadge
                            status=run.status
                            needs_attention=run.needs_attention
                            rejected=run.rejected
                            compensated=run.compensated
                        />
                    </td>
                    <td data-label=t.controls.requester()>{t.name_of(&run.requester)}</td>
                    <td data-label=t.controls.launched()><Moment at=run.created_at exact=true/></td>
                </tr>
            }
        })
        .collect();
    let columns = vec![
        Column::new(t.controls.run()),
        Column::new(t.controls.state()),
        Column::new(t.controls.requester()),
        Column::new(t.controls.launched()),
    ];
    view! {
        <Table label=t.controls.runs() columns>{rows}</Table>
        <Pager next=runs.next/>
    }
    .into_any()
}

//! One workflow: what it does, who decides, and the way to request it.

use domain::{
    MissedRuns, Operation, WorkflowRef,
    view::{DraftView, ScheduleView},
};
use leptos::prelude::*;

use super::{
    NotSetUp,
    list::category_title,
    request_href,
    steps::{PlanSteps, decider_names},
    workflow_href, workflow_in_address,
};
use crate::{
    api::catalogue::{DeleteDraft, WorkflowData, workflow},
    components::{
        Button, ButtonLook, Card, DefinitionList, FormFeedback, Glyph, Icon, LinkButton, Moment, PageHeader, RiskBadge,
        Skeleton, duration_text, graph::GraphView, load,
    },
    data::Data,
    errors,
    i18n::{Texts, use_texts},
    session::may,
    submission::{Submission, SubmitForm},
    view,
};

/// A workflow's page.
#[component]
pub fn WorkflowPage() -> impl IntoView {
    let address = workflow_in_address();
    let delete = Submission::<DeleteDraft>::new();
    let data =
        Data::new(move || (address.get(), delete.version().get()), |((namespace, name), _)| workflow(namespace, name));
    load(
        data,
        || view! { <div class="workflow"><Skeleton lines=4/><Skeleton lines=9/></div> },
        move |data| view! { <Workflow data delete/> },
    )
}

#[component]
fn Workflow(data: WorkflowData, delete: Submission<DeleteDraft>) -> impl IntoView {
    let t = use_texts();
    let WorkflowData { workflow, drafts } = data;
    let item = workflow.item;
    let reference = WorkflowRef { namespace: item.namespace.clone(), name: item.name.clone() };
    let risk = item.risk;
    let marks = view! { <RiskBadge risk/> };
    let takes = item.typical_seconds.map_or_else(|| t.catalogue.no_run_yet().to_owned(), |s| duration_text(t, s));
    let decides = if item.approvals.is_empty() {
        t.catalogue.nobody_decides().to_owned()
    } else {
        decider_names(t, &item.approvals)
    };
    let words = |text: String| view! { <span>{text}</span> };
    let mut facts = vec![
        (t.catalogue.takes().to_owned(), words(takes)),
        (t.catalogue.decides().to_owned(), words(decides)),
        (t.catalogue.category().to_owned(), words(category_title(t, &item.category))),
    ];
    if !item.owner.is_empty() {
        facts.push((t.catalogue.owner().to_owned(), words(item.owner.clone())));
    }
    facts.push((t.catalogue.version().to_owned(), words(item.version.clone())));
    facts.push((t.catalogue.technical_name().to_owned(), view! { <code>{reference.to_string()}</code> }));
    if let Some(at) = item.last_used_at {
        facts.push((t.catalogue.last_used().to_owned(), view! { <Moment at=at/> }));
    }
    if let Some(schedule) = workflow.schedule {
        facts.push((t.catalogue.starts_itself().to_owned(), words(starts(t, &schedule))));
        if schedule.cron.is_some() || schedule.every_seconds.is_some() {
            let missed = match schedule.missed {
                MissedRuns::Skip => t.catalogue.missed_skip(),
                MissedRuns::Once => t.catalogue.missed_once(),
                MissedRuns::All => t.catalogue.missed_all(),
            };
            facts.push((t.catalogue.missed_starts().to_owned(), words(missed.to_owned())));
        }
        if let Some(refused) = schedule.refused {
            let why = errors::title(t, refused.code);
            facts.push((
                t.catalogue.refused_start().to_owned(),
                view! { <Moment at=refused.at/> " · " <span title=refused.detail>{why}</span> },
            ));
        }
        if let Some(at) = schedule.next {
            facts.push((t.catalogue.next_start().to_owned(), view! { <Moment at=at/> }));
        }
    }
    let back = workflow_href(&reference.namespace, &reference.name);
    let request = request_href(&reference, None);
    let missing = item.missing_connections;
    let can_request = may(Operation::RunLaunch) && missing.is_empty();
    view! {
        <PageHeader title=item.title subtitle=item.summary marks=marks>
            {can_request
                .then(|| {
                    view! {
                        <LinkButton href=request.clone() look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.catalogue.request()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <FormFeedback problem=delete.problem()/>
        <NotSetUp missing/>
        <div class="workflow">
            <div class="workflow__main">
                {(!drafts.is_empty())
                    .then(|| view! { <Drafts drafts reference next=back delete/> })}
                <Card title=t.catalogue.what_it_does()>
                    <PlanSteps steps=workflow.steps/>
                </Card>
                {(workflow.graph.nodes.len() > 2)
                    .then(|| {
                        view! {
                            <Card title=t.catalogue.as_graph()>
                                <GraphView graph=workflow.graph/>
                            </Card>
                        }
                    })}
            </div>
            <aside class="workflow__side" aria-label=t.common.details()>
                <Card title=t.common.details()>
                    <DefinitionList items=facts/>
                </Card>
            </aside>
        </div>
    }
}

/// What makes runs begin by themselves, in words.
fn starts(t: Texts, schedule: &ScheduleView) -> String {
    let texts = t.catalogue;
    let ways = [
        schedule.cron.as_ref().map(|pattern| texts.starts_cron(pattern, &schedule.zone)),
        schedule.every_seconds.map(|every| texts.starts_every(duration_text(t, every))),
        schedule.after_seconds.map(|after| texts.starts_after(duration_text(t, after))),
        schedule.on_events.then(|| texts.starts_on().to_owned()),
    ];
    ways.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Unsent requests for this workflow: go on with one, or throw it away.
#[component]
fn Drafts(
    drafts: Vec<DraftView>,
    reference: WorkflowRef,
    next: String,
    delete: Submission<DeleteDraft>,
) -> impl IntoView {
    let t = use_texts();
    let rows: Vec<_> = drafts
        .into_iter()
        .map(|draft| {
            let href = request_href(&reference, Some(draft.id));
            let next = next.clone();
            view! {
                <li class="draft-line">
                    <Icon glyph=Glyph::Pencil/>
                    <span class="draft-line__text">{t.catalogue.draft_kept()} " " <Moment at=draft.updated_at/></span>
                    <LinkButton href=href small=true>{t.catalogue.draft_continue()}</LinkButton>
                    <SubmitForm to=delete>
                        <input type="hidden" name="draft" value=draft.id.to_string()/>
                        <input type="hidden" name="next" value=next/>
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

//! Decisions: the queue, and the cockpit in which one is taken.

mod chosen;
mod cockpit;
mod decide;
mod emergencies;
mod foresight;
mod keys;
mod linked;
mod matter;
mod questions;
mod queue;
mod stages;
mod timing;
mod versions;

use domain::{ApprovalId, ErrorCode, Problem, view::ApprovalSummary};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate, use_params_map},
};

use crate::{
    api::approvals::{Decide, QueueData, QueueQuery, approvals},
    components::{Card, EmptyState, FilterChip, Glyph, PageHeader, Skeleton, load},
    data::Data,
    errors::AppError,
    i18n::use_texts,
    live::{Topic, use_live},
    submission::{Submission, when_done},
    view,
};
pub use chosen::ChosenPage;
use cockpit::Cockpit;
use decide::Words;
use emergencies::InEmergency;
pub use foresight::ForesightPage;
pub(crate) use keys::provide_course;
use keys::{Course, KeysDialog, listen};
pub use linked::LinkedPage;
use questions::Asking;
use queue::Queue;

/// The queue, with its first approval open beside it where there is room.
#[component]
pub fn ApprovalsPage() -> impl IntoView {
    view! { <Decisions asked=Signal::stored(Asked::First)/> }
}

/// The queue beside the approval in the address.
#[component]
pub fn ApprovalPage() -> impl IntoView {
    let params = use_params_map();
    let asked = Memo::new(move |_| {
        let id = params.with(|params| params.get("id").and_then(|id| id.parse().ok()));
        id.map_or(Asked::Nothing, Asked::One)
    });
    view! { <Decisions asked=asked/> }
}

/// Which approval is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The first of the queue.
    First,
    /// This one.
    One(ApprovalId),
    /// The address names none.
    Nothing,
}

#[component]
fn Decisions(#[prop(into)] asked: Signal<Asked>) -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let query = use_location().query;
    let narrowed = Memo::new(move |_| {
        query.with(|query| QueueQuery {
            state: query.get("state").unwrap_or_default(),
            cursor: query.get("cursor").unwrap_or_default(),
        })
    });
    let decide = Submission::<Decide>::new();
    let asking = Asking::new();
    let words = Words::new();
    let changes = move || (decide.version().get(), asking.ask.version().get(), asking.answer.version().get());
    let data = Data::new(
        move || (narrowed.get(), asked.get(), live.version(Topic::Approvals), changes()),
        |(query, asked, ..)| async move {
            match asked {
                Asked::First => approvals(query, None).await,
                Asked::One(id) => approvals(query, Some(id)).await,
                Asked::Nothing => Err(AppError(Problem::new(ErrorCode::NotFound))),
            }
        },
    );
    // What was typed belongs to one approval only.
    Effect::new(move |earlier: Option<Asked>| {
        let now = asked.get();
        if earlier.is_some_and(|earlier| earlier != now) {
            words.clear();
            decide.clear();
        }
        now
    });
    when_done(asking.ask, move |_| words.clear());
    when_done(asking.answer, move |_| words.clear());
    let navigate = use_navigate();
    when_done(decide, {
        let navigate = navigate.clone();
        move |decided| {
            words.clear();
            live.touch(Topic::Approvals);
            let said = decided.decisions.last().map_or("", |decision| decision.decision.as_str());
            let href = format!("/approvals/{}?decided={said}", decided.summary.id);
            navigate(&href, NavigateOptions { scroll: false, ..NavigateOptions::default() });
        }
    });
    let course = Course::of_visit();
    listen(course, query);
    let one = move || matches!(asked.get(), Asked::One(_));

    view! {
        <div class="decisions-page" class:decisions-page--one=one>
            <PageHeader title=t.approvals.title() subtitle=t.approvals.subtitle()>
                <KeysLink/>
            </PageHeader>
            <div class="chips decisions-page__chips" role="group" aria-label=t.common.state()>
                <FilterChip param="state" value="" label=t.approvals.filter_mine()/>
                <FilterChip param="state" value="all" label=t.approvals.filter_pending()/>
                <FilterChip param="state" value="approved" label=t.common.approval_approved()/>
                <FilterChip param="state" value="rejected" label=t.common.approval_rejected()/>
                <FilterChip param="state" value="void" label=t.common.approval_void()/>
            </div>
            {load(
                data,
                || {
                    view! {
                        <div class="decisions-page__panes">
                            <Card flush=true><Skeleton lines=10/></Card>
                            <Card><Skeleton lines=14/></Card>
                        </div>
                    }
                },
                move |data| {
                    let QueueData { list, open: detail, emergencies } = data;
                    let ids: Vec<ApprovalId> = list.items.iter().map(|item| item.id).collect();
                    let shown = detail.as_ref().map(|detail| detail.summary.id);
                    let plain = detail.as_ref().is_some_and(|detail| detail.can_decide && detail.form.is_none());
                    let next = next_of(&ids, shown);
                    let name = |item: &ApprovalSummary| {
                        t.approvals.row(&item.workflow_title, t.name_of(&item.requester), item.run_number)
                    };
                    let order: Vec<_> = list.items.iter().map(|item| (item.id, name(item))).collect();
                    Effect::new(move |_| {
                        course.order.set(order.clone());
                        course.open.set(shown);
                        course.plain.set(plain);
                        // What has left the list is not decided about by having been chosen earlier.
                        course.chosen.update(|chosen| chosen.retain(|id| ids.contains(id)));
                        request_animation_frame(move || course.arrive());
                    });
                    let cockpit = match detail {
                        Some(detail) => view! { <Cockpit detail decide asking words next/> },
                        None => {
                            view! {
                                <Card>
                                    <EmptyState
                                        glyph=Glyph::CircleCheck
                                        title=t.approvals.nothing()
                                        text=t.approvals.nothing_text()
                                    />
                                </Card>
                            }
                        }
                    };
                    view! {
                        <InEmergency emergencies/>
                        <div class="decisions-page__panes">
                            <Queue page=list open=shown course/>
                            <div class="decisions-page__detail">{cockpit}</div>
                        </div>
                    }
                },
            )}
            <p class="visually-hidden" role="status">{move || course.said.get()}</p>
            <KeysDialog/>
        </div>
    }
}

/// The one to decide after the open one: the next in the list, else the first other.
fn next_of(order: &[ApprovalId], open: Option<ApprovalId>) -> Option<ApprovalId> {
    let place = order.iter().position(|id| Some(*id) == open);
    let after = place.and_then(|place| order.get(place + 1)).copied();
    after.or_else(|| order.iter().copied().find(|id| Some(*id) != open))
}

#[component]
fn KeysLink() -> impl IntoView {
    let t = use_texts();
    let href = crate::components::dialog_href("keys");
    view! {
        <a class="button button--quiet decisions-page__keys" href=move || href.get()>
            <span class="button__text">{t.approvals.keys()}</span>
            <kbd>"?"</kbd>
        </a>
    }
}

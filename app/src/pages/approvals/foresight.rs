//! What the run will do next if it is approved, with what other systems say of it. A page of its own: they are asked when
//! somebody comes here, which takes a while.

use domain::{
    ApprovalId, ErrorCode, Problem,
    view::{Certainty, ForeseenCall, ForesightView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use crate::{
    api::approvals::approval_foresight,
    components::{Card, EmptyState, Glyph, LinkButton, PageHeader, Skeleton, load, plan_view},
    data::Data,
    errors::AppError,
    i18n::{Texts, use_texts},
    view,
};

/// The calls to come.
#[component]
pub fn ForesightPage() -> impl IntoView {
    let t = use_texts();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<ApprovalId>().ok())));
    let data = Data::new(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => approval_foresight(id).await,
                None => Err(AppError(Problem::new(ErrorCode::NotFound))),
            }
        },
    );
    let back = id.get_untracked().map_or_else(|| "/approvals".to_owned(), |id| format!("/approvals/{id}"));
    view! {
        <PageHeader title=t.approvals.next_steps() subtitle=t.approvals.next_steps_text()>
            <LinkButton href=back icon=Glyph::ChevronLeft>{t.approvals.next_steps_back()}</LinkButton>
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=10/></Card> },
            move |foresight| view! { <Calls foresight/> },
        )}
    }
}

#[component]
fn Calls(foresight: ForesightView) -> impl IntoView {
    let t = use_texts();
    let ForesightView { calls, more, waits, open_end, .. } = foresight;
    if nothing_follows(&calls, more || waits || open_end) {
        return view! {
            <Card><EmptyState glyph=Glyph::Runs title=t.approvals.next_steps_none()/></Card>
        };
    }
    let calls: Vec<_> = calls.into_iter().map(|call| call_view(t, call)).collect();
    let list = (!calls.is_empty()).then(|| view! { <ol class="foresight">{calls}</ol> });
    view! {
        <Card>
            {list}
            {more.then(|| view! { <p class="muted">{t.approvals.next_steps_more()}</p> })}
            {waits.then(|| view! { <p class="muted">{t.approvals.next_steps_wait()}</p> })}
            {open_end.then(|| view! { <p class="muted">{t.approvals.next_steps_open()}</p> })}
        </Card>
    }
}

/// Whether the run is known to make no calls: where it waits before its first, or all depends on an answer, there may be some.
fn nothing_follows(calls: &[ForeseenCall], may_go_on: bool) -> bool {
    calls.is_empty() && !may_go_on
}

fn call_view(t: Texts, call: ForeseenCall) -> AnyView {
    let would = match call.would {
        // What connectors say is in English.
        Some(words) => view! { <p lang="en">{words}</p> },
        None => view! { <p>{t.definitions.would_call(&call.function)}</p> },
    };
    let unsure = match call.certainty {
        Certainty::Known => None,
        Certainty::Secret => Some(t.approvals.certainty_secret()),
        Certainty::Arguments => Some(t.approvals.certainty_arguments()),
        Certainty::Perhaps => Some(t.approvals.certainty_perhaps()),
    };
    let silent = call.certainty == Certainty::Known && call.plan.is_none() && !call.reads;
    view! {
        <li class="foresight__call">
            <div class="foresight__head">
                <strong>{call.title}</strong>
                {(call.occurrence > 1)
                    .then(|| view! { <span class="muted">{t.runs.occurrence(call.occurrence)}</span> })}
                {(call.decisions > 0)
                    .then(|| view! { <span class="muted">{t.approvals.after_decisions(call.decisions)}</span> })}
            </div>
            {would}
            {unsure.map(|words| view! { <p class="muted">{words}</p> })}
            {call.reads.then(|| view! { <p class="muted">{t.approvals.plan_reads()}</p> })}
            {silent.then(|| view! { <p class="muted">{t.approvals.plan_none()}</p> })}
            {call.plan.map(|plan| plan_view(t, plan))}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::nothing_follows;

    #[test]
    fn a_run_that_waits_before_its_first_call_is_not_said_to_make_none() {
        assert!(nothing_follows(&[], false));
        assert!(!nothing_follows(&[], true));
    }
}

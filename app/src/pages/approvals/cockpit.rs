//! One approval with all that its decision needs.

use domain::{
    ApprovalId, ApprovalState, UserId,
    view::{ApprovalDetail, SimilarRuns},
};
use leptos::prelude::*;

use super::{
    decide::{DecisionDialogs, DecisionForms, Narrowing, Words},
    questions::{Asking, Questions},
    stages::WhoDecides,
    timing,
    versions::{Returned, Versions},
};
use crate::{
    api::approvals::Decide,
    components::{
        ApprovalBadge, Avatar, Banner, Card, DefinitionList, FormFeedback, Glyph, Icon, LinkButton, Moment, RiskBadge,
        RunBadge, Tone, duration_text,
    },
    errors,
    i18n::{Texts, use_texts},
    pages::catalogue::{InputList, PlanSteps},
    submission::Submission,
    url_state::query_text,
    view,
};

/// The right side: who asks for what and why, what will change, and the decision.
#[component]
pub(super) fn Cockpit(
    detail: ApprovalDetail,
    decide: Submission<Decide>,
    asking: Asking,
    words: Words,
    /// The one to decide next.
    next: Option<ApprovalId>,
) -> impl IntoView {
    let t = use_texts();
    let summary = detail.summary.clone();
    let (state, risk) = (summary.state, summary.risk);
    let pending = state == ApprovalState::Pending;
    let decided = query_text("decided");
    let outcome = outcome(t, &detail);
    // That it is back with the requester says enough.
    let refusal = (pending && !summary.returned).then_some(detail.refusal).flatten();
    let for_other = summary.on_behalf_of.clone().filter(|_| detail.can_decide);
    let requester = summary.requester.name.clone();
    let asks = if summary.requester.id == UserId::SCHEDULE {
        t.approvals.asks_schedule(&summary.title)
    } else if summary.requester.id == UserId::TRIGGER {
        t.approvals.asks_trigger(&summary.title)
    } else {
        t.approvals.asks(&requester, &summary.title)
    };
    let run = t.common.run_number(summary.run_number);
    let mut facts = vec![
        (t.approvals.run().to_owned(), view! { <a href=format!("/runs/{}", summary.run_number)>{run}</a> }),
        (t.approvals.opened().to_owned(), view! { <Moment at=summary.opened_at/> }),
    ];
    facts.extend(timing::facts(t, &detail));
    facts.push((
        t.approvals.workflow().to_owned(),
        view! {
            <span>{format!("{}/{}", summary.namespace, summary.name)}</span>
            " "
            <span class="muted">{detail.version.clone()}</span>
        },
    ));
    facts.push((
        t.approvals.digest().to_owned(),
        view! { <code class="digest" title=summary.digest.clone()>{short(&summary.digest)}</code> },
    ));
    let heading = format!("approval-{}", summary.id);
    let labelled = heading.clone();
    let forms = detail.can_decide.then(|| detail.clone());
    let dialogs = (detail.can_decide && detail.form.is_none()).then(|| detail.clone());
    let narrowing = (detail.can_decide && !detail.narrow.is_empty()).then(|| detail.clone());
    let (whole, returned, versions, questions) = (detail.clone(), detail.clone(), detail.clone(), detail.clone());
    let similar = detail.similar.clone();
    view! {
        <article class="cockpit" aria-labelledby=labelled on:input=move |event| words.note(&event)>
            <a class="cockpit__back" href="/approvals">
                <Icon glyph=Glyph::ChevronLeft/>
                <span>{t.approvals.back()}</span>
            </a>
            {move || {
                (!decided.with(String::is_empty))
                    .then(|| {
                        let title = decided
                            .with(|said| t.approvals.by_key(&format!("done_{}", said.replace('-', "_"))))
                            .unwrap_or_default();
                        let next = next
                            .map(|id| {
                                view! {
                                    <LinkButton href=format!("/approvals/{id}") small=true icon=Glyph::ArrowRight>
                                        {t.approvals.next()}
                                    </LinkButton>
                                }
                            });
                        (!title.is_empty()).then(|| view! { <Banner tone=Tone::Success title=title>{next}</Banner> })
                    })
            }}
            <header class="cockpit__head">
                <div class="cockpit__line">
                    <h2 class="cockpit__title" id=heading>{summary.workflow_title.clone()}</h2>
                    <ApprovalBadge state/>
                    <RiskBadge risk/>
                </div>
                <p class="cockpit__asks">
                    <Avatar name=requester.clone()/>
                    <span>{asks}</span>
                </p>
                {(!detail.message.is_empty()).then(|| view! { <p class="cockpit__message">{detail.message.clone()}</p> })}
            </header>
            {outcome}
            <Returned detail=returned/>
            <div class="cockpit__body">
                <div class="cockpit__main">
                    <Versions detail=versions/>
                    <Card title=t.approvals.answers()>
                        <InputList input=detail.input.clone() schema=detail.input_schema.clone()/>
                    </Card>
                    {detail
                        .about
                        .clone()
                        .map(|about| {
                            let title = t.approvals.about();
                            let about = if about.is_object() { about } else { serde_json::json!({ title: about }) };
                            view! { <Card title=title><InputList input=about schema=None/></Card> }
                        })}
                    {(!detail.steps.is_empty())
                        .then(|| {
                            view! {
                                <Card title=t.approvals.what_will_happen() subtitle=t.approvals.what_will_happen_text()>
                                    <PlanSteps steps=detail.steps.clone()/>
                                    {detail
                                        .can_foresee
                                        .then(|| {
                                            let href = format!("/approvals/{}/next", summary.id);
                                            view! {
                                                <p class="cockpit__next">
                                                    <LinkButton href small=true icon=Glyph::ArrowRight>
                                                        {t.approvals.next_steps_ask()}
                                                    </LinkButton>
                                                </p>
                                            }
                                        })}
                                </Card>
                            }
                        })}
                    {narrowing.map(|detail| view! { <Narrowing detail decide words/> })}
                    <Questions detail=questions asking words/>
                </div>
                <div class="cockpit__side">
                    <Card title=t.common.details()>
                        <DefinitionList items=facts/>
                    </Card>
                    <WhoDecides detail=whole/>
                    <History similar/>
                </div>
            </div>
            {refusal
                .map(|code| {
                    view! {
                        <Banner tone=Tone::Info title=errors::title(t, code)>
                            <p>{errors::remedy(t, code)}</p>
                        </Banner>
                    }
                })}
            {for_other
                .map(|other| {
                    let title = t.approvals.you_stand_in(&other.name);
                    view! {
                        <Banner tone=Tone::Info title>
                            <p>{t.approvals.you_stand_in_text(other.name)}</p>
                        </Banner>
                    }
                })}
            // Not within the forms: who came too late is told so after the forms have gone.
            <FormFeedback problem=decide.problem()/>
            {dialogs.map(|detail| view! { <DecisionDialogs detail decide words/> })}
            {forms.map(|detail| view! { <DecisionForms detail decide words/> })}
        </article>
    }
}

/// How it ended, where it has.
fn outcome(t: Texts, detail: &ApprovalDetail) -> Option<AnyView> {
    let (tone, key) = match detail.summary.state {
        ApprovalState::Pending => return None,
        ApprovalState::Approved => (Tone::Success, "outcome_approved"),
        ApprovalState::Rejected => (Tone::Danger, "outcome_rejected"),
        ApprovalState::Void => (Tone::Neutral, "outcome_void"),
    };
    let title = t.approvals.by_key(key).unwrap_or_default();
    let closed = detail.summary.closed_at;
    let error = detail
        .run_error
        .as_ref()
        .map(|error| if error.detail.is_empty() { error.title.clone() } else { error.detail.clone() });
    Some(view! {
        <Banner tone=tone title=title>
            {closed.map(|at| view! { <Moment at=at/> })}
            {error.map(|text| view! { <p>{text}</p> })}
        </Banner>
    })
}

/// How earlier runs of the same workflow went.
#[component]
fn History(similar: SimilarRuns) -> impl IntoView {
    let t = use_texts();
    if similar.ended == 0 && similar.recent.is_empty() {
        return view! {
            <Card title=t.approvals.history()>
                <p class="muted">{t.approvals.no_history()}</p>
            </Card>
        };
    }
    let typical = similar.typical_seconds.map(|seconds| t.approvals.typical(duration_text(t, seconds)));
    let rows: Vec<_> = similar
        .recent
        .into_iter()
        .map(|run| {
            let status = run.status;
            view! {
                <li class="history__run">
                    <a href=format!("/runs/{}", run.number)>{t.common.run_number(run.number)}</a>
                    <RunBadge status/>
                    <span class="muted">{t.name_of(&run.requester)} " " <Moment at=run.created_at/></span>
                </li>
            }
        })
        .collect();
    view! {
        <Card title=t.approvals.history()>
            <p>{t.approvals.completed_of(similar.completed, similar.ended)}</p>
            {typical.map(|text| view! { <p class="muted">{text}</p> })}
            <ul class="history">{rows}</ul>
        </Card>
    }
}

/// The beginning of a digest, enough to compare by eye.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

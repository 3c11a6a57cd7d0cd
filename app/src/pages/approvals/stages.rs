//! Who decides: stage after stage, whom it asks, why, and what each has said so far.

use domain::{
    DecisionKind, StageState,
    view::{ApprovalDetail, ApproverView, DecisionView, StageView},
};
use leptos::prelude::*;
use serde_json::Value;

use crate::{
    components::{Avatar, Banner, Card, Glyph, Icon, Moment, Tone},
    i18n::{Texts, use_texts},
    pages::catalogue::{InputList, decider_names},
    view,
};

/// The stages with their people.
#[component]
pub(super) fn WhoDecides(detail: ApprovalDetail) -> impl IntoView {
    let t = use_texts();
    let several = detail.stages.len() > 1;
    let subtitle = if several {
        t.approvals.stage_of(detail.summary.stage, detail.stages.len())
    } else {
        t.approvals.quorum(&detail.quorum)
    };
    let nobody = detail.stages.iter().zip(1..).any(|(stage, number)| {
        stage.state == StageState::Open && detail.approvers.iter().all(|approver| approver.stage != number)
    });
    let stages: Vec<_> = detail
        .stages
        .iter()
        .zip(1..)
        .map(|(stage, number)| {
            let asked = people(t, &detail, number);
            view! {
                <li class="stage">
                    {several.then(|| stage_head(t, stage, number))}
                    <ul class="decisions">{asked}</ul>
                </li>
            }
        })
        .collect();
    view! {
        <Card title=t.approvals.who_decides() subtitle=subtitle>
            {nobody.then(|| view! { <Banner tone=Tone::Warning title=t.approvals.nobody_asked()/> })}
            <ol class="stages">{stages}</ol>
            {detail.distinct.then(|| view! { <p class="muted">{t.approvals.distinct()}</p> })}
        </Card>
    }
}

fn stage_head(t: Texts, stage: &StageView, number: u32) -> impl IntoView {
    let (glyph, tone) = match stage.state {
        StageState::Open => (Glyph::Clock, "tone tone--warning"),
        StageState::Approved => (Glyph::CircleCheck, "tone tone--success"),
        StageState::Rejected => (Glyph::CircleCross, "tone tone--danger"),
        StageState::Ahead => (Glyph::ArrowRight, "tone tone--neutral"),
    };
    let title = if stage.title.is_empty() { t.approvals.stage(number) } else { format!("{number}. {}", stage.title) };
    let state = t.approvals.by_key(&format!("stage_{}", stage.state)).unwrap_or_default();
    let ahead = stage.state == StageState::Ahead;
    view! {
        <p class="stage__head">
            <span class=tone><Icon glyph/></span>
            <strong>{title}</strong>
            <span class="muted">{state}</span>
            <span class="muted">{t.approvals.quorum(&stage.quorum)}</span>
        </p>
        {ahead.then(|| view! { <p class="muted">{t.approvals.asks_later(decider_names(t, &stage.asks))}</p> })}
    }
}

fn people(t: Texts, detail: &ApprovalDetail, stage: u32) -> Vec<impl IntoView + use<>> {
    let said = |approver: &ApproverView| {
        let of = |decision: &&DecisionView| {
            let voter = decision.on_behalf_of.as_ref().unwrap_or(&decision.person);
            decision.stage == stage && voter.id == approver.person.id
        };
        detail.decisions.iter().find(of).cloned()
    };
    let asked = detail.approvers.iter().filter(|approver| approver.stage == stage);
    asked
        .map(|approver| {
            let said = said(approver);
            let schemas = (detail.form.clone(), detail.input_schema.clone());
            view! {
                <li class="decision">
                    <Avatar name=approver.person.name.clone()/>
                    <div>
                        <p>
                            <strong>{approver.person.name.clone()}</strong>
                            " "
                            <span class="muted">{approver.via.clone()}</span>
                        </p>
                        {match said {
                            Some(decision) => said_line(t, decision, schemas).into_any(),
                            None if approver.gone => view! { <p class="muted">{t.approvals.gone()}</p> }.into_any(),
                            None => view! { <p class="muted">{t.approvals.not_yet()}</p> }.into_any(),
                        }}
                        {(!approver.substitutes.is_empty())
                            .then(|| {
                                let names: Vec<_> =
                                    approver.substitutes.iter().map(|other| other.name.as_str()).collect();
                                view! { <p class="muted">{t.approvals.stands_in(names.join(", "))}</p> }
                            })}
                    </div>
                </li>
            }
        })
        .collect()
}

/// What somebody said. The schemas name the fields of the approver's form, and of the input.
pub(super) fn said_line(
    t: Texts,
    decision: DecisionView,
    (form, input): (Option<Value>, Option<Value>),
) -> impl IntoView {
    let (tone, glyph) = match decision.decision {
        DecisionKind::Approve => ("tone tone--success", Glyph::CircleCheck),
        DecisionKind::Reject => ("tone tone--danger", Glyph::CircleCross),
        DecisionKind::RequestChanges | DecisionKind::Narrow => ("tone tone--warning", Glyph::Undo),
    };
    let said = t.approvals.by_key(&format!("said_{}", decision.decision.as_str().replace('-', "_")));
    let narrowed = decision.narrowed.map(|changes| by_name(&changes));
    let by = decision.on_behalf_of.is_some().then(|| t.approvals.said_by(decision.person.name));
    view! {
        <p>
            <span class=tone><Icon glyph/></span>
            " "
            {said.unwrap_or_default()}
            " "
            {by.map(|by| view! { <span>{by}" "</span> })}
            <span class="muted"><Moment at=decision.decided_at/></span>
        </p>
        {(!decision.comment.is_empty()).then(|| view! { <blockquote class="quote">{decision.comment}</blockquote> })}
        {decision.filled_in.map(|values| view! { <InputList input=values schema=form/> })}
        {narrowed.map(|values| view! { <InputList input=values schema=input/> })}
    }
}

/// Values by pointer as values by name, which is what they are one level deep.
fn by_name(changes: &Value) -> Value {
    let named = |(pointer, value): (&String, &Value)| {
        let name = pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
        (name, value.clone())
    };
    Value::Object(changes.as_object().into_iter().flatten().map(named).collect())
}

//! What was asked for before it was changed, beside what is asked for now; and whose turn it is to change it.

use domain::{WorkflowRef, view::ApprovalDetail};
use leptos::prelude::*;

use super::stages::said_line;
use crate::{
    components::{Avatar, Banner, ButtonLook, Card, Glyph, LinkButton, Tone},
    i18n::use_texts,
    pages::catalogue::{InputList, request_href},
    view,
};

/// Both versions side by side, with who had it changed and why.
#[component]
pub(super) fn Versions(detail: ApprovalDetail) -> impl IntoView {
    let t = use_texts();
    let before = detail.earlier.last().cloned()?;
    let schema = detail.input_schema.clone();
    let reason = before.decisions.last().cloned().map(|decision| {
        let name = decision.person.name.clone();
        let schemas = (None, schema.clone());
        view! {
            <div class="decision">
                <Avatar name=name.clone()/>
                <div>
                    <p><strong>{name}</strong></p>
                    {said_line(t, decision, schemas)}
                </div>
            </div>
        }
    });
    Some(view! {
        <Card title=t.approvals.versions() subtitle=t.approvals.versions_text()>
            {reason}
            <div class="versions">
                <section class="versions__one">
                    <h3 class="versions__title">{t.approvals.before()}</h3>
                    <InputList input=before.input schema=schema.clone()/>
                </section>
                <section class="versions__one">
                    <h3 class="versions__title">{t.approvals.now()}</h3>
                    <InputList input=detail.input schema=schema/>
                </section>
            </div>
        </Card>
    })
}

/// That it is the requester's turn; to the requester, how to go on.
#[component]
pub(super) fn Returned(detail: ApprovalDetail) -> impl IntoView {
    let t = use_texts();
    let summary = detail.summary;
    if !summary.returned {
        return None;
    }
    let workflow = WorkflowRef { namespace: summary.namespace, name: summary.name };
    let mine = detail.can_resubmit;
    let title = if mine { t.approvals.returned_mine() } else { t.approvals.returned() };
    let edit = detail.draft.map(|draft| request_href(&workflow, Some(draft)));
    let withdraw = format!("/runs/{}?dialog=cancel", summary.run_number);
    Some(view! {
        <Banner tone=Tone::Warning title=title>
            <p>{t.approvals.returned_text()}</p>
            {mine
                .then(|| {
                    view! {
                        <div class="decide__buttons">
                            {edit
                                .map(|href| {
                                    view! {
                                        <LinkButton href look=ButtonLook::Primary icon=Glyph::Pencil>
                                            {t.approvals.edit()}
                                        </LinkButton>
                                    }
                                })}
                            <LinkButton href=withdraw icon=Glyph::CircleSlash>{t.approvals.withdraw()}</LinkButton>
                        </div>
                    }
                })}
        </Banner>
    })
}

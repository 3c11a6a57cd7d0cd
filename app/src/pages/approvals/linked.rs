//! What a link in a mail leads to: the decision that it asks for, with the choice prepared. Nothing is decided by coming here.

use domain::{DecisionKind, view::ApprovalDetail};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    decide::{Password, Words},
    matter::{Matter, choices},
};
use crate::{
    api::approvals::{DecideByLink, linked_approval},
    components::{
        Banner, Button, ButtonLook, Card, FormFeedback, Glyph, LinkButton, PageHeader, Skeleton, TextArea, Tone, load,
    },
    data::Data,
    errors,
    i18n::use_texts,
    live::{Topic, use_live},
    pages::catalogue::InputList,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// The decision that a mail asked for.
#[component]
pub fn LinkedPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let params = use_params_map();
    let token = Memo::new(move |_| params.with(|params| params.get("token").unwrap_or_default()));
    let decide = Submission::<DecideByLink>::new();
    let data = Data::new(move || token.get(), linked_approval);
    let navigate = use_navigate();
    when_done(decide, move |decided| {
        live.touch(Topic::Approvals);
        let said = decided.decisions.last().map_or("", |decision| decision.decision.as_str());
        navigate(&format!("/approvals/{}?decided={said}", decided.summary.id), NavigateOptions::default());
    });
    view! {
        <PageHeader title=t.approvals.linked_title() subtitle=t.approvals.linked_text()>
            <LinkButton href="/approvals" icon=Glyph::ChevronLeft>{t.approvals.back()}</LinkButton>
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=10/></Card> },
            move |detail| view! { <Linked detail token decide/> },
        )}
    }
}

#[component]
fn Linked(detail: ApprovalDetail, token: Memo<String>, decide: Submission<DecideByLink>) -> impl IntoView {
    let t = use_texts();
    let words = Words::new();
    let form = detail.form.is_some();
    let prepared = query_text("choice").get_untracked().parse::<DecisionKind>().ok();
    let choices: Vec<_> = choices(t, form)
        .map(|(kind, words)| {
            view! {
                <label class="check">
                    <input
                        class="check__input"
                        type="radio"
                        name="decision"
                        value=kind.as_str()
                        checked=prepared == Some(kind)
                        required=true
                    />
                    <span>{words}</span>
                </label>
            }
        })
        .collect();
    let refusal = detail.refusal.map(|code| {
        view! {
            <Banner tone=Tone::Info title=errors::title(t, code)>
                <p>{errors::remedy(t, code)}</p>
            </Banner>
        }
    });
    let decision = detail.can_decide.then(|| {
        view! {
            <Card title=t.approvals.your_decision()>
                <SubmitForm to=decide>
                    <div class="stack">
                        <FormFeedback problem=decide.problem()/>
                        {form
                            .then(|| {
                                view! {
                                    <Banner tone=Tone::Info title=t.approvals.alone_form()/>
                                }
                            })}
                        <input type="hidden" name="token" value=token.get_untracked()/>
                        <fieldset class="checks">
                            <legend class="field__label">{t.approvals.choice()}</legend>
                            {choices}
                        </fieldset>
                        <TextArea
                            name="comment"
                            label=t.approvals.reason()
                            hint=t.approvals.chosen_reason()
                            optional=true
                            rows=3
                            error=decide.error("/comment")
                        />
                        <Password id="password" step_up=detail.step_up problem=decide.problem() words/>
                        <Button look=ButtonLook::Primary icon=Glyph::Check busy=decide.pending()>
                            {t.approvals.linked_send()}
                        </Button>
                    </div>
                </SubmitForm>
            </Card>
        }
    });
    view! {
        <div class="chosen">
            <Matter summary=detail.summary>
                {(!detail.message.is_empty()).then(|| view! { <p class="cockpit__message">{detail.message}</p> })}
                <InputList input=detail.input schema=detail.input_schema/>
            </Matter>
            {refusal}
            {decision}
        </div>
    }
}

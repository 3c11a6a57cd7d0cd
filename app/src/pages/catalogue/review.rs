//! The last look before sending: what will happen, who is asked, what is touched, and what was answered.

use domain::{DraftId, WorkflowRef};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use super::{
    InputList, request_href,
    steps::{PlanSteps, people, systems},
};
use crate::{
    api::catalogue::{ReviewData, SendDraft, review},
    components::{
        Banner, Button, ButtonLook, Card, DefinitionList, FormFeedback, Glyph, LinkButton, PageHeader, RiskBadge,
        Skeleton, Tone, load,
    },
    data::Data,
    errors::AppError,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// The review's page.
#[component]
pub fn ReviewPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").and_then(|id| id.parse::<DraftId>().ok())));
    let data = Data::new(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => review(id).await,
                None => Err(AppError(domain::Problem::new(domain::ErrorCode::NotFound))),
            }
        },
    );
    let action = Submission::<SendDraft>::new();
    let navigate = use_navigate();
    when_done(action, move |sent| navigate(&format!("/runs/{}", sent.number), NavigateOptions::default()));
    load(
        data,
        || view! { <div class="request"><Skeleton lines=3/><Skeleton lines=12/></div> },
        move |data| view! { <Review data action/> },
    )
}

#[component]
fn Review(data: ReviewData, action: Submission<SendDraft>) -> impl IntoView {
    let t = use_texts();
    let ReviewData { draft, workflow, plan, errors } = data;
    let item = workflow.item;
    let reference = WorkflowRef { namespace: item.namespace.clone(), name: item.name.clone() };
    let form = request_href(&reference, Some(draft.id));
    let risk = item.risk;
    let marks = view! { <RiskBadge risk/> };
    let ready = errors.is_empty();
    let names = |names: String, none: &'static str| {
        let text = if names.is_empty() { none.to_owned() } else { names };
        view! { <span>{text}</span> }
    };
    let facts = vec![
        (t.catalogue.people_asked().to_owned(), names(people(t, &plan), t.catalogue.nobody_decides())),
        (t.catalogue.systems_touched().to_owned(), names(systems(&plan).join(", "), t.common.none())),
    ];
    let correct = format!("{form}&check=true");
    let back = if ready { form } else { correct.clone() };
    // Sent, and the run is on its way: the button must not offer to send it again.
    let sent = Signal::derive(move || action.pending().get() || action.output().is_some());
    view! {
        <PageHeader title=t.catalogue.review_title(&item.title) subtitle=t.catalogue.review_subtitle() marks=marks/>
        <div class="request request--review">
            <FormFeedback problem=action.problem()/>
            {(!ready)
                .then(|| {
                    view! {
                        <Banner tone=Tone::Warning title=t.catalogue.errors_title(errors.len())>
                            <a href=correct.clone()>{t.catalogue.correct()}</a>
                        </Banner>
                    }
                })}
            {ready
                .then(|| {
                    view! {
                        <Card title=t.catalogue.what_will_happen()>
                            <DefinitionList items=facts/>
                            <PlanSteps steps=plan/>
                        </Card>
                    }
                })}
            <Card title=t.catalogue.your_answers()>
                <InputList input=draft.values schema=item.input_schema/>
            </Card>
            <div class="request__foot">
                <LinkButton href=back icon=Glyph::ChevronLeft>
                    {t.catalogue.change_answers()}
                </LinkButton>
                <span class="request__kept"></span>
                {ready
                    .then(|| {
                        view! {
                            <SubmitForm to=action>
                                <input type="hidden" name="draft" value=draft.id.to_string()/>
                                <Button look=ButtonLook::Primary busy=sent icon=Glyph::Check>{t.catalogue.send()}</Button>
                            </SubmitForm>
                        }
                    })}
            </div>
        </div>
    }
}

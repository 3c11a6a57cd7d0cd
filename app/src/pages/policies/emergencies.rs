//! Emergency access: a role for a few hours, asked for by one, agreed to by another, looked at by a third.

use domain::{
    EmergencyState, Operation,
    view::{EmergencyView, Page, Person},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use crate::{
    api::policies::{AskForEmergency, ConfirmEmergency, EndEmergency, ReviewEmergency, emergencies, emergency},
    components::{
        Badge, Button, ButtonLook, Card, DefinitionList, Dialog, EmptyState, FormFeedback, Glyph, LinkButton, Moment,
        PageHeader, Pager, SelectField, Skeleton, TextArea, TextField, Tone, dialog_href, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Emergency access, and the way to ask for it.
#[component]
pub fn EmergenciesPage() -> impl IntoView {
    let t = use_texts();
    let ask = Submission::<AskForEmergency>::new();
    let navigate = use_navigate();
    when_done(ask, move |id| navigate(&format!("/emergencies/{id}"), NavigateOptions::default()));
    let cursor = query_text("cursor");
    let data = Data::new(move || cursor.get(), |cursor| emergencies(Some(cursor).filter(|cursor| !cursor.is_empty())));
    view! {
        <PageHeader title=t.frame.emergencies() subtitle=t.policies.emergency_lead()>
            {may(Operation::EmergencyAsk)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Danger icon=Glyph::Warning>
                            {t.policies.emergency_ask()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <Card flush=true>{load(data, || view! { <Skeleton lines=4/> }, move |page| view! { <List page/> })}</Card>
        <Dialog name="new" title=t.policies.emergency_ask()>
            <SubmitForm to=ask>
                <div class="stack">
                    <FormFeedback problem=ask.problem()/>
                    <p>{t.policies.emergency_text()}</p>
                    <SelectField
                        name="role"
                        label=t.admin.role()
                        options=roles(t)
                        error=ask.error("/role")
                    />
                    <TextField
                        name="place"
                        label=t.admin.place()
                        hint=t.admin.place_hint()
                        code=true
                        error=ask.error("/place")
                    />
                    <TextArea
                        name="reason"
                        label=t.policies.emergency_reason()
                        hint=t.policies.emergency_reason_hint()
                        maxlength=500_u32
                        rows=3
                        error=ask.error("/reason")
                    />
                    <TextField
                        name="minutes"
                        kind="number"
                        label=t.policies.emergency_minutes()
                        hint=t.policies.emergency_minutes_hint()
                        value="60"
                        error=ask.error("/minutes")
                    />
                    <Button look=ButtonLook::Danger busy=ask.pending()>{t.policies.emergency_send()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn List(page: Page<EmergencyView>) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return view! {
            <EmptyState glyph=Glyph::CircleCheck title=t.policies.emergencies_none() text=t.policies.emergencies_none_text()/>
        };
    }
    let lines: Vec<_> = page
        .items
        .into_iter()
        .map(|emergency| {
            let (title, mark) = (title(t, &emergency), standing(t, emergency.state));
            view! {
                <li>
                    <a class="line" href=format!("/emergencies/{}", emergency.id)>
                        <span class="line__text">
                            <span class="line__title">{title}</span>
                            <span class="line__detail">
                                <span>{emergency.reason}</span>
                                <Moment at=emergency.asked_at/>
                            </span>
                        </span>
                        <span class="line__side">{mark}</span>
                    </a>
                </li>
            }
        })
        .collect();
    view! {
        <ul class="lines">{lines}</ul>
        <Pager next=page.next/>
    }
}

/// The roles that one may ask for.
fn roles(t: Texts) -> Vec<(String, String)> {
    let role =
        |role: &str| (role.to_owned(), t.policies.by_key(&format!("emergency_{role}")).unwrap_or_default().to_owned());
    ["approver", "operator", "publisher"].map(role).into()
}

/// Who has, or wants, which role where.
fn title(t: Texts, emergency: &EmergencyView) -> String {
    let role = t.policies.by_key(&format!("emergency_{}", emergency.role)).unwrap_or_default();
    let place = match emergency.scope.namespace() {
        Some(name) => name.to_string(),
        None => t.admin.everywhere().to_owned(),
    };
    t.policies.emergency_title(&emergency.person.name, role, &place)
}

fn standing(t: Texts, state: EmergencyState) -> AnyView {
    let (tone, glyph) = match state {
        EmergencyState::Asked => (Tone::Warning, Glyph::PersonClock),
        EmergencyState::InForce => (Tone::Danger, Glyph::Warning),
        EmergencyState::Over => (Tone::Warning, Glyph::Clock),
        EmergencyState::Reviewed => (Tone::Success, Glyph::Check),
        EmergencyState::Dropped => (Tone::Neutral, Glyph::CircleSlash),
    };
    let label = t.policies.by_key(&format!("emergency_state_{}", state.as_str().replace('-', "_"))).unwrap_or_default();
    view! { <Badge tone glyph label/> }
}

/// One emergency access, and what becomes of it.
#[component]
pub fn EmergencyPage() -> impl IntoView {
    let live = use_live();
    let confirm = Submission::<ConfirmEmergency>::new();
    let end = Submission::<EndEmergency>::new();
    let review = Submission::<ReviewEmergency>::new();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let changes = move || (confirm.version().get(), end.version().get(), review.version().get());
    let data = Data::new(move || (id.get(), live.version(Topic::Notifications), changes()), |(id, ..)| emergency(id));
    view! {
        <FormFeedback problem=confirm.problem()/>
        <FormFeedback problem=end.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |emergency| view! { <One emergency confirm end review/> },
        )}
    }
}

#[component]
fn One(
    emergency: EmergencyView,
    confirm: Submission<ConfirmEmergency>,
    end: Submission<EndEmergency>,
    review: Submission<ReviewEmergency>,
) -> impl IntoView {
    let t = use_texts();
    let (heading, mark) = (title(t, &emergency), standing(t, emergency.state));
    let may = |operation: Operation| emergency.actions.contains(&operation);
    let (confirms, ends, reviews) =
        (may(Operation::EmergencyConfirm), may(Operation::EmergencyEnd), may(Operation::EmergencyReview));
    let asked = emergency.state == EmergencyState::Asked;
    let id = emergency.id.to_string();
    let (to_confirm, to_end, to_review) = (id.clone(), id.clone(), id);
    let end_label = if asked { t.policies.emergency_drop() } else { t.policies.emergency_end() };
    let review_card = reviews.then(|| {
        view! {
            <Card title=t.policies.emergency_review() subtitle=t.policies.emergency_review_text()>
                <SubmitForm to=review>
                    <div class="stack">
                        <FormFeedback problem=review.problem()/>
                        <input type="hidden" name="id" value=to_review/>
                        <TextArea
                            name="review"
                            label=t.policies.emergency_found()
                            maxlength=500_u32
                            error=review.error("/review")
                        />
                        <Button look=ButtonLook::Primary busy=review.pending()>{t.policies.emergency_review_send()}</Button>
                    </div>
                </SubmitForm>
            </Card>
        }
    });
    let audit = format!("/audit?actor={}", emergency.person.login);
    view! {
        <PageHeader title=heading marks=mark>
            {ends
                .then(|| {
                    view! {
                        <SubmitForm to=end>
                            <input type="hidden" name="id" value=to_end/>
                            <Button icon=Glyph::CircleSlash busy=end.pending()>{end_label}</Button>
                        </SubmitForm>
                    }
                })}
            {confirms
                .then(|| {
                    view! {
                        <SubmitForm to=confirm>
                            <input type="hidden" name="id" value=to_confirm/>
                            <Button look=ButtonLook::Danger icon=Glyph::Check busy=confirm.pending()>
                                {t.policies.emergency_confirm()}
                            </Button>
                        </SubmitForm>
                    }
                })}
        </PageHeader>
        <Card>
            <div class="stack">
                <DefinitionList items=facts(t, emergency)/>
                {crate::session::may(Operation::AuditRead)
                    .then(|| view! { <p><a href=audit>{t.policies.emergency_audit()}</a></p> })}
            </div>
        </Card>
        {review_card}
    }
}

/// All that was said of it, in order.
fn facts(t: Texts, emergency: EmergencyView) -> Vec<(String, AnyView)> {
    let by = |person: Person, at: AnyView| view! { <span>{person.name} " · " {at}</span> };
    let mut facts = vec![
        (t.policies.emergency_reason().to_owned(), view! { <span class="said-lines">{emergency.reason}</span> }),
        (
            t.policies.emergency_asked().to_owned(),
            by(emergency.person, view! { <Moment at=emergency.asked_at exact=true/> }),
        ),
    ];
    if let (Some(person), Some(at)) = (emergency.confirmed_by, emergency.confirmed_at) {
        facts.push((t.policies.emergency_confirmed().to_owned(), by(person, view! { <Moment at exact=true/> })));
    }
    let until = match emergency.state {
        EmergencyState::Asked => Some(t.policies.emergency_confirmable()),
        EmergencyState::InForce => Some(t.policies.emergency_until()),
        EmergencyState::Over | EmergencyState::Reviewed => Some(t.policies.emergency_ended()),
        EmergencyState::Dropped => None,
    };
    if let Some(label) = until {
        facts.push((label.to_owned(), view! { <Moment at=emergency.ends_at exact=true/> }));
    }
    if let Some(person) = emergency.ended_by {
        facts.push((t.policies.emergency_ended_by().to_owned(), view! { <span>{person.name}</span> }));
    }
    if let (Some(person), Some(at)) = (emergency.reviewed_by, emergency.reviewed_at) {
        facts.push((t.policies.emergency_reviewed().to_owned(), by(person, view! { <Moment at exact=true/> })));
        facts.push((
            t.policies.emergency_found().to_owned(),
            view! { <span class="said-lines">{emergency.review}</span> },
        ));
    }
    facts
}

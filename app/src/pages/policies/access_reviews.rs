//! Reviews of who holds which roles.

use domain::{
    AccessVerdict, Operation,
    view::{AccessReviewItem, AccessReviewView, Page, ReviewedGrant},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map},
};

use crate::{
    api::policies::{CloseAccessReview, DecideAccess, StartAccessReview, access_review, access_reviews},
    components::{
        Avatar, Badge, Button, ButtonLook, Card, Dialog, EmptyState, FormFeedback, Glyph, Icon, LinkButton, Moment,
        PageHeader, Pager, Skeleton, TextField, Tone, dialog_href, load,
    },
    data::Data,
    i18n::{Texts, sentence, use_texts},
    pages::admin::close_dialog,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Reviews, and the way to start one.
#[component]
pub fn AccessReviewsPage() -> impl IntoView {
    let t = use_texts();
    let start = Submission::<StartAccessReview>::new();
    let navigate = use_navigate();
    when_done(start, move |id| navigate(&format!("/access-reviews/{id}"), NavigateOptions::default()));
    let cursor = query_text("cursor");
    let data =
        Data::new(move || cursor.get(), |cursor| access_reviews(Some(cursor).filter(|cursor| !cursor.is_empty())));
    view! {
        <PageHeader title=t.frame.access_reviews() subtitle=t.policies.reviews_lead()>
            {may(Operation::AccessReviewStart)
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.policies.review_new()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <Card flush=true>
            {load(data, || view! { <Skeleton lines=4/> }, move |page| view! { <Reviews page/> })}
        </Card>
        <Dialog name="new" title=t.policies.review_new()>
            <SubmitForm to=start>
                <div class="stack">
                    <FormFeedback problem=start.problem()/>
                    <p>{t.policies.review_text()}</p>
                    <TextField name="title" label=t.policies.review_title() maxlength=200_u32 error=start.error("/title")/>
                    <TextField
                        name="place"
                        label=t.admin.place()
                        hint=t.admin.place_hint()
                        value="*"
                        code=true
                        error=start.error("/scope")
                    />
                    <TextField
                        name="until"
                        kind="date"
                        label=t.policies.review_due()
                        hint=t.policies.review_due_hint()
                        error=start.error("/dueAt")
                    />
                    <Button look=ButtonLook::Primary busy=start.pending()>{t.policies.review_start()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn Reviews(page: Page<AccessReviewItem>) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return view! { <EmptyState glyph=Glyph::Key title=t.policies.reviews_none()/> };
    }
    let lines: Vec<_> = page
        .items
        .into_iter()
        .map(|review| {
            let marks = standing(t, &review);
            view! {
                <li>
                    <a class="line" href=format!("/access-reviews/{}", review.id)>
                        <span class="line__text">
                            <span class="line__title">{review.title}</span>
                            <span class="line__detail">
                                <span>{place(t, &review.scope.to_string())}</span>
                                <span>{t.policies.review_by()} " " <Moment at=review.due_at exact=true/></span>
                                <span>{t.policies.review_pending(review.pending)}</span>
                            </span>
                        </span>
                        <span class="line__side">{marks}</span>
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

fn standing(t: Texts, review: &AccessReviewItem) -> AnyView {
    if review.closed_at.is_some() {
        view! { <Badge glyph=Glyph::Check label=t.policies.review_ended()/> }
    } else {
        view! { <Badge tone=Tone::Warning glyph=Glyph::PersonClock label=t.policies.review_open()/> }
    }
}

fn place(t: Texts, scope: &str) -> String {
    if scope == "*" { t.admin.everywhere().to_owned() } else { scope.to_owned() }
}

/// One review: of each grant, whether it stays.
#[component]
pub fn AccessReviewPage() -> impl IntoView {
    let decide = Submission::<DecideAccess>::new();
    let close = Submission::<CloseAccessReview>::new();
    let away = close_dialog();
    when_done(close, move |()| away());
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let data =
        Data::new(move || (id.get(), decide.version().get(), close.version().get()), |(id, ..)| access_review(id));
    view! {
        <FormFeedback problem=decide.problem()/>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |review| view! { <Review review decide close/> },
        )}
    }
}

#[component]
fn Review(
    review: AccessReviewView,
    decide: Submission<DecideAccess>,
    close: Submission<CloseAccessReview>,
) -> impl IntoView {
    let t = use_texts();
    let AccessReviewView { item, items, closable } = review;
    let (id, title) = (item.id.to_string(), item.title.clone());
    let marks = standing(t, &item);
    let lead = view! {
        <p class="page-header__subtitle">
            {place(t, &item.scope.to_string())} " · " {t.policies.review_by()} " " <Moment at=item.due_at exact=true/> " · "
            {t.policies.review_pending(item.pending)}
        </p>
    };
    let lines: Vec<_> = items
        .into_iter()
        .map(|grant| {
            let review = id.clone();
            view! { <Grant grant review decide/> }
        })
        .collect();
    let form = StoredValue::new(id.clone());
    view! {
        <PageHeader title=title marks=marks>
            {closable
                .then(|| {
                    view! {
                        <LinkButton href=dialog_href("close") icon=Glyph::Skip>{t.policies.review_close()}</LinkButton>
                    }
                })}
        </PageHeader>
        {lead}
        <Card flush=true>
            <ul class="lines">{lines}</ul>
        </Card>
        <Dialog name="close" title=t.policies.review_close()>
            <SubmitForm to=close>
                <div class="stack">
                    <FormFeedback problem=close.problem()/>
                    <p>{t.policies.review_close_text()}</p>
                    <input type="hidden" name="id" value=form.get_value()/>
                    <Button look=ButtonLook::Danger busy=close.pending()>{t.policies.review_close()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn Grant(grant: ReviewedGrant, review: String, decide: Submission<DecideAccess>) -> impl IntoView {
    let t = use_texts();
    let name = if grant.team { t.admin.team_of(grant.holder.clone()) } else { grant.holder.clone() };
    let scope = place(t, &grant.scope.to_string());
    let template = t.admin.by_key(&format!("may_{}", grant.role)).unwrap_or_default();
    let words = sentence(template, |place| match place {
        "who" => view! { <strong>{name.clone()}</strong> },
        _ => view! { <code>{scope.clone()}</code> },
    });
    let picture = if grant.team {
        view! { <span class="line__glyph"><Icon glyph=Glyph::Teams/></span> }
    } else {
        view! { <Avatar name=name.clone()/> }
    };
    let (tone, glyph) = match grant.verdict {
        AccessVerdict::Pending => (Tone::Warning, Glyph::PersonClock),
        AccessVerdict::Confirmed => (Tone::Success, Glyph::Check),
        AccessVerdict::Kept => (Tone::Info, Glyph::Info),
        AccessVerdict::Revoked | AccessVerdict::Lapsed => (Tone::Danger, Glyph::CircleSlash),
        AccessVerdict::Gone => (Tone::Neutral, Glyph::Undo),
    };
    let verdict = t.policies.by_key(&format!("verdict_{}", grant.verdict)).unwrap_or_default();
    let said = grant.decided_by.map(|person| {
        let comment = (!grant.comment.is_empty()).then(|| format!(": {}", grant.comment));
        view! { <span>{person.name} {comment}</span> }
    });
    let at = grant.decided_at.map(|at| view! { <Moment at/> });
    let id = grant.grant.to_string();
    let buttons = grant.decidable.then(|| {
        view! {
            <SubmitForm to=decide>
                <div class="verdicts">
                    <input type="hidden" name="review" value=review/>
                    <input type="hidden" name="grant" value=id/>
                    <Button small=true name="stays" value="false" look=ButtonLook::Danger>{t.admin.revoke()}</Button>
                    <Button small=true name="stays" value="true" icon=Glyph::Check>{t.policies.review_stays()}</Button>
                </div>
            </SubmitForm>
        }
    });
    view! {
        <li class="line">
            {picture}
            <span class="line__text">
                <span class="line__title line__title--plain">{words}</span>
                <span class="line__detail">{said} {at}</span>
            </span>
            <span class="line__side">
                <Badge tone glyph label=verdict/>
                {buttons}
            </span>
        </li>
    }
}

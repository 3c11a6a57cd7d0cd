use domain::{
    Operation,
    view::{ConflictView, HeldRole, SeparationView, SubjectView},
};
use leptos::prelude::*;

use super::close_dialog;
use crate::{
    api::policies::{SeparateRoles, separation},
    components::{
        Avatar, Badge, Button, ButtonLook, Card, CheckboxGroup, Dialog, EmptyState, FormFeedback, Glyph, LinkButton,
        Skeleton, Tone, dialog_href, load, use_toasts,
    },
    data::Data,
    i18n::{Texts, use_texts},
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// Who holds roles that conflict, and which of them nobody may hold together.
#[component]
pub fn Separation() -> impl IntoView {
    may(Operation::SeparationRead).then(|| view! { <Report/> })
}

#[component]
fn Report() -> impl IntoView {
    let t = use_texts();
    let separate = Submission::<SeparateRoles>::new();
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(separate, move |()| {
        toasts.done(t.admin.separation_saved());
        close();
    });
    let data = Data::new(move || separate.version().get(), |_| separation());
    load(data, || view! { <Card><Skeleton lines=3/></Card> }, move |report| view! { <Conflicts report separate/> })
}

#[component]
fn Conflicts(report: SeparationView, separate: Submission<SeparateRoles>) -> impl IntoView {
    let t = use_texts();
    let SeparationView { pairs, holders } = report;
    let options: Vec<(String, String)> = pairs
        .iter()
        .map(|pair| {
            let words = t.admin.separation_pair(role(t, pair.one.as_str()), role(t, pair.other.as_str()));
            (format!("{} {}", pair.one, pair.other), words)
        })
        .collect();
    let chosen: Vec<String> =
        pairs.iter().filter(|pair| pair.forbidden).map(|pair| format!("{} {}", pair.one, pair.other)).collect();
    let fields = StoredValue::new((options, chosen));
    let opener = may(Operation::SeparationUpdate).then(|| {
        view! { <LinkButton href=dialog_href("separation") small=true icon=Glyph::Pencil>{t.admin.separation_set()}</LinkButton> }
    });
    let opener = opener.into_any();
    let lines: Vec<_> = holders.into_iter().map(|conflict| view! { <Conflict conflict/> }).collect();
    let list = if lines.is_empty() {
        view! { <EmptyState glyph=Glyph::People title=t.admin.separation_none()/> }
    } else {
        view! { <ul class="lines">{lines}</ul> }
    };
    view! {
        <Card
            title=t.admin.separation()
            subtitle=t.admin.separation_lead()
            flush=true
            actions=opener
        >
            {list}
        </Card>
        <Dialog name="separation" title=t.admin.separation_title()>
            <SubmitForm to=separate>
                <div class="stack">
                    <FormFeedback problem=separate.problem()/>
                    <p>{t.admin.separation_text()}</p>
                    {
                        let (options, chosen) = fields.get_value();
                        view! { <CheckboxGroup name="pairs[]" legend=t.admin.separation_pairs() options chosen/> }
                    }
                    <Button look=ButtonLook::Primary busy=separate.pending()>{t.common.save()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn Conflict(conflict: ConflictView) -> impl IntoView {
    let t = use_texts();
    let ConflictView { person, one, other, forbidden, .. } = conflict;
    let words = t.admin.separation_by(
        role(t, one.role.as_str()),
        place(t, &one),
        role(t, other.role.as_str()),
        place(t, &other),
    );
    let title = t.admin.separation_pair(role(t, one.role.as_str()), role(t, other.role.as_str()));
    view! {
        <li class="line">
            <Avatar name=person.name.clone()/>
            <span class="line__text">
                <span class="line__title">{person.name}</span>
                <span class="line__detail">
                    <span>{title}</span>
                    <span>{words}</span>
                </span>
            </span>
            <span class="line__side">
                {forbidden
                    .then(|| {
                        view! { <Badge tone=Tone::Danger glyph=Glyph::Warning label=t.admin.separation_forbidden()/> }
                    })}
            </span>
        </li>
    }
}

fn role(t: Texts, role: &str) -> &'static str {
    t.common.by_key(&format!("role_{role}")).unwrap_or_default()
}

/// Where a role is held, and by which team, if by one.
fn place(t: Texts, held: &HeldRole) -> String {
    let scope = held.scope.to_string();
    let scope = if scope == "*" { t.admin.everywhere().to_owned() } else { scope };
    match &held.subject {
        SubjectView::Team { name, .. } => format!("{scope} ({})", t.admin.team_of(name)),
        SubjectView::User { .. } => scope,
    }
}

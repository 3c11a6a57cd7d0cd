//! How long entries of the log are kept, legal holds on them, and the files that they are in afterwards.

use domain::{
    Operation,
    view::{AuditClassView, AuditHoldView, AuditRetentionView, AuditSegmentView, Page},
};
use leptos::prelude::*;

use crate::{
    api::audit_retention::{PlaceAuditHold, ReleaseAuditHold, audit_holds, audit_retention, audit_segments},
    components::{
        Badge, Banner, Button, ButtonLook, Card, CopyButton, EmptyState, FormFeedback, Glyph, Icon, LinkButton, Moment,
        PageHeader, Pager, Skeleton, TextArea, TextField, Tone, load, use_toasts,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Classes, holds and segments. The times of the classes are in the configuration alone, so that nobody can shorten them from within
/// the portal.
#[component]
pub fn RetentionPage() -> impl IntoView {
    let t = use_texts();
    let place = Submission::<PlaceAuditHold>::new();
    let release = Submission::<ReleaseAuditHold>::new();
    let toasts = use_toasts();
    when_done(place, move |()| toasts.done(t.audit.hold_placed_done()));
    when_done(release, move |()| toasts.done(t.audit.hold_released_done()));
    let cursor = query_text("cursor");
    let retention = Data::new(|| (), |()| audit_retention());
    let holds = Data::new(move || (place.version().get(), release.version().get()), |_| audit_holds());
    let segments =
        Data::new(move || cursor.get(), |cursor| audit_segments(Some(cursor).filter(|cursor| !cursor.is_empty())));
    view! {
        <PageHeader title=t.audit.retention() subtitle=t.audit.retention_lead()>
            {may(Operation::AuditRead)
                .then(|| view! { <LinkButton href="/audit" icon=Glyph::Audit>{t.frame.audit()}</LinkButton> })}
        </PageHeader>
        {load(retention, || view! { <Card><Skeleton lines=4/></Card> }, |retention| view! { <Classes retention/> })}
        <Card title=t.audit.holds() subtitle=t.audit.holds_lead()>
            <div class="stack">
                <FormFeedback problem=release.problem()/>
                {load(holds, || view! { <Skeleton lines=3/> }, move |holds| view! { <Holds holds release/> })}
                {may(Operation::AuditHoldPlace).then(|| view! { <PlaceHold place/> })}
            </div>
        </Card>
        <Card title=t.audit.segments() subtitle=t.audit.segments_lead()>
            {load(segments, || view! { <Skeleton lines=3/> }, |page| view! { <Segments page/> })}
        </Card>
    }
}

#[component]
fn Classes(retention: AuditRetentionView) -> impl IntoView {
    let t = use_texts().audit;
    let failing = retention.failing_since.map(|since| {
        view! {
            <Banner tone=Tone::Danger title=t.retention_failing()>
                <p>{retention.failure.unwrap_or_default()}</p>
                <p>{t.retention_since()} " " <Moment at=since exact=true/></p>
            </Banner>
        }
    });
    let lines: Vec<_> = retention.classes.into_iter().map(|class| view! { <Class class/> }).collect();
    let succeeded = retention.succeeded_at.map(|at| view! { <span>{t.retention_succeeded()} " " <Moment at/></span> });
    view! {
        {failing}
        <Card title=t.retention_classes()>
            <ul class="lines">{lines}</ul>
            <p class="line__detail">
                <span>{t.retention_folder()} " " <code>{retention.folder}</code></span>
                {succeeded}
            </p>
        </Card>
    }
}

#[component]
fn Class(class: AuditClassView) -> impl IntoView {
    let t = use_texts().audit;
    let name = class.class.as_str();
    let keep = match class.keep {
        Some(time) => t.retention_keep(&time),
        None => t.retention_for_ever().to_owned(),
    };
    let waiting = (class.waiting > 0).then(|| view! { <span>{t.retention_waiting(class.waiting)}</span> });
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title">{t.by_key(&format!("class_{name}")).unwrap_or_default()}</span>
                <span class="line__detail">
                    <span>{t.by_key(&format!("class_{name}_text")).unwrap_or_default()}</span>
                    {waiting}
                </span>
            </span>
            <span class="line__side">{keep}</span>
        </li>
    }
}

#[component]
fn Holds(holds: Vec<AuditHoldView>, release: Submission<ReleaseAuditHold>) -> impl IntoView {
    let t = use_texts().audit;
    if holds.is_empty() {
        return view! { <EmptyState glyph=Glyph::Audit title=t.holds_none() text=t.holds_none_text()/> };
    }
    let lines: Vec<_> = holds.into_iter().map(|hold| view! { <Hold hold release/> }).collect();
    view! { <ul class="lines">{lines}</ul> }
}

#[component]
fn Hold(hold: AuditHoldView, release: Submission<ReleaseAuditHold>) -> impl IntoView {
    let t = use_texts().audit;
    let in_force = hold.released_at.is_none();
    let covers: Vec<_> = covers(&hold).into_iter().map(|words| view! { <span>{words}</span> }).collect();
    let mark = if in_force {
        view! { <Badge tone=Tone::Warning glyph=Glyph::Key label=t.hold_in_force()/> }
    } else {
        view! { <Badge glyph=Glyph::Check label=t.hold_released()/> }
    };
    let released = hold.released_by.zip(hold.released_at).map(|(person, at)| {
        view! {
            <span class="line__detail">
                <span>{t.hold_released_by(&person.name)} " " <Moment at exact=true/></span>
                <span>{hold.release_reason.unwrap_or_default()}</span>
            </span>
        }
    });
    let id = hold.id.to_string();
    let form = (in_force && may(Operation::AuditHoldRelease)).then(|| {
        view! {
            <SubmitForm to=release>
                <input type="hidden" name="id" value=id.clone()/>
                <div class="row-form">
                    <TextField
                        name="reason"
                        id=format!("release-{id}")
                        label=t.hold_release_reason()
                        maxlength=500_u32
                    />
                    <Button small=true look=ButtonLook::Danger>{t.hold_release()}</Button>
                </div>
            </SubmitForm>
        }
    });
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title">{hold.name}</span>
                <span class="line__detail">{covers}</span>
                <span class="line__detail"><span>{hold.reason}</span></span>
                <span class="line__detail">
                    <span>{t.hold_placed(&hold.placed_by.name)} " " <Moment at=hold.placed_at exact=true/></span>
                </span>
                {released}
                {form}
            </span>
            <span class="line__side">{mark}</span>
        </li>
    }
}

/// What a hold covers, each condition in words.
fn covers(hold: &AuditHoldView) -> Vec<String> {
    let t = use_texts().audit;
    let covers = &hold.covers;
    let object = covers.resource_kind.as_ref().zip(covers.resource_id.as_ref());
    let conditions = [
        (t.field_namespace(), covers.namespace.clone()),
        (t.field_actor(), covers.person.clone()),
        (t.field_resource(), object.map(|(kind, id)| format!("{kind} {id}"))),
        (t.hold_from(), covers.from.map(|at| at.to_string())),
        (t.hold_to(), covers.to.map(|at| at.to_string())),
    ];
    let said: Vec<_> = conditions.into_iter().filter_map(|(name, value)| Some(t.hold_covers(name, &value?))).collect();
    if said.is_empty() { vec![t.hold_all().to_owned()] } else { said }
}

#[component]
fn PlaceHold(place: Submission<PlaceAuditHold>) -> impl IntoView {
    let t = use_texts().audit;
    view! {
        <details class="filters__more">
            <summary class="button button--small">
                <Icon glyph=Glyph::Plus/>
                <span class="button__text">{t.hold_place()}</span>
            </summary>
            <SubmitForm to=place>
                <div class="stack">
                    <FormFeedback problem=place.problem()/>
                    <TextField name="name" id="hold-name" label=t.hold_name() maxlength=100_u32 error=place.error("/name")/>
                    <TextArea
                        name="reason"
                        label=t.hold_reason()
                        maxlength=500_u32
                        rows=3
                        error=place.error("/reason")
                    />
                    <p>{t.hold_covers_hint()}</p>
                    <TextField
                        name="namespace"
                        id="hold-namespace"
                        label=t.field_namespace()
                        code=true
                        optional=true
                        error=place.error("/covers/namespace")
                    />
                    <TextField
                        name="person"
                        id="hold-person"
                        label=t.field_actor()
                        hint=t.hold_person_hint()
                        code=true
                        optional=true
                        error=place.error("/covers/person")
                    />
                    <TextField
                        name="kind"
                        id="hold-kind"
                        label=t.hold_kind()
                        code=true
                        optional=true
                        error=place.error("/covers/resourceKind")
                    />
                    <TextField
                        name="resource"
                        id="hold-resource"
                        label=t.hold_id()
                        code=true
                        optional=true
                        error=place.error("/covers/resourceId")
                    />
                    <TextField
                        name="from"
                        id="hold-from"
                        kind="date"
                        label=t.hold_from()
                        optional=true
                        error=place.error("/covers/from")
                    />
                    <TextField
                        name="to"
                        id="hold-to"
                        kind="date"
                        label=t.hold_to()
                        optional=true
                        error=place.error("/covers/to")
                    />
                    <Button look=ButtonLook::Primary busy=place.pending()>{t.hold_place()}</Button>
                </div>
            </SubmitForm>
        </details>
    }
}

#[component]
fn Segments(page: Page<AuditSegmentView>) -> impl IntoView {
    let t = use_texts().audit;
    if page.items.is_empty() {
        return view! { <EmptyState glyph=Glyph::Audit title=t.segments_none() text=t.segments_none_text()/> };
    }
    let lines: Vec<_> = page.items.into_iter().map(|segment| view! { <Segment segment/> }).collect();
    view! {
        <ul class="lines">{lines}</ul>
        <Pager next=page.next/>
    }
}

#[component]
fn Segment(segment: AuditSegmentView) -> impl IntoView {
    let t = use_texts().audit;
    let class = t.by_key(&format!("class_{}", segment.class)).unwrap_or_default();
    let digest = segment.sha256.clone();
    view! {
        <li class="line">
            <span class="line__text">
                <span class="line__title"><code>{segment.name}</code></span>
                <span class="line__detail">
                    <span>{class}</span>
                    <span>{t.segment_entries(segment.entries, segment.first, segment.last)}</span>
                    <span>{t.segment_size(segment.bytes)}</span>
                    <Moment at=segment.archived_at/>
                </span>
                <span class="entry__hash"><code>{segment.sha256}</code><CopyButton text=digest/></span>
            </span>
        </li>
    }
}

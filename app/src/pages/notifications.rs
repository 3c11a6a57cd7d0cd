//! The person's notices.

use domain::view::{NotificationView, Page};
use leptos::prelude::*;

use crate::{
    api::account::{MarkNotificationsRead, notifications},
    components::{Button, Card, EmptyState, Glyph, Icon, Moment, PageHeader, Pager, Skeleton, Tone, load},
    data::Data,
    i18n::{sentence, use_texts},
    live::{Topic, use_live},
    session::{Counts, use_me},
    submission::{Submission, SubmitForm},
    url_state::query_text,
    view,
};

/// The person's notices, newest first.
#[component]
pub fn NotificationsPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let cursor = query_text("cursor");
    let mark = Submission::<MarkNotificationsRead>::new();
    let data = Data::new(
        move || (cursor.get(), live.version(Topic::Notifications), mark.version().get()),
        |(cursor, ..)| notifications(Some(cursor).filter(|cursor| !cursor.is_empty())),
    );
    let counts = use_context::<Counts>();
    Effect::new(move |_| {
        if mark.version().get() > 0 {
            live.touch(Topic::Notifications);
        }
    });
    let unread = move || counts.map_or(0, |counts| counts.notifications.get());
    let mail = use_me().is_some_and(|me| me.mail_enabled && me.email.is_some());
    view! {
        <PageHeader
            title=t.notices.title()
            subtitle=if mail { t.notices.mail_on() } else { t.notices.mail_off() }
        >
            <SubmitForm to=mark>
                <Button icon=Glyph::Check busy=mark.pending() disabled=Signal::derive(move || unread() == 0)>
                    {t.notices.mark_all()}
                </Button>
            </SubmitForm>
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=8/></Card> },
            move |page| view! { <Notices page mark/> },
        )}
    }
}

#[component]
fn Notices(page: Page<NotificationView>, mark: Submission<MarkNotificationsRead>) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::Bell title=t.notices.none() text=t.notices.none_text()/>
            </Card>
        };
    }
    let lines: Vec<_> = page.items.into_iter().map(|notice| view! { <Notice notice mark/> }).collect();
    view! {
        <Card flush=true>
            <ul class="lines">{lines}</ul>
        </Card>
        <Pager next=page.next/>
    }
}

#[component]
fn Notice(notice: NotificationView, mark: Submission<MarkNotificationsRead>) -> impl IntoView {
    let t = use_texts();
    let (glyph, tone) = match notice.kind.as_str() {
        "approval-requested"
        | "approval-reminder"
        | "definition-submitted"
        | "policies-proposed"
        | "access-review-started"
        | "emergency-asked" => (Glyph::Decisions, Tone::Warning),
        "changes-requested" | "definition-returned" | "policies-withdrawn" => (Glyph::Undo, Tone::Warning),
        "run-completed" | "definition-published" | "policies-activated" => (Glyph::CircleCheck, Tone::Success),
        "run-rejected" => (Glyph::CircleCross, Tone::Danger),
        "run-faulted" => (Glyph::Octagon, Tone::Danger),
        "run-needs-attention"
        | "schedule-refused"
        | "trigger-refused"
        | "repository-needs-attention"
        | "connection-fails"
        | "emergency-begun" => (Glyph::Warning, Tone::Danger),
        "delegation-given" => (Glyph::PersonClock, Tone::Info),
        "run-cancelled" | "delegation-revoked" => (Glyph::CircleSlash, Tone::Neutral),
        _ => (Glyph::Info, Tone::Neutral),
    };
    let key = format!("kind_{}", notice.kind.replace('-', "_"));
    let template = t.notices.by_key(&key).unwrap_or_else(|| t.notices.by_key("kind_other").unwrap_or_default());
    let number = notice.run_number.map(|number| t.common.run_number(number)).unwrap_or_default();
    let title = notice.title.clone();
    let words = sentence(template, |place| match place {
        "run" => view! { <span class="line__number">{number.clone()}</span> },
        _ => view! { <strong>{title.clone()}</strong> },
    });
    let id = notice.id;
    let unread = !notice.read;
    let read = move |_| {
        if unread {
            mark.send(&MarkNotificationsRead { id: Some(id) });
        }
    };
    view! {
        <li>
            <a class="line" class:line--unread=unread href=notice.link on:click=read>
                <span class=format!("line__glyph line__glyph--{}", tone.as_str())><Icon glyph/></span>
                <span class="line__text">
                    <span class="line__title line__title--plain">{words}</span>
                </span>
                <span class="line__side">
                    {unread.then(|| view! { <span class="visually-hidden">{t.notices.unread()}</span> })}
                    <span class="line__time"><Moment at=notice.created_at/></span>
                </span>
            </a>
        </li>
    }
}

//! The audit explorer: who did what, when, on what, and with what outcome.

mod compliance;
mod control;
mod controls;
mod entry;
mod exceptions;
mod filters;
mod period;
mod prove;
mod questions;
mod receivers;
mod retention;
mod sample;
mod views;
mod witnesses;

pub use compliance::CompliancePage;
pub use control::ControlPage;
pub use controls::ControlsPage;
pub use questions::{QuestionPage, QuestionsPage};
pub use sample::AuditSamplePage;

use domain::{
    Operation,
    view::{AuditEntryView, AuditFilter, Page, VerificationView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    api::audit::{audit, verify_audit},
    components::{Banner, ButtonLook, Card, EmptyState, Glyph, LinkButton, PageHeader, Pager, Skeleton, Tone, load},
    data::Data,
    i18n::use_texts,
    session::may,
    url_state::{href_with, query_text},
    view,
};
use entry::Entry;
use filters::{Filters, evidence_href, export_href, filter_of};
use views::Keep;

pub use receivers::ReceiversPage;
pub use retention::RetentionPage;

/// The audit log with its filters, all of them in the address.
#[component]
pub fn AuditPage() -> impl IntoView {
    let t = use_texts();
    let location = use_location();
    let filter = Memo::new(move |_| location.query.with(filter_of));
    let cursor = query_text("cursor");
    let verify = query_text("verify");
    let entries = Data::new(
        move || (filter.get(), cursor.get()),
        |(filter, cursor): (AuditFilter, String)| audit(filter, Some(cursor).filter(|cursor| !cursor.is_empty())),
    );
    let verdict = Data::new(
        move || verify.get(),
        |verify| async move { if verify.is_empty() { Ok(None) } else { verify_audit().await.map(Some) } },
    );
    let verify_href =
        Signal::derive(move || href_with(&location.pathname.get(), &location.query.get(), &[("verify", Some("now"))]));
    let exports = may(Operation::AuditExport);
    let language = t.locale.as_str();
    view! {
        <PageHeader title=t.frame.audit() subtitle=t.audit.lead()>
            {exports
                .then(|| {
                    view! {
                        <a class="button" href=move || export_href(&filter.get(), "csv") download="" rel="external">
                            <span class="button__text">{t.audit.export_csv()}</span>
                        </a>
                        <a
                            class="button"
                            href=move || evidence_href(&filter.get(), language)
                            download="evidence.tar"
                            rel="external"
                        >
                            <span class="button__text">{t.audit.evidence()}</span>
                        </a>
                        <a class="button" href=move || export_href(&filter.get(), "jsonl") download="" rel="external">
                            <span class="button__text">{t.audit.export_jsonl()}</span>
                        </a>
                    }
                })}
            <LinkButton href="/audit/questions" icon=Glyph::Question>{t.questions.title()}</LinkButton>
            <LinkButton href="/audit/controls">{t.controls.title()}</LinkButton>
            <LinkButton href="/audit/compliance">{t.controls.compliance()}</LinkButton>
            <LinkButton href="/audit/receivers">{t.audit.receivers_and_witnesses()}</LinkButton>
            <LinkButton href="/audit/retention">{t.audit.retention()}</LinkButton>
            <LinkButton href=verify_href look=ButtonLook::Primary icon=Glyph::Audit>{t.audit.verify()}</LinkButton>
        </PageHeader>
        <Transition fallback=move || view! { <Banner tone=Tone::Info title=t.audit.verifying()/> }>
            {move || Suspend::new(async move {
                match verdict.get().await {
                    Ok(None) => ().into_any(),
                    Ok(Some(verdict)) => view! { <Verdict verdict/> },
                    Err(error) => view! { <crate::components::ProblemView problem=error.0 compact=true/> },
                }
            })}
        </Transition>
        <Filters filter/>
        <Keep/>
        {load(
            entries,
            || view! { <Card><Skeleton lines=12/></Card> },
            |page| view! { <Entries page/> },
        )}
    }
}

#[component]
fn Verdict(verdict: VerificationView) -> impl IntoView {
    let t = use_texts().audit;
    if verdict.sound {
        let archived = (verdict.archived > 0).then(|| view! { <p>{t.archived_count(verdict.archived)}</p> });
        view! {
            <Banner tone=Tone::Success title=t.sound()>
                <p>{t.sound_text(verdict.entries)}</p>
                {archived}
            </Banner>
        }
    } else {
        let fault = verdict.fault.unwrap_or_default();
        view! {
            <Banner tone=Tone::Danger title=t.unsound()>
                <p>{t.unsound_text(verdict.entries)}</p>
                <p><code>{fault}</code></p>
            </Banner>
        }
    }
}

#[component]
fn Entries(page: Page<AuditEntryView>) -> impl IntoView {
    let t = use_texts().audit;
    if page.items.is_empty() {
        return view! {
            <Card>
                <EmptyState glyph=Glyph::Audit title=t.none() text=t.none_text()>
                    <LinkButton href="/audit">{use_texts().common.clear_filters()}</LinkButton>
                </EmptyState>
            </Card>
        };
    }
    let note = page.items.iter().any(|entry| entry.archived.is_some()).then(|| view! { <p>{t.archived_note()}</p> });
    let entries: Vec<_> = page.items.into_iter().map(|entry| view! { <Entry entry/> }).collect();
    view! {
        {note}
        <Card flush=true>
            <ol class="entries">{entries}</ol>
        </Card>
        <Pager next=page.next/>
    }
}

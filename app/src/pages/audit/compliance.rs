//! How the controls stand, what is open, and whether the log that says so is sound.

use domain::{
    Operation, Timestamp,
    view::{AuditReceiverView, ComplianceView, ControlCoverage, LastVerificationView, LedgerHealthView},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{
    exceptions::{Exceptions, into_log},
    period::{Period, days_of, period_of, period_query},
};
use crate::{
    api::controls::compliance,
    components::{
        Badge, Banner, Card, Column, DefinitionList, DownloadLink, Glyph, LinkButton, Moment, PageHeader, Skeleton,
        Table, Tone, load,
    },
    data::Data,
    i18n::use_texts,
    session::may,
    view,
};

/// The dashboard of those who answer for compliance.
#[component]
pub fn CompliancePage() -> impl IntoView {
    let query = use_location().query;
    let period = Memo::new(move |_| query.with(period_of));
    let data = Data::new(move || period.get(), |(from, to)| compliance(from, to));
    load(data, || view! { <Card><Skeleton lines=16/></Card> }, |compliance| view! { <Compliance compliance/> })
}

#[component]
fn Compliance(compliance: ComplianceView) -> impl IntoView {
    let t = use_texts();
    let ComplianceView { from, to, lists, exceptions, cut_off, archived, ledger } = compliance;
    let evidence = format!("/api/v1/audit/evidence?language={}&{}", t.locale.as_str(), period_query(from, to));
    view! {
        <PageHeader title=t.controls.compliance() subtitle=t.controls.compliance_lead()>
            <LinkButton href="/audit/controls" icon=Glyph::Steps>{t.controls.title()}</LinkButton>
            {may(Operation::AuditExport)
                .then(|| view! { <DownloadLink href=evidence>{t.controls.evidence()}</DownloadLink> })}
            {may(Operation::AuditRead)
                .then(|| {
                    view! { <LinkButton href="/audit?verify=now" icon=Glyph::Audit>{t.controls.verify()}</LinkButton> }
                })}
        </PageHeader>
        <Period action="/audit/compliance" from to/>
        {cut_off.then(|| view! { <Banner tone=Tone::Warning title=t.controls.cut_off()/> })}
        {archived.then(|| view! { <Banner tone=Tone::Info title=t.audit.archived_missing()/> })}
        {ledger.map(|ledger| view! { <Ledger ledger/> })}
        <Card flush=true title=t.controls.state_of_controls()>
            <Lists lists from to/>
        </Card>
        <Card flush=true title=t.controls.open_exceptions() subtitle=t.controls.exceptions_text()>
            <Exceptions exceptions from to named=true/>
        </Card>
    }
}

#[component]
fn Lists(lists: Vec<ControlCoverage>, from: Timestamp, to: Timestamp) -> impl IntoView {
    let t = use_texts();
    let (first, last) = days_of(from, to);
    let rows: Vec<_> = lists
        .into_iter()
        .map(|list| {
            let ControlCoverage { id, title, total, covered, exercised, with_exceptions } = list;
            let href = |show: &str| format!("/audit/controls?list={id}&show={show}&from={first}&to={last}");
            let words = t.controls.covered_of(covered, total);
            view! {
                <tr>
                    <th scope="row"><a href=href("")>{title.in_language(t.locale.as_str()).to_owned()}</a></th>
                    <td data-label=t.controls.covered()>
                        <span class="coverage">
                            <progress class="progress__bar" max=total.to_string() value=covered.to_string() aria-label=words.clone()></progress>
                            <a href=href("with")>{words.clone()}</a>
                        </span>
                    </td>
                    <td data-label=t.controls.exercised() class="table__end">{exercised}</td>
                    <td
                        data-label=t.controls.with_exceptions()
                        class="table__end"
                        class:control__open=with_exceptions != 0
                    >
                        <a href=href("exceptions")>{with_exceptions}</a>
                    </td>
                </tr>
            }
        })
        .collect();
    let columns = vec![
        Column::new(t.controls.list()),
        Column::new(t.controls.covered()),
        Column::new(t.controls.exercised()).end(),
        Column::new(t.controls.with_exceptions()).end(),
    ];
    view! { <Table label=t.controls.state_of_controls() columns>{rows}</Table> }
}

#[component]
fn Ledger(ledger: LedgerHealthView) -> impl IntoView {
    let t = use_texts().controls;
    let LedgerHealthView { entries, signed_entries, signed_at, keys, key_since, receivers, verified } = ledger;
    let signed = match (signed_at, signed_entries) {
        (Some(at), Some(over)) => view! {
            <span class="control__about"><Moment at/> <span>{t.signed_over(over)}</span></span>
        },
        _ => view! { <Badge tone=Tone::Warning glyph=Glyph::Warning label=t.signed_never()/> },
    };
    let keys = key_since.map(|since| view! { <span>{t.keys_since(keys)} " " <Moment at=since exact=true/></span> });
    let items = vec![
        (t.verified().to_owned(), view! { <Verified verified/> }),
        (t.ledger_entries().to_owned(), entries.into_any()),
        (t.signed().to_owned(), signed),
        (t.keys().to_owned(), keys.into_any()),
        (t.receivers().to_owned(), view! { <Receivers receivers/> }),
    ];
    view! { <Card title=t.ledger()><DefinitionList items/></Card> }
}

#[component]
fn Verified(verified: Option<LastVerificationView>) -> impl IntoView {
    let t = use_texts().controls;
    let Some(LastVerificationView { at, by, entries, sound, entry }) = verified else {
        return view! { <Badge tone=Tone::Warning glyph=Glyph::Warning label=t.verified_never()/> };
    };
    let verdict = if sound {
        view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.verified_sound()/> }
    } else {
        view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.verified_unsound()/> }
    };
    view! {
        <span class="control__about">
            {verdict} <Moment at/> <span>{t.verified_by(by, entries)}</span>
            {into_log(format!("#{entry}"), &format!("last={entry}"))}
        </span>
    }
    .into_any()
}

#[component]
fn Receivers(receivers: Vec<AuditReceiverView>) -> impl IntoView {
    let t = use_texts().controls;
    if receivers.is_empty() {
        return view! { <Badge tone=Tone::Warning glyph=Glyph::Warning label=t.receivers_none()/> };
    }
    let badges: Vec<_> = receivers
        .into_iter()
        .map(|receiver| {
            let AuditReceiverView { name, lag, failing_since, .. } = receiver;
            if failing_since.is_some() {
                view! { <Badge tone=Tone::Danger glyph=Glyph::Cross label=t.receiver_failing(name)/> }
            } else if lag > 0 {
                view! { <Badge tone=Tone::Info glyph=Glyph::Clock label=t.receiver_behind(name, lag)/> }
            } else {
                view! { <Badge tone=Tone::Success glyph=Glyph::Check label=t.receiver_whole(name)/> }
            }
        })
        .collect();
    view! { <span class="control-links">{badges}</span> }.into_any()
}

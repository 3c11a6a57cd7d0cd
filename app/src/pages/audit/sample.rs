//! A sample of the log, drawn so that a second auditor draws the same.

use domain::view::{AuditFilter, AuditSampleView};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{entry::Entry, filters::filter_of};
use crate::{
    api::audit::audit_sample,
    components::{
        Banner, Card, CopyButton, DefinitionList, EmptyState, Glyph, LinkButton, PageHeader, Skeleton, Tone, load,
    },
    data::Data,
    i18n::use_texts,
    url_state::{href_with, query_text},
    view,
};

/// The sample that the address asks for: its size, its seed and the filters.
#[component]
pub fn AuditSamplePage() -> impl IntoView {
    let t = use_texts();
    let location = use_location();
    let filter = Memo::new(move |_| location.query.with(filter_of));
    let (size, seed) = (query_text("size"), query_text("seed"));
    let sample = Data::new(
        move || (filter.get(), size.get().trim().parse().unwrap_or_default(), seed.get().trim().to_owned()),
        |(filter, size, seed): (AuditFilter, u32, String)| audit_sample(filter, size, seed),
    );
    let back = move || href_with("/audit", &location.query.get(), &[("size", None), ("seed", None)]);
    view! {
        <PageHeader title=t.audit.sample() subtitle=t.audit.sample_lead()>
            <LinkButton href=Signal::derive(back) icon=Glyph::Audit>{t.audit.sample_population_link()}</LinkButton>
        </PageHeader>
        {load(sample, || view! { <Card><Skeleton lines=12/></Card> }, |sample| view! { <Drawn sample/> })}
    }
}

#[component]
fn Drawn(sample: AuditSampleView) -> impl IntoView {
    let t = use_texts().audit;
    let location = use_location();
    let AuditSampleView { seed, last, population, archived, items } = sample;
    // With the end of the population it stays the same sample, however the log grows.
    let last_text = last.to_string();
    let again = href_with("/audit/sample", &location.query.get_untracked(), &[("last", Some(&last_text))]);
    let facts = vec![
        (
            t.sample_seed().to_owned(),
            view! { <span class="entry__hash"><code>{seed.clone()}</code><CopyButton text=seed/></span> },
        ),
        (t.sample_population().to_owned(), view! { <span>{t.sample_of(population, &last_text)}</span> }),
        (t.sample_again().to_owned(), view! { <a href=again>{t.sample_again_link()}</a> }),
    ];
    let missing = archived.then(|| view! { <Banner tone=Tone::Info title=t.archived_missing()/> });
    if items.is_empty() {
        return view! { {missing} <Card><EmptyState glyph=Glyph::Audit title=t.none() text=t.none_text()/></Card> }
            .into_any();
    }
    let entries: Vec<_> = items.into_iter().map(|entry| view! { <Entry entry/> }).collect();
    view! {
        {missing}
        <Card><DefinitionList items=facts/></Card>
        <Card flush=true>
            <ol class="entries">{entries}</ol>
        </Card>
    }
}

//! What runs were worth: figures with those of before, charts, and tables by workflow and team.

mod figures;
mod filters;
mod pictures;
mod rows;

use domain::view::{ValueQuery, ValueView};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::{
    api::value::value,
    components::{
        Banner, Card, DefinitionList, DownloadLink, EmptyState, Glyph, LinkButton, PageHeader, Skeleton, Tone, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    view,
};
use figures::Figures;
use filters::{Filters, csv_href, follow_zone, query_of};
use pictures::Pictures;
use rows::Rows;

/// The page.
#[component]
pub fn ValuePage() -> impl IntoView {
    let t = use_texts().value;
    let query = use_location().query;
    let asked = Memo::new(move |_| query.with(query_of));
    follow_zone();
    let data = Data::new(move || asked.get(), |asked: ValueQuery| value(asked));
    view! {
        <PageHeader title=t.title() subtitle=t.lead()>
            <DownloadLink href=Signal::derive(move || asked.with(csv_href))>{t.csv()}</DownloadLink>
        </PageHeader>
        {load(data, || view! { <Card><Skeleton lines=24/></Card> }, move |found| view! { <Found found asked/> })}
    }
}

#[component]
fn Found(found: ValueView, asked: Memo<ValueQuery>) -> impl IntoView {
    let t = use_texts();
    let nothing = found.rows.is_empty();
    let content = if nothing {
        view! {
            <Card>
                <EmptyState glyph=Glyph::Chart title=t.value.nothing() text=t.value.nothing_text()>
                    <LinkButton href="/value">{t.common.clear_filters()}</LinkButton>
                </EmptyState>
            </Card>
        }
    } else {
        view! {
            <Figures now=found.total before=found.before/>
            <Pictures step=found.step buckets=found.buckets.clone() classes=found.lead_times.clone()/>
            <Rows rows=found.rows.clone() by=found.by team_of=found.team_of/>
        }
    };
    view! {
        <Filters found=found.clone() asked/>
        {found.archived.then(|| view! { <Banner tone=Tone::Info title=t.value.archived()/> })}
        {content}
        {definitions(t)}
    }
}

/// What each figure says.
fn definitions(t: Texts) -> AnyView {
    let items =
        ["period", "runs", "endings", "saved", "lead", "decision", "failure", "compensation", "interventions", "teams"]
            .into_iter()
            .filter_map(|name| {
                let title = t.value.by_key(&format!("def_{name}"))?.to_owned();
                let text = t.value.by_key(&format!("def_{name}_text"))?;
                Some((title, text.into_any()))
            })
            .collect();
    view! {
        <Card>
            <details class="value-words">
                <summary>{t.value.definitions()}</summary>
                <DefinitionList items/>
            </details>
        </Card>
    }
}

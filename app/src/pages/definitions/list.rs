//! Versions in every state, of the namespaces for which one writes or publishes.

use domain::{
    Operation, VersionState,
    view::{DefinitionItem, Page},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::StateBadge;
use crate::{
    api::{
        definition_files::{IMPORT, archive_href},
        definitions::{DefinitionListQuery, LIST, definition_href, definitions},
    },
    components::{
        ButtonLook, Card, Column, DownloadLink, EmptyState, FilterChip, Glyph, LinkButton, Moment, PageHeader, Pager,
        Skeleton, Table, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    session::may,
    view,
};

/// The list of definitions.
#[component]
pub fn DefinitionsPage() -> impl IntoView {
    let t = use_texts();
    let query = use_location().query;
    let query = Memo::new(move |_| {
        query.with(|query| {
            let text = |name: &str| query.get(name).unwrap_or_default();
            DefinitionListQuery { state: text("state"), namespace: text("namespace"), cursor: text("cursor") }
        })
    });
    // Whoever is to review a version, or has it back, is told: then the list is another one.
    let live = use_live();
    let data = Data::new(move || (query.get(), live.version(Topic::Notifications)), |(query, _)| definitions(query));
    let namespace = Signal::derive(move || query.with(|query| query.namespace.clone()));
    view! {
        <PageHeader title=t.definitions.title() subtitle=t.definitions.subtitle()>
            {may(Operation::DefinitionSave)
                .then(|| {
                    view! {
                        <LinkButton href=IMPORT icon=Glyph::Upload>{t.definitions.import_do()}</LinkButton>
                        <LinkButton href=format!("{LIST}/new") look=ButtonLook::Primary icon=Glyph::Plus>
                            {t.definitions.new_definition()}
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <div class="list-bar">
            <div class="chips" role="group" aria-label=t.common.state()>
                <FilterChip param="state" value="" label=t.common.all()/>
                <FilterChip param="state" value=VersionState::Draft.as_str() label=t.definitions.drafts()/>
                <FilterChip param="state" value=VersionState::InReview.as_str() label=t.definitions.state_in_review()/>
                <FilterChip param="state" value=VersionState::Published.as_str() label=t.definitions.state_published()/>
                <FilterChip param="state" value=VersionState::Retired.as_str() label=t.definitions.state_retired()/>
                {move || {
                    let namespace = namespace.get();
                    (!namespace.is_empty())
                        .then(|| {
                            let label = t.definitions.only_namespace(&namespace);
                            view! { <FilterChip param="namespace" value=namespace label/> }
                        })
                }}
            </div>
            {may(Operation::DefinitionExport)
                .then(|| {
                    view! {
                        <div class="button-row">
                            <DownloadLink href=Signal::derive(move || archive_href(&namespace.get(), false))>
                                {t.definitions.export_launchable()}
                            </DownloadLink>
                            <DownloadLink href=Signal::derive(move || archive_href(&namespace.get(), true))>
                                {t.definitions.export_all()}
                            </DownloadLink>
                        </div>
                    }
                })}
        </div>
        {load(
            data,
            || view! { <Card flush=true><Skeleton lines=12/></Card> },
            move |page| {
                let narrowed = query.with_untracked(|query| *query != DefinitionListQuery::default());
                view! { <List page narrowed/> }
            },
        )}
    }
}

#[component]
fn List(page: Page<DefinitionItem>, narrowed: bool) -> impl IntoView {
    let t = use_texts();
    if page.items.is_empty() {
        return empty(t, narrowed);
    }
    let columns = vec![
        Column::new(t.definitions.workflow()),
        Column::new(t.catalogue.version()),
        Column::new(t.common.state()),
        Column::new(t.definitions.changed_by()),
        Column::new(t.common.updated()),
    ];
    let rows: Vec<_> = page.items.into_iter().map(|item| row(t, item)).collect();
    view! {
        <Card flush=true>
            <Table label=t.definitions.title() columns=columns>{rows}</Table>
            <Pager next=page.next/>
        </Card>
    }
}

fn row(t: Texts, item: DefinitionItem) -> AnyView {
    let href = definition_href(&item.namespace, &item.name, &item.version);
    let changed_by = item.changed_by.map_or_else(|| t.definitions.shipped().to_owned(), |person| person.name);
    view! {
        <tr>
            <th scope="row">
                <a href=href>{item.title}</a>
                <span class="definition-name">
                    <a href=format!("{LIST}?namespace={}", item.namespace)>{item.namespace.to_string()}</a>
                    {format!("/{}", item.name)}
                </span>
            </th>
            <td data-label=t.catalogue.version()><span>{item.version}</span></td>
            <td data-label=t.common.state()>
                <StateBadge state=item.state/>
                {item
                    .ships_otherwise
                    .then(|| view! { <span class="definition-name">{t.definitions.ships_otherwise()}</span> })}
            </td>
            <td data-label=t.definitions.changed_by()><span>{changed_by}</span></td>
            <td data-label=t.common.updated()><Moment at=item.changed_at/></td>
        </tr>
    }
}

fn empty(t: Texts, narrowed: bool) -> AnyView {
    if narrowed {
        return view! {
            <EmptyState glyph=Glyph::Search title=t.definitions.no_match() text=t.definitions.no_match_text()>
                <LinkButton href=LIST>{t.common.clear_filters()}</LinkButton>
            </EmptyState>
        };
    }
    view! { <EmptyState glyph=Glyph::Steps title=t.definitions.none() text=t.definitions.none_text()/> }
}

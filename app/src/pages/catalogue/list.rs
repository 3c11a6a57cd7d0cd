//! What may be requested: search first, then categories.

use std::collections::BTreeMap;

use domain::view::CatalogueItem;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{steps::decider_names, workflow_href};
use crate::{
    api::catalogue::catalogue,
    components::{
        Badge, EmptyState, FilterChip, Glyph, Icon, PageHeader, RiskBadge, SearchForm, Skeleton, duration_text, load,
    },
    data::Data,
    i18n::{Texts, use_texts},
    url_state::{href_with, query_text},
    view,
};

/// How many of the latest stand first.
const RECENT: usize = 3;
/// How many of a category are shown beside other categories.
const OF_CATEGORY: usize = 12;
/// How many of what was searched for are shown, until all are asked for.
const OF_RESULTS: usize = 48;

/// The catalogue.
#[component]
pub fn CataloguePage() -> impl IntoView {
    let t = use_texts();
    let items = Data::new(|| (), |()| catalogue());
    view! {
        <PageHeader title=t.catalogue.title() subtitle=t.catalogue.subtitle()/>
        {load(
            items,
            || view! { <div class="catalogue"><Skeleton lines=2/><Skeleton lines=9/></div> },
            |items| view! { <Catalogue items/> },
        )}
    }
}

#[component]
fn Catalogue(items: Vec<CatalogueItem>) -> impl IntoView {
    let t = use_texts();
    let search = query_text("q");
    let category = query_text("category");
    let all = query_text("all");
    let mut categories: Vec<String> = items.iter().map(|item| item.category.clone()).collect();
    categories.sort();
    categories.dedup();
    categories.retain(|category| !category.is_empty());
    let chips: Vec<_> = categories
        .into_iter()
        .map(|category| {
            let label = category_title(t, &category);
            view! { <FilterChip param="category" value=category label=label/> }
        })
        .collect();
    let items = StoredValue::new(items);
    let nothing_at_all = items.with_value(Vec::is_empty);
    let found = Memo::new(move |_| {
        let (search, category) = (search.get(), category.get());
        items.with_value(|items| {
            let wanted =
                |item: &&CatalogueItem| (category.is_empty() || item.category == category) && matches(item, &search);
            items.iter().filter(wanted).cloned().collect::<Vec<_>>()
        })
    });
    let whole = move || search.with(String::is_empty) && category.with(String::is_empty);
    let sections = move || {
        let found = found.get();
        if found.is_empty() {
            return vec![nothing_found(t, nothing_at_all)];
        }
        if !whole() {
            let limit = if all.with(|all| all == "true") { usize::MAX } else { OF_RESULTS };
            return vec![section(t, None, found, limit, vec![("all", "true")])];
        }
        let mut sections = Vec::new();
        let mut recent: Vec<CatalogueItem> = found.iter().filter(|item| item.last_used_at.is_some()).cloned().collect();
        recent.sort_by_key(|item| std::cmp::Reverse(item.last_used_at));
        recent.truncate(RECENT);
        if !recent.is_empty() {
            sections.push(section(t, Some(t.catalogue.recent().to_owned()), recent, RECENT, Vec::new()));
        }
        let mut groups: BTreeMap<String, Vec<CatalogueItem>> = BTreeMap::new();
        for item in found {
            groups.entry(item.category.clone()).or_default().push(item);
        }
        // What has no category is found by no link to it: all of it stands here.
        sections.extend(groups.into_iter().map(|(category, items)| {
            let limit = if category.is_empty() { usize::MAX } else { OF_CATEGORY };
            section(t, Some(category_title(t, &category)), items, limit, vec![("category", category.as_str())])
        }));
        sections
    };
    view! {
        <div class="catalogue">
            <div class="catalogue__bar">
                <SearchField/>
                <div class="chips" role="group" aria-label=t.catalogue.categories()>
                    <FilterChip param="category" value="" label=t.common.all()/>
                    {chips}
                </div>
            </div>
            <p class="visually-hidden" role="status">{move || t.catalogue.found(found.with(Vec::len))}</p>
            {sections}
        </div>
    }
}

/// The search field: a form for those without JavaScript, as you type with it.
#[component]
fn SearchField() -> impl IntoView {
    let t = use_texts();
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let category = query_text("category");
    let navigate = use_navigate();
    let search = move |text: String| {
        let set = Some(text.as_str()).filter(|text| !text.is_empty());
        let href = href_with(&path.get_untracked(), &query.get_untracked(), &[("q", set)]);
        navigate(&href, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    };
    view! {
        <SearchForm action="/catalogue" name="q" label=t.catalogue.search() typed=Callback::new(search)>
            {move || {
                let category = category.get();
                (!category.is_empty()).then(|| view! { <input type="hidden" name="category" value=category/> })
            }}
        </SearchForm>
    }
}

/// The first of these workflows, and the way to the rest: the same page with `rest` in its address.
fn section(
    t: Texts,
    title: Option<String>,
    mut items: Vec<CatalogueItem>,
    limit: usize,
    rest: Vec<(&str, &str)>,
) -> AnyView {
    // What can be requested comes first.
    items.sort_by_key(|item| !item.missing_connections.is_empty());
    let label = title.clone().unwrap_or_else(|| t.catalogue.results().to_owned());
    let count = items.len();
    let more = (count > limit).then(|| {
        let location = use_location();
        let set: Vec<_> = rest.iter().map(|(name, value)| (*name, Some(*value))).collect();
        let href = href_with(&location.pathname.get_untracked(), &location.query.get_untracked(), &set);
        view! {
            <a class="button catalogue__more" href=href>
                <span class="button__text">{t.catalogue.show_all(count)}</span>
            </a>
        }
    });
    let cards: Vec<_> = items.into_iter().take(limit).map(|item| view! { <li><ItemCard item/></li> }).collect();
    view! {
        <section class="catalogue__section" aria-label=label>
            {title.map(|title| view! { <h2 class="catalogue__heading">{title}</h2> })}
            <ul class="catalogue__cards">{cards}</ul>
            {more}
        </section>
    }
}

#[component]
fn ItemCard(item: CatalogueItem) -> impl IntoView {
    let t = use_texts();
    let glyph = Glyph::for_workflow(&item.icon, &item.category);
    let takes = match item.typical_seconds {
        Some(seconds) => duration_text(t, seconds),
        None => t.catalogue.no_run_yet().to_owned(),
    };
    let decides = if item.approvals.is_empty() {
        t.catalogue.nobody_decides().to_owned()
    } else {
        decider_names(t, &item.approvals)
    };
    view! {
        <article class="item-card">
            <span class="item-card__icon"><Icon glyph/></span>
            <h3 class="item-card__title">
                <a class="item-card__link" href=workflow_href(&item.namespace, &item.name)>{item.title}</a>
            </h3>
            <p class="item-card__summary">{item.summary}</p>
            <dl class="item-card__facts">
                <div>
                    <dt><Icon glyph=Glyph::Clock/><span>{t.catalogue.takes()}</span></dt>
                    <dd>{takes}</dd>
                </div>
                <div>
                    <dt><Icon glyph=Glyph::Decisions/><span>{t.catalogue.decides()}</span></dt>
                    <dd>{decides}</dd>
                </div>
            </dl>
            <div class="item-card__foot">
                <RiskBadge risk=item.risk/>
                {(!item.missing_connections.is_empty())
                    .then(|| view! { <Badge label=t.catalogue.not_set_up()/> })}
            </div>
        </article>
    }
}

fn nothing_found(t: Texts, nothing_at_all: bool) -> AnyView {
    if nothing_at_all {
        return view! { <EmptyState glyph=Glyph::Catalogue title=t.catalogue.empty() text=t.catalogue.empty_text()/> };
    }
    view! {
        <EmptyState glyph=Glyph::Search title=t.catalogue.no_match() text=t.catalogue.no_match_text()>
            <a class="button" href="/catalogue"><span class="button__text">{t.common.clear_filters()}</span></a>
        </EmptyState>
    }
}

/// A category's name in the page's language; the definition's own word where it is none of the known ones.
pub(super) fn category_title(t: Texts, category: &str) -> String {
    if category.is_empty() {
        return t.catalogue.category_other().to_owned();
    }
    let known = t.catalogue.by_key(&format!("category_{}", category.replace('-', "_")));
    known.map_or_else(
        || {
            let mut letters = category.chars();
            letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
        },
        str::to_owned,
    )
}

/// Whether every word of the search stands somewhere in what the card says.
fn matches(item: &CatalogueItem, search: &str) -> bool {
    let text =
        format!("{} {} {} {} {}", item.title, item.summary, item.category, item.namespace, item.name).to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

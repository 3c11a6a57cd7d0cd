use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{Glyph, Icon};
use crate::{i18n::use_texts, url_state::href_with, view};

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Text.
    #[default]
    Start,
    /// Numbers.
    End,
}

/// A column's head.
#[derive(Clone, Debug, Default)]
pub struct Column {
    label: String,
    align: Align,
    sort: Option<&'static str>,
    hidden: bool,
}

impl Column {
    /// A column of text.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Numbers: to the end of the cell.
    #[must_use]
    pub fn end(mut self) -> Self {
        self.align = Align::End;
        self
    }

    /// Sorts the whole list by `?sort=KEY`, and by `-KEY` the other way round.
    #[must_use]
    pub fn sort(mut self, key: &'static str) -> Self {
        self.sort = Some(key);
        self
    }

    /// The label is only for readers, as above a column of buttons.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}

/// A table with its head, which stays while the rows scroll. Rows are `<tr>`; cells carry `data-label` so that a narrow
/// screen can show each row as a block.
#[component]
pub fn Table(
    /// What it lists, for readers.
    #[prop(into)]
    label: String,
    /// The heads.
    columns: Vec<Column>,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let sorted = Memo::new(move |_| query.with(|query| query.get("sort").unwrap_or_default()));
    let heads: Vec<_> = columns
        .into_iter()
        .map(|column| {
            let label = column.label;
            let inner = match column.sort {
                None if column.hidden => view! { <span class="visually-hidden">{label}</span> },
                None => view! { <span>{label}</span> },
                Some(key) => {
                    let href = move || {
                        let next = if sorted.with(|now| now == key) { format!("-{key}") } else { key.to_owned() };
                        href_with(&path.get(), &query.get(), &[("sort", Some(&next))])
                    };
                    view! {
                        <a class="table__sort" href=href data-noscroll="">
                            <span>{label}</span>
                            <Icon glyph=Glyph::ChevronDown/>
                        </a>
                    }
                }
            };
            let direction = move || {
                let key = column.sort?;
                sorted.with(|now| match now.strip_prefix('-') {
                    Some(rest) if rest == key => Some("descending"),
                    None if now == key => Some("ascending"),
                    _ => None,
                })
            };
            view! {
                <th scope="col" class:table__end=column.align == Align::End aria-sort=direction>
                    {inner}
                </th>
            }
        })
        .collect();
    let caption = label.clone();
    view! {
        <div class="table-wrap" role="region" aria-label=label tabindex="0">
            <table class="table">
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}

/// The way to the next page of a keyset list, and back to the first.
#[component]
pub fn Pager(
    /// The cursor of the next page.
    next: Option<String>,
) -> impl IntoView {
    let t = use_texts().common;
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let later = query.get_untracked().get_str("cursor").is_some();
    let first = move || href_with(&path.get(), &query.get(), &[]);
    (later || next.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label=t.pages()>
                {later
                    .then(|| {
                        view! {
                            <a class="button button--small" href=first>
                                <Icon glyph=Glyph::ChevronLeft/>
                                <span class="button__text">{t.first_page()}</span>
                            </a>
                        }
                    })}
                {next
                    .map(|cursor| {
                        let href = move || href_with(&path.get(), &query.get(), &[("cursor", Some(&cursor))]);
                        view! {
                            <a class="button button--small" href=href rel="next">
                                <span class="button__text">{t.next_page()}</span>
                                <Icon glyph=Glyph::ChevronRight/>
                            </a>
                        }
                    })}
            </nav>
        }
    })
}

/// One value of a filter as a chip: a link that sets `?PARAM=VALUE`, and takes it away when it is set already.
#[component]
pub fn FilterChip(
    /// Name of the query parameter.
    param: &'static str,
    /// The value; empty for *all*.
    #[prop(into)]
    value: String,
    /// The words.
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let on = {
        let value = value.clone();
        Memo::new(move |_| query.with(|query| query.get_str(param).unwrap_or_default() == value))
    };
    let href = move || {
        let set = (!value.is_empty() && !on.get()).then_some(value.as_str());
        href_with(&path.get(), &query.get(), &[(param, set)])
    };
    view! {
        <a class="chip" href=href aria-current=move || on.get().then_some("true") data-noscroll="">
            {label}
        </a>
    }
}

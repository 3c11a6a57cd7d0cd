//! An input as people read it: the titles of the form with what was answered.

use domain::{
    Timestamp,
    form::{Field, Form, Kind, TextFormat},
};
use leptos::prelude::*;
use serde_json::Value;

use crate::{
    components::{DefinitionList, Moment},
    i18n::{Texts, use_texts},
    view,
};

/// What was answered, by the titles of the schema. What the schema does not name is shown under its own name.
#[component]
pub fn InputList(
    /// The input.
    input: Value,
    /// Its schema.
    #[prop(optional_no_strip)]
    schema: Option<Value>,
) -> impl IntoView {
    let t = use_texts();
    let form = schema.map(|schema| Form::new(&schema, &input)).unwrap_or_default();
    let mut items: Vec<(String, AnyView)> = form
        .fields
        .iter()
        .filter_map(|field| Some((field.title.clone(), shown(t, field, input.pointer(&field.pointer)?))))
        .collect();
    for (name, value) in input.as_object().into_iter().flatten() {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        if form.field(&pointer).is_none() {
            items.push((name.clone(), plain(t, value)));
        }
    }
    if items.is_empty() {
        return view! { <p class="muted">{t.catalogue.no_input()}</p> };
    }
    view! { <DefinitionList items/> }
}

fn shown(t: Texts, field: &Field, value: &Value) -> AnyView {
    match &field.kind {
        Kind::Choice { options } => {
            let title = options.iter().find(|option| option.value == *value).map(|option| option.title.clone());
            title.map_or_else(|| plain(t, value), |title| view! { <span>{title}</span> })
        }
        Kind::Choices { options, .. } => {
            let titles: Vec<String> = value
                .as_array()
                .into_iter()
                .flatten()
                .map(|item| {
                    let known = options.iter().find(|option| option.value == *item);
                    known.map_or_else(|| text(t, item), |option| option.title.clone())
                })
                .collect();
            list(t, titles)
        }
        Kind::Rows { rows, .. } => {
            let given = value.as_array().map_or(&[][..], Vec::as_slice);
            if given.is_empty() {
                return nothing(t);
            }
            let items: Vec<_> =
                rows.iter().zip(given).map(|(row, item)| view! { <li>{shown(t, row, item)}</li> }).collect();
            view! { <ul class="plain-list">{items}</ul> }
        }
        Kind::Group { fields } => {
            let within = |field: &Field| {
                let name = field.pointer.rsplit('/').next()?.replace("~1", "/").replace("~0", "~");
                Some((field.title.clone(), shown(t, field, value.get(&name)?)))
            };
            let items: Vec<_> = fields.iter().filter_map(within).collect();
            view! { <DefinitionList items/> }
        }
        Kind::Text(rules) if rules.format == TextFormat::DateTime => {
            match value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
                Some(at) => view! { <Moment at=at exact=true/> },
                None => plain(t, value),
            }
        }
        Kind::Text(rules) if rules.multi_line => view! { <span class="multi-line">{text(t, value)}</span> },
        _ => plain(t, value),
    }
}

fn plain(t: Texts, value: &Value) -> AnyView {
    match value {
        Value::Null => nothing(t),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            list(t, items.iter().map(|item| text(t, item)).collect())
        }
        Value::Array(_) | Value::Object(_) => {
            let json = serde_json::to_string_pretty(value).unwrap_or_default();
            view! { <pre class="json json--inline">{json}</pre> }
        }
        _ => view! { <span>{text(t, value)}</span> },
    }
}

fn list(t: Texts, items: Vec<String>) -> AnyView {
    if items.is_empty() {
        return nothing(t);
    }
    let items: Vec<_> = items.into_iter().map(|item| view! { <li>{item}</li> }).collect();
    view! { <ul class="plain-list">{items}</ul> }
}

fn nothing(t: Texts) -> AnyView {
    view! { <span class="muted">{t.common.none()}</span> }
}

fn text(t: Texts, value: &Value) -> String {
    match value {
        Value::Bool(true) => t.common.yes().to_owned(),
        Value::Bool(false) => t.common.no().to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

//! The period and what the figures are narrowed to, all of it in the address. Forms are sent by GET.

use std::{fmt::Write as _, str::FromStr};

use domain::{
    TeamOf, ValuePeriod,
    view::{ValueQuery, ValueView},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
    params::ParamsMap,
};
use wasm_bindgen::JsValue;

use crate::{
    components::{Button, FilterChip, Glyph, Icon, SelectField, TextField},
    i18n::{Texts, use_texts},
    url_state::href_with,
    view,
};

/// What the form holds that can be taken away one by one.
const FIELDS: [&str; 5] = ["namespace", "workflow", "team", "from", "to"];

/// What an address asks for. What cannot be read is left out.
pub(super) fn query_of(query: &ParamsMap) -> ValueQuery {
    let text = |key: &str| query.get(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    ValueQuery {
        period: read(text("period")),
        from: text("from"),
        to: text("to"),
        zone: text("zone"),
        namespace: text("namespace"),
        team: text("team"),
        team_of: read(text("teamOf")),
        workflow: text("workflow"),
        by: read(text("by")),
    }
}

fn read<T: FromStr>(text: Option<String>) -> Option<T> {
    text?.parse().ok()
}

/// The same figures for spreadsheets.
pub(super) fn csv_href(query: &ValueQuery) -> String {
    let pairs = [
        ("period", query.period.map(|period| period.to_string())),
        ("from", query.from.clone()),
        ("to", query.to.clone()),
        ("zone", query.zone.clone()),
        ("namespace", query.namespace.clone()),
        ("team", query.team.clone()),
        ("teamOf", query.team_of.map(|team_of| team_of.to_string())),
        ("workflow", query.workflow.clone()),
        ("by", query.by.map(|by| by.to_string())),
    ];
    let mut href = "/api/v1/value?format=csv".to_owned();
    for (key, value) in pairs {
        if let Some(value) = value {
            let _ = write!(href, "&{key}={}", urlencoding::encode(&value));
        }
    }
    href
}

/// Days begin where the viewer is: only the browser knows its zone, so it puts it into the address once the page is alive. Until
/// then, and without JavaScript, days are those of UTC, which the page says.
pub(super) fn follow_zone() {
    let location = use_location();
    let navigate = use_navigate();
    Effect::new(move |_| {
        let Some(zone) = browser_zone() else { return };
        let (path, query) = (location.pathname.get(), location.query.get());
        if path == "/value" && query.get_str("zone").is_none() {
            let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
            navigate(&href_with(&path, &query, &[("zone", Some(&zone))]), options);
        }
    });
}

/// The browser's time zone, unless its days are those of UTC.
fn browser_zone() -> Option<String> {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let zone = js_sys::Reflect::get(&format.resolved_options(), &JsValue::from_str("timeZone")).ok()?.as_string()?;
    (!matches!(zone.as_str(), "" | "UTC" | "Etc/UTC" | "Etc/Unknown")).then_some(zone)
}

#[component]
pub(super) fn Filters(found: ValueView, asked: Memo<ValueQuery>) -> impl IntoView {
    let t = use_texts();
    let query = use_location().query.get_untracked();
    let value = |key: &str| query.get(key).unwrap_or_default();
    let kept = |key: &'static str| {
        let value = value(key);
        (!value.is_empty()).then(|| view! { <input type="hidden" name=key value=value/> })
    };
    let open = FIELDS.iter().any(|key| !value(key).is_empty());
    let words = t.value.period(&found.from, &found.to);
    let compared = t.value.compared(&found.before_from, &found.before_to);
    let zone = t.value.zone_days(&found.zone);
    let one_of = |chosen: String, known: Vec<(String, String)>| {
        let mut options = vec![(String::new(), t.common.all().to_owned())];
        if !chosen.is_empty() && known.iter().all(|(key, _)| *key != chosen) {
            options.push((chosen.clone(), chosen));
        }
        options.extend(known);
        options
    };
    let same = |names: Vec<String>| names.into_iter().map(|name| (name.clone(), name)).collect::<Vec<_>>();
    let namespaces = one_of(value("namespace"), same(found.choices.namespaces));
    let workflows = one_of(value("workflow"), same(found.choices.workflows));
    let teams = found.choices.teams.into_iter().map(|team| (team.name, team.title)).collect();
    let teams = one_of(value("team"), teams);
    let team_of = [TeamOf::Owner, TeamOf::Requester].map(|team_of| {
        let words = t.value.by_key(&format!("team_of_{team_of}")).unwrap_or_default();
        (team_of.to_string(), words.to_owned())
    });
    view! {
        <section class="filters" aria-label=t.value.filters()>
            <p class="value-period">
                <strong>{words}</strong>
                <span class="muted">{compared}</span>
                <span class="muted">{zone}</span>
            </p>
            {presets(t, asked)}
            <details class="filters__more" open=open>
                <summary class="button button--small">
                    <Icon glyph=Glyph::Filter/>
                    <span class="button__text">{t.value.more()}</span>
                </summary>
                <form class="filters__form" method="get" action="/value">
                    {kept("zone")}
                    {kept("by")}
                    {kept("sort")}
                    {(value("from").is_empty() && value("to").is_empty()).then(|| kept("period"))}
                    <TextField name="from" label=t.value.from() kind="date" value=value("from") optional=true/>
                    <TextField name="to" label=t.value.to() kind="date" value=value("to") optional=true/>
                    <SelectField
                        name="namespace"
                        label=t.value.namespace()
                        options=namespaces
                        value=value("namespace")
                        optional=true
                    />
                    <SelectField
                        name="workflow"
                        label=t.value.workflow()
                        options=workflows
                        value=value("workflow")
                        optional=true
                    />
                    <SelectField
                        name="teamOf"
                        label=t.value.team_of()
                        options=team_of.to_vec()
                        value=found.team_of.to_string()
                        optional=true
                    />
                    <SelectField name="team" label=t.value.team() options=teams value=value("team") optional=true/>
                    <div class="filters__actions">
                        <Button>{t.common.apply()}</Button>
                    </div>
                </form>
            </details>
            {chosen(t, &query)}
            <div class="chips" role="group" aria-label=t.value.by()>
                <span class="chips__label">{t.value.by()}</span>
                <FilterChip param="by" value="" label=t.value.by_workflow()/>
                <FilterChip param="by" value="team" label=t.value.by_team()/>
            </div>
        </section>
    }
}

/// The periods that have names, as links.
fn presets(t: Texts, asked: Memo<ValueQuery>) -> AnyView {
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let on = Memo::new(move |_| {
        asked.with(|asked| match (&asked.from, &asked.to) {
            (None, None) => Some(asked.period.unwrap_or(ValuePeriod::LastThirtyDays)),
            _ => None,
        })
    });
    let chips: Vec<_> = ValuePeriod::ALL
        .iter()
        .map(|period| {
            let name = period.as_str();
            let label = t.value.by_key(&format!("period_{}", name.replace('-', "_"))).unwrap_or(name);
            let href =
                move || href_with(&path.get(), &query.get(), &[("period", Some(name)), ("from", None), ("to", None)]);
            let current = move || (on.get() == Some(*period)).then_some("true");
            view! { <a class="chip" href=href aria-current=current data-noscroll="">{label}</a> }
        })
        .collect();
    view! {
        <div class="chips" role="group" aria-label=t.value.field_period()>
            <span class="chips__label">{t.value.field_period()}</span>
            {chips}
        </div>
    }
}

/// What the figures are narrowed to, each as a chip that takes it away again.
fn chosen(t: Texts, query: &ParamsMap) -> AnyView {
    let chips: Vec<_> = FIELDS
        .into_iter()
        .filter_map(|field| {
            let value = query.get(field).filter(|value| !value.is_empty())?;
            let name = t.value.by_key(field).unwrap_or(field);
            let href = href_with("/value", query, &[(field, None)]);
            Some(view! {
                <a class="chip chip--set" href=href aria-label=t.audit.remove_filter(name, &value)>
                    <span>{t.audit.filter_is(name, &value)}</span>
                    <Icon glyph=Glyph::Cross/>
                </a>
            })
        })
        .collect();
    if chips.is_empty() {
        ().into_any()
    } else {
        view! { <div class="chips">{chips}</div> }
    }
}

#[cfg(test)]
mod tests {
    use domain::ValueBy;

    use super::*;

    #[test]
    fn the_address_is_the_question() {
        let mut query = ParamsMap::new();
        for (key, value) in
            [("period", "last-month"), ("namespace", " it "), ("team", ""), ("teamOf", "requester"), ("by", "team")]
        {
            query.insert(key, value.to_owned());
        }
        let asked = query_of(&query);
        assert_eq!((asked.period, asked.by), (Some(ValuePeriod::LastMonth), Some(ValueBy::Team)));
        assert_eq!(
            (asked.namespace.as_deref(), asked.team, asked.team_of),
            (Some("it"), None, Some(TeamOf::Requester))
        );
        query.insert("zone", "Asia/Seoul".to_owned());
        let href = csv_href(&query_of(&query));
        assert_eq!(
            href,
            "/api/v1/value?format=csv&period=last-month&zone=Asia%2FSeoul&namespace=it&teamOf=requester&by=team"
        );
    }
}

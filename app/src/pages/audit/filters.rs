//! The filters of the audit explorer, which are the address.

use std::fmt::Write as _;

use domain::{Risk, Timestamp, view::AuditFilter};
use leptos::prelude::*;
use leptos_router::{hooks::use_location, params::ParamsMap};

use crate::{
    components::{Button, FilterChip, Glyph, Icon, SearchForm, SelectField, TextField},
    i18n::use_texts,
    url_state::href_with,
    view,
};

/// Groups of actions that have a chip, by the first part of the action's name.
const AREAS: [&str; 11] = [
    "run",
    "approval",
    "delegation",
    "definition",
    "session",
    "user",
    "grant",
    "process",
    "connection",
    "secret",
    "audit",
];

/// The kinds of resources that can be filtered by.
const KINDS: [&str; 13] = [
    "run",
    "approval",
    "delegation",
    "workflow",
    "user",
    "team",
    "grant",
    "namespace",
    "calendar",
    "connection",
    "secret",
    "session",
    "token",
];

/// What the form holds beyond the chips.
const FIELDS: [&str; 15] = [
    "text",
    "from",
    "to",
    "actor",
    "team",
    "kind",
    "resource",
    "run",
    "risk",
    "namespace",
    "policy",
    "control",
    "address",
    "credential",
    "last",
];

/// The filter that a query stands for. What cannot be read is left out.
pub(super) fn filter_of(query: &ParamsMap) -> AuditFilter {
    let text = |key: &str| query.get(key).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let moment = |key: &str, time: &str| -> Option<Timestamp> { format!("{}T{time}Z", text(key)?).parse().ok() };
    AuditFilter {
        from: moment("from", "00:00:00"),
        to: moment("to", "23:59:59.999999"),
        actor: text("actor"),
        action: text("action"),
        resource_kind: text("kind"),
        resource: text("resource"),
        run: text("run"),
        risk: text("risk").and_then(|risk| risk.parse().ok()),
        namespace: text("namespace"),
        outcome: text("outcome"),
        policy: text("policy"),
        address: text("address"),
        credential: text("credential"),
        control: text("control"),
        team: text("team"),
        text: text("text"),
        last: text("last").and_then(|last| last.parse().ok()),
    }
}

/// The address of the export of what is shown.
pub(super) fn export_href(filter: &AuditFilter, format: &str) -> String {
    filter_href("entries", filter, ("format", format))
}

/// The address of the evidence pack of what is shown.
pub(super) fn evidence_href(filter: &AuditFilter, language: &str) -> String {
    filter_href("evidence", filter, ("language", language))
}

/// The address of something that is done with what is shown.
fn filter_href(what: &str, filter: &AuditFilter, (name, value): (&str, &str)) -> String {
    let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
    let pairs = [
        ("from", moment(filter.from)),
        ("to", moment(filter.to)),
        ("actor", filter.actor.clone()),
        ("action", filter.action.clone()),
        ("resourceKind", filter.resource_kind.clone()),
        ("resource", filter.resource.clone()),
        ("run", filter.run.clone()),
        ("risk", filter.risk.map(|risk| risk.to_string())),
        ("namespace", filter.namespace.clone()),
        ("outcome", filter.outcome.clone()),
        ("policy", filter.policy.clone()),
        ("address", filter.address.clone()),
        ("credential", filter.credential.clone()),
        ("control", filter.control.clone()),
        ("team", filter.team.clone()),
        ("text", filter.text.clone()),
        ("last", filter.last.map(|last| last.to_string())),
    ];
    let mut href = format!("/api/v1/audit/{what}?{name}={value}");
    for (key, value) in pairs {
        if let Some(value) = value {
            let _ = write!(href, "&{key}={}", urlencoding::encode(&value));
        }
    }
    href
}

/// Chips for what is asked most, and a form for the rest. The form is sent by GET, so it works without JavaScript.
#[component]
pub(super) fn Filters(filter: Memo<AuditFilter>) -> impl IntoView {
    let t = use_texts();
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let areas: Vec<_> = AREAS
        .into_iter()
        .map(|area| {
            let label = t.audit.by_key(&format!("area_{area}")).unwrap_or(area);
            view! { <FilterChip param="action" value=area label/> }
        })
        .collect();
    let outcomes: Vec<_> = ["done", "refused", "failed"]
        .into_iter()
        .map(|outcome| {
            let label = t.audit.by_key(&format!("outcome_{outcome}")).unwrap_or(outcome);
            view! { <FilterChip param="outcome" value=outcome label/> }
        })
        .collect();
    let kinds = move || {
        let all = [(String::new(), t.common.all().to_owned())].into_iter();
        all.chain(
            KINDS
                .into_iter()
                .map(move |kind| (kind.to_owned(), t.audit.by_key(&format!("kind_{kind}")).unwrap_or(kind).to_owned())),
        )
        .collect::<Vec<_>>()
    };
    let risks = move || {
        let risk = |risk: &Risk| {
            let label = t.common.by_key(&format!("risk_{risk}")).unwrap_or_default();
            (risk.to_string(), label.to_owned())
        };
        let all = [(String::new(), t.common.all().to_owned())].into_iter();
        all.chain(Risk::ALL.iter().map(risk)).collect::<Vec<_>>()
    };
    // What the form holds beyond the chips, each as a chip that takes it away again.
    let active = move || {
        let query = query.get();
        let chips: Vec<_> = FIELDS
            .into_iter()
            .filter_map(|field| {
                let value = query.get(field).filter(|value| !value.is_empty())?;
                let name = t.audit.by_key(&format!("field_{field}")).unwrap_or(field);
                let href = href_with(&path.get(), &query, &[(field, None)]);
                Some(view! {
                    <a class="chip chip--set" href=href aria-label=t.audit.remove_filter(name, &value)>
                        <span>{t.audit.filter_is(name, &value)}</span>
                        <Icon glyph=Glyph::Cross/>
                    </a>
                })
            })
            .collect();
        chips
    };
    let form = move || {
        let query = query.get();
        let value = |key: &str| query.get(key).unwrap_or_default();
        let open = FIELDS.iter().any(|key| *key != "text" && !value(key).is_empty());
        view! {
            <details class="filters__more" open=open>
                <summary class="button button--small">
                    <Icon glyph=Glyph::Filter/>
                    <span class="button__text">{t.audit.more_filters()}</span>
                </summary>
                <form class="filters__form" method="get" action="/audit">
                    <input type="hidden" name="text" value=value("text")/>
                    <input type="hidden" name="action" value=value("action")/>
                    <input type="hidden" name="outcome" value=value("outcome")/>
                    <TextField name="from" label=t.audit.field_from() kind="date" value=value("from") optional=true/>
                    <TextField name="to" label=t.audit.field_to() kind="date" value=value("to") optional=true/>
                    <TextField name="actor" label=t.audit.field_actor() value=value("actor") optional=true code=true/>
                    <SelectField
                        name="kind"
                        label=t.audit.field_kind()
                        options=kinds()
                        value=value("kind")
                        optional=true
                    />
                    <TextField
                        name="resource"
                        label=t.audit.field_resource()
                        value=value("resource")
                        optional=true
                    />
                    <TextField name="run" label=t.audit.field_run() value=value("run") placeholder="R-1042" optional=true/>
                    <SelectField name="risk" label=t.audit.field_risk() options=risks() value=value("risk") optional=true/>
                    <TextField
                        name="namespace"
                        label=t.audit.field_namespace()
                        value=value("namespace")
                        optional=true
                        code=true
                    />
                    <TextField name="team" label=t.audit.field_team() value=value("team") optional=true code=true/>
                    <TextField name="policy" label=t.audit.field_policy() value=value("policy") optional=true code=true/>
                    <TextField
                        name="control"
                        label=t.audit.field_control()
                        value=value("control")
                        placeholder="ISO27001:A.5.16"
                        optional=true
                        code=true
                    />
                    <TextField name="address" label=t.audit.field_address() value=value("address") optional=true code=true/>
                    <TextField
                        name="credential"
                        label=t.audit.field_credential()
                        value=value("credential")
                        optional=true
                        code=true
                    />
                    <TextField name="last" label=t.audit.field_last() kind="number" value=value("last") optional=true/>
                    <div class="filters__actions">
                        <Button>{t.common.apply()}</Button>
                    </div>
                </form>
            </details>
        }
    };
    let filtered = move || filter.with(|filter| *filter != AuditFilter::default());
    view! {
        <section class="filters" aria-label=t.audit.filters()>
            <SearchForm action="/audit" name="text" label=t.audit.search()>
                {move || view! { <OtherFilters query=query.get() but="text"/> }}
            </SearchForm>
            <div class="chips">
                <span class="chips__label">{t.audit.field_outcome()}</span>
                {outcomes}
            </div>
            <div class="chips">
                <span class="chips__label">{t.audit.field_action()}</span>
                {areas}
            </div>
            <RangePresets/>
            <div class="chips">
                {active}
                <Show when=filtered>
                    <a class="chip chip--clear" href="/audit">{t.common.clear_filters()}</a>
                </Show>
            </div>
            {form}
        </section>
    }
}

/// What a form that has one filter of its own keeps of the others.
#[component]
pub(super) fn OtherFilters(query: ParamsMap, but: &'static str) -> impl IntoView {
    let names = FIELDS.into_iter().chain(["action", "outcome"]).filter(|name| *name != but);
    let kept: Vec<_> = names
        .filter_map(|name| Some((name, query.get(name).filter(|value| !value.is_empty())?)))
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect();
    kept
}

/// Time ranges up to today. Only the browser knows today, so they come once the page is alive.
#[component]
pub(super) fn RangePresets() -> impl IntoView {
    let t = use_texts();
    let location = use_location();
    let (path, query) = (location.pathname, location.query);
    let today = RwSignal::new(None::<f64>);
    Effect::new(move |_| today.set(Some(js_sys::Date::now())));
    let chips = move || {
        let now = today.get()?;
        let query = query.get();
        let chip = |days: u32, label: String| {
            let from = iso_date(now - f64::from(days) * 86_400_000.0);
            let on = query.get_str("from") == Some(from.as_str()) && query.get_str("to").is_none();
            let href = href_with(&path.get(), &query, &[("from", Some(&from)), ("to", None)]);
            view! { <a class="chip" href=href aria-current=on.then_some("true")>{label}</a> }
        };
        Some(vec![
            chip(0, t.audit.today().to_owned()),
            chip(7, t.common.span_days(7_u32)),
            chip(30, t.common.span_days(30_u32)),
            chip(90, t.common.span_days(90_u32)),
        ])
    };
    view! {
        <div class="chips chips--late">
            <span class="chips__label">{t.audit.field_time()}</span>
            {chips}
        </div>
    }
}

/// The day in UTC of milliseconds since 1970.
fn iso_date(millis: f64) -> String {
    let date = js_sys::Date::new(&millis.into());
    String::from(date.to_iso_string()).chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_filter() {
        let mut query = ParamsMap::new();
        query.insert("from", "2026-11-01".to_owned());
        query.insert("to", "2026-11-22".to_owned());
        query.insert("actor", " staff ".to_owned());
        query.insert("outcome", String::new());
        query.insert("run", "R-7".to_owned());
        query.insert("risk", "high".to_owned());
        let filter = filter_of(&query);
        assert_eq!(filter.from.unwrap().to_string(), "2026-11-01T00:00:00.000000Z");
        assert_eq!(filter.to.unwrap().to_string(), "2026-11-22T23:59:59.999999Z");
        assert_eq!((filter.actor.as_deref(), filter.outcome), (Some("staff"), None));
        assert_eq!((filter.run.as_deref(), filter.risk), (Some("R-7"), Some(Risk::High)));
        query.insert("risk", "huge".to_owned());
        assert_eq!(filter_of(&query).risk, None);
    }

    #[test]
    fn the_export_has_the_same_filter() {
        let (actor, run) = (Some("a b".to_owned()), Some("R-7".to_owned()));
        let filter = AuditFilter { actor, run, risk: Some(Risk::Low), ..AuditFilter::default() };
        assert_eq!(export_href(&filter, "csv"), "/api/v1/audit/entries?format=csv&actor=a%20b&run=R-7&risk=low");
        assert_eq!(evidence_href(&AuditFilter::default(), "ko"), "/api/v1/audit/evidence?language=ko");
    }
}

//! The controls for single values.

use domain::form::{Choice, Field, Kind, NumberRules, RowRules, TextFormat, TextRules, offset_name};
use leptos::prelude::*;

use super::{
    FormState, control_id, control_name,
    text_area::{Area, text_area},
};
use crate::{
    components::{Field as Labelled, Glyph, Icon, described_by},
    errors::field_message,
    i18n::use_texts,
    view,
};

/// Up to this many choices are shown side by side; more become a list to choose from.
const RADIOS: usize = 4;

/// The control of a field, with label, hint and error.
pub(super) fn control(state: FormState, field: Field) -> AnyView {
    match field.kind.clone() {
        Kind::Text(rules) if rules.multi_line => lines(state, field, rules.max_length, false),
        Kind::Text(rules) if rules.format == TextFormat::DateTime => date_time(state, field),
        Kind::Text(rules) => line(state, field, &rules),
        Kind::Number(rules) => number(state, field, rules),
        Kind::Boolean { .. } => tick(state, field),
        Kind::Choice { options } if options.len() <= RADIOS => radios(state, field, options),
        Kind::Choice { options } => select(state, field, options),
        Kind::Choices { options, rules } => ticks(state, field, options, rules),
        Kind::Json | Kind::Rows { .. } | Kind::Group { .. } => lines(state, field, None, true),
    }
}

/// What all controls of a field share.
struct Parts {
    id: String,
    name: String,
    described: String,
    /// What the control holds.
    text: Memo<String>,
    error: Signal<Option<String>>,
    invalid: Signal<bool>,
}

fn parts(state: FormState, field: &Field) -> Parts {
    let t = use_texts();
    let pointer = field.pointer.clone();
    let default = field.default.as_ref().map(plain).unwrap_or_default();
    let text = {
        let pointer = pointer.clone();
        Memo::new(move |_| state.text(&pointer, &default))
    };
    let error = Memo::new(move |_| state.error(&pointer).map(|error| field_message(t, &error)));
    let id = control_id(&field.pointer);
    Parts {
        described: described_by(&id),
        id,
        name: control_name(&field.pointer),
        text,
        error: error.into(),
        invalid: Signal::derive(move || error.with(Option::is_some)),
    }
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The schema's explanation, then an example, then what the format asks for.
fn hint(field: &Field, also: &[String]) -> Option<String> {
    let t = use_texts();
    let mut sentences: Vec<String> = Vec::new();
    sentences.extend(Some(field.description.clone()).filter(|text| !text.is_empty()));
    sentences.extend(also.iter().filter(|text| !text.is_empty()).cloned());
    sentences.extend(Some(&field.example).filter(|text| !text.is_empty()).map(|text| t.catalogue.example(text)));
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// `60 / 64`, when little is left.
fn counter(text: Memo<String>, max: Option<u64>) -> Signal<Option<String>> {
    Signal::derive(move || {
        let max = max?;
        let now = text.with(|text| text.chars().count()) as u64;
        (now * 5 >= max * 4 && now > 0).then(|| format!("{now} / {max}"))
    })
}

fn typed(state: FormState, pointer: String) -> impl Fn(String) + Clone + 'static {
    move |text| {
        state.set(&pointer, Some(text));
        state.check_again(&pointer);
    }
}

fn left(state: FormState, pointer: String) -> impl Fn() + Clone + 'static {
    move || state.check(&pointer)
}

fn line(state: FormState, field: Field, rules: &TextRules) -> AnyView {
    let (kind, autocomplete) = match rules.format {
        TextFormat::Email => ("email", "off"),
        TextFormat::Uri => ("url", "off"),
        TextFormat::Date => ("date", "off"),
        TextFormat::Plain | TextFormat::DateTime => ("text", "off"),
    };
    let hint = hint(&field, &[]);
    input(state, field, hint, kind, None, autocomplete, rules.max_length)
}

fn number(state: FormState, field: Field, rules: NumberRules) -> AnyView {
    let t = use_texts().catalogue;
    let range = match (rules.minimum, rules.maximum) {
        (Some(min), Some(max)) => t.between(min, max),
        (Some(min), None) => t.at_least(min),
        (None, Some(max)) => t.at_most(max),
        (None, None) => String::new(),
    };
    let hint = hint(&field, &[range]);
    // A number control would throw away what is no number; a text stays, with the error beside it.
    let mode = if rules.integer && rules.minimum.is_some_and(|min| min >= 0.0) { "numeric" } else { "decimal" };
    input(state, field, hint, "text", Some(mode), "off", None)
}

fn input(
    state: FormState,
    field: Field,
    hint: Option<String>,
    kind: &'static str,
    mode: Option<&'static str>,
    autocomplete: &'static str,
    max: Option<u64>,
) -> AnyView {
    let Parts { id, name, described, text, error, invalid } = parts(state, &field);
    let (typed, left) = (typed(state, field.pointer.clone()), left(state, field.pointer));
    view! {
        <Labelled
            id=id.clone()
            label=field.title
            hint=hint
            error=error
            optional=!field.required
            counter=counter(text, max)
        >
            <input
                class="input"
                class:input--short=mode.is_some() || kind == "date"
                id=id
                name=name
                type=kind
                inputmode=mode
                autocomplete=autocomplete
                value=text.get_untracked()
                prop:value=move || text.get()
                aria-required=field.required.then_some("true")
                aria-describedby=described
                aria-invalid=move || invalid.get().then_some("true")
                on:input=move |event| typed(event_target_value(&event))
                on:blur=move |_| left()
            />
        </Labelled>
    }
}

fn lines(state: FormState, field: Field, max: Option<u64>, code: bool) -> AnyView {
    let t = use_texts();
    let hint = hint(&field, &if code { vec![t.catalogue.as_json().to_owned()] } else { vec![] });
    let Parts { id, name, described, text, error, invalid } = parts(state, &field);
    let (typed, left) = (typed(state, field.pointer.clone()), left(state, field.pointer));
    let area = Area { id: id.clone(), name, rows: 5, code, required: field.required, described };
    view! {
        <Labelled id=id label=field.title hint=hint error=error optional=!field.required counter=counter(text, max)>
            {text_area(area, text.into(), invalid, typed, left)}
        </Labelled>
    }
}

/// Date and time as the person's clock shows them, with their zone beside: the zone is sent along, and is UTC as long
/// as no browser has said otherwise.
fn date_time(state: FormState, field: Field) -> AnyView {
    let t = use_texts();
    let Parts { id, name, described, text, error, invalid } = parts(state, &field);
    let zone_name = offset_name(&field.pointer);
    let zone = {
        let zone_name = zone_name.clone();
        Memo::new(move |_| state.text(&zone_name, "Z"))
    };
    let zone_text = move || zone.with(|zone| if zone == "Z" { "UTC".to_owned() } else { format!("UTC{zone}") });
    let typed = {
        let typed = typed(state, field.pointer.clone());
        let zone_name = zone_name.clone();
        move |text: String| {
            state.set(&zone_name, Some(zone_of(&text)));
            typed(text);
        }
    };
    let left = left(state, field.pointer.clone());
    let hint = hint(&field, &[]);
    view! {
        <Labelled id=id.clone() label=field.title hint=hint error=error optional=!field.required>
            <div class="schema-form__with-zone">
                <input
                    class="input input--short"
                    id=id
                    name=name
                    type="datetime-local"
                    value=text.get_untracked()
                    prop:value=move || text.get()
                    aria-required=field.required.then_some("true")
                    aria-describedby=described
                    aria-invalid=move || invalid.get().then_some("true")
                    on:input=move |event| typed(event_target_value(&event))
                    on:blur=move |_| left()
                />
                <input type="hidden" name=control_name(&zone_name) value=zone.get_untracked() prop:value=move || zone.get()/>
                <span class="schema-form__zone" title=t.catalogue.zone()>{zone_text}</span>
            </div>
        </Labelled>
    }
}

/// The offset of the browser's zone from UTC at that date and time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes of a day, without their sign")]
fn zone_of(local: &str) -> String {
    let minutes = -js_sys::Date::new(&local.into()).get_timezone_offset();
    if !minutes.is_finite() || minutes == 0.0 {
        return "Z".to_owned();
    }
    let sign = if minutes < 0.0 { '-' } else { '+' };
    let minutes = minutes.abs() as u32;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn tick(state: FormState, field: Field) -> AnyView {
    let Parts { id, name, described, text, error, .. } = parts(state, &Field { default: None, ..field.clone() });
    let pointer = field.pointer.clone();
    let ticked = Memo::new(move |_| text.with(|text| text == "true"));
    let change = move |event: leptos::ev::Event| {
        state.set(&pointer, event_target_checked(&event).then(|| "true".to_owned()));
        state.check_again(&pointer);
    };
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    view! {
        <div class="field field--tick" class:field--invalid=move || error.with(Option::is_some)>
            <label class="check">
                <input
                    class="check__input"
                    type="checkbox"
                    id=id
                    name=name
                    value="true"
                    checked=ticked.get_untracked()
                    prop:checked=move || ticked.get()
                    aria-describedby=described
                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                    on:change=change
                />
                <span>{field.title.clone()}</span>
            </label>
            {hint_line(hint_id, hint(&field, &[]))}
            {error_line(error_id, error)}
        </div>
    }
}

fn hint_line(id: String, hint: Option<String>) -> impl IntoView {
    let none = hint.is_none();
    view! { <p class="field__hint" id=id hidden=none>{hint}</p> }
}

fn error_line(id: String, error: Signal<Option<String>>) -> impl IntoView {
    view! {
        <p class="field__error" id=id hidden=move || error.with(Option::is_none)>
            <Icon glyph=Glyph::Octagon/>
            <span>{move || error.get()}</span>
        </p>
    }
}

fn select(state: FormState, field: Field, options: Vec<Choice>) -> AnyView {
    let t = use_texts();
    let hint = hint(&field, &[]);
    let Parts { id, name, described, text, error, invalid } = parts(state, &field);
    let (typed, left) = (typed(state, field.pointer.clone()), left(state, field.pointer));
    let first = text.get_untracked();
    let options: Vec<_> = options
        .into_iter()
        .map(|option| {
            let key = option.key();
            let selected = key == first;
            view! { <option value=key selected=selected>{option.title}</option> }
        })
        .collect();
    view! {
        <Labelled id=id.clone() label=field.title hint=hint error=error optional=!field.required>
            <select
                class="input input--select"
                id=id
                name=name
                prop:value=move || text.get()
                aria-required=field.required.then_some("true")
                aria-describedby=described
                aria-invalid=move || invalid.get().then_some("true")
                on:change=move |event| typed(event_target_value(&event))
                on:blur=move |_| left()
            >
                <option value="">{t.catalogue.choose()}</option>
                {options}
            </select>
        </Labelled>
    }
}

/// A fieldset around controls that belong to one question.
fn question(field: &Field, hint: Option<String>, error: Signal<Option<String>>, controls: AnyView) -> AnyView {
    let t = use_texts();
    let id = control_id(&field.pointer);
    view! {
        <fieldset
            class="field checks"
            class:field--invalid=move || error.with(Option::is_some)
            id=id.clone()
            tabindex="-1"
            aria-describedby=described_by(&id)
        >
            <legend class="field__label">
                <span>{field.title.clone()}</span>
                {(!field.required).then(|| view! { <span class="field__optional">{t.common.optional()}</span> })}
            </legend>
            {hint_line(format!("{id}-hint"), hint)}
            <div class="checks__list">{controls}</div>
            {error_line(format!("{id}-error"), error)}
        </fieldset>
    }
}

fn radios(state: FormState, field: Field, options: Vec<Choice>) -> AnyView {
    let t = use_texts();
    let Parts { name, text, error, .. } = parts(state, &field);
    let pointer = field.pointer.clone();
    let radio = |key: String, title: String| {
        let on = {
            let key = key.clone();
            Memo::new(move |_| text.with(|text| *text == key))
        };
        let typed = typed(state, pointer.clone());
        let chosen = key.clone();
        view! {
            <label class="check">
                <input
                    class="check__input"
                    type="radio"
                    name=name.clone()
                    value=key
                    checked=on.get_untracked()
                    prop:checked=move || on.get()
                    on:change=move |_| typed(chosen.clone())
                />
                <span>{title}</span>
            </label>
        }
    };
    let mut controls: Vec<_> = options.into_iter().map(|option| radio(option.key(), option.title)).collect();
    if !field.required {
        controls.push(radio(String::new(), t.catalogue.no_answer().to_owned()));
    }
    question(&field, hint(&field, &[]), error, controls.into_any())
}

fn ticks(state: FormState, field: Field, options: Vec<Choice>, rules: RowRules) -> AnyView {
    let t = use_texts().catalogue;
    let Parts { name: marker, error, .. } = parts(state, &field);
    let how_many = match (rules.min_items, rules.max_items) {
        (0 | 1, None) => String::new(),
        (min, None) => t.choose_at_least(min),
        (0 | 1, Some(max)) => t.choose_at_most(max),
        (min, Some(max)) => t.choose_between(min, max),
    };
    let hint = hint(&field, &[how_many]);
    let tick = |(index, option): (usize, Choice)| {
        let pointer = field.pointer.clone();
        let place = format!("{pointer}/{index}");
        let key = option.key();
        let on = {
            let place = place.clone();
            Memo::new(move |_| !state.text(&place, "").is_empty())
        };
        let value = key.clone();
        let name = control_name(&place);
        let change = move |event: leptos::ev::Event| {
            state.set(&place, event_target_checked(&event).then(|| key.clone()));
            state.check_again(&pointer);
        };
        view! {
            <label class="check">
                <input
                    class="check__input"
                    type="checkbox"
                    name=name
                    value=value
                    checked=on.get_untracked()
                    prop:checked=move || on.get()
                    on:change=change
                />
                <span>{option.title}</span>
            </label>
        }
    };
    let boxes: Vec<_> = options.into_iter().enumerate().map(tick).collect();
    // The hidden one says that the question was asked, even where nothing is ticked.
    let controls = view! {
        <input type="hidden" name=marker value=""/>
        {boxes}
    };
    question(&field, hint, error, controls.into_any())
}

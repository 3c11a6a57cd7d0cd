//! The fields of a form, whatever they hold within.

use domain::form::{Field, Kind, RowRules};
use leptos::prelude::*;

use super::{FormState, control_id, control_name, controls::control};
use crate::{
    components::{Button, ButtonLook, Glyph, Icon},
    errors::field_message,
    i18n::use_texts,
    view,
};

/// All fields of a form.
#[component]
pub fn SchemaFields(
    /// The form.
    state: FormState,
) -> impl IntoView {
    view! { <div class="schema-form">{within(state, String::new())}</div> }
}

/// The fields within the group or list at `parent`. A field that stays the same keeps its control, and so the focus.
fn within(state: FormState, parent: String) -> AnyView {
    let children = Memo::new(move |_| state.children(&parent));
    view! {
        <For each=move || children.get() key=|field| format!("{field:?}") let:field>
            {field_view(state, field)}
        </For>
    }
}

fn field_view(state: FormState, field: Field) -> AnyView {
    match field.kind {
        Kind::Group { .. } => group(state, field),
        Kind::Rows { rules, .. } => list(state, field, rules),
        _ => control(state, field),
    }
}

/// The error beside a group or list, which has no control of its own to carry it.
fn group_error(state: FormState, pointer: String) -> impl IntoView {
    let t = use_texts();
    let message = Memo::new(move |_| state.error(&pointer).map(|error| field_message(t, &error)));
    move || {
        message.get().map(|message| {
            view! {
                <p class="field__error">
                    <Icon glyph=Glyph::Octagon/>
                    <span>{message}</span>
                </p>
            }
        })
    }
}

fn group(state: FormState, field: Field) -> AnyView {
    let t = use_texts();
    let Field { pointer, title, description, required, .. } = field;
    let id = control_id(&pointer);
    view! {
        <fieldset class="schema-form__section" id=id tabindex="-1">
            <legend class="schema-form__legend">
                <span>{title}</span>
                {(!required).then(|| view! { <span class="field__optional">{t.common.optional()}</span> })}
            </legend>
            {(!description.is_empty()).then(|| view! { <p class="field__hint">{description}</p> })}
            {group_error(state, pointer.clone())}
            <div class="schema-form__fields">{within(state, pointer)}</div>
        </fieldset>
    }
}

fn list(state: FormState, field: Field, rules: RowRules) -> AnyView {
    let t = use_texts();
    let Field { pointer, title, description, required, .. } = field;
    let rows = {
        let pointer = pointer.clone();
        Memo::new(move |_| state.children(&pointer))
    };
    let may_add = Memo::new(move |_| rules.allows_more_than(rows.with(Vec::len)));
    let add = {
        let pointer = pointer.clone();
        move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            let next = format!("{pointer}/{}", rows.with_untracked(Vec::len));
            state.add_row(&pointer);
            focus_soon(next);
        }
    };
    let add_text = t.catalogue.add_row(&title);
    let row = {
        let pointer = pointer.clone();
        let title = title.clone();
        move |row: Field| row_view(state, pointer.clone(), title.clone(), row)
    };
    view! {
        <fieldset class="schema-form__list" id=control_id(&pointer) tabindex="-1">
            <legend class="field__label">
                <span>{title}</span>
                {(!required).then(|| view! { <span class="field__optional">{t.common.optional()}</span> })}
            </legend>
            {(!description.is_empty()).then(|| view! { <p class="field__hint">{description}</p> })}
            // Says that the list was shown, even without rows.
            <input type="hidden" name=control_name(&pointer) value=""/>
            <ul class="schema-form__rows">
                <For each=move || rows.get() key=|row| format!("{row:?}") let:item>
                    {row(item)}
                </For>
            </ul>
            {group_error(state, pointer.clone())}
            <div class="schema-form__add">
                <Button
                    look=ButtonLook::Secondary
                    small=true
                    icon=Glyph::Plus
                    name="action"
                    value=format!("add:{pointer}")
                    disabled=Signal::derive(move || !may_add.get())
                    on:click=add
                >
                    {add_text}
                </Button>
            </div>
        </fieldset>
    }
}

fn row_view(state: FormState, list: String, title: String, row: Field) -> AnyView {
    let t = use_texts();
    let pointer = row.pointer.clone();
    let number = pointer.rsplit('/').next().and_then(|index| index.parse::<usize>().ok()).unwrap_or_default() + 1;
    let words = t.catalogue.row(&title, number);
    let removal = t.catalogue.remove_row(&words);
    let remove = {
        let pointer = pointer.clone();
        move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            state.remove_row(&pointer);
            focus_soon(list.clone());
        }
    };
    let is_group = matches!(row.kind, Kind::Group { .. });
    let body = if is_group {
        let marker = control_name(&pointer);
        view! {
            <fieldset class="schema-form__row-group" id=control_id(&pointer) tabindex="-1">
                <legend class="schema-form__row-title">{words}</legend>
                <input type="hidden" name=marker value=""/>
                <div class="schema-form__fields">{within(state, pointer.clone())}</div>
            </fieldset>
        }
    } else {
        control(state, Field { title: words, required: true, ..row })
    };
    view! {
        <li class="schema-form__row" class:schema-form__row--group=is_group>
            <div class="schema-form__row-body">{body}</div>
            <button
                class="icon-button schema-form__remove"
                type="submit"
                name="action"
                value=format!("remove:{pointer}")
                aria-label=removal.clone()
                title=removal
                on:click=remove
            >
                <Icon glyph=Glyph::Trash/>
            </button>
        </li>
    }
}

/// Puts the focus on the control of `pointer`, or on the first control within, once it has been drawn.
fn focus_soon(pointer: String) {
    use wasm_bindgen::JsCast;

    request_animation_frame(move || {
        let Some(place) = document().get_element_by_id(&control_id(&pointer)) else { return };
        let first = place.query_selector("input:not([type=hidden]), select, textarea").ok().flatten();
        let target = if place.tag_name() == "FIELDSET" { first.unwrap_or(place) } else { place };
        if let Ok(target) = target.dyn_into::<web_sys::HtmlElement>() {
            let _ = target.focus();
        }
    });
}

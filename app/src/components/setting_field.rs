//! A field of a flat form made from a schema: what a connection is set to, what an approver fills in.

use domain::{FieldError, Problem};
use leptos::prelude::*;

use super::{SelectField, TextArea, TextField, Toggle};
use crate::{
    errors::field_message,
    i18n::use_texts,
    model::connection_settings::{Control, Setting},
    view,
};

/// The id of its control.
pub fn setting_id(setting: &Setting, place: &str) -> String {
    match setting.control {
        Control::Switch => format!("fields[{}]", setting.pointer),
        _ => format!("{}{}", place.trim_start_matches('/'), setting.pointer.replace('/', "-")),
    }
}

/// One field. Its name in the form is `fields[POINTER]`.
#[component]
pub fn SettingField(
    /// The field, with what it holds.
    setting: Setting,
    /// Whether a secret is stored already.
    #[prop(optional)]
    has_secret: bool,
    /// What was wrong when the form was sent.
    #[prop(into)]
    problem: Signal<Option<Problem>>,
    /// Where errors of the form stand (`/settings`); also what keeps its ids apart from those of other forms.
    place: &'static str,
) -> impl IntoView {
    let t = use_texts();
    let id = setting_id(&setting, place);
    let Setting { pointer, title, description, optional, control, value } = setting;
    let name = format!("fields[{pointer}]");
    let at = format!("{place}{pointer}");
    let belongs = move |error: &&FieldError| {
        error.pointer == at || error.pointer.strip_prefix(&at).is_some_and(|rest| rest.starts_with('/'))
    };
    let error = Signal::derive(move || {
        problem.with(|problem| {
            problem.as_ref()?.errors.iter().find(|error| belongs(error)).map(|error| field_message(t, error))
        })
    });
    let hint = match &control {
        Control::Secret | Control::SecretLines if has_secret => t.admin.secret_kept().to_owned(),
        Control::List => format!("{description} {}", t.admin.one_per_line()).trim().to_owned(),
        _ => description,
    };
    match control {
        Control::Secret => view! {
            <TextField name id label=title kind="password" hint optional error autocomplete="off"/>
        },
        Control::Line(kind) => view! { <TextField name id label=title kind hint optional error value/> },
        Control::SecretLines => view! { <TextArea name id label=title hint optional error/> },
        Control::Lines | Control::List => {
            view! { <TextArea name id label=title hint optional error value/> }
        }
        Control::Choice(options) => {
            view! { <SelectField name id label=title options value hint optional error/> }
        }
        Control::Switch => view! { <Toggle name label=title checked=value == "true" hint/> },
    }
}

//! What is typed into a form, what it means, and what is wrong with it.

use std::collections::BTreeMap;

use domain::{
    FieldError,
    form::{self, Field, Form},
};
use leptos::prelude::*;
use serde_json::Value;

/// The pairs of a form by name: what its controls hold.
pub type Pairs = BTreeMap<String, String>;

/// A form that is being filled in.
#[derive(Clone, Copy)]
pub struct FormState {
    schema: StoredValue<Value>,
    pairs: RwSignal<Pairs>,
    form: Memo<Form>,
    errors: RwSignal<BTreeMap<String, FieldError>>,
    /// Errors stand in the summary only once the whole form was checked.
    checked: RwSignal<u64>,
    /// Grows with each change by the person.
    edits: RwSignal<u64>,
}

impl FormState {
    /// A form of `schema` that begins with `values`, or with the schema's defaults.
    pub fn new(schema: Value, values: Option<&Value>, errors: Vec<FieldError>) -> Self {
        let start = values.map_or_else(|| form::initial(&schema), Clone::clone);
        let pairs: Pairs = form::flatten(&schema, &start).into_iter().collect();
        let schema = StoredValue::new(schema);
        let pairs = RwSignal::new(pairs);
        let form = Memo::new(move |_| {
            pairs.with(|pairs| schema.with_value(|schema| Form::new(schema, &unfinished(schema, pairs))))
        });
        let checked = RwSignal::new(u64::from(!errors.is_empty()));
        let errors = errors.into_iter().map(|error| (error.pointer.clone(), error)).collect();
        Self { schema, pairs, form, errors: RwSignal::new(errors), checked, edits: RwSignal::new(0) }
    }

    /// The pairs now.
    pub fn pairs(self) -> Pairs {
        self.pairs.get_untracked()
    }

    /// Puts other pairs in their place, as when kept ones are restored.
    pub fn replace(self, pairs: Pairs) {
        self.pairs.set(pairs);
        self.errors.update(BTreeMap::clear);
    }

    /// Counts as a change by the person, as after something was restored.
    pub fn touch(self) {
        self.edits.update(|edits| *edits += 1);
    }

    /// Grows with each change by the person; tracked.
    pub fn edits(self) -> u64 {
        self.edits.get()
    }

    /// The input that the form stands for now.
    pub fn values(self) -> Value {
        self.pairs
            .with_untracked(|pairs| self.schema.with_value(|schema| form::values_from_pairs(schema, &list(pairs))))
    }

    /// Whether the schema asks for anything.
    pub fn is_empty(self) -> bool {
        self.form.with(|form| form.fields.is_empty())
    }

    /// The fields directly within `pointer`, without what is within them; tracked.
    pub(super) fn children(self, pointer: &str) -> Vec<Field> {
        self.form.with(|form| form.children(pointer).iter().map(Field::without_children).collect())
    }

    /// What the control holds; tracked. A control that was never touched holds its field's default.
    pub(super) fn text(self, name: &str, default: &str) -> String {
        self.pairs.with(|pairs| pairs.get(name).map_or_else(|| default.to_owned(), Clone::clone))
    }

    /// Takes what was typed.
    pub(super) fn set(self, name: &str, text: Option<String>) {
        self.pairs.update(|pairs| {
            match text {
                Some(text) => pairs.insert(name.to_owned(), text),
                None => pairs.remove(name),
            };
        });
        self.edits.update(|edits| *edits += 1);
    }

    pub(super) fn add_row(self, pointer: &str) {
        self.change(|schema, values| form::add_row(schema, values, pointer));
    }

    pub(super) fn remove_row(self, pointer: &str) {
        self.change(|_, values| form::remove_row(values, pointer));
    }

    fn change(self, change: impl FnOnce(&Value, Value) -> Value) {
        let pairs = self.schema.with_value(|schema| {
            let values = self.pairs.with_untracked(|pairs| unfinished(schema, pairs));
            form::flatten(schema, &change(schema, values)).into_iter().collect()
        });
        self.pairs.set(pairs);
        // Rows have moved: what was found beside one may not belong to the one that stands there now.
        self.errors.update(BTreeMap::clear);
        self.edits.update(|edits| *edits += 1);
    }

    /// The error beside a field; tracked.
    pub(super) fn error(self, pointer: &str) -> Option<FieldError> {
        self.errors.with(|errors| errors.get(pointer).cloned())
    }

    /// Checks one field, as when it is left.
    pub(super) fn check(self, pointer: &str) {
        let values = self.values();
        let error = self.form.with_untracked(|form| {
            let field = form.field(pointer)?;
            // An empty row of a list is left out when sending; nothing is wrong with it.
            form::check_field(field, &values, &matches)
        });
        let known = self.errors.with_untracked(|errors| errors.get(pointer).cloned());
        if known != error {
            self.errors.update(|errors| {
                match error {
                    Some(error) => errors.insert(pointer.to_owned(), error),
                    None => errors.remove(pointer),
                };
            });
        }
    }

    /// Checks a field again that had an error, while it is being corrected.
    pub(super) fn check_again(self, pointer: &str) {
        if self.errors.with_untracked(|errors| errors.contains_key(pointer)) {
            self.check(pointer);
        }
    }

    /// Checks everything; true where nothing is wrong as far as the browser can tell.
    pub fn check_all(self) -> bool {
        let values = self.values();
        let errors = self.schema.with_value(|schema| form::check(schema, &values, &matches));
        self.show(errors)
    }

    /// Shows what the server found; true where that is nothing.
    pub fn show(self, errors: Vec<FieldError>) -> bool {
        let none = errors.is_empty();
        self.errors.set(errors.into_iter().map(|error| (error.pointer.clone(), error)).collect());
        self.checked.update(|checked| *checked += 1);
        none
    }

    /// Grows each time the whole form was checked; tracked.
    pub(super) fn asked_to_check(self) -> u64 {
        self.checked.get()
    }

    /// The errors with the titles of their fields, in the order of the form, once the whole form was checked.
    pub(super) fn summary(self) -> Memo<Vec<(String, FieldError)>> {
        Memo::new(move |_| {
            if self.checked.get() == 0 {
                return Vec::new();
            }
            let order = self.form.with(|form| titles(&form.fields));
            let place = |pointer: &str| order.iter().position(|(known, _)| known == pointer).unwrap_or(usize::MAX);
            let mut errors: Vec<FieldError> = self.errors.with(|errors| errors.values().cloned().collect());
            errors.sort_by_key(|error| place(&error.pointer));
            let title = |error: FieldError| {
                let title = order.iter().find(|(pointer, _)| *pointer == error.pointer);
                (title.map_or_else(|| error.pointer.clone(), |(_, title)| title.clone()), error)
            };
            errors.into_iter().map(title).collect()
        })
    }
}

fn titles(fields: &[Field]) -> Vec<(String, String)> {
    let own = |field: &Field| {
        let mut all = vec![(field.pointer.clone(), field.title.clone())];
        all.extend(titles(field.children()));
        all
    };
    fields.iter().flat_map(own).collect()
}

fn list(pairs: &Pairs) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn unfinished(schema: &Value, pairs: &Pairs) -> Value {
    form::unfinished_from_pairs(schema, &list(pairs))
}

/// The browser's regular expressions. A pattern that it cannot read is left to the server.
fn matches(pattern: &str, text: &str) -> Option<bool> {
    use wasm_bindgen::JsCast;

    if !cfg!(target_arch = "wasm32") {
        return None;
    }
    let constructor: js_sys::Function =
        js_sys::Reflect::get(&js_sys::global(), &"RegExp".into()).ok()?.dyn_into().ok()?;
    let arguments = js_sys::Array::of2(&pattern.into(), &"u".into());
    let expression: js_sys::RegExp = js_sys::Reflect::construct(&constructor, &arguments).ok()?.dyn_into().ok()?;
    Some(expression.test(text))
}

//! What was typed, kept in the browser: it survives the end of a sign-in, a reload and a server that is away.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use web_sys::Storage;

use super::state::Pairs;

/// A form as it is kept in the browser until the server has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptForm {
    /// The draft on the server that it belongs to, as text; empty before the first.
    #[serde(default)]
    pub draft: String,
    /// What the controls held.
    pub pairs: Pairs,
}

/// The kept form under `key`, if there is one.
pub fn kept(key: &str) -> Option<KeptForm> {
    let text = storage()?.get_item(key).ok()??;
    serde_json::from_str(&text).ok()
}

/// Keeps a form under `key`.
pub fn remember(key: &str, form: &KeptForm) {
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(form)) {
        // A full or forbidden storage is no reason to disturb somebody who types; the server keeps it as well.
        let _ = storage.set_item(key, &text);
    }
}

/// Forgets what is kept under `key`, once the server has it.
pub fn forget(key: &str) {
    if let Some(storage) = storage() {
        let _ = storage.remove_item(key);
    }
}

/// What this browser remembers for this portal, if it may.
pub(crate) fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// What somebody typed into the form with this id before the page came alive: bringing it to life would put the
/// server's values back. `None` where nothing was typed, and where the page was made in the browser.
pub fn typed_before(form: &str) -> Option<Pairs> {
    use wasm_bindgen::JsCast;

    if !cfg!(target_arch = "wasm32") || document().document_element()?.has_attribute("data-hydrated") {
        return None;
    }
    let form: web_sys::HtmlFormElement = document().get_element_by_id(form)?.dyn_into().ok()?;
    if !differs_from_page(&form) {
        return None;
    }
    let data = web_sys::FormData::new_with_form(&form).ok()?;
    let mut pairs = Pairs::new();
    for entry in js_sys::try_iter(&data).ok()?? {
        let entry = js_sys::Array::from(&entry.ok()?);
        let (Some(name), Some(value)) = (entry.get(0).as_string(), entry.get(1).as_string()) else { continue };
        if let Some(key) = name.strip_prefix("fields[").and_then(|rest| rest.strip_suffix(']')) {
            pairs.insert(super::pointer_of(key), value);
        }
    }
    Some(pairs)
}

/// Whether any control of the form holds something else than what the page came with.
fn differs_from_page(form: &web_sys::HtmlFormElement) -> bool {
    let property = |of: &JsValue, name: &str| js_sys::Reflect::get(of, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let list = |of: &JsValue, name: &str| js_sys::Array::from(&property(of, name));
    list(form, "elements").iter().any(|control| {
        let kind = property(&control, "type").as_string().unwrap_or_default();
        match kind.as_str() {
            "hidden" | "submit" | "button" | "fieldset" => false,
            "checkbox" | "radio" => property(&control, "checked") != property(&control, "defaultChecked"),
            "select-one" | "select-multiple" => {
                let options = list(&control, "options");
                // Where no option is chosen by the page, the browser shows the first.
                let chosen = options.iter().any(|option| property(&option, "defaultSelected").is_truthy());
                options.iter().enumerate().any(|(place, option)| {
                    let from_page = if chosen { property(&option, "defaultSelected").is_truthy() } else { place == 0 };
                    property(&option, "selected").is_truthy() != from_page
                })
            }
            _ => property(&control, "value") != property(&control, "defaultValue"),
        }
    })
}

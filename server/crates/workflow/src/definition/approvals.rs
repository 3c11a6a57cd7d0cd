//! What the schema of `call: approval` cannot say.

use serde_json::Value;

use super::cursor::Cursor;
use super::parts::Decoder;
use crate::approval::{Timing, check_form, is_plain};
use crate::expression;

impl Decoder<'_> {
    /// Checks the arguments of an approval, as far as they are written out.
    pub(super) fn check_approval(&mut self, place: &Cursor<'_>, with: &Value) {
        let has = |name: &str| with.get(name).is_some();
        let mut faults: Vec<(&str, String)> = Vec::new();
        match (has("approvers"), has("stages")) {
            (false, false) => faults.push(("", "an approval needs “approvers” or “stages”".to_owned())),
            (true, true) => {
                faults.push(("/stages", "an approval has either “approvers” or “stages”, not both".to_owned()));
            }
            _ => {}
        }
        if has("stages") && has("quorum") {
            faults.push(("/quorum", "each stage has a quorum of its own".to_owned()));
        }
        if has("approvers") && has("distinct") {
            faults.push((
                "/distinct",
                "one stage has nobody from an earlier one; “distinct” goes with “stages”".to_owned(),
            ));
        }
        let says_time = Timing::ARGUMENTS.into_iter().filter_map(|name| with.get(name));
        let timing = says_time.map(expression::contains_expression).all(|is_dynamic| !is_dynamic);
        let timing = if timing { Timing::read(with).err() } else { None };
        // People see the form and the fields before the run has any data.
        for name in ["form", "narrow"] {
            let written_out =
                with.get(name).is_none_or(|value| !value.is_string() && !expression::contains_expression(value));
            if !written_out {
                let pointer = if name == "form" { "/form" } else { "/narrow" };
                faults.push((pointer, format!("“{name}” is written out, without expressions")));
            }
        }
        if let Some(form) = with.get("form").filter(|form| form.is_object())
            && let Err(fault) = check_form(form)
        {
            faults.push(("/form", fault));
        }
        let timing = timing.iter().map(|fault| (fault.pointer.as_str(), fault.message.clone()));
        for (pointer, message) in faults.into_iter().chain(timing) {
            let span = if pointer.is_empty() { place.span } else { place.node.nearest(pointer).span };
            self.diagnostics.report(span, &format!("{}{pointer}", place.path), message);
        }
        for (index, pointer) in with.get("narrow").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let at = format!("/narrow/{index}");
            if let Some(pointer) = pointer.as_str() {
                let span = place.node.nearest(&at).span;
                self.narrowed.push((span, format!("{}{at}", place.path), pointer.to_owned()));
            }
        }
    }

    /// Checks that what approvers may narrow is in the schema of the input, once that is known.
    pub(super) fn check_narrowed(&mut self, input: Option<&Value>) {
        for (span, path, pointer) in std::mem::take(&mut self.narrowed) {
            let name = pointer.trim_start_matches('/').replace("~1", "/").replace("~0", "~");
            let part = input.and_then(|schema| schema.get("properties")?.get(&name));
            let fault = match part {
                None => "is no property of the workflow's `input.schema`",
                Some(part) if !is_plain(part) => "must be a text, a number, yes or no, a choice, or a list of those",
                Some(_) => continue,
            };
            self.diagnostics.report(span, &path, format!("“{pointer}” {fault}"));
        }
    }
}

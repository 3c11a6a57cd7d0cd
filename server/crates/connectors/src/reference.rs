//! References inside a document (`{"$ref": "#/…"}`), as `OpenAPI` and `AsyncAPI` write them.

use serde_json::Value;

/// How long a chain of references may be.
const CHAIN: usize = 16;

/// What a value, or the reference that it is, leads to. References to other documents are not followed.
///
/// # Errors
/// Says in words why the reference leads nowhere.
pub(crate) fn resolve<'v>(root: &'v Value, mut value: &'v Value) -> Result<&'v Value, String> {
    for _ in 0..CHAIN {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
        let pointer = reference.strip_prefix('#').ok_or_else(|| format!("{reference} is elsewhere"))?;
        let pointer = urlencoding::decode(pointer).map_err(|_| format!("{reference} cannot be read"))?;
        value = root.pointer(&pointer).ok_or_else(|| format!("{reference} leads nowhere"))?;
    }
    Err("its references go in a circle".to_owned())
}

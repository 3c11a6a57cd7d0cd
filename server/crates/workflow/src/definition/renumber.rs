//! [`renumber`]: the same text as another version.

use super::Definition;
use crate::diagnostic::{Diagnostics, Span};
use crate::source::{self, NodeKind};

/// The text of a definition with another `document.version`, and otherwise as it is written, comments included.
///
/// `None` if that cannot be done: the text has no version, or writes it in an unusual way (with escapes, over lines).
pub fn renumber(text: &str, version: &semver::Version) -> Option<String> {
    let root = source::read(text, &mut Diagnostics::default())?;
    let node = root.nearest("/document/version");
    let NodeKind::Text(old) = &node.kind else { return None };
    let start = offset(text, node.span)?;
    let quote = usize::from(text.get(start..)?.starts_with(['"', '\'']));
    let (before, rest) = text.split_at_checked(start + quote)?;
    let renumbered = format!("{before}{version}{}", rest.strip_prefix(old.as_str())?);
    (Definition::identify(&renumbered)?.version == *version).then_some(renumbered)
}

/// Where a place of the text begins, in bytes.
fn offset(text: &str, place: Span) -> Option<usize> {
    let line = text.split_inclusive('\n').nth(place.line.checked_sub(1)?)?;
    let before: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let within: usize = line.chars().take(place.column.checked_sub(1)?).map(char::len_utf8).sum();
    Some(before + within)
}

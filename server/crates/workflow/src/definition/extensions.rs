//! Decodes `use.extensions` (dsl-reference.md, "Extension").

use super::cursor::Cursor;
use super::model::Extension;
use super::parts::{Decoder, Place, Within};
use crate::source::escape_pointer;

/// What can be extended; `composite` is what everything else calls `do`.
const TARGETS: [&str; 12] =
    ["all", "call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait"];

impl Decoder<'_> {
    /// The extensions in their order. Their tasks are decoded once, and are themselves never extended.
    pub(super) fn extensions(&mut self, at: &Cursor<'_>) {
        for (position, item) in at.list(&mut self.diagnostics).iter().enumerate() {
            let Some(object) = item.open_object(&mut self.diagnostics) else { continue };
            let entries: Vec<(&str, Cursor<'_>)> = object.entries().collect();
            let [(name, extension)] = entries.as_slice() else {
                let message =
                    format!("expected exactly one extension per list item (`- name: …`), found {}", entries.len());
                item.report(&mut self.diagnostics, message);
                continue;
            };
            let reference = format!("/use/extensions/{position}/{}", escape_pointer(name));
            if let Some(extension) = self.extension(extension, name, reference) {
                self.extensions.push(extension);
            }
        }
    }

    fn extension(&mut self, at: &Cursor<'_>, name: &str, reference: String) -> Option<Extension> {
        let object = at.object(&mut self.diagnostics, &["extend", "when", "before", "after"])?;
        let target = object.require(&mut self.diagnostics, "extend")?;
        self.one_of(&target, &TARGETS);
        let target = match target.text(&mut self.diagnostics)? {
            "all" => None,
            "composite" => Some("do".to_owned()),
            kind => Some(kind.to_owned()),
        };
        self.within = Within::Extension;
        let when = object.get("when").and_then(|when| self.expression(&when, Place::Task));
        let mut list = |name: &str| object.get(name).map(|list| self.task_list(&list, &format!("{reference}/{name}")));
        let (before, after) = (list("before"), list("after"));
        self.within = Within::Workflow;
        Some(Extension { name: name.to_owned(), reference, target, when, before, after })
    }

    /// The positions of the extensions of a kind of task.
    pub(super) fn extensions_of(&self, kind: &str) -> Vec<usize> {
        if self.within != Within::Workflow {
            return Vec::new();
        }
        let extends = |extension: &Extension| extension.target.as_deref().is_none_or(|target| target == kind);
        self.extensions.iter().enumerate().filter(|(_, extension)| extends(extension)).map(|(at, _)| at).collect()
    }
}

//! Texts that stand elsewhere: functions of catalogs and of addresses, and schemas (dsl.md, "Catalogs", "External
//! Resources"). They are read when the definition is, so that a run depends on nothing that can change, and they are part
//! of the definition's digest.

use std::collections::BTreeMap;

use serde_json::Value;

use super::catalogue::ResourceResolver;
use super::cursor::Cursor;
use super::model::TaskIndex;
use super::parts::{Decoder, Within, is_uri};
use crate::diagnostic::{Diagnostics, suggestion};
use crate::expression::as_expression;
use crate::source::{self, Node, NodeKind, escape_pointer};

/// A catalog of `use.catalogs`.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    uri: String,
    authentication: Option<Value>,
}

/// The most texts that a definition may refer to: each may refer to others.
const MAX_RESOURCES: usize = 50;

/// The most that these may hold together, in bytes: they are kept with the definition.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Texts as they were when the definition was first read.
pub(super) struct Kept<'t>(pub(super) &'t BTreeMap<String, String>);

impl ResourceResolver for Kept<'_> {
    fn text(&self, uri: &str, _: Option<&Value>) -> Result<String, String> {
        let kept = self.0.get(uri).cloned();
        kept.ok_or_else(|| "this version was stored without it, and what a version refers to never changes".to_owned())
    }
}

/// The catalog that is there without being declared.
const DEFAULT: &str = "default";

impl Decoder<'_> {
    pub(super) fn catalog(&mut self, at: &Cursor<'_>) -> Option<Catalog> {
        let object = at.object(&mut self.diagnostics, &["endpoint"])?;
        let endpoint = object.require(&mut self.diagnostics, "endpoint")?;
        let (uri, authentication) = self.endpoint(&endpoint)?;
        Some(Catalog { uri, authentication })
    }

    /// An endpoint that is needed while the definition is read, so that nothing in its address may depend on a run.
    fn endpoint(&mut self, at: &Cursor<'_>) -> Option<(String, Option<Value>)> {
        let (uri, authentication) = if at.is_text() {
            (at.clone(), None)
        } else {
            let object = at.object(&mut self.diagnostics, &["uri", "authentication"])?;
            let authentication = object.get("authentication");
            let authentication = authentication.and_then(|policy| self.authentication(&policy, true));
            (object.require(&mut self.diagnostics, "uri")?, authentication)
        };
        let text = uri.text(&mut self.diagnostics)?;
        if !is_uri(text) || text.contains(['{', ' ']) {
            let message = format!("“{text}” is not an absolute URI that can be read before a run");
            uri.report(&mut self.diagnostics, message);
            return None;
        }
        if authentication.as_ref().is_some_and(has_expression) {
            let message = "what is read before a run has neither secrets nor anything else of a run: the authentication of this \
                           address cannot hold an expression or name a secret";
            at.report(&mut self.diagnostics, message);
            return None;
        }
        Some((text.to_owned(), authentication))
    }

    /// A function of a catalog (`name:version@catalog`) or at an address; `None` if it cannot be had, which is reported.
    pub(super) fn function_elsewhere(&mut self, function: &str, at: &Cursor<'_>) -> Option<TaskIndex> {
        let (uri, authentication) = if is_uri(function) {
            (raw(function), None)
        } else {
            let (name, catalog) = function.rsplit_once('@')?;
            let Some((name, version)) = name.split_once(':').filter(|(name, version)| plain(name) && plain(version))
            else {
                let message =
                    format!("“{function}” does not name a function of a catalog: expected name:version@catalog");
                at.report(&mut self.diagnostics, message);
                return None;
            };
            let (root, authentication) = self.catalog_named(catalog, at)?;
            (raw(&format!("{}/functions/{name}/{version}/function.yaml", root.trim_end_matches('/'))), authentication)
        };
        let node = self.read(&uri, authentication.as_ref(), at)?;
        let slot = self.reserve(at)?;
        // Known before it is read, so that one that calls itself is found.
        self.functions.insert(function.to_owned(), slot);
        let reference = format!("/use/functions/{}", escape_pointer(function));
        let outside = std::mem::take(&mut self.diagnostics);
        let locals = std::mem::take(&mut self.locals);
        let within = std::mem::replace(&mut self.within, Within::Workflow);
        self.function(&Cursor::root(&node), slot, function, &reference);
        self.locals = locals;
        self.within = within;
        let inside = std::mem::replace(&mut self.diagnostics, outside);
        for problem in inside.finish() {
            at.report(&mut self.diagnostics, format!("in {uri}:{problem}"));
        }
        Some(slot)
    }

    fn catalog_named(&mut self, name: &str, at: &Cursor<'_>) -> Option<(String, Option<Value>)> {
        if let Some(catalog) = self.catalogs.get(name) {
            return Some((catalog.uri.clone(), catalog.authentication.clone()));
        }
        if name == DEFAULT {
            return Some((format!("catalog://{DEFAULT}"), None));
        }
        let hint = suggestion(name, self.catalogs.keys().map(String::as_str).chain([DEFAULT]));
        at.report(&mut self.diagnostics, format!("there is no catalog “{name}” under `use.catalogs`{hint}"));
        None
    }

    /// `schema.resource`.
    pub(super) fn schema_elsewhere(&mut self, at: &Cursor<'_>) -> Option<Value> {
        let object = at.object(&mut self.diagnostics, &["name", "endpoint"])?;
        let endpoint = object.require(&mut self.diagnostics, "endpoint")?;
        let (uri, authentication) = self.endpoint(&endpoint)?;
        let uri = raw(&uri);
        match self.resources.get(&uri) {
            Some(known) => Some(known.clone()),
            None => Some(self.read(&uri, authentication.as_ref(), at)?.to_value()),
        }
    }

    /// Reads YAML or JSON that is elsewhere.
    fn read(&mut self, uri: &str, authentication: Option<&Value>, at: &Cursor<'_>) -> Option<Node> {
        let Some(resolver) = self.resolver else {
            let message = format!("{uri} cannot be read: definitions must be complete in this installation");
            at.report(&mut self.diagnostics, message);
            return None;
        };
        let text = match self.texts.get(uri) {
            Some(known) => known.clone(),
            None if self.texts.len() >= MAX_RESOURCES => {
                let message = format!("the definition refers to more than {MAX_RESOURCES} other texts");
                at.report(&mut self.diagnostics, message);
                return None;
            }
            None => match resolver.text(uri, authentication) {
                Ok(text) => text,
                Err(reason) => {
                    at.report(&mut self.diagnostics, format!("{uri} cannot be read: {reason}"));
                    return None;
                }
            },
        };
        self.texts.insert(uri.to_owned(), text.clone());
        if self.texts.values().map(String::len).sum::<usize>() > MAX_BYTES {
            let message = format!("with {uri}, the definition refers to texts of more than {} MiB", MAX_BYTES >> 20);
            at.report(&mut self.diagnostics, message);
            return None;
        }
        let mut inside = Diagnostics::default();
        let node = source::read(&text, &mut inside);
        for problem in inside.finish() {
            at.report(&mut self.diagnostics, format!("in {uri}:{problem}"));
        }
        let node = node?;
        self.resources.insert(uri.to_owned(), node.to_value());
        if !matches!(node.kind, NodeKind::Object(_)) {
            at.report(&mut self.diagnostics, format!("{uri} holds {}, not an object", node.describe()));
            return None;
        }
        Some(node)
    }
}

fn has_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => as_expression(text).is_some(),
        Value::Array(items) => items.iter().any(has_expression),
        Value::Object(members) => members.values().any(has_expression),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a part of a function's name is one step of a path.
fn plain(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\\', '?', '#', '%'])
}

/// Where a Git host has the text itself of what an address shows (dsl.md, "File Structure").
fn raw(uri: &str) -> String {
    if let Some(path) = uri.strip_prefix("https://github.com/") {
        let mut steps = path.splitn(5, '/');
        if let (Some(owner), Some(repository)) = (steps.next(), steps.next()) {
            let (branch, rest) = match (steps.next(), steps.next(), steps.next()) {
                (Some("tree" | "blob"), Some(branch), Some(rest)) => (branch, rest.to_owned()),
                (first, second, rest) => {
                    let rest: Vec<&str> = [first, second, rest].into_iter().flatten().collect();
                    ("main", rest.join("/"))
                }
            };
            return format!("https://raw.githubusercontent.com/{owner}/{repository}/refs/heads/{branch}/{rest}");
        }
    }
    if uri.starts_with("https://gitlab.com/") {
        return uri.replacen("/-/tree/", "/-/raw/", 1).replacen("/-/blob/", "/-/raw/", 1);
    }
    uri.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_git_host_shows_is_read_raw() {
        let function = "functions/log/1.0.0/function.yaml";
        let expected =
            format!("https://raw.githubusercontent.com/serverlessworkflow/catalog/refs/heads/main/{function}");
        for root in ["serverlessworkflow/catalog/tree/main", "serverlessworkflow/catalog"] {
            assert_eq!(raw(&format!("https://github.com/{root}/{function}")), expected);
        }
        assert_eq!(
            raw("https://gitlab.com/a/b/-/tree/main/functions/x/1/function.yaml"),
            "https://gitlab.com/a/b/-/raw/main/functions/x/1/function.yaml"
        );
        assert_eq!(raw("https://example.com/x"), "https://example.com/x");
    }
}

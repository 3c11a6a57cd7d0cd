//! What becomes of an object, as the service says by its headers alone.

use domain::view::{CallPlan, PlannedField};
use workflow::{RunError, StandardError};

use super::{answer::etag, operation::Operation};
use crate::{Failure, http::plain::Answered};

/// What is there of an object.
#[derive(Clone, Default)]
pub(super) struct Known {
    size: Option<String>,
    etag: Option<String>,
    content_type: Option<String>,
    modified: Option<String>,
    version: Option<String>,
}

impl Known {
    /// As the headers of an answer say.
    pub(super) fn of(answer: &Answered) -> Self {
        let header = |name: &str| answer.header(name).map(str::to_owned);
        Self {
            size: header("content-length"),
            etag: etag(answer).map(str::to_owned),
            content_type: header("content-type"),
            modified: header("last-modified"),
            version: header("x-amz-version-id").filter(|version| version != "null"),
        }
    }

    fn shown(&self) -> String {
        let etag = self.etag.as_deref().unwrap_or("unknown");
        let modified = self.modified.as_deref().unwrap_or("unknown");
        format!("etag {etag}, last changed {modified}")
    }

    /// That a version of it stays, where the bucket keeps versions.
    fn kept(&self) -> String {
        self.version.as_ref().map(|version| format!("; its version {version} is kept")).unwrap_or_default()
    }
}

fn fields(before: Option<&Known>, after: Option<&Known>) -> Vec<PlannedField> {
    let part = |name: &str, of: fn(&Known) -> Option<String>| {
        let (before, after) = (before.and_then(of), after.and_then(of));
        (before != after).then(|| PlannedField::new(name, before, after))
    };
    [part("size", |known| known.size.clone()), part("contentType", |known| known.content_type.clone())]
        .into_iter()
        .flatten()
        .collect()
}

/// What would be put.
pub(super) fn put(operation: &Operation, there: Option<&Known>, headers: &[(String, String)], size: usize) -> CallPlan {
    let what = operation.object();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    if let (Some(_), Some(known)) = (header("if-none-match"), there) {
        return CallPlan::fails(format!("would fail: there is an object {what} already ({})", known.shown()));
    }
    if let Some(wanted) = header("if-match") {
        let found = there.and_then(|known| known.etag.as_deref());
        if found != Some(wanted.trim_matches('"')) {
            let words = there.map_or_else(|| "there is none".to_owned(), Known::shown);
            return CallPlan::fails(format!("would fail: the object {what} is not the one with this etag: {words}"));
        }
    }
    let after = Known { size: Some(size.to_string()), content_type: header("content-type"), ..Known::default() };
    let words = there.map_or_else(
        || format!("there is no object {what} yet, and it comes to be"),
        |known| format!("replaces the object {what} ({}){}", known.shown(), known.kept()),
    );
    CallPlan::changes(words).with_fields(fields(there, Some(&after)))
}

/// What would be copied over it; `source` is none where there is nothing to copy.
pub(super) fn copy(operation: &Operation, there: Option<&Known>, source: Option<&Known>) -> Result<CallPlan, Failure> {
    let what = operation.object();
    let Some(source) = source else {
        return Err(Failure::refused(404, "there is no object to be copied; compare bucket and key of `from`"));
    };
    if there.is_some_and(|known| known.etag.is_some() && known.etag == source.etag) {
        return Ok(CallPlan::nothing(format!("the object {what} has the same content already")));
    }
    let words = there.map_or_else(
        || format!("there is no object {what} yet, and it comes to be"),
        |known| format!("replaces the object {what} ({}){}", known.shown(), known.kept()),
    );
    Ok(CallPlan::changes(words).with_fields(fields(there, Some(source))))
}

/// What would be gone.
pub(super) fn delete(operation: &Operation, there: Option<&Known>) -> CallPlan {
    let what = operation.object();
    let Some(known) = there else { return CallPlan::nothing(format!("there is no object {what}")) };
    let kept = if matches!(operation, Operation::DeleteObject { version_id: None, .. }) {
        known.kept()
    } else {
        String::new()
    };
    CallPlan::changes(format!("deletes the object {what} ({}){kept}", known.shown())).with_fields(fields(there, None))
}

/// The bucket is not there, so that nothing can be done in it.
pub(super) fn no_bucket(bucket: &str) -> Failure {
    Failure::permanent(RunError::communication(404, format!("there is no bucket {bucket}; compare its name")))
}

/// An answer without a body says no more than its status.
pub(super) fn unreadable(what: &str, status: u16) -> Failure {
    let words = format!("the service answered the question for {what} with status {status}");
    match status {
        401 | 403 => Failure::permanent(RunError::new(
            StandardError::Authorization,
            format!("{words}; the connection's keys need the right to read it for this"),
        )),
        _ => Failure::refused(502, words),
    }
}

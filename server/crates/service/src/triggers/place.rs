//! Where triggers look that nobody calls: what is typed of that, what is kept, and what is shown.

use std::{ops::RangeInclusive, sync::Arc};

use connectors::StoredConnections;
use domain::{
    FieldError, FileEnd, Name, Problem, Timestamp, TriggerId, TriggerKind,
    view::{FilesView, LooksView, WatchView},
};
use serde_json::{Value, json};
use store::watches::Watch;

use crate::{
    Gate, Service,
    people::{all_right, field},
    problems::{OrProblem as _, internal},
};

/// Seconds between two looks.
const PAUSE: RangeInclusive<u32> = 10..=86_400;
/// The longest name of a connection.
const CONNECTION: usize = 200;
/// The longest prefix or pattern.
const TEXT: usize = 512;

/// The kind of connection over which triggers of a kind look.
pub(super) const fn connection_kind(kind: TriggerKind) -> Option<&'static str> {
    match kind {
        TriggerKind::FileDrop => Some("s3"),
        TriggerKind::Webhook
        | TriggerKind::Github
        | TriggerKind::Gitlab
        | TriggerKind::Alertmanager
        | TriggerKind::Grafana => None,
    }
}

/// What was typed of where a trigger looks; what is not said stays as it is.
pub(super) fn checked(
    kind: TriggerKind,
    typed: Option<&WatchView>,
    known: Option<&WatchView>,
    errors: &mut Vec<FieldError>,
) -> Option<WatchView> {
    let mut wrong = |pointer: &str, keyword: &str, message: &str| {
        errors.push(field(pointer, keyword, Value::Null, message));
    };
    if !kind.looks() {
        if typed.is_some() {
            wrong("/watch", "kind", "a trigger of this kind is called, and looks nowhere; leave this out");
        }
        return None;
    }
    let Some(watch) = typed.or(known) else {
        wrong("/watch", "required", "say where the trigger looks");
        return None;
    };
    let mut watch = watch.clone();
    watch.connection = watch.connection.trim().to_owned();
    if watch.connection.is_empty() || watch.connection.len() > CONNECTION {
        wrong("/watch/connection", "required", "name the connection over which the trigger looks");
    }
    if !PAUSE.contains(&watch.every_seconds) {
        wrong("/watch/everySeconds", "minimum", "the trigger looks every 10 to 86,400 seconds");
    }
    match &watch.files {
        None => wrong("/watch/files", "required", "say which files the trigger looks for"),
        Some(files) => check_files(files, &mut wrong),
    }
    Some(watch)
}

fn check_files(files: &FilesView, wrong: &mut impl FnMut(&str, &str, &str)) {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    if !(3..=63).contains(&files.bucket.len()) || !files.bucket.bytes().all(fits) {
        let message = "a bucket has a name of 3 to 63 small letters, digits, full stops and hyphens";
        wrong("/watch/files/bucket", "pattern", message);
    }
    let texts = [("prefix", &files.prefix), ("pattern", &files.pattern), ("movedTo", &files.moved_to)];
    for (name, text) in texts {
        if text.len() > TEXT || text.chars().any(char::is_control) {
            wrong(&format!("/watch/files/{name}"), "maxLength", "this has at most 512 printable characters");
        }
    }
    let FilesView { prefix, moved_to, .. } = files;
    if files.end != FileEnd::Move {
        return;
    }
    if moved_to.is_empty() {
        wrong("/watch/files/movedTo", "required", "say under which prefix files go once they are delivered");
    } else if moved_to.starts_with(prefix.as_str()) || prefix.starts_with(moved_to.as_str()) {
        let message = "files that go there would be found and delivered again; choose two prefixes of which neither begins \
                       with the other, such as incoming/ and done/";
        wrong("/watch/files/movedTo", "not", message);
    }
}

/// As it is kept.
pub(super) fn row(trigger: TriggerId, watch: &WatchView, now: Timestamp) -> Watch {
    Watch {
        trigger,
        connection: watch.connection.clone(),
        place: watch.files.as_ref().map(|files| json!(files)).unwrap_or_default().to_string(),
        pause: watch.every_seconds,
        due_at: now,
        progress: None,
        looked_at: None,
        trouble: None,
    }
}

/// As it is shown.
pub(super) fn views(row: Watch) -> Result<(WatchView, LooksView), Problem> {
    let files = serde_json::from_str(&row.place);
    let files = files.map_err(|cause| internal("where a trigger looks cannot be read", &cause))?;
    let (failing_since, trouble) = row.trouble.unzip();
    Ok((
        WatchView { connection: row.connection, every_seconds: row.pause, files: Some(files) },
        LooksView { looked_at: row.looked_at, failing_since, trouble },
    ))
}

/// What of it says where things come from: with another one, it begins anew.
pub(super) fn is_elsewhere(one: &Watch, other: &Watch) -> bool {
    let scope = |row: &Watch| {
        let files = serde_json::from_str::<FilesView>(&row.place).ok();
        (row.connection.clone(), files.map(|files| (files.bucket, files.prefix, files.pattern)))
    };
    scope(one) != scope(other)
}

impl Service {
    /// The connections that administrators have configured.
    pub(super) fn stored_connections(&self) -> StoredConnections {
        StoredConnections { store: Arc::clone(&self.parts.store), vault: Arc::clone(&self.parts.vault) }
    }
}

/// Refuses a connection that is not there, is of another kind, or not for the namespace.
pub(super) async fn check_connection(
    gate: &mut Gate<'_>,
    kind: TriggerKind,
    namespace: &Name,
    watch: &WatchView,
) -> Result<(), Problem> {
    let Some(kind) = connection_kind(kind) else { return Ok(()) };
    let row = gate.unit.connection_by_name(&watch.connection).await.or_problem()?;
    let message = match row {
        None => format!("there is no connection of this name; an administrator can add one of kind {kind}"),
        Some(row) if row.kind != kind => format!("this connection is of kind {}, and {kind} is needed", row.kind),
        Some(row) if !connectors::may_use(&row.namespaces, namespace) => {
            format!("the namespace {namespace} may not use this connection; an administrator can permit it")
        }
        Some(_) => return Ok(()),
    };
    all_right(vec![field("/watch/connection", "connection", Value::Null, &message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(prefix: &str, end: FileEnd, moved_to: &str) -> WatchView {
        WatchView {
            connection: "storage".to_owned(),
            every_seconds: 60,
            files: Some(FilesView {
                bucket: "incoming".to_owned(),
                prefix: prefix.to_owned(),
                pattern: String::new(),
                content: false,
                end,
                moved_to: moved_to.to_owned(),
            }),
        }
    }

    fn wrong(kind: TriggerKind, typed: Option<&WatchView>) -> Vec<String> {
        let mut errors = Vec::new();
        checked(kind, typed, None, &mut errors);
        errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn only_those_look_that_nobody_calls() {
        let right = files("", FileEnd::Leave, "");
        assert!(wrong(TriggerKind::FileDrop, Some(&right)).is_empty());
        assert_eq!(wrong(TriggerKind::Github, Some(&right)), ["/watch"]);
        assert_eq!(wrong(TriggerKind::FileDrop, None), ["/watch"]);
        let odd = WatchView { connection: " ".to_owned(), every_seconds: 9, files: None };
        let pointers = ["/watch/connection", "/watch/everySeconds", "/watch/files"];
        assert_eq!(wrong(TriggerKind::FileDrop, Some(&odd)), pointers);
    }

    #[test]
    fn what_is_moved_is_not_found_again() {
        for (prefix, moved_to) in [("incoming/", "done/"), ("a/in/", "a/done/")] {
            assert!(wrong(TriggerKind::FileDrop, Some(&files(prefix, FileEnd::Move, moved_to))).is_empty());
        }
        for (prefix, moved_to) in [("", "done/"), ("in/", ""), ("in/", "in/done/"), ("a/b/", "a/"), ("in/", "in/")] {
            let pointers = wrong(TriggerKind::FileDrop, Some(&files(prefix, FileEnd::Move, moved_to)));
            assert_eq!(pointers, ["/watch/files/movedTo"], "{prefix} {moved_to}");
        }
    }

    #[test]
    fn another_place_is_told_from_another_way_with_the_same() {
        let id = TriggerId::new(&testkit::CountedIds::default());
        let now = Timestamp::from_micros(0);
        let row = |watch: &WatchView| row(id, watch, now);
        let here = files("in/", FileEnd::Leave, "");
        let kept = files("in/", FileEnd::Move, "done/");
        assert!(!is_elsewhere(&row(&here), &row(&kept)));
        assert!(is_elsewhere(&row(&here), &row(&files("out/", FileEnd::Leave, ""))));
        let by_other = WatchView { connection: "other".to_owned(), ..here.clone() };
        assert!(is_elsewhere(&row(&here), &row(&by_other)));
    }
}

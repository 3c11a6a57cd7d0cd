//! Where triggers look that nobody calls: what is typed of that, what is kept, and what is shown.

use std::{ops::RangeInclusive, sync::Arc};

use connectors::StoredConnections;
use domain::{
    FieldError, FileEnd, MailEnd, Name, Problem, Timestamp, TriggerId, TriggerKind,
    view::{FilesView, LooksView, MailsView, WatchView},
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
/// The longest name of a folder, and address of a sender.
const FOLDER: usize = 200;
const SENDER: usize = 320;
/// The most senders.
const SENDERS: usize = 100;
/// The longest prefix or pattern.
const TEXT: usize = 512;

/// The kind of connection over which triggers of a kind look.
pub(super) const fn connection_kind(kind: TriggerKind) -> Option<&'static str> {
    match kind {
        TriggerKind::FileDrop => Some("s3"),
        TriggerKind::Mailbox => Some("imap"),
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
    let (files, mails) = (watch.files.as_ref(), watch.mails.as_ref());
    match kind {
        TriggerKind::Mailbox => match mails {
            None => wrong("/watch/mails", "required", "say which mails the trigger looks for"),
            Some(mails) => check_mails(mails, &mut wrong),
        },
        _ => match files {
            None => wrong("/watch/files", "required", "say which files the trigger looks for"),
            Some(files) => check_files(files, &mut wrong),
        },
    }
    if kind == TriggerKind::Mailbox && files.is_some() {
        wrong("/watch/files", "kind", "a trigger of this kind looks for mails; leave this out");
    }
    if kind == TriggerKind::FileDrop && mails.is_some() {
        wrong("/watch/mails", "kind", "a trigger of this kind looks for files; leave this out");
    }
    Some(watch)
}

fn check_mails(mails: &MailsView, wrong: &mut impl FnMut(&str, &str, &str)) {
    let fits = |text: &str| (1..=FOLDER).contains(&text.len()) && !text.chars().any(char::is_control);
    if !fits(&mails.folder) {
        wrong("/watch/mails/folder", "required", "name a folder of the mailbox, such as INBOX");
    }
    let is_sender = |text: &String| {
        let (user, host) = text.split_once('@').unwrap_or_default();
        let plain = |part: &str| !part.chars().any(|letter| letter.is_whitespace() || letter.is_control());
        text.len() <= SENDER && !host.is_empty() && !host.contains('@') && plain(user) && plain(host)
    };
    if mails.senders.is_empty() || mails.senders.len() > SENDERS || !mails.senders.iter().all(is_sender) {
        let message = "name 1 to 100 senders whose mails launch runs: addresses, or @ and a host for all of it";
        wrong("/watch/mails/senders", "minItems", message);
    }
    if mails.subject.len() > TEXT || mails.subject.chars().any(char::is_control) {
        wrong("/watch/mails/subject", "maxLength", "this has at most 512 printable characters");
    }
    if mails.end == MailEnd::Move && (!fits(&mails.moved_to) || mails.moved_to == mails.folder) {
        let message = "name another folder of the mailbox, to which mails go once they are delivered";
        wrong("/watch/mails/movedTo", "required", message);
    }
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
        place: place(watch).to_string(),
        pause: watch.every_seconds,
        due_at: now,
        progress: None,
        looked_at: None,
        trouble: None,
    }
}

/// What it looks at over its connection.
fn place(watch: &WatchView) -> Value {
    match (&watch.files, &watch.mails) {
        (Some(files), _) => json!(files),
        (None, Some(mails)) => json!(mails),
        (None, None) => Value::Null,
    }
}

/// As it is shown.
pub(super) fn views(kind: TriggerKind, row: Watch) -> Result<(WatchView, LooksView), Problem> {
    let unread = |cause: serde_json::Error| internal("where a trigger looks cannot be read", &cause);
    let (mut files, mut mails) = (None, None);
    if kind == TriggerKind::Mailbox {
        mails = Some(serde_json::from_str(&row.place).map_err(unread)?);
    } else {
        files = Some(serde_json::from_str(&row.place).map_err(unread)?);
    }
    let (failing_since, trouble) = row.trouble.unzip();
    Ok((
        WatchView { connection: row.connection, every_seconds: row.pause, files, mails },
        LooksView { looked_at: row.looked_at, failing_since, trouble },
    ))
}

/// What of it says where things come from: with another one, it begins anew.
pub(super) fn is_elsewhere(one: &Watch, other: &Watch) -> bool {
    let scope = |row: &Watch| {
        let files = serde_json::from_str::<FilesView>(&row.place).ok();
        let mails = serde_json::from_str::<MailsView>(&row.place).ok();
        let files = files.map(|files| (files.bucket, files.prefix, files.pattern));
        (row.connection.clone(), files, mails.map(|mails| mails.folder))
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
            mails: None,
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
        let odd = WatchView { connection: " ".to_owned(), every_seconds: 9, files: None, mails: None };
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
    fn mails_come_from_senders_that_are_named() {
        let mails = |senders: &[&str], end, moved_to: &str| WatchView {
            files: None,
            mails: Some(MailsView {
                folder: "INBOX".to_owned(),
                senders: senders.iter().map(|one| (*one).to_owned()).collect(),
                subject: String::new(),
                end,
                moved_to: moved_to.to_owned(),
            }),
            ..files("", FileEnd::Leave, "")
        };
        let right = mails(&["a@b.test", "@desk.test"], MailEnd::Move, "Done");
        assert!(wrong(TriggerKind::Mailbox, Some(&right)).is_empty());
        assert_eq!(wrong(TriggerKind::FileDrop, Some(&right)), ["/watch/files", "/watch/mails"]);
        for none in [&[][..], &["desk.test"], &["a@"], &["a b@c.test"], &["a@b@c"]] {
            assert_eq!(wrong(TriggerKind::Mailbox, Some(&mails(none, MailEnd::Seen, ""))), ["/watch/mails/senders"]);
        }
        for folder in ["", "INBOX"] {
            let pointers = wrong(TriggerKind::Mailbox, Some(&mails(&["a@b.test"], MailEnd::Move, folder)));
            assert_eq!(pointers, ["/watch/mails/movedTo"]);
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

//! Entries of the audit log that are older than their time: how they are archived, what holds them, what is proved of them then.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use audit::class_of;
use domain::{
    AuditClass, DecisionKind, ErrorCode,
    view::{AuditFilter, HoldCovers, ValueQuery},
};
use ledger::{
    evidence,
    verify::{Outside, Segments, What, verify_with},
};
use service::{Anchor as _, Archive, Archived, Keep, NewHold, NewUser, Pack, ReportLanguage, Retention, read_pack};
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use store::receivers::Reached;
use testkit::ManualClock;
use tokio::sync::oneshot;

use crate::{
    ledger::{Raw, exported, fault},
    office::Office,
    postgres::on_postgres_by,
};

const DAY: Duration = Duration::from_hours(24);

/// Whether a file holds what names people in the entries of a segment.
fn stands_beside(name: &str) -> bool {
    name.ends_with(".names.jsonl")
}

/// Keeps segments in memory.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    trouble: Mutex<Option<Trouble>>,
    meanwhile: Mutex<Option<Meanwhile>>,
}

/// What happens while a segment is written: whoever writes says so, and goes on when told.
#[derive(Debug)]
struct Meanwhile {
    writes: oneshot::Sender<()>,
    goes_on: oneshot::Receiver<()>,
}

/// What goes wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing can be written.
    Closed,
    /// The server stops as soon as something is written.
    StopsAfterWriting,
    /// What is written is not what is there.
    Garbles,
}

impl Shelf {
    /// The segments.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut segments = self.all();
        segments.retain(|name, _| !stands_beside(name));
        segments
    }

    /// What names people in the entries of all segments.
    fn names(&self) -> String {
        let names = self.all().into_iter().filter(|(name, _)| stands_beside(name));
        names.map(|(_, file)| String::from_utf8(file).unwrap()).collect()
    }

    /// Segments, and what stands beside them.
    fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn suffer(&self, trouble: Option<Trouble>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Archive for Shelf {
    fn folder(&self) -> String {
        "/shelf".to_owned()
    }

    fn prepare(&self) -> io::Result<()> {
        if self.trouble() == Some(Trouble::Closed) { Err(io::Error::other("read-only")) } else { Ok(()) }
    }

    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let found = self.all().get(name).cloned();
        match found {
            Some(_) if self.trouble() == Some(Trouble::StopsAfterWriting) => Err(io::Error::other("stopped")),
            found => Ok(found),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        if let Some(Meanwhile { writes, goes_on }) = self.meanwhile.lock().unwrap().take() {
            writes.send(()).unwrap();
            goes_on.blocking_recv().unwrap();
        }
        let mut kept = bytes.to_vec();
        if self.trouble() == Some(Trouble::Garbles) {
            let middle = kept.len() / 2;
            kept[middle] ^= 1;
        }
        let before = self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), kept);
        assert!(before.is_none() || stands_beside(name), "{name} was written over");
        Ok(())
    }
}

/// For how long entries are kept in an office.
pub(crate) fn times() -> Retention {
    let keep = |days: u64| Keep { time: DAY * u32::try_from(days).unwrap(), text: format!("P{days}D") };
    Retention(BTreeMap::from([(AuditClass::Reading, keep(30)), (AuditClass::Change, keep(60))]))
}

/// A hold on the whole log.
pub(crate) fn hold(name: &str) -> NewHold {
    NewHold { name: name.to_owned(), reason: "asked for by the court".to_owned(), covers: HoldCovers::default() }
}

/// The log is read so many times.
async fn read(office: &Office, times: usize) {
    let auditor = office.caller("auditor").await;
    for _ in 0..times {
        office.service.audit(&auditor, AuditFilter::default(), None, None).await.unwrap();
    }
}

/// The receiver has the whole log.
async fn deliver(office: &Office) {
    let end = office.audit_end().await;
    let mut unit = office.store.begin().await.unwrap();
    unit.insert_receiver("siem", Reached::default()).await.unwrap();
    let (now, until) = (office.now(), office.now() + DAY);
    assert!(unit.take_receiver("siem", "node", now, until).await.unwrap());
    let reached = Reached { entries: end, checkpoint: None };
    assert!(unit.note_delivery("siem", "node", reached, now, until).await.unwrap());
    unit.commit().await.unwrap();
}

async fn archive(office: &Office) -> Archived {
    office.service.archive_audit("node").await.unwrap()
}

async fn on_sqlite(test: impl AsyncFnOnce(&Office, &ManualClock, Raw)) {
    let clock = Arc::new(ManualClock::default());
    let office = Office::open_by(Arc::<ManualClock>::clone(&clock), None).await;
    let file = format!("sqlite:{}", office.data().join("rondo.sqlite").display());
    let raw = Raw::Sqlite(SqliteConnection::connect(&file).await.unwrap());
    test(&office, &clock, raw).await;
    office.stop().await;
}

async fn on_postgres(of: &str, test: impl AsyncFnOnce(&Office, &ManualClock, Raw)) {
    let clock = Arc::new(ManualClock::default());
    on_postgres_by(of, Arc::<ManualClock>::clone(&clock), async |office, url| {
        let raw = Raw::Postgres(PgConnection::connect(url).await.unwrap());
        test(office, &clock, raw).await;
    })
    .await;
}

#[tokio::test]
async fn old_entries_are_archived_and_stay_proved_on_sqlite() {
    on_sqlite(async |office, clock, _| old_entries_are_archived_and_stay_proved(office, clock).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_entries_are_archived_and_stay_proved_on_postgres() {
    on_postgres("retention", async |office, clock, _| old_entries_are_archived_and_stay_proved(office, clock).await)
        .await;
}

/// The places of readings.
async fn readings(office: &Office) -> Vec<i64> {
    let rows = office.audit_after(0).await;
    let is_reading = |action: &str, outcome: &str| class_of(action, outcome) == Some(AuditClass::Reading);
    rows.iter().filter(|row| is_reading(&row.action, &row.outcome)).map(|row| row.seq).collect()
}

async fn old_entries_are_archived_and_stay_proved(office: &Office, clock: &ManualClock) {
    read(office, 5).await;
    office.service.sign_audit().await;
    let kept = office.drawer.kept().unwrap().unwrap();
    let old = readings(office).await;
    assert_eq!(archive(office).await, Archived::Entries(0), "nothing is old yet");
    clock.advance(DAY * 32);
    read(office, 2).await;
    assert_eq!(archive(office).await, Archived::Entries(0), "the receiver has nothing yet");
    let auditor = office.caller("auditor").await;
    let retention = office.service.audit_retention(&auditor).await.unwrap();
    let waiting: Vec<_> = retention.classes.iter().map(|class| (class.class, class.waiting)).collect();
    assert_eq!(waiting[0], (AuditClass::Reading, old.len() as u64));
    assert_eq!((retention.classes[0].keep.as_deref(), retention.classes[1].keep.as_deref()), (Some("P30D"), None));
    deliver(office).await;
    let before = exported(office).await;
    assert_eq!(archive(office).await, Archived::Entries(old.len() as u64));
    assert_eq!(archive(office).await, Archived::Entries(0), "nothing is done twice");

    let segments = office.service.audit_segments(&auditor, None, None).await.unwrap().items;
    let files = office.shelf.files();
    assert_eq!((segments.len(), files.len()), (1, 1));
    let (name, bytes) = files.first_key_value().unwrap();
    assert_eq!((segments[0].name.as_str(), segments[0].bytes), (name.as_str(), bytes.len() as u64));
    let Pack { manifest, proofs, .. } = read_pack(bytes.as_slice()).unwrap();
    let outside = Outside { key: None, checkpoints: vec![] };
    let proved = evidence::verify(manifest.as_bytes(), &proofs, &outside).unwrap();
    let places: Vec<_> = proved.hashes.keys().map(|place| i64::try_from(*place).unwrap()).collect();
    assert_eq!(places, old);

    for seq in &old {
        let row = office.store.snapshot().await.unwrap().audit_entry(*seq).await.unwrap().unwrap();
        assert_eq!((row.body.as_str(), row.actor.as_str(), row.segment.as_ref()), ("", "", Some(name)));
        let problem = office.service.audit_proof(&auditor, *seq).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::EntryArchived);
        assert!(problem.detail.contains(name.as_str()));
    }
    let verdict = office.service.verify_audit(&auditor).await.unwrap();
    assert_eq!((verdict.fault, verdict.archived), (None, old.len() as u64));
    let last = *old.last().unwrap();
    let listed = async |filter: AuditFilter| {
        let page = office.service.audit(&auditor, AuditFilter { last: Some(last), ..filter }, None, Some(200)).await;
        page.unwrap().items
    };
    let by_time = listed(AuditFilter::default()).await;
    assert_eq!((by_time[0].seq, by_time[0].archived.as_ref()), (last, Some(name)));
    assert_eq!(by_time[0].hash, ledger::tree::text(&proved.hashes[&u64::try_from(last).unwrap()]));
    for filter in [
        AuditFilter { action: Some("audit.read".to_owned()), ..AuditFilter::default() },
        AuditFilter { outcome: Some("done".to_owned()), ..AuditFilter::default() },
        AuditFilter { text: Some("auditor".to_owned()), ..AuditFilter::default() },
        AuditFilter { policy: Some("auditors-read-the-audit-log".to_owned()), ..AuditFilter::default() },
    ] {
        let found = listed(filter.clone()).await;
        assert!(found.iter().all(|entry| !old.contains(&entry.seq)), "{filter:?}");
    }

    exports_are_verified_with_and_without_the_archive(office, (&before, &kept), (name, &proved)).await;
}

async fn exports_are_verified_with_and_without_the_archive(
    office: &Office,
    (before, kept): (&str, &str),
    (name, proved): (&str, &evidence::Proved),
) {
    let after = exported(office).await;
    let outside = Outside { key: proved.key.clone(), checkpoints: vec![kept.to_owned()] };
    let count = proved.hashes.len() as u64;
    let judge = |file: &str, segments: &Segments| verify_with(file.as_bytes(), &outside, segments).unwrap();
    let sound = judge(before, &Segments::new());
    assert_eq!((sound.fault, sound.archived, sound.unseen), (None, 0, 0));
    let without = judge(&after, &Segments::new());
    assert_eq!((&without.fault, without.archived, without.unseen), (&None, count, count));
    let mut segments = Segments::from([(name.to_owned(), proved.hashes.clone())]);
    let with = judge(&after, &segments);
    assert_eq!((&with.fault, with.archived, with.unseen), (&None, count, 0));
    assert_eq!((with.root, with.completeness), (without.root, without.completeness));
    let lines: Vec<_> = after.lines().filter(|line| line.starts_with("{\"archived\"")).collect();
    assert_eq!(lines.len() as u64, count);
    proved_elsewhere(office, (&after, count), kept, name);
    let moved = after.replacen(lines[0], lines[1], 1);
    assert!(judge(&moved, &Segments::new()).fault.is_some());
    segments.get_mut(name).unwrap().pop_first();
    let fault = judge(&after, &segments).fault.unwrap();
    assert_eq!(fault.what, What::OtherSegment(name.to_owned()));
}

/// What a verifier says of the export and the segment that was written from the documents alone.
fn proved_elsewhere(office: &Office, (export, count): (&str, u64), kept: &str, name: &str) {
    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/verify_export.py");
    let file = |name: &str, content: &[u8]| {
        let path = office.data().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let segment = office.shelf.files().remove(name).unwrap();
    let mut altered = segment.clone();
    let entry = segment.windows(6).position(|text| text == b"audit.").unwrap();
    altered[entry] = b'b';
    let export = file("export.jsonl", export.as_bytes());
    let said = |segments: &[&std::path::Path]| {
        let mut verifier = std::process::Command::new("python3");
        verifier.arg(SCRIPT).arg(&export).arg("--checkpoint").arg(file("kept", kept.as_bytes()));
        for segment in segments {
            verifier.arg("--archive").arg(segment);
        }
        let output = verifier.output().unwrap();
        (output.status.code(), format!("{output:?}"))
    };
    let (code, words) = said(&[]);
    assert!(code == Some(0) && words.contains(&format!("archived: {count} were not seen")), "{words}");
    let (code, words) = said(&[file(name, &segment).as_path()]);
    assert!(code == Some(0) && words.contains("hold every one of them"), "{words}");
    let (code, words) = said(&[file(name, &altered).as_path()]);
    assert!(code == Some(1) && words.contains("integrity: broken"), "{words}");
}

#[tokio::test]
async fn whatever_stops_it_nothing_is_lost_and_nothing_done_twice() {
    on_sqlite(async |office, clock, _| {
        read(office, 4).await;
        let old = readings(office).await;
        clock.advance(DAY * 32);
        deliver(office).await;
        let auditor = office.caller("auditor").await;
        office.shelf.suffer(Some(Trouble::Closed));
        assert_eq!(archive(office).await, Archived::Failed);
        let told = office.service.audit_retention(&auditor).await.unwrap();
        assert!(told.failing_since.is_some() && told.failure.unwrap().contains("read-only"));

        // A file that is not what was written is left alone, and nothing is taken away.
        office.shelf.suffer(Some(Trouble::Garbles));
        assert_eq!(archive(office).await, Archived::Failed);
        assert_eq!(office.shelf.files().len(), 1);
        // It stops between the writing and the emptying.
        office.shelf.suffer(Some(Trouble::StopsAfterWriting));
        assert_eq!(archive(office).await, Archived::Failed);
        let rows = office.audit_after(0).await;
        assert!(rows.iter().all(|row| row.segment.is_none() && !row.body.is_empty()));
        assert!(office.service.audit_segments(&auditor, None, None).await.unwrap().items.is_empty());

        office.shelf.suffer(None);
        // The garbled one keeps its name; the one after it was written whole before it stopped, or is written now.
        assert_eq!(archive(office).await, Archived::Entries(old.len() as u64));
        let files = office.shelf.files();
        let segments = office.service.audit_segments(&auditor, None, None).await.unwrap().items;
        assert_eq!((segments.len(), files.len()), (1, 2));
        assert!(segments[0].name.ends_with("-2.tar"), "{}", segments[0].name);
        let told = office.service.audit_retention(&auditor).await.unwrap();
        assert_eq!((told.failing_since, told.failure), (None, None));
        assert_eq!(archive(office).await, Archived::Entries(0));
        assert_eq!(fault(office).await, "");
    })
    .await;
}

#[tokio::test]
async fn a_segment_that_a_stop_has_left_is_taken_as_it_is() {
    on_sqlite(async |office, clock, _| {
        read(office, 4).await;
        clock.advance(DAY * 32);
        deliver(office).await;
        // The whole file is there; the server stopped before it was read back.
        office.shelf.suffer(Some(Trouble::StopsAfterWriting));
        assert_eq!(archive(office).await, Archived::Failed);
        let left = office.shelf.files();
        assert_eq!(left.len(), 1);
        office.shelf.suffer(None);
        read(office, 1).await;
        assert!(matches!(archive(office).await, Archived::Entries(4..)));
        assert_eq!(office.shelf.files(), left, "no other file was written");
        assert_eq!(fault(office).await, "");
    })
    .await;
}

#[tokio::test]
async fn one_node_archives_at_a_time() {
    on_sqlite(async |office, clock, _| {
        read(office, 1).await;
        clock.advance(DAY * 32);
        deliver(office).await;
        let mut unit = office.store.begin().await.unwrap();
        assert!(unit.take_archiving("another", office.now(), office.now() + DAY).await.unwrap());
        unit.commit().await.unwrap();
        assert_eq!(archive(office).await, Archived::Elsewhere);
        assert!(office.shelf.files().is_empty());
        clock.advance(DAY * 2);
        assert!(matches!(archive(office).await, Archived::Entries(1..)));
    })
    .await;
}

#[tokio::test]
async fn what_is_held_stays_until_it_is_released_on_sqlite() {
    on_sqlite(async |office, clock, _| what_is_held_stays_until_it_is_released(office, clock).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_stays_until_it_is_released_on_postgres() {
    on_postgres("holds", async |office, clock, _| what_is_held_stays_until_it_is_released(office, clock).await).await;
}

async fn what_is_held_stays_until_it_is_released(office: &Office, clock: &ManualClock) {
    read(office, 3).await;
    clock.advance(DAY * 32);
    deliver(office).await;
    let (admin, auditor) = (office.caller("admin").await, office.caller("auditor").await);
    let of = |covers| NewHold { covers, ..hold("case 17") };
    let nobody = of(HoldCovers { person: Some("nobody-here".to_owned()), ..HoldCovers::default() });
    let problem = office.service.place_audit_hold(&admin, nobody).await.unwrap_err();
    assert_eq!((problem.code, problem.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/covers/person"));
    let half = of(HoldCovers { resource_kind: Some("run".to_owned()), ..HoldCovers::default() });
    let problem = office.service.place_audit_hold(&admin, half).await.unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/covers/resourceId");
    let unnamed = office.service.place_audit_hold(&admin, NewHold { name: " ".to_owned(), ..hold("") }).await;
    assert_eq!(unnamed.unwrap_err().errors[0].pointer, "/name");
    let refused = office.service.place_audit_hold(&auditor, hold("mine")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden);

    let covers = HoldCovers { person: Some("auditor".to_owned()), ..HoldCovers::default() };
    let placed = office.service.place_audit_hold(&admin, of(covers)).await.unwrap();
    let seen = office.service.audit_holds(&auditor).await.unwrap();
    assert_eq!(seen.iter().map(|hold| hold.id).collect::<Vec<_>>(), [placed.id]);
    assert_eq!(archive(office).await, Archived::Entries(0));
    let empty = office.service.release_audit_hold(&admin, placed.id, " ").await.unwrap_err();
    assert_eq!(empty.errors[0].pointer, "/reason");
    let released = office.service.release_audit_hold(&admin, placed.id, "the case is closed").await.unwrap();
    assert_eq!(released.release_reason.as_deref(), Some("the case is closed"));
    let again = office.service.release_audit_hold(&admin, placed.id, "again").await.unwrap_err();
    assert_eq!(again.code, ErrorCode::Conflict);

    let elsewhere = HoldCovers { namespace: Some("incident".to_owned()), ..HoldCovers::default() };
    office.service.place_audit_hold(&admin, of(elsewhere)).await.unwrap();
    assert!(matches!(archive(office).await, Archived::Entries(3..)));
    let holds = office.service.audit_holds(&auditor).await.unwrap();
    assert_eq!(holds.iter().map(|hold| hold.released_at.is_some()).collect::<Vec<_>>(), [false, true]);
    let said: Vec<_> = office.audit_after(0).await.into_iter().map(|row| row.action).collect();
    for action in ["audit-hold.place", "audit-hold.release", "audit.archive"] {
        assert!(said.iter().any(|said| said == action), "{action}");
    }
    let of_holds = office.audit_after(0).await.into_iter().filter(|row| row.action.starts_with("audit-hold"));
    assert!(of_holds.into_iter().all(|row| !row.body.contains("\"person\":")), "whom a hold is on can be erased");
}

#[tokio::test]
async fn a_hold_that_is_placed_while_entries_are_archived_keeps_them_on_sqlite() {
    on_sqlite(async |office, clock, _| a_hold_that_is_placed_meanwhile_keeps_them(office, clock).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_is_placed_while_entries_are_archived_keeps_them_on_postgres() {
    on_postgres("meanwhile", async |office, clock, _| a_hold_that_is_placed_meanwhile_keeps_them(office, clock).await)
        .await;
}

async fn a_hold_that_is_placed_meanwhile_keeps_them(office: &Office, clock: &ManualClock) {
    read(office, 3).await;
    let old = readings(office).await;
    clock.advance(DAY * 32);
    deliver(office).await;
    let admin = office.caller("admin").await;
    let ((writes, written), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
    *office.shelf.meanwhile.lock().unwrap() = Some(Meanwhile { writes, goes_on });
    let hold_it = async {
        written.await.unwrap();
        let placed = office.service.place_audit_hold(&admin, hold("case 18")).await.unwrap();
        go_on.send(()).unwrap();
        placed
    };
    let (archived, placed) = tokio::join!(archive(office), hold_it);
    assert_eq!(archived, Archived::Entries(0));
    assert_eq!(office.shelf.files().len(), 1, "the file was written before");
    let rows = office.audit_after(0).await;
    assert!(rows.iter().all(|row| row.segment.is_none() && !row.body.is_empty()));
    assert_eq!(fault(office).await, "");
    office.service.release_audit_hold(&admin, placed.id, "the case is closed").await.unwrap();
    assert_eq!(archive(office).await, Archived::Entries(old.len() as u64));
}

#[tokio::test]
async fn who_is_erased_is_taken_out_of_the_archive_once_nothing_is_held_on_sqlite() {
    on_sqlite(async |office, clock, _| who_is_erased_is_taken_out_of_the_archive(office, clock).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_erased_is_taken_out_of_the_archive_once_nothing_is_held_on_postgres() {
    on_postgres("archived", async |office, clock, _| who_is_erased_is_taken_out_of_the_archive(office, clock).await)
        .await;
}

async fn who_is_erased_is_taken_out_of_the_archive(office: &Office, clock: &ManualClock) {
    let admin = office.caller("admin").await;
    let new = |login: &str| NewUser { login: login.to_owned(), name: login.to_owned(), email: None, manager: None };
    let id = office.service.create_user(&admin, new("canary")).await.unwrap().0.id;
    office.service.create_user(&admin, new("magpie")).await.unwrap();
    office.service.set_user_active(&admin, id, false).await.unwrap();
    clock.advance(DAY * 62);
    deliver(office).await;
    assert!(matches!(archive(office).await, Archived::Entries(3..)));

    let kept = || (office.shelf.names(), office.shelf.files());
    let (names, segments) = kept();
    assert!(names.contains("canary") && names.contains("magpie"));
    for (name, segment) in &segments {
        let Pack { proofs, .. } = read_pack(segment.as_slice()).unwrap();
        assert!(!proofs.contains("canary") && !proofs.contains("admin\""), "{name} names people itself");
        let beside = &office.shelf.all()[&evidence::names_beside(name)];
        evidence::verify_names(&proofs, std::str::from_utf8(beside).unwrap()).unwrap();
    }

    let hold = office.service.place_audit_hold(&admin, hold("case 18")).await.unwrap();
    office.service.erase_user(&admin, id, "as asked").await.unwrap();
    office.service.go_on_erasing().await;
    let erasure = office.service.erasure(&admin, id).await.unwrap();
    assert!(erasure.ended_at.is_some() && erasure.held >= 2, "{erasure:?}");
    assert_eq!(kept(), (names.clone(), segments.clone()), "what is held stays whole");

    office.service.release_audit_hold(&admin, hold.id, "the case is closed").await.unwrap();
    office.service.go_on_erasing().await;
    let erasure = office.service.erasure(&admin, id).await.unwrap();
    assert!(erasure.ended_at.is_some() && erasure.held == 0 && erasure.entries >= 2, "{erasure:?}");
    let (names, unchanged) = kept();
    assert!(!names.contains("canary") && names.contains("magpie"), "{names}");
    assert_eq!(unchanged, segments);
    for (name, segment) in &segments {
        let Pack { proofs, .. } = read_pack(segment.as_slice()).unwrap();
        let beside = &office.shelf.all()[&evidence::names_beside(name)];
        evidence::verify_names(&proofs, std::str::from_utf8(beside).unwrap()).unwrap();
    }
    assert_eq!(fault(office).await, "");
    assert_eq!(office.service.console_verify_audit().await.unwrap().fault, None);
}

#[tokio::test]
async fn no_index_knows_what_was_archived_on_sqlite() {
    on_sqlite(async |office, clock, raw| no_index_knows_what_was_archived(office, clock, raw).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_index_knows_what_was_archived_on_postgres() {
    on_postgres("indexes", async |office, clock, raw| no_index_knows_what_was_archived(office, clock, raw).await).await;
}

/// A run is asked for, approved and ended; then the log is verified.
async fn exercised(office: &Office) -> i64 {
    let (run, approval) = office.request().await;
    let (manager, auditor) = (office.caller("manager").await, office.caller("auditor").await);
    let digest = &approval.summary.digest;
    office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    let number = office.ended(run).await.summary.number;
    office.service.verify_audit(&auditor).await.unwrap();
    number
}

async fn no_index_knows_what_was_archived(office: &Office, clock: &ManualClock, mut raw: Raw) {
    let number = exercised(office).await;
    let auditor = office.caller("auditor").await;
    let story = || AuditFilter { run: Some(format!("R-{number}")), ..AuditFilter::default() };
    let control = || AuditFilter { control: Some("ISO27001:A.5.16".to_owned()), ..AuditFilter::default() };
    let found = async |filter| office.service.audit(&auditor, filter, None, Some(200)).await.unwrap().items;
    assert!(found(story()).await.len() > 3 && !found(control()).await.is_empty());
    clock.advance(DAY * 70);
    deliver(office).await;
    let rows_of = |table: &str, place: &str| {
        format!(
            "SELECT count(*) FROM {table} WHERE {place} IN (SELECT seq FROM audit_entries WHERE segment IS NOT NULL)"
        )
    };
    let indexes = [rows_of("audit_words", "rowid"), rows_of("audit_marks", "seq"), rows_of("audit_controls", "seq")];
    // A hold on a run is on all that belongs to it.
    let (admin, whole) = (office.caller("admin").await, found(story()).await.len());
    let (kind, id) = (Some("run".to_owned()), Some(format!("R-{number}")));
    let covers = HoldCovers { resource_kind: kind, resource_id: id, ..HoldCovers::default() };
    let held = office.service.place_audit_hold(&admin, NewHold { covers, ..hold("case 19") }).await.unwrap();
    assert!(matches!(archive(office).await, Archived::Entries(1..)));
    assert_eq!(found(story()).await.len(), whole);
    office.service.release_audit_hold(&admin, held.id, "the case is closed").await.unwrap();
    let all = ["audit_words", "audit_marks", "audit_controls"].map(|table| format!("SELECT count(*) FROM {table}"));
    let mut before = Vec::new();
    for count in &all {
        before.push(raw.number(count).await);
    }
    assert!(matches!(archive(office).await, Archived::Entries(1..)));
    assert!(found(story()).await.len() < whole);
    for (place, rows) in indexes.iter().enumerate() {
        assert_eq!(raw.number(rows).await, 0, "{rows}");
        assert!(raw.number(&all[place]).await < before[place], "{rows}");
    }
    // Decisions are kept for ever here, and are still found by the number of their run, which only the runs know by now.
    let left = found(story()).await;
    assert!(left.iter().all(|entry| entry.archived.is_none()));
    assert!(left.iter().any(|entry| entry.action == "approval.decide"), "{left:?}");
    // An index that is made again passes over what was archived.
    raw.execute("UPDATE audit_indexed SET seq = 0; UPDATE audit_controls_indexed SET seq = 0").await;
    let no_words = match raw {
        Raw::Sqlite(_) => "INSERT INTO audit_words (audit_words) VALUES ('delete-all')",
        Raw::Postgres(_) => "DELETE FROM audit_words",
    };
    raw.execute(no_words).await;
    raw.execute("DELETE FROM audit_marks; DELETE FROM audit_controls").await;
    assert_eq!(found(story()).await.len(), left.len());
    assert_eq!(raw.number(&indexes[1]).await + raw.number(&indexes[2]).await, 0);

    whoever_does_not_see_archived_entries_says_so(office).await;
    // The last verification stays, or the page would say that nobody has ever verified the log.
    let stands = office.service.compliance(&auditor, None, None).await.unwrap();
    assert!(stands.ledger.unwrap().verified.is_some());
    assert_eq!(fault(office).await, "");
}

async fn whoever_does_not_see_archived_entries_says_so(office: &Office) {
    let auditor = office.caller("auditor").await;
    let (long_ago, now) = (office.now() - DAY * 90, office.now());
    for (from, archived) in [(long_ago, true), (now - DAY, false)] {
        let (from, to) = (Some(from), Some(now));
        let answer = office.service.audit_answer(&auditor, "failed-sign-ins", from, to).await.unwrap();
        assert_eq!(answer.archived, archived);
        let filter = AuditFilter { from, to, ..AuditFilter::default() };
        let sample = office.service.audit_sample(&auditor, filter.clone(), 500, "autumn").await.unwrap();
        assert_eq!(sample.archived, archived);
        assert!(sample.items.iter().all(|entry| entry.archived.is_none()));
        assert_eq!(office.service.audit_controls(&auditor, from, to).await.unwrap().archived, archived);
        let control = office.service.audit_control(&auditor, "ISO27001:A.5.16", (from, to), None, None).await.unwrap();
        assert_eq!(control.archived, archived);
        assert_eq!(office.service.compliance(&auditor, from, to).await.unwrap().archived, archived);
        let pack = office.service.audit_evidence(&auditor, filter, None, ReportLanguage::English).await.unwrap();
        let Pack { manifest, proofs, .. } = read_pack(pack.as_slice()).unwrap();
        evidence::verify(manifest.as_bytes(), &proofs, &Outside::default()).unwrap();
    }
    let admin = office.caller("admin").await;
    let last_days = office.service.value(&admin, &ValueQuery::default()).await.unwrap();
    assert!(!last_days.archived);
    let query = ValueQuery { from: Some(long_ago.to_string()[..10].to_owned()), ..ValueQuery::default() };
    assert!(office.service.value(&admin, &query).await.unwrap().archived);
}

#[tokio::test]
async fn a_body_that_is_emptied_by_hand_is_told_on_sqlite() {
    on_sqlite(async |office, clock, raw| a_body_that_is_emptied_by_hand_is_told(office, clock, raw).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_emptied_by_hand_is_told_on_postgres() {
    on_postgres("emptied", async |office, clock, raw| {
        a_body_that_is_emptied_by_hand_is_told(office, clock, raw).await;
    })
    .await;
}

async fn a_body_that_is_emptied_by_hand_is_told(office: &Office, clock: &ManualClock, mut raw: Raw) {
    const EMPTIED: &str = "body = '', actor_id = NULL, actor = '', action = '', resource_kind = '', resource_id = '', \
                           resource_name = '', namespace = NULL";
    read(office, 3).await;
    clock.advance(DAY * 32);
    deliver(office).await;
    assert!(matches!(archive(office).await, Archived::Entries(3..)));
    assert_eq!(fault(office).await, "");
    let (name, _) = office.shelf.files().pop_first().unwrap();
    for refused in [
        "UPDATE audit_entries SET body = '' WHERE seq = 1".to_owned(),
        format!("UPDATE audit_entries SET {EMPTIED} WHERE seq = 1"),
        format!("UPDATE audit_entries SET {EMPTIED}, segment = 'made-up.tar' WHERE seq = 1"),
        format!("UPDATE audit_entries SET segment = '{name}' WHERE seq = 1"),
        format!("UPDATE audit_entries SET at = at + 1 WHERE segment = '{name}'"),
        format!("UPDATE audit_entries SET segment = NULL WHERE segment = '{name}'"),
        "DELETE FROM audit_segments".to_owned(),
        "UPDATE audit_segments SET sha256 = lower(sha256)".to_owned(),
    ] {
        assert!(raw.is_refused(&refused).await, "{refused}");
    }
    // A segment that somebody made up, of which no entry of the log tells.
    raw.execute(
        "INSERT INTO audit_segments SELECT number + 1, 'made-up.tar', class, 2, 2, 1, '2', bytes, sha256, archived_at \
         FROM audit_segments",
    )
    .await;
    let told = fault(office).await;
    assert!(told.contains("no entry tells of the segment made-up.tar"), "{told}");
    raw.execute(&format!("UPDATE audit_entries SET {EMPTIED}, segment = 'made-up.tar' WHERE seq = 2")).await;
    assert!(fault(office).await.contains("made-up.tar"));
    // The triggers let this pass, since they cannot read what a segment holds; whoever checks the log does.
    raw.execute(&format!("UPDATE audit_entries SET {EMPTIED}, segment = '{name}' WHERE seq = 1")).await;
    let told = fault(office).await;
    assert!(told.starts_with("entry 1: it is said to be archived in") && told.contains(&name), "{told}");
}

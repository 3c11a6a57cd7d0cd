//! How long it takes to verify an export, and how much memory. `cargo bench -p audit`; prints a Markdown table.
//!
//! The export is of a million entries (`VERIFY_ENTRIES` makes it smaller) with a checkpoint after every thousand, in a file.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot be taken ends")]

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Write as _},
    time::Instant,
};

use audit::{Actor, Door, Entry, Outcome, ResourceRef, seal};
use identity::random::OsRandom;
use ledger::{
    checkpoint::LedgerKey,
    export,
    tree::{self, Edge},
    verify::{Completeness, Outside, verify},
};
use serde_json::json;

/// Entries between two checkpoints.
const SIGNED_EVERY: u64 = 1_000;

fn entry(number: u64) -> Entry {
    Entry {
        at: "2026-11-22T15:04:05.123456Z".parse().unwrap(),
        actor: Actor::unknown(format!("person-{}", number % 400)),
        door: Door::Rest,
        session: None,
        token: None,
        address: Some("192.0.2.7".to_owned()),
        trace_id: format!("{number:032x}"),
        action: "approval.decide".to_owned(),
        resource: ResourceRef {
            kind: "approval".to_owned(),
            id: format!("{number:032x}"),
            name: format!("R-{number}: Give access"),
            persons: Vec::new(),
        },
        namespace: Some("identity".parse().unwrap()),
        outcome: Outcome::Done,
        policies: vec!["asked-people-decide".to_owned(), "separation-of-duties".to_owned()],
        policy_set: Some("4bf92f3577b34da6a3ce929d0e0e47364bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        detail: json!({"decision": "approve", "comment": "As agreed in the meeting.", "digest": format!("{number:064x}")}),
        named: Vec::new(),
    }
}

fn write(path: &std::path::Path, entries: u64) -> (LedgerKey, String) {
    let key = LedgerKey::from_seed("rondo/bench", &[7; 32]).unwrap();
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(export::header(key.public()).as_bytes()).unwrap();
    let (mut edge, mut checkpoints, mut last) = (Edge::default(), 0, String::new());
    for number in 1..=entries {
        let row = seal(i64::try_from(number).unwrap(), &entry(number), &OsRandom).unwrap();
        edge.push(tree::leaf(row.body.as_bytes()));
        file.write_all(export::line(&row.body, row.personal.as_deref()).as_bytes()).unwrap();
        if number.is_multiple_of(SIGNED_EVERY) || number == entries {
            last = key.checkpoint(number, &edge.root()).unwrap();
            file.write_all(export::checkpoint(&last).as_bytes()).unwrap();
            checkpoints += 1;
        }
    }
    file.write_all(export::footer(entries, checkpoints, &edge.root()).as_bytes()).unwrap();
    file.flush().unwrap();
    (key, last)
}

/// The most memory that the process has had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

#[expect(clippy::disallowed_methods, reason = "the time that it takes is what is measured")]
fn main() {
    let entries = std::env::var("VERIFY_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let (key, last) = write(&path, entries);
    let bytes = fs::metadata(&path).unwrap().len();
    let outside = Outside { key: Some(key.public().clone()), checkpoints: vec![last] };
    let mut best = std::time::Duration::MAX;
    for _ in 0..3 {
        let began = Instant::now();
        let verdict = verify(BufReader::with_capacity(256 << 10, File::open(&path).unwrap()), &outside).unwrap();
        best = best.min(began.elapsed());
        assert_eq!((verdict.fault, verdict.completeness), (None, Completeness::Proved { up_to: entries }));
    }
    println!("| Verification of an export | |");
    println!("| --- | ---: |");
    println!("| Entries / size of the file | {entries} / {} MB |", bytes / 1_000_000);
    println!("| Entries a second, best of 3 | {} |", u128::from(entries) * 1_000_000 / best.as_micros().max(1));
    println!("| Most memory of the process | {} MiB |", peak());
}

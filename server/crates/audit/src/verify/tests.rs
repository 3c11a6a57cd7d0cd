use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Entry, export,
    fixture::{any_entry, entry, rows},
    start,
};

fn head_of(row: &AuditRow) -> AuditHead {
    AuditHead { seq: row.seq, hash: row.hash.clone() }
}

/// An export of everything after the first `skipped` entries.
fn export_after(skipped: usize, entries: &[Entry]) -> String {
    let all = rows(entries);
    let after = if skipped == 0 { start() } else { head_of(&all[skipped - 1]) };
    let mut file = export::header(&after);
    file.extend(all[skipped..].iter().map(export::line));
    file + &export::footer((all.len() - skipped) as u64, &all.last().map_or(after, head_of))
}

fn whole(entries: &[Entry]) -> String {
    export_after(0, entries)
}

/// A selection of every second entry, newest first.
fn selection(entries: &[Entry]) -> String {
    let all = rows(entries);
    let chosen: Vec<_> = all.iter().rev().step_by(2).collect();
    let mut file = export::selection_header();
    for row in &chosen {
        let previous = all.iter().find(|before| before.seq == row.seq - 1);
        file += &export::selection_line(row, previous.map_or(START, |before| &before.hash));
    }
    file + &export::footer(chosen.len() as u64, &chosen.last().map_or_else(start, |row| head_of(row)))
}

fn check(file: &str) -> Verdict {
    verify(file.as_bytes()).unwrap()
}

fn fault(file: &str) -> (u64, Option<i64>, What) {
    let fault = check(file).fault.unwrap();
    (fault.line, fault.seq, fault.what)
}

fn lines(file: &str) -> Vec<&str> {
    file.split_inclusive('\n').collect()
}

#[test]
fn a_sound_export_is_sound() {
    let entries = [entry(), entry(), entry()];
    let verdict = check(&whole(&entries));
    let last = head_of(rows(&entries).last().unwrap());
    assert_eq!(verdict, Verdict { entries: 3, head: last.clone(), whole: true, fault: None });
    let verdict = check(&export_after(1, &entries));
    assert_eq!(verdict, Verdict { entries: 2, head: last, whole: false, fault: None });
    let verdict = check(&selection(&entries));
    assert_eq!((verdict.entries, verdict.whole, verdict.fault), (2, false, None));
    assert_eq!(check(&whole(&[])), Verdict { entries: 0, head: start(), whole: true, fault: None });
    assert_eq!(check(&selection(&[])).fault, None);
}

#[test]
fn an_altered_entry_is_named() {
    let file = whole(&[entry(), entry(), entry()]);
    let mut lines = lines(&file);
    let altered = lines[2].replace("approve", "approvE");
    lines[2] = &altered;
    assert_eq!(fault(&lines.concat()), (3, Some(2), What::Hash));
}

#[test]
fn dropped_inserted_and_swapped_entries_are_named() {
    let file = whole(&[entry(), entry(), entry()]);
    let lines = lines(&file);
    let [header, first, second, third, footer] = lines[..] else { unreachable!() };
    assert_eq!(fault(&[header, first, third, footer].concat()), (3, Some(3), What::Place { expected: 2 }));
    assert_eq!(fault(&[header, second, third, footer].concat()), (2, Some(2), What::Place { expected: 1 }));
    assert_eq!(fault(&[header, first, third, second, footer].concat()), (3, Some(3), What::Place { expected: 2 }));
    assert_eq!(fault(&[header, first, first, second, footer].concat()), (3, Some(1), What::Place { expected: 2 }));
    assert_eq!(fault(&[header, first, second, footer].concat()), (4, None, What::Footer));
    assert_eq!(fault(&[header, first, second, third].concat()), (5, None, What::Truncated));
    assert_eq!(fault(&[header, first, second, third, footer, "\n"].concat()), (6, None, What::Trailing));
    assert_eq!(fault(&[first, second, third, footer].concat()), (1, None, What::Header));
    assert_eq!(fault(""), (1, None, What::Truncated));
}

#[test]
fn a_reordered_selection_is_named() {
    let file = selection(&vec![entry(); 6]);
    let lines = lines(&file);
    let [header, sixth, fourth, second, footer] = lines[..] else { unreachable!() };
    assert_eq!(fault(&[header, sixth, second, fourth, footer].concat()), (4, Some(4), What::Order));
    assert_eq!(fault(&[header, second, fourth, sixth, footer].concat()), (5, None, What::Footer));
    assert_eq!(fault(&[header, sixth, sixth, second, footer].concat()), (3, Some(6), What::Order));
    assert_eq!(fault(&[header, sixth, second, footer].concat()), (4, None, What::Footer));
}

#[test]
fn a_member_named_twice_or_added_is_refused() {
    let file = whole(&[entry()]);
    let twice = file.replacen("\"action\":", "\"action\":\"nothing\",\"action\":", 1);
    assert!(matches!(fault(&twice), (2, None, What::Malformed(_))));
    let added = file.replacen("{\"body\":", "{\"note\":\"checked\",\"body\":", 1);
    assert!(matches!(fault(&added), (2, Some(1), What::Malformed(_))));
}

#[test]
fn an_unknown_version_is_said_so() {
    let file = whole(&[entry()]);
    let body = file.replace("\"v\":1}", "\"v\":2}");
    assert_eq!(fault(&body), (2, None, What::Version("2".to_owned())));
    let header = file.replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(fault(&header), (1, None, What::Version("2".to_owned())));
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let endless = io::BufReader::new(io::repeat(b'x'));
    assert_eq!(verify(endless).unwrap().fault.unwrap().what, What::TooLong);
}

#[test]
fn an_export_survives_another_json_writer() {
    let mut number = entry();
    number.detail = json!({"zeta": 1, "alpha": [1.5, -0.0, 1e21, u64::MAX], "Ω": "\u{1f600}\u{7}"});
    let file = whole(&[entry(), number]);
    let rewritten: Vec<_> = lines(&file)
        .iter()
        .map(|line| {
            // Members in reverse order, spaces, and integers as fractions of zero.
            let value: Value = serde_json::from_str(line).unwrap();
            let members: Vec<_> = value.as_object().unwrap().iter().rev().collect();
            let members: Vec<_> = members.iter().map(|(name, value)| format!(" {} : {value} ", json!(name))).collect();
            format!("{{{}}}\r\n", members.join(",")).replace("\"seq\":2", "\"seq\":2.0")
        })
        .collect();
    assert_eq!(check(&rewritten.concat()), check(&file));
}

#[test]
fn a_log_written_anew_has_another_head() {
    let mut forged = entry();
    forged.actor.login = "somebody else".to_owned();
    let before = check(&whole(&[entry(), entry()]));
    let after = check(&whole(&[forged, entry()]));
    assert_eq!(after.fault, None);
    assert_ne!(before.head, after.head);
}

#[test]
fn stored_rows_are_checked_with_their_columns() {
    let all = rows(&[entry(), entry()]);
    let mut chain = Chain::after(&start()).unwrap();
    for row in &all {
        chain.accept_row(row).unwrap();
    }
    assert_eq!(chain.head(), head_of(&all[1]));

    let mut chain = Chain::after(&start()).unwrap();
    let altered = AuditRow { actor: "somebody else".to_owned(), ..all[0].clone() };
    assert_eq!(chain.accept_row(&altered), Err(What::Column("actor")));
    let altered = AuditRow { actor_id: None, ..all[0].clone() };
    assert_eq!(chain.accept_row(&altered), Err(What::Column("actor_id")));
    let altered = AuditRow { body: all[0].body.replace("approve", "reject"), ..all[0].clone() };
    assert_eq!(chain.accept_row(&altered), Err(What::Hash));
    assert_eq!(chain.accept_row(&all[1]), Err(What::Place { expected: 1 }));
    assert_eq!(chain.accept_row(&all[0]), Ok(()));
}

#[derive(Clone, Debug)]
enum Alteration {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    CutAt(usize),
    DropLine(usize),
    RepeatLine(usize),
    SwapLines(usize, usize),
}

fn any_alteration() -> impl Strategy<Value = Alteration> {
    let place = || any::<usize>();
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(b"0123456789abcdef\"{}[],:\\ \n".to_vec())];
    prop_oneof![
        4 => (place(), byte()).prop_map(|(at, byte)| Alteration::Replace(at, byte)),
        2 => (place(), byte()).prop_map(|(at, byte)| Alteration::Insert(at, byte)),
        2 => place().prop_map(Alteration::Remove),
        1 => place().prop_map(Alteration::CutAt),
        1 => place().prop_map(Alteration::DropLine),
        1 => place().prop_map(Alteration::RepeatLine),
        1 => (place(), place()).prop_map(|(one, other)| Alteration::SwapLines(one, other)),
    ]
}

fn alter(file: &str, alteration: &Alteration) -> Vec<u8> {
    let mut bytes = file.as_bytes().to_vec();
    let mut lines = lines(file);
    let (length, count) = (bytes.len(), lines.len());
    match *alteration {
        Alteration::Replace(at, byte) => bytes[at % length] = byte,
        Alteration::Insert(at, byte) => bytes.insert(at % length, byte),
        Alteration::Remove(at) => drop(bytes.remove(at % length)),
        Alteration::CutAt(at) => bytes.truncate(at % length),
        Alteration::DropLine(at) => {
            lines.remove(at % count);
            bytes = lines.concat().into_bytes();
        }
        Alteration::RepeatLine(at) => {
            lines.insert(at % count, lines[at % count]);
            bytes = lines.concat().into_bytes();
        }
        Alteration::SwapLines(one, other) => {
            lines.swap(one % count, other % count);
            bytes = lines.concat().into_bytes();
        }
    }
    bytes
}

/// What a file says, however it is written: its lines as canonical JSON.
fn meaning(file: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(file).ok()?;
    text.lines().map(|line| canonical(&parse(line.as_bytes()).ok()?).ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_log_is_sound_and_any_alteration_of_its_export_is_detected(
        entries in prop::collection::vec(any_entry(), 0..5),
        skipped in any::<usize>(),
        as_selection in any::<bool>(),
        alterations in prop::collection::vec(any_alteration(), 1..40),
    ) {
        let file = if as_selection {
            selection(&entries)
        } else {
            export_after(skipped % (entries.len() + 1), &entries)
        };
        let sound = check(&file);
        prop_assert_eq!(&sound.fault, &None);
        for alteration in &alterations {
            let altered = alter(&file, alteration);
            let verdict = verify(altered.as_slice()).unwrap();
            let same = meaning(&altered).is_some_and(|altered| Some(altered) == meaning(file.as_bytes()));
            prop_assert_eq!(verdict.fault.is_none(), same, "{:?} {:?}\n{}", alteration, verdict, file);
            if same {
                prop_assert_eq!(&verdict, &sound);
            }
        }
    }
}

use domain::view::AuditProofView;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    checkpoint::{LedgerKey, unverified},
    export,
    fixture::{any_entry, bodies, by_somebody_else, entry, parted},
    proof,
    tree::Claim,
};

const ORIGIN: &str = "rondo/test";

fn key(seed: u8) -> LedgerKey {
    LedgerKey::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

/// The checkpoint over bodies, by a key.
fn signed(key: &LedgerKey, bodies: &[String]) -> String {
    key.checkpoint(bodies.len() as u64, &crate::fixture::root(bodies)).unwrap()
}

/// An export of bodies with a checkpoint over the first of them, by the key 1, and one over all, by the key 2.
fn export_of(bodies: &[String], first: usize) -> String {
    let lines: Vec<_> = bodies.iter().map(|body| export::line(body, None)).collect();
    export_as(bodies, &lines, first)
}

/// The same with what stands beside the bodies.
fn export_parted(parted: &[(String, Option<String>)], first: usize) -> String {
    let lines: Vec<_> = parted.iter().map(|(body, beside)| export::line(body, beside.as_deref())).collect();
    let bodies: Vec<_> = parted.iter().map(|(body, _)| body.clone()).collect();
    export_as(&bodies, &lines, first)
}

fn export_as(bodies: &[String], lines: &[String], first: usize) -> String {
    let (old, new) = (key(1), key(2));
    let mut file = export::header(old.public()) + &export::introduction(&old.introduce(new.public()).unwrap());
    let mut checkpoints = 1;
    for (index, line) in lines.iter().enumerate() {
        if index == first {
            file += &export::checkpoint(&signed(&old, &bodies[..first]));
            checkpoints += 1;
        }
        file += line;
    }
    file += &export::checkpoint(&signed(&new, bodies));
    file + &export::footer(bodies.len() as u64, checkpoints, &crate::fixture::root(bodies))
}

/// An export of entries with a checkpoint after the second.
fn whole(entries: &[Value]) -> String {
    export_of(&bodies(entries), 2)
}

fn check(file: &str) -> Verdict {
    verify(file.as_bytes(), &Outside::default()).unwrap()
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
    let last = verdict.last_checkpoint.clone();
    assert_eq!(last.as_deref().and_then(|note| unverified(note).ok()).map(|last| last.size), Some(3));
    assert_eq!(
        verdict,
        Verdict {
            last_checkpoint: last,
            entries: 3,
            archived: 0,
            unseen: 0,
            root: crate::fixture::root(&bodies(&entries)),
            checkpoints: 2,
            key: Some(key(1).public().clone()),
            fault: None,
            completeness: Completeness::Unproved,
        }
    );
    assert_eq!(check(&whole(&[])).fault, None);
    // What was exported before there was anything beside bodies.
    let before = whole(&entries).replacen("\"v\":3", "\"v\":2", 1);
    assert_eq!(check(&before), verdict);
}

#[test]
fn an_altered_entry_is_named() {
    let file = whole(&[entry(), entry(), entry()]);
    let mut lines = lines(&file);
    let altered = lines[3].replace("approve", "approvE");
    lines[3] = &altered;
    assert_eq!(fault(&lines.concat()), (4, Some(2), What::Hash));
}

/// Whoever makes all hashes fit is still stopped by the next checkpoint.
#[test]
fn an_entry_that_was_altered_with_its_hash_is_narrowed_down() {
    let entries = [entry(), entry(), entry(), entry()];
    let sound = export_of(&bodies(&entries), 2);
    for (index, from, to) in [(0, 1, 2), (1, 1, 2), (2, 3, 4), (3, 3, 4)] {
        let mut altered = entries.clone();
        altered[index] = by_somebody_else(entry());
        let altered = export_of(&bodies(&altered), 2);
        let mixed: Vec<_> = lines(&sound)
            .into_iter()
            .zip(lines(&altered))
            .map(|(sound, altered)| if altered.contains("somebody else") { altered } else { sound })
            .collect();
        let (_, _, what) = fault(&mixed.concat());
        assert_eq!(what, What::Root { from, to });
    }
}

#[test]
fn dropped_inserted_and_swapped_lines_are_named() {
    let file = whole(&[entry(), entry(), entry()]);
    let lines = lines(&file);
    let [header, introduction, first, second, old, third, new, footer] = lines[..] else { unreachable!() };
    let head = [header, introduction].concat();
    let of = |lines: &[&str]| fault(&(head.clone() + &lines.concat()));
    assert_eq!(of(&[first, old, third, new, footer]), (4, None, What::OutOfPlace(2)));
    assert_eq!(of(&[second, old, third, new, footer]), (3, Some(2), What::Place { expected: 1 }));
    assert_eq!(of(&[first, second, old, second, new, footer]), (6, Some(2), What::Place { expected: 3 }));
    assert_eq!(of(&[first, second, old, old, third, new, footer]), (6, None, What::OutOfPlace(2)));
    assert_eq!(of(&[first, second, third, old, new, footer]), (6, None, What::OutOfPlace(2)));
    assert_eq!(of(&[first, second, third, new, footer]), (7, None, What::Footer));
    assert_eq!(of(&[first, second, old, third, footer]), (7, None, What::Footer));
    assert_eq!(of(&[first, second, old, footer]), (6, None, What::Footer));
    assert_eq!(of(&[first, second, old, third, new]), (8, None, What::Truncated));
    assert_eq!(of(&[first, second, old, third, new, footer, "\n"]), (9, None, What::Trailing));
    let late = fault(&[header, first, introduction, second, old, third, new, footer].concat());
    assert!(matches!(late, (3, None, What::Malformed(_))), "{late:?}");
    let unknown = fault(&[header, first, second, old, third, new, footer].concat());
    assert_eq!(unknown, (6, None, What::Note(Distrust::UnknownKey)));
    assert_eq!(fault(&[first, second, footer].concat()), (1, None, What::Header));
    assert_eq!(fault(""), (1, None, What::Truncated));
}

#[test]
fn entries_that_nobody_signed_are_named() {
    let all = bodies(&[entry(), entry(), entry()]);
    let file = export::header(key(1).public())
        + &export::line(&all[0], None)
        + &export::checkpoint(&signed(&key(1), &all[..1]))
        + &export::line(&all[1], None)
        + &export::line(&all[2], None)
        + &export::footer(3, 1, &crate::fixture::root(&all));
    assert_eq!(fault(&file).2, What::Unsigned { from: 2 });
}

/// The end is cut off and the rest made to fit: no file can tell that of itself.
#[test]
fn a_cut_end_is_told_by_a_checkpoint_from_elsewhere() {
    let all = bodies(&[entry(), entry(), entry(), entry()]);
    let kept = signed(&key(2), &all);
    let outside = Outside { key: None, checkpoints: vec![kept.clone()] };
    let check = |bodies: &[String]| verify(export_of(bodies, 2).as_bytes(), &outside).unwrap();
    let verdict = check(&all);
    assert_eq!((verdict.fault, verdict.completeness), (None, Completeness::Proved { up_to: 4 }));
    let verdict = check(&all[..3]);
    assert_eq!((verdict.fault, verdict.completeness), (None, Completeness::Missing { from: 4, to: 4 }));

    let grown = bodies(&vec![entry(); 6]);
    let verdict = check(&grown);
    assert_eq!((verdict.fault, verdict.completeness), (None, Completeness::Proved { up_to: 4 }));
    let mut other = vec![entry(); 6];
    other[1] = by_somebody_else(entry());
    assert_eq!(check(&bodies(&other)).fault.unwrap().what, What::Rewritten { size: 4 });

    let outside = Outside { key: None, checkpoints: vec![kept.replacen("\n4\n", "\n2\n", 1)] };
    let verdict = verify(export_of(&all, 2).as_bytes(), &outside).unwrap();
    assert_eq!(verdict.fault.unwrap().what, What::Outside(Distrust::Signature));
}

#[test]
fn a_file_that_was_signed_anew_is_told_by_the_key() {
    let all = bodies(&[entry(), entry(), entry()]);
    let with = |file: &str, seed| {
        let outside = Outside { key: Some(key(seed).public().clone()), checkpoints: Vec::new() };
        verify(file.as_bytes(), &outside).unwrap().fault.map(|fault| fault.what)
    };
    let file = export_of(&all, 2);
    assert_eq!(with(&file, 1), None);
    // The key that was introduced later knows what it signed, and its own checkpoint is over all.
    assert_eq!(with(&file, 2), None);
    assert_eq!(with(&file, 3), Some(What::OtherKey(key(3).public().to_string())));
    let forged = export::header(key(3).public())
        + &all.iter().map(|body| export::line(body, None)).collect::<String>()
        + &export::checkpoint(&signed(&key(3), &all))
        + &export::footer(3, 1, &crate::fixture::root(&all));
    assert_eq!(check(&forged).fault, None);
    assert_eq!(with(&forged, 1), Some(What::OtherKey(key(1).public().to_string())));
    let elsewhere = LedgerKey::from_seed("rondo/other", &[1; 32]).unwrap();
    let outside = Outside { key: Some(elsewhere.public().clone()), checkpoints: Vec::new() };
    let verdict = verify(file.as_bytes(), &outside).unwrap();
    assert_eq!(verdict.fault.unwrap().what, What::Outside(Distrust::OtherLog));
}

#[test]
fn a_member_named_twice_or_added_is_refused() {
    let file = whole(&[entry()]);
    let twice = file.replacen("\"action\":", "\"action\":\"nothing\",\"action\":", 1);
    assert!(matches!(fault(&twice), (3, None, What::Malformed(_))));
    let added = file.replacen("{\"body\":", "{\"note\":\"checked\",\"body\":", 1);
    assert!(matches!(fault(&added), (3, Some(1), What::Malformed(_))));
}

#[test]
fn an_archived_entry_is_verified_by_its_hash_and_in_its_segment() {
    let all = bodies(&vec![entry(); 4]);
    let file = export_of(&all, 2);
    let hash = tree::leaf(all[2].as_bytes());
    let with = |seq, segment: &str, hash: &Hash| {
        file.replacen(&export::line(&all[2], None), &export::archived(seq, segment, hash), 1)
    };
    let archived = with(3, "a.tar", &hash);
    let whole = check(&file);
    let verdict = check(&archived);
    assert_eq!((&verdict.fault, verdict.root, verdict.entries), (&None, whole.root, 4));
    assert_eq!((whole.archived, verdict.archived, verdict.unseen), (0, 1, 1));

    let judge = |segments: &Segments| verify_with(archived.as_bytes(), &Outside::default(), segments).unwrap();
    let seen = judge(&Segments::from([("a.tar".to_owned(), BTreeMap::from([(3, hash)]))]));
    assert_eq!((seen.fault, seen.archived, seen.unseen), (None, 1, 0));
    for entries in [BTreeMap::new(), BTreeMap::from([(3, tree::leaf(b"another"))]), BTreeMap::from([(2, hash)])] {
        let fault = judge(&Segments::from([("a.tar".to_owned(), entries)])).fault.unwrap();
        assert_eq!((fault.seq, fault.what), (Some(3), What::OtherSegment("a.tar".to_owned())));
    }

    assert_eq!(fault(&with(4, "a.tar", &hash)).2, What::Place { expected: 3 });
    assert_eq!(fault(&with(3, "a.tar", &tree::leaf(b"another"))).2, What::Root { from: 3, to: 4 });
    assert!(matches!(fault(&with(3, "", &hash)).2, What::Malformed(_)));
    let added = archived.replacen("{\"archived\":", "{\"note\":1,\"archived\":", 1);
    assert!(matches!(fault(&added).2, What::Malformed(_)));
    let before = file.replacen("\"v\":3", "\"v\":2", 1);
    assert_eq!(check(&before).fault, None, "a file of the version before is read");
}

#[test]
fn an_unknown_version_is_said_so() {
    let file = whole(&[entry()]);
    let body = file.replace("\"v\":1}", "\"v\":3}");
    assert_eq!(fault(&body), (3, None, What::Version("3".to_owned())));
    let header = file.replacen("\"v\":3", "\"v\":4", 1);
    assert_eq!(fault(&header), (1, None, What::Version("4".to_owned())));
}

#[test]
fn a_line_without_end_does_not_fill_the_memory() {
    let endless = io::BufReader::new(io::repeat(b'x'));
    assert_eq!(verify(endless, &Outside::default()).unwrap().fault.unwrap().what, What::TooLong);
}

#[test]
fn an_export_survives_another_json_writer() {
    let mut number = entry();
    number["detail"] = portable(&json!({"zeta": 1, "alpha": [1.5, -0.0, 1e21, u64::MAX], "Ω": "\u{1f600}\u{7}"}));
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

/// What names people can be taken away, and nothing else can be done to it.
#[test]
fn personal_values_are_those_that_were_hashed_or_absent() {
    let sound = parted(&[entry(), by_somebody_else(entry()), entry()]);
    let whole = check(&export_parted(&sound, 2));
    assert_eq!((&whole.fault, whole.entries), (&None, 3));
    let altered = |place: usize, alter: &dyn Fn(&mut Value)| {
        let mut parted = sound.clone();
        let mut beside: Value = serde_json::from_str(parted[place].1.as_deref().unwrap()).unwrap();
        alter(&mut beside);
        parted[place].1 = Some(canonical(&beside).unwrap());
        check(&export_parted(&parted, 2))
    };
    let erased = altered(1, &|beside| drop(beside.as_object_mut().unwrap().remove("/actor/login")));
    assert_eq!(erased, whole);
    let mut parted = sound.clone();
    parted[1].1 = None;
    assert_eq!(check(&export_parted(&parted, 2)), whole);

    let told = |place: usize, alter: &dyn Fn(&mut Value)| {
        let fault = altered(place, alter).fault.unwrap();
        assert_eq!(fault.seq, Some(i64::try_from(place).unwrap() + 1));
        fault.what
    };
    let pointer = |pointer: &str| pointer.to_owned();
    let value = told(1, &|beside| beside["/actor/login"]["value"] = json!("manager"));
    assert_eq!(value, What::Personal(pointer("/actor/login")));
    let number = told(1, &|beside| beside["/detail/name"]["value"] = json!(7));
    assert_eq!(number, What::Personal(pointer("/detail/name")));
    let swapped = told(1, &|beside| {
        let members = beside.as_object_mut().unwrap();
        let (login, name) = (members["/actor/login"].clone(), members["/resource/name"].clone());
        members.insert(pointer("/actor/login"), name);
        members.insert(pointer("/resource/name"), login);
    });
    assert_eq!(swapped, What::Personal(pointer("/actor/login")));
    // From another entry, which says the same under another key.
    let other: Value = serde_json::from_str(sound[0].1.as_deref().unwrap()).unwrap();
    let moved = told(2, &|beside| beside["/actor/login"] = other["/actor/login"].clone());
    assert_eq!(moved, What::Personal(pointer("/actor/login")));
    let added = told(1, &|beside| beside["/address"] = other["/actor/login"].clone());
    assert_eq!(added, What::Undigested(pointer("/address")));
    let unknown = told(1, &|beside| beside["/actor/login"]["of"] = json!("mina"));
    assert!(matches!(unknown, What::Malformed(_)), "{unknown:?}");

    let in_the_first_version = (bodies(&[entry()]).remove(0), sound[0].1.clone());
    let what = check(&export_parted(&[in_the_first_version], 1)).fault.unwrap().what;
    assert_eq!(what, What::Undigested(pointer("/actor/login")));
    // A log that says a thing twice, whoever signed it.
    let twice = (sound[0].0.replace("007\"}", "007\",\"login\":\"joon\"}"), sound[0].1.clone());
    let what = check(&export_parted(&[twice], 1)).fault.unwrap().what;
    assert_eq!(what, What::Occupied(pointer("/actor/login")));
}

/// The way past most lines and the close reading say the same.
#[test]
fn a_line_is_read_the_same_however_it_is_written() {
    let texts = ["mina", "\"quoted\"", "},\"personal\":{", "김민준", "", "\u{7}"];
    for text in texts {
        let mut entry = entry();
        entry["actor"]["login"] = json!(text);
        entry["detail"] = json!({"name": text, "nested": {"v": 2}, "personal": {"v": 2}});
        entry["resource"]["name"] = json!(text);
        let parted = parted(&[entry]);
        let written = export_parted(&parted, 1);
        let spaced = written.replace("{\"body\":", "{ \"body\":");
        assert_ne!(spaced, written);
        assert_eq!(check(&written).fault, None, "{text}");
        assert_eq!(check(&written), check(&spaced));
        let mut short = crate::fixture::entry();
        short["actor"]["login"] = json!(text);
        short["detail"] = json!({});
        let (body, beside) = crate::fixture::parted(&[short]).remove(0);
        let line = export::line(&body, beside.as_deref());
        assert_eq!(written::sound(line.as_bytes()).is_some(), !text.contains(['"', '\u{7}']), "{text}");
    }
}

#[test]
fn an_archived_entry_is_in_the_tree_and_counted() {
    let all = bodies(&[entry(), entry(), entry()]);
    let hashes: Vec<_> = all.iter().map(|body| tree::leaf(body.as_bytes())).collect();
    let archived = |seq, hash| export::archived(seq, "audit-1.rondo", hash);
    let with = |first: String, second: String| export_as(&all, &[first, second, export::line(&all[2], None)], 2);
    let verdict = check(&with(archived(1, &hashes[0]), archived(2, &hashes[1])));
    assert_eq!((&verdict.fault, verdict.entries, verdict.archived), (&None, 3, 2));
    let what = |file: &str| fault(file).2;
    let another = tree::leaf(b"another");
    let altered = with(archived(1, &hashes[0]), archived(2, &another));
    assert_eq!(what(&altered), What::Root { from: 1, to: 2 });
    let moved = with(archived(2, &hashes[0]), archived(1, &hashes[1]));
    assert_eq!(fault(&moved), (3, Some(2), What::Place { expected: 1 }));
    let line = archived(1, &hashes[0]);
    for wrong in [
        line.replace("audit-1.rondo", ""),
        line.replace("\"segment\"", "\"in\""),
        line.replace("\"seq\":1", "\"seq\":\"1\""),
        line.replace("{\"archived\"", "{\"body\":{},\"archived\""),
        line.replace("\"hash\":\"", "\"hash\":\"x"),
    ] {
        assert!(matches!(what(&with(wrong.clone(), export::line(&all[1], None))), What::Malformed(_)), "{wrong}");
    }
}

#[test]
fn a_proof_holds_for_its_entry_only() {
    let all = bodies(&[entry(), entry(), entry()]);
    let leaves: Vec<_> = all.iter().map(|body| tree::leaf(body.as_bytes())).collect();
    let mut growth = tree::Growth::default();
    for leaf in &leaves {
        growth.push(*leaf);
    }
    let tiles = growth.changed();
    let path = Claim::Inclusion { seq: 2, size: 3 }.prove(&tiles).unwrap();
    let (old, new) = (key(1), key(2));
    let sound = AuditProofView {
        format: proof::FORMAT.to_owned(),
        v: export::VERSION,
        key: old.public().to_string(),
        introductions: vec![old.introduce(new.public()).unwrap()],
        body: serde_json::from_str(&all[1]).unwrap(),
        personal: None,
        hash: tree::text(&leaves[1]),
        size: 3,
        path: path.iter().map(tree::text).collect(),
        checkpoint: signed(&new, &all),
    };
    let check = |proof: &AuditProofView| proof::verify(proof, &Outside::default());
    let proved = check(&sound).unwrap();
    assert_eq!((proved.seq, proved.size, &proved.key), (2, 3, old.public()));
    let known = |seed| Outside { key: Some(key(seed).public().clone()), checkpoints: Vec::new() };
    assert!(proof::verify(&sound, &known(1)).is_ok());
    assert!(proof::verify(&sound, &known(2)).is_ok());
    assert_eq!(proof::verify(&sound, &known(3)), Err(What::Note(Distrust::UnknownKey)));

    let altered = |alter: &dyn Fn(&mut AuditProofView)| {
        let mut proof = sound.clone();
        alter(&mut proof);
        check(&proof).unwrap_err()
    };
    assert_eq!(altered(&|proof| proof.body["outcome"] = json!("refused")), What::Hash);
    assert_eq!(altered(&|proof| proof.body["seq"] = json!(3)), What::Hash);
    let other = |proof: &mut AuditProofView| {
        proof.body = serde_json::from_str(&all[2]).unwrap();
        proof.hash = tree::text(&leaves[2]);
    };
    assert_eq!(altered(&other), What::Path);
    assert_eq!(altered(&|proof| proof.path.swap(0, 1)), What::Path);
    assert_eq!(altered(&|proof| drop(proof.path.pop())), What::Path);
    assert_eq!(altered(&|proof| proof.size = 4), What::Path);
    assert!(matches!(altered(&|proof| proof.path[0].truncate(9)), What::Malformed(_)));
    assert_eq!(altered(&|proof| proof.checkpoint = signed(&new, &all[..2])), What::Path);
    assert_eq!(altered(&|proof| proof.introductions.clear()), What::Note(Distrust::UnknownKey));
    assert_eq!(altered(&|proof| proof.format.push('x')), What::Header);
    assert_eq!(altered(&|proof| proof.v = 1), What::Version("1".to_owned()));
    let beside = json!({"/actor/login": {"key": "00".repeat(32), "value": "mina"}});
    let added = altered(&|proof| proof.personal = Some(beside.clone()));
    assert_eq!(added, What::Undigested("/actor/login".to_owned()));
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
    let mut lines: Vec<_> =
        text.lines().map(|line| canonical(&parse(line.as_bytes()).ok()?).ok()).collect::<Option<_>>()?;
    // Of entries that both versions have, the version before says the same.
    if let Some(header) = lines.first_mut().filter(|header: &&mut String| header.starts_with("{\"format\"")) {
        *header = header.replace("\"v\":2}", "\"v\":3}");
    }
    Some(lines)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_log_is_sound_and_any_alteration_of_its_export_is_detected(
        entries in prop::collection::vec(any_entry(), 0..5),
        first in 0_usize..5,
        parts in any::<bool>(),
        alterations in prop::collection::vec(any_alteration(), 1..24),
    ) {
        let parted = parted(&entries);
        let file = if parts { export_parted(&parted, first) } else { export_of(&bodies(&entries), first) };
        let outside = Outside { key: Some(key(1).public().clone()), checkpoints: Vec::new() };
        let sound = verify(file.as_bytes(), &outside).unwrap();
        prop_assert_eq!(&sound.fault, &None);
        for alteration in &alterations {
            let altered = alter(&file, alteration);
            let verdict = verify(altered.as_slice(), &outside).unwrap();
            let same = meaning(&altered).is_some_and(|altered| Some(altered) == meaning(file.as_bytes()));
            prop_assert_eq!(verdict.fault.is_none(), same, "{:?} {:?}\n{}", alteration, verdict, file);
            if same {
                prop_assert_eq!(&verdict, &sound);
            }
        }
    }
}

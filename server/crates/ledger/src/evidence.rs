//! Evidence packs: entries of the log on one matter, each with its proof, in files that go together.
//!
//! A pack is an archive. Of its members [`MANIFEST`] says what it is about and which entries it has, and [`PROOFS`] holds the proof
//! of each, one a line, in the same order; the others are for people to read.

use std::collections::BTreeMap;

use domain::{Timestamp, view::AuditProofView};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    canonical::{parse, portable},
    checkpoint::{PublicKey, unverified},
    personal::{self, Personal},
    proof,
    tree::{self, Hash},
    verify::{Outside, What},
};

/// The `format` of a manifest.
pub const FORMAT: &str = "rondo-evidence";
/// Its version.
pub const VERSION: i64 = 1;
/// The file that says what the pack is about.
pub const MANIFEST: &str = "evidence.json";
/// The file of the cosignatures of the checkpoint, if there are any: lines of a note. It alone may differ between packs of the
/// same search under the same checkpoint, since witnesses cosign later.
pub const COSIGNATURES: &str = "cosignatures.txt";
/// The file of the proofs.
pub const PROOFS: &str = "proofs.jsonl";

/// The file beside an archive of entries that holds what names people in them, so that the archive itself stays as it is when
/// somebody is erased.
#[must_use]
pub fn names_beside(archive: &str) -> String {
    format!("{}.names.jsonl", archive.strip_suffix(".tar").unwrap_or(archive))
}

/// A line of that file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// The entry.
    pub seq: u64,
    /// What names people in it, without what was erased.
    pub personal: Personal,
}

/// What a pack says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub v: i64,
    /// The filter that lets its entries through.
    pub about: Value,
    /// The name of the log.
    pub log: String,
    /// Over how many entries the checkpoint is under which they are proved; those after it are not in the pack.
    pub size: u64,
    /// The root of the tree over them, in hex.
    pub root: String,
    /// When the checkpoint was signed.
    pub signed_at: Timestamp,
    /// The places of the entries, in order.
    pub entries: Vec<u64>,
}

impl Manifest {
    /// The checkpoint with these lines of cosignatures, without the signature of the log: what witnesses have cosigned is the
    /// log, the size and the root.
    #[must_use]
    pub fn cosigned(&self, lines: &str) -> Option<String> {
        let root = tree::from_text(&self.root)?;
        let text = tlog_tiles::Checkpoint::new(&self.log, self.size, root, "").ok()?.to_bytes();
        Some(format!("{}\n{lines}", String::from_utf8(text).ok()?))
    }
}

/// What was proved.
#[derive(Clone, Debug, PartialEq)]
pub struct Proved {
    /// What the pack says of itself.
    pub manifest: Manifest,
    /// The key that the signatures go back to; none in a pack without entries.
    pub key: Option<PublicKey>,
    /// The hashes of the entries, by their places.
    pub hashes: BTreeMap<u64, Hash>,
}

/// Where a pack breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// In what it says of itself.
    #[error("{MANIFEST}: {0}")]
    Manifest(What),
    /// In the proof of an entry.
    #[error("{PROOFS}, line {line}: {what}")]
    Proof {
        /// The line, from 1.
        line: usize,
        /// How.
        what: What,
    },
    /// In what names people in its entries, which stands beside it.
    #[error("what names people, line {line}: {what}")]
    Names {
        /// The line, from 1.
        line: usize,
        /// How.
        what: What,
    },
    /// It has other entries than it says.
    #[error("{MANIFEST} names other entries than {PROOFS} proves: some were left out or added")]
    Entries,
}

/// Whether a pack proves what it says: that each of its entries is in the log, under the one checkpoint that it names.
///
/// That there are no other entries on the matter, it cannot prove; an export of the whole log can.
///
/// # Errors
/// [`Broken`].
pub fn verify(manifest: &[u8], proofs: &str, outside: &Outside) -> Result<Proved, Broken> {
    let manifest = read(manifest).map_err(Broken::Manifest)?;
    let (mut places, mut key, mut hashes) = (Vec::new(), None, BTreeMap::new());
    for (index, line) in proofs.lines().enumerate() {
        let broken = |what| Broken::Proof { line: index + 1, what };
        let proof = parse(line.as_bytes()).map_err(|error| broken(What::Malformed(error.to_string())))?;
        let proof: AuditProofView =
            serde_json::from_value(portable(&proof)).map_err(|error| broken(What::Malformed(error.to_string())))?;
        let proved = proof::verify(&proof, outside).map_err(broken)?;
        let signed = unverified(&proof.checkpoint).map_err(|distrust| broken(What::Note(distrust)))?;
        if (&signed.origin, signed.size, &tree::text(&signed.root)) != (&manifest.log, manifest.size, &manifest.root) {
            return Err(broken(What::OutOfPlace(signed.size)));
        }
        places.push(proved.seq);
        hashes.extend(tree::from_text(&proof.hash).map(|hash| (proved.seq, hash)));
        key = Some(proved.key);
    }
    if places != manifest.entries {
        return Err(Broken::Entries);
    }
    Ok(Proved { manifest, key, hashes })
}

/// What names people in the entries of a pack that was verified, where it stands beside the pack.
///
/// # Errors
/// [`Broken::Names`]: a line is none, is of no entry of the pack or comes twice, or a value is not the one that was hashed.
pub fn verify_names(proofs: &str, names: &str) -> Result<Vec<Names>, Broken> {
    let mut bodies = BTreeMap::new();
    for proof in proofs.lines() {
        let body = parse(proof.as_bytes()).ok().and_then(|mut proof| proof.get_mut("body").map(Value::take));
        bodies.extend(body.and_then(|body| Some((body.get("seq")?.as_u64()?, body))));
    }
    let read = |line: &str| {
        let value = parse(line.as_bytes()).map_err(|error| What::Malformed(error.to_string()))?;
        let found: Names =
            serde_json::from_value(portable(&value)).map_err(|error| What::Malformed(error.to_string()))?;
        let nowhere = || What::Malformed(format!("entry {} is not in the archive, or comes twice", found.seq));
        personal::check(&bodies.remove(&found.seq).ok_or_else(nowhere)?, &found.personal)?;
        Ok(found)
    };
    let lines = names.lines().map(read).enumerate();
    lines.map(|(index, read)| read.map_err(|what| Broken::Names { line: index + 1, what })).collect()
}

fn read(manifest: &[u8]) -> Result<Manifest, What> {
    let value = parse(manifest).map_err(|error| What::Malformed(error.to_string()))?;
    let value = portable(&value);
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(What::Header);
    }
    match value.get("v") {
        Some(v) if v.as_i64() != Some(VERSION) => return Err(What::Version(v.to_string())),
        _ => {}
    }
    serde_json::from_value(value).map_err(|error| What::Malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        checkpoint::LedgerKey,
        cosignature::{Cosigner, Quorum},
        export,
        fixture::{bodies, entry},
        tree::{Claim, Growth},
    };

    struct Pack {
        manifest: Manifest,
        proofs: Vec<AuditProofView>,
        checkpoint: String,
    }

    /// The second and the fourth of five entries.
    fn pack() -> Pack {
        let key = LedgerKey::from_seed("rondo/test", &[1; 32]).unwrap();
        let bodies = bodies(&vec![entry(); 5]);
        let mut growth = Growth::default();
        for body in &bodies {
            growth.push(tree::leaf(body.as_bytes()));
        }
        let root = growth.root();
        let tiles = growth.changed();
        let checkpoint = key.checkpoint(5, &root).unwrap();
        let proof = |seq: usize| AuditProofView {
            format: proof::FORMAT.to_owned(),
            v: export::VERSION,
            key: key.public().to_string(),
            introductions: Vec::new(),
            body: serde_json::from_str(&bodies[seq - 1]).unwrap(),
            personal: None,
            hash: tree::text(&tree::leaf(bodies[seq - 1].as_bytes())),
            size: 5,
            path: Claim::Inclusion { seq: seq as u64, size: 5 }.prove(&tiles).unwrap().iter().map(tree::text).collect(),
            checkpoint: checkpoint.clone(),
        };
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            v: VERSION,
            about: json!({"resource": "R-1042"}),
            log: "rondo/test".to_owned(),
            size: 5,
            root: tree::text(&root),
            signed_at: "2026-11-22T15:04:05.123456Z".parse().unwrap(),
            entries: vec![2, 4],
        };
        Pack { manifest, proofs: vec![proof(2), proof(4)], checkpoint }
    }

    fn check(pack: &Pack, outside: &Outside) -> Result<Proved, Broken> {
        let lines: String = pack.proofs.iter().map(|proof| serde_json::to_string(proof).unwrap() + "\n").collect();
        verify(&serde_json::to_vec(&pack.manifest).unwrap(), &lines, outside)
    }

    #[test]
    fn a_pack_proves_its_entries() {
        let pack = pack();
        let proved = check(&pack, &Outside::default()).unwrap();
        assert_eq!(
            (proved.manifest, proved.key.unwrap().to_string()),
            (pack.manifest.clone(), pack.proofs[0].key.clone())
        );
        let key = PublicKey::parse(&pack.proofs[0].key).unwrap();
        check(&pack, &Outside { key: Some(key), checkpoints: vec![pack.checkpoint.clone()] }).unwrap();
    }

    #[test]
    fn what_was_altered_left_out_or_added_is_told() {
        let altered = |alter: &dyn Fn(&mut Pack)| {
            let mut pack = pack();
            alter(&mut pack);
            check(&pack, &Outside::default()).unwrap_err()
        };
        let hash = altered(&|pack| pack.proofs[1].body["outcome"] = json!("failed"));
        assert_eq!(hash, Broken::Proof { line: 2, what: What::Hash });
        assert_eq!(altered(&|pack| drop(pack.proofs.pop())), Broken::Entries);
        assert_eq!(altered(&|pack| pack.manifest.entries.push(5)), Broken::Entries);
        assert_eq!(altered(&|pack| pack.proofs.swap(0, 1)), Broken::Entries);
        let size = altered(&|pack| pack.manifest.size = 6);
        assert_eq!(size, Broken::Proof { line: 1, what: What::OutOfPlace(5) });
        assert_eq!(altered(&|pack| pack.manifest.v = 2), Broken::Manifest(What::Version("2".to_owned())));
        assert_eq!(altered(&|pack| pack.manifest.format.push('x')), Broken::Manifest(What::Header));
    }

    #[test]
    fn what_witnesses_have_cosigned_goes_with_a_pack() {
        let witness = Cosigner::from_seed("witness.example/w1", &[9; 32]).unwrap();
        let pack = pack();
        let line = witness.cosign(&pack.checkpoint, 5).unwrap();
        let is_witnessed = |manifest: &Manifest, line: &str| {
            let quorum = Quorum::new(vec![witness.public().clone()], None).unwrap();
            quorum.judge(&manifest.cosigned(line).unwrap()).is_enough()
        };
        assert!(is_witnessed(&pack.manifest, &line));
        assert!(!is_witnessed(&pack.manifest, ""));
        assert!(!is_witnessed(&Manifest { size: 6, ..pack.manifest.clone() }, &line));
    }

    #[test]
    fn what_names_people_is_checked_beside_an_archive() {
        let key = [3; 32];
        let digest = hex::encode(personal::digest(&key, &[b"\"mina\""]));
        let body = |seq: u64| json!({"v": 2, "seq": seq, "actor": {}, "personal": {"/actor/login": digest}});
        let proofs: String = [7, 9].map(|seq| json!({"body": body(seq)}).to_string() + "\n").concat();
        let line = |seq: u64, name: &str| {
            let values = json!({"/actor/login": {"key": hex::encode(key), "value": name}});
            json!({"seq": seq, "personal": values}).to_string() + "\n"
        };
        let found = verify_names(&proofs, &(line(7, "mina") + &line(9, "mina"))).unwrap();
        assert_eq!(found.iter().map(|names| names.seq).collect::<Vec<_>>(), [7, 9]);
        assert_eq!(verify_names(&proofs, ""), Ok(Vec::new()), "all of it may be erased");
        for (names, line, what) in [
            (line(7, "mina") + &line(9, "joon"), 2, Some(What::Personal("/actor/login".to_owned()))),
            (line(8, "mina"), 1, None),
            (line(7, "mina") + &line(7, "mina"), 2, None),
            ("{}\n".to_owned(), 1, None),
        ] {
            match verify_names(&proofs, &names) {
                Err(Broken::Names { line: at, what: why }) => {
                    assert_eq!(at, line, "{names}");
                    assert!(what.map_or(matches!(why, What::Malformed(_)), |what| what == why), "{why}");
                }
                other => panic!("{names}: {other:?}"),
            }
        }
        assert_eq!(names_beside("change-1-2.tar"), "change-1-2.names.jsonl");
    }

    #[test]
    fn another_key_or_another_log_of_the_same_size_is_told() {
        let other = LedgerKey::from_seed("rondo/test", &[2; 32]).unwrap();
        let outside = Outside { key: Some(other.public().clone()), ..Outside::default() };
        assert!(matches!(check(&pack(), &outside), Err(Broken::Proof { line: 1, what: What::Note(_) })));
        let key = LedgerKey::from_seed("rondo/test", &[1; 32]).unwrap();
        let elsewhere = key.checkpoint(5, &tree::leaf(b"another")).unwrap();
        let outside = Outside { key: None, checkpoints: vec![elsewhere] };
        let rewritten = Broken::Proof { line: 1, what: What::Rewritten { size: 5 } };
        assert_eq!(check(&pack(), &outside), Err(rewritten));
    }
}

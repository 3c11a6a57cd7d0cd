//! What this browser finds when it checks the proof of an entry by itself.

use domain::view::{AuditEntryView, AuditProofView};
use ledger::{
    checkpoint::{Checkpoint, PublicKey, Trust, unverified},
    growth, personal, proof, tree,
    verify::{Outside, What},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What this browser has seen of the log, to compare with later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The first key of the log.
    pub key: String,
    /// The last checkpoint.
    pub checkpoint: String,
}

/// What is to be judged.
pub struct Evidence {
    /// The proof, as the server gives it.
    pub proof: AuditProofView,
    /// The entry as the page shows it.
    pub shown: AuditEntryView,
    /// What this browser has seen before, if it has.
    pub seen: Option<Seen>,
    /// The hashes that prove that the log has grown from that; empty as long as they have not been asked for.
    pub path: Vec<String>,
}

/// What came of it. Faults are for people who look closer, in the verifier's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The entry is in the log.
    Proved {
        /// Entries of the log when it was signed.
        size: u64,
        /// The name of the log and the id of its first key.
        key: String,
        /// How many entries it had when this browser saw it before, if it did; the log has grown from these.
        before: Option<u64>,
        /// What is to be kept.
        seen: Seen,
    },
    /// It is, but whether the log has grown from what this browser has seen is to be proved yet.
    Grown {
        /// Entries then.
        from: u64,
        /// Entries now.
        to: u64,
    },
    /// The proof does not hold.
    Refuted(String),
    /// The log is not the one that this browser has seen.
    Changed(String),
}

/// Judges the evidence.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    let Evidence { proof, shown, seen, path } = evidence;
    let proved = match proof::verify(proof, &Outside::default()) {
        Ok(proved) => proved,
        Err(what) => return Judgement::Refuted(what.to_string()),
    };
    if proof.hash != shown.hash {
        return Judgement::Refuted("the proof is of another entry than the one shown".to_owned());
    }
    if !shows(shown, proof) {
        let why =
            "the page shows other values than those that are proved; load it again if somebody was erased meanwhile";
        return Judgement::Refuted(why.to_owned());
    }
    let mut before = None;
    if let Some(seen) = seen {
        match compare(proof, seen, path) {
            Ok(Compared::Grown(size)) => before = Some(size),
            Ok(Compared::Unproved { from, to }) => return Judgement::Grown { from, to },
            Err(what) => return Judgement::Changed(what.to_string()),
        }
    }
    Judgement::Proved {
        size: proved.size,
        key: format!("{} {}", proved.key.origin(), proved.key.id()),
        before,
        seen: Seen { key: proof.key.clone(), checkpoint: proof.checkpoint.clone() },
    }
}

/// Whether the page shows what the proof has, where that can be something else under the same hash.
fn shows(shown: &AuditEntryView, proof: &AuditProofView) -> bool {
    let mut entry = proof.body.clone();
    if let Some(Ok(values)) = proof.personal.clone().map(personal::from_value) {
        personal::put_back(&mut entry, &values);
    }
    let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
    text("/actor/login").unwrap_or_default() == shown.actor
        && text("/address") == shown.address.as_deref()
        && text("/resource/name").unwrap_or_default() == shown.resource_name
        && entry.get("detail").unwrap_or(&Value::Null) == &shown.detail
}

enum Compared {
    Grown(u64),
    Unproved { from: u64, to: u64 },
}

fn compare(proof: &AuditProofView, seen: &Seen, path: &[String]) -> Result<Compared, What> {
    let (Ok(key), Ok(then)) = (PublicKey::parse(&seen.key), unverified(&seen.checkpoint)) else {
        return Err(What::Malformed("what this browser has kept is no checkpoint".to_owned()));
    };
    if key.origin() != then.origin {
        return Err(What::OtherLog(then.origin));
    }
    let now = now(proof, key).map_err(|what| match what {
        // Said of the log that was seen, not of the one that is there.
        What::Outside(_) => What::OtherLog(then.origin.clone()),
        other => other,
    })?;
    if growth::claim(&then, &now).is_some() && then.size < now.size && path.is_empty() {
        return Ok(Compared::Unproved { from: then.size, to: now.size });
    }
    let hashes: Option<Vec<_>> = path.iter().map(|hash| tree::from_text(hash)).collect();
    growth::verify(&then, &now, &hashes.unwrap_or_default())?;
    Ok(Compared::Grown(then.size))
}

/// The checkpoint of the proof, by the key that this browser knows or one that it introduced.
fn now(proof: &AuditProofView, key: PublicKey) -> Result<Checkpoint, What> {
    let trust = Trust::in_keys(key, &proof.introductions).map_err(What::Outside)?;
    trust.read(&proof.checkpoint).map_err(What::Outside)
}

#[cfg(test)]
mod tests {
    use ledger::{
        checkpoint::LedgerKey,
        export,
        tree::{Claim, Growth},
    };
    use serde_json::json;

    use super::*;

    fn body(seq: u64, actor: &str) -> serde_json::Value {
        json!({"v": 1, "seq": seq, "actor": {"login": actor}})
    }

    /// A log of so many entries; the second is by `actor`.
    fn log(size: u64, actor: &str) -> Growth {
        let mut growth = Growth::default();
        for seq in 1..=size {
            let body = body(seq, if seq == 2 { actor } else { "system" });
            growth.push(tree::leaf(ledger::canonical(&body).unwrap().as_bytes()));
        }
        growth
    }

    fn key(seed: u8) -> LedgerKey {
        LedgerKey::from_seed("rondo/test", &[seed; 32]).unwrap()
    }

    /// The page of an entry that says nothing but who.
    fn shown(hash: String, actor: &str) -> AuditEntryView {
        AuditEntryView {
            seq: 2,
            at: "2026-11-22T15:04:05Z".parse().unwrap(),
            actor: actor.to_owned(),
            actor_name: String::new(),
            door: String::new(),
            address: None,
            credential: None,
            action: String::new(),
            resource_kind: String::new(),
            resource_id: String::new(),
            resource_name: String::new(),
            namespace: None,
            outcome: String::new(),
            policies: Vec::new(),
            policy_set: None,
            detail: Value::Null,
            erased: Vec::new(),
            run: None,
            archived: None,
            hash,
        }
    }

    /// The evidence for the second entry.
    fn evidence(size: u64, actor: &str, key: &LedgerKey) -> Evidence {
        let log = log(size, actor);
        let checkpoint = key.checkpoint(size, &log.root()).unwrap();
        let body = body(2, actor);
        let hash = tree::text(&tree::leaf(ledger::canonical(&body).unwrap().as_bytes()));
        let path = Claim::Inclusion { seq: 2, size }.prove(&log.changed()).unwrap();
        let proof = AuditProofView {
            format: proof::FORMAT.to_owned(),
            v: export::VERSION,
            key: key.public().to_string(),
            introductions: Vec::new(),
            body,
            personal: None,
            hash: hash.clone(),
            size,
            path: path.iter().map(tree::text).collect(),
            checkpoint,
        };
        Evidence { proof, shown: shown(hash, actor), seen: None, path: Vec::new() }
    }

    fn growth(from: u64, to: u64) -> Vec<String> {
        let path = Claim::Consistency { from, to }.prove(&log(to, "mina").changed()).unwrap();
        path.iter().map(tree::text).collect()
    }

    fn seen(judgement: Judgement) -> Seen {
        match judgement {
            Judgement::Proved { seen, .. } => seen,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_of_a_log_that_grows_is_proved() {
        let first = judge(&evidence(5, "mina", &key(1)));
        assert!(matches!(&first, Judgement::Proved { size: 5, before: None, .. }), "{first:?}");
        let mut later = evidence(9, "mina", &key(1));
        later.seen = Some(seen(first));
        assert_eq!(judge(&later), Judgement::Grown { from: 5, to: 9 });
        later.path = growth(5, 9);
        let later = judge(&later);
        assert!(matches!(&later, Judgement::Proved { size: 9, before: Some(5), .. }), "{later:?}");
        let mut same = evidence(9, "mina", &key(1));
        same.seen = Some(seen(later));
        assert!(matches!(judge(&same), Judgement::Proved { size: 9, before: Some(9), .. }));
    }

    #[test]
    fn a_proof_of_something_else_is_refuted() {
        let mut other = evidence(5, "mina", &key(1));
        other.shown.hash = "00".repeat(32);
        assert!(matches!(judge(&other), Judgement::Refuted(_)));
        let mut altered = evidence(5, "mina", &key(1));
        altered.proof.body["actor"]["login"] = json!("somebody else");
        assert!(matches!(judge(&altered), Judgement::Refuted(_)));
        // The page says something else of the person than the proof.
        let mut altered = evidence(5, "mina", &key(1));
        altered.shown.actor = "somebody else".to_owned();
        assert!(matches!(judge(&altered), Judgement::Refuted(_)));
        let mut altered = evidence(5, "mina", &key(1));
        altered.shown.detail = json!({"for": "somebody else"});
        assert!(matches!(judge(&altered), Judgement::Refuted(_)));
    }

    #[test]
    fn another_log_than_the_one_that_was_seen_is_told() {
        let kept = seen(judge(&evidence(5, "mina", &key(1))));
        let told = |evidence: Evidence, path: Vec<String>| {
            let judgement = judge(&Evidence { seen: Some(kept.clone()), path, ..evidence });
            assert!(matches!(judgement, Judgement::Changed(_)), "{judgement:?}");
        };
        told(evidence(9, "somebody else", &key(1)), growth(5, 9));
        told(evidence(5, "somebody else", &key(1)), Vec::new());
        told(evidence(4, "mina", &key(1)), Vec::new());
        told(evidence(9, "mina", &key(2)), growth(5, 9));
        told(evidence(9, "mina", &LedgerKey::from_seed("rondo/other", &[1; 32]).unwrap()), growth(5, 9));
    }

    #[test]
    fn a_new_key_that_the_known_one_introduces_is_trusted() {
        let kept = seen(judge(&evidence(5, "mina", &key(1))));
        let mut later = evidence(9, "mina", &key(2));
        later.proof.key = key(1).public().to_string();
        later.proof.introductions = vec![key(1).introduce(key(2).public()).unwrap()];
        let judgement = judge(&Evidence { seen: Some(kept), path: growth(5, 9), ..later });
        assert!(matches!(judgement, Judgement::Proved { size: 9, before: Some(5), .. }), "{judgement:?}");
    }
}

//! What a log asks of a witness, and what the witness makes of it (C2SP tlog-witness, `add-checkpoint`).

use crate::{
    checkpoint::{Checkpoint, Trust, decode, encode, unverified},
    tree::{Claim, EMPTY, Hash},
};

/// The most hashes that a proof may have.
const LONGEST_PROOF: usize = 63;
/// The most entries of a log; more than any will have, and few enough to count with.
const LARGEST_SIZE: u64 = 1 << 62;

/// A checkpoint, and the proof that the log has grown from what the witness has seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Over how many entries the checkpoint was that the witness has seen last; 0 if none.
    pub old: u64,
    /// The proof of consistency between that one and this.
    pub proof: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

impl Request {
    /// As it is sent.
    #[must_use]
    pub fn write(&self) -> String {
        let proof: String = self.proof.iter().map(|hash| encode(&hash.0) + "\n").collect();
        format!("old {}\n{proof}\n{}", self.old, self.checkpoint)
    }

    /// As it was sent; none if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = number(lines.next()?.strip_prefix("old ")?)?;
        let proof: Option<Vec<_>> = lines.map(hash).collect();
        let proof = proof.filter(|proof| proof.len() <= LONGEST_PROOF)?;
        Some(Self { old, proof, checkpoint: checkpoint.to_owned() })
    }
}

/// A number as the formats of logs write them; none if it is another form of it.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

fn hash(line: &str) -> Option<Hash> {
    let hash = Hash(decode(line)?.try_into().ok()?);
    (encode(&hash.0) == line).then_some(hash)
}

/// Why a witness does not cosign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a request, or says something impossible.
    #[error("this is not a request to cosign a checkpoint")]
    Malformed,
    /// Nobody has told the witness of the log.
    #[error("this witness does not know the log")]
    UnknownLog,
    /// No key signed it that the witness trusts for the log.
    #[error("the checkpoint is not signed by a key of the log that this witness trusts")]
    Untrusted,
    /// The witness has seen the log at another size, or with another root at this one.
    #[error("this witness has cosigned the log at {size} entries")]
    Conflict {
        /// At which.
        size: u64,
    },
    /// The log has not grown from what the witness has seen.
    #[error("the proof does not hold: the log has not grown from what this witness has cosigned")]
    Inconsistent,
}

/// What a witness that has seen this of a log, and trusts its keys, may cosign.
///
/// # Errors
/// [`Refusal`].
pub fn judge(
    request: &Request,
    logs: &[Trust],
    seen: impl FnOnce(&str) -> Option<Checkpoint>,
) -> Result<Checkpoint, Refusal> {
    let told = unverified(&request.checkpoint).map_err(|_| Refusal::Malformed)?;
    let mut of_log = logs.iter().filter(|log| log.origin() == told.origin).peekable();
    if of_log.peek().is_none() {
        return Err(Refusal::UnknownLog);
    }
    if !of_log.any(|log| log.read(&request.checkpoint).is_ok()) {
        return Err(Refusal::Untrusted);
    }
    if request.old > told.size || told.size > LARGEST_SIZE {
        return Err(Refusal::Malformed);
    }
    let seen = seen(&told.origin).unwrap_or(Checkpoint { origin: told.origin.clone(), size: 0, root: EMPTY });
    if request.old != seen.size {
        return Err(Refusal::Conflict { size: seen.size });
    }
    if told.size == seen.size && told.root != seen.root {
        return Err(Refusal::Conflict { size: seen.size });
    }
    let is_proved = if seen.size == 0 || told.size == seen.size {
        request.proof.is_empty()
    } else {
        Claim::Consistency { from: seen.size, to: told.size }.is_proved(&request.proof, seen.root, told.root)
    };
    if is_proved { Ok(told) } else { Err(Refusal::Inconsistent) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{LedgerKey, PublicKey},
        tree::{Growth, leaf},
    };

    /// The example of the specification.
    const EXAMPLE: &str = "old 20852014\n\
        PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\
        5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\
        \n\
        example.com/behind-the-sofa\n\
        20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\
        \n\
        \u{2014} example.com/behind-the-sofa \
        Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    fn key() -> LedgerKey {
        LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap()
    }

    /// A log of so many entries, of which one is another.
    fn growth(entries: u64, odd: u64) -> Growth {
        let mut growth = Growth::default();
        for entry in 1..=entries {
            growth.push(if entry == odd { leaf(b"odd") } else { leaf(&entry.to_be_bytes()) });
        }
        growth
    }

    fn at(entries: u64, odd: u64) -> Checkpoint {
        Checkpoint { origin: "rondo/test".to_owned(), size: entries, root: growth(entries, odd).root() }
    }

    fn request(old: u64, entries: u64, odd: u64) -> Request {
        let proof = match (Claim::Consistency { from: old, to: entries }) {
            _ if old == 0 || old >= entries => Vec::new(),
            claim => claim.prove(&growth(entries, odd).changed()).unwrap(),
        };
        Request { old, proof, checkpoint: key().checkpoint(entries, &growth(entries, odd).root()).unwrap() }
    }

    fn judged(request: &Request, seen: Option<Checkpoint>) -> Result<u64, Refusal> {
        let logs = [Trust::in_key(key().public().clone())];
        judge(request, &logs, |origin| seen.filter(|seen| seen.origin == origin)).map(|told| told.size)
    }

    #[test]
    fn a_request_is_as_the_specification_has_it() {
        let read = Request::parse(EXAMPLE).unwrap();
        assert_eq!((read.old, read.proof.len()), (20_852_014, 4));
        assert!(read.checkpoint.starts_with("example.com/behind-the-sofa\n20852163\n"));
        assert_eq!(read.write(), EXAMPLE);
        let first = request(0, 5, 0);
        assert_eq!(Request::parse(&first.write()), Some(first.clone()));
        for broken in [
            String::new(),
            EXAMPLE.replace("old 2", "old 02"),
            EXAMPLE.replace("old ", "old +"),
            EXAMPLE.replace("old ", "new "),
            EXAMPLE.replace("PlRN", "PlR"),
            EXAMPLE.replace("pkaw=", "pkax="),
            EXAMPLE.replace("\n\n", "\n"),
            "old 1\n".to_owned() + &"PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n".repeat(64) + "\nx",
        ] {
            assert_eq!(Request::parse(&broken), None, "{broken}");
        }
    }

    #[test]
    fn a_log_that_grows_is_cosigned() {
        assert_eq!(judged(&request(0, 5, 0), None), Ok(5));
        assert_eq!(judged(&request(5, 12, 0), Some(at(5, 0))), Ok(12));
        assert_eq!(judged(&request(5, 5, 0), Some(at(5, 0))), Ok(5), "the same again");
        assert_eq!(judged(&request(0, 0, 0), None), Ok(0));
    }

    #[test]
    fn what_the_witness_knows_better_is_told() {
        assert_eq!(judged(&request(0, 12, 0), Some(at(5, 0))), Err(Refusal::Conflict { size: 5 }));
        assert_eq!(judged(&request(3, 4, 0), Some(at(5, 0))), Err(Refusal::Conflict { size: 5 }), "it was put back");
        assert_eq!(judged(&request(5, 12, 0), None), Err(Refusal::Conflict { size: 0 }));
        assert_eq!(judged(&request(5, 5, 3), Some(at(5, 0))), Err(Refusal::Conflict { size: 5 }), "another root");
    }

    #[test]
    fn a_log_that_was_written_anew_is_not_cosigned() {
        assert_eq!(judged(&request(5, 12, 3), Some(at(5, 0))), Err(Refusal::Inconsistent));
        let without = Request { proof: Vec::new(), ..request(5, 12, 0) };
        assert_eq!(judged(&without, Some(at(5, 0))), Err(Refusal::Inconsistent));
        for from in [0, 5] {
            let too_much = Request { proof: vec![leaf(b"more")], ..request(from, 5, 0) };
            let seen = (from > 0).then(|| at(5, 0));
            assert_eq!(judged(&too_much, seen), Err(Refusal::Inconsistent), "{from}");
        }
        let odd = Request { checkpoint: key().checkpoint(0, &leaf(b"odd")).unwrap(), ..request(0, 0, 0) };
        assert!(judged(&odd, None).is_err(), "nothing has one root");
    }

    #[test]
    fn only_known_logs_are_cosigned_with_keys_that_are_trusted() {
        let by =
            |key: &LedgerKey| Request { checkpoint: key.checkpoint(5, &at(5, 0).root).unwrap(), ..request(0, 5, 0) };
        let elsewhere = LedgerKey::from_seed("rondo/other", &[7; 32]).unwrap();
        assert_eq!(judged(&by(&elsewhere), None), Err(Refusal::UnknownLog));
        let another = LedgerKey::from_seed("rondo/test", &[8; 32]).unwrap();
        assert_eq!(judged(&by(&another), None), Err(Refusal::Untrusted));
        let keys = [key().public().clone(), another.public().clone()].map(|key: PublicKey| Trust::in_key(key));
        assert!(judge(&by(&another), &keys, |_| None).is_ok(), "a log may have several keys");
        let altered = Request { checkpoint: by(&key()).checkpoint.replacen("\n5\n", "\n6\n", 1), ..by(&key()) };
        assert_eq!(judged(&altered, None), Err(Refusal::Untrusted));
        assert_eq!(judged(&Request { checkpoint: "x\n".to_owned(), ..by(&key()) }, None), Err(Refusal::Malformed));
        assert_eq!(judged(&request(9, 5, 0), Some(at(9, 0))), Err(Refusal::Malformed), "the old size is the larger");
        let huge = key().checkpoint(u64::MAX, &at(5, 0).root).unwrap();
        let huge = Request { old: 5, proof: Vec::new(), checkpoint: huge };
        assert_eq!(judged(&huge, Some(at(5, 0))), Err(Refusal::Malformed));
    }
}

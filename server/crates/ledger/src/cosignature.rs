//! Cosignatures: what witnesses say of checkpoints (C2SP tlog-cosignature, `cosignature/v1` by Ed25519).
//!
//! A witness signs the text of a checkpoint together with the time at which it did, after it has seen that the log has grown
//! from what it knew. Its cosignature is one more line of the note. Whoever trusts a number of witnesses ([`Quorum`]) need not
//! trust whoever has the key of the log.

use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use signed_note::{Note, NoteError, Signature, Verifier, VerifierList};

use crate::checkpoint::{Distrust, decode, encode, unverified};

/// The type of signature, as it stands before keys.
const TYPE: u8 = 4;
const SIGNATURE: usize = 64;
const PRIVATE: &str = "PRIVATE+KEY+";

/// The text of a key is none of a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the key of a witness (NAME+ID+BASE64, of the type 04)")]
pub struct NotAWitness;

/// A key that tells the cosignatures of one witness: `<name>+<id>+<base64>`.
#[derive(Clone)]
pub struct WitnessKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl WitnessKey {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, NotAWitness> {
        if !signed_note::is_key_name_valid(name) || name.contains(char::is_control) {
            return Err(NotAWitness);
        }
        Ok(Self { name: name.to_owned(), id: signed_note::key_id(name, &typed(key.as_bytes())), key })
    }

    /// The key that this is the text of, without white space around it.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAWitness> {
        let text = text.trim();
        let parts: Vec<_> = text.splitn(3, '+').collect();
        let [name, _, encoded] = parts[..] else { return Err(NotAWitness) };
        let key = Self::new(name, VerifyingKey::from_bytes(&untyped(encoded)?).map_err(|_| NotAWitness)?)?;
        // The id has to be that of the key, and everything in its one form.
        if key.to_string() == text { Ok(key) } else { Err(NotAWitness) }
    }

    /// The name of the witness.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cosignature of the witness in a note, if it has one.
    ///
    /// # Errors
    /// [`Distrust`]: the note is none, or was altered after the witness had cosigned it.
    pub fn read(&self, note: &str) -> Result<Option<Cosignature>, Distrust> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| Distrust::Malformed)?;
        match note.verify(&VerifierList::new(vec![Box::new(self.clone())])) {
            Ok((signatures, _)) => {
                let own = signatures.first().ok_or(Distrust::Malformed)?;
                let (time, _) = parts(own.signature()).ok_or(Distrust::Malformed)?;
                let line = String::from_utf8(own.to_bytes()).map_err(|_| Distrust::Malformed)?;
                Ok(Some(Cosignature { witness: self.name.clone(), time, line }))
            }
            Err(NoteError::UnverifiedNote) => Ok(None),
            Err(NoteError::InvalidSignature { .. }) => Err(Distrust::Signature),
            Err(_) => Err(Distrust::Malformed),
        }
    }

    /// The cosignature of the witness on a note in what it has answered. Lines of other keys are passed over.
    ///
    /// # Errors
    /// [`Distrust`]: the answer is none, has none of this witness, or one that does not fit.
    pub fn accept(&self, note: &str, answer: &str) -> Result<Cosignature, Distrust> {
        if !answer.ends_with('\n') {
            return Err(Distrust::Malformed);
        }
        self.read(&with(note, [answer]))?.ok_or(Distrust::UnknownKey)
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = parts(signature) else { return false };
        self.key.verify(&message(time, text), &Ed25519::from_bytes(&signature)).is_ok()
    }
}

impl std::fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id, encode(&typed(self.key.as_bytes())))
    }
}

impl std::fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for WitnessKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.id, &self.key) == (&other.name, other.id, &other.key)
    }
}

impl Eq for WitnessKey {}

/// A key that cosigns. Its text is a secret.
pub struct Cosigner {
    key: SigningKey,
    public: WitnessKey,
}

impl Cosigner {
    /// The key of a witness that these random bytes make.
    ///
    /// # Errors
    /// The name has a space or a `+` in it, or none at all.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NotAWitness> {
        let key = SigningKey::from_bytes(seed);
        let public = WitnessKey::new(name, key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// The key that this is the text of.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAWitness> {
        let text = text.trim();
        let parts: Vec<_> = text.strip_prefix(PRIVATE).ok_or(NotAWitness)?.splitn(3, '+').collect();
        let [name, _, encoded] = parts[..] else { return Err(NotAWitness) };
        let cosigner = Self::from_seed(name, &untyped(encoded)?)?;
        if cosigner.expose() == text { Ok(cosigner) } else { Err(NotAWitness) }
    }

    /// Its text, which is a secret.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PRIVATE}{}+{:08x}+{}", self.public.name, self.public.id, encode(&typed(self.key.as_bytes())))
    }

    /// The key that tells its cosignatures.
    #[must_use]
    pub fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// The line that cosigns a note at this time, in seconds since 1970. Whether the log has grown is the caller's to know.
    ///
    /// # Errors
    /// [`Distrust::Malformed`]: it is no note.
    pub fn cosign(&self, note: &str, time: u64) -> Result<String, Distrust> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| Distrust::Malformed)?;
        let signature = self.key.sign(&message(time, note.text())).to_bytes();
        let signed = [time.to_be_bytes().as_slice(), &signature].concat();
        let line = Signature::new(self.public.name.clone(), self.public.id, signed);
        let line = line.map_err(|_| Distrust::Malformed)?.to_bytes();
        String::from_utf8(line).map_err(|_| Distrust::Malformed)
    }
}

impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cosigner({})", self.public)
    }
}

/// What one witness says of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The name of the witness.
    pub witness: String,
    /// When it cosigned, in seconds since 1970, by its clock.
    pub time: u64,
    /// The line in the note, with its line feed.
    pub line: String,
}

/// A note with these lines of cosignatures, each with its line feed, after those that it has.
#[must_use]
pub fn with<'a>(note: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut note = note.to_owned();
    note.extend(lines);
    note
}

/// How many of which witnesses have to have cosigned.
#[derive(Clone, Debug)]
pub struct Quorum {
    witnesses: Vec<WitnessKey>,
    needed: usize,
}

/// Witnesses that cannot be a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoQuorum {
    /// The same key counts once, whatever its name: the name is not part of what is signed.
    #[error("the same key of a witness is given twice")]
    Twice,
    /// None, or more than there are.
    #[error("a quorum is at least 1 and at most the number of witnesses")]
    Number,
}

impl Quorum {
    /// So many of these witnesses; all of them unless told.
    ///
    /// # Errors
    /// [`NoQuorum`].
    pub fn new(witnesses: Vec<WitnessKey>, needed: Option<usize>) -> Result<Self, NoQuorum> {
        let needed = needed.unwrap_or(witnesses.len());
        if !(1..=witnesses.len()).contains(&needed) {
            return Err(NoQuorum::Number);
        }
        let mut keys: Vec<_> = witnesses.iter().map(|witness| witness.key.as_bytes()).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() < witnesses.len() {
            return Err(NoQuorum::Twice);
        }
        Ok(Self { witnesses, needed })
    }

    /// Which of them have cosigned the checkpoint. Who has signed it for the log is another question.
    #[must_use]
    pub fn judge(&self, note: &str) -> Witnessed {
        let size = unverified(note).map_or(0, |checkpoint| checkpoint.size);
        let mut witnessed = Witnessed { size, needed: self.needed, by: Vec::new(), lacking: Vec::new() };
        for witness in &self.witnesses {
            match witness.read(note) {
                Ok(Some(cosignature)) => witnessed.by.push(cosignature),
                Ok(None) | Err(Distrust::Malformed) => {
                    witnessed.lacking.push(Lacking { witness: witness.name.clone(), altered: false });
                }
                Err(_) => witnessed.lacking.push(Lacking { witness: witness.name.clone(), altered: true }),
            }
        }
        witnessed
    }
}

/// Who has cosigned a checkpoint, and who has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Entries that the checkpoint covers.
    pub size: u64,
    /// How many have to have cosigned.
    pub needed: usize,
    /// Those that have.
    pub by: Vec<Cosignature>,
    /// Those that have not.
    pub lacking: Vec<Lacking>,
}

/// A witness that has not cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Its name.
    pub witness: String,
    /// There is a line of its own that does not fit: the checkpoint or the line was altered.
    pub altered: bool,
}

impl Witnessed {
    /// Whether as many have as had to.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.by.len() >= self.needed
    }
}

/// What is signed: the time and the text of the note.
fn message(time: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat()
}

/// The time and the signature of a line.
fn parts(signature: &[u8]) -> Option<(u64, [u8; SIGNATURE])> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    // The format has no times after this.
    let time = Some(u64::from_be_bytes(*time)).filter(|time| i64::try_from(*time).is_ok())?;
    Some((time, signature.try_into().ok()?))
}

fn typed(key: &[u8; 32]) -> Vec<u8> {
    [&[TYPE], key.as_slice()].concat()
}

fn untyped(encoded: &str) -> Result<[u8; 32], NotAWitness> {
    let bytes = decode(encoded).ok_or(NotAWitness)?;
    let key = bytes.strip_prefix(&[TYPE]).ok_or(NotAWitness)?;
    key.try_into().map_err(|_| NotAWitness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checkpoint::{LedgerKey, Trust},
        tree,
    };

    /// A checkpoint of a log of certificates, and what a public witness has cosigned of it.
    const PUBLIC: &str = "coachandhorses2026h1.staging.certificate.transparency.goog\n185550722\n\
        YXAM0VmnrfvLaBCOOYSJhCaE5F10oGBOo+hkbDa1kng=\n\n\
        \u{2014} coachandhorses2026h1.staging.certificate.transparency.goog MpXgsHy8ZwxXnO+WjtVrPxAzL49Rs1gWTkNVNeEa//5p\
        eAzaocRCB3qt3EaibjzY5GILLtGgBP7dBhgcSHy+JQh0OAc=\n\
        \u{2014} witness.navigli.sunlight.geomys.org o+AP4gAAAABqb7DzNrGFRJnQ9vrJ8xpnwZytnr/ZYczDIsvwvouiSjwOjn7a72ccxBk\
        +lKnZ7dKqkYKER1s/KxLTaVwQD7lJZTC/CQ==\n";
    const PUBLIC_KEY: &str =
        "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";

    fn cosigner(seed: u8) -> Cosigner {
        Cosigner::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap()
    }

    fn note() -> String {
        LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap().checkpoint(3, &tree::leaf(b"root")).unwrap()
    }

    fn cosigned(by: &[u8]) -> String {
        let lines: Vec<_> = by.iter().map(|seed| cosigner(*seed).cosign(&note(), 1_679_315_147).unwrap()).collect();
        with(&note(), lines.iter().map(String::as_str))
    }

    #[test]
    fn a_cosignature_of_a_public_witness_is_believed() {
        let key = WitnessKey::parse(PUBLIC_KEY).unwrap();
        assert_eq!((key.to_string().as_str(), key.name()), (PUBLIC_KEY, "witness.navigli.sunlight.geomys.org"));
        let read = key.read(PUBLIC).unwrap().unwrap();
        assert_eq!((read.time, PUBLIC.ends_with(&read.line)), (1_785_704_691, true));
        assert_eq!(key.read(&PUBLIC.replace("185550722", "185550723")), Err(Distrust::Signature));
        assert_eq!(cosigner(1).public().read(PUBLIC), Ok(None));
    }

    #[test]
    fn the_form_of_a_cosignature_never_changes() {
        insta::assert_snapshot!(cosigned(&[1]));
        insta::assert_snapshot!(cosigner(1).public().to_string());
    }

    #[test]
    fn a_key_survives_being_written() {
        let key = cosigner(1);
        assert_eq!(Cosigner::parse(&format!("{}\n", key.expose())).unwrap().public(), key.public());
        assert_eq!(WitnessKey::parse(&format!(" {}\n", key.public())).unwrap(), *key.public());
        assert!(!format!("{key:?}").contains(&key.expose()));
        let log = LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap();
        let public = key.public().to_string();
        for broken in ["", "a+b", &log.public().to_string(), &public.replace("w1+", "w2+"), &format!("{public}A")] {
            assert!(WitnessKey::parse(broken).is_err(), "{broken}");
        }
        assert!(Cosigner::parse(log.expose()).is_err() && Cosigner::from_seed("a b", &[1; 32]).is_err());
    }

    #[test]
    fn cosignatures_stand_beside_the_signature_of_the_log() {
        let note = cosigned(&[1, 2]);
        let log = LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap();
        assert_eq!(Trust::in_key(log.public().clone()).read(&note).unwrap().size, 3);
        let read = cosigner(2).public().read(&note).unwrap().unwrap();
        assert_eq!((read.witness.as_str(), read.time), ("witness.example/w2", 1_679_315_147));
    }

    #[test]
    fn an_answer_is_accepted_only_with_the_cosignature_that_was_asked_for() {
        let key = cosigner(1).public().clone();
        let line = |seed| cosigner(seed).cosign(&note(), 5).unwrap();
        let both = line(2) + &line(1);
        assert_eq!(key.accept(&note(), &both).unwrap().line, line(1));
        assert_eq!(key.accept(&note(), &line(2)), Err(Distrust::UnknownKey));
        let other = LedgerKey::from_seed("rondo/test", &[7; 32]).unwrap().checkpoint(4, &tree::EMPTY).unwrap();
        assert_eq!(key.accept(&other, &line(1)), Err(Distrust::Signature));
        for broken in ["", "\n", "<html>\n", line(1).trim_end()] {
            assert_eq!(key.accept(&note(), broken), Err(Distrust::Malformed), "{broken:?}");
        }
    }

    #[test]
    fn so_many_of_the_witnesses_have_to_have_cosigned() {
        let keys = |seeds: &[u8]| seeds.iter().map(|seed| cosigner(*seed).public().clone()).collect::<Vec<_>>();
        let judged = |needed, note: &str| Quorum::new(keys(&[1, 2, 3]), needed).unwrap().judge(note);
        let two = judged(Some(2), &cosigned(&[1, 3]));
        assert_eq!((two.size, two.by.len(), two.is_enough()), (3, 2, true));
        assert_eq!(two.lacking, [Lacking { witness: "witness.example/w2".to_owned(), altered: false }]);
        assert!(!judged(None, &cosigned(&[1, 3])).is_enough());
        assert!(!judged(Some(1), &note()).is_enough() && !judged(Some(1), "no note").is_enough());
        assert!(!judged(Some(1), &cosigned(&[4, 5])).is_enough(), "of others");
        // The line of one under the name of another.
        let renamed = cosigned(&[4]).replace("w4", "w1");
        assert!(!judged(Some(1), &renamed).is_enough());
        let altered = judged(Some(1), &cosigned(&[2]).replacen("\n3\n", "\n4\n", 1));
        assert_eq!((altered.is_enough(), altered.lacking[1].altered), (false, true));
        for needed in [Some(0), Some(4)] {
            assert_eq!(Quorum::new(keys(&[1, 2, 3]), needed).unwrap_err(), NoQuorum::Number);
        }
        let same = Cosigner::from_seed("another/name", &[1; 32]).unwrap().public().clone();
        assert_eq!(Quorum::new([keys(&[1]), vec![same]].concat(), None).unwrap_err(), NoQuorum::Twice);
    }
}

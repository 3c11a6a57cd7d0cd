//! Checkpoints: what somebody signs about the log at some moment, and the keys that sign.
//!
//! A checkpoint is a signed note (C2SP signed-note and tlog-checkpoint): the name of the log, how many entries it has, the
//! root of the tree over them, and one or more signatures. Whoever holds one from earlier can tell later whether the log has
//! grown from it. Keys have the name of the log and differ in their id; a new key comes with a note by the one before it, its
//! *introduction*, so that who trusts the first trusts all.

use ed25519_dalek::SigningKey;
use signed_note::{Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};

use crate::tree::Hash;

/// The first line of an introduction.
const INTRODUCTION: &str = "rondo-audit-key";
/// Stands in front of a key that signs, as the notation has it.
const PRIVATE: &str = "PRIVATE+KEY";
const ED25519: u8 = 1;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// Why a note is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It is no signed note, or says something else than it should.
    #[error("this is not a signed note of an audit log")]
    Malformed,
    /// It is about another log.
    #[error("the note is about another audit log")]
    OtherLog,
    /// None of its signatures is by a key that is trusted.
    #[error("the note is not signed by a key that is trusted")]
    UnknownKey,
    /// A signature does not fit.
    #[error("the signature does not fit: the note was altered")]
    Signature,
}

/// A key that signs. Its text is a secret.
pub struct LedgerKey {
    signer: StandardSigner,
    text: String,
    public: PublicKey,
}

/// The text of a key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a key of an audit log")]
pub struct NotAKey;

impl LedgerKey {
    /// The key of a log that these random bytes make.
    ///
    /// # Errors
    /// The name has a space or a `+` in it, or none at all.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, NotAKey> {
        let key = SigningKey::from_bytes(seed);
        let public = signed_note::new_ed25519_verifier_key(origin, &key.verifying_key());
        let id = PublicKey::parse(&public)?.id();
        let secret = encode(&[&[ED25519], seed.as_slice()].concat());
        Self::parse(&format!("{PRIVATE}+{origin}+{id}+{secret}"))
    }

    /// The key that this is the text of.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let signer = StandardSigner::new(text).map_err(|_| NotAKey)?;
        let parts: Vec<_> = text.splitn(5, '+').collect();
        let [_, _, origin, _, secret] = parts[..] else { return Err(NotAKey) };
        let secret = decode(secret).ok_or(NotAKey)?;
        let seed: &[u8; 32] = secret.get(1..).and_then(|seed| seed.try_into().ok()).ok_or(NotAKey)?;
        let public = signed_note::new_ed25519_verifier_key(origin, &SigningKey::from_bytes(seed).verifying_key());
        Ok(Self { signer, text: text.to_owned(), public: PublicKey::parse(&public)? })
    }

    /// Its text, which is a secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The key that tells its signatures.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The checkpoint of the log with so many entries under this root, as a signed note.
    ///
    /// # Errors
    /// Never, with a key that was parsed.
    pub fn checkpoint(&self, size: u64, root: &Hash) -> Result<String, NotAKey> {
        let checkpoint = tlog_tiles::Checkpoint::new(self.public.origin(), size, *root, "").map_err(|_| NotAKey)?;
        self.sign(&checkpoint.to_bytes())
    }

    /// Introduces the key that follows this one, as a signed note.
    ///
    /// # Errors
    /// Never, with a key that was parsed.
    pub fn introduce(&self, next: &PublicKey) -> Result<String, NotAKey> {
        self.sign(format!("{INTRODUCTION}\n{}\n{next}\n", self.public.origin()).as_bytes())
    }

    fn sign(&self, text: &[u8]) -> Result<String, NotAKey> {
        let mut note = Note::new(text, &[]).map_err(|_| NotAKey)?;
        let signers: [&dyn Signer; 1] = [&self.signer];
        note.add_sigs(&signers).map_err(|_| NotAKey)?;
        String::from_utf8(note.to_bytes()).map_err(|_| NotAKey)
    }
}

impl std::fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LedgerKey({})", self.public)
    }
}

/// A key that tells whether a signature is a ledger key's: `<name of the log>+<id>+<base64>`.
#[derive(Clone)]
pub struct PublicKey {
    verifier: StandardVerifier,
    text: String,
}

impl PublicKey {
    /// The key that this is the text of, without white space around it.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        Ok(Self { verifier: StandardVerifier::new(text).map_err(|_| NotAKey)?, text: text.to_owned() })
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// Which of the log's keys: 8 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:08x}", self.verifier.key_id())
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PublicKey {}

/// The keys of one log that are trusted: one from the beginning, and those that it has introduced.
#[derive(Clone, Debug)]
pub struct Trust {
    keys: Vec<PublicKey>,
    origin: String,
}

impl Trust {
    /// Trusts this key.
    #[must_use]
    pub fn in_key(key: PublicKey) -> Self {
        Self { origin: key.origin().to_owned(), keys: vec![key] }
    }

    /// Trusts this key, and those of these introductions that go back to it.
    ///
    /// # Errors
    /// [`Distrust`]: one of the introductions is not what it should be.
    pub fn in_keys(key: PublicKey, introductions: &[String]) -> Result<Self, Distrust> {
        let mut trust = Self::in_key(key);
        for introduction in introductions {
            match trust.introduce(introduction) {
                // One before the given key is none of its own.
                Ok(_) | Err(Distrust::UnknownKey) => {}
                Err(distrust) => return Err(distrust),
            }
        }
        Ok(trust)
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key that is trusted from the beginning.
    #[must_use]
    pub fn first(&self) -> Option<&PublicKey> {
        self.keys.first()
    }

    /// Trusts the key that a trusted one introduces.
    ///
    /// # Errors
    /// [`Distrust`]: the introduction is not believed, or the key is known already.
    pub fn introduce(&mut self, introduction: &str) -> Result<&PublicKey, Distrust> {
        let text = self.text_of(introduction)?;
        let lines: Vec<_> = text.lines().collect();
        let [INTRODUCTION, origin, key] = lines[..] else { return Err(Distrust::Malformed) };
        let key = PublicKey::parse(key).map_err(|_| Distrust::Malformed)?;
        if origin != self.origin || key.origin() != self.origin {
            return Err(Distrust::OtherLog);
        }
        if self.keys.contains(&key) {
            return Err(Distrust::Malformed);
        }
        self.keys.push(key);
        self.keys.last().ok_or(Distrust::Malformed)
    }

    /// What a checkpoint of the log says.
    ///
    /// # Errors
    /// [`Distrust`]: the checkpoint is not believed.
    pub fn read(&self, note: &str) -> Result<Checkpoint, Distrust> {
        let read = unverified(note)?;
        if read.origin != self.origin {
            return Err(Distrust::OtherLog);
        }
        self.text_of(note)?;
        Ok(read)
    }

    /// The text of a note that a trusted key has signed.
    fn text_of(&self, note: &str) -> Result<String, Distrust> {
        let note = Note::from_bytes(note.as_bytes()).map_err(|_| Distrust::Malformed)?;
        let verifiers = self.keys.iter().map(|key| Box::new(key.verifier.clone()) as Box<dyn Verifier>);
        match note.verify(&VerifierList::new(verifiers.collect())) {
            Ok(_) => String::from_utf8(note.text().to_vec()).map_err(|_| Distrust::Malformed),
            Err(signed_note::NoteError::UnverifiedNote) => Err(Distrust::UnknownKey),
            Err(signed_note::NoteError::InvalidSignature { .. }) => Err(Distrust::Signature),
            Err(_) => Err(Distrust::Malformed),
        }
    }
}

/// What a checkpoint says, whoever signed it.
///
/// # Errors
/// [`Distrust::Malformed`]: it is none.
pub fn unverified(note: &str) -> Result<Checkpoint, Distrust> {
    let note = Note::from_bytes(note.as_bytes()).map_err(|_| Distrust::Malformed)?;
    let read = tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|_| Distrust::Malformed)?;
    Ok(Checkpoint { origin: read.origin().to_owned(), size: read.size(), root: *read.hash() })
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    const ORIGIN: &str = "rondo/test";

    fn key(seed: u8) -> LedgerKey {
        LedgerKey::from_seed(ORIGIN, &[seed; 32]).unwrap()
    }

    #[test]
    fn the_form_of_a_checkpoint_never_changes() {
        let note = key(7).checkpoint(3, &tree::leaf(b"root")).unwrap();
        insta::assert_snapshot!(note);
        insta::assert_snapshot!(key(7).introduce(key(8).public()).unwrap());
        insta::assert_snapshot!(key(7).public().to_string());
    }

    #[test]
    fn a_key_survives_being_written() {
        let key = key(7);
        let read = LedgerKey::parse(key.expose()).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(PublicKey::parse(&format!(" {}\n", key.public())).unwrap(), *key.public());
        assert!(!format!("{key:?}").contains(key.expose()));
        for broken in ["", "PRIVATE+KEY", &key.expose()[1..], &key.public().to_string(), &format!("{}A", key.expose())]
        {
            assert!(LedgerKey::parse(broken).is_err(), "{broken}");
        }
        assert!(LedgerKey::from_seed("with space", &[1; 32]).is_err());
    }

    #[test]
    fn a_checkpoint_is_believed_only_as_it_was_signed() {
        let root = tree::leaf(b"root");
        let note = key(7).checkpoint(3, &root).unwrap();
        let trust = Trust::in_key(key(7).public().clone());
        assert_eq!(trust.read(&note), Ok(Checkpoint { origin: ORIGIN.to_owned(), size: 3, root }));
        assert_eq!(trust.read(&note.replacen("\n3\n", "\n4\n", 1)), Err(Distrust::Signature));
        assert_eq!(trust.read(&note.replacen('3', "03", 1)), Err(Distrust::Malformed));
        assert_eq!(trust.read(&key(8).checkpoint(3, &root).unwrap()), Err(Distrust::UnknownKey));
        let other = LedgerKey::from_seed("rondo/other", &[7; 32]).unwrap();
        assert_eq!(trust.read(&other.checkpoint(3, &root).unwrap()), Err(Distrust::OtherLog));
        for broken in ["", "rondo/test", &note[..note.len() - 1], &note.replace('\u{2014}', "-")] {
            assert_eq!(trust.read(broken), Err(Distrust::Malformed), "{broken}");
        }
        // A witness signs beside the log.
        let mut cosigned = Note::from_bytes(note.as_bytes()).unwrap();
        let witness = LedgerKey::from_seed("witness", &[9; 32]).unwrap();
        cosigned.add_sigs(&[&witness.signer]).unwrap();
        assert!(trust.read(std::str::from_utf8(&cosigned.to_bytes()).unwrap()).is_ok());
    }

    #[test]
    fn whoever_trusts_the_first_key_trusts_those_that_follow() {
        let mut trust = Trust::in_key(key(7).public().clone());
        let [second, third] = [key(8), key(9)];
        let by_second = second.introduce(third.public()).unwrap();
        assert_eq!(trust.introduce(&by_second), Err(Distrust::UnknownKey));
        assert_eq!(trust.introduce(&key(7).introduce(second.public()).unwrap()), Ok(second.public()));
        assert_eq!(trust.introduce(&by_second), Ok(third.public()));
        assert_eq!(trust.introduce(&by_second), Err(Distrust::Malformed));
        assert!(trust.read(&third.checkpoint(5, &tree::EMPTY).unwrap()).is_ok());
        let elsewhere = LedgerKey::from_seed("rondo/other", &[1; 32]).unwrap();
        assert_eq!(trust.introduce(&key(7).introduce(elsewhere.public()).unwrap()), Err(Distrust::OtherLog));
        assert_eq!(trust.introduce(&key(7).checkpoint(3, &tree::EMPTY).unwrap()), Err(Distrust::Malformed));
        assert_eq!(trust.read(&by_second), Err(Distrust::Malformed));
    }
}

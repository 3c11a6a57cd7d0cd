//! The proof that one entry is in the log: a document that is checked without the log.

use domain::view::AuditProofView;

use crate::{
    canonical::canonical,
    checkpoint::{PublicKey, Trust},
    export,
    tree::{self, Claim},
    verify::{Outside, What, place},
};

/// The `format` of a proof.
pub const FORMAT: &str = "rondo-audit-proof";

/// What was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The place of the entry.
    pub seq: u64,
    /// Entries of the log when it was signed.
    pub size: u64,
    /// The key that the signature goes back to.
    pub key: PublicKey,
}

/// Whether the document proves that its entry is in the log.
///
/// # Errors
/// [`What`] is wrong with it.
pub fn verify(proof: &AuditProofView, outside: &Outside) -> Result<Proved, What> {
    if proof.format != FORMAT {
        return Err(What::Header);
    }
    if !(export::BEFORE..=export::VERSION).contains(&proof.v) {
        return Err(What::Version(proof.v.to_string()));
    }
    let malformed = |why: &str| What::Malformed(why.to_owned());
    let own = PublicKey::parse(&proof.key).map_err(|_| malformed("the key is none"))?;
    let trust = Trust::in_keys(outside.key.clone().unwrap_or(own), &proof.introductions).map_err(What::Note)?;
    let signed = trust.read(&proof.checkpoint).map_err(What::Note)?;
    let seq = u64::try_from(place(&proof.body)?).map_err(|_| malformed("an entry without its place"))?;
    let text = canonical(&proof.body).map_err(|error| malformed(&error.to_string()))?;
    let hash = tree::leaf(text.as_bytes());
    if tree::text(&hash) != proof.hash {
        return Err(What::Hash);
    }
    let path: Option<Vec<_>> = proof.path.iter().map(|hash| tree::from_text(hash)).collect();
    let path = path.ok_or_else(|| malformed("the path has what is no hash"))?;
    let claim = Claim::Inclusion { seq, size: signed.size };
    if signed.size != proof.size || !claim.is_proved(&path, hash, signed.root) {
        return Err(What::Path);
    }
    for kept in &outside.checkpoints {
        // One of another size says nothing of this tree.
        let kept = trust.read(kept).map_err(What::Outside)?;
        if kept.size == signed.size && kept.root != signed.root {
            return Err(What::Rewritten { size: kept.size });
        }
    }
    let key = trust.first().cloned().ok_or_else(|| malformed("the key is none"))?;
    Ok(Proved { seq, size: signed.size, key })
}

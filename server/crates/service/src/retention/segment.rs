//! Segments: files that entries are archived in. Each is an evidence pack without what is only for reading, so that it is checked by
//! `rondo audit verify` as it is.

use std::{
    fmt,
    io::{self, Read},
};

use ledger::{
    checkpoint::PublicKey,
    evidence::{self, Broken},
    tree,
    verify::Outside,
};
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    audit::{AuditCheckpoint, AuditRow},
};

use super::archiving::Failure;
use crate::{
    evidence::{Proved, proved},
    packing::Packing,
    signed_log::keys,
    witnesses::cosignatures,
};

/// The most entries of a segment.
pub(super) const MOST: usize = 5_000;
/// The most bytes that are read of a file in a pack: one has at most 5,000 entries, of which few are large.
const LARGEST_MEMBER: u64 = 1 << 30;
/// How a segment is checked, for whoever opens it.
const README: &str = include_str!("README.txt");

/// Where segments are kept.
pub trait Archive: fmt::Debug + Send + Sync {
    /// What people are told of where that is.
    fn folder(&self) -> String;
    /// Makes sure that segments can be written.
    ///
    /// # Errors
    /// They cannot.
    fn prepare(&self) -> io::Result<()>;
    /// A file that is there.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>>;
    /// Writes a file, whole or not at all, so that it stays whatever becomes of the machine; one of this name is replaced.
    ///
    /// # Errors
    /// It cannot be written.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}

/// Why a file is no pack.
#[derive(Debug, thiserror::Error)]
pub enum NoPack {
    /// It cannot be read, or is no archive.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It lacks a file.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It has a file more than once.
    #[error("a file comes twice")]
    Twice,
}

/// What is verified of an evidence pack or a segment.
pub struct Pack {
    /// What it says of itself.
    pub manifest: String,
    /// The proofs of its entries.
    pub proofs: String,
    /// What witnesses have cosigned of its checkpoint; empty if nothing.
    pub cosignatures: String,
}

/// The files of an evidence pack or a segment that are verified.
///
/// # Errors
/// [`NoPack`].
pub fn read_pack(archive: impl Read) -> Result<Pack, NoPack> {
    let (mut manifest, mut proofs, mut cosignatures) = (None, None, None);
    for member in tar::Archive::new(archive).entries()? {
        let member = member?;
        let name = member.path_bytes().into_owned();
        let place = match name.as_slice() {
            name if name == evidence::MANIFEST.as_bytes() => &mut manifest,
            name if name == evidence::PROOFS.as_bytes() => &mut proofs,
            name if name == evidence::COSIGNATURES.as_bytes() => &mut cosignatures,
            _ => continue,
        };
        let mut text = String::new();
        member.take(LARGEST_MEMBER).read_to_string(&mut text)?;
        if place.replace(text).is_some() {
            return Err(NoPack::Twice);
        }
    }
    Ok(Pack {
        manifest: manifest.ok_or(NoPack::Missing(evidence::MANIFEST))?,
        proofs: proofs.ok_or(NoPack::Missing(evidence::PROOFS))?,
        cosignatures: cosignatures.unwrap_or_default(),
    })
}

/// A segment of these rows, which are in order; without what names people in them.
pub(super) async fn pack(
    unit: &mut dyn UnitOfWork,
    about: Value,
    rows: &[AuditRow],
    signed: &AuditCheckpoint,
) -> Result<Vec<u8>, Failure> {
    let rows: Vec<_> = rows.iter().map(|row| AuditRow { personal: None, ..row.clone() }).collect();
    let Proved { mut files, .. } = proved(unit, about, &rows, signed).await?;
    let cosigned = cosignatures(unit, signed).await?;
    files.extend((!cosigned.is_empty()).then_some((evidence::COSIGNATURES, cosigned)));
    let mut packing = Packing::begin(u64::try_from(signed.at.as_micros() / 1_000_000).unwrap_or_default());
    packing.add("README.txt", README.as_bytes()).map_err(Failure::Packing)?;
    for (name, content) in files {
        packing.add(name, content.as_bytes()).map_err(Failure::Packing)?;
    }
    packing.end().map_err(Failure::Packing)
}

/// Whether a file, as it was read, holds exactly these rows and proves that they are in the log.
pub(super) async fn check(
    unit: &mut dyn UnitOfWork,
    bytes: &[u8],
    rows: &[AuditRow],
) -> Result<Result<(), String>, Failure> {
    let (key, _) = keys(unit).await?;
    let key = PublicKey::parse(&key).map_err(|_| store::StoreError::Inconsistent("audit_keys".to_owned()))?;
    Ok(proves(bytes, key, rows))
}

fn proves(bytes: &[u8], key: PublicKey, rows: &[AuditRow]) -> Result<(), String> {
    let Pack { manifest, proofs, .. } = read_pack(bytes).map_err(|cause| cause.to_string())?;
    let outside = Outside { key: Some(key), ..Outside::default() };
    evidence::verify(manifest.as_bytes(), &proofs, &outside).map_err(|broken: Broken| broken.to_string())?;
    // Each proof is sound, so its hash is that of its body.
    let mut lines = proofs.lines();
    for row in rows {
        let proof: Value = lines.next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let hash = proof.get("hash").and_then(Value::as_str);
        if hash != Some(&tree::text(&tree::leaf(row.body.as_bytes())))
            || proof.pointer("/body/seq") != Some(&json!(row.seq))
        {
            return Err(format!("entry {} is not in it as it is in the log", row.seq));
        }
    }
    match lines.next() {
        None => Ok(()),
        Some(_) => Err("it has more entries than it should".to_owned()),
    }
}

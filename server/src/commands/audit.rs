//! `rondo audit export|verify|key|rotate-key|witness`

pub(super) mod witness;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read as _, Seek as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use domain::{Timestamp, view::AuditProofView};
use ledger::{
    checkpoint::PublicKey,
    cosignature::{Quorum, WitnessKey, Witnessed},
    evidence,
    proof::{self, Proved},
    tree::{self, Hash},
    verify::{self as verifier, Completeness, Outside, Segments, Verdict, What},
};
use service::{Pack, read_pack};

use super::in_words;
use crate::{config::Config, wiring::Foundation};

/// Bytes of an export that are read at once.
const BUFFER: usize = 256 << 10;
/// What stands in the first header of a tar archive, and where.
const MARK: &[u8] = b"ustar";
const MARK_AT: usize = 257;
/// The most bytes that the proof of an entry has: an entry has at most a little over 1 MiB.
const LARGEST_PROOF: u64 = 4 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the whole audit log as JSON Lines
    Export {
        /// The file to write; without, standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check an export, an evidence pack, or the proof of an entry: that nothing was altered and nothing is missing; needs neither server nor
    /// database
    Verify(Verification),
    /// Sign the log with a new key from now on, which the key so far introduces
    RotateKey,
    /// Print the public key of the log, by which its signatures are told
    Key,
    /// Witness the logs of others: cosign their checkpoints once they have proved that they have only grown. The key is made at
    /// the first start; key and records are in the directory of --data
    Witness(witness::Options),
}

#[derive(Debug, Args)]
pub(super) struct Verification {
    /// The export, the pack, or the proof
    file: PathBuf,
    /// A file with a public key of the log from elsewhere; without, the file's own is taken
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A file with a checkpoint that was kept elsewhere, to tell whether all that it covers is there
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The public key of a witness that has to have cosigned the last checkpoint, as the witness prints it
    #[arg(long, value_name = "VKEY")]
    witness: Vec<String>,
    /// How many of these witnesses have to have cosigned it [default: all]
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<usize>,
    /// A segment that entries of the export were archived in, to check them as well
    #[arg(long, value_name = "SEGMENT")]
    archive: Vec<PathBuf>,
}

pub(super) async fn export(config: &Config, out: Option<&Path>) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    let mut pieces = service.console_export_audit().await.map_err(|problem| in_words(&problem))?;
    let mut writer: Box<dyn Write + Send> = match out {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|problem| in_words(&problem))?;
        writer.write_all(piece.as_bytes()).context("the export cannot be written")?;
    }
    writer.flush().context("the export cannot be written")?;
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(asked: &Verification) -> Result<ExitCode> {
    let path = asked.file.as_path();
    let outside = Outside {
        key: asked.key.as_deref().map(key_in).transpose()?,
        checkpoints: asked.checkpoint.iter().map(|path| text_in(path)).collect::<Result<_>>()?,
    };
    let mut segments = Segments::new();
    for segment in &asked.archive {
        match segment_in(segment, &outside)? {
            Ok((name, entries)) => _ = segments.insert(name, entries),
            Err(broken) => {
                println!("{}: {broken}", segment.display());
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    let quorum = quorum(asked)?;
    let (code, note) = verified(path, &outside, &segments)?;
    let Some(quorum) = quorum else { return Ok(code) };
    let witnessed = say_witnessed(&quorum.judge(&note.unwrap_or_default()));
    Ok(if code == ExitCode::SUCCESS { witnessed } else { code })
}

/// The witnesses that were asked for, and how many of them are enough.
fn quorum(asked: &Verification) -> Result<Option<Quorum>> {
    if asked.witness.is_empty() {
        return Ok(None);
    }
    let keys = asked.witness.iter().map(|text| WitnessKey::parse(text).with_context(|| format!("“{text}”")));
    Ok(Some(Quorum::new(keys.collect::<Result<_>>()?, asked.quorum)?))
}

/// What came of verifying the file, and the checkpoint that witnesses are to have cosigned.
fn verified(path: &Path, outside: &Outside, segments: &Segments) -> Result<(ExitCode, Option<String>)> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if let Some(files) = pack_in(&file)? {
        let Pack { manifest, proofs, cosignatures } =
            files.with_context(|| format!("{} is no evidence pack", path.display()))?;
        let proved = evidence::verify(manifest.as_bytes(), &proofs, outside);
        let note = proved.as_ref().ok().and_then(|proved| proved.manifest.cosigned(&cosignatures));
        return Ok((say_of_pack(path, &proved, outside), note));
    }
    if let Some(proof) = proof_in(&file)? {
        let proved = proof::verify(&proof, outside);
        return Ok((say_of_proof(path, &proved, outside), proved.is_ok().then_some(proof.checkpoint)));
    }
    let read = verifier::verify_with(BufReader::with_capacity(BUFFER, file), outside, segments);
    let verdict = read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok((say_of_log(path, &verdict, outside), verdict.last_checkpoint))
}

/// What is verified of the evidence pack that the file is, if it is an archive; it is read from its beginning then.
fn pack_in(mut file: &File) -> Result<Option<Result<Pack>>> {
    let mut head = [0; 512];
    let is_archive =
        file.read_exact(&mut head).is_ok() && head.get(MARK_AT..).is_some_and(|head| head.starts_with(MARK));
    file.rewind().context("the file cannot be read again from its beginning")?;
    let read = || Ok(read_pack(BufReader::with_capacity(BUFFER, file))?);
    Ok(is_archive.then(read))
}

/// What a segment holds: its name, and the hashes of its entries by their places.
type Held = (String, BTreeMap<u64, Hash>);

/// A segment that proves its entries.
fn segment_in(path: &Path, outside: &Outside) -> Result<Result<Held, evidence::Broken>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let files = read_pack(BufReader::with_capacity(BUFFER, file));
    let Pack { manifest, proofs, .. } = files.with_context(|| format!("{} is no segment", path.display()))?;
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{} has no name of a segment", path.display()))?.to_owned();
    let beside = path.with_file_name(evidence::names_beside(&name));
    let names = beside.exists().then(|| text_in(&beside)).transpose()?;
    let proved = evidence::verify(manifest.as_bytes(), &proofs, outside);
    Ok(proved.and_then(|proved| {
        if let Some(names) = names {
            let named = evidence::verify_names(&proofs, &names)?.len();
            println!("archived: {}: what names people in {named} entries is what was hashed", beside.display());
        }
        Ok((name, proved.hashes))
    }))
}

/// The proof that the file holds; none if it holds something else, which is read from its beginning then.
fn proof_in(mut file: &File) -> Result<Option<AuditProofView>> {
    let mut text = String::new();
    let read = file.take(LARGEST_PROOF).read_to_string(&mut text);
    file.rewind().context("the file cannot be read again from its beginning")?;
    Ok(read.ok().and_then(|_| serde_json::from_str(&text).ok()))
}

fn key_in(path: &Path) -> Result<PublicKey> {
    PublicKey::parse(&text_in(path)?).with_context(|| format!("{} is no key", path.display()))
}

fn text_in(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn say_of_proof(path: &Path, proved: &Result<Proved, What>, outside: &Outside) -> ExitCode {
    match proved {
        Ok(Proved { seq, size, key }) => {
            println!("sound: entry {seq} is in the log of {size} entries that was signed");
            say_key(key, outside);
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{}: {what}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn say_of_pack(path: &Path, proved: &Result<evidence::Proved, evidence::Broken>, outside: &Outside) -> ExitCode {
    match proved {
        Ok(evidence::Proved { manifest, key, .. }) => {
            println!("about: {}", manifest.about);
            println!(
                "sound: {} entries are in the log of {} entries that was signed",
                manifest.entries.len(),
                manifest.size
            );
            println!("whether there are others on the matter is told by an export of the whole log");
            if let Some(key) = key {
                say_key(key, outside);
            }
            ExitCode::SUCCESS
        }
        Err(broken) => {
            println!("{}: {broken}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn say_of_log(path: &Path, verdict: &Verdict, outside: &Outside) -> ExitCode {
    let Verdict { entries, checkpoints, root, .. } = verdict;
    let unsound = verdict.fault.is_some();
    match &verdict.fault {
        Some(fault) => {
            println!("{}: {fault}", path.display());
            println!("integrity: broken; the {entries} entries before that are in their places");
        }
        None => {
            println!("sound: {entries} entries, {checkpoints} checkpoints, root {}", tree::text(root));
            println!("integrity: nothing was altered");
            say_archived(verdict);
        }
    }
    let missing = matches!(verdict.completeness, Completeness::Missing { .. });
    match verdict.completeness {
        Completeness::Proved { up_to } => {
            println!(
                "completeness: nothing is missing up to entry {up_to}, which the checkpoint from elsewhere covers"
            );
        }
        Completeness::Unproved => {
            println!(
                "completeness: nothing is missing in between; whether the end was cut off is told by a checkpoint from \
                 elsewhere (--checkpoint)"
            );
        }
        Completeness::Missing { from, to } => println!("completeness: the entries from {from} to {to} are missing"),
        Completeness::Unknown => println!("completeness: not known"),
    }
    if let Some(key) = &verdict.key {
        say_key(key, outside);
    }
    if unsound || missing { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Whether enough witnesses have cosigned the checkpoint: who, when, and who has not.
fn say_witnessed(witnessed: &Witnessed) -> ExitCode {
    let Witnessed { size, needed, by, lacking } = witnessed;
    let (verdict, code) = if witnessed.is_enough() {
        (format!("proved up to entry {size}"), ExitCode::SUCCESS)
    } else {
        ("NOT PROVED".to_owned(), ExitCode::FAILURE)
    };
    let (cosigned, all) = (by.len(), by.len() + lacking.len());
    println!("witnessed: {verdict}; {cosigned} of {all} witnesses have cosigned the last checkpoint, {needed} have to");
    for cosignature in by {
        let at = i64::try_from(cosignature.time).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
        let at = at.map_or_else(|| cosignature.time.to_string(), |micros| Timestamp::from_micros(micros).to_string());
        println!("  {} has cosigned {size} entries at {at}", cosignature.witness);
    }
    for one in lacking {
        let why = if one.altered { "its cosignature does not fit: something was altered" } else { "has not cosigned" };
        println!("  {}: {why}", one.witness);
    }
    code
}

fn say_archived(verdict: &Verdict) {
    if verdict.archived == 0 {
        return;
    }
    println!("archived: {} entries, of which the export has the hashes alone", verdict.archived);
    match verdict.unseen {
        0 => println!("archived: the given segments hold every one of them, unaltered"),
        unseen => println!("archived: {unseen} were not seen; give their segments with --archive"),
    }
}

fn say_key(key: &PublicKey, outside: &Outside) {
    match outside.key {
        Some(_) => println!("signed by the given key {key}, or one that it introduced"),
        None => println!("signed by the key that the file names, {key}; compare it with one from elsewhere (--key)"),
    }
}

pub(super) async fn key(config: &Config) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let key = foundation.console(config)?.console_audit_key().await.map_err(|problem| in_words(&problem))?;
    println!("{key}");
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn rotate_key(config: &Config) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let key = foundation.console(config)?.console_rotate_audit_key().await.map_err(|problem| in_words(&problem))?;
    println!("{key}");
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

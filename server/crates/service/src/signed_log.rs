//! The audit log as something that is signed: its keys, its checkpoints, and what is proved of it.
//!
//! At most a minute after something has come into the log, and before anybody is given a proof, the log is signed as it is
//! then. The last checkpoint is kept outside the database as well ([`Anchor`]): a database that was put back to an earlier
//! copy cannot know that by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::Arc,
    time::Duration,
};

use audit::Stored;
use domain::{
    ErrorCode, Operation, Problem,
    view::{AuditCheckpointView, AuditConsistencyView, AuditProofView},
};
use identity::vault::Vault;
use ledger::{
    checkpoint::{Checkpoint, Distrust, LedgerKey, PublicKey, Trust, unverified},
    export, growth, proof,
    tree::{self, Claim, Hash},
    verify::What,
};
use policy::Resource;
use serde_json::json;
use store::{
    StoreError, UnitOfWork,
    audit::{AuditCheckpoint, AuditKey, AuditRow},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{Caller, Service, audit_log::target, problems::OrProblem as _};

/// How long entries stay unsigned at most.
const PAUSE: Duration = Duration::from_mins(1);
/// Rows and checkpoints that are read at once.
const ROWS: u32 = 1_000;

/// Where the last checkpoint is kept outside the database.
pub trait Anchor: fmt::Debug + Send + Sync {
    /// The note that was kept last.
    ///
    /// # Errors
    /// It cannot be read.
    fn kept(&self) -> io::Result<Option<String>>;
    /// Keeps this one in its place.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep(&self, note: &str) -> io::Result<()>;
}

impl Service {
    /// Gives all that is durable its place in the log.
    pub(crate) async fn sequence(&self) -> store::Result<()> {
        audit::sequence(self.parts.store.as_ref(), self.parts.random.as_ref()).await
    }

    /// Signs the log as it is now, unless it has been; the checkpoint over all of it.
    pub(crate) async fn checkpoint(&self) -> store::Result<AuditCheckpoint> {
        let store = self.parts.store.as_ref();
        self.sequence().await?;
        let mut unit = store.snapshot().await?;
        let growth = audit::resume(unit.as_mut()).await?;
        let size = i64::try_from(growth.size()).map_err(|_| inconsistent("audit_tiles"))?;
        let last = unit.last_audit_checkpoint().await?;
        if let Some(last) = last.filter(|last| last.size == size) {
            return Ok(last);
        }
        drop(unit);
        let key = self.signing_key().await?;
        let note = key.checkpoint(growth.size(), &growth.root()).map_err(|_| inconsistent("audit_keys"))?;
        let signed = AuditCheckpoint { size, at: self.now(), note };
        let mut unit = store.begin().await?;
        let is_first = unit.insert_audit_checkpoint(&signed).await?;
        unit.commit().await?;
        if is_first {
            return Ok(signed);
        }
        let found = store.snapshot().await?.audit_checkpoints(size, 1).await?;
        found.into_iter().next().ok_or_else(|| inconsistent("audit_checkpoints"))
    }

    /// The newest key; the first is made when there is none.
    async fn signing_key(&self) -> store::Result<LedgerKey> {
        loop {
            let keys = self.parts.store.snapshot().await?.audit_keys().await?;
            if let Some(newest) = keys.last() {
                return open(&self.parts.vault, newest);
            }
            let mut name = [0; 8];
            self.parts.random.fill(&mut name);
            let (first, _) = self.new_key(&format!("rondo/{}", hex::encode(name)), 1, None)?;
            let mut unit = self.parts.store.begin().await?;
            match unit.insert_audit_key(&first).await {
                Ok(()) => unit.commit().await?,
                // Another node was quicker.
                Err(StoreError::Duplicate(_)) => unit.rollback().await?,
                Err(other) => return Err(other),
            }
        }
    }

    fn new_key(&self, origin: &str, number: i64, before: Option<&LedgerKey>) -> store::Result<(AuditKey, PublicKey)> {
        let mut seed = [0; 32];
        self.parts.random.fill(&mut seed);
        let key = LedgerKey::from_seed(origin, &seed).map_err(|_| inconsistent("audit_keys"))?;
        let public = key.public().clone();
        let introduction = before.map(|before| before.introduce(&public)).transpose();
        let row = AuditKey {
            id: public.id(),
            number,
            public: public.to_string(),
            sealed: self.parts.vault.seal(&place(&public.id()), key.expose()),
            introduction: introduction.map_err(|_| inconsistent("audit_keys"))?,
            created_at: self.now(),
        };
        Ok((row, public))
    }

    /// Signs the log now and then until told to stop. Whatever is entered while the server stops is signed by who calls
    /// [`Service::sign_audit`] at the end.
    pub async fn keep_signing_audit(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.sign_audit().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Signs the log as it is now, and keeps the checkpoint outside the database.
    pub async fn sign_audit(&self) {
        if let Err(cause) = self.checkpoint_and_anchor().await {
            warn!(error = &cause as &dyn std::error::Error, "the audit log could not be signed, trying again later");
        }
    }

    async fn checkpoint_and_anchor(&self) -> store::Result<()> {
        let signed = self.checkpoint().await?;
        let kept = match self.anchored().await {
            Ok(kept) => kept,
            Err(cause) => {
                warn!(error = &cause as &dyn std::error::Error, "the checkpoint outside the database cannot be read");
                return Ok(());
            }
        };
        if kept.as_ref() == Some(&signed.note) {
            return Ok(());
        }
        if let Some(kept) = &kept {
            let mut unit = self.parts.store.snapshot().await?;
            let now = checkpoint_says(&signed)?;
            if let Some(fault) = grown_from(unit.as_mut(), unverified(kept), &now).await? {
                // It is the evidence, and stays.
                error!("{fault}; the checkpoint that was kept outside the database is not replaced");
                return Ok(());
            }
        }
        if let Err(cause) = self.with_anchor(move |anchor| anchor.keep(&signed.note)).await {
            warn!(error = &cause as &dyn std::error::Error, "the checkpoint could not be kept outside the database");
        }
        Ok(())
    }

    /// Introduces a new key with which the log is signed from now on, and has it signed at once.
    pub(crate) async fn introduce_audit_key(&self, unit: &mut dyn UnitOfWork) -> store::Result<PublicKey> {
        let keys = unit.audit_keys().await?;
        let newest = keys.last().ok_or_else(|| inconsistent("audit_keys"))?;
        let before = open(&self.parts.vault, newest)?;
        let (row, public) = self.new_key(before.public().origin(), newest.number + 1, Some(&before))?;
        unit.insert_audit_key(&row).await?;
        Ok(public)
    }

    /// The log as it is signed now, with the keys that tell that it is.
    pub async fn audit_checkpoint(&self, caller: &Caller) -> Result<AuditCheckpointView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        gate.note_reading(&target(), json!({"checkpoint": true})).await?;
        let signed = self.checkpoint().await.or_problem()?;
        let signed = self.cosigned(signed).await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let (key, introductions) = keys(unit.as_mut()).await.or_problem()?;
        let read = checkpoint_says(&signed).or_problem()?;
        Ok(AuditCheckpointView {
            origin: read.origin,
            size: read.size,
            root: tree::text(&read.root),
            at: signed.at,
            checkpoint: signed.note,
            key,
            introductions,
        })
    }

    /// The proof that an entry is in the log, which `rondo audit verify` checks without a server.
    pub async fn audit_proof(&self, caller: &Caller, seq: i64) -> Result<AuditProofView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let absent = || Problem::new(ErrorCode::NotFound).with_detail("the log has no such entry");
        gate.note_reading(&target(), json!({"proof": seq})).await?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let mut signed = unit.last_audit_checkpoint().await.or_problem()?;
        if signed.as_ref().is_none_or(|signed| signed.size < seq) {
            signed = Some(self.checkpoint().await.or_problem()?);
            unit = self.parts.store.snapshot().await.or_problem()?;
        }
        let (Some(row), Some(signed)) = (unit.audit_entry(seq).await.or_problem()?, signed) else {
            return Err(absent());
        };
        if let Some(segment) = &row.segment {
            let why = format!("entry {seq} was archived in {segment}, which holds its proof; see Audit log, Retention");
            return Err(Problem::new(ErrorCode::EntryArchived).with_detail(why));
        }
        drop(unit);
        let signed = self.cosigned(signed).await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let mut prover = Prover::new(unit.as_mut(), &signed).await.or_problem()?;
        let proofs = prover.prove(unit.as_mut(), &[row]).await.or_problem()?;
        proofs.into_iter().next().ok_or_else(absent)
    }

    /// The proof that the log of `to` entries begins with what it was at `from`; as it is now without `to`.
    pub async fn audit_consistency(
        &self,
        caller: &Caller,
        from: u64,
        to: Option<u64>,
    ) -> Result<AuditConsistencyView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        gate.note_reading(&target(), json!({"consistency": {"from": from, "to": to}})).await?;
        self.sequence().await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let size = u64::try_from(unit.audit_tree_size().await.or_problem()?).unwrap_or_default();
        let to = to.unwrap_or(size);
        let possible = from >= 1 && from <= to && to <= size;
        if !possible {
            let why = format!("1 <= from <= to <= {size} does not hold");
            return Err(Problem::new(ErrorCode::InvalidInput).with_detail(why));
        }
        let path = prove(unit.as_mut(), Claim::Consistency { from, to }).await.or_problem()?;
        let roots = [root_of(unit.as_mut(), from).await.or_problem()?, root_of(unit.as_mut(), to).await.or_problem()?];
        let [from_root, to_root] = roots.map(|root| tree::text(&root));
        Ok(AuditConsistencyView { from, to, from_root, to_root, path: path.iter().map(tree::text).collect() })
    }

    /// The checkpoint that was kept outside the database.
    pub(crate) async fn anchored(&self) -> io::Result<Option<String>> {
        self.with_anchor(|anchor| anchor.kept()).await
    }

    async fn with_anchor<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn Anchor) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let anchor = Arc::clone(&self.parts.anchor);
        tokio::task::spawn_blocking(move || act(anchor.as_ref())).await.map_err(io::Error::other)?
    }
}

/// The public key of the log, and the notes that introduce those after it.
pub(crate) async fn keys(unit: &mut dyn UnitOfWork) -> store::Result<(String, Vec<String>)> {
    let mut keys = unit.audit_keys().await?.into_iter();
    let first = keys.next().ok_or_else(|| inconsistent("audit_keys"))?;
    Ok((first.public, keys.filter_map(|key| key.introduction).collect()))
}

/// How the stored log has not grown from the checkpoint that was kept outside the database.
async fn grown_from(
    unit: &mut dyn UnitOfWork,
    kept: Result<Checkpoint, Distrust>,
    now: &Checkpoint,
) -> store::Result<Option<String>> {
    let kept = match kept {
        Ok(kept) => kept,
        Err(distrust) => return Ok(Some(format!("the checkpoint outside the database: {distrust}"))),
    };
    let path = match growth::claim(&kept, now) {
        Some(claim) => prove(unit, claim).await?,
        None => Vec::new(),
    };
    Ok(growth::verify(&kept, now, &path).err().map(|what| what.to_string()))
}

/// The first fault of the log as it is stored: of its entries, of the tree over them, of what was signed of them; compared with
/// a checkpoint from outside, if there is one.
pub(crate) async fn check_stored(
    unit: &mut dyn UnitOfWork,
    anchored: Option<&str>,
    rows: &mut Stored,
) -> store::Result<Option<String>> {
    let trust = match trust(unit).await? {
        Ok(trust) => trust,
        Err(fault) => return Ok(Some(fault)),
    };
    *rows = Stored::with_segments(unit.list_audit_segments(None, u32::MAX).await?);
    let mut signed = Signed::default();
    if let Some(fault) = signed.compare(unit, trust.as_ref(), rows).await? {
        return Ok(Some(fault));
    }
    loop {
        let after = i64::try_from(rows.size()).map_err(|_| inconsistent("audit_entries"))?;
        let page = unit.audit_from(after, ROWS).await?;
        let Some(last) = page.last() else { break };
        let hashes = audit::leaves(unit, after + 1..=last.seq).await?;
        for row in &page {
            if let Err(what) = rows.accept(row, hashes.get(&row.seq)) {
                return Ok(Some(format!("entry {}: {what}", row.seq)));
            }
            if let Some(fault) = signed.compare(unit, trust.as_ref(), rows).await? {
                return Ok(Some(fault));
            }
        }
    }
    let entries = rows.size();
    let cut = |known: u64| format!("there are {entries} entries of {known}: the end of the log was cut off");
    for known in [unit.audit_size().await?, unit.audit_tree_size().await?] {
        if u64::try_from(known) != Ok(entries) {
            return Ok(Some(cut(u64::try_from(known).unwrap_or_default())));
        }
    }
    if let Some(beyond) = unit.last_audit_checkpoint().await?.and_then(|last| u64::try_from(last.size).ok())
        && beyond > entries
    {
        return Ok(Some(cut(beyond)));
    }
    if audit::resume(unit).await?.root() != rows.root() {
        return Ok(Some("the stored tree is not the one over the entries: its tiles were altered".to_owned()));
    }
    // What tells of one that was written just now may still wait for its place.
    if let Some(segment) = rows.untold()
        && unit.is_audit_queue_empty().await?
    {
        return Ok(Some(format!("no entry tells of the segment {segment} as it is: it was made up or altered")));
    }
    let (Some(anchored), Some(trust)) = (anchored, trust) else { return Ok(None) };
    let now = Checkpoint { origin: trust.origin().to_owned(), size: entries, root: rows.root() };
    grown_from(unit, trust.read(anchored), &now).await
}

/// The checkpoints as the walk along the entries comes to them.
#[derive(Default)]
struct Signed {
    ahead: std::collections::VecDeque<AuditCheckpoint>,
    /// None are left behind this many entries.
    read_to: Option<i64>,
    before: u64,
}

impl Signed {
    /// How a checkpoint over as many entries as there are now does not fit.
    async fn compare(
        &mut self,
        unit: &mut dyn UnitOfWork,
        trust: Option<&Trust>,
        rows: &Stored,
    ) -> store::Result<Option<String>> {
        let size = i64::try_from(rows.size()).map_err(|_| inconsistent("audit_entries"))?;
        if self.ahead.is_empty() && self.read_to.is_none_or(|read| read < size) {
            self.ahead = unit.audit_checkpoints(size, ROWS).await?.into();
            self.read_to = Some(self.ahead.back().map_or(i64::MAX, |last| last.size));
        }
        let Some(signed) = self.ahead.pop_front_if(|signed| signed.size == size) else { return Ok(None) };
        let Some(trust) = trust else { return Ok(Some("there are checkpoints, and no key".to_owned())) };
        let from = std::mem::replace(&mut self.before, rows.size()) + 1;
        Ok(match trust.read(&signed.note) {
            Err(distrust) => Some(format!("the checkpoint over {size} entries: {distrust}")),
            Ok(read) if i64::try_from(read.size) != Ok(size) => {
                Some(format!("the checkpoint over {size} entries says {}", read.size))
            }
            Ok(read) if read.root != rows.root() => Some(What::Root { from, to: rows.size() }.to_string()),
            Ok(_) => None,
        })
    }
}

/// The keys of the log, if it has any; or why they are not believed.
async fn trust(unit: &mut dyn UnitOfWork) -> store::Result<Result<Option<Trust>, String>> {
    let mut rows = unit.audit_keys().await?.into_iter();
    let Some(first) = rows.next() else { return Ok(Ok(None)) };
    let Ok(first) = PublicKey::parse(&first.public) else { return Ok(Err("the first key is none".to_owned())) };
    let mut trust = Trust::in_key(first);
    for row in rows {
        let known = trust.introduce(row.introduction.as_deref().unwrap_or_default()).map(ToString::to_string);
        match known {
            Ok(key) if key == row.public => {}
            Ok(_) => return Ok(Err(format!("the key {} is not the one that was introduced", row.id))),
            Err(distrust) => return Ok(Err(format!("the key {}: {distrust}", row.id))),
        }
    }
    Ok(Ok(Some(trust)))
}

/// What proves that entries are in the log as it was signed.
pub(crate) struct Prover<'c> {
    signed: &'c AuditCheckpoint,
    size: u64,
    /// The public key of the log.
    pub(crate) key: String,
    /// The notes that introduce the keys after it.
    pub(crate) introductions: Vec<String>,
    /// Tiles above those of the entries, which many proofs share.
    shared: BTreeMap<tree::TileAt, Vec<Hash>>,
}

impl<'c> Prover<'c> {
    pub(crate) async fn new(unit: &mut dyn UnitOfWork, signed: &'c AuditCheckpoint) -> store::Result<Self> {
        let (key, introductions) = keys(unit).await?;
        let size = u64::try_from(signed.size).map_err(|_| inconsistent("audit_checkpoints"))?;
        Ok(Self { signed, size, key, introductions, shared: BTreeMap::new() })
    }

    /// The proofs of these entries.
    pub(crate) async fn prove(
        &mut self,
        unit: &mut dyn UnitOfWork,
        rows: &[AuditRow],
    ) -> store::Result<Vec<AuditProofView>> {
        let size = self.size;
        let claim = |row: &AuditRow| Claim::Inclusion { seq: u64::try_from(row.seq).unwrap_or_default(), size };
        let wanted: BTreeSet<_> = rows.iter().flat_map(|row| claim(row).tiles()).collect();
        let mut tiles = std::mem::take(&mut self.shared);
        let missing = wanted.into_iter().filter(|at| !tiles.contains_key(at)).collect::<Vec<_>>();
        tiles.extend(audit::tiles(unit, missing).await?);
        let proof = |row: &AuditRow| {
            let path = claim(row).prove(&tiles).map_err(|_| inconsistent("audit_tiles"))?;
            Ok(AuditProofView {
                format: proof::FORMAT.to_owned(),
                v: export::VERSION,
                key: self.key.clone(),
                introductions: self.introductions.clone(),
                body: serde_json::from_str(&row.body).map_err(|_| inconsistent("audit_entries"))?,
                personal: row
                    .personal
                    .as_deref()
                    .map(serde_json::from_str)
                    .transpose()
                    .map_err(|_| inconsistent("audit_entries"))?,
                hash: tree::text(&tree::leaf(row.body.as_bytes())),
                size,
                path: path.iter().map(tree::text).collect(),
                checkpoint: self.signed.note.clone(),
            })
        };
        let proofs = rows.iter().map(proof).collect();
        tiles.retain(|at, _| at.level > 0);
        self.shared = tiles;
        proofs
    }
}

async fn prove(unit: &mut dyn UnitOfWork, claim: Claim) -> store::Result<Vec<Hash>> {
    let tiles = audit::tiles(unit, claim.tiles()).await?;
    claim.prove(&tiles).map_err(|_| inconsistent("audit_tiles"))
}

/// The root of the stored tree when it was over so many entries.
async fn root_of(unit: &mut dyn UnitOfWork, size: u64) -> store::Result<Hash> {
    let tiles = audit::tiles(unit, tree::tiles_of_root(size)).await?;
    tree::root_from(size, &tiles).ok_or_else(|| inconsistent("audit_tiles"))
}

fn open(vault: &Vault, key: &AuditKey) -> store::Result<LedgerKey> {
    let sealed = vault.unseal(&place(&key.id), &key.sealed).map_err(|_| inconsistent("audit_keys"))?;
    LedgerKey::parse(sealed.expose()).map_err(|_| inconsistent("audit_keys"))
}

/// What a key is sealed to.
fn place(id: &str) -> String {
    format!("audit-key:{id}")
}

/// What a checkpoint of the log says.
pub(crate) fn checkpoint_says(signed: &AuditCheckpoint) -> store::Result<Checkpoint> {
    unverified(&signed.note).map_err(|_| inconsistent("audit_checkpoints"))
}

fn inconsistent(what: &str) -> StoreError {
    StoreError::Inconsistent(what.to_owned())
}

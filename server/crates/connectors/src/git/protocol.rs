//! Git's smart protocol, as much of it as reading one branch takes: where the branch stands, and all that it consists of.
//!
//! Version 2 is asked for; a server that knows only version 0 or 1 answers in that.

use gix_hash::ObjectId;
use gix_packetline::{BandRef, PacketLineRef};

use super::{
    GitError,
    wire::{Order, Packet, Packets, Remote},
};

const AGENT: &str = concat!("agent=rondo/", env!("CARGO_PKG_VERSION"));
const OBJECT_FORMAT: &str = "object-format=";

/// Where a branch stands, and how its server is spoken to.
pub(super) struct Tip {
    pub(super) id: ObjectId,
    /// Whether the server leaves out large files when it is asked to.
    pub(super) filters: bool,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Or 1, which differs from it by a line at the beginning.
    Zero,
    Two,
}

/// Where the branch of this name stands.
pub(super) async fn tip(remote: &mut Remote, name: &str) -> Result<Tip, GitError> {
    let missing = || GitError::NoBranch { name: name.to_owned() };
    // Nothing of that kind can be in the name of a branch, and a line of the protocol is not to end before its end.
    if name.is_empty() || name.contains(|c: char| c.is_control() || c == ' ') {
        return Err(missing());
    }
    let reference = format!("refs/heads/{name}");
    let mut offer = remote.offer().await?;
    let mut line = offer.line().await?;
    if line.as_deref().is_some_and(|line| line.starts_with("# service=")) {
        while offer.line().await?.is_some() {}
        line = offer.line().await?;
    }
    if line.as_deref() == Some("version 2") {
        let capabilities = capabilities(&mut offer).await?;
        let id = listed(remote, &reference).await?.ok_or_else(missing)?;
        let filters = capabilities.iter().any(|line| has(line.strip_prefix("fetch=").unwrap_or_default(), "filter"));
        return Ok(Tip { id, filters, version: Version::Two });
    }
    if line.as_deref() == Some("version 1") {
        line = offer.line().await?;
    }
    advertised(&mut offer, line, &reference).await?.ok_or_else(missing)
}

/// What a server of version 2 can do.
async fn capabilities(offer: &mut Packets<'_>) -> Result<Vec<String>, GitError> {
    const MOST: usize = 100;
    let mut capabilities = Vec::new();
    while let Some(line) = offer.line().await? {
        permit_format(&line)?;
        if capabilities.len() < MOST {
            capabilities.push(line);
        }
    }
    Ok(capabilities)
}

/// Where a reference stands, of a server of version 2.
async fn listed(remote: &mut Remote, reference: &str) -> Result<Option<ObjectId>, GitError> {
    let order = Order::default().line("command=ls-refs").line(AGENT).delimiter();
    let mut answer = remote.order(order.line(&format!("ref-prefix {reference}")).flush()).await?;
    let mut found = None;
    while let Some(line) = answer.line().await? {
        found = found.or(standing(&line, reference)?);
    }
    Ok(found)
}

/// Where a reference stands, of a server of version 0: it lists all of them, and what it can do behind the first.
async fn advertised(offer: &mut Packets<'_>, first: Option<String>, reference: &str) -> Result<Option<Tip>, GitError> {
    let Some(first) = first else { return Ok(None) };
    let (first, capabilities) = first.split_once('\0').unwrap_or((&first, ""));
    for capability in capabilities.split(' ') {
        permit_format(capability)?;
    }
    if !has(capabilities, "side-band-64k") || !has(capabilities, "ofs-delta") {
        return Err(GitError::Broken {
            reason: "it speaks a protocol of before 2009; read from a server of this age".to_owned(),
        });
    }
    let filters = has(capabilities, "filter");
    let mut found = standing(first, reference)?;
    while let Some(line) = offer.line().await? {
        found = found.or(standing(&line, reference)?);
    }
    Ok(found.map(|id| Tip { id, filters, version: Version::Zero }))
}

/// Where the reference stands, if the line is about it.
fn standing(line: &str, reference: &str) -> Result<Option<ObjectId>, GitError> {
    match line.split_once(' ') {
        Some((id, name)) if name == reference => ObjectId::from_hex(id.as_bytes())
            .map(Some)
            .map_err(|_| GitError::garbled("it names a commit by something else than its hash")),
        _ => Ok(None),
    }
}

fn permit_format(capability: &str) -> Result<(), GitError> {
    match capability.strip_prefix(OBJECT_FORMAT) {
        None | Some("sha1") => Ok(()),
        Some(_) => Err(GitError::Broken {
            reason: "the repository names its objects by another hash than SHA-1; read from one that uses SHA-1"
                .to_owned(),
        }),
    }
}

/// Whether a list of words has the word.
fn has(words: &str, word: &str) -> bool {
    words.split(' ').any(|each| each == word)
}

/// All that the branch consists of, but for files larger than `largest` where the server can leave them out.
pub(super) async fn pack(remote: &mut Remote, tip: &Tip, largest: u64) -> Result<Vec<u8>, GitError> {
    // The smallest that is left out.
    let filter = tip.filters.then(|| format!("filter blob:limit={}", largest.saturating_add(1)));
    let mut order = Order::default();
    order = match tip.version {
        Version::Two => order
            .line("command=fetch")
            .line(AGENT)
            .delimiter()
            .line("no-progress")
            .line("ofs-delta")
            .line(&format!("want {}", tip.id)),
        Version::Zero => {
            let filters = if tip.filters { " filter" } else { "" };
            order.line(&format!("want {} ofs-delta no-progress side-band-64k{filters} {AGENT}", tip.id))
        }
    };
    if let Some(filter) = filter {
        order = order.line(&filter);
    }
    if tip.version == Version::Zero {
        order = order.flush().line("done");
    } else {
        order = order.line("done").flush();
    }
    let mut answer = remote.order(order).await?;
    let before = if tip.version == Version::Two { "packfile" } else { "NAK" };
    loop {
        match answer.line().await? {
            Some(line) if line == before => break,
            Some(_) => {}
            None => return Err(GitError::garbled("it does not send the branch that it has")),
        }
    }
    let mut pack = Vec::new();
    while let Packet::Data(data) = answer.next().await? {
        match PacketLineRef::Data(&data).decode_band() {
            Ok(BandRef::Data(data)) => pack.extend_from_slice(data),
            Ok(BandRef::Progress(_)) => {}
            Ok(BandRef::Error(said)) => return Err(GitError::said(said)),
            Err(_) => return Err(GitError::garbled("it mixes up what it sends")),
        }
    }
    // It has grown by doubling, and is kept for as long as it is unpacked.
    pack.shrink_to_fit();
    Ok(pack)
}

//! Git's smart protocol, as much of it as reading takes: where a branch or a tag stands, and all that it consists of.
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

/// Where a reference stands, and how its server is spoken to.
pub(super) struct Tip {
    /// The reference, as `refs/heads/main`.
    pub(super) reference: String,
    /// The commit.
    pub(super) commit: ObjectId,
    /// What is asked for to get it: the commit, or the tag with words of its own that leads there.
    id: ObjectId,
    /// Whether the server leaves out large files when it is asked to.
    pub(super) filters: bool,
    /// Whether it sends one commit without those before it when it is asked to.
    cuts_history: bool,
    version: Version,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Or 1, which differs from it by a line at the beginning.
    Zero,
    Two,
}

/// Where the first of these references stands that is there. They are made from `name`, which comes from people.
pub(super) async fn tip(remote: &mut Remote, name: &str, references: &[String]) -> Result<Option<Tip>, GitError> {
    // Nothing of that kind can be in the name of a reference, and a line of the protocol is not to end before its end.
    if name.is_empty() || name.contains(|c: char| c.is_control() || matches!(c, ' ' | '^')) {
        return Ok(None);
    }
    let mut standing = Standing { references, found: None };
    let mut offer = remote.offer().await?;
    let mut line = offer.line().await?;
    if line.as_deref().is_some_and(|line| line.starts_with("# service=")) {
        while offer.line().await?.is_some() {}
        line = offer.line().await?;
    }
    if line.as_deref() == Some("version 2") {
        let capabilities = capabilities(&mut offer).await?;
        listed(remote, &mut standing).await?;
        let fetch = capabilities.iter().find_map(|line| line.strip_prefix("fetch=")).unwrap_or_default();
        return Ok(standing.tip(has(fetch, "filter"), has(fetch, "shallow"), Version::Two));
    }
    if line.as_deref() == Some("version 1") {
        line = offer.line().await?;
    }
    advertised(&mut offer, line, standing).await
}

/// Where references stand, as far as they are wanted.
struct Standing<'a> {
    /// Those that are wanted; one that comes first counts more.
    references: &'a [String],
    found: Option<Stand>,
}

struct Stand {
    place: usize,
    id: ObjectId,
    commit: ObjectId,
}

impl Standing<'_> {
    /// Takes in a line that says where a reference stands, or where a tag leads in the end: `ID NAME^{}` in version 0,
    /// `ID NAME peeled:ID` in version 2.
    fn hear(&mut self, line: &str) -> Result<(), GitError> {
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else { return Ok(()) };
        let (name, leads) = name.strip_suffix("^{}").map_or((name, false), |name| (name, true));
        let Some(place) = self.references.iter().position(|wanted| wanted == name) else { return Ok(()) };
        let id = object_id(id)?;
        if leads {
            if let Some(found) = self.found.as_mut().filter(|found| found.place == place) {
                found.commit = id;
            }
            return Ok(());
        }
        let commit = words.find_map(|word| word.strip_prefix("peeled:")).map_or(Ok(id), object_id)?;
        if self.found.as_ref().is_none_or(|found| place < found.place) {
            self.found = Some(Stand { place, id, commit });
        }
        Ok(())
    }

    fn tip(self, filters: bool, cuts_history: bool, version: Version) -> Option<Tip> {
        let Stand { place, id, commit } = self.found?;
        let reference = self.references.get(place)?.clone();
        Some(Tip { reference, commit, id, filters, cuts_history, version })
    }
}

fn object_id(hex: &str) -> Result<ObjectId, GitError> {
    ObjectId::from_hex(hex.as_bytes())
        .map_err(|_| GitError::garbled("it names a commit by something else than its hash"))
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

/// Where references stand, of a server of version 2.
async fn listed(remote: &mut Remote, standing: &mut Standing<'_>) -> Result<(), GitError> {
    let mut order = Order::default().line("command=ls-refs").line(AGENT).delimiter().line("peel");
    for reference in standing.references {
        order = order.line(&format!("ref-prefix {reference}"));
    }
    let mut answer = remote.order(order.flush()).await?;
    while let Some(line) = answer.line().await? {
        standing.hear(&line)?;
    }
    Ok(())
}

/// Where references stand, of a server of version 0: it lists all of them, and what it can do behind the first.
async fn advertised(
    offer: &mut Packets<'_>,
    first: Option<String>,
    mut standing: Standing<'_>,
) -> Result<Option<Tip>, GitError> {
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
    standing.hear(first)?;
    while let Some(line) = offer.line().await? {
        standing.hear(&line)?;
    }
    // Of version 0 the whole history is taken: a cut one is sent in an order of its own.
    Ok(standing.tip(has(capabilities, "filter"), false, Version::Zero))
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

/// What of a reference is wanted.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// Its files, but for those larger than `largest`.
    Files { largest: u64 },
    /// The same with its history.
    FilesAndHistory { largest: u64 },
    /// Its history alone.
    History,
}

/// All of a reference that is wanted. There may be more: not every server can leave out what is not.
pub(super) async fn pack(remote: &mut Remote, tip: &Tip, part: Part) -> Result<Vec<u8>, GitError> {
    let filter = match part {
        // The smallest that is left out.
        Part::Files { largest } | Part::FilesAndHistory { largest } => {
            format!("filter blob:limit={}", largest.saturating_add(1))
        }
        Part::History => "filter tree:0".to_owned(),
    };
    let filter = tip.filters.then_some(filter);
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
    if tip.cuts_history && matches!(part, Part::Files { .. }) {
        order = order.line("deepen 1");
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
            None => return Err(GitError::garbled("it does not send what it has")),
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

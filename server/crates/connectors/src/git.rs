//! Reading Git repositories elsewhere, over HTTP or HTTPS: branches with definitions ([`read`]), and for workflows the files of a
//! tag or a branch (`call: git`, [`GitConnector`]).
//!
//! [`read`] brings the files of one folder of a branch, and who has changed each of them, in one call and without leaving
//! anything behind: what comes is kept in memory, no file is written and no program is started. It speaks Git's smart
//! protocol (version 2, or 0 to servers that know no other) by the HTTP clients of every other connector, so that egress,
//! trust and redirects are judged in one place.
//!
//! What a server sends is not trusted. Each object is found by its hash, and all that costs time or memory has a bound in
//! [`Limits`]; with those that are preset a read takes about 400 MiB at the very worst, and as much as the repository and
//! its files are large as a rule.

mod call;
mod error;
mod files;
mod history;
mod pack;
mod protocol;
mod schema;
mod wire;

use std::{fmt, sync::Arc, time::Duration};

use identity::Secret;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use call::{GitConnector, function};
pub use error::{GitError, Limit};
use gix_hash::ObjectId;
use history::Span;
use pack::Pack;
use protocol::{Part, Tip};
use wire::Remote;

use crate::{egress::EgressPolicy, http::Http};

/// The endings of the files that are read.
pub const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// A branch of a repository elsewhere.
#[derive(Clone)]
pub struct Branch {
    /// The address of the repository, `https` or `http`. User information, query and fragment are not used.
    pub url: Url,
    /// The name of the branch, without `refs/heads/`.
    pub name: String,
    /// The folder whose files are read, with those below it: empty for the root, else `a/b`.
    pub folder: String,
    /// Whom to sign in as, if anybody. They are sent to the address's own scheme, host and port only.
    pub credentials: Option<Credentials>,
}

/// Without what stands in the address and is none of its business: it may be a password.
impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = wire::bare(&self.url);
        let mut shown = f.debug_struct("Branch");
        shown.field("url", &url.as_str()).field("name", &self.name).field("folder", &self.folder);
        shown.field("credentials", &self.credentials).finish()
    }
}

/// A user name with its password, or with the token that stands for one.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password or token.
    pub password: Secret,
}

/// What a branch holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The commit at which the branch stands, in hexadecimal digits.
    pub commit: String,
    /// The files below the folder that end as is wanted ([`ENDINGS`] of a branch), sorted by path. None if there is no such folder.
    pub files: Vec<File>,
    /// Files of such a name that were not read, sorted by path.
    pub skipped: Vec<Skipped>,
}

/// A file of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path from the root of the repository.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// The mail addresses, in lower case and sorted, of all who have changed the file at this path in the history of the
    /// branch: author and committer of each commit in which it differs from that in every parent. Those who removed it, or
    /// brought it back, are among them; those who changed it under another name are not. Somebody without a mail address
    /// stands here with the name. It is what the commits say, and those who write commits may write anything.
    pub authors: Vec<String>,
}

/// A file that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The path from the root of the repository.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It is larger than [`Limits::file`].
    TooLarge,
    /// It is a symbolic link.
    Link,
    /// Its path is not UTF-8 text.
    Name,
}

/// How much of a repository is taken in. What has more is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take, in all.
    pub time: Duration,
    /// How many bytes may be received.
    pub received: u64,
    /// How many objects may be received.
    pub objects: u32,
    /// How much memory one object may take while it is unpacked; twice its size, for most.
    pub object: usize,
    /// How many commits the history may have. It is not cut off there: whoever is not seen could review an own change.
    pub commits: usize,
    /// How many files are read.
    pub files: usize,
    /// How large a file that is read may be. Larger ones are skipped, not refused.
    pub file: u64,
    /// How large the files may be together.
    pub content: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MEBIBYTE: u64 = 1024 * 1024;
        Self {
            time: Duration::from_mins(2),
            received: 64 * MEBIBYTE,
            objects: 500_000,
            object: 96 * 1024 * 1024,
            commits: 20_000,
            files: 500,
            file: MEBIBYTE,
            content: 32 * MEBIBYTE,
        }
    }
}

/// How a repository is reached.
#[derive(Clone)]
pub struct Reach<'a> {
    /// The clients, with what may be reached.
    pub http: &'a Http,
    /// What may be reached; without it, what the server itself may.
    pub egress: Option<&'a Arc<EgressPolicy>>,
    /// The CA (PEM) that alone is trusted; without one, whom the system trusts.
    pub authority: Option<&'a str>,
    /// The certificate that is shown to a server that asks for one, and its key (PEM).
    pub shown: Option<(&'a str, &'a str)>,
    /// How much is taken in.
    pub limits: Limits,
}

impl<'a> From<&'a Http> for Reach<'a> {
    /// Trusting whom the system trusts, with the limits that are preset.
    fn from(http: &'a Http) -> Self {
        Self { http, egress: None, authority: None, shown: None, limits: Limits::default() }
    }
}

/// Reads a branch; None if it still stands at the commit `known`.
///
/// Dropping the future ends everything that it began.
pub async fn read(branch: &Branch, known: Option<&str>, reach: &Reach<'_>) -> Result<Option<Checkout>, GitError> {
    match tokio::time::timeout(reach.limits.time, read_at_length(branch, known, reach)).await {
        Ok(read) => read.map_err(|error| error.without(branch.credentials.as_ref())),
        Err(_) => Err(GitError::TooSlow),
    }
}

async fn read_at_length(branch: &Branch, known: Option<&str>, reach: &Reach<'_>) -> Result<Option<Checkout>, GitError> {
    let mut remote = Remote::of(&branch.url, branch.credentials.as_ref(), reach).await?;
    let name = &branch.name;
    let tip = protocol::tip(&mut remote, name, &[format!("refs/heads/{name}")]).await?;
    let tip = tip.ok_or_else(|| GitError::NoBranch { name: name.clone() })?;
    if known.is_some_and(|known| known.eq_ignore_ascii_case(&tip.commit.to_string())) {
        return Ok(None);
    }
    let endings = ENDINGS.map(str::to_owned).to_vec();
    let wanted = Wanted { folder: branch.folder.clone(), endings, authors: true };
    checkout(&mut remote, &tip, wanted, &reach.limits).await.map(Some)
}

/// What of a repository is read.
struct Wanted {
    /// The folder whose files are read, with those below it.
    folder: String,
    /// How their names end; none for all.
    endings: Vec<String>,
    /// Whether those who changed them are wanted, for which it takes the whole history.
    authors: bool,
}

/// The files that are wanted, as they are at a commit.
async fn checkout(remote: &mut Remote, tip: &Tip, wanted: Wanted, limits: &Limits) -> Result<Checkout, GitError> {
    let largest = limits.file;
    let part = if wanted.authors { Part::FilesAndHistory { largest } } else { Part::Files { largest } };
    let bytes = protocol::pack(remote, tip, part).await?;
    let unpacking = Unpacking {
        commit: tip.commit,
        filtered: tip.filters,
        wanted,
        limits: limits.clone(),
        stop: CancellationToken::new(),
    };
    // Waiting for a thread that computes cannot be given up, so it is told when nobody waits any more.
    let _stop = unpacking.stop.clone().drop_guard();
    match tokio::task::spawn_blocking(move || unpacking.run(bytes)).await {
        Ok(checkout) => checkout,
        Err(_) => Err(GitError::garbled("what it sent could not be unpacked")),
    }
}

/// The commits of a span that lead to a commit, the newest first, and whether there are more.
async fn entries(
    remote: &mut Remote,
    tip: &Tip,
    span: Span,
    limits: &Limits,
) -> Result<(Vec<history::Entry>, bool), GitError> {
    let bytes = protocol::pack(remote, tip, Part::History).await?;
    let (commit, limits, stop) = (tip.commit, limits.clone(), CancellationToken::new());
    let _stop = stop.clone().drop_guard();
    let read = move || {
        let mut pack = Pack::index(bytes, &limits, &stop)?;
        history::entries(&mut pack, commit, &span, limits.commits, &stop)
    };
    tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|_| Err(GitError::garbled("what it sent could not be unpacked")))
}

/// What is done with what was received.
struct Unpacking {
    commit: ObjectId,
    /// Whether the server was asked to leave out large files.
    filtered: bool,
    wanted: Wanted,
    limits: Limits,
    stop: CancellationToken,
}

impl Unpacking {
    fn run(&self, bytes: Vec<u8>) -> Result<Checkout, GitError> {
        let mut pack = Pack::index(bytes, &self.limits, &self.stop)?;
        let root = pack.commit(self.commit)?.tree;
        let found = files::find(&mut pack, root, self)?;
        let mut files = found.files;
        if self.wanted.authors {
            let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
            let authors = history::authors(&mut pack, self.commit, &paths, self.limits.commits, &self.stop)?;
            for (file, authors) in files.iter_mut().zip(authors) {
                file.authors = authors.into_iter().collect();
            }
        }
        Ok(Checkout { commit: self.commit.to_string(), files, skipped: found.skipped })
    }
}

/// Whether nobody waits for the result any more.
fn check(stop: &CancellationToken) -> Result<(), GitError> {
    if stop.is_cancelled() { Err(GitError::TooSlow) } else { Ok(()) }
}

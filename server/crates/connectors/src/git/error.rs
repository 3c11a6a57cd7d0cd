//! What can go wrong, in words for those who configure a repository.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Credentials;
use crate::egress::EgressRefused;

/// Why a branch could not be read. No message holds a password, or user information of an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The address may not be reached.
    #[error("{0}; enter another address, or have this one permitted by the server's settings for egress")]
    Refused(EgressRefused),
    /// Nobody answers there, or the connection broke, or the server says that it is not able to answer now.
    #[error("the Git server cannot be reached: {reason}; compare the address, and try again later")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// The server's certificate is not accepted, or it speaks no TLS, or the given CA is none.
    #[error("there is no trusted connection to the Git server: {reason}")]
    Tls {
        /// What is wrong, with what to do.
        reason: String,
    },
    /// The server wants other credentials.
    #[error(
        "the Git server does not let this account read the repository; enter a user name and a password or token that may"
    )]
    SignIn,
    /// There is no repository at the address, or no Git server.
    #[error(
        "there is no Git repository at this address, or the account may not see it; enter the address that the Git server \
         shows for cloning over HTTPS"
    )]
    NoRepository,
    /// The repository has no such branch.
    #[error("the repository has no branch “{name}”; enter the name of a branch that it has")]
    NoBranch {
        /// The name.
        name: String,
    },
    /// The repository has neither a tag nor a branch of this name.
    #[error("the repository has no tag or branch “{name}”; name one that it has")]
    NoRevision {
        /// The name.
        name: String,
    },
    /// The repository, or the folder, has more than is taken in.
    #[error("the repository has {limit}; keep what is to be read in a smaller repository or folder of its own")]
    TooLarge {
        /// What there is too much of.
        limit: Limit,
    },
    /// Reading took longer than it may.
    #[error("the repository could not be read in time; try again later, or keep what is to be read in a smaller one")]
    TooSlow,
    /// What the server answered cannot be used.
    #[error("the answer of the Git server cannot be used: {reason}")]
    Broken {
        /// What is wrong with it, with what to do.
        reason: String,
    },
}

impl GitError {
    /// What no Git server that works would answer.
    pub(super) fn garbled(what: impl fmt::Display) -> Self {
        Self::Broken { reason: format!("{what}; try again, and ask who runs the server if it stays so") }
    }

    /// What the server said for itself. Of a text from elsewhere only so much is shown, on one line.
    pub(super) fn said(text: &[u8]) -> Self {
        const EXCERPT: usize = 200;
        let text = String::from_utf8_lossy(text);
        let excerpt: String = text.trim().chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
        Self::garbled(format_args!("it says “{excerpt}”"))
    }

    /// The same, but for words of a server that gives away what it was shown.
    pub(super) fn without(self, credentials: Option<&Credentials>) -> Self {
        let (Self::Broken { reason }, Some(Credentials { user, password })) = (&self, credentials) else { return self };
        let password = password.expose();
        let header = STANDARD.encode(format!("{user}:{password}"));
        let given_away = !password.is_empty() && (reason.contains(password) || reason.contains(&header));
        if given_away { Self::garbled("it says what it was told as a secret") } else { self }
    }
}

/// More than is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes to receive.
    Received(u64),
    /// Objects to receive.
    Objects(u32),
    /// Memory that an object takes.
    Object(usize),
    /// Commits in the history of the branch.
    Commits(usize),
    /// Files to read.
    Files(usize),
    /// Bytes of the files together.
    Content(u64),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received(bytes) => write!(f, "more than {} to receive", Size(*bytes)),
            Self::Objects(count) => write!(f, "more than {count} objects"),
            Self::Object(bytes) => write!(f, "a file for which {} of memory are not enough", Size(*bytes as u64)),
            Self::Commits(count) => write!(f, "a history of more than {count} commits"),
            Self::Files(count) => write!(f, "more than {count} files to read"),
            Self::Content(bytes) => write!(f, "files of more than {} together", Size(*bytes)),
        }
    }
}

struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            mebibytes if mebibytes >> 20 > 0 => write!(f, "{} MiB", mebibytes >> 20),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

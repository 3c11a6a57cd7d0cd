//! A session with a mail server.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_imap::{Client, error::Error};
use futures::TryStreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use workflow::{RunError, StandardError};

use super::{
    broken, excerpt, folder,
    settings::{Encryption, Settings},
};
use crate::{Failure, tls};

/// How long a server may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The largest answer that is taken in, in bytes.
const ANSWER: usize = 8 * 1024 * 1024;
/// The largest message that is taken in, in bytes.
pub(super) const MESSAGE: u32 = 5 * 1024 * 1024;

/// The status of what a server refuses.
const REFUSED: u16 = 422;

/// A session after the sign-in.
pub(super) struct Session {
    session: async_imap::Session<Metered>,
    taken: Arc<AtomicUsize>,
    host: String,
}

/// How a folder is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbering {
    pub(super) validity: u32,
    pub(super) next: u32,
}

/// A message as far as it was taken in.
pub(super) enum Fetched {
    /// There is none of this number any more.
    Gone,
    Whole(Vec<u8>),
    /// So many bytes are too many; these are its headers.
    TooLarge(u32, Vec<u8>),
}

impl Session {
    /// Greets, encrypts and signs in; else the step of a test at which that failed.
    pub(super) async fn enter(settings: &Settings, stream: TcpStream) -> Result<Self, (&'static str, Failure)> {
        let taken = Arc::new(AtomicUsize::new(0));
        let way = |failure: Failure| ("tls", failure);
        let stream = match settings.encryption {
            Encryption::Tls => stream,
            Encryption::StartTls => upgraded(settings, stream).await.map_err(way)?,
        };
        let config = settings.tls.config().map_err(|error| way(Failure::configuration(error.to_string())))?;
        let encrypted = timeout(PATIENCE, tls::encrypt(stream, &settings.host, Arc::new(config))).await;
        let encrypted = encrypted
            .map_err(|_| way(broken(settings, "the handshake of TLS came to no end")))?
            .map_err(|error| way(Failure::unreachable(error.to_string())))?;
        let mut client = Client::new(Metered { inner: encrypted, taken: Arc::clone(&taken) });
        if settings.encryption == Encryption::Tls {
            greeting(settings, client.read_response()).await.map_err(|failure| ("sign-in", failure))?;
        }
        let signed_in = timeout(PATIENCE, client.login(&settings.username, settings.password.expose())).await;
        let session = signed_in
            .map_err(|_| ("sign-in", broken(settings, "it did not answer the sign-in")))?
            .map_err(|(error, _)| ("sign-in", refused_sign_in(settings, &error)))?;
        Ok(Self { session, taken, host: settings.host.clone() })
    }

    /// Opens a folder for reading only.
    pub(super) async fn examine(&mut self, name: &str) -> Result<(), Failure> {
        let written = folder::encoded(name);
        let opened = self.session.examine(written);
        let opened = timeout(PATIENCE, opened).await;
        self.ended(opened, &format!("opening the folder {name}")).map(drop)
    }

    /// Opens a folder.
    pub(super) async fn select(&mut self, name: &str) -> Result<Numbering, Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let opened = timeout(PATIENCE, self.session.select(folder::encoded(name))).await;
        let opened = self.ended(opened, &format!("opening the folder {name}"))?;
        let (Some(validity), Some(next)) = (opened.uid_validity, opened.uid_next) else {
            return Err(self.unusable("it numbers no messages (UIDVALIDITY, UIDNEXT)"));
        };
        Ok(Numbering { validity, next })
    }

    /// The numbers of messages after one, in order.
    pub(super) async fn after(&mut self, last: u32) -> Result<Vec<u32>, Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let from = last.saturating_add(1);
        let found = timeout(PATIENCE, self.session.uid_search(format!("UID {from}:*"))).await;
        let found = self.ended(found, "looking for messages")?;
        // The last message is always among them, however low its number is.
        let mut found: Vec<u32> = found.into_iter().filter(|number| *number > last).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Takes a message in, without marking it.
    pub(super) async fn fetch(&mut self, number: u32) -> Result<Fetched, Failure> {
        let Some(size) = self.ask(number, "(UID RFC822.SIZE)").await?.and_then(|(size, _)| size) else {
            return Ok(Fetched::Gone);
        };
        let what = if size > MESSAGE { "(UID RFC822.SIZE BODY.PEEK[HEADER])" } else { "(UID RFC822.SIZE BODY.PEEK[])" };
        Ok(match self.ask(number, what).await? {
            Some((_, content)) if size > MESSAGE => Fetched::TooLarge(size, content),
            Some((_, content)) => Fetched::Whole(content),
            None => Fetched::Gone,
        })
    }

    async fn ask(&mut self, number: u32, what: &str) -> Result<Option<(Option<u32>, Vec<u8>)>, Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let asked = async {
            let fetched: Vec<_> = self.session.uid_fetch(number.to_string(), what).await?.try_collect().await?;
            Ok(fetched.into_iter().find(|fetched| fetched.uid == Some(number)))
        };
        let fetched = timeout(PATIENCE, asked).await;
        let fetched = self.ended(fetched, &format!("reading the message {number}"))?;
        Ok(fetched.map(|fetched| {
            let content = fetched.body().or_else(|| fetched.header()).unwrap_or_default().to_vec();
            (fetched.size, content)
        }))
    }

    /// Marks a message as read.
    pub(super) async fn mark(&mut self, number: u32) -> Result<(), Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let asked = async {
            let seen = "+FLAGS.SILENT (\\Seen)";
            let told: Vec<_> = self.session.uid_store(number.to_string(), seen).await?.try_collect().await?;
            Ok(told)
        };
        let told = timeout(PATIENCE, asked).await;
        self.ended(told, &format!("marking the message {number}")).map(drop)
    }

    /// Moves a message to a folder.
    pub(super) async fn relocate(&mut self, number: u32, to: &str) -> Result<(), Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let known = timeout(PATIENCE, self.session.capabilities()).await;
        if !self.ended(known, "asking what it can do")?.has_str("MOVE") {
            let words = format!("the mail server {} cannot move messages; let the trigger mark them as read", self.host);
            return Err(Failure::configuration(words));
        }
        let moved = timeout(PATIENCE, self.session.uid_mv(number.to_string(), folder::encoded(to))).await;
        let moved = self.ended(moved, &format!("moving the message {number} to the folder {to}"));
        match moved {
            // It went there before, or elsewhere.
            Err(failure) if failure.error.status == REFUSED && self.ask(number, "(UID)").await?.is_none() => Ok(()),
            moved => moved,
        }
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        // Nothing hangs on the answer.
        let _ = timeout(Duration::from_secs(2), self.session.logout()).await;
    }

    fn unusable(&self, what: &str) -> Failure {
        Failure::refused(502, format!("the mail server {} does not answer as IMAP has it: {what}", self.host))
    }

    /// What came of asking.
    fn ended<T>(
        &self,
        answered: Result<Result<T, Error>, tokio::time::error::Elapsed>,
        what: &str,
    ) -> Result<T, Failure> {
        let host = &self.host;
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(Failure::retryable(RunError::new(
                StandardError::Timeout,
                format!("the mail server {host} did not answer within {} seconds ({what})", PATIENCE.as_secs()),
            ))),
            Ok(Err(Error::No(words))) => Err(Failure::refused(
                REFUSED,
                format!("the mail server {host} refuses it ({what}): {}; compare the folders there and the rights of the user", excerpt(&words)),
            )),
            Ok(Err(Error::Bad(words))) => Err(self.unusable(&format!("{what}: {}", excerpt(&words)))),
            Ok(Err(Error::Parse(_))) => Err(self.unusable(&format!("{what}: its answer cannot be read"))),
            Ok(Err(Error::Io(error))) if error.kind() == io::ErrorKind::FileTooLarge => {
                Err(self.unusable(&format!("{what}: its answer is larger than 8 MiB")))
            }
            Ok(Err(Error::Io(error))) if error.kind() == io::ErrorKind::Other => {
                Err(self.unusable(&format!("{what}: its answer cannot be read")))
            }
            Ok(Err(_)) => Err(Failure::unreachable(format!(
                "the mail server {host} broke the connection off ({what}); it is asked again at the next look"
            ))),
        }
    }
}

/// Reads the greeting.
async fn greeting<T>(settings: &Settings, read: impl Future<Output = io::Result<Option<T>>>) -> Result<(), Failure> {
    match timeout(PATIENCE, read).await {
        Ok(Ok(Some(_))) => Ok(()),
        Ok(Ok(None)) => Err(broken(settings, "it closed the connection instead of greeting")),
        Ok(Err(_)) => Err(broken(settings, "it does not greet as a server of IMAP does")),
        Err(_) => Err(broken(settings, "it does not greet")),
    }
}

/// Asks for encryption on a connection in the clear. What the server has said before is forgotten.
async fn upgraded(settings: &Settings, stream: TcpStream) -> Result<TcpStream, Failure> {
    let mut client = Client::new(stream);
    greeting(settings, client.read_response()).await?;
    match timeout(PATIENCE, client.run_command_and_check_ok("STARTTLS", None)).await {
        Ok(Ok(())) => Ok(client.into_inner()),
        Ok(Err(Error::No(_) | Error::Bad(_))) => Err(Failure::configuration(format!(
            "the mail server {} does not offer StartTLS; choose TLS from the start, and its port",
            settings.host
        ))),
        _ => Err(broken(settings, "it did not answer STARTTLS")),
    }
}

fn refused_sign_in(settings: &Settings, error: &Error) -> Failure {
    match error {
        Error::No(_) | Error::Bad(_) | Error::Validate(_) => Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!(
                "the mail server {} refuses user {}; enter user name and password of the connection again, and see whether \
                 the account may be used by IMAP",
                settings.host, settings.username
            ),
        )),
        _ => broken(settings, "it did not answer the sign-in"),
    }
}

/// A connection that takes in no more than one answer may have.
struct Metered {
    inner: TlsStream<TcpStream>,
    taken: Arc<AtomicUsize>,
}

impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metered")
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        let more = buf.filled().len() - before;
        if self.taken.fetch_add(more, Ordering::Relaxed) + more > ANSWER {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

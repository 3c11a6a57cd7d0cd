//! A session with a mail server.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_imap::{
    Client,
    error::Error,
    imap_proto::{AttributeValue, Capability, MailboxDatum, Outcome, Response, ResponseCode, Status},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use workflow::{RunError, StandardError};

use super::{
    broken, excerpt, folder,
    meter::Metered,
    settings::{Encryption, Settings},
};
use crate::{Failure, tls};

/// How long a server may take for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// The largest message that is taken in, in bytes.
pub(super) const MESSAGE: u32 = 5 * 1024 * 1024;
/// The most that is taken in of the headers of a message, in bytes.
pub(super) const HEADERS: usize = 128 * 1024;

/// The status of what a server refuses.
const REFUSED: u16 = 422;

/// A session after the sign-in.
pub(super) struct Session {
    session: async_imap::Session<Metered<TlsStream<TcpStream>>>,
    taken: Arc<AtomicUsize>,
    host: String,
}

/// How a folder is numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbering {
    pub(super) validity: u32,
    pub(super) next: u32,
}

/// What a server tells of a message.
#[derive(Default)]
struct Told {
    size: Option<u32>,
    content: Vec<u8>,
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
        let mut client = Client::new(Metered::new(encrypted, Arc::clone(&taken)));
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
        let command = format!("EXAMINE {}", quoted(name));
        self.command(&command, &format!("opening the folder {name}"), |_| {}).await
    }

    /// Opens a folder.
    pub(super) async fn select(&mut self, name: &str) -> Result<Numbering, Failure> {
        let (mut validity, mut next) = (None, None);
        let command = format!("SELECT {}", quoted(name));
        self.command(&command, &format!("opening the folder {name}"), |answer| {
            if let Response::Data { outcome: Outcome { code: Some(code), .. }, .. } = answer {
                match code {
                    ResponseCode::UidValidity(number) => validity = Some(*number),
                    ResponseCode::UidNext(number) => next = Some(*number),
                    _ => {}
                }
            }
        })
        .await?;
        let (Some(validity), Some(next)) = (validity, next) else {
            return Err(self.unusable("it numbers no messages (UIDVALIDITY, UIDNEXT)"));
        };
        Ok(Numbering { validity, next })
    }

    /// The numbers of messages after one, in order.
    pub(super) async fn after(&mut self, last: u32) -> Result<Vec<u32>, Failure> {
        let mut found = Vec::new();
        let command = format!("UID SEARCH UID {}:*", last.saturating_add(1));
        self.command(&command, "looking for messages", |answer| {
            if let Response::MailboxData(MailboxDatum::Search(numbers)) = answer {
                // The last message is always among them, however low its number is.
                found.extend(numbers.iter().copied().filter(|number| *number > last));
            }
        })
        .await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// How large a message is, and its headers as far as they are taken in, without marking it; none where there is none of this
    /// number any more.
    pub(super) async fn headers(&mut self, number: u32) -> Result<Option<(u32, Vec<u8>)>, Failure> {
        let what = format!("(UID RFC822.SIZE BODY.PEEK[HEADER]<0.{HEADERS}>)");
        match self.ask(number, &what).await? {
            None => Ok(None),
            Some(Told { size: Some(size), content }) => Ok(Some((size, content))),
            Some(Told { size: None, .. }) => Err(self.unusable(&format!("it tells no size of the message {number}"))),
        }
    }

    /// Takes a message in, without marking it; none where there is none of this number any more.
    pub(super) async fn whole(&mut self, number: u32) -> Result<Option<Vec<u8>>, Failure> {
        let told = self.ask(number, &format!("(UID BODY.PEEK[]<0.{MESSAGE}>)")).await?;
        Ok(told.map(|told| told.content))
    }

    async fn ask(&mut self, number: u32, what: &str) -> Result<Option<Told>, Failure> {
        let mut found: Option<Told> = None;
        let command = format!("UID FETCH {number} {what}");
        self.command(&command, &format!("reading the message {number}"), |answer| {
            let Response::Fetch(_, attributes) = answer else { return };
            if !attributes.contains(&AttributeValue::Uid(number)) {
                return;
            }
            let told = found.get_or_insert_default();
            for attribute in attributes {
                match attribute {
                    AttributeValue::Rfc822Size(size) => told.size = Some(*size),
                    AttributeValue::BodySection { data: Some(data), .. } => told.content = data.to_vec(),
                    _ => {}
                }
            }
        })
        .await?;
        Ok(found)
    }

    /// Marks a message as read.
    pub(super) async fn mark(&mut self, number: u32) -> Result<(), Failure> {
        let command = format!("UID STORE {number} +FLAGS.SILENT (\\Seen)");
        self.command(&command, &format!("marking the message {number}"), |_| {}).await
    }

    /// Moves a message to a folder.
    pub(super) async fn relocate(&mut self, number: u32, to: &str) -> Result<(), Failure> {
        let mut moves = false;
        self.command("CAPABILITY", "asking what it can do", |answer| {
            if let Response::Capabilities(known) = answer {
                moves |=
                    known.iter().any(|one| matches!(one, Capability::Atom(name) if name.eq_ignore_ascii_case("MOVE")));
            }
        })
        .await?;
        if !moves {
            let words =
                format!("the mail server {} cannot move messages; let the trigger mark them as read", self.host);
            return Err(Failure::configuration(words));
        }
        let command = format!("UID MOVE {number} {}", quoted(to));
        let what = format!("moving the message {number} to the folder {to}");
        if let Err(failure) = self.command(&command, &what, |_| {}).await {
            // It went there before, or elsewhere.
            let is_gone = failure.error.status == REFUSED && self.ask(number, "(UID)").await?.is_none();
            if !is_gone {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Sends a command, and lets each answer be read up to the one that ends it. What is not kept of an answer is gone: a server
    /// may send many.
    async fn command(
        &mut self,
        command: &str,
        what: &str,
        mut read: impl FnMut(&Response<'_>) + Send,
    ) -> Result<(), Failure> {
        self.taken.store(0, Ordering::Relaxed);
        let asked = async {
            let id = self.session.run_command(command).await?;
            while let Some(answer) = self.session.read_response().await? {
                match answer.parsed() {
                    Response::Done { tag, status, outcome } if *tag == id => return verdict(status, outcome),
                    other => read(other),
                }
            }
            Err(Error::ConnectionLost)
        };
        let ended = timeout(PATIENCE, asked).await;
        self.ended(ended, what)
    }

    /// Says goodbye.
    pub(super) async fn leave(&mut self) {
        // Nothing hangs on the answer.
        let _ = timeout(Duration::from_secs(2), self.session.logout()).await;
    }

    fn unusable(&self, what: &str) -> Failure {
        Failure::refused(502, self.misspoken(what))
    }

    fn misspoken(&self, what: &str) -> String {
        format!("the mail server {} does not answer as IMAP has it: {what}", self.host)
    }

    /// What came of asking. Where nothing more can be asked in this session, another attempt may succeed.
    fn ended(
        &self,
        answered: Result<Result<(), Error>, tokio::time::error::Elapsed>,
        what: &str,
    ) -> Result<(), Failure> {
        let host = &self.host;
        let garbled = |why: &str| {
            Failure::retryable(RunError::communication(502, self.misspoken(&format!("{what}: its answer {why}"))))
        };
        Err(match answered {
            Ok(Ok(())) => return Ok(()),
            Err(_) => Failure::retryable(RunError::new(
                StandardError::Timeout,
                format!("the mail server {host} did not answer within {} seconds ({what})", PATIENCE.as_secs()),
            )),
            Ok(Err(Error::No(words))) => Failure::refused(
                REFUSED,
                format!(
                    "the mail server {host} refuses it ({what}): {}; compare the folders there and the rights of the user",
                    excerpt(&words)
                ),
            ),
            Ok(Err(Error::Bad(words))) => self.unusable(&format!("{what}: {}", excerpt(&words))),
            Ok(Err(Error::Parse(_))) => garbled("cannot be read"),
            Ok(Err(Error::Io(error))) if error.kind() == io::ErrorKind::FileTooLarge => garbled("is larger than 8 MiB"),
            Ok(Err(Error::Io(error))) if error.kind() == io::ErrorKind::Other => garbled("cannot be read"),
            Ok(Err(_)) => Failure::unreachable(format!(
                "the mail server {host} broke the connection off ({what}); it is asked again at the next look"
            )),
        })
    }
}

/// How a server says that a command ended.
fn verdict(status: &Status, outcome: &Outcome<'_>) -> Result<(), Error> {
    let words = || outcome.information.as_deref().unwrap_or_default().to_owned();
    match status {
        Status::Ok => Ok(()),
        Status::No => Err(Error::No(words())),
        Status::Bad | Status::PreAuth | Status::Bye => Err(Error::Bad(words())),
    }
}

/// The name of a folder as it stands in a command.
fn quoted(name: &str) -> String {
    format!("\"{}\"", folder::encoded(name).replace('\\', "\\\\").replace('"', "\\\""))
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
    let mut client = Client::new(Metered::new(stream, Arc::default()));
    greeting(settings, client.read_response()).await?;
    match timeout(PATIENCE, client.run_command_and_check_ok("STARTTLS", None)).await {
        Ok(Ok(())) => Ok(client.into_inner().into_inner()),
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

//! The way to a directory: encrypted, and with a bound to all that it may answer.
//!
//! The library takes in whatever a server says, however long it is. So it does not get the connection itself, but one end
//! of a pipe, into which no more is passed than [`ANSWERS`].

use std::{
    io,
    os::unix::net::UnixStream as Pipe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, StdStream};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy, split},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_rustls::client::TlsStream;

use super::settings::Settings;
use crate::{Failure, tls};

/// So many bytes are taken in over one connection.
pub(super) const ANSWERS: u64 = 5 << 20;
/// How long encryption may take to be agreed on.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(15);
/// A library that has lost its connection says so at once.
const NOTICE_LIMIT: Duration = Duration::from_secs(1);

/// The library's words about bytes that are no LDAP. A connection that ends within a message has others.
const NOT_UNDERSTOOD: &str = "decoding error";

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side went away, or has not answered yet.
    Broke,
    /// It said more than is taken in.
    TooMuch,
    /// What it said was no LDAP.
    NotLdap,
}

/// An encrypted connection that the library works on.
pub(super) struct Link {
    driver: Option<JoinHandle<ldap3::result::Result<()>>>,
    too_much: Arc<AtomicBool>,
}

impl Link {
    /// Encrypts an open connection, by StartTLS if the settings say so.
    pub(super) async fn over(
        stream: TcpStream,
        settings: &Settings,
        config: ClientConfig,
    ) -> Result<(Self, Ldap), Failure> {
        let encrypted = tokio::time::timeout(HANDSHAKE_LIMIT, encrypt(stream, settings, config))
            .await
            .map_err(|_| Failure::unreachable("the directory did not agree on encryption in time"))??;
        let unusable = |error: io::Error| Failure::unreachable(format!("the connection cannot be used: {error}"));
        let (theirs, ours) = Pipe::pair().map_err(unusable)?;
        ours.set_nonblocking(true).map_err(unusable)?;
        let ours = UnixStream::from_std(ours).map_err(unusable)?;
        let too_much = Arc::new(AtomicBool::new(false));
        tokio::spawn(carry(encrypted, ours, Arc::clone(&too_much)));
        let options = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
        let (connection, ldap) = LdapConnAsync::with_settings(options, "ldapi:///")
            .await
            .map_err(|error| Failure::unreachable(format!("the connection cannot be used: {error}")))?;
        // Ends by itself when the last handle is dropped.
        let driver = Some(tokio::spawn(connection.drive()));
        Ok((Self { driver, too_much }, ldap))
    }

    /// How it ended, after an operation on it has failed.
    pub(super) async fn end(&mut self, error: &LdapError) -> End {
        if self.too_much.load(Ordering::SeqCst) {
            return End::TooMuch;
        }
        let is_over = matches!(error, LdapError::OpSend { .. } | LdapError::ResultRecv { .. } | LdapError::EndOfStream);
        if !is_over {
            return End::Broke;
        }
        let Some(driver) = self.driver.take() else { return End::Broke };
        match tokio::time::timeout(NOTICE_LIMIT, driver).await {
            // The library panics at some of what it does not understand.
            Ok(Err(ended)) if ended.is_panic() => End::NotLdap,
            Ok(Ok(Err(LdapError::Io { source }))) if source.to_string() == NOT_UNDERSTOOD => End::NotLdap,
            _ => End::Broke,
        }
    }
}

/// Passes on what both sides say, until one of them ends.
async fn carry(outside: TlsStream<TcpStream>, inside: UnixStream, too_much: Arc<AtomicBool>) {
    let (answers, mut questions) = split(outside);
    let (mut asked, mut answered) = inside.into_split();
    let mut answers = answers.take(ANSWERS);
    tokio::select! {
        copied = copy(&mut answers, &mut answered) => {
            // Known before the library hears of the end.
            too_much.store(copied.is_ok_and(|bytes| bytes == ANSWERS), Ordering::SeqCst);
        }
        _ = copy(&mut asked, &mut questions) => {
            let _ = questions.shutdown().await;
        }
    }
}

async fn encrypt(
    mut stream: TcpStream,
    settings: &Settings,
    config: ClientConfig,
) -> Result<TlsStream<TcpStream>, Failure> {
    if settings.start_tls {
        start_tls(&mut stream).await?;
    }
    tls::encrypt(stream, &settings.host, Arc::new(config))
        .await
        .map_err(|error| Failure::unreachable(error.to_string()))
}

/// The extended operation that asks for encryption, as the first message.
const START_TLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// An answer to it that is longer is none.
const START_TLS_ANSWER: usize = 4_096;

/// Asks for encryption on a connection that begins without (RFC 4511, section 4.14).
async fn start_tls(stream: &mut TcpStream) -> Result<(), Failure> {
    let broken = |error: io::Error| {
        Failure::unreachable(format!("the directory hung up when it was asked for StartTLS: {error}"))
    };
    stream.write_all(START_TLS).await.map_err(broken)?;
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(broken(io::ErrorKind::UnexpectedEof.into()));
        }
        match whole_message(&answer) {
            Whole::NotYet if answer.len() < START_TLS_ANSWER => {}
            Whole::Yes(0) => return Ok(()),
            Whole::Yes(code) => {
                let words = format!("the directory refuses StartTLS (code {code})");
                return Err(Failure::refused(
                    400,
                    format!("{words}; switch it on there, or use an address with ldaps://"),
                ));
            }
            Whole::NotYet | Whole::No => {
                return Err(Failure::unreachable(
                    "what answers there is no directory; compare address and port in the connection's settings",
                ));
            }
        }
    }
}

/// What has come of the answer to StartTLS.
#[derive(Debug, PartialEq, Eq)]
enum Whole {
    NotYet,
    /// All of it, with this result code.
    Yes(u8),
    /// Something else.
    No,
}

fn whole_message(bytes: &[u8]) -> Whole {
    const SEQUENCE: u8 = 0x30;
    const INTEGER: u8 = 0x02;
    const EXTENDED_RESPONSE: u8 = 0x78;
    const ENUMERATED: u8 = 0x0a;
    if bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
        return Whole::No;
    }
    let Some((SEQUENCE, message, _)) = element(bytes) else { return Whole::NotYet };
    let code = element(message).and_then(|(id, _, rest)| {
        let (response, content, _) = element(rest)?;
        let (result, code, _) = element(content)?;
        (id == INTEGER && response == EXTENDED_RESPONSE && result == ENUMERATED).then(|| code.first().copied())?
    });
    code.map_or(Whole::No, Whole::Yes)
}

/// The first element of an encoding by the Basic Encoding Rules: its tag, its content, and what comes after it; none if it
/// has not come in whole.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = digits
            .iter()
            .try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)))?;
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_start_tls_is_read_in_either_form_of_length() {
        let short = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        assert_eq!(whole_message(short), Whole::Yes(0));
        // As Active Directory writes it.
        let long = b"\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x34\x04\x00\x04\x00";
        assert_eq!(whole_message(long), Whole::Yes(0x34));
        for end in 1..short.len() {
            assert_eq!(whole_message(&short[..end]), Whole::NotYet, "{end}");
        }
        for other in [&b"HTTP/1.1 400"[..], b"\x30\x03\x02\x01\x01", b"\x30\x05\x02\x01\x01\x78\x00"] {
            assert_eq!(whole_message(other), Whole::No, "{other:?}");
        }
        assert_eq!(whole_message(b"\x30\xff"), Whole::NotYet);
    }
}

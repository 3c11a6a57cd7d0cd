//! One connection to a NATS server, for one call.
//!
//! The packets are those of `watermelon-proto`; the socket is our own, so that it goes where calls may go, and what is certain
//! about a message is known.

use std::sync::Arc;

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use uuid::Uuid;
use watermelon_proto::{
    Connect, MessageBase, NonStandardConnect, ServerMessage, Subject, SubscriptionId,
    error::ServerError,
    headers::HeaderMap,
    proto::{ClientOp, FramedEncoder, ServerOp, StreamDecoder},
};
use workflow::{RunError, StandardError};

use super::super::settings::{Encryption, Settings};
use crate::{
    Failure,
    egress::CONNECT_LIMIT,
    tls::{self, TlsError},
};

/// The longest greeting that is read.
const GREETING_LIMIT: usize = 64 * 1024;
/// What is taken in of one message.
const MESSAGE_LIMIT: usize = 5 * 1024 * 1024;
/// The only subscription.
const INBOX: u64 = 1;

/// What a server says of itself before anything else. Names of hosts in it are not read: it may tell those that nobody can reach.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the protocol")]
struct Greeting {
    #[serde(default)]
    tls_required: bool,
    #[serde(default)]
    tls_available: bool,
    #[serde(default)]
    headers: bool,
    #[serde(default)]
    jetstream: bool,
    #[serde(default)]
    client_id: u64,
    #[serde(default)]
    max_payload: usize,
}

/// A server that has let us in.
pub(super) struct Session {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    encoder: FramedEncoder,
    decoder: StreamDecoder,
    /// Bytes that have come since the last whole packet.
    pending: usize,
    greeting: Greeting,
    host: String,
    inbox: String,
    /// How many answers were asked for.
    asked: u32,
}

/// A message that is to be sent.
pub(super) struct Outgoing {
    pub(super) subject: Subject,
    pub(super) headers: HeaderMap,
    pub(super) payload: Vec<u8>,
}

/// Why an exchange came to nothing.
pub(super) enum Trouble {
    /// The server said no: nothing happened.
    Refused(Failure),
    /// The server complained, but not about a message: of one that was sent, nobody knows what happened.
    Complained(Failure),
    /// Nobody knows what happened.
    Broken(String),
    /// It was answered, with what cannot be used.
    Unusable(String),
}

impl Trouble {
    /// The failure of an exchange before which nothing was sent that does anything.
    pub(super) fn harmless(self) -> Failure {
        match self {
            Self::Refused(failure) | Self::Complained(failure) => failure,
            Self::Broken(words) => Failure::unreachable(words),
            Self::Unusable(words) => Failure::refused(502, words),
        }
    }

    /// The failure of an exchange that may have happened.
    pub(super) fn after_sending(self, repeatable: bool) -> Failure {
        let maybe = if repeatable { Failure::lost } else { Failure::unknown };
        match self {
            Self::Refused(failure) => failure,
            Self::Complained(failure) => maybe(*failure.error),
            Self::Broken(words) => maybe(RunError::communication(503, words)),
            Self::Unusable(words) => maybe(RunError::communication(502, words)),
        }
    }
}

impl Session {
    /// Greets, encrypts and signs in; else the step of a test at which that failed. Nothing was sent that does anything.
    pub(super) async fn enter(
        settings: &Settings,
        mut stream: TcpStream,
        id: Uuid,
    ) -> Result<Self, (&'static str, Failure)> {
        // Who greets also says how it is encrypted; without encryption it belongs to connecting.
        let way = if settings.encryption == Encryption::Tls { "tls" } else { "connect" };
        let host = &settings.host;
        let greeting = timeout(CONNECT_LIMIT, greeting(&mut stream)).await;
        let greeting = greeting.unwrap_or_else(|_| Err("it says nothing".to_owned())).map_err(|reason| {
            let words = format!(
                "{host} port {} does not greet as a NATS server does ({reason}); compare host and port in the connection's \
                 settings, and see whether the server runs",
                settings.port
            );
            (way, Failure::unreachable(words))
        })?;
        let stream = match settings.encryption {
            Encryption::Tls => {
                Either::Right(encrypt(settings, &greeting, stream).await.map_err(|failure| (way, failure))?)
            }
            Encryption::None if greeting.tls_required => {
                let words = format!("{host} requires TLS: set encryption to tls in the connection's settings");
                return Err((way, Failure::configuration(words)));
            }
            Encryption::None => Either::Left(stream),
        };
        if !greeting.headers {
            let words = format!("{host} takes no headers; NATS 2.2 or later is needed");
            return Err((way, Failure::configuration(words)));
        }
        let inbox = format!("{}.rondo-{id}-{}", settings.inbox_prefix, greeting.client_id);
        let (encoder, decoder) = (FramedEncoder::new(), StreamDecoder::new());
        let host = host.clone();
        let mut session = Self { stream, encoder, decoder, pending: 0, greeting, host, inbox, asked: 0 };
        session.sign_in(settings).await?;
        Ok(session)
    }

    async fn sign_in(&mut self, settings: &Settings) -> Result<(), (&'static str, Failure)> {
        let connect = Connect {
            verbose: false,
            pedantic: false,
            require_tls: settings.encryption == Encryption::Tls,
            auth_token: settings.token.as_ref().map(|token| token.expose().to_owned()),
            username: settings.username.clone(),
            password: settings.password.as_ref().map(|password| password.expose().to_owned()),
            client_name: Some("rondo".to_owned()),
            client_lang: "rust",
            client_version: env!("CARGO_PKG_VERSION"),
            // Without changes of the cluster: the next call asks for the host again.
            protocol: 0,
            echo: true,
            signature: None,
            jwt: None,
            supports_no_responders: true,
            supports_headers: true,
            nkey: None,
            non_standard: NonStandardConnect::default(),
        };
        let subject = subject(&format!("{}.*", self.inbox)).map_err(|failure| ("settings", failure))?;
        let entering = async {
            self.send(&ClientOp::Connect { connect: Box::new(connect) }).await?;
            self.settle().await?;
            Ok::<_, Trouble>(())
        };
        timed("sign-in", settings, entering).await?;
        let receiving = async {
            self.send(&ClientOp::Subscribe { id: SubscriptionId::from(INBOX), subject, queue_group: None }).await?;
            self.settle().await
        };
        timed("right", settings, receiving).await
    }

    /// Whether it has streams.
    pub(super) fn has_streams(&self) -> bool {
        self.greeting.jetstream
    }

    /// Refuses a message that the server would hang up on.
    pub(super) fn permit(&self, bytes: usize) -> Result<(), Failure> {
        let most = self.greeting.max_payload;
        if most == 0 || bytes <= most {
            return Ok(());
        }
        Err(Failure::refused(
            413,
            format!(
                "the message has {bytes} bytes, and {} takes at most {most}; send less, or an address where the rest is",
                self.host
            ),
        ))
    }

    /// Sends a message that asks for no answer, and waits until the server has taken it.
    pub(super) async fn tell(&mut self, message: Outgoing) -> Result<(), Trouble> {
        self.publish(message, None).await?;
        self.settle().await
    }

    /// Sends a message and gives the first answer.
    pub(super) async fn ask(&mut self, message: Outgoing) -> Result<ServerMessage, Trouble> {
        self.begin(message).await?;
        self.answer().await
    }

    /// Sends a message that is answered once or more.
    pub(super) async fn begin(&mut self, message: Outgoing) -> Result<(), Trouble> {
        self.asked += 1;
        let reply = subject(&format!("{}.{}", self.inbox, self.asked)).map_err(Trouble::Refused)?;
        self.publish(message, Some(reply)).await
    }

    /// The next answer to what was asked last.
    pub(super) async fn answer(&mut self) -> Result<ServerMessage, Trouble> {
        let reply = format!("{}.{}", self.inbox, self.asked);
        loop {
            if let ServerOp::Message { message } = self.next().await?
                // Of messages that were taken, the subject is their own.
                && message.subscription_id == SubscriptionId::from(INBOX)
                && (message.base.subject.as_str() == reply || message.base.reply_subject.is_some())
            {
                return Ok(message);
            }
        }
    }

    async fn publish(&mut self, message: Outgoing, reply_subject: Option<Subject>) -> Result<(), Trouble> {
        let Outgoing { subject, headers, payload } = message;
        let message = MessageBase { subject, reply_subject, headers, payload: payload.into() };
        self.send(&ClientOp::Publish { message }).await
    }

    /// Waits until the server has dealt with everything so far; what it refuses, it refuses before that.
    async fn settle(&mut self) -> Result<(), Trouble> {
        self.send(&ClientOp::Ping).await?;
        while !matches!(self.next().await?, ServerOp::Pong) {}
        Ok(())
    }

    async fn send(&mut self, packet: &ClientOp) -> Result<(), Trouble> {
        let bytes = self.encoder.encode(packet);
        let sent = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        let Err(error) = sent.await else { return Ok(()) };
        // Who hangs up has often said why.
        while let Ok(packet) = self.next_packet().await {
            self.heeded(packet)?;
        }
        Err(self.broken(&error.to_string()))
    }

    /// The next packet that is for us; an error of the server's is one here.
    async fn next(&mut self) -> Result<ServerOp, Trouble> {
        loop {
            match self.next_packet().await? {
                ServerOp::Ping => self.pong().await?,
                packet => return self.heeded(packet),
            }
        }
    }

    async fn pong(&mut self) -> Result<(), Trouble> {
        let bytes = self.encoder.encode(&ClientOp::Pong);
        self.stream.write_all(&bytes).await.map_err(|error| self.broken(&error.to_string()))
    }

    async fn next_packet(&mut self) -> Result<ServerOp, Trouble> {
        loop {
            match self.decoder.decode() {
                Ok(Some(packet)) => {
                    self.pending = 0;
                    return Ok(packet);
                }
                Ok(None) => {}
                Err(error) => {
                    return Err(Trouble::Unusable(format!("what {} sends is not NATS: {error}", self.host)));
                }
            }
            if self.pending > MESSAGE_LIMIT {
                return Err(Trouble::Unusable(format!(
                    "{} sends a message of more than {} MiB, which is not taken in; have it send less at once",
                    self.host,
                    MESSAGE_LIMIT / 1024 / 1024
                )));
            }
            match self.stream.read_buf(self.decoder.read_buf()).await {
                Ok(0) => return Err(self.broken("the server hung up")),
                Ok(read) => self.pending += read,
                Err(error) => return Err(self.broken(&error.to_string())),
            }
        }
    }

    fn heeded(&self, packet: ServerOp) -> Result<ServerOp, Trouble> {
        match packet {
            ServerOp::Error { error } => Err(objection(&self.host, &error)),
            other => Ok(other),
        }
    }

    fn broken(&self, reason: &str) -> Trouble {
        Trouble::Broken(format!("the connection to the NATS server {} broke: {reason}", self.host))
    }
}

/// What a server says before anything is sent, byte by byte: what comes after it may be encrypted.
async fn greeting(stream: &mut TcpStream) -> Result<Greeting, String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        if line.len() >= GREETING_LIMIT {
            return Err("its first line does not end".to_owned());
        }
        match stream.read_u8().await {
            Ok(byte) => line.push(byte),
            Err(_) => return Err("it hung up".to_owned()),
        }
        // Nobody who speaks another protocol need be waited for.
        if !b"INFO ".starts_with(line.get(..5).unwrap_or(&line)) {
            return Err("it speaks another protocol".to_owned());
        }
    }
    serde_json::from_slice(line.get(5..).unwrap_or_default()).map_err(|_| "its first line cannot be read".to_owned())
}

async fn encrypt(settings: &Settings, greeting: &Greeting, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
    let host = &settings.host;
    if !greeting.tls_required && !greeting.tls_available {
        return Err(Failure::configuration(format!(
            "{host} does not speak TLS; have it do so, or set encryption to none in the connection's settings"
        )));
    }
    let config = settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
    let words = |error: &str| format!("{host} port {}: {error}", settings.port);
    match timeout(CONNECT_LIMIT, tls::encrypt(stream, host, Arc::new(config))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error @ TlsError::Host(_))) => Err(Failure::configuration(words(&error.to_string()))),
        Ok(Err(error)) => Err(Failure::unreachable(words(&error.to_string()))),
        Err(_) => Err(Failure::unreachable(words("no answer to the TLS greeting in time"))),
    }
}

async fn timed(
    step: &'static str,
    settings: &Settings,
    exchange: impl Future<Output = Result<(), Trouble>>,
) -> Result<(), (&'static str, Failure)> {
    match timeout(CONNECT_LIMIT, exchange).await {
        Ok(ended) => ended.map_err(|trouble| (step, trouble.harmless())),
        Err(_) => {
            let words = format!("the NATS server {} does not answer; see whether it is well", settings.host);
            Err((step, Failure::unreachable(words)))
        }
    }
}

/// A subject that can be sent.
pub(super) fn subject(text: &str) -> Result<Subject, Failure> {
    Subject::try_from(text.to_owned()).map_err(|error| Failure::configuration(format!("“{text}”: {error}")))
}

/// An error of the server. Only some are about the message itself, which then did not go out; any other may come when it has.
fn objection(host: &str, error: &ServerError) -> Trouble {
    let failure = refused(host, error);
    match error {
        ServerError::PublishPermissionViolation
        | ServerError::InvalidSubject
        | ServerError::MaximumPayloadViolation => Trouble::Refused(failure),
        _ => Trouble::Complained(failure),
    }
}

/// What an error of the server means.
fn refused(host: &str, error: &ServerError) -> Failure {
    let no = |kind, words: String| Failure::permanent(RunError::new(kind, words));
    match error {
        ServerError::AuthorizationViolation | ServerError::AuthorizationTimeout => no(
            StandardError::Authentication,
            format!(
                "{host} does not accept the sign-in; enter user name and password, or the token, as its configuration has them"
            ),
        ),
        ServerError::PublishPermissionViolation => no(
            StandardError::Authorization,
            format!("{host} does not let the account publish there; permit it in the account's permissions"),
        ),
        ServerError::SubscribePermissionViolation => no(
            StandardError::Authorization,
            format!(
                "{host} does not let the account receive answers; permit the subjects below the inbox prefix in the account's \
                 permissions, or enter the prefix that it may use"
            ),
        ),
        ServerError::TlsRequired => {
            Failure::configuration(format!("{host} requires TLS: set encryption to tls in the connection's settings"))
        }
        ServerError::ConnectionAttemptedToWrongPort => Failure::configuration(format!(
            "the port is for servers among themselves; enter that for clients of {host}"
        )),
        ServerError::MaximumPayloadViolation => {
            Failure::refused(413, format!("the message is larger than {host} takes; send less"))
        }
        ServerError::MaximumConnectionsExceeded => {
            Failure::unreachable(format!("{host} takes no more connections for now; try again later"))
        }
        ServerError::StaleConnection | ServerError::SlowConsumer => {
            Failure::unreachable(format!("{host} ended the connection ({error}); try again"))
        }
        other => Failure::refused(502, format!("{host} says: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind;

    #[test]
    fn what_a_server_refuses_names_the_remedy() {
        for (error, kind, words) in [
            (ServerError::AuthorizationViolation, StandardError::Authentication, "enter user name and password"),
            (ServerError::PublishPermissionViolation, StandardError::Authorization, "permit it"),
            (ServerError::TlsRequired, StandardError::Configuration, "set encryption to tls"),
        ] {
            let failure = refused("broker.test", &error);
            assert!(failure.error.is(kind) && failure.detail().contains(words), "{failure}");
        }
    }

    #[test]
    fn only_errors_about_the_message_say_that_it_was_not_sent() {
        for (error, kind) in [
            (ServerError::PublishPermissionViolation, FailureKind::Permanent),
            (ServerError::InvalidSubject, FailureKind::Permanent),
            (ServerError::MaximumPayloadViolation, FailureKind::Permanent),
            (ServerError::StaleConnection, FailureKind::Unknown),
            (ServerError::AuthorizationViolation, FailureKind::Unknown),
            (ServerError::SubscribePermissionViolation, FailureKind::Unknown),
        ] {
            assert_eq!(objection("broker.test", &error).after_sending(false).kind, kind, "{error}");
        }
        let repeatable = objection("broker.test", &ServerError::SlowConsumer).after_sending(true);
        assert_eq!(repeatable.kind, FailureKind::Lost);
        let sign_in = objection("broker.test", &ServerError::AuthorizationViolation).harmless();
        assert_eq!(sign_in.kind, FailureKind::Permanent);
    }
}

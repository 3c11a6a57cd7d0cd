//! Mails to a server.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use domain::view::CheckStep;
use lettre::transport::smtp::{
    Error as SmtpError,
    authentication::{Credentials, DEFAULT_MECHANISMS},
    client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, Identity, TlsParameters},
    commands::{Data, Mail, Rcpt},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use workflow::{RunError, StandardError};

use super::{
    bounded::{Bounded, TooMuch},
    letter::Letter,
    settings::{Encryption, ServerSettings},
};
use crate::{CallContext, Failure, ResolvedConnection, connection::Steps, egress::EgressPolicy, tls};

/// How long a server may take to greet before a check gives it up; some keep everybody waiting for a while.
const GREETING_LIMIT: Duration = Duration::from_secs(20);

/// Hands a mail over to the server, which takes it for all recipients or not at all.
pub(super) async fn deliver(
    settings: &ServerSettings,
    letter: &Letter,
    context: &CallContext,
) -> Result<Value, Failure> {
    refuse_open_password(settings)?;
    let entering = async {
        let stream = context.egress.connect(&settings.host, settings.port()).await?;
        let mut server = encrypt(stream, settings).await?;
        sign_in(&mut server, settings).await?;
        Ok::<_, Failure>(server)
    };
    let mut server = context.entering(&format!("the mail server {}", settings.host), entering).await?;
    let response = hand_over(&mut server, letter).await;
    server.abort().await;
    Ok(json!({"messageId": letter.message_id, "accepted": letter.recipients, "response": response?}))
}

/// Tries a connection out, step by step.
pub(super) async fn check(policy: &EgressPolicy, connection: &ResolvedConnection) -> Vec<CheckStep> {
    let mut steps = Steps::default();
    let Ok(settings) = connection.settings::<ServerSettings>() else {
        return steps.fail("settings", "the sender is not a mail address");
    };
    if let Err(failure) = refuse_open_password(&settings).and_then(|()| tls_parameters(&settings).map(drop)) {
        return steps.fail("settings", failure.detail());
    }
    steps.pass("settings", "complete");
    let Some(stream) = steps.dial(policy, &settings.host, settings.port()).await else { return steps.done() };
    let greeted = tokio::time::timeout(GREETING_LIMIT, encrypt(stream, &settings)).await.unwrap_or_else(|_| {
        let seconds = GREETING_LIMIT.as_secs();
        let words = format!("no greeting within {seconds} seconds; a port for TLS from the start wants encryption tls");
        Err(Failure::unreachable(words))
    });
    let mut server = match greeted {
        Ok(server) => server,
        Err(failure) if settings.encryption == Encryption::None => return steps.fail("connect", failure.detail()),
        Err(failure) => return steps.fail("tls", failure.detail()),
    };
    if settings.encryption != Encryption::None {
        steps.pass("tls", "the certificate is trusted");
    }
    if let Err(failure) = sign_in(&mut server, &settings).await {
        server.abort().await;
        return steps.fail("sign-in", failure.detail());
    }
    let detail = match &settings.username {
        Some(username) => format!("signed in as {username}"),
        None => "the server answers; no sign-in is configured".to_owned(),
    };
    steps.pass("sign-in", &detail);
    let right = server.command(Mail::new(Some(settings.from.email.clone()), Vec::new())).await;
    server.abort().await;
    match right {
        Ok(_) => {
            steps.pass("right", &format!("the server takes mail from {}", settings.from.email));
            steps.done()
        }
        Err(error) => steps.fail("right", refused(&error, "the sender").detail()),
    }
}

fn refuse_open_password(settings: &ServerSettings) -> Result<(), Failure> {
    if settings.encryption == Encryption::None && settings.username.is_some() {
        return Err(Failure::configuration("the password would travel unencrypted: choose StartTLS or TLS"));
    }
    Ok(())
}

async fn encrypt(stream: TcpStream, settings: &ServerSettings) -> Result<AsyncSmtpConnection, Failure> {
    let me = ClientId::default();
    let no_greeting = |error: SmtpError| before_sending(&error, "the greeting");
    match settings.encryption {
        Encryption::None => {
            AsyncSmtpConnection::connect_with_transport(bounded(stream), &me).await.map_err(no_greeting)
        }
        Encryption::Tls => {
            let config = settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
            let encrypted = tls::encrypt(stream, &settings.host, Arc::new(config))
                .await
                .map_err(|error| Failure::unreachable(error.to_string()))?;
            AsyncSmtpConnection::connect_with_transport(bounded(Encrypted(encrypted)), &me).await.map_err(no_greeting)
        }
        Encryption::StartTls => {
            let parameters = tls_parameters(settings)?;
            let mut server =
                AsyncSmtpConnection::connect_with_transport(bounded(stream), &me).await.map_err(no_greeting)?;
            if !server.can_starttls() {
                server.abort().await;
                return Err(Failure::configuration(
                    "the mail server does not offer StartTLS; choose TLS if its port is for that",
                ));
            }
            server.starttls(parameters, &me).await.map_err(|error| before_sending(&error, "StartTLS"))?;
            Ok(server)
        }
    }
}

fn bounded(stream: impl AsyncTokioStream + 'static) -> Box<dyn AsyncTokioStream> {
    Box::new(Bounded::new(Box::new(stream)))
}

fn tls_parameters(settings: &ServerSettings) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    // Says in the same words for every connector what is wrong with a CA or a certificate.
    settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
    if let (Some(leaf), Some((_, key))) = (settings.tls.leaf(), settings.tls.shown()) {
        // The library takes one certificate, and takes it as it is: not as PEM, whatever the name says.
        let shown = Identity::from_pem(&leaf, key.as_bytes())
            .map_err(|error| Failure::configuration(format!("the client certificate cannot be used: {error}")))?;
        builder = builder.identify_with(shown);
    }
    if let Some(authority) = settings.tls.authority() {
        let certificate = Certificate::from_pem(authority.as_bytes())
            .map_err(|error| Failure::configuration(format!("the CA cannot be used: {error}")))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| Failure::configuration(format!("encryption cannot be configured: {error}")))
}

async fn sign_in(server: &mut AsyncSmtpConnection, settings: &ServerSettings) -> Result<(), Failure> {
    let (Some(username), Some(password)) = (&settings.username, &settings.password) else { return Ok(()) };
    let credentials = Credentials::new(username.clone(), password.expose().to_owned());
    match server.auth(DEFAULT_MECHANISMS, &credentials).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_permanent() => Err(Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!("the mail server refused the sign-in: {error}; compare user name and password"),
        ))),
        Err(error) if error.is_client() => {
            Err(Failure::configuration(format!("the mail server offers no way to sign in with a password: {error}")))
        }
        Err(error) => Err(before_sending(&error, "the sign-in")),
    }
}

async fn hand_over(server: &mut AsyncSmtpConnection, letter: &Letter) -> Result<String, Failure> {
    let envelope = letter.message.envelope();
    let text = letter.message.formatted();
    let mut options = Vec::new();
    let international =
        !envelope.to().iter().chain(envelope.from()).all(|address| AsRef::<str>::as_ref(address).is_ascii());
    if international {
        if !server.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::refused(422, "the mail server does not take addresses with such characters"));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !text.is_ascii() && server.server_info().supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let sender = Mail::new(envelope.from().cloned(), options);
    server.command(sender).await.map_err(|error| before_sending(&error, "the sender"))?;
    for address in envelope.to() {
        server
            .command(Rcpt::new(address.clone(), Vec::new()))
            .await
            .map_err(|error| before_sending(&error, &format!("the recipient {address}")))?;
    }
    server.command(Data).await.map_err(|error| before_sending(&error, "the mail"))?;
    let answer = server.message(&text).await.map_err(|error| {
        if error.status().is_some() {
            refused(&error, "the mail")
        } else {
            Failure::unknown(RunError::communication(
                503,
                format!(
                    "the connection broke before the mail server said whether it took the mail: {error}; look there, or \
                     whether the mail has come"
                ),
            ))
        }
    })?;
    Ok(answer.message().collect::<Vec<_>>().join(" "))
}

/// What a failure means before the text was sent: the mail was not taken.
fn before_sending(error: &SmtpError, what: &str) -> Failure {
    if error.status().is_some() {
        return refused(error, what);
    }
    if let Some(reason) = cause::<rustls::Error>(error).map(tls::explain) {
        return Failure::unreachable(reason);
    }
    if let Some(too_much) = cause::<TooMuch>(error) {
        return Failure::refused(502, format!("what answers there is no mail server ({what}): {too_much}"));
    }
    Failure::unreachable(format!(
        "the mail server could not be talked to ({what}): {error}; compare host, port and encryption, and see whether it runs"
    ))
}

/// What an answer of the server means that is not yes.
fn refused(error: &SmtpError, what: &str) -> Failure {
    let detail = format!("the mail server refused {what}: {error}");
    if error.is_transient() {
        Failure::retryable(RunError::communication(503, detail))
    } else {
        Failure::refused(422, detail)
    }
}

/// What lies behind a failure, if it is of this kind.
fn cause<T: std::error::Error + 'static>(error: &SmtpError) -> Option<&T> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        // An error inside an I/O error is not its source but its content.
        let content = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = content.and_then(|content| content.downcast_ref()) {
            return Some(found);
        }
        source = inner.source();
    }
    None
}

/// A connection that was encrypted here, in the shape that the library takes.
struct Encrypted(TlsStream<TcpStream>);

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encrypted")
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

//! Syslog over TCP, in the clear or by TLS.
//!
//! The protocol confirms nothing. What can be known is this: a connection is opened for each parcel and ended after it, and
//! the receiver ends its side once it has read to that end. If it stops before, what it has not read, or what comes after it
//! has gone, makes its system reset the connection. So when both sides have ended and there was no reset, the receiver has
//! read everything.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use connectors::{egress::EgressPolicy, tls};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ErrorKind},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{Sink, Undelivered};
use crate::{Parcel, Trust, format::syslog::Sender};

/// How often is looked whether a connection that was ended by both sides is gone; mostly it is at once.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How long the other side's system may take to acknowledge the end.
const END_LIMIT: Duration = Duration::from_secs(30);

pub(super) struct SyslogSink {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    sender: Sender,
    egress: Arc<EgressPolicy>,
}

impl SyslogSink {
    pub(super) fn new(
        host: String,
        port: u16,
        trust: Option<&Trust>,
        sender: Sender,
        egress: Arc<EgressPolicy>,
    ) -> Result<Self, Undelivered> {
        let config = trust.map(|trust| tls::client_config_showing(trust.authority.as_deref(), trust.shown()));
        Ok(Self { host, port, tls: config.transpose()?.map(Arc::new), sender, egress })
    }
}

#[async_trait]
impl Sink for SyslogSink {
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let frames = self.sender.frames(log, parcel);
        let mut stream = self.egress.connect(&self.host, self.port).await?;
        let Some(config) = &self.tls else {
            hand_over(&mut stream, &frames).await?;
            return has_ended(&mut stream).await;
        };
        let mut encrypted = tls::encrypt(stream, &self.host, Arc::clone(config)).await?;
        hand_over(&mut encrypted, &frames).await?;
        // The other side may say within the encryption that it ends, and leave unread what came before.
        has_ended(encrypted.get_mut().0).await
    }
}

fn broken() -> impl FnOnce(std::io::Error) -> Undelivered {
    Undelivered::io("the connection broke before the receiver had read everything")
}

/// Writes everything, says that this was all, and waits until the other side says so too.
async fn hand_over<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, frames: &[u8]) -> Result<(), Undelivered> {
    stream.write_all(frames).await.map_err(broken())?;
    stream.shutdown().await.map_err(broken())?;
    end_of(stream).await
}

async fn end_of<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(), Undelivered> {
    let mut said = [0; 512];
    loop {
        match stream.read(&mut said).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Many end an encrypted connection without saying so in it.
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(cause) => return Err(broken()(cause)),
        }
    }
}

/// Waits until the connection is no more: the other side's system has all that was sent, or has reset it.
async fn has_ended(stream: &mut TcpStream) -> Result<(), Undelivered> {
    end_of(stream).await?;
    // A connection has a peer until both ends are acknowledged. What makes it end is no event that could be waited for.
    let gone = async {
        while stream.peer_addr().is_ok() {
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(END_LIMIT, gone).await.map_err(|_| broken()(ErrorKind::TimedOut.into()))?;
    match stream.take_error() {
        Ok(None) => Ok(()),
        Ok(Some(cause)) | Err(cause) => Err(broken()(cause)),
    }
}

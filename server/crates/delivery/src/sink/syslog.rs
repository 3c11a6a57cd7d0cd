//! Syslog over TCP, in the clear or by TLS.
//!
//! The protocol confirms nothing. What can be known is this: a connection is opened for each parcel and ended after it, and
//! the receiver ends its side once it has read to that end. If it stops before, what it has not read makes its system
//! reset the connection instead. So a regular end means that the receiver has read everything that had come. (A receiver that
//! ends itself at the very moment when it has read what has come, and more is under way, looks the same.)

use std::sync::Arc;

use async_trait::async_trait;
use connectors::{egress::EgressPolicy, tls};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ErrorKind};

use super::{Sink, Undelivered};
use crate::{Parcel, Trust, format::syslog::Sender};

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
        let stream = self.egress.connect(&self.host, self.port).await?;
        match &self.tls {
            None => hand_over(stream, &frames).await,
            Some(config) => hand_over(tls::encrypt(stream, &self.host, Arc::clone(config)).await?, &frames).await,
        }
    }
}

/// Writes everything, says that this was all, and waits until the other side has read so far.
async fn hand_over<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, frames: &[u8]) -> Result<(), Undelivered> {
    let broken = || Undelivered::io("the connection broke before the receiver had read everything");
    stream.write_all(frames).await.map_err(broken())?;
    stream.shutdown().await.map_err(broken())?;
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

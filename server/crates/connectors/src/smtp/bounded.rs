//! A connection with a bound to what a mail server may say over it: the library takes in a line however long it is.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes are taken in over one connection, of which a mail needs some hundred.
const ANSWERS: usize = 1 << 20;

/// The mail server said more than that.
#[derive(Debug, thiserror::Error)]
#[error("it says more than 1 MiB; compare host and port")]
pub(super) struct TooMuch;

/// A connection of which no more is read than [`ANSWERS`].
#[derive(Debug)]
pub(super) struct Bounded {
    stream: Box<dyn AsyncTokioStream>,
    left: usize,
}

impl Bounded {
    pub(super) fn new(stream: Box<dyn AsyncTokioStream>) -> Self {
        Self { stream, left: ANSWERS }
    }
}

impl AsyncTokioStream for Bounded {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        self.left = self.left.saturating_sub(buf.filled().len().saturating_sub(before));
        Poll::Ready(read)
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

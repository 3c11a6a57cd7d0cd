//! What a PostgreSQL server sends, followed message by message: the library takes in a message however long it is.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// No message may be longer. A row is one message; what is passed on is less than this.
const MESSAGE_LIMIT: usize = 16 << 20;

/// A way to the server that breaks at a message which is too long.
pub(super) struct Wire<S> {
    stream: S,
    lengths: Lengths,
    too_long: Arc<AtomicBool>,
}

impl<S> Wire<S> {
    /// `too_long` is set when the way breaks so, since the library only says that it broke.
    pub(super) fn new(stream: S, too_long: Arc<AtomicBool>) -> Self {
        Self { stream, lengths: Lengths::default(), too_long }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if self.lengths.follow(read) {
            return Poll::Ready(Ok(()));
        }
        self.too_long.store(true, Ordering::SeqCst);
        Poll::Ready(Err(io::Error::other("a message is longer than is taken in")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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

/// Where in the messages the bytes are: each begins with its kind, and with the length of what follows that.
#[derive(Default)]
struct Lengths {
    /// What has come of a message's beginning.
    beginning: Vec<u8>,
    /// How much of the message is still to come.
    left: usize,
}

impl Lengths {
    /// Goes on by these bytes; false at a message that is too long.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let passed = bytes.len().min(self.left);
            self.left -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            let Some((byte, rest)) = bytes.split_first() else { return true };
            self.beginning.push(*byte);
            bytes = rest;
            let [_kind, a, b, c, d] = *self.beginning.as_slice() else { continue };
            self.beginning.clear();
            // The length counts itself.
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            self.left = length.saturating_sub(4);
            if self.left > MESSAGE_LIMIT {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_followed_however_they_are_cut() {
        let mut sent = b"Z\0\0\0\x05I".to_vec();
        sent.extend(b"D\0\0\x01\x04");
        sent.extend([b'x'; 256]);
        sent.extend(b"C\0\0\0\x04");
        for size in 1..sent.len() {
            let mut lengths = Lengths::default();
            assert!(sent.chunks(size).all(|chunk| lengths.follow(chunk)), "{size}");
            assert!(lengths.left == 0 && lengths.beginning.is_empty(), "{size}");
            assert!(!lengths.follow(b"D\x01\x00\x00\x05"), "{size}");
        }
        // What is no PostgreSQL.
        assert!(!Lengths::default().follow(b"HTTP/1.1 400 Bad Request"));
    }
}

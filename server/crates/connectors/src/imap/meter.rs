//! A connection that takes in no more than one answer may have.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The largest answer that is taken in, in bytes.
const ANSWER: usize = 8 * 1024 * 1024;

/// A connection whose answers are measured. One that is too large ends it with [`io::ErrorKind::FileTooLarge`].
pub(super) struct Metered<S> {
    inner: S,
    taken: Arc<AtomicUsize>,
    literals: Literals,
}

impl<S> Metered<S> {
    /// Measures what comes; whoever sets `taken` to nothing begins a new answer.
    pub(super) fn new(inner: S, taken: Arc<AtomicUsize>) -> Self {
        Self { inner, taken, literals: Literals::default() }
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

/// Follows what a server sends to where it announces the length of something: room is made for all of that as soon as it is
/// read, so that it has to be judged before.
#[derive(Default)]
struct Literals(Place);

/// What came last.
#[derive(Clone, Copy, Default)]
enum Place {
    #[default]
    Line,
    /// `{` and digits.
    Digits(usize),
    /// And `}`.
    Closed(usize),
    /// And a carriage return.
    Return(usize),
    /// A part of what was announced; so much is missing.
    Within(usize),
}

impl Literals {
    /// Whether nothing is announced here that is too large.
    fn fit(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while let Some((first, after)) = rest.split_first() {
            if let Place::Within(missing) = self.0 {
                let here = missing.min(rest.len());
                rest = rest.get(here..).unwrap_or_default();
                self.0 = if here == missing { Place::Line } else { Place::Within(missing - here) };
                continue;
            }
            rest = after;
            self.0 = match (self.0, *first) {
                (_, b'{') => Place::Digits(0),
                (Place::Digits(length), digit @ b'0'..=b'9') => {
                    Place::Digits(length.saturating_mul(10).saturating_add(usize::from(digit - b'0')))
                }
                (Place::Digits(length), b'}') => Place::Closed(length),
                (Place::Closed(length), b'\r') => Place::Return(length),
                (Place::Return(length), b'\n') if length > ANSWER => return false,
                (Place::Return(length), b'\n') if length > 0 => Place::Within(length),
                _ => Place::Line,
            };
        }
        true
    }
}

impl<S> fmt::Debug for Metered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metered")
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.inner).poll_read(cx, buf);
        let more = buf.filled().get(before..).unwrap_or_default();
        let taken = this.taken.fetch_add(more.len(), Ordering::Relaxed).saturating_add(more.len());
        if taken > ANSWER || !this.literals.fit(more) {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it fits however it is cut.
    fn fits(text: &str) -> bool {
        let whole = Literals::default().fit(text.as_bytes());
        let mut literals = Literals::default();
        assert_eq!(text.bytes().all(|byte| literals.fit(&[byte])), whole, "{text}");
        whole
    }

    #[test]
    fn what_is_announced_is_judged_before_it_comes() {
        assert!(fits("* 1 FETCH (BODY[] {5}\r\nhello)\r\n* 2 FETCH (BODY[] {0}\r\n)\r\n"));
        assert!(!fits("* 1 FETCH (BODY[] {400000000}\r\n"));
        assert!(!fits("* 1 FETCH (BODY[] {5}\r\nhello BODY[TEXT] {99999999999999999999999}\r\n"));
        // What a message says is no announcement.
        assert!(fits("* 1 FETCH (BODY[] {15}\r\n{400000000}\r\n.)\r\n"));
        assert!(fits("* OK {400000000} messages\r\n"));
    }
}

//! Messages on the wire (RFC 6242): ended by a mark until both sides have greeted, in chunks afterwards where both can.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Ends a message in the framing of version 1.0.
const END: &[u8] = b"]]>]]>";
/// The largest message that is taken in.
const LIMIT: usize = 8 << 20;
/// So much is read at once.
const PIECE: usize = 16 << 10;
/// Digits of the largest size of a chunk.
const DIGITS: usize = 10;

/// Why there is no message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::network) enum Broken {
    /// The connection ended.
    Lost(String),
    /// It is more than is taken in.
    TooLarge,
    /// It is no message.
    Malformed(String),
}

/// One side of a conversation.
pub(in crate::network) struct Wire<S> {
    stream: S,
    /// What has come, and how much of it was taken already.
    come: Vec<u8>,
    taken: usize,
    chunked: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(in crate::network) fn new(stream: S) -> Self {
        Self { stream, come: Vec::new(), taken: 0, chunked: false }
    }

    /// From here on messages come and go in chunks.
    pub(in crate::network) fn in_chunks(&mut self) {
        self.chunked = true;
    }

    /// Sends a message. What would end it early is refused before anything is sent.
    pub(in crate::network) async fn send(&mut self, message: &str) -> Result<(), Broken> {
        let framed = if self.chunked {
            format!("\n#{}\n{message}\n##\n", message.len())
        } else if message.contains("]]>]]>") {
            return Err(Broken::Malformed("it holds ]]>]]>, which ends a message".to_owned()));
        } else {
            format!("{message}]]>]]>")
        };
        let lost = |error: std::io::Error| Broken::Lost(error.to_string());
        self.stream.write_all(framed.as_bytes()).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    /// The next message.
    pub(in crate::network) async fn receive(&mut self) -> Result<String, Broken> {
        let message = if self.chunked { self.chunks().await? } else { self.marked().await? };
        String::from_utf8(message).map_err(|_| Broken::Malformed("it is not UTF-8".to_owned()))
    }

    async fn marked(&mut self) -> Result<Vec<u8>, Broken> {
        let mut seen = 0_usize;
        loop {
            // The mark may have come in two pieces.
            let from = seen.saturating_sub(END.len());
            let found = self.rest().get(from..).unwrap_or_default().windows(END.len()).position(|part| part == END);
            if let Some(at) = found {
                let message = self.take(from + at);
                self.taken += END.len();
                return Ok(message);
            }
            seen = self.rest().len();
            if seen > LIMIT {
                return Err(Broken::TooLarge);
            }
            self.fill().await?;
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Broken> {
        let mut message = Vec::new();
        while let Some(size) = self.header(message.is_empty()).await? {
            if message.len() + size > LIMIT {
                return Err(Broken::TooLarge);
            }
            while self.rest().len() < size {
                self.fill().await?;
            }
            message.extend(self.take(size));
        }
        if message.is_empty() {
            return Err(Broken::Malformed("it has no chunk".to_owned()));
        }
        Ok(message)
    }

    /// The size of the next chunk; none at the end of the message.
    async fn header(&mut self, first: bool) -> Result<Option<usize>, Broken> {
        let wrong = || Broken::Malformed("a chunk does not begin as one".to_owned());
        let mut byte = self.byte().await?;
        // Some end what came before with a line of their own.
        for _ in 0..4 {
            if !first || byte != b'\n' && byte != b'\r' {
                break;
            }
            byte = self.byte().await?;
        }
        if !first {
            if byte != b'\n' {
                return Err(wrong());
            }
            byte = self.byte().await?;
        }
        if byte != b'#' {
            return Err(wrong());
        }
        byte = self.byte().await?;
        if byte == b'#' {
            return if self.byte().await? == b'\n' { Ok(None) } else { Err(wrong()) };
        }
        let mut digits = String::new();
        while byte != b'\n' {
            let leading = digits.is_empty() && byte == b'0';
            if !byte.is_ascii_digit() || leading || digits.len() == DIGITS {
                return Err(wrong());
            }
            digits.push(char::from(byte));
            byte = self.byte().await?;
        }
        digits.parse().map(Some).map_err(|_| wrong())
    }

    async fn byte(&mut self) -> Result<u8, Broken> {
        loop {
            if let Some(byte) = self.rest().first().copied() {
                self.taken += 1;
                return Ok(byte);
            }
            self.fill().await?;
        }
    }

    fn rest(&self) -> &[u8] {
        self.come.get(self.taken..).unwrap_or_default()
    }

    fn take(&mut self, size: usize) -> Vec<u8> {
        let taken = self.rest().iter().take(size).copied().collect();
        self.taken += size;
        taken
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        self.come.drain(..self.taken.min(self.come.len()));
        self.taken = 0;
        let mut piece = vec![0; PIECE];
        let read = self.stream.read(&mut piece).await.map_err(|error| Broken::Lost(error.to_string()))?;
        if read == 0 {
            return Err(Broken::Lost("it was closed".to_owned()));
        }
        self.come.extend(piece.into_iter().take(read));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    /// What is read of these bytes, when they come in pieces of this size.
    async fn read(bytes: &[u8], chunked: bool, piece: usize) -> Vec<Result<String, Broken>> {
        let (ours, mut theirs) = duplex(64);
        let bytes = bytes.to_vec();
        let writing = tokio::spawn(async move {
            for part in bytes.chunks(piece) {
                theirs.write_all(part).await.unwrap();
            }
        });
        let mut wire = Wire::new(ours);
        wire.chunked = chunked;
        let mut all = Vec::new();
        loop {
            let message = wire.receive().await;
            let end = message.is_err();
            all.push(message);
            if end {
                writing.abort();
                return all;
            }
        }
    }

    #[tokio::test]
    async fn messages_are_found_however_they_come_in_pieces() {
        for piece in [1, 2, 3, 5, 1000] {
            let marked = read(b"<a/>]]>]]>\n<b>]]</b>]]>]]>", false, piece).await;
            assert_eq!(marked[..2], [Ok("<a/>".to_owned()), Ok("\n<b>]]</b>".to_owned())]);
            let chunks = read("\n#4\n<a/>\n##\n\n#2\n<b\n#5\n>é</\n#2\nb>\n##\n".as_bytes(), true, piece).await;
            assert_eq!(chunks[..2], [Ok("<a/>".to_owned()), Ok("<b>é</b>".to_owned())], "{piece}");
            assert!(matches!(chunks[2], Err(Broken::Lost(_))));
        }
    }

    #[tokio::test]
    async fn what_is_no_chunk_is_refused() {
        for bad in
            ["x", "\n#0\n", "\n#01\na", "\n#-1\n", "\n#4", "\n##\n", "\n#1\nab", "\n#99999999999\n", "\n#4294967295\n"]
        {
            let read = read(bad.as_bytes(), true, 100).await.remove(0);
            assert!(read.is_err(), "{bad:?}: {read:?}");
        }
        assert_eq!(read(b"\n#4294967295\n", true, 100).await, [Err(Broken::TooLarge)]);
    }

    #[tokio::test]
    async fn a_mark_inside_a_message_is_not_sent() {
        let (ours, _theirs) = duplex(64);
        let mut wire = Wire::new(ours);
        assert!(matches!(wire.send("<a>]]>]]></a>").await, Err(Broken::Malformed(_))));
        wire.in_chunks();
        assert_eq!(wire.send("<a b=']]>]]>'/>").await, Ok(()));
    }
}

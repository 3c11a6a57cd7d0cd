//! What a container writes, as it comes: pieces of the two outputs, each behind a header of eight bytes that says which and how
//! long.

/// The bytes of a header.
const HEADER: usize = 8;

/// One of the outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// Takes the pieces apart.
#[derive(Default)]
pub(super) struct Frames {
    header: Vec<u8>,
    /// What is still to come of the piece that has begun.
    open: Option<(Output, usize)>,
    is_broken: bool,
}

impl Frames {
    /// Hands on what there is of each output.
    pub(super) fn push(&mut self, mut data: &[u8], mut take: impl FnMut(Output, &[u8])) {
        while !data.is_empty() && !self.is_broken {
            data = match self.open {
                Some((output, left)) => {
                    let (piece, rest) = data.split_at(left.min(data.len()));
                    take(output, piece);
                    self.open = Some((output, left - piece.len())).filter(|(_, left)| *left > 0);
                    rest
                }
                None => {
                    let (piece, rest) = data.split_at((HEADER - self.header.len()).min(data.len()));
                    self.header.extend_from_slice(piece);
                    self.begin();
                    rest
                }
            };
        }
    }

    /// Whether all that came was pieces, and the last is complete.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_broken && self.open.is_none() && self.header.is_empty()
    }

    fn begin(&mut self) {
        let [kind, 0, 0, 0, length @ ..] = self.header.as_slice() else {
            self.is_broken = self.header.len() == HEADER;
            return;
        };
        let Ok(length) = <[u8; 4]>::try_from(length) else { return };
        let output = match kind {
            0 | 1 => Output::Stdout,
            2 => Output::Stderr,
            _ => {
                self.is_broken = true;
                return;
            }
        };
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        self.open = Some((output, length)).filter(|_| length > 0);
        self.header.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(chunks: &[&[u8]]) -> (String, String, bool) {
        let (mut frames, mut out, mut err) = (Frames::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            frames.push(chunk, |output, piece| match output {
                Output::Stdout => out.extend_from_slice(piece),
                Output::Stderr => err.extend_from_slice(piece),
            });
        }
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), frames.is_whole())
    }

    #[test]
    fn pieces_are_told_apart_however_they_come_in() {
        let all = b"\x01\0\0\0\0\0\0\x02ab\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01c";
        let expected = ("abc".to_owned(), "err".to_owned(), true);
        assert_eq!(taken(&[all]), expected);
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(taken(&single), expected);
        assert!(!taken(&[&all[..all.len() - 1]]).2);
        assert!(!taken(&[&all[..4]]).2);
    }

    #[test]
    fn what_is_no_piece_is_noticed() {
        assert!(!taken(&[b"plain text of a terminal"]).2);
        assert!(!taken(&[b"\x07\0\0\0\0\0\0\x01a"]).2);
    }
}

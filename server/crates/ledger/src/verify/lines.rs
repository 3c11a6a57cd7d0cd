//! The lines of an export, read ahead by about a mebibyte: what can be told of each line by itself is found out on all
//! processors, before the lines are gone through one after the other.

use std::{
    io::{self, BufRead, Read},
    num::NonZero,
    ops::Range,
    thread,
};

use super::{
    LONGEST_LINE, What,
    written::{self, Sound},
};

/// So many bytes are read ahead, and to the end of the line.
const AHEAD: usize = 1 << 20;
/// Fewer lines than these are not worth another thread.
const WORTH_A_THREAD: usize = 64;

/// One line.
pub(super) struct Line<'a> {
    /// With its end.
    pub(super) text: &'a [u8],
    /// What it says, if it is an entry as this program writes it and nothing is wrong with it.
    pub(super) sound: Option<Sound>,
}

/// Lines of bounded length, counted. The length is checked before more is read.
pub(super) struct Lines<R> {
    reader: R,
    /// The number of the line that was given last, from 1; one more when there was none left.
    pub(super) number: u64,
    bytes: Vec<u8>,
    ready: std::vec::IntoIter<(Range<usize>, Option<Sound>)>,
    /// What comes after the lines that are ready.
    end: Option<io::Result<End>>,
}

enum End {
    Reached,
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0, bytes: Vec::new(), ready: Vec::new().into_iter(), end: None }
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Result<Option<Line<'_>>, What>> {
        self.number += 1;
        if self.ready.as_slice().is_empty() && self.end.is_none() {
            self.read_ahead();
        }
        if let Some((place, sound)) = self.ready.next() {
            let text = self.bytes.get(place).unwrap_or_default();
            return Ok(Ok(Some(Line { text, sound })));
        }
        match self.end.take().unwrap_or(Ok(End::Reached))? {
            End::Reached => {
                self.end = Some(Ok(End::Reached));
                Ok(Ok(None))
            }
            End::TooLong => Ok(Err(What::TooLong)),
        }
    }

    fn read_ahead(&mut self) {
        self.bytes.clear();
        let mut places = Vec::new();
        while self.bytes.len() < AHEAD && self.end.is_none() {
            let start = self.bytes.len();
            self.end = match self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.bytes) {
                Err(error) => Some(Err(error)),
                Ok(0) => Some(Ok(End::Reached)),
                Ok(read) if read as u64 == LONGEST_LINE && !self.bytes.ends_with(b"\n") => Some(Ok(End::TooLong)),
                Ok(_) => {
                    places.push(start..self.bytes.len());
                    None
                }
            };
        }
        self.ready = judge(&self.bytes, &places).into_iter();
    }
}

/// What each of the lines at these places says.
fn judge(bytes: &[u8], places: &[Range<usize>]) -> Vec<(Range<usize>, Option<Sound>)> {
    let sound = |place: Range<usize>| {
        let sound = bytes.get(place.clone()).and_then(written::sound);
        (place, sound)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(places.len() / WORTH_A_THREAD).max(1);
    let share = places.len().div_ceil(threads).max(1);
    let mut shares = places.chunks(share);
    let Some(own) = shares.next() else { return Vec::new() };
    thread::scope(|scope| {
        let judge = |share: &[Range<usize>]| share.iter().cloned().map(sound).collect::<Vec<_>>();
        let others: Vec<_> = shares.map(|share| (share, scope.spawn(move || judge(share)))).collect();
        let mut judged = judge(own);
        for (share, other) in others {
            // Of lines whose thread has failed, nothing is known; they are read more closely.
            judged.extend(other.join().unwrap_or_else(|_| share.iter().map(|place| (place.clone(), None)).collect()));
        }
        judged
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;
    use crate::{
        export,
        fixture::{bodies, entry},
    };

    fn given(reader: impl BufRead) -> Vec<String> {
        let mut lines = Lines::new(reader);
        let mut given = Vec::new();
        loop {
            let line = match lines.next() {
                Ok(Ok(Some(Line { text, sound }))) => format!("{} {:?}", text.len(), sound.map(|sound| sound.seq)),
                Ok(Ok(None)) => "end".to_owned(),
                Ok(Err(what)) => what.to_string(),
                Err(error) => error.to_string(),
            };
            let number = lines.number;
            let is_line = line.contains("one") || line.contains("Some");
            given.push(format!("{number}: {line}"));
            if !is_line {
                return given;
            }
        }
    }

    #[test]
    fn lines_come_in_their_order_with_what_they_say() {
        let entries = bodies(&vec![entry(); 6_000]);
        let mut lines: Vec<_> = entries.iter().map(|body| export::line(body, None)).collect();
        lines[1_234] = lines[1_234].replace("approve", "approvE");
        let file = lines.concat();
        assert!(file.len() > AHEAD);
        let expected = lines.iter().enumerate().map(|(index, line)| {
            let seq = (index != 1_234).then_some(index + 1);
            format!("{}: {} {seq:?}", index + 1, line.len())
        });
        let expected: Vec<_> = expected.chain(["6001: end".to_owned()]).collect();
        assert_eq!(given(file.as_bytes()), expected);
    }

    #[test]
    fn what_cannot_be_read_comes_after_what_can() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is broken"))
            }
        }
        let file = BufReader::new(Cursor::new("a\nbc").chain(Broken));
        assert_eq!(given(file), ["1: 2 None", "2: the disk is broken"]);
        let file = BufReader::new(Cursor::new("a\n").chain(io::repeat(b'b')));
        assert_eq!(given(file), ["1: 2 None".to_owned(), format!("2: {}", What::TooLong)]);
        assert_eq!(given(&b""[..]), ["1: end"]);
        assert_eq!(given(&b"a"[..]), ["1: 1 None", "2: end"]);
    }
}

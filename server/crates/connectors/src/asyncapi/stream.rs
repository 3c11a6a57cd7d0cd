//! What an answer streams, cut into messages: server-sent events, one JSON value a line, or the content as a whole.

use crate::Failure;

/// What is asked for.
pub(super) const TYPES: &str = "text/event-stream, application/x-ndjson, application/jsonl, application/json";
/// The largest message that is taken in.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// Cuts a stream by its media type.
pub(super) struct Reader<'a> {
    form: Form,
    media_type: &'a str,
    /// What has come of a line, or of the whole.
    open: Vec<u8>,
    event: Event,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Events,
    Lines,
    Whole,
}

/// A message as it came.
pub(super) struct Piece<'a> {
    /// What tells it from the others.
    pub(super) id: Option<String>,
    /// What kind of event it is.
    pub(super) event: Option<String>,
    pub(super) data: Vec<u8>,
    /// What the stream says of it.
    pub(super) media_type: Option<&'a str>,
}

#[derive(Default)]
struct Event {
    id: Option<String>,
    kind: Option<String>,
    data: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(media_type: &'a str) -> Self {
        let form = match media_type {
            "text/event-stream" => Form::Events,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Form::Lines
            }
            _ => Form::Whole,
        };
        Self { form, media_type, open: Vec::new(), event: Event::default() }
    }

    /// The messages that are complete with this.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<Vec<Piece<'a>>, Failure> {
        let mut pieces = Vec::new();
        if self.form == Form::Whole {
            self.open.extend_from_slice(chunk);
        } else {
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                self.open.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    let line = std::mem::take(&mut self.open);
                    pieces.extend(self.line(without_end(&line)));
                }
            }
        }
        let held = self.open.len() + self.event.data.as_ref().map_or(0, String::len);
        if held > MESSAGE_LIMIT {
            return Err(Failure::refused(502, "a message is larger than 1 MiB; have smaller ones sent"));
        }
        Ok(pieces)
    }

    /// What is complete with the end of the stream. An event that is not closed by an empty line is none.
    pub(super) fn end(&mut self) -> Option<Piece<'a>> {
        let rest = std::mem::take(&mut self.open);
        match self.form {
            Form::Events => None,
            Form::Lines => self.line(&rest),
            Form::Whole if rest.is_empty() => None,
            Form::Whole => {
                let media_type = Some(self.media_type).filter(|media_type| !media_type.is_empty());
                Some(Piece { id: None, event: None, data: rest, media_type })
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Piece<'a>> {
        if self.form == Form::Lines {
            let data = line.to_vec();
            return (!line.is_empty()).then_some(Piece { id: None, event: None, data, media_type: None });
        }
        if line.is_empty() {
            // The id stays for the next one (HTML, "Interpreting an event stream"), which would make the two the same here.
            let Event { id, kind, data } = std::mem::take(&mut self.event);
            return Some(Piece { id, event: kind, data: data?.into_bytes(), media_type: None });
        }
        let text = String::from_utf8_lossy(line);
        let (field, value) = text.split_once(':').unwrap_or((&text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.event.data = Some(value.to_owned()),
            },
            "id" => self.event.id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            "event" => self.event.kind = Some(value.to_owned()),
            // Comments keep the connection open, `retry` is about connecting again.
            _ => {}
        }
        None
    }
}

/// A line without what ends it.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a text however it is cut into chunks.
    fn cut(media_type: &str, text: &str) -> Vec<(Option<String>, Option<String>, String)> {
        let read = |size: usize| {
            let mut reader = Reader::of(media_type);
            let mut pieces = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                pieces.extend(reader.take(chunk).ok().unwrap());
            }
            pieces.extend(reader.end());
            let plain = |piece: Piece<'_>| (piece.id, piece.event, String::from_utf8(piece.data).unwrap());
            pieces.into_iter().map(plain).collect::<Vec<_>>()
        };
        let whole = read(text.len().max(1));
        for size in 1..text.len() {
            assert_eq!(read(size), whole, "{size}");
        }
        whole
    }

    #[test]
    fn events_are_cut_at_empty_lines() {
        let text = ": hello\n\nid: 1\nevent: said\ndata: {\"a\":\ndata: 1}\n\r\ndata:plain\r\n\r\nid: 3\n\ndata: lost";
        let found = cut("text/event-stream", text);
        assert_eq!(
            found,
            [
                (Some("1".to_owned()), Some("said".to_owned()), "{\"a\":\n1}".to_owned()),
                (None, None, "plain".to_owned())
            ]
        );
    }

    #[test]
    fn lines_and_wholes_are_messages() {
        let data = |found: Vec<(Option<String>, Option<String>, String)>| {
            found.into_iter().map(|(_, _, data)| data).collect::<Vec<_>>()
        };
        assert_eq!(data(cut("application/x-ndjson", "{\"a\":1}\n\n{\"a\":2}\r\n3")), ["{\"a\":1}", "{\"a\":2}", "3"]);
        assert_eq!(data(cut("application/json", "{\n}")), ["{\n}"]);
        assert!(data(cut("application/json", "")).is_empty());
    }

    #[test]
    fn a_message_without_an_end_is_given_up() {
        let mut reader = Reader::of("application/x-ndjson");
        let chunk = vec![b'x'; 64 * 1024];
        assert!((0..17).any(|_| reader.take(&chunk).is_err()));
    }
}

//! Where everything stands in a text, in bytes.

use std::ops::Range;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span, StructureStyle};

use crate::source::MAX_DEPTH;

/// How a list or an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// In lines, by indentation.
    Block,
    /// In brackets or braces.
    Flow,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// `plain`
    None,
    /// `'single'`
    Single,
    /// `"double"`
    Double,
    /// `|` or `>`
    Lines,
}

/// A value as it is written.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// From its first character to behind its last: of what is written in lines, of its first and last part.
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(Quotes),
    List(Style, Vec<Piece>),
    Object(Style, Vec<Entry>),
}

/// A property as it is written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) key: Range<usize>,
    pub(super) quotes: Quotes,
    pub(super) value: Piece,
}

impl Piece {
    /// The value at a path below this one.
    pub(super) fn at(&self, path: &[String]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let next = match &self.kind {
            Kind::Scalar(_) => None,
            Kind::List(_, items) => items.get(first.parse::<usize>().ok()?),
            Kind::Object(_, entries) => entries.iter().find(|entry| entry.name == *first).map(|entry| &entry.value),
        };
        next?.at(rest)
    }

    /// The entry at a path below this one.
    pub(super) fn entry(&self, path: &[String]) -> Option<&Entry> {
        let (name, above) = path.split_last()?;
        match &self.at(above)?.kind {
            Kind::Object(_, entries) => entries.iter().find(|entry| entry.name == *name),
            _ => None,
        }
    }

    /// Whether it is written in lines, so that it cannot stand behind its name.
    pub(super) fn is_block(&self) -> bool {
        matches!(self.kind, Kind::List(Style::Block, _) | Kind::Object(Style::Block, _))
    }

    fn scalars(&self, text: &str, into: &mut Vec<Range<usize>>) {
        let Range { start, end } = self.range;
        match &self.kind {
            Kind::Scalar(Quotes::Lines) => {
                // A comment may stand behind the mark.
                let lines =
                    text.get(start..end).and_then(|written| written.find('\n')).map_or(end, |first| start + first);
                into.extend([start..start + 1, lines..end]);
            }
            Kind::Scalar(_) => into.push(start..end),
            Kind::List(_, items) => items.iter().for_each(|item| item.scalars(text, into)),
            Kind::Object(_, entries) => {
                for entry in entries {
                    into.push(entry.key.clone());
                    entry.value.scalars(text, into);
                }
            }
        }
    }

    /// The comments of the text that this is the root of, in its order.
    pub(super) fn comments(&self, text: &str) -> Vec<Range<usize>> {
        let mut scalars = Vec::new();
        self.scalars(text, &mut scalars);
        let mut found = Vec::new();
        let mut at = 0;
        for next in scalars.into_iter().chain(std::iter::once(text.len()..text.len())) {
            let mut line = at;
            for piece in text.get(at..next.start).unwrap_or_default().split_inclusive('\n') {
                if let Some(mark) = piece.find('#') {
                    found.push(line + mark..line + piece.trim_end().len().max(mark + 1));
                }
                line += piece.len();
            }
            at = next.end.max(at);
        }
        found
    }
}

/// Reads where everything stands. `None` where the text is no single document of plain YAML.
pub(super) fn read(text: &str) -> Option<Piece> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.simple_key_max_lookahead = 16 * 1024;
    options.flow_nesting_limit = MAX_DEPTH + 1;
    options.block_nesting_limit = MAX_DEPTH + 1;
    let mut reader = Reader { text, stack: Vec::new(), root: None };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                // What is named or typed is not moved about: it would have to be understood.
                if anchor != 0 || tag.is_some() {
                    return None;
                }
                reader.scalar(&value, style, &span)?;
            }
            Event::SequenceStart(style, anchor, tag) | Event::MappingStart(style, anchor, tag)
                if anchor != 0 || tag.is_some() =>
            {
                let _ = style;
                return None;
            }
            Event::SequenceStart(style, ..) => reader.open(&span, Kind::List(style_of(style), Vec::new()))?,
            Event::MappingStart(style, ..) => reader.open(&span, Kind::Object(style_of(style), Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => reader.close(&span)?,
            Event::Alias(_) | Event::UnresolvedAlias(_) => return None,
            _ => {}
        }
    }
    reader.root
}

fn style_of(style: StructureStyle) -> Style {
    match style {
        StructureStyle::Block => Style::Block,
        StructureStyle::Flow => Style::Flow,
    }
}

/// A key that waits for its value.
struct Key {
    name: String,
    range: Range<usize>,
    quotes: Quotes,
}

struct Open {
    piece: Piece,
    key: Option<Key>,
}

struct Reader<'t> {
    text: &'t str,
    stack: Vec<Open>,
    root: Option<Piece>,
}

impl Reader<'_> {
    fn scalar(&mut self, value: &str, style: ScalarStyle, span: &Span) -> Option<()> {
        let mut range = span.byte_range()?;
        let quotes = match style {
            ScalarStyle::Plain => Quotes::None,
            ScalarStyle::SingleQuoted => Quotes::Single,
            ScalarStyle::DoubleQuoted => Quotes::Double,
            _ => Quotes::Lines,
        };
        // What is written in lines, and nothing at all, ends where the next thing begins.
        let written = self.text.get(range.clone())?;
        range.end = range.start + written.trim_end().len();
        let waiting = self.stack.last().and_then(|open| open.key.as_ref());
        if range.is_empty()
            && let Some(key) = waiting
        {
            let colon = key.range.end + self.text.get(key.range.end..)?.find(':')? + 1;
            range = colon..colon;
        } else if quotes == Quotes::Lines {
            // The parser leaves out the mark that stands before the lines.
            let from = waiting.map_or(0, |key| key.range.end);
            let mark = |text: &str| if from > 0 { text.find(['|', '>']) } else { text.rfind(['|', '>']) };
            range.start = from + mark(self.text.get(from..range.start)?)?;
        }
        if let Some(Open { piece: Piece { kind: Kind::Object(..), .. }, key: key @ None }) = self.stack.last_mut() {
            *key = Some(Key { name: value.to_owned(), range, quotes });
            return Some(());
        }
        self.value(Piece { range, kind: Kind::Scalar(quotes) })
    }

    fn open(&mut self, span: &Span, kind: Kind) -> Option<()> {
        // A key that is a list or an object is none of ours.
        if let Some(Open { piece: Piece { kind: Kind::Object(..), .. }, key: None }) = self.stack.last() {
            return None;
        }
        let start = span.byte_range()?.start;
        self.stack.push(Open { piece: Piece { range: start..start, kind }, key: None });
        Some(())
    }

    fn close(&mut self, span: &Span) -> Option<()> {
        let Open { mut piece, .. } = self.stack.pop()?;
        let end = match &piece.kind {
            Kind::List(Style::Flow, _) | Kind::Object(Style::Flow, _) => Some(span.byte_range()?.end),
            Kind::List(_, items) => items.last().map(|last| last.range.end),
            Kind::Object(_, entries) => entries.last().map(|last| last.value.range.end),
            Kind::Scalar(_) => None,
        };
        piece.range.end = end?;
        if let Kind::Object(Style::Block, entries) = &piece.kind {
            piece.range.start = entries.first()?.key.start;
        }
        self.value(piece)
    }

    fn value(&mut self, value: Piece) -> Option<()> {
        match self.stack.last_mut() {
            None => self.root = Some(value),
            Some(Open { piece: Piece { kind: Kind::List(_, items), .. }, .. }) => items.push(value),
            Some(Open { piece: Piece { kind: Kind::Object(_, entries), .. }, key }) => {
                let Key { name, range, quotes } = key.take()?;
                entries.push(Entry { name, key: range, quotes, value });
            }
            Some(_) => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_lines_ends_with_its_last_letter() {
        let text =
            "a:\n  text: |\n    Hello\n\n    # no comment\n  folded: >- # y\n    One\n    two\n  c: # x\n# end\n";
        let root = read(text).unwrap();
        let path = |name: &str| ["a".to_owned(), name.to_owned()];
        let shown = |name: &str| &text[root.at(&path(name)).unwrap().range.clone()];
        assert_eq!(shown("text"), "|\n    Hello\n\n    # no comment");
        assert_eq!(shown("folded"), ">- # y\n    One\n    two");
        assert_eq!(shown("c"), "");
        assert_eq!(
            root.comments(text).into_iter().map(|comment| &text[comment]).collect::<Vec<_>>(),
            ["# y", "# x", "# end"]
        );
    }
}

//! Surgery on the text of a definition: a part of it is changed, and everything else stays as it is written, comments
//! included.
//!
//! Each change is made in the text, and taken only if the text then says what it is to say, and nothing else: what is
//! written in a way that cannot be changed safely is [refused](Refusal), and never spoilt.
//!
//! ```
//! use serde_json::json;
//! use workflow::edit::Manuscript;
//!
//! let text = "do:\n  # The first.\n  - greet:\n      set: {word: hello} # friendly\n";
//! let text = Manuscript::read(text).and_then(|text| text.set("/do/0/greet/set/word", &json!("good day")));
//! let text = text.and_then(|text| text.insert("/do", 1, &json!({"nap": {"wait": {"days": 1}}})));
//! let expected = "do:\n  # The first.\n  - greet:\n      set: {word: good day} # friendly\n  - nap:\n      wait:\n        days: 1\n";
//! assert_eq!(text.map(|text| text.text().to_owned()), Ok(expected.to_owned()));
//! ```

mod cases;
mod layout;
mod tasks;
mod write;

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Map, Value};

use crate::{diagnostic::Diagnostics, source};
use layout::{Entry, Kind, Piece, Quotes, Style};

/// Why a text was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not one document of YAML without anchors, aliases and tags.
    #[error("the text cannot be read")]
    Unreadable,
    /// There is no such place.
    #[error("there is no such place in the text")]
    Nowhere,
    /// It is written in a way that cannot be changed without touching what belongs to something else.
    #[error("this is written in a way that can be changed by hand only")]
    Unusual,
    /// A comment would be lost.
    #[error("a comment would be lost")]
    Comment,
    /// What was to be written is no YAML.
    #[error("this is not well-formed")]
    Malformed,
    /// There is something of this name already, or it cannot be a name.
    #[error("this cannot be the name")]
    Name,
}

/// A text that is being changed.
#[derive(Debug, Clone)]
pub struct Manuscript {
    text: String,
    root: Piece,
    value: Value,
}

/// What is to be written.
enum Content<'a> {
    Value(&'a Value),
    /// Text without indentation, and what it says.
    Yaml(&'a str, Value),
}

impl Content<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Value(value) => value,
            Self::Yaml(_, value) => value,
        }
    }

    /// As it can stand behind a name.
    fn line(&self, quotes: Quotes) -> Option<String> {
        match self {
            Self::Value(Value::String(text)) if !text.contains('\n') => match quotes {
                Quotes::Double => Some(Value::from(text.as_str()).to_string()),
                Quotes::Single => Some(format!("'{}'", text.replace('\'', "''"))),
                Quotes::None | Quotes::Lines => write::line(self.value()),
            },
            Self::Value(value) => write::line(value),
            Self::Yaml(text, _) => (!text.contains('\n') && self.within_line()).then(|| (*text).to_owned()),
        }
    }

    /// Whether it can begin behind its name: it is not a list or an object in lines.
    fn within_line(&self) -> bool {
        match self {
            Self::Value(value) => write::line(value).is_some() || value.is_string(),
            Self::Yaml(text, _) => layout::read(text).is_none_or(|piece| !piece.is_block()),
        }
    }

    /// In lines, of which all but the first are indented.
    fn lines(&self, indent: usize) -> String {
        match self {
            Self::Value(value) => write::lines(value, indent),
            Self::Yaml(text, _) => indented(text, indent),
        }
    }
}

/// All lines but the first are indented by so many spaces.
fn indented(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let line = |(number, line): (usize, &str)| {
        if number == 0 || line.is_empty() { line.to_owned() } else { format!("{pad}{line}") }
    };
    text.split('\n').enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// Takes so many spaces from the beginning of each line, as far as there are any.
fn outdented(text: &str, indent: usize) -> String {
    let line = |line: &str| {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line.get(spaces.min(indent)..).unwrap_or_default().to_owned()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The steps of a JSON pointer.
fn path(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |pointer, step| format!("{pointer}/{}", source::escape_pointer(step)))
}

impl Manuscript {
    /// Reads a text.
    ///
    /// # Errors
    /// It is no single document of plain YAML.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let mut found = Diagnostics::default();
        let value = source::read(text, &mut found).map(|node| node.to_value());
        match (value, layout::read(text)) {
            (Some(value), Some(root)) if found.is_empty() => Ok(Self { text: text.to_owned(), root, value }),
            _ => Err(Refusal::Unreadable),
        }
    }

    /// The text as it is now.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the text says.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// How the value at a JSON pointer is written, without its indentation.
    #[must_use]
    pub fn excerpt(&self, pointer: &str) -> Option<String> {
        let piece = self.root.at(&path(pointer))?;
        let text = self.text.get(piece.range.start..self.end_of(piece))?;
        let indent = if piece.is_block() { self.column(piece.range.start) } else { self.indent(piece.range.start) };
        Some(outdented(text, indent))
    }

    /// Has the value at a JSON pointer say this. Only what differs is written anew; what is missing above it is made.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn set(&self, pointer: &str, value: &Value) -> Result<Self, Refusal> {
        self.set_at(&path(pointer), value)
    }

    /// Has the value at a JSON pointer be written like this, which is YAML without indentation.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn write(&self, pointer: &str, yaml: &str) -> Result<Self, Refusal> {
        let yaml = yaml.replace("\r\n", "\n");
        let yaml = yaml.trim_end().trim_start_matches('\n');
        let written = Self::read(yaml).map_err(|_| Refusal::Malformed)?;
        let path = path(pointer);
        match self.value.pointer(pointer) {
            Some(old) if *old == written.value && self.excerpt(pointer).as_deref() == Some(yaml) => Ok(self.clone()),
            Some(_) => self.overwrite(&path, &Content::Yaml(yaml, written.value), true),
            None => self.create(&path, &written.value)?.overwrite(&path, &Content::Yaml(yaml, written.value), true),
        }
    }

    /// Takes a property away, with what is said of it in its lines.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn clear(&self, pointer: &str) -> Result<Self, Refusal> {
        let path = path(pointer);
        match self.root.entry(&path) {
            Some(_) => self.take_away(&path),
            None => Ok(self.clone()),
        }
    }

    /// Puts an item into a list, before the one that is there now, or behind the last.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn insert(&self, list: &str, at: usize, item: &Value) -> Result<Self, Refusal> {
        self.insert_content(&path(list), at, &Content::Value(item))
    }

    /// Takes an item from a list, with the comments within it and right above it.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn remove(&self, list: &str, at: usize) -> Result<Self, Refusal> {
        let path = path(list);
        let mut expected = self.value.clone();
        let items = expected.pointer_mut(list).and_then(Value::as_array_mut).ok_or(Refusal::Nowhere)?;
        if at >= items.len() {
            return Err(Refusal::Nowhere);
        }
        items.remove(at);
        if items.is_empty() {
            return self.overwrite(&path, &Content::Value(&Value::Array(Vec::new())), true);
        }
        let slots = self.slots(&path)?;
        let slot = slots.get(at).cloned().ok_or(Refusal::Nowhere)?;
        let cut = match (self.is_flow(&path), slots.get(at + 1), at.checked_sub(1).and_then(|before| slots.get(before)))
        {
            (true, Some(next), _) => slot.start..next.start,
            (true, None, Some(before)) => before.end..slot.end,
            (false, Some(_), _) => slot.start..self.next_line(slot.end),
            (false, None, _) => slot.start.saturating_sub(1)..slot.end,
            (true, None, None) => return Err(Refusal::Unusual),
        };
        self.accept([self.spliced(cut.clone(), "")], &expected, Some(&cut))
    }

    /// Moves an item within its list: it then stands at `to`. What stands between items (empty lines, comments that belong
    /// to none) stays where it is.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn shift(&self, list: &str, from: usize, to: usize) -> Result<Self, Refusal> {
        let mut expected = self.value.clone();
        let items = expected.pointer_mut(list).and_then(Value::as_array_mut).ok_or(Refusal::Nowhere)?;
        if from >= items.len() || to >= items.len() {
            return Err(Refusal::Nowhere);
        }
        let item = items.remove(from);
        items.insert(to, item);
        let slots = self.slots(&path(list))?;
        let mut order: Vec<_> = slots.clone();
        if from >= order.len() || to >= order.len() {
            return Err(Refusal::Unusual);
        }
        let slot = order.remove(from);
        order.insert(to, slot);
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for (place, put) in slots.iter().zip(order) {
            text += self.text.get(at..place.start).ok_or(Refusal::Unusual)?;
            text += self.text.get(put).ok_or(Refusal::Unusual)?;
            at = place.end;
        }
        text += self.text.get(at..).unwrap_or_default();
        self.accept([text], &expected, None)
    }

    /// Gives a property another name.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn rename(&self, pointer: &str, name: &str) -> Result<Self, Refusal> {
        let path = path(pointer);
        let entry = self.root.entry(&path).ok_or(Refusal::Nowhere)?;
        if entry.name == name {
            return Ok(self.clone());
        }
        let (_, above) = path.split_last().ok_or(Refusal::Nowhere)?;
        let mut expected = self.value.clone();
        let object =
            expected.pointer_mut(&self::pointer(above)).and_then(Value::as_object_mut).ok_or(Refusal::Nowhere)?;
        if object.contains_key(name) {
            return Err(Refusal::Name);
        }
        let renamed = std::mem::take(object).into_iter();
        *object =
            renamed.map(|(known, value)| (if known == entry.name { name.to_owned() } else { known }, value)).collect();
        let value = Value::from(name);
        let texts = [Content::Value(&value).line(entry.quotes), Some(value.to_string())];
        self.accept(texts.into_iter().flatten().map(|text| self.spliced(entry.key.clone(), &text)), &expected, None)
    }

    fn set_at(&self, path: &[String], value: &Value) -> Result<Self, Refusal> {
        let old = self.value.pointer(&pointer(path));
        let below = |step: &str| path.iter().cloned().chain([step.to_owned()]).collect::<Vec<_>>();
        match (old, value) {
            (None, _) => self.create(path, value),
            (Some(old), value) if old == value => Ok(self.clone()),
            (Some(Value::Object(old)), Value::Object(new)) if !old.is_empty() && !new.is_empty() => {
                let set = new.iter().try_fold(self.clone(), |text, (name, value)| text.set_at(&below(name), value))?;
                old.keys()
                    .filter(|name| !new.contains_key(*name))
                    .try_fold(set, |text, name| text.take_away(&below(name)))
            }
            (Some(Value::Array(old)), Value::Array(new)) if !old.is_empty() && !new.is_empty() => {
                let mut both = new.iter().take(old.len()).enumerate();
                let set =
                    both.try_fold(self.clone(), |text, (at, value)| text.set_at(&below(&at.to_string()), value))?;
                let mut more = new.iter().enumerate().skip(old.len());
                let set =
                    more.try_fold(set, |text, (at, value)| text.insert_content(path, at, &Content::Value(value)))?;
                (new.len()..old.len()).rev().try_fold(set, |text, at| text.remove(&pointer(path), at))
            }
            _ => self.overwrite(path, &Content::Value(value), false),
        }
    }

    /// Puts content in the place of the value at a path. `knowingly`: comments within the value may go with it.
    fn overwrite(&self, path: &[String], content: &Content<'_>, knowingly: bool) -> Result<Self, Refusal> {
        let mut expected = self.value.clone();
        *expected.pointer_mut(&pointer(path)).ok_or(Refusal::Nowhere)? = content.value().clone();
        let piece = self.root.at(path).ok_or(Refusal::Nowhere)?;
        let range = if piece.is_block() { piece.range.start..self.end_of(piece) } else { piece.range.clone() };
        let gone = knowingly.then(|| range.clone());
        let Some((last, above)) = path.split_last() else {
            return self.accept([self.spliced(range, &content.lines(0))], &expected, gone.as_ref());
        };
        let quotes = if let Kind::Scalar(quotes) = piece.kind { quotes } else { Quotes::None };
        let line = content.line(quotes);
        if self.is_flow(above) {
            let quoted = line.filter(|_| matches!(quotes, Quotes::Single | Quotes::Double));
            let texts = quoted.into_iter().chain([self.flow(content.value())]);
            return self.accept(texts.map(|text| self.spliced(range.clone(), &text)), &expected, gone.as_ref());
        }
        let mut texts = Vec::new();
        if let Some(entry) = self.root.entry(path) {
            let indent = self.column(entry.key.start) + 2;
            let colon = self.colon(entry);
            let empty_before = self.text.get(colon..range.start).is_some_and(|gap| gap.trim().is_empty());
            if piece.is_block() && !content.within_line() {
                texts.push(self.spliced(range.clone(), &content.lines(self.column(piece.range.start))));
            }
            if empty_before {
                let behind = colon..range.end;
                let in_lines = format!("\n{}{}", " ".repeat(indent), content.lines(indent));
                texts.extend(line.as_ref().map(|line| self.spliced(behind.clone(), &format!(" {line}"))));
                if content.within_line() {
                    // What was typed has its own indentation.
                    let indent =
                        if matches!(content, Content::Yaml(..)) { self.indent(entry.key.start) } else { indent };
                    texts.push(self.spliced(behind, &format!(" {}", content.lines(indent))));
                } else {
                    texts.push(self.spliced(behind, &in_lines));
                }
            }
            texts.extend(line.as_ref().map(|line| self.spliced(range.clone(), line)));
        } else {
            last.parse::<usize>().map_err(|_| Refusal::Nowhere)?;
            let indent = self.column(piece.range.start);
            texts.extend(line.as_ref().map(|line| self.spliced(range.clone(), line)));
            texts.push(self.spliced(range.clone(), &content.lines(indent)));
        }
        texts.push(self.spliced(range, &content.value().to_string()));
        self.accept(texts, &expected, gone.as_ref())
    }

    /// Makes a property, and the objects above it that are missing.
    fn create(&self, path: &[String], value: &Value) -> Result<Self, Refusal> {
        let (name, above) = path.split_last().ok_or(Refusal::Nowhere)?;
        match self.value.pointer(&pointer(above)) {
            None => {
                let object = Map::from_iter([(name.clone(), value.clone())]);
                self.create(above, &Value::Object(object))
            }
            Some(Value::Null) => {
                let object = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
                self.overwrite(above, &Content::Value(&object), false)
            }
            Some(Value::Object(object)) if object.is_empty() && !above.is_empty() => {
                let object = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
                self.overwrite(above, &Content::Value(&object), false)
            }
            Some(Value::Object(_)) => self.append(above, name, value),
            Some(_) => Err(Refusal::Nowhere),
        }
    }

    /// Adds a property behind the others.
    fn append(&self, object: &[String], name: &str, value: &Value) -> Result<Self, Refusal> {
        let mut expected = self.value.clone();
        let properties = expected.pointer_mut(&pointer(object)).and_then(Value::as_object_mut);
        properties.ok_or(Refusal::Nowhere)?.insert(name.to_owned(), value.clone());
        let Some(Piece { kind: Kind::Object(style, entries), range }) = self.root.at(object) else {
            return Err(Refusal::Nowhere);
        };
        let text = match (style, entries.first(), entries.last()) {
            (Style::Flow, _, Some(last)) => {
                let end = last.value.range.end;
                self.spliced(end..end, &format!(", {}", self.flow_property(name, value)))
            }
            (Style::Flow, _, None) => self.spliced(range.clone(), &format!("{{{}}}", self.flow_property(name, value))),
            (Style::Block, Some(first), Some(last)) => {
                let indent = self.column(first.key.start);
                let end = self.tail(self.end_of(&last.value), indent);
                self.spliced(end..end, &format!("\n{}{}", " ".repeat(indent), write::property(name, value, indent)))
            }
            (Style::Block, ..) => return Err(Refusal::Unusual),
        };
        self.accept([text], &expected, None)
    }

    fn take_away(&self, path: &[String]) -> Result<Self, Refusal> {
        let (name, above) = path.split_last().ok_or(Refusal::Nowhere)?;
        let mut expected = self.value.clone();
        let properties =
            expected.pointer_mut(&pointer(above)).and_then(Value::as_object_mut).ok_or(Refusal::Nowhere)?;
        *properties = std::mem::take(properties).into_iter().filter(|(known, _)| known != name).collect();
        if properties.is_empty() {
            return self.overwrite(above, &Content::Value(&Value::Object(Map::new())), true);
        }
        let Some(Piece { kind: Kind::Object(style, entries), .. }) = self.root.at(above) else {
            return Err(Refusal::Nowhere);
        };
        let at = entries.iter().position(|entry| entry.name == *name).ok_or(Refusal::Nowhere)?;
        let entry = entries.get(at).ok_or(Refusal::Nowhere)?;
        let (next, before) = (entries.get(at + 1), at.checked_sub(1).and_then(|before| entries.get(before)));
        let begins_line =
            self.text.get(self.line_start(entry.key.start)..entry.key.start).is_some_and(|gap| gap.trim().is_empty());
        let cut = match (style, next, before) {
            (Style::Flow, _, Some(before)) => before.value.range.end..entry.value.range.end,
            (Style::Block, _, _) if begins_line => {
                let end = self.tail(self.end_of(&entry.value), self.column(entry.key.start));
                let start = self.line_start(entry.key.start);
                if end < self.text.len() { start..self.next_line(end) } else { start.saturating_sub(1)..end }
            }
            (_, Some(next), None) => entry.key.start..next.key.start,
            _ => return Err(Refusal::Unusual),
        };
        self.accept([self.spliced(cut.clone(), "")], &expected, Some(&cut))
    }

    fn insert_content(&self, list: &[String], at: usize, content: &Content<'_>) -> Result<Self, Refusal> {
        let mut expected = self.value.clone();
        let items = expected.pointer_mut(&pointer(list)).and_then(Value::as_array_mut).ok_or(Refusal::Nowhere)?;
        if at > items.len() {
            return Err(Refusal::Nowhere);
        }
        items.insert(at, content.value().clone());
        if items.len() == 1 {
            let items = Value::Array(std::mem::take(items));
            return self.overwrite(list, &Content::Value(&items), false);
        }
        let slots = self.slots(list)?;
        let text = if self.is_flow(list) {
            let item = self.flow(content.value());
            match (slots.get(at), slots.last()) {
                (Some(next), _) => self.spliced(next.start..next.start, &format!("{item}, ")),
                (None, Some(last)) => self.spliced(last.end..last.end, &format!(", {item}")),
                (None, None) => return Err(Refusal::Unusual),
            }
        } else {
            let column = self.dash_column(list)?;
            let item = format!("{}- {}", " ".repeat(column), content.lines(column + 2));
            match (slots.get(at), slots.last()) {
                (Some(next), _) => self.spliced(next.start..next.start, &format!("{item}\n")),
                (None, Some(last)) => self.spliced(last.end..last.end, &format!("\n{item}")),
                (None, None) => return Err(Refusal::Unusual),
            }
        };
        self.accept([text], &expected, None)
    }

    /// The first of these texts that says what is expected, and has all comments but those within `gone`.
    fn accept(
        &self,
        texts: impl IntoIterator<Item = String>,
        expected: &Value,
        gone: Option<&Range<usize>>,
    ) -> Result<Self, Refusal> {
        let mut why = Refusal::Unusual;
        for text in texts {
            let Ok(changed) = Self::read(&text) else { continue };
            if changed.value != *expected {
                continue;
            }
            let mut comments: BTreeMap<&str, usize> = BTreeMap::new();
            for comment in changed.root.comments(&changed.text) {
                *comments.entry(changed.text.get(comment).unwrap_or_default()).or_default() += 1;
            }
            let kept = self.root.comments(&self.text).into_iter().all(|comment| {
                let may_go = gone.is_some_and(|gone| gone.start <= comment.start && comment.end <= gone.end);
                let left = self.text.get(comment).and_then(|text| comments.get_mut(text)).filter(|left| **left > 0);
                match left {
                    Some(left) => {
                        *left -= 1;
                        true
                    }
                    None => may_go,
                }
            });
            if kept {
                return Ok(changed);
            }
            why = Refusal::Comment;
        }
        Err(why)
    }

    fn spliced(&self, range: Range<usize>, new: &str) -> String {
        let before = self.text.get(..range.start).unwrap_or_default();
        format!("{before}{new}{}", self.text.get(range.end..).unwrap_or_default())
    }

    /// What each item of a list takes up: of those in lines, whole lines without the last line's end, with the comments right
    /// above it and those below that are indented further than it.
    fn slots(&self, list: &[String]) -> Result<Vec<Range<usize>>, Refusal> {
        let Some(Piece { kind: Kind::List(style, items), .. }) = self.root.at(list) else {
            return Err(Refusal::Nowhere);
        };
        if *style == Style::Flow {
            return Ok(items.iter().map(|item| item.range.clone()).collect());
        }
        let column = self.dash_column(list)?;
        let mut slots: Vec<Range<usize>> = Vec::new();
        for item in items {
            let floor = slots.last().map_or(0, |slot| slot.end);
            let mut start = self.line_start(item.range.start);
            while !self.has_dash(start, column) {
                start = self.line_before(start).filter(|line| *line >= floor).ok_or(Refusal::Unusual)?;
            }
            if start < floor {
                return Err(Refusal::Unusual);
            }
            while let Some(above) =
                self.line_before(start).filter(|line| *line >= floor && self.is_comment(*line, |at| at == column))
            {
                start = above;
            }
            slots.push(start..self.tail(self.end_of(item), column));
        }
        Ok(slots)
    }

    /// Where the dashes of a list stand.
    fn dash_column(&self, list: &[String]) -> Result<usize, Refusal> {
        let Some(Piece { kind: Kind::List(Style::Block, _), range }) = self.root.at(list) else {
            return Err(Refusal::Unusual);
        };
        let column = self.column(range.start);
        if self.has_dash(self.line_start(range.start), column) { Ok(column) } else { Err(Refusal::Unusual) }
    }

    /// Whether the line that begins here begins, at this column, with a dash.
    fn has_dash(&self, line: usize, column: usize) -> bool {
        let text = self.text.get(line..self.line_end(line)).unwrap_or_default();
        text.len() - text.trim_start_matches(' ').len() == column && text.trim_start_matches(' ').starts_with('-')
    }

    /// Whether the line that begins here holds a comment alone, at such a column.
    fn is_comment(&self, line: usize, column: impl Fn(usize) -> bool) -> bool {
        let text = self.text.get(line..self.line_end(line)).unwrap_or_default();
        let trimmed = text.trim_start_matches(' ');
        trimmed.starts_with('#') && column(text.len() - trimmed.len())
    }

    /// Behind the comments that follow the line which ends here and are indented further than this.
    fn tail(&self, end: usize, column: usize) -> usize {
        let mut end = end;
        let mut line = self.next_line(end);
        while line > end && line < self.text.len() {
            let line_end = self.line_end(line);
            if self.is_comment(line, |at| at > column) {
                end = line_end;
            } else if !self.text.get(line..line_end).unwrap_or_default().trim().is_empty() {
                break;
            }
            let next = self.next_line(line_end);
            if next == line_end {
                break;
            }
            line = next;
        }
        end
    }

    /// The end of the line in which a value ends, if only a comment follows there; else the value's own end.
    fn end_of(&self, piece: &Piece) -> usize {
        let (end, line_end) = (piece.range.end, self.line_end(piece.range.end));
        let rest = self.text.get(end..line_end).unwrap_or_default();
        if rest.trim().is_empty() || (rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')) {
            line_end
        } else {
            end
        }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.text.get(at..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |newline| at + newline)
    }

    /// Where the line after the one that ends here begins.
    fn next_line(&self, end: usize) -> usize {
        (self.line_end(end) + 1).min(self.text.len())
    }

    fn line_before(&self, start: usize) -> Option<usize> {
        Some(self.line_start(start.checked_sub(1)?))
    }

    /// How many characters stand before this place in its line.
    fn column(&self, at: usize) -> usize {
        self.text.get(self.line_start(at)..at).map_or(0, |before| before.chars().count())
    }

    /// How far the line of a place is indented.
    fn indent(&self, at: usize) -> usize {
        let line = self.text.get(self.line_start(at)..at).unwrap_or_default();
        line.len() - line.trim_start_matches(' ').len()
    }

    /// Behind the colon of a property.
    fn colon(&self, entry: &Entry) -> usize {
        let behind = self.text.get(entry.key.end..).and_then(|rest| rest.find(':'));
        behind.map_or(entry.value.range.start, |colon| entry.key.end + colon + 1)
    }

    /// Whether what is at a path, or anything above it, is written in brackets or braces.
    fn is_flow(&self, path: &[String]) -> bool {
        (0..=path.len()).any(|depth| {
            let piece = path.get(..depth).and_then(|path| self.root.at(path));
            piece.is_some_and(|piece| matches!(piece.kind, Kind::List(Style::Flow, _) | Kind::Object(Style::Flow, _)))
        })
    }

    /// Whether the text is JSON, as far as its beginning tells, so that it is to stay JSON.
    fn is_json(&self) -> bool {
        match &self.root.kind {
            Kind::Object(Style::Flow, entries) => entries.iter().all(|entry| entry.quotes == Quotes::Double),
            _ => false,
        }
    }

    /// A value in brackets and braces.
    fn flow(&self, value: &Value) -> String {
        if self.is_json() { value.to_string() } else { write::flow(value) }
    }

    fn flow_property(&self, name: &str, value: &Value) -> String {
        if self.is_json() {
            format!("{}: {value}", Value::from(name))
        } else {
            format!("{}: {}", write::flow(&Value::from(name)), write::flow(value))
        }
    }
}

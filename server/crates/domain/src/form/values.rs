//! What was typed, as pairs of text, and the JSON that it stands for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value};

use super::model::{Shape, max_nesting, properties, text_of};
use super::{Choice, Field, Form, Kind, RowRules, TextFormat, TextRules, escape, schema, unescape};

/// How often conditions are decided anew while reading; a schema whose branches never settle ends here.
const ROUNDS: usize = 6;
/// How many rows of a list are read.
const MAX_ROWS: usize = 1_000;

/// The name of the pair that holds the zone (`+09:00`, `Z`) of the date-time at `pointer`.
#[must_use]
pub fn offset_name(pointer: &str) -> String {
    format!("{pointer}#offset")
}

/// The values that a form starts with: the schema's defaults.
#[must_use]
pub fn initial(schema: &Value) -> Value {
    read(schema, &Posted { first: true, ..Posted::default() }, false)
}

/// The JSON that the pairs of a form stand for, typed as the schema says.
///
/// An empty optional text is absent. An unticked box is `false`. What is no number stays text, so that validation can
/// complain beside the field. Rows are numbered anew without gaps, empty rows of scalars are left out. Fields that the
/// schema does not show for these values are left out; fields that were not part of the form take their default.
#[must_use]
pub fn values_from_pairs(schema: &Value, pairs: &[(String, String)]) -> Value {
    read(schema, &Posted::new(pairs), false)
}

/// The same while somebody is still typing: rows that are empty yet stay, as empty texts.
#[must_use]
pub fn unfinished_from_pairs(schema: &Value, pairs: &[(String, String)]) -> Value {
    read(schema, &Posted::new(pairs), true)
}

fn read(schema: &Value, posted: &Posted<'_>, keep_rows: bool) -> Value {
    Value::Object(Reader { root: schema, posted, keep_rows }.object(schema, "", max_nesting()))
}

/// The pairs of a form that shows these values: the inverse of [`values_from_pairs`].
#[must_use]
pub fn flatten(schema: &Value, values: &Value) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    write_fields(&Form::new(schema, values).fields, values, &mut pairs);
    pairs
}

/// The values with one more row in the list at `pointer`; unchanged where the schema has no list there.
#[must_use]
pub fn add_row(schema: &Value, mut values: Value, pointer: &str) -> Value {
    let form = Form::new(schema, &values);
    let Some(Kind::Rows { rows, rules }) = form.field(pointer).map(|field| &field.kind) else { return values };
    if rows.len() >= MAX_ROWS || rules.max_items.is_some_and(|max| rows.len() as u64 >= max) {
        return values;
    }
    // What a row looks like is known by showing one more than there are.
    let shown = rows.len();
    set(&mut values, &format!("{pointer}/{shown}"), Value::Null, shown);
    let form = Form::new(schema, &values);
    let blank = match form.field(&format!("{pointer}/{shown}")) {
        Some(Field { kind: Kind::Group { fields }, .. }) => {
            let with_default = fields.iter().filter_map(|field| {
                let name = unescape(field.pointer.rsplit('/').next().unwrap_or_default());
                field.default.clone().map(|value| (name, value))
            });
            Value::Object(with_default.collect())
        }
        Some(field) => field.default.clone().unwrap_or_else(|| Value::String(String::new())),
        None => Value::String(String::new()),
    };
    set(&mut values, &format!("{pointer}/{shown}"), blank, shown);
    values
}

/// The values without the row at `pointer` (`/groups/1`); the rows behind it move up.
#[must_use]
pub fn remove_row(mut values: Value, pointer: &str) -> Value {
    if let Some((list, index)) = pointer.rsplit_once('/')
        && let (Some(Value::Array(items)), Ok(index)) = (values.pointer_mut(list), index.parse::<usize>())
        && index < items.len()
    {
        items.remove(index);
    }
    values
}

/// Sets the value at `pointer`, making objects on the way. The last token may be the index of a row; `rows` is how many
/// rows its list shows, so that rows which were only shown come to exist.
fn set(values: &mut Value, pointer: &str, value: Value, rows: usize) {
    let tokens: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    let Some((last, parents)) = tokens.split_last() else { return };
    let mut place = values;
    for (depth, token) in parents.iter().enumerate() {
        let is_list = depth + 1 == parents.len() && last.parse::<usize>().is_ok();
        place = match place {
            Value::Array(items) => {
                let Some(item) = token.parse::<usize>().ok().and_then(|index| items.get_mut(index)) else { return };
                item
            }
            Value::Object(members) => members.entry(token.clone()).or_insert(Value::Null),
            _ => return,
        };
        if place.is_null() {
            *place = if is_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
    }
    match (place, last.parse::<usize>()) {
        (Value::Array(items), Ok(index)) => {
            while items.len() < rows.max(index) {
                items.push(Value::Null);
            }
            match items.get_mut(index) {
                Some(item) => *item = value,
                None => items.push(value),
            }
        }
        (Value::Object(members), _) => {
            members.insert(last.clone(), value);
        }
        _ => {}
    }
}

/// The pairs that were sent, by name.
#[derive(Default)]
struct Posted<'a> {
    pairs: BTreeMap<&'a str, &'a str>,
    /// Nothing was shown yet, so that unticked boxes take their default too.
    first: bool,
}

impl<'a> Posted<'a> {
    fn new(pairs: &'a [(String, String)]) -> Self {
        let mut known = BTreeMap::new();
        for (name, value) in pairs {
            // The last one wins, as with the controls of a form that share a name.
            known.insert(name.as_str(), value.as_str());
        }
        Self { pairs: known, first: false }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.pairs.get(name).copied()
    }

    /// The row numbers that were sent for the list at `pointer`, in order.
    fn rows(&self, pointer: &str) -> Vec<u32> {
        let prefix = format!("{pointer}/");
        let from = self.pairs.range(prefix.as_str()..);
        let names = from.map(|(name, _)| *name).take_while(|name| name.starts_with(&prefix));
        let number = |name: &str| {
            let rest = name.get(prefix.len()..)?;
            rest.split(['/', '#']).next()?.parse().ok()
        };
        let numbers: BTreeSet<u32> = names.filter_map(number).collect();
        numbers.into_iter().take(MAX_ROWS).collect()
    }
}

struct Reader<'a> {
    root: &'a Value,
    posted: &'a Posted<'a>,
    /// Whether a row in which nothing was typed yet stays.
    keep_rows: bool,
}

impl Reader<'_> {
    fn object(&self, schema: &Value, pointer: &str, depth: u8) -> Map<String, Value> {
        let mut values = Map::new();
        for _ in 0..ROUNDS {
            let shown = properties(self.root, schema, &Value::Object(values.clone()));
            let mut next = Map::new();
            for (name, part, required) in shown {
                let place = format!("{pointer}/{}", escape(&name));
                if let Some(value) = self.value(&part, &place, required, depth) {
                    next.insert(name, value);
                }
            }
            if next == values {
                break;
            }
            values = next;
        }
        values
    }

    fn value(&self, schema: &Value, pointer: &str, required: bool, depth: u8) -> Option<Value> {
        let keywords = schema::effective(self.root, schema, &Value::Null);
        let default = || keywords.get("default").cloned();
        let deeper = depth.saturating_sub(1);
        match Shape::of(self.root, &keywords, depth) {
            Shape::Group => {
                let members = self.object(schema, pointer, deeper);
                let typed = members.values().any(|value| *value != Value::Bool(false));
                (required || typed).then_some(Value::Object(members))
            }
            Shape::Rows { item, .. } => {
                let rows = self.posted.rows(pointer);
                if rows.is_empty() && self.posted.get(pointer).is_none() {
                    return default().or_else(|| required.then(|| Value::Array(Vec::new())));
                }
                let read = |row: u32| self.row(&item, &format!("{pointer}/{row}"), deeper);
                Some(rows.into_iter().filter_map(read).collect())
                    .filter(|items: &Vec<_>| required || !items.is_empty())
                    .map(Value::Array)
            }
            Shape::Leaf(kind) => self.leaf(&kind, pointer, required, default),
        }
    }

    /// A row; one of fields exists once it was shown, one of a scalar when something was typed.
    fn row(&self, schema: &Value, pointer: &str, depth: u8) -> Option<Value> {
        let keywords = schema::effective(self.root, schema, &Value::Null);
        if matches!(Shape::of(self.root, &keywords, depth), Shape::Group) {
            return Some(Value::Object(self.object(schema, pointer, depth.saturating_sub(1))));
        }
        let empty = || self.keep_rows.then(|| Value::String(String::new()));
        self.value(schema, pointer, false, depth).or_else(empty)
    }

    fn leaf(&self, kind: &Kind, pointer: &str, required: bool, default: impl Fn() -> Option<Value>) -> Option<Value> {
        let sent = self.posted.get(pointer);
        match kind {
            Kind::Boolean { .. } => match sent {
                None if self.posted.first => default().or(Some(Value::Bool(false))),
                sent => Some(Value::Bool(sent.is_some_and(|text| matches!(text, "true" | "on" | "1")))),
            },
            Kind::Choices { options, .. } => {
                let rows = self.posted.rows(pointer);
                if rows.is_empty() && sent.is_none() {
                    return default().or_else(|| required.then(|| Value::Array(Vec::new())));
                }
                let sent = rows.into_iter().filter_map(|row| self.posted.get(&format!("{pointer}/{row}")));
                let mut chosen: Vec<Value> = sent.filter_map(|key| chosen(options, key)).collect();
                let place = |value: &Value| options.iter().position(|option| option.value == *value);
                chosen.sort_by_key(|value| place(value).unwrap_or(usize::MAX));
                chosen.dedup();
                (required || !chosen.is_empty()).then_some(Value::Array(chosen))
            }
            Kind::Choice { options } => sent.map_or_else(default, |key| chosen(options, key)),
            Kind::Number(_) => sent.map_or_else(default, number),
            Kind::Text(rules) => sent.map_or_else(default, |sent| self.text(rules, pointer, sent)),
            Kind::Json => sent.map_or_else(default, |sent| {
                let sent = sent.trim();
                let parsed = || serde_json::from_str(sent).unwrap_or_else(|_| Value::String(sent.to_owned()));
                (!sent.is_empty()).then(parsed)
            }),
            Kind::Rows { .. } | Kind::Group { .. } => None,
        }
    }

    fn text(&self, rules: &TextRules, pointer: &str, sent: &str) -> Option<Value> {
        // Browsers send line ends as CRLF; blanks around a single line are never meant.
        let text =
            if rules.multi_line { sent.replace("\r\n", "\n").replace('\r', "\n") } else { sent.trim().to_owned() };
        if text.is_empty() {
            return None;
        }
        if rules.format == TextFormat::DateTime && is_local_time(&text) {
            let seconds = if text.len() == LOCAL_MINUTES { ":00" } else { "" };
            let offset = self.posted.get(&offset_name(pointer)).filter(|offset| is_offset(offset)).unwrap_or("Z");
            return Some(Value::String(format!("{text}{seconds}{offset}")));
        }
        Some(Value::String(text))
    }
}

/// The option that a control sent. An unknown key stays as it is, for validation to refuse it.
fn chosen(options: &[Choice], key: &str) -> Option<Value> {
    if key.is_empty() {
        return None;
    }
    let known = options.iter().find(|option| option.key() == key);
    Some(known.map_or_else(|| Value::String(key.to_owned()), |option| option.value.clone()))
}

fn number(sent: &str) -> Option<Value> {
    let text = sent.trim();
    if text.is_empty() {
        return None;
    }
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok();
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let broken = || text.parse::<f64>().ok().filter(|_| digits).and_then(Number::from_f64);
    Some(whole.or_else(broken).map_or_else(|| Value::String(text.to_owned()), Value::Number))
}

const LOCAL_MINUTES: usize = "2026-11-22T15:04".len();
const LOCAL_SECONDS: usize = "2026-11-22T15:04:05".len();

/// Whether the text has the shape of a date and time without a zone, as a date-time control sends it.
fn is_local_time(text: &str) -> bool {
    matches!(text.len(), LOCAL_MINUTES | LOCAL_SECONDS)
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        })
}

fn is_offset(text: &str) -> bool {
    let shape = |(index, byte): (usize, u8)| match index {
        0 => matches!(byte, b'+' | b'-'),
        3 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    text == "Z" || (text.len() == "+09:00".len() && text.bytes().enumerate().all(shape))
}

/// A stored date-time as the date and time that was typed, and its zone.
fn split_zone(text: &str) -> (&str, &str) {
    let zone = text.strip_suffix('Z').map(|local| (local, "Z")).or_else(|| {
        let cut = text.len().checked_sub("+09:00".len())?;
        text.is_char_boundary(cut).then(|| text.split_at(cut)).filter(|(_, zone)| is_offset(zone))
    });
    match zone {
        Some((local, zone)) if is_local_time(local) => (local, zone),
        _ => (text, ""),
    }
}

fn write_fields(fields: &[Field], values: &Value, pairs: &mut Vec<(String, String)>) {
    for field in fields {
        let value = values.pointer(&field.pointer).unwrap_or(&Value::Null);
        let mut pair = |name: String, text: String| pairs.push((name, text));
        let pointer = field.pointer.clone();
        match &field.kind {
            Kind::Boolean { .. } => {
                if *value == Value::Bool(true) {
                    pair(pointer, "true".to_owned());
                }
            }
            Kind::Choices { options, .. } => {
                pair(pointer.clone(), String::new());
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                for (index, option) in options.iter().enumerate() {
                    if items.iter().any(|item| schema::same(item, &option.value)) {
                        pair(format!("{pointer}/{index}"), option.key());
                    }
                }
                // What is no option is kept, for validation to refuse it.
                let unknown = items.iter().filter(|item| !options.iter().any(|o| schema::same(item, &o.value)));
                for (index, item) in unknown.enumerate() {
                    pair(format!("{pointer}/{}", options.len() + index), text_of(item));
                }
            }
            Kind::Rows { rows, .. } => {
                pair(pointer, String::new());
                for row in rows.iter().filter(|row| matches!(row.kind, Kind::Group { .. })) {
                    pair(row.pointer.clone(), String::new());
                }
                write_fields(rows, values, pairs);
            }
            Kind::Group { fields } => write_fields(fields, values, pairs),
            Kind::Text(TextRules { format: TextFormat::DateTime, .. }) => {
                let text = text_of(value);
                let (local, zone) = split_zone(&text);
                if !zone.is_empty() {
                    pair(offset_name(&pointer), zone.to_owned());
                }
                pair(pointer, local.to_owned());
            }
            Kind::Json if value.is_string() => pair(pointer, value.to_string()),
            Kind::Text(_) | Kind::Number(_) | Kind::Choice { .. } | Kind::Json => pair(pointer, text_of(value)),
        }
    }
}

impl RowRules {
    /// Whether a list with `count` rows may get another.
    #[must_use]
    pub fn allows_more_than(&self, count: usize) -> bool {
        count < MAX_ROWS && self.max_items.is_none_or(|max| (count as u64) < max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["name", "tags", "address"],
            "properties": {
                "name": {"type": "string"},
                "note": {"type": "string", "contentMediaType": "text/plain"},
                "age": {"type": "integer"},
                "share": {"type": "number"},
                "active": {"type": "boolean", "default": true},
                "size": {"enum": ["s", 2, true], "default": "s"},
                "groups": {"type": "array", "items": {"enum": ["x", "y", 3]}},
                "tags": {"type": "array", "items": {"type": "string"}},
                "numbers": {"type": "array", "items": {"type": "integer"}},
                "at": {"type": "string", "format": "date-time"},
                "address": {"type": "object", "properties": {
                    "a/b": {"type": "string"}, "floor": {"type": "integer"}}},
                "proxy": {"type": "object", "properties": {
                    "host": {"type": "string"}, "tls": {"type": "boolean"}}},
                "people": {"type": "array", "items": {"type": "object", "properties": {
                    "login": {"type": "string"}, "lead": {"type": "boolean"}}}},
                "extra": {"type": "object"},
            },
            "if": {"required": ["active"], "properties": {"active": {"const": true}}},
            "then": {"required": ["since"], "properties": {"since": {"type": "string", "format": "date"}}},
        })
    }

    #[test]
    fn pairs_become_typed_values() {
        let sent = pairs(&[
            ("/name", "  Mina "),
            ("/note", "one\r\ntwo "),
            ("/age", "042"),
            ("/share", "0.50"),
            ("/active", "true"),
            ("/since", "2026-01-02"),
            ("/size", "2"),
            ("/groups/0", "x"),
            ("/groups/2", "3"),
            ("/tags", ""),
            ("/tags/0", ""),
            ("/tags/4", "b"),
            ("/tags/11", "c"),
            ("/numbers/0", "many"),
            ("/at", "2026-11-22T15:04"),
            ("/at#offset", "+09:00"),
            ("/address/a~1b", "x"),
            ("/address/floor", ""),
            ("/people/0", ""),
            ("/people/7/login", "mina"),
            ("/people/7/lead", "on"),
            ("/extra", "{\"a\": 1}"),
            ("/unknown", "ignored"),
            ("_action", "review"),
        ]);
        assert_eq!(
            values_from_pairs(&schema(), &sent),
            json!({
                "name": "Mina", "note": "one\ntwo ", "age": 42, "share": 0.5, "active": true, "since": "2026-01-02",
                "size": 2, "groups": ["x", 3], "tags": ["b", "c"], "numbers": ["many"],
                "at": "2026-11-22T15:04:00+09:00", "address": {"a/b": "x"},
                "people": [{"lead": false}, {"login": "mina", "lead": true}], "extra": {"a": 1},
            })
        );
    }

    #[test]
    fn an_empty_form_leaves_only_what_is_required() {
        let sent = pairs(&[("/name", " "), ("/size", ""), ("/proxy/host", ""), ("/address/floor", "")]);
        assert_eq!(
            values_from_pairs(&schema(), &sent),
            json!({"active": false, "tags": [], "address": {}}),
            "what is hidden by an unticked box goes with it"
        );
    }

    #[test]
    fn a_form_starts_with_the_defaults() {
        assert_eq!(initial(&schema()), json!({"active": true, "size": "s", "tags": [], "address": {}}));
    }

    #[test]
    fn a_cleared_default_stays_cleared() {
        let values = json!({"name": "a", "active": false, "tags": [], "address": {}});
        assert_eq!(values_from_pairs(&schema(), &flatten(&schema(), &values)), values);
    }

    #[test]
    fn rows_are_added_and_removed() {
        let schema = schema();
        let values = add_row(&schema, json!({"tags": ["a"]}), "/tags");
        assert_eq!(values, json!({"tags": ["a", ""]}));
        let values = add_row(&schema, values, "/people");
        assert_eq!(values, json!({"tags": ["a", ""], "people": [{}]}));
        assert_eq!(add_row(&schema, values.clone(), "/name"), values);
        let shown = flatten(&schema, &values);
        let unfinished = unfinished_from_pairs(&schema, &shown);
        assert_eq!(unfinished.pointer("/tags"), Some(&json!(["a", ""])), "an empty row stays while somebody types");
        assert_eq!(values_from_pairs(&schema, &shown).pointer("/tags"), Some(&json!(["a"])));
        assert_eq!(remove_row(values, "/tags/0"), json!({"tags": [""], "people": [{}]}));
        let limited = json!({"type": "object", "properties": {"l": {
            "type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "integer"}}}, "required": ["l"]});
        let values = add_row(&limited, json!({}), "/l");
        assert_eq!(values.pointer("/l").and_then(Value::as_array).map(Vec::len), Some(3));
        assert_eq!(add_row(&limited, values.clone(), "/l"), values);
    }

    #[test]
    fn numbers_keep_what_was_typed_when_they_are_none() {
        for (sent, value) in [
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("inf", json!("inf")),
            ("NaN", json!("NaN")),
            ("1,000", json!("1,000")),
        ] {
            assert_eq!(number(sent), Some(value));
        }
    }

    fn any_pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        let names = prop::sample::select(vec![
            "/name",
            "/note",
            "/age",
            "/share",
            "/active",
            "/since",
            "/size",
            "/groups",
            "/groups/0",
            "/groups/1",
            "/groups/2",
            "/tags",
            "/tags/0",
            "/tags/1",
            "/tags/5",
            "/numbers/0",
            "/numbers/3",
            "/at",
            "/at#offset",
            "/address/a~1b",
            "/address/floor",
            "/proxy/host",
            "/proxy/tls",
            "/people",
            "/people/0",
            "/people/0/login",
            "/people/2/lead",
            "/extra",
            "/other",
            "",
        ]);
        let texts = prop_oneof![
            Just(String::new()),
            Just("true".to_owned()),
            Just("x".to_owned()),
            Just("2".to_owned()),
            Just("3".to_owned()),
            Just("2026-11-22T15:04".to_owned()),
            Just("+09:00".to_owned()),
            "[0-9]{1,4}(\\.[0-9]{1,2})?",
            "\\PC{0,8}",
            "[ a\r\n]{0,6}",
        ];
        prop::collection::vec((names.prop_map(str::to_owned), texts), 0..24)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(sent in any_pairs()) {
            let schema = schema();
            let values = values_from_pairs(&schema, &sent);
            let written = flatten(&schema, &values);
            prop_assert_eq!(&values_from_pairs(&schema, &written), &values);
            prop_assert_eq!(flatten(&schema, &values_from_pairs(&schema, &written)), written);
        }
    }
}

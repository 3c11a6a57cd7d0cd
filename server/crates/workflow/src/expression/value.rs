//! The values that expressions work on: JSON, with every copy, comparison and construction metered.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValR as CoreValR, ValX as CoreValX};
use serde_json::Value;

use super::meter;

pub(super) type ValR = CoreValR<V>;
pub(super) type ValX<'a> = CoreValX<'a, V>;
pub(super) type Error = jaq_core::Error<V>;

/// The rough size of one list element or object entry in memory.
const SLOT: usize = 32;

/// A JSON value that can be shared. Integers beyond 64 bits become floating-point numbers, as in jq.
#[derive(Debug)]
pub(super) enum V {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<List>),
    Object(Rc<Object>),
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Vec<V>,
    depth: u32,
}

pub(super) type Entries = IndexMap<Rc<str>, V>;

#[derive(Debug)]
pub(super) struct Object {
    pub(super) entries: Entries,
    depth: u32,
}

impl Clone for V {
    fn clone(&self) -> Self {
        meter::step(1);
        self.share()
    }
}

impl V {
    /// A copy that is not counted; for bulk copies, which are counted by their caller.
    pub(super) fn share(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Bool(value) => Self::Bool(*value),
            Self::Int(value) => Self::Int(*value),
            Self::Float(value) => Self::Float(*value),
            Self::Text(text) => Self::Text(Rc::clone(text)),
            Self::List(list) => Self::List(Rc::clone(list)),
            Self::Object(object) => Self::Object(Rc::clone(object)),
        }
    }

    pub(super) fn text(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        meter::allocate(text.len());
        Self::Text(Rc::from(text))
    }

    pub(super) fn list(items: Vec<V>) -> Self {
        meter::allocate(items.len() * SLOT);
        let depth = meter::depth(items.iter().map(Self::depth).max().unwrap_or(0) + 1);
        Self::List(Rc::new(List { items, depth }))
    }

    pub(super) fn object(entries: Entries) -> Self {
        meter::allocate(entries.len() * 2 * SLOT);
        let depth = meter::depth(entries.values().map(Self::depth).max().unwrap_or(0) + 1);
        Self::Object(Rc::new(Object { entries, depth }))
    }

    fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.depth,
            Self::Object(object) => object.depth,
            _ => 0,
        }
    }

    /// From plain JSON; not metered, as its size is bounded where it came from.
    pub(super) fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(value) => Self::Int(value),
                None => Self::Float(number.as_f64().unwrap_or(f64::MAX)),
            },
            Value::String(text) => Self::Text(Rc::from(text.as_str())),
            Value::Array(items) => {
                let items: Vec<V> = items.iter().map(Self::from_json).collect();
                let depth = items.iter().map(Self::depth).max().unwrap_or(0) + 1;
                Self::List(Rc::new(List { items, depth }))
            }
            Value::Object(entries) => {
                let entries: Entries =
                    entries.iter().map(|(key, value)| (Rc::from(key.as_str()), Self::from_json(value))).collect();
                let depth = entries.values().map(Self::depth).max().unwrap_or(0) + 1;
                Self::Object(Rc::new(Object { entries, depth }))
            }
        }
    }

    /// To plain JSON, taking the size from `budget`; `None` if it does not suffice.
    pub(super) fn to_json(&self, budget: &mut usize) -> Option<Value> {
        let cost = match self {
            Self::Text(text) => text.len() + 2,
            _ => 4,
        };
        *budget = budget.checked_sub(cost)?;
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::from(*value),
            Self::Float(value) => float_to_json(*value),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(list) => {
                Value::Array(list.items.iter().map(|item| item.to_json(budget)).collect::<Option<_>>()?)
            }
            Self::Object(object) => {
                let mut map = serde_json::Map::new();
                for (key, value) in &object.entries {
                    *budget = budget.checked_sub(key.len() + 3)?;
                    map.insert(key.to_string(), value.to_json(budget)?);
                }
                Value::Object(map)
            }
        })
    }

    /// The value as JSON text, metered.
    pub(super) fn json_text(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        meter::step(1);
        match self {
            Self::List(list) => {
                out.push('[');
                for (index, item) in list.items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Self::Object(object) => {
                out.push('{');
                for (index, (key, value)) in object.entries.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_scalar(&Value::String(key.to_string()), out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
            Self::Text(text) => write_scalar(&Value::String(text.to_string()), out),
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => write_scalar(&Value::from(*value), out),
            Self::Float(value) => write_scalar(&float_to_json(*value), out),
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_float(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "jq numbers are floating-point beyond 53 bits")]
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The number rounded down, for use as an index.
    pub(super) fn as_index(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Float(value) => float_to_int(value.floor()),
            _ => None,
        }
    }

    /// A float as an integer if it is one.
    pub(super) fn number(value: f64) -> Self {
        match float_to_int(value) {
            Some(int) if value.fract() == 0.0 => Self::Int(int),
            _ => Self::Float(value),
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The elements, taken out of a list that nobody else holds, copied otherwise.
    pub(super) fn into_items(self) -> Result<Vec<V>, Self> {
        match self {
            Self::List(list) => Ok(match Rc::try_unwrap(list) {
                Ok(list) => list.items,
                Err(shared) => copy_items(&shared.items),
            }),
            other => Err(other),
        }
    }

    pub(super) fn into_entries(self) -> Result<Entries, Self> {
        match self {
            Self::Object(object) => Ok(match Rc::try_unwrap(object) {
                Ok(object) => object.entries,
                Err(shared) => {
                    bulk(shared.entries.len());
                    shared.entries.iter().map(|(key, value)| (Rc::clone(key), value.share())).collect()
                }
            }),
            other => Err(other),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Int(_) | Self::Float(_) => 3,
            Self::Text(_) => 4,
            Self::List(_) => 5,
            Self::Object(_) => 6,
        }
    }

    /// jq's order over all values.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        meter::step(1);
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Int(_) | Self::Float(_), Self::Int(_) | Self::Float(_)) => {
                let left = self.as_float().unwrap_or(0.0);
                let right = other.as_float().unwrap_or(0.0);
                // A number that is none sorts first, so that the order is total.
                left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
            }
            (Self::Text(left), Self::Text(right)) => {
                meter::step(u64::try_from(left.len().min(right.len()) / 64).unwrap_or(u64::MAX));
                left.cmp(right)
            }
            (Self::List(left), Self::List(right)) => {
                for (left, right) in left.items.iter().zip(&right.items) {
                    let order = left.order(right);
                    if order != Ordering::Equal {
                        return order;
                    }
                }
                left.items.len().cmp(&right.items.len())
            }
            (Self::Object(left), Self::Object(right)) => {
                let left_keys = sorted_keys(&left.entries);
                let right_keys = sorted_keys(&right.entries);
                let order = left_keys.cmp(&right_keys);
                if order != Ordering::Equal {
                    return order;
                }
                for key in left_keys {
                    if let (Some(left), Some(right)) = (left.entries.get(key), right.entries.get(key)) {
                        let order = left.order(right);
                        if order != Ordering::Equal {
                            return order;
                        }
                    }
                }
                Ordering::Equal
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// The part of a list or text between two bounds, each an index or null.
    fn slice(self, from: Option<&V>, to: Option<&V>) -> ValR {
        let bound = |bound: Option<&V>| match bound {
            None | Some(V::Null) => Ok(None),
            Some(value) => value.as_index().map(Some).ok_or_else(|| Error::typ(value.clone(), "integer")),
        };
        let (from, to) = (bound(from)?, bound(to)?);
        match &self {
            Self::Null => Ok(Self::Null),
            Self::Text(text) => {
                meter::step(u64::try_from(text.len() / 16).unwrap_or(u64::MAX));
                let (skip, take) = skip_take(from, to, text.chars().count());
                Ok(Self::text(text.chars().skip(skip).take(take).collect::<String>()))
            }
            Self::List(list) => {
                let (skip, take) = skip_take(from, to, list.items.len());
                Ok(Self::list(list.items.iter().skip(skip).take(take).map(Self::share).collect()))
            }
            _ => Err(Error::typ(self, "array or string")),
        }
    }
}

fn sorted_keys(entries: &Entries) -> Vec<&str> {
    bulk(entries.len());
    let mut keys: Vec<&str> = entries.keys().map(AsRef::as_ref).collect();
    keys.sort_unstable();
    keys
}

/// Counts a copy of `count` slots.
pub(super) fn bulk(count: usize) {
    meter::step(u64::try_from(count / 8).unwrap_or(u64::MAX) + 1);
}

fn copy_items(items: &[V]) -> Vec<V> {
    bulk(items.len());
    items.iter().map(V::share).collect()
}

fn skip_take(from: Option<i64>, to: Option<i64>, len: usize) -> (usize, usize) {
    let absolute = |bound: i64| {
        let distance = usize::try_from(bound.unsigned_abs()).unwrap_or(usize::MAX);
        if bound < 0 { len.saturating_sub(distance) } else { distance.min(len) }
    };
    let from = from.map_or(0, absolute);
    let to = to.map_or(len, absolute);
    (from, to.saturating_sub(from))
}

fn float_to_int(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "within the range where floats hold every integer")]
    (value.abs() <= EXACT).then_some(value as i64)
}

fn float_to_json(value: f64) -> Value {
    match float_to_int(value) {
        Some(int) if value.fract() == 0.0 => Value::from(int),
        _ => serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number),
    }
}

fn write_scalar(value: &Value, out: &mut String) {
    let text = value.to_string();
    meter::allocate(text.len());
    out.push_str(&text);
}

impl PartialEq for V {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl PartialOrd for V {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.order(other))
    }
}

/// For error messages: short, whatever the value.
impl fmt::Display for V {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.chars().count() > 60 => {
                write!(f, "{:?}…", text.chars().take(60).collect::<String>())
            }
            Self::Text(text) => write!(f, "{:?}", &**text),
            Self::List(list) => write!(f, "an array of {}", list.items.len()),
            Self::Object(object) => {
                let keys: Vec<&str> = object.entries.keys().take(5).map(AsRef::as_ref).collect();
                write!(f, "an object ({})", keys.join(", ").chars().take(80).collect::<String>())
            }
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

impl From<bool> for V {
    fn from(value: bool) -> Self {
        meter::step(1);
        Self::Bool(value)
    }
}

impl From<isize> for V {
    fn from(value: isize) -> Self {
        meter::step(1);
        i64::try_from(value).map_or(Self::Null, Self::Int)
    }
}

impl From<String> for V {
    fn from(value: String) -> Self {
        meter::step(1);
        Self::text(value)
    }
}

impl From<Range<V>> for V {
    fn from(range: Range<V>) -> Self {
        let mut entries = Entries::new();
        for (name, bound) in [("start", range.start), ("end", range.end)] {
            if let Some(bound) = bound {
                entries.insert(Rc::from(name), bound);
            }
        }
        Self::object(entries)
    }
}

impl FromIterator<V> for V {
    fn from_iter<I: IntoIterator<Item = V>>(iter: I) -> Self {
        let mut items = Vec::new();
        for item in iter {
            meter::allocate(SLOT);
            meter::step(1);
            items.push(item);
        }
        let depth = meter::depth(items.iter().map(V::depth).max().unwrap_or(0) + 1);
        Self::List(Rc::new(List { items, depth }))
    }
}

impl jaq_core::ValT for V {
    fn from_num(text: &str) -> ValR {
        meter::step(1);
        if let Ok(int) = text.parse::<i64>() {
            return Ok(Self::Int(int));
        }
        text.parse::<f64>().map(Self::number).map_err(|_| Error::str("not a number"))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(iter: I) -> ValR {
        let mut entries = Entries::new();
        for (key, value) in iter {
            meter::step(1);
            match key {
                Self::Text(key) => entries.insert(key, value),
                key => return Err(Error::typ(key, "an object's key")),
            };
        }
        Ok(Self::object(entries))
    }

    fn key_values(self) -> BoxIter<'static, CoreValR<(Self, Self), Self>> {
        match self {
            Self::List(_) => {
                let items = self.into_items().unwrap_or_default();
                let indexed = (0_i64..).zip(items);
                Box::new(indexed.map(|(index, item)| {
                    meter::step(1);
                    Ok((Self::Int(index), item))
                }))
            }
            Self::Object(_) => {
                let entries = self.into_entries().unwrap_or_default();
                Box::new(entries.into_iter().map(|(key, value)| {
                    meter::step(1);
                    Ok((Self::Text(key), value))
                }))
            }
            other => box_once(Err(Error::typ(other, "array or object"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        match self {
            Self::List(_) => {
                let items = self.into_items().unwrap_or_default();
                Box::new(items.into_iter().map(|item| {
                    meter::step(1);
                    Ok(item)
                }))
            }
            Self::Object(_) => {
                let entries = self.into_entries().unwrap_or_default();
                Box::new(entries.into_values().map(|value| {
                    meter::step(1);
                    Ok(value)
                }))
            }
            other => box_once(Err(Error::typ(other, "array or object"))),
        }
    }

    fn index(self, index: &Self) -> ValR {
        meter::step(1);
        match (&self, index) {
            (Self::Null, Self::Text(_) | Self::Int(_) | Self::Float(_) | Self::Null) => Ok(Self::Null),
            (Self::Object(object), Self::Text(key)) => Ok(object.entries.get(&**key).map_or(Self::Null, Self::share)),
            (Self::List(list), Self::Int(_) | Self::Float(_)) => {
                let at = index.as_index().and_then(|at| absolute_index(at, list.items.len()));
                Ok(at.and_then(|at| list.items.get(at)).map_or(Self::Null, Self::share))
            }
            (Self::List(_) | Self::Text(_) | Self::Null, Self::Object(range)) => {
                let (from, to) = (range.entries.get("start"), range.entries.get("end"));
                self.slice(from, to)
            }
            _ => Err(Error::index(self, index.clone())),
        }
    }

    fn range(self, range: Range<&Self>) -> ValR {
        self.slice(range.start, range.end)
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a> {
        match self {
            Self::List(_) => {
                let items = self.into_items().unwrap_or_default();
                items.into_iter().flat_map(f).collect()
            }
            Self::Object(_) => {
                let mut mapped = Entries::new();
                for (key, value) in self.into_entries().unwrap_or_default() {
                    meter::step(1);
                    if let Some(value) = f(value).next() {
                        mapped.insert(key, value?);
                    }
                }
                Ok(Self::object(mapped))
            }
            other => opt.fail(other, |value| Exn::from(Error::typ(value, "array or object"))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a>>>(self, index: &Self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a> {
        meter::step(1);
        match (self, index) {
            (value @ (Self::List(_) | Self::Null), Self::Object(range)) => {
                let range = range.entries.get("start")..range.entries.get("end");
                value.map_range(range, opt, f)
            }
            (value @ (Self::Object(_) | Self::Null), Self::Text(key)) => {
                let mut entries = value.into_entries().unwrap_or_default();
                let old = entries.get(key).map_or(Self::Null, Self::share);
                if let Some(new) = f(old).next().transpose()? {
                    entries.insert(Rc::clone(key), new);
                } else {
                    bulk(entries.len());
                    entries.shift_remove(&**key);
                }
                Ok(Self::object(entries))
            }
            (value @ (Self::List(_) | Self::Null), Self::Int(_) | Self::Float(_)) => {
                let mut items = value.into_items().unwrap_or_default();
                let wanted = index.as_index().unwrap_or(i64::MAX);
                let at = match absolute_index(wanted, items.len()) {
                    Some(at) => at,
                    None if wanted >= 0 => usize::try_from(wanted).unwrap_or(usize::MAX),
                    None => {
                        let error = Error::str("array index is out of bounds");
                        return opt.fail(Self::list(items), |_| Exn::from(error));
                    }
                };
                let old = items.get(at).map_or(Self::Null, Self::share);
                match f(old).next().transpose()? {
                    Some(new) => {
                        if at >= items.len() {
                            meter::allocate((at - items.len()).saturating_mul(SLOT));
                            items.resize_with(at, || Self::Null);
                            items.push(new);
                        } else if let Some(slot) = items.get_mut(at) {
                            *slot = new;
                        }
                    }
                    None if at < items.len() => {
                        bulk(items.len());
                        items.remove(at);
                    }
                    None => {}
                }
                Ok(Self::list(items))
            }
            (value, _) => opt.fail(value, |value| Exn::from(Error::index(value, index.clone()))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a> {
        let part = match self.share().slice(range.start, range.end) {
            Ok(part) => part,
            Err(error) => return opt.fail(self, |_| Exn::from(error)),
        };
        let Ok(items) = self.into_items() else {
            return Err(Exn::from(Error::str("only a slice of an array can be updated")));
        };
        let bound = |bound: Option<&V>| bound.and_then(V::as_index);
        let (skip, take) = skip_take(bound(range.start), bound(range.end), items.len());
        let replacement = match f(part).next().transpose()? {
            Some(value) => value.into_items().map_err(|value| Exn::from(Error::typ(value, "array")))?,
            None => Vec::new(),
        };
        let mut result = copy_items(items.get(..skip).unwrap_or_default());
        result.extend(replacement);
        result.extend(copy_items(items.get(skip + take..).unwrap_or_default()));
        Ok(Self::list(result))
    }

    fn as_bool(&self) -> bool {
        meter::step(1);
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            other => Self::text(other.json_text()),
        }
    }
}

fn absolute_index(index: i64, len: usize) -> Option<usize> {
    let distance = usize::try_from(index.unsigned_abs()).ok()?;
    let at = if index < 0 { len.checked_sub(distance)? } else { distance };
    (at < len).then_some(at)
}

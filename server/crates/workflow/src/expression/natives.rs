//! Functions implemented here: each metered, each bounded, none looking outside.
#![expect(clippy::needless_pass_by_value, reason = "natives have one shape: they take their values")]

use std::cmp::Ordering;
use std::rc::Rc;

use jaq_core::native::{Filter as Named, bome, run, v};
use jaq_core::{Bind, Cv, Error as CoreError, Exn, Native, RunPtr};

use super::library::Data;
use super::value::{Entries, Error, V, ValR, bulk};
use super::{meter, text};

type Values<'a> = jaq_core::ValXs<'a, V>;

fn table() -> Vec<Named<RunPtr<Data>>> {
    let f = || -> Box<[Bind]> { [Bind::Fun(())].into() };
    vec![
        ("true", v(0), |_| bome(Ok(V::Bool(true)))),
        ("false", v(0), |_| bome(Ok(V::Bool(false)))),
        ("null", v(0), |_| bome(Ok(V::Null))),
        ("not", v(0), |cv| bome(Ok(V::Bool(!jaq_core::ValT::as_bool(&cv.1))))),
        ("error", v(0), |cv| bome(Err(CoreError::new(cv.1)))),
        ("error", v(1), |mut cv| bome(Err(CoreError::new(cv.0.pop_var())))),
        ("length", v(0), |cv| bome(length(cv.1))),
        ("utf8bytelength", v(0), |cv| bome(text::byte_length(cv.1))),
        ("type", v(0), |cv| bome(Ok(V::text(cv.1.type_name())))),
        ("keys", v(0), |cv| bome(keys(cv.1))),
        ("has", v(1), |cv| unary(cv, has)),
        ("contains", v(1), |cv| unary(cv, |value, other| Ok(V::Bool(contains(&value, &other))))),
        ("to_entries", v(0), |cv| bome(to_entries(cv.1))),
        ("from_entries", v(0), |cv| bome(from_entries(cv.1))),
        ("reverse", v(0), |cv| bome(reverse(cv.1))),
        ("flatten", v(0), |cv| bome(flatten(cv.1, u32::MAX))),
        ("flatten", v(1), |cv| unary(cv, flatten_to)),
        ("sort", v(0), |cv| bome(sort(cv.1))),
        ("sort_by", f(), |cv| by_key(cv, |keyed| Ok(keyed.into_iter().map(|(_, item)| item).collect()))),
        ("group_by", f(), |cv| by_key(cv, |keyed| Ok(groups(keyed).into_iter().map(V::list).collect()))),
        ("unique_by", f(), |cv| by_key(cv, |keyed| Ok(firsts(groups(keyed))))),
        ("min_by", f(), |cv| by_key(cv, |keyed| Ok(keyed.into_iter().next().map_or(V::Null, |(_, item)| item)))),
        ("max_by", f(), |cv| by_key(cv, |keyed| Ok(keyed.into_iter().next_back().map_or(V::Null, |(_, item)| item)))),
        ("unique", v(0), |cv| bome(unique(cv.1))),
        ("min", v(0), |cv| bome(extreme(cv.1, Ordering::Less))),
        ("max", v(0), |cv| bome(extreme(cv.1, Ordering::Greater))),
        ("indices", v(1), |cv| unary(cv, text::indices)),
        ("join", v(1), |cv| unary(cv, text::join)),
        ("split", v(1), |cv| unary(cv, text::split)),
        ("startswith", v(1), |cv| unary(cv, |value, with| text::compare(value, with, |a, b| a.starts_with(b)))),
        ("endswith", v(1), |cv| unary(cv, |value, with| text::compare(value, with, |a, b| a.ends_with(b)))),
        ("ltrimstr", v(1), |cv| unary(cv, |value, part| Ok(text::without(value, &part, |t, p| t.strip_prefix(p))))),
        ("rtrimstr", v(1), |cv| unary(cv, |value, part| Ok(text::without(value, &part, |t, p| t.strip_suffix(p))))),
        ("trim", v(0), |cv| bome(text::map(cv.1, |t| t.trim().to_owned()))),
        ("ltrim", v(0), |cv| bome(text::map(cv.1, |t| t.trim_start().to_owned()))),
        ("rtrim", v(0), |cv| bome(text::map(cv.1, |t| t.trim_end().to_owned()))),
        ("ascii_downcase", v(0), |cv| bome(text::map(cv.1, str::to_ascii_lowercase))),
        ("ascii_upcase", v(0), |cv| bome(text::map(cv.1, str::to_ascii_uppercase))),
        ("explode", v(0), |cv| bome(text::explode(cv.1))),
        ("implode", v(0), |cv| bome(text::implode(cv.1))),
        ("tostring", v(0), |cv| bome(Ok(jaq_core::ValT::into_string(cv.1)))),
        ("tojson", v(0), |cv| bome(Ok(V::text(cv.1.json_text())))),
        ("fromjson", v(0), |cv| bome(text::from_json(&cv.1))),
        ("tonumber", v(0), |cv| bome(text::to_number(cv.1))),
        ("toboolean", v(0), |cv| bome(text::to_boolean(cv.1))),
        ("floor", v(0), |cv| bome(rounded(cv.1, f64::floor))),
        ("ceil", v(0), |cv| bome(rounded(cv.1, f64::ceil))),
        ("round", v(0), |cv| bome(rounded(cv.1, f64::round))),
        ("trunc", v(0), |cv| bome(rounded(cv.1, f64::trunc))),
        ("fabs", v(0), |cv| bome(rounded(cv.1, f64::abs))),
        ("abs", v(0), |cv| bome(rounded(cv.1, f64::abs))),
        ("sqrt", v(0), |cv| bome(rounded(cv.1, f64::sqrt))),
        ("pow", v(2), |mut cv| {
            let exponent = cv.0.pop_var();
            let base = cv.0.pop_var();
            bome(power(&base, &exponent))
        }),
        ("todateiso8601", v(0), |cv| bome(text::to_date(cv.1))),
        ("fromdateiso8601", v(0), |cv| bome(text::from_date(cv.1))),
        ("@base64", v(0), |cv| bome(Ok(text::to_base64(cv.1)))),
        ("@base64d", v(0), |cv| bome(text::from_base64(cv.1))),
        ("@uri", v(0), |cv| bome(Ok(text::to_uri(cv.1)))),
        ("@html", v(0), |cv| bome(Ok(text::to_html(cv.1)))),
        ("@csv", v(0), |cv| bome(text::to_csv(cv.1))),
        ("test", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            let pattern = cv.0.pop_var();
            bome(super::pattern::test(&cv.1, &pattern, &flags))
        }),
        ("_matches", v(2), |mut cv| {
            let flags = cv.0.pop_var();
            let pattern = cv.0.pop_var();
            bome(super::pattern::matches(&cv.1, &pattern, &flags))
        }),
        ("_captures", v(0), |cv| bome(Ok(super::pattern::captures(&cv.1)))),
    ]
}

/// Name and number of arguments of each.
pub(super) fn signatures() -> impl Iterator<Item = (&'static str, usize)> {
    table().into_iter().map(|(name, arguments, _)| (name, arguments.len()))
}

/// All of them, for the compiler.
pub(super) fn functions() -> impl Iterator<Item = Named<Native<Data>>> {
    table().into_iter().map(|(name, arguments, f)| run::<Data>((name, arguments, f)))
}

fn unary(mut cv: Cv<'_, Data>, f: fn(V, V) -> ValR) -> Values<'_> {
    let argument = cv.0.pop_var();
    bome(f(cv.1, argument))
}

fn length(value: V) -> ValR {
    let count = |count: usize| V::Int(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(match &value {
        V::Null => V::Int(0),
        V::Bool(_) => return Err(Error::str("boolean has no length")),
        V::Int(number) => V::Int(number.saturating_abs()),
        V::Float(number) => V::Float(number.abs()),
        V::Text(text) => {
            meter::step(u64::try_from(text.len() / 64).unwrap_or(u64::MAX));
            count(text.chars().count())
        }
        V::List(list) => count(list.items.len()),
        V::Object(object) => count(object.entries.len()),
    })
}

fn items(value: V) -> Result<Vec<V>, Error> {
    value.into_items().map_err(|value| Error::typ(value, "array"))
}

fn keys(value: V) -> ValR {
    match value {
        V::Object(object) => {
            bulk(object.entries.len());
            let mut keys: Vec<Rc<str>> = object.entries.keys().cloned().collect();
            keys.sort_unstable();
            Ok(V::list(keys.into_iter().map(V::Text).collect()))
        }
        V::List(list) => Ok((0..list.items.len()).map(index_value).collect()),
        other => Err(Error::typ(other, "array or object")),
    }
}

fn index_value(index: usize) -> V {
    V::Int(i64::try_from(index).unwrap_or(i64::MAX))
}

fn has(value: V, key: V) -> ValR {
    match (&value, &key) {
        (V::Object(object), V::Text(key)) => Ok(V::Bool(object.entries.contains_key(&**key))),
        (V::List(list), V::Int(_) | V::Float(_)) => {
            let index = key.as_index().and_then(|index| usize::try_from(index).ok());
            Ok(V::Bool(index.is_some_and(|index| index < list.items.len())))
        }
        _ => Err(Error::index(value, key)),
    }
}

fn contains(value: &V, part: &V) -> bool {
    meter::step(1);
    match (value, part) {
        (V::Object(value), V::Object(part)) => {
            part.entries.iter().all(|(key, part)| value.entries.get(key).is_some_and(|value| contains(value, part)))
        }
        (V::List(value), V::List(part)) => {
            part.items.iter().all(|part| value.items.iter().any(|value| contains(value, part)))
        }
        (V::Text(value), V::Text(part)) => {
            bulk(value.len());
            value.contains(&**part)
        }
        _ => value == part,
    }
}

fn to_entries(value: V) -> ValR {
    let entries = value.into_entries().map_err(|value| Error::typ(value, "object"))?;
    let pair = |(key, value)| {
        let mut entry = Entries::new();
        entry.insert(Rc::from("key"), V::Text(key));
        entry.insert(Rc::from("value"), value);
        V::object(entry)
    };
    Ok(entries.into_iter().map(pair).collect())
}

fn from_entries(value: V) -> ValR {
    let mut result = Entries::new();
    for entry in items(value)? {
        meter::step(1);
        let V::Object(entry) = entry else {
            return Err(Error::typ(entry, "an entry with key and value"));
        };
        let first = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| entry.entries.get(*name));
            found.find(|value| !matches!(value, V::Null)).map(V::share)
        };
        let key = match first(&["key", "k", "name", "Name", "Key", "K"]) {
            None => Rc::from("null"),
            Some(V::Text(key)) => key,
            Some(key @ (V::Bool(_) | V::Int(_) | V::Float(_))) => Rc::from(key.json_text()),
            Some(key) => return Err(Error::typ(key, "an object's key")),
        };
        let value = ["value", "v", "Value", "V"].iter().find_map(|name| entry.entries.get(*name));
        result.insert(key, value.map_or(V::Null, V::share));
    }
    Ok(V::object(result))
}

fn reverse(value: V) -> ValR {
    match value {
        V::Null => Ok(V::list(Vec::new())),
        V::Text(text) => {
            bulk(text.len());
            Ok(V::text(text.chars().rev().collect::<String>()))
        }
        other => {
            let mut items = items(other)?;
            items.reverse();
            Ok(V::list(items))
        }
    }
}

fn flatten_to(value: V, depth: V) -> ValR {
    match depth.as_index().map(u32::try_from) {
        Some(Ok(depth)) => flatten(value, depth),
        Some(Err(_)) => Err(Error::str("flatten depth must not be negative")),
        None => Err(Error::typ(depth, "integer")),
    }
}

fn flatten(value: V, depth: u32) -> ValR {
    fn add(items: Vec<V>, depth: u32, flat: &mut Vec<V>) {
        for item in items {
            meter::step(1);
            match item {
                V::List(_) if depth > 0 => add(item.into_items().unwrap_or_default(), depth - 1, flat),
                other => {
                    meter::allocate(32);
                    flat.push(other);
                }
            }
        }
    }
    let mut flat = Vec::new();
    add(items(value)?, depth, &mut flat);
    Ok(V::list(flat))
}

fn sort(value: V) -> ValR {
    let mut items = items(value)?;
    items.sort_by(V::order);
    Ok(V::list(items))
}

type Keyed = Vec<(Vec<V>, V)>;

/// Sorts the input's elements by what the argument yields for each, and hands them on.
fn by_key(mut cv: Cv<'_, Data>, finish: fn(Keyed) -> ValR) -> Values<'_> {
    let (key, context) = cv.0.pop_fun();
    let items = match items(cv.1) {
        Ok(items) => items,
        Err(error) => return bome(Err(error)),
    };
    let mut keyed: Keyed = Vec::with_capacity(items.len());
    for item in items {
        let key: Result<Vec<V>, Exn<V>> = key.run((context.clone(), item.clone())).collect();
        match key {
            Ok(key) => {
                meter::allocate(64 + key.len() * 32);
                keyed.push((key, item));
            }
            Err(error) => return Box::new(std::iter::once(Err(error))),
        }
    }
    keyed.sort_by(|(left, _), (right, _)| order_keys(left, right));
    bome(finish(keyed))
}

fn order_keys(left: &[V], right: &[V]) -> Ordering {
    let different = left.iter().zip(right).map(|(l, r)| l.order(r)).find(|order| *order != Ordering::Equal);
    different.unwrap_or_else(|| left.len().cmp(&right.len()))
}

fn groups(keyed: Keyed) -> Vec<Vec<V>> {
    let mut groups: Vec<(Vec<V>, Vec<V>)> = Vec::new();
    for (key, item) in keyed {
        match groups.last_mut() {
            Some((last, group)) if order_keys(last, &key) == Ordering::Equal => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn firsts(groups: Vec<Vec<V>>) -> V {
    groups.into_iter().filter_map(|group| group.into_iter().next()).collect()
}

fn unique(value: V) -> ValR {
    let mut items = items(value)?;
    items.sort_by(V::order);
    items.dedup();
    Ok(V::list(items))
}

fn extreme(value: V, wanted: Ordering) -> ValR {
    let mut best: Option<V> = None;
    for item in items(value)? {
        // The first of the least, the last of the greatest, as in jq.
        let better = best.as_ref().is_none_or(|best| {
            let order = item.order(best);
            order == wanted || (wanted == Ordering::Greater && order == Ordering::Equal)
        });
        if better {
            best = Some(item);
        }
    }
    Ok(best.unwrap_or(V::Null))
}

fn rounded(value: V, f: fn(f64) -> f64) -> ValR {
    match value.as_float() {
        Some(number) => Ok(V::number(f(number))),
        None => Err(Error::typ(value, "number")),
    }
}

fn power(base: &V, exponent: &V) -> ValR {
    match (base.as_float(), exponent.as_float()) {
        (Some(base), Some(exponent)) => Ok(V::number(base.powf(exponent))),
        _ => Err(Error::str("pow needs two numbers")),
    }
}

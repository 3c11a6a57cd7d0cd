//! Regular expressions: an engine without backtracking, so time grows with the text and the pattern, no more; both are
//! bounded, and the work is metered before it is done.

use std::rc::Rc;

use regex::{Regex, RegexBuilder};

use super::meter;
use super::value::{Entries, Error, V, ValR};

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;
/// The most memory of a compiled pattern.
const MAX_PROGRAM: usize = 256 * 1024;

struct Search {
    regex: Regex,
    global: bool,
    skip_empty: bool,
}

fn search(pattern: &V, flags: &V) -> Result<Search, Error> {
    let pattern_text = pattern.as_text().ok_or_else(|| Error::typ(pattern.share(), "a regular expression"))?;
    if pattern_text.len() > MAX_PATTERN {
        return Err(Error::str(format_args!("the regular expression is longer than {MAX_PATTERN} bytes")));
    }
    meter::step(2_000 + u64::try_from(pattern_text.len()).unwrap_or(0) * 20);
    let mut builder = RegexBuilder::new(pattern_text);
    builder.size_limit(MAX_PROGRAM).dfa_size_limit(MAX_PROGRAM);
    let (mut global, mut skip_empty) = (false, false);
    for flag in flags.as_text().unwrap_or("").chars() {
        match flag {
            'g' => global = true,
            'n' => skip_empty = true,
            'i' => {
                builder.case_insensitive(true);
            }
            'x' => {
                builder.ignore_whitespace(true);
            }
            's' => {
                builder.dot_matches_new_line(true);
            }
            'm' => {
                builder.multi_line(true);
            }
            other => return Err(Error::str(format_args!("“{other}” is not a flag of regular expressions"))),
        }
    }
    let regex = builder.build().map_err(|_| Error::str("the regular expression is malformed or too large"))?;
    Ok(Search { regex, global, skip_empty })
}

fn subject(value: &V, pattern: &V) -> Result<Rc<str>, Error> {
    let V::Text(text) = value else {
        return Err(Error::typ(value.share(), "string"));
    };
    let pattern_length = pattern.as_text().map_or(1, str::len);
    // One step per byte of text for every 64 bytes of pattern.
    meter::step(u64::try_from(text.len().saturating_mul(pattern_length / 64 + 1) / 8).unwrap_or(u64::MAX));
    Ok(Rc::clone(text))
}

pub(super) fn test(value: &V, pattern: &V, flags: &V) -> ValR {
    let text = subject(value, pattern)?;
    Ok(V::Bool(search(pattern, flags)?.regex.is_match(&text)))
}

fn entry(fields: [(&str, V); 4]) -> V {
    let entries: Entries = fields.into_iter().map(|(name, value)| (Rc::from(name), value)).collect();
    V::object(entries)
}

/// All matches as jq's `match` gives them: offset and length in characters, text, captures.
pub(super) fn matches(value: &V, pattern: &V, flags: &V) -> ValR {
    let text = subject(value, pattern)?;
    let search = search(pattern, flags)?;
    let int = |number: usize| V::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let offset = |at: usize| {
        meter::step(u64::try_from(at / 64).unwrap_or(0) + 1);
        int(text.get(..at).map_or(0, |before| before.chars().count()))
    };
    let mut found = Vec::new();
    for captures in search.regex.captures_iter(&text) {
        let Some(whole) = captures.get(0) else { continue };
        if search.skip_empty && whole.is_empty() {
            continue;
        }
        let groups = captures.iter().zip(search.regex.capture_names()).skip(1).map(|(group, name)| {
            let name = name.map_or(V::Null, V::text);
            match group {
                Some(group) => entry([
                    ("offset", offset(group.start())),
                    ("length", int(group.as_str().chars().count())),
                    ("string", V::text(group.as_str())),
                    ("name", name),
                ]),
                None => entry([("offset", V::Int(-1)), ("length", V::Int(0)), ("string", V::Null), ("name", name)]),
            }
        });
        let groups: V = groups.collect();
        found.push(entry([
            ("offset", offset(whole.start())),
            ("length", int(whole.as_str().chars().count())),
            ("string", V::text(whole.as_str())),
            ("captures", groups),
        ]));
        if !search.global {
            break;
        }
    }
    Ok(V::list(found))
}

/// The named captures of a match as an object.
pub(super) fn captures(value: &V) -> V {
    let mut named = Entries::new();
    if let V::Object(found) = value
        && let Some(V::List(groups)) = found.entries.get("captures")
    {
        for group in &groups.items {
            meter::step(1);
            if let V::Object(group) = group
                && let Some(V::Text(name)) = group.entries.get("name")
            {
                named.insert(Rc::clone(name), group.entries.get("string").map_or(V::Null, V::share));
            }
        }
    }
    V::object(named)
}

//! The functions that expressions may call: natives of our own, a few of jaq's core, and definitions in jq.

use std::collections::BTreeSet;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::native::Filter as Named;
use jaq_core::{Native, load};

use super::value::V;
use super::{check, natives};

/// The data type that filters are compiled for.
pub(super) type Data = JustLut<V>;

/// Functions of jq that are left out on purpose; named so that the message can say so.
pub(super) const REFUSED: &[&str] = &[
    "recurse",
    "repeat",
    "until",
    "while",
    "walk",
    "paths",
    "combinations",
    "input",
    "inputs",
    "debug",
    "stderr",
    "env",
    "now",
    "localtime",
    "mktime",
    "gmtime",
    "strftime",
    "strptime",
    "strflocaltime",
    "halt",
    "halt_error",
    "input_line_number",
    "input_filename",
    "infinite",
    "nan",
    "get_search_list",
    "modulemeta",
];

/// Definitions in jq: name, parameters, source. They keep the path semantics that natives cannot have.
const DEFINITIONS: &[(&str, usize, &str)] = &[
    ("empty", 0, "def empty: {}[] as $x | .;"),
    ("select", 1, "def select(f): if f then . else empty end;"),
    ("map", 1, "def map(f): [.[] | f];"),
    ("map_values", 1, "def map_values(f): .[] |= f;"),
    ("range", 1, "def range(to): range(0; to; 1);"),
    ("range", 2, "def range(from; to): range(from; to; 1);"),
    ("getpath", 1, "def getpath($path): reduce $path[] as $p (.; .[$p]);"),
    ("setpath", 2, "def setpath($path; $x): getpath($path) = $x;"),
    ("del", 1, "def del(f): f |= empty;"),
    ("first", 0, "def first: .[0];"),
    ("last", 0, "def last: .[-1];"),
    ("nth", 1, "def nth(n): .[n];"),
    ("nth", 2, "def nth(n; g): first(skip(n; g));"),
    ("with_entries", 1, "def with_entries(f): to_entries | map(f) | from_entries;"),
    ("isempty", 1, "def isempty(g): first((g | false), true);"),
    ("all", 2, "def all(g; cond): isempty(g | cond and empty);"),
    ("any", 2, "def any(g; cond): isempty(g | cond or empty) | not;"),
    ("all", 1, "def all(cond): all(.[]; cond);"),
    ("any", 1, "def any(cond): any(.[]; cond);"),
    ("all", 0, "def all: all(.[]; .);"),
    ("any", 0, "def any: any(.[]; .);"),
    ("add", 1, "def add(f): reduce f as $x (null; . + $x);"),
    ("add", 0, "def add: reduce .[] as $x (null; . + $x);"),
    ("values", 0, "def values: select(. != null);"),
    ("nulls", 0, "def nulls: select(. == null);"),
    ("booleans", 0, "def booleans: select(type == \"boolean\");"),
    ("numbers", 0, "def numbers: select(type == \"number\");"),
    ("strings", 0, "def strings: select(type == \"string\");"),
    ("arrays", 0, "def arrays: select(type == \"array\");"),
    ("objects", 0, "def objects: select(type == \"object\");"),
    ("iterables", 0, "def iterables: select(type | . == \"array\" or . == \"object\");"),
    ("scalars", 0, "def scalars: select(type | . != \"array\" and . != \"object\");"),
    ("in", 1, "def in(xs): . as $x | xs | has($x);"),
    ("inside", 1, "def inside(xs): . as $x | xs | contains($x);"),
    ("index", 1, "def index($i): indices($i)[0];"),
    ("rindex", 1, "def rindex($i): indices($i)[-1];"),
    ("transpose", 0, "def transpose: . as $rows | [range([.[] | length] | max // 0) as $i | [$rows[][$i]]];"),
    ("test", 1, "def test(re): test(re; null);"),
    ("match", 1, "def match(re): _matches(re; null)[];"),
    ("match", 2, "def match(re; flags): _matches(re; flags)[];"),
    ("capture", 1, "def capture(re): _matches(re; null)[] | _captures;"),
    ("capture", 2, "def capture(re; flags): _matches(re; flags)[] | _captures;"),
    (
        "scan",
        2,
        "def scan(re; flags): _matches(re; \"g\" + flags)[] \
        | if .captures == [] then .string else [.captures[].string] end;",
    ),
    ("scan", 1, "def scan(re): scan(re; \"\");"),
    (
        "split",
        2,
        "def split(re; flags): . as $in | reduce (_matches(re; \"g\" + flags)[], null) as $m ([0, []]; \
        if $m then [$m.offset + $m.length, .[1] + [$in[.[0]:$m.offset]]] else .[1] + [$in[.[0]:]] end);",
    ),
    ("splits", 1, "def splits(re): split(re; \"\")[];"),
    ("splits", 2, "def splits(re; flags): split(re; flags)[];"),
    (
        "_replace",
        3,
        "def _replace(re; f; flags): . as $in \
        | reduce (_matches(re; flags)[], null) as $m ([0, \"\"]; \
        if $m then [$m.offset + $m.length, .[1] + $in[.[0]:$m.offset] + ($m | _captures | f)] \
        else .[1] + $in[.[0]:] end);",
    ),
    ("sub", 2, "def sub(re; f): _replace(re; f; null);"),
    ("sub", 3, "def sub(re; f; flags): _replace(re; f; flags);"),
    ("gsub", 2, "def gsub(re; f): _replace(re; f; \"g\");"),
    ("gsub", 3, "def gsub(re; f; flags): _replace(re; f; \"g\" + flags);"),
    ("todate", 0, "def todate: todateiso8601;"),
    ("fromdate", 0, "def fromdate: fromdateiso8601;"),
    ("@text", 0, "def @text: tostring;"),
    ("@json", 0, "def @json: tojson;"),
];

/// What is taken from jaq's core: generic over the value type, so metered like all else.
const CORE: &[(&str, usize)] =
    &[("path", 1), ("range", 3), ("keys_unsorted", 0), ("first", 1), ("last", 1), ("limit", 2), ("skip", 2)];

fn signatures() -> impl Iterator<Item = (&'static str, usize)> {
    let definitions = DEFINITIONS.iter().map(|(name, arity, _)| (*name, *arity));
    definitions.chain(CORE.iter().copied()).chain(natives::signatures())
}

/// Whether an expression may call it.
pub(super) fn is_public(name: &str, arity: usize) -> bool {
    !name.starts_with('_') && signatures().any(|signature| signature == (name, arity))
}

/// The numbers of arguments that a public function of this name takes.
pub(super) fn arities(name: &str) -> BTreeSet<usize> {
    signatures().filter(|(known, _)| *known == name && !name.starts_with('_')).map(|(_, arity)| arity).collect()
}

/// The names that an expression may call.
pub(super) fn public_names() -> impl Iterator<Item = &'static str> {
    signatures().map(|(name, _)| name).filter(|name| !name.starts_with('_'))
}

/// Every public function, for a test that each compiles.
#[cfg(test)]
pub(super) fn public_signatures() -> impl Iterator<Item = (&'static str, usize)> {
    signatures().filter(|(name, _)| !name.starts_with('_'))
}

/// The definitions and natives that the used functions need, no more: each expression compiles its own.
pub(super) fn closure(used: &BTreeSet<String>) -> (Vec<Def<&'static str>>, Vec<Named<Native<Data>>>) {
    let mut needed = used.clone();
    let mut open: Vec<String> = needed.iter().cloned().collect();
    let mut sources = Vec::new();
    while let Some(signature) = open.pop() {
        for (position, (name, arity, source)) in DEFINITIONS.iter().enumerate() {
            if format!("{name}/{arity}") != signature {
                continue;
            }
            sources.push((position, *source));
            for def in load::parse(source, |p| p.defs()).unwrap_or_default() {
                for function in check::functions_of(&def.body, &def.args) {
                    if needed.insert(function.clone()) {
                        open.push(function);
                    }
                }
            }
        }
    }
    // A definition sees only those before it.
    sources.sort_unstable();
    sources.dedup();
    let definitions =
        sources.into_iter().flat_map(|(_, source)| load::parse(source, |p| p.defs()).unwrap_or_default()).collect();
    let core = jaq_core::funs::<Data>().filter(|(name, arity, _)| CORE.contains(&(name, arity.len())));
    let functions = core
        .chain(natives::functions())
        .filter(|(name, arity, _)| needed.contains(&format!("{name}/{}", arity.len())))
        .collect();
    (definitions, functions)
}

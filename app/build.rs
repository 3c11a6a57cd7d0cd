//! Makes typed texts from `locales/<language>/<area>.json`: one struct per area, one method per key.
//!
//! A text is a string with named places (`"Cancel run {number}"`), or, where the words depend on a number, an object
//! with `one` and `other` and a place `{count}`. A method takes the places in the order of the English text. Both
//! languages must have the same keys with the same places; anything else stops the build. Why this and not a crate:
//! `docs/adr/0002-texts.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::exit,
};

use serde_json::Value;

const LANGUAGES: [(&str, &str); 2] = [("en", "En"), ("ko", "Ko")];

fn main() {
    println!("cargo::rerun-if-changed=locales");
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_PARTS").is_some()
        && env::var_os("CARGO_CFG_TARGET_FAMILY").is_some_and(|it| it == "wasm")
    {
        // The site builder cuts the linked program, for which it has to know what refers to what.
        println!("cargo::rustc-link-arg-cdylib=--emit-relocs");
    }
    if let Err(message) = generate() {
        println!("cargo::error={message}");
        exit(1);
    }
}

fn generate() -> Result<(), String> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(|e| e.to_string())?).join("locales");
    let areas = areas(&root)?;
    let mut code = String::new();
    for (area, languages) in &areas {
        area_code(area, languages, &mut code)?;
    }
    code.push_str("/// All texts in one language.\n#[derive(Clone, Copy, Debug)]\npub struct Texts {\n");
    code.push_str("    /// The language.\n    pub locale: Locale,\n");
    for area in areas.keys() {
        let _ = writeln!(code, "    /// Texts of `{area}.json`.\n    pub {area}: {},", type_name(area));
    }
    code.push_str("}\n\nimpl Texts {\n    /// The texts in `locale`.\n    pub const fn new(locale: Locale) -> Self {\n        Self { locale");
    for area in areas.keys() {
        let _ = write!(code, ", {area}: {}(locale)", type_name(area));
    }
    code.push_str(" }\n    }\n}\n");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|e| e.to_string())?).join("texts.rs");
    fs::write(&out, code).map_err(|e| format!("{}: {e}", out.display()))
}

type Area = BTreeMap<&'static str, BTreeMap<String, Text>>;

/// One text: the same words for any number, or two forms.
struct Text {
    one: Option<String>,
    other: String,
}

impl Text {
    fn places(&self) -> BTreeSet<String> {
        self.places_in_order().into_iter().collect()
    }

    /// The places as they come in the text, each once: the order of the function's parameters.
    fn places_in_order(&self) -> Vec<String> {
        let mut places: Vec<String> = Vec::new();
        for name in [Some(&self.other), self.one.as_ref()].into_iter().flatten().flat_map(|text| pieces(text)) {
            if let Some(name) = place(name)
                && !places.contains(&name)
            {
                places.push(name);
            }
        }
        places
    }
}

fn areas(root: &Path) -> Result<BTreeMap<String, Area>, String> {
    let mut areas: BTreeMap<String, Area> = BTreeMap::new();
    for (language, _) in LANGUAGES {
        let folder = root.join(language);
        for entry in fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let path = entry.map_err(|e| e.to_string())?.path();
            let Some(area) = path.file_stem().and_then(|s| s.to_str()) else { continue };
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let keys: BTreeMap<String, Value> =
                serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
            let mut texts = BTreeMap::new();
            for (key, value) in keys {
                let text = text_of(&value).ok_or_else(|| format!("{}: {key} is no text", path.display()))?;
                if !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
                    return Err(format!("{}: the key {key} is not in snake_case", path.display()));
                }
                texts.insert(key, text);
            }
            areas.entry(area.to_owned()).or_default().insert(language, texts);
        }
    }
    Ok(areas)
}

fn text_of(value: &Value) -> Option<Text> {
    match value {
        Value::String(text) => Some(Text { one: None, other: text.clone() }),
        Value::Object(forms) => {
            let form = |name: &str| forms.get(name).and_then(Value::as_str).map(str::to_owned);
            Some(Text { one: form("one"), other: form("other")? })
        }
        _ => None,
    }
}

fn type_name(area: &str) -> String {
    let mut letters = area.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
        + "Texts"
}

fn area_code(area: &str, languages: &Area, code: &mut String) -> Result<(), String> {
    let english = languages.get("en").ok_or_else(|| format!("{area}.json is missing in en"))?;
    for (language, _) in LANGUAGES {
        let texts = languages.get(language).ok_or_else(|| format!("{area}.json is missing in {language}"))?;
        for (key, text) in texts {
            let there = english.get(key).ok_or_else(|| format!("{area}.json: {key} is in {language} but not in en"))?;
            if there.places() != text.places() {
                return Err(format!("{area}.json: {key} has other places in {language} than in en"));
            }
        }
        if let Some(missing) = english.keys().find(|key| !texts.contains_key(*key)) {
            return Err(format!("{area}.json: {missing} is missing in {language}"));
        }
    }

    let name = type_name(area);
    let _ = writeln!(
        code,
        "/// Texts of `{area}.json`.\n#[derive(Clone, Copy, Debug)]\npub struct {name}(Locale);\n\nimpl {name} {{"
    );
    let mut raw = String::new();
    for (key, text) in english {
        let _ = writeln!(code, "    /// {}", doc(&text.other));
        let places = text.places_in_order();
        let translations = LANGUAGES.map(|(language, _)| languages.get(language).and_then(|texts| texts.get(key)));
        let others = translations.map(|text| format!("{:?}", text.map_or("", |text| &text.other))).join(", ");
        if places.is_empty() {
            let _ =
                writeln!(code, "    pub fn {key}(self) -> &'static str {{\n        choose(self.0, [{others}])\n    }}");
        } else {
            let arguments: Vec<String> = places
                .iter()
                .map(|place| format!("{place}: impl {}", if place == "count" { "Count" } else { "Display" }))
                .collect();
            let values: Vec<String> = places.iter().map(|place| format!("({place:?}, &{place})")).collect();
            let has_forms = translations.iter().flatten().any(|text| text.one.is_some());
            let template = if has_forms {
                let ones = translations
                    .map(|text| format!("{:?}", text.map_or("", |text| text.one.as_ref().unwrap_or(&text.other))))
                    .join(", ");
                format!("if count.is_one() {{ [{ones}] }} else {{ [{others}] }}")
            } else {
                format!("[{others}]")
            };
            let _ = writeln!(
                code,
                "    pub fn {key}(self, {}) -> String {{\n        let template = choose(self.0, {template});\n        fill(template, &[{}])\n    }}",
                arguments.join(", "),
                values.join(", ")
            );
        }
        let _ = writeln!(raw, "            ({key:?}, [{others}]),");
    }
    let _ = writeln!(
        code,
        "    /// The text with this key, its places unfilled; for keys that are made of codes (`action_run_cancel`).\n    pub fn by_key(self, key: &str) -> Option<&'static str> {{\n        // Sorted by key.\n        static TEXTS: [(&str, [&str; {}]); {}] = [\n{raw}        ];\n        look_up(&TEXTS, key, self.0)\n    }}\n}}\n",
        LANGUAGES.len(),
        english.len()
    );
    Ok(())
}

/// A text cut into words and places (`{name}`).
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        if !before.is_empty() {
            pieces.push(before.to_owned());
        }
        pieces.push(format!("{{{name}}}"));
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(rest.to_owned());
    }
    pieces
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in iterator chains over owned pieces")]
fn place(piece: String) -> Option<String> {
    piece.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(str::to_owned)
}

/// A text as a line of documentation.
fn doc(text: &str) -> String {
    format!("`{}`", text.replace(['\n', '`'], " ").trim())
}

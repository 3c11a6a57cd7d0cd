//! The fields of a form.

use serde_json::{Map, Value};

use super::{escape, schema};

/// How deep fields may be nested; what lies deeper is one text of JSON.
const MAX_NESTING: u8 = 5;
/// How many rows of one list are shown.
const MAX_ROWS: usize = 200;
/// From this length on a text gets several lines.
const MULTI_LINE_FROM: u64 = 200;

/// The fields that a schema asks for, given the values so far. Holds no values itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// The fields in the order of the schema.
    pub fields: Vec<Field>,
}

/// One field, or a group or list of fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// JSON pointer of its value within the input; also its name in the form.
    pub pointer: String,
    /// What people call it; the property's name in words where the schema has no title.
    pub title: String,
    /// Explanation beside the field; may be empty.
    pub description: String,
    /// Whether a value has to be given.
    pub required: bool,
    /// The value it starts with.
    pub default: Option<Value>,
    /// An example of a right value, to be shown as a hint; may be empty.
    pub example: String,
    /// What kind of value it takes.
    pub kind: Kind,
}

/// What kind of value a field takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A text.
    Text(TextRules),
    /// A number.
    Number(NumberRules),
    /// Yes or no.
    Boolean {
        /// The value that it must have, as for a consent.
        must_be: Option<bool>,
    },
    /// One of several values.
    Choice {
        /// The values to choose from.
        options: Vec<Choice>,
    },
    /// Any number of several values.
    Choices {
        /// The values to choose from.
        options: Vec<Choice>,
        /// How many.
        rules: RowRules,
    },
    /// A list of fields, one per row.
    Rows {
        /// The rows there are, at least as many as the schema demands.
        rows: Vec<Field>,
        /// How many.
        rules: RowRules,
    },
    /// Fields that belong together.
    Group {
        /// The fields in the order of the schema.
        fields: Vec<Field>,
    },
    /// JSON as text, for what no other control can take.
    Json,
}

/// What a text must look like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextRules {
    /// Its format.
    pub format: TextFormat,
    /// Whether it may have several lines.
    pub multi_line: bool,
    /// Least number of characters.
    pub min_length: Option<u64>,
    /// Greatest number of characters.
    pub max_length: Option<u64>,
    /// Regular expression (ECMA 262) that it must match somewhere.
    pub pattern: Option<String>,
}

/// Formats with a control of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextFormat {
    /// Any text.
    #[default]
    Plain,
    /// A mail address.
    Email,
    /// An absolute URI.
    Uri,
    /// A calendar date, `2026-11-22`.
    Date,
    /// A point in time with its zone, `2026-11-22T15:04:00+09:00`.
    DateTime,
}

impl TextFormat {
    /// The name in JSON Schema; empty for any text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Date => "date",
            Self::DateTime => "date-time",
        }
    }
}

/// What a number must be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NumberRules {
    /// Whether it must be whole.
    pub integer: bool,
    /// Not less than.
    pub minimum: Option<f64>,
    /// Not more than.
    pub maximum: Option<f64>,
    /// More than.
    pub exclusive_minimum: Option<f64>,
    /// Less than.
    pub exclusive_maximum: Option<f64>,
    /// A multiple of.
    pub multiple_of: Option<f64>,
}

/// How many items a list must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowRules {
    /// At least.
    pub min_items: u64,
    /// At most.
    pub max_items: Option<u64>,
    /// Whether no two may be the same.
    pub unique: bool,
}

/// One of the values to choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The value.
    pub value: Value,
    /// What people call it.
    pub title: String,
}

impl Choice {
    /// What a form sends for it: the text itself, or the JSON of any other value.
    #[must_use]
    pub fn key(&self) -> String {
        text_of(&self.value)
    }
}

/// A value as one line of text: a string without its quotes, anything else as JSON.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

impl Form {
    /// The form of `schema` for the values so far. The schema of an input describes an object; another has no fields.
    #[must_use]
    pub fn new(schema: &Value, values: &Value) -> Self {
        Self { fields: fields_of(schema, schema, "", values, MAX_NESTING) }
    }

    /// The field with this pointer, however deep.
    #[must_use]
    pub fn field(&self, pointer: &str) -> Option<&Field> {
        find(&self.fields, pointer)
    }

    /// The fields directly within the group or list with this pointer; those of the form itself for the empty one.
    #[must_use]
    pub fn children(&self, pointer: &str) -> &[Field] {
        if pointer.is_empty() { &self.fields } else { self.field(pointer).map_or(&[], Field::children) }
    }
}

impl Field {
    /// The fields directly within it.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        match &self.kind {
            Kind::Group { fields } => fields,
            Kind::Rows { rows, .. } => rows,
            _ => &[],
        }
    }

    /// The same field without the fields within it.
    #[must_use]
    pub fn without_children(&self) -> Self {
        let kind = match &self.kind {
            Kind::Group { .. } => Kind::Group { fields: Vec::new() },
            Kind::Rows { rules, .. } => Kind::Rows { rows: Vec::new(), rules: *rules },
            other => other.clone(),
        };
        Self { kind, ..self.clone_head() }
    }

    fn clone_head(&self) -> Self {
        Self {
            pointer: self.pointer.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            required: self.required,
            default: self.default.clone(),
            example: self.example.clone(),
            kind: Kind::Json,
        }
    }
}

fn find<'a>(fields: &'a [Field], pointer: &str) -> Option<&'a Field> {
    let field = fields.iter().find(|field| {
        pointer.strip_prefix(field.pointer.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })?;
    if field.pointer == pointer { Some(field) } else { find(field.children(), pointer) }
}

/// The properties that apply to `value`, each with its schema and whether it is required.
pub(super) fn properties(root: &Value, schema: &Value, value: &Value) -> Vec<(String, Value, bool)> {
    let keywords = schema::effective(root, schema, value);
    let required: Vec<&str> =
        keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = keywords.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties
        .filter(|(_, part)| **part != Value::Bool(false))
        .map(|(name, part)| (name.clone(), part.clone(), required.contains(&name.as_str())))
        .collect()
}

fn fields_of(root: &Value, schema: &Value, pointer: &str, value: &Value, depth: u8) -> Vec<Field> {
    let field = |(name, part, required): (String, Value, bool)| {
        let own = value.get(&name).unwrap_or(&Value::Null);
        field_of(root, &part, &format!("{pointer}/{}", escape(&name)), &in_words(&name), required, own, depth)
    };
    properties(root, schema, value).into_iter().map(field).collect()
}

fn field_of(
    root: &Value,
    schema: &Value,
    pointer: &str,
    name: &str,
    required: bool,
    value: &Value,
    depth: u8,
) -> Field {
    let keywords = schema::effective(root, schema, value);
    let text = |key: &str| keywords.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let title = text("title");
    let kind = match Shape::of(root, &keywords, depth) {
        Shape::Group => Kind::Group { fields: fields_of(root, schema, pointer, value, depth.saturating_sub(1)) },
        Shape::Rows { item, rules } => {
            let given = value.as_array().map_or(&[][..], Vec::as_slice);
            let least = if required || !given.is_empty() { usize::try_from(rules.min_items).unwrap_or(0) } else { 0 };
            let count = given.len().max(least).min(MAX_ROWS);
            let row = |index: usize| {
                let own = given.get(index).unwrap_or(&Value::Null);
                let name = (index + 1).to_string();
                let mut row =
                    field_of(root, &item, &format!("{pointer}/{index}"), &name, false, own, depth.saturating_sub(1));
                row.required = matches!(row.kind, Kind::Group { .. });
                row
            };
            Kind::Rows { rows: (0..count).map(row).collect(), rules }
        }
        Shape::Leaf(kind) => kind,
    };
    Field {
        pointer: pointer.to_owned(),
        title: if title.is_empty() { name.to_owned() } else { title },
        description: text("description"),
        required,
        default: keywords.get("default").cloned(),
        example: keywords
            .get("examples")
            .and_then(Value::as_array)
            .and_then(|examples| examples.first())
            .map(text_of)
            .unwrap_or_default(),
        kind,
    }
}

/// What kind of field a schema makes, before looking at what is within.
pub(super) enum Shape {
    /// An object with known properties.
    Group,
    /// A list with one field per item.
    Rows { item: Value, rules: RowRules },
    /// A single control.
    Leaf(Kind),
}

impl Shape {
    pub(super) fn of(root: &Value, keywords: &Map<String, Value>, depth: u8) -> Self {
        let name = type_name(keywords);
        let fixed = keywords.get("const");
        if name == "boolean" {
            return Self::Leaf(Kind::Boolean { must_be: fixed.and_then(Value::as_bool) });
        }
        if name == "array" {
            return Self::of_array(root, keywords, depth);
        }
        if let Some(options) = options_of(keywords) {
            return Self::Leaf(Kind::Choice { options });
        }
        match name {
            "object" if depth > 0 && has_properties(keywords) => Self::Group,
            "string" => Self::Leaf(Kind::Text(text_rules(keywords))),
            "integer" | "number" => Self::Leaf(Kind::Number(number_rules(keywords, name == "integer"))),
            _ => Self::Leaf(Kind::Json),
        }
    }

    fn of_array(root: &Value, keywords: &Map<String, Value>, depth: u8) -> Self {
        let number = |key: &str| keywords.get(key).and_then(Value::as_u64);
        let unique = keywords.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false);
        let rules = RowRules { min_items: number("minItems").unwrap_or(0), max_items: number("maxItems"), unique };
        let Some(item) = keywords.get("items").filter(|item| item.is_object() && depth > 0) else {
            return Self::Leaf(Kind::Json);
        };
        match Self::of(root, &schema::effective(root, item, &Value::Null), depth - 1) {
            Self::Leaf(Kind::Choice { options }) => Self::Leaf(Kind::Choices { options, rules }),
            Self::Leaf(Kind::Json | Kind::Choices { .. }) | Self::Rows { .. } => Self::Leaf(Kind::Json),
            Self::Leaf(_) | Self::Group => Self::Rows { item: item.clone(), rules },
        }
    }
}

/// The deepest nesting, for walks that begin at the root.
pub(super) const fn max_nesting() -> u8 {
    MAX_NESTING
}

fn has_properties(keywords: &Map<String, Value>) -> bool {
    let known = |key: &str| keywords.get(key).and_then(Value::as_object).is_some_and(|known| !known.is_empty());
    known("properties")
}

fn type_name(keywords: &Map<String, Value>) -> &str {
    let declared = match keywords.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        Some(declared) => declared.as_str(),
        None => None,
    };
    let has = |names: &[&str]| names.iter().any(|name| keywords.contains_key(*name));
    declared.unwrap_or_else(|| {
        if has(&["properties"]) {
            "object"
        } else if has(&["items"]) {
            "array"
        } else if has(&["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"]) {
            "number"
        } else if has(&["$ref", "oneOf", "anyOf", "not", "prefixItems", "additionalProperties"]) {
            "any"
        } else {
            "string"
        }
    })
}

fn options_of(keywords: &Map<String, Value>) -> Option<Vec<Choice>> {
    let plain = |value: &Value| Choice {
        value: value.clone(),
        title: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    };
    if let Some(value) = keywords.get("const") {
        return Some(vec![plain(value)]);
    }
    if let Some(values) = keywords.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter(|value| !value.is_null()).map(plain).collect());
    }
    let titled = |part: &Value| {
        let value = part.get("const")?;
        let title = part.get("title").and_then(Value::as_str);
        Some(title.map_or_else(|| plain(value), |title| Choice { value: value.clone(), title: title.to_owned() }))
    };
    let parts = keywords.get("oneOf").or_else(|| keywords.get("anyOf"))?.as_array()?;
    let options = parts.iter().map(titled).collect::<Option<Vec<_>>>()?;
    (!options.is_empty()).then_some(options)
}

fn text_rules(keywords: &Map<String, Value>) -> TextRules {
    let text = |key: &str| keywords.get(key).and_then(Value::as_str);
    let format = match text("format") {
        Some("email") => TextFormat::Email,
        Some("uri") => TextFormat::Uri,
        Some("date") => TextFormat::Date,
        Some("date-time") => TextFormat::DateTime,
        _ => TextFormat::Plain,
    };
    let max_length = keywords.get("maxLength").and_then(Value::as_u64);
    let long = text("contentMediaType") == Some("text/plain") || max_length.is_some_and(|max| max > MULTI_LINE_FROM);
    TextRules {
        format,
        multi_line: format == TextFormat::Plain && long,
        min_length: keywords.get("minLength").and_then(Value::as_u64),
        max_length,
        pattern: text("pattern").map(str::to_owned),
    }
}

fn number_rules(keywords: &Map<String, Value>, integer: bool) -> NumberRules {
    let number = |key: &str| keywords.get(key).and_then(Value::as_f64);
    NumberRules {
        integer,
        minimum: number("minimum"),
        maximum: number("maximum"),
        exclusive_minimum: number("exclusiveMinimum"),
        exclusive_maximum: number("exclusiveMaximum"),
        multiple_of: number("multipleOf").filter(|factor| *factor > 0.0),
    }
}

/// A property's name in words: `givenName` and `given_name` are *Given name*.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    let mut before_is_lower = false;
    for letter in name.chars() {
        let separator = matches!(letter, '_' | '-' | '.' | ' ');
        if (separator || (letter.is_uppercase() && before_is_lower)) && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        before_is_lower = letter.is_lowercase() || letter.is_ascii_digit();
        match (separator, words.is_empty()) {
            (true, _) => {}
            (false, true) => words.extend(letter.to_uppercase()),
            (false, false) => words.extend(letter.to_lowercase()),
        }
    }
    words.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(fields: &[Field]) -> Vec<&str> {
        fields
            .iter()
            .flat_map(|field| std::iter::once(field.pointer.as_str()).chain(pointers(field.children())))
            .collect()
    }

    #[test]
    fn a_name_becomes_words() {
        for (name, words) in [
            ("givenName", "Given name"),
            ("start_date", "Start date"),
            ("url", "Url"),
            ("e-mail", "E mail"),
            ("이름", "이름"),
            ("", ""),
        ] {
            assert_eq!(in_words(name), words);
        }
    }

    #[test]
    fn each_type_has_its_control() {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string"},
            "long": {"type": "string", "maxLength": 500},
            "note": {"type": "string", "contentMediaType": "text/plain"},
            "mail": {"type": "string", "format": "email"},
            "count": {"type": "integer", "minimum": 1},
            "price": {"type": "number"},
            "agree": {"type": "boolean", "const": true},
            "size": {"enum": ["s", "m", 3]},
            "team": {"oneOf": [{"const": "a", "title": "Team A"}, {"const": "b"}]},
            "groups": {"type": "array", "items": {"enum": ["x", "y"]}},
            "tags": {"type": "array", "items": {"type": "string"}},
            "free": {"type": "object"},
            "matrix": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            "maybe": {"type": ["null", "string"], "format": "date"},
        }});
        let form = Form::new(&schema, &json!({}));
        let kinds: Vec<&str> = form
            .fields
            .iter()
            .map(|field| match &field.kind {
                Kind::Text(rules) if rules.multi_line => "lines",
                Kind::Text(rules) if rules.format != TextFormat::Plain => rules.format.as_str(),
                Kind::Text(_) => "text",
                Kind::Number(rules) => {
                    if rules.integer {
                        "integer"
                    } else {
                        "number"
                    }
                }
                Kind::Boolean { must_be } => {
                    if must_be == &Some(true) {
                        "consent"
                    } else {
                        "boolean"
                    }
                }
                Kind::Choice { .. } => "choice",
                Kind::Choices { .. } => "choices",
                Kind::Rows { .. } => "rows",
                Kind::Group { .. } => "group",
                Kind::Json => "json",
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "text", "lines", "lines", "email", "integer", "number", "consent", "choice", "choice", "choices",
                "rows", "json", "json", "date"
            ]
        );
        let Some(Kind::Choice { options }) = form.field("/team").map(|field| &field.kind) else { panic!() };
        assert_eq!(options.iter().map(|option| option.title.as_str()).collect::<Vec<_>>(), ["Team A", "b"]);
    }

    #[test]
    fn a_dependent_field_appears_beside_the_one_it_depends_on() {
        let schema = json!({
            "type": "object", "required": ["kind"],
            "properties": {"kind": {"enum": ["person", "machine"]}, "note": {"type": "string"}},
            "allOf": [
                {"if": {"required": ["kind"], "properties": {"kind": {"const": "person"}}},
                 "then": {"required": ["manager"], "properties": {"manager": {"type": "string"}}}},
                {"if": {"required": ["kind"], "properties": {"kind": {"const": "machine"}}},
                 "then": {"properties": {"serial": {"type": "string"}}}, "else": {"required": ["note"]}},
            ],
        });
        assert_eq!(pointers(&Form::new(&schema, &json!({})).fields), ["/kind", "/note"]);
        let person = Form::new(&schema, &json!({"kind": "person"}));
        assert_eq!(pointers(&person.fields), ["/kind", "/manager", "/note"]);
        assert!(person.field("/manager").unwrap().required);
        assert!(person.field("/note").unwrap().required);
        let machine = Form::new(&schema, &json!({"kind": "machine"}));
        assert_eq!(pointers(&machine.fields), ["/kind", "/serial", "/note"]);
        assert!(!machine.field("/note").unwrap().required);
    }

    #[test]
    fn rows_groups_and_references_nest() {
        let schema = json!({
            "$defs": {"person": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"},
                "external": {"type": "boolean"}},
                "if": {"properties": {"external": {"const": true}}, "required": ["external"]},
                "then": {"properties": {"company": {"type": "string"}}}}},
            "type": "object", "required": ["people"],
            "properties": {"people": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/person"}}},
        });
        let empty = Form::new(&schema, &json!({}));
        assert_eq!(pointers(&empty.fields), ["/people", "/people/0", "/people/0/name", "/people/0/external"]);
        let two = Form::new(&schema, &json!({"people": [{"external": true}, {"external": false}]}));
        assert!(two.field("/people/0/company").is_some());
        assert!(two.field("/people/1/company").is_none());
        assert_eq!(two.children("/people").len(), 2);
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({
            "type": "object",
            "properties": {"child": {"$ref": "#"}, "loop": {"$ref": "#/properties/loop"}},
        });
        assert!(Form::new(&schema, &json!({})).field("/child/child").is_some());
    }

    #[test]
    fn a_property_that_a_branch_forbids_disappears() {
        let schema = json!({
            "type": "object",
            "properties": {"a": {"type": "boolean"}, "b": {"type": "string"}},
            "if": {"properties": {"a": {"const": true}}, "required": ["a"]},
            "then": {"properties": {"b": false}},
        });
        assert!(Form::new(&schema, &json!({"a": false})).field("/b").is_some());
        assert!(Form::new(&schema, &json!({"a": true})).field("/b").is_none());
    }
}

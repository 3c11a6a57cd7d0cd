//! From a JSON Schema 2020-12 to a form, and from what was typed back to JSON.
//!
//! Everything here runs on the server and in the browser alike, so that a page without its program behaves as one
//! with it. Nothing panics and nothing is unbounded, whatever the schema says.
//!
//! - [`Form::new`] says which fields there are for the values so far: `if`/`then`/`else`, `allOf`, `dependentRequired`,
//!   `dependentSchemas` and local `$ref`s are resolved, arrays have one field per row.
//! - [`values_from_pairs`] reads an urlencoded form whose names are JSON pointers; [`flatten`] writes one. They keep
//!   each other: reading what was written gives the same values.
//! - [`check`] finds what the browser can find by itself. The server's validation stays the judge; the rules have the
//!   same names there (the JSON Schema keyword), so that a page has one table of messages.
//!
//! # What becomes what
//! | Schema | Field |
//! | --- | --- |
//! | `type: string` | [`Kind::Text`]; `format` email, uri, date, date-time chooses the control |
//! | the same with `contentMediaType: text/plain`, or `maxLength` above 200 | several lines |
//! | `type: integer`, `number` | [`Kind::Number`] |
//! | `type: boolean` | [`Kind::Boolean`]; `const: true` must be ticked |
//! | `enum`, `const`, `oneOf`/`anyOf` of `const` with `title` | [`Kind::Choice`] |
//! | `type: array` of choices | [`Kind::Choices`] |
//! | `type: array` of scalars or objects | [`Kind::Rows`] |
//! | `type: object` with properties | [`Kind::Group`] |
//! | anything else | [`Kind::Json`], a text of JSON |
//!
//! # Names of pairs
//! A field's name is its JSON pointer (`/address/street`, `/groups/0`). A date-time has its zone beside it
//! ([`offset_name`]). Lists and rows of objects have an empty pair of their own name, so that an emptied list differs
//! from one that was never shown; only the latter takes the schema's default.

mod check;
mod model;
mod schema;
mod values;

pub use check::{Matcher, check, check_field};
pub use model::{Choice, Field, Form, Kind, NumberRules, RowRules, TextFormat, TextRules};
pub use values::{add_row, flatten, initial, offset_name, remove_row, unfinished_from_pairs, values_from_pairs};

/// A reference token within a JSON pointer (RFC 6901): `~` and `/` escaped.
fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// The token as it was before [`escape`].
fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

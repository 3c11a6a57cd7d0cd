//! Reads JSON that Rondo itself wrote.
//!
//! `serde_json` reads each type straight from the text, by code of its own that can also make structs of arrays. That is
//! quick, and a tenth of the browser's program. Here the text becomes a [`Value`] first, by code that is there once, and
//! what a type needs for itself is only to pick its fields from an object.

use leptos::server::codee::{Decoder, Encoder};
use serde::{
    Deserializer, Serialize,
    de::{
        DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::{Error, Value};

/// Reads a value from JSON.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    T::deserialize(Read(serde_json::from_slice(text)?))
}

/// How the server leaves a value in a page for the browser.
pub(crate) struct InPage;

impl<T: Serialize> Encoder<T> for InPage {
    type Error = Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for InPage {
    type Error = Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Error> {
        read(text.as_bytes())
    }
}

struct Read(Value);

impl IntoDeserializer<'_, Error> for Read {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Read {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Read))),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Object(members) = self.0 else {
            return Err(Error::invalid_type(Unexpected::Other("value"), &"object"));
        };
        visitor.visit_map(MapDeserializer::new(members.into_iter().map(|(name, value)| (name, Read(value)))))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Array(items) = self.0 else { return Err(Error::invalid_type(Unexpected::Other("value"), &"array")) };
        visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Read)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(StringDeserializer::new(name)),
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, Read(value)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(members)))
            }
            _ => Err(Error::invalid_type(Unexpected::Other("value"), &"variant")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple_struct identifier
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{ErrorCode, Problem};
    use serde::{Deserialize, Serialize, de::DeserializeOwned};
    use serde_json::{Value, json};

    use super::read;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        text: String,
        number: i64,
        share: f64,
        maybe: Option<u32>,
        #[serde(default)]
        missing: Vec<String>,
        pair: (u8, bool),
        map: BTreeMap<String, u64>,
        kind: Kind,
        data: Value,
        #[serde(flatten)]
        more: More,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct More {
        inner: Vec<Kind>,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    enum Kind {
        #[default]
        Plain,
        Holds(u16),
        Named {
            name: String,
        },
    }

    fn assert_read_alike<T: DeserializeOwned + PartialEq + std::fmt::Debug>(value: &Value) {
        let text = value.to_string();
        assert_eq!(read::<T>(text.as_bytes()).unwrap(), serde_json::from_str::<T>(&text).unwrap());
    }

    #[test]
    fn what_was_written_is_read() {
        assert_read_alike::<Record>(&json!({
            "text": "가", "number": -4, "share": 0.1, "maybe": null, "pair": [7, true], "map": {"a": 1}, "unknown": {"x": []},
            "kind": {"Named": {"name": "n"}}, "data": {"any": [1, "two", null]}, "inner": ["Plain", {"Holds": 3}],
        }));
        assert_read_alike::<Option<Vec<u32>>>(&json!([1, 2]));
        assert_read_alike::<()>(&Value::Null);
        assert_read_alike::<Problem>(&json!(Problem::new(ErrorCode::NotFound)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in ["", "{", "[]", "{\"text\": 1}", "null"] {
            read::<Record>(text.as_bytes()).unwrap_err();
        }
        read::<Vec<u32>>(b"{}").unwrap_err();
        read::<Kind>(b"3").unwrap_err();
        read::<Kind>(b"\"Unknown\"").unwrap_err();
    }
}

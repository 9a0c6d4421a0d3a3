//! JSON that passes through unchanged.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Error;

/// A JSON value kept as its text, so that numbers of any size pass through unchanged.
///
/// It never shows its content in `Debug`.
#[derive(Clone)]
pub struct Payload(Box<RawValue>);

impl Payload {
    /// Encodes a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encoding`](crate::ErrorKind::Encoding) if the value has no JSON form, such as a
    /// map with keys that are not text.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::value::to_raw_value(value)
            .map(Self)
            .map_err(|error| Error::encoding("the value has no json form").with_source(error))
    }

    /// Takes JSON text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encoding`](crate::ErrorKind::Encoding) if the text is not one JSON value.
    pub fn from_json(text: impl Into<String>) -> Result<Self, Error> {
        RawValue::from_string(text.into())
            .map(Self)
            .map_err(|error| Error::encoding("the text is not json").with_source(error))
    }

    /// Returns the empty object, `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self::from(Value::Object(serde_json::Map::new()))
    }

    /// Decodes the value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encoding`](crate::ErrorKind::Encoding) if the value does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.as_json())
            .map_err(|error| Error::encoding("the json does not fit the type").with_source(error))
    }

    /// Returns the value as a tree. Numbers beyond 64 bits lose precision there.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // A raw value is one well-formed value; only its depth could be refused, and then not here.
        serde_json::from_str(self.as_json()).unwrap_or(Value::Null)
    }

    /// Returns the JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Returns true if the value is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.as_json().trim_start().starts_with('{')
    }

    pub(crate) fn raw(&self) -> &RawValue {
        &self.0
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        // The text of a tree is valid JSON; its keys are text and its numbers finite.
        match RawValue::from_string(value.to_string()) {
            Ok(raw) => Self(raw),
            Err(_) => Self(RawValue::NULL.to_owned()),
        }
    }
}

impl From<serde_json::Map<String, Value>> for Payload {
    fn from(map: serde_json::Map<String, Value>) -> Self {
        Self::from(Value::Object(map))
    }
}

impl From<Box<RawValue>> for Payload {
    fn from(raw: Box<RawValue>) -> Self {
        Self(raw)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json() || self.to_value() == other.to_value()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.as_json().len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

//! Lossless records: the JSON as it came, beside the members that are known.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{DeserializeOwned, Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::decode;

/// A decoded value together with the JSON text it came from.
///
/// Members that `T` does not know survive: a record serialises as the text that was received, byte
/// for byte. It derefs to the decoded value.
///
/// ```
/// use restkit::Record;
///
/// #[derive(serde::Deserialize)]
/// struct Machine { id: String }
///
/// let json = r#"{"id":"7","colour":"red"}"#;
/// let machine: Record<Machine> = serde_json::from_str(json)?;
/// assert_eq!(machine.id, "7");
/// assert_eq!(serde_json::to_string(&machine)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Decoding works with `serde_json` only, as it needs the source text.
pub struct Record<T> {
    value: T,
    raw: Box<RawValue>,
}

impl<T> Record<T> {
    /// Returns the JSON text as it was received.
    #[must_use]
    pub fn raw(&self) -> &RawValue {
        &self.raw
    }

    /// Returns the decoded value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Takes the decoded value and gives up the text.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// Takes both.
    #[must_use]
    pub fn into_parts(self) -> (T, Box<RawValue>) {
        (self.value, self.raw)
    }

    /// Makes a record of a value and the text it came from.
    #[must_use]
    pub fn from_parts(value: T, raw: Box<RawValue>) -> Self {
        Self { value, raw }
    }

    /// Returns any member of the text, also one that `T` does not know. The path is dotted, such as
    /// `health.overall`; a number picks an element of an array.
    ///
    /// The text is read again for each call. `None` means that there is no such member.
    #[must_use]
    pub fn member(&self, path: &str) -> Option<serde_json::Value> {
        let mut value: serde_json::Value = serde_json::from_str(self.raw.get()).ok()?;
        for step in path.split('.') {
            value = match value {
                serde_json::Value::Object(mut members) => members.remove(step)?,
                serde_json::Value::Array(mut elements) => {
                    let index: usize = step.parse().ok()?;
                    if index >= elements.len() {
                        return None;
                    }
                    elements.swap_remove(index)
                }
                _ => return None,
            };
        }
        Some(value)
    }
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> AsRef<T> for Record<T> {
    fn as_ref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            raw: self.raw.clone(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Record<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Record<T> {
    /// Compares the texts, so records differ in members that `T` does not know, too.
    fn eq(&self, other: &Self) -> bool {
        self.raw.get() == other.raw.get() && self.value == other.value
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Record<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(input)?;
        match decode::from_slice(raw.get().as_bytes()) {
            Ok(value) => Ok(Self { value, raw }),
            Err(fault) => Err(D::Error::custom(decode::nested_text(&fault))),
        }
    }
}

impl<T> Serialize for Record<T> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(output)
    }
}

/// Declares an enum of texts that a service may extend at any time.
///
/// Unknown values are kept as they are in `Other`; they are never an error. The type has `as_str`,
/// `is_known`, `Display`, `FromStr`, `From<&str>`, `From<String>`, `Serialize` and `Deserialize`,
/// and a slice `KNOWN` of the known texts.
///
/// ```
/// restkit::open_enum! {
///     /// How well a device is.
///     pub enum Health {
///         /// All is well.
///         Good = "good",
///         /// Needs attention now.
///         Bad = "bad",
///     }
/// }
///
/// assert_eq!(Health::from("bad"), Health::Bad);
/// assert_eq!(Health::from("odd").as_str(), "odd");
/// assert_eq!(Health::KNOWN, ["good", "bad"]);
/// ```
#[macro_export]
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        $vis enum $name {
            $( $(#[$variant_meta])* $variant, )+
            /// A value that this version of the library does not know, as it was received.
            Other(String),
        }

        #[allow(dead_code, unreachable_pub, reason = "not every user needs every method")]
        impl $name {
            /// The texts of the known values.
            pub const KNOWN: &'static [&'static str] = &[$($text),+];

            /// Returns the value as the service writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::Other(text) => text,
                }
            }

            /// Returns false for a value that this version of the library does not know.
            #[must_use]
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl ::core::convert::From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$variant, )+
                    _ => Self::Other(::std::borrow::ToOwned::to_owned(text)),
                }
            }
        }

        impl ::core::convert::From<::std::string::String> for $name {
            fn from(text: ::std::string::String) -> Self {
                match text.as_str() {
                    $( $text => Self::$variant, )+
                    _ => Self::Other(text),
                }
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = ::core::convert::Infallible;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                ::core::result::Result::Ok(Self::from(text))
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::__private::serde::Serialize for $name {
            fn serialize<S: $crate::__private::serde::Serializer>(
                &self,
                output: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                output.serialize_str(self.as_str())
            }
        }

        impl<'de> $crate::__private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::__private::serde::Deserializer<'de>>(
                input: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $crate::__private::open_text(input)
            }
        }
    };
}

/// Decodes an open enum; a known value allocates nothing.
#[doc(hidden)]
pub fn open_text<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<String> + for<'a> From<&'a str>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: From<String> + for<'a> From<&'a str>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E>(self, text: &str) -> Result<T, E> {
            Ok(T::from(text))
        }

        fn visit_string<E>(self, text: String) -> Result<T, E> {
            Ok(T::from(text))
        }
    }

    input.deserialize_str(Text(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    open_enum! {
        /// For the tests.
        enum Colour {
            /// Red.
            Red = "red",
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Health {
        overall: Colour,
        level: Option<u8>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Device {
        id: String,
        health: Option<Health>,
    }

    #[test]
    fn unknown_members_and_values_survive_a_round_trip() {
        let json = r#"{ "id":"7", "health":{"overall":"mauve","level":2,"new":[1, 2]}, "x":1.50 }"#;
        let record: Record<Device> = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
        let health = record.health.as_ref().unwrap();
        assert_eq!(health.overall, Colour::Other("mauve".to_owned()));
        assert_eq!(record.member("health.new.1"), Some(serde_json::json!(2)));
        assert_eq!(record.member("health.absent"), None);
    }

    #[test]
    fn a_malformed_record_names_its_path_also_inside_a_list() {
        let json = br#"[{"id":"1"},{"id":"2","health":{"overall":"red","level":"high"}}]"#;
        let fault = decode::from_slice::<Vec<Record<Device>>>(json).unwrap_err();
        assert_eq!(fault.path, "[1].health.level");
    }

    #[test]
    fn an_open_enum_writes_what_it_read() {
        for text in ["red", "mauve", "with \"quote\""] {
            let json = serde_json::to_string(text).unwrap();
            let colour: Colour = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&colour).unwrap(), json);
            assert_eq!(colour.is_known(), text == "red");
        }
        assert_eq!(format!("[{:>5}]", Colour::Red), "[  red]");
    }
}

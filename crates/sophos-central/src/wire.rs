//! Tolerant reading of what the service sends.
//!
//! Only the id of a resource is guaranteed. Any other member may be absent or `null`, which means the
//! same; booleans and numbers were seen as texts; an element of a list may be `null`; a value of an
//! enum may be new. Known members are read by these rules. What they cannot express is still in the
//! raw text of the record.

use std::fmt;
use std::marker::PhantomData;

use secrecy::SecretString;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A member of a model. The default is what an absent member reads as.
pub(crate) trait Member<'de>: Default {
    fn read<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error>;
}

/// A value that may be `null`.
pub(crate) trait Value<'de>: Sized {
    fn read_opt<D: Deserializer<'de>>(input: D) -> Result<Option<Self>, D::Error>;
}

/// A value that is written as a text.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Self;

    fn from_owned_text(text: String) -> Self {
        Self::from_text(&text)
    }
}

/// Reads a member; the `deserialize_with` of every optional member.
pub(crate) fn member<'de, D: Deserializer<'de>, T: Member<'de>>(input: D) -> Result<T, D::Error> {
    T::read(input)
}

/// Reads a text that must be there.
pub(crate) fn required<'de, D: Deserializer<'de>, T: FromText>(input: D) -> Result<T, D::Error> {
    read_text(input)?.ok_or_else(|| D::Error::custom("null where a text is required"))
}

impl<'de, T: Value<'de>> Member<'de> for Option<T> {
    fn read<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        T::read_opt(input)
    }
}

impl<'de, T: Value<'de>> Member<'de> for Vec<T> {
    fn read<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);

        impl<'de, T: Value<'de>> Visitor<'de> for List<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(Slot(item)) = seq.next_element()? {
                    items.extend(item);
                }
                Ok(items)
            }
        }

        input.deserialize_any(List(PhantomData))
    }
}

/// An element of a list.
struct Slot<T>(Option<T>);

impl<'de, T: Value<'de>> Deserialize<'de> for Slot<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        T::read_opt(input).map(Self)
    }
}

impl<'de, T: FromText> Value<'de> for T {
    fn read_opt<D: Deserializer<'de>>(input: D) -> Result<Option<Self>, D::Error> {
        read_text(input)
    }
}

impl FromText for String {
    fn from_text(text: &str) -> Self {
        text.to_owned()
    }

    fn from_owned_text(text: String) -> Self {
        text
    }
}

impl FromText for SecretString {
    fn from_text(text: &str) -> Self {
        Self::from(text)
    }

    fn from_owned_text(text: String) -> Self {
        Self::from(text)
    }
}

fn read_text<'de, D: Deserializer<'de>, T: FromText>(input: D) -> Result<Option<T>, D::Error> {
    struct Text<T>(PhantomData<T>);

    impl<T: FromText> Visitor<'_> for Text<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(T::from_text(text)))
        }

        fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
            Ok(Some(T::from_owned_text(text)))
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Some(T::from_text(if value { "true" } else { "false" })))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Some(T::from_owned_text(value.to_string())))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Some(T::from_owned_text(value.to_string())))
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
            Ok(Some(T::from_owned_text(value.to_string())))
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    input.deserialize_any(Text(PhantomData))
}

impl<'de> Value<'de> for bool {
    fn read_opt<D: Deserializer<'de>>(input: D) -> Result<Option<Self>, D::Error> {
        struct Bool;

        impl Visitor<'_> for Bool {
            type Value = Option<bool>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true or false")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Some(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                match value {
                    0 => Ok(Some(false)),
                    1 => Ok(Some(true)),
                    _ => Err(E::invalid_value(
                        serde::de::Unexpected::Unsigned(value),
                        &self,
                    )),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                match text.trim() {
                    "" => Ok(None),
                    text if text.eq_ignore_ascii_case("true") || text == "1" => Ok(Some(true)),
                    text if text.eq_ignore_ascii_case("false") || text == "0" => Ok(Some(false)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
        }

        input.deserialize_any(Bool)
    }
}

impl<'de> Value<'de> for i64 {
    fn read_opt<D: Deserializer<'de>>(input: D) -> Result<Option<Self>, D::Error> {
        struct Integer;

        impl Visitor<'_> for Integer {
            type Value = Option<i64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Some(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
                i64::try_from(value).map(Some).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
                // Written with a fraction of zero, such as `7.0`.
                self.visit_str(&value.to_string())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                match text.trim() {
                    "" => Ok(None),
                    number => match number.parse() {
                        Ok(value) => Ok(Some(value)),
                        Err(_) => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                    },
                }
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
        }

        input.deserialize_any(Integer)
    }
}

/// Declares a model: a struct whose members are read by the rules of this module.
///
/// Members under `@required` must be there; all others may be absent. A member's name on the wire is
/// its name in camel case unless `as` says otherwise.
macro_rules! model {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(@required { $( $(#[$id_meta:meta])* $id:ident: $id_type:ty, )+ })?
            $( $(#[$member_meta:meta])* $member:ident $(as $wire:literal)?: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        pub struct $name {
            $( $(
                $(#[$id_meta])*
                #[serde(deserialize_with = "crate::wire::required")]
                pub $id: $id_type,
            )+ )?
            $(
                $(#[$member_meta])*
                #[serde(default, deserialize_with = "crate::wire::member")]
                $(#[serde(rename = $wire)])?
                pub $member: $type,
            )*
        }

        impl<'de> $crate::wire::Value<'de> for $name {
            fn read_opt<D: serde::Deserializer<'de>>(input: D) -> Result<Option<Self>, D::Error> {
                serde::Deserialize::deserialize(input)
            }
        }
    };
}
pub(crate) use model;

/// Declares an enum that is open in what is received and closed in what is sent.
macro_rules! values {
    (
        $(#[$meta:meta])*
        pub enum $name:ident as $what:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),+ $(,)?
        }
    ) => {
        restkit::open_enum! {
            $(#[$meta])*
            ///
            /// Values that this version does not know are kept in `Other` when they are received.
            /// As a filter only known values are accepted; [`parse`](Self::parse) reads one.
            pub enum $name {
                $( $(#[$variant_meta])* $variant = $text, )+
            }
        }

        impl $name {
            /// Reads a known value. Case, `-` and `_` do not matter.
            ///
            /// # Errors
            /// [`UnknownValue`](crate::UnknownValue), which lists the known values.
            pub fn parse(text: &str) -> Result<Self, $crate::UnknownValue> {
                $( if $crate::wire::same_word(text, $text) {
                    return Ok(Self::$variant);
                } )+
                Err($crate::UnknownValue::new($what, text, Self::KNOWN))
            }
        }

        impl $crate::wire::FromText for $name {
            fn from_text(text: &str) -> Self {
                Self::from(text)
            }

            fn from_owned_text(text: String) -> Self {
                Self::from(text)
            }
        }

        impl $crate::params::Closed for $name {
            const WHAT: &'static str = $what;

            fn known(&self) -> Result<(), $crate::UnknownValue> {
                match self {
                    Self::Other(text) => {
                        Err($crate::UnknownValue::new(Self::WHAT, text, Self::KNOWN))
                    }
                    _ => Ok(()),
                }
            }
        }
    };
}
pub(crate) use values;

/// Replaces the values of members of these names, wherever they stand, by asterisks. Everything else
/// stays as it came, in the same order.
pub(crate) fn masked(raw: &RawValue, names: &[&str]) -> Box<RawValue> {
    let mut text = String::with_capacity(raw.get().len());
    write_masked(raw, names, &mut text);
    // What was put together of valid parts is valid.
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn write_masked(raw: &RawValue, names: &[&str], out: &mut String) {
    let text = raw.get();
    let members: Option<Members<'_>> = serde_json::from_str(text).ok();
    let elements: Option<Vec<&RawValue>> = serde_json::from_str(text).ok();
    if let Some(Members(members)) = members {
        out.push('{');
        for (index, (name, value)) in members.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&serde_json::Value::from(name.as_str()).to_string());
            out.push(':');
            if names.contains(&name.as_str()) && value.get() != "null" {
                out.push_str("\"********\"");
            } else {
                write_masked(value, names, out);
            }
        }
        out.push('}');
    } else if let Some(elements) = elements {
        out.push('[');
        for (index, element) in elements.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_masked(element, names, out);
        }
        out.push(']');
    } else {
        out.push_str(text);
    }
}

/// The members of an object in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        input.deserialize_map(Object)
    }
}

/// Compares two spellings of a value: case, `-` and `_` do not matter.
pub(crate) fn same_word(left: &str, right: &str) -> bool {
    let letters = |text: &str| -> Vec<u8> {
        text.bytes()
            .filter(|byte| !matches!(byte, b'-' | b'_'))
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    letters(left) == letters(right)
}

#[cfg(test)]
mod tests {
    #![expect(unreachable_pub, reason = "the macro declares public models")]

    model! {
        /// For the tests.
        pub struct Thing {
            @required { id: String, }
            kind as "type": Option<String>,
            is_on: Option<bool>,
            count: Option<i64>,
            names: Vec<String>,
            inner: Option<Inner>,
            parts: Vec<Inner>,
        }
    }

    model! {
        /// For the tests.
        pub struct Inner {
            size: Option<i64>,
        }
    }

    fn read(json: &str) -> Result<Thing, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn absent_and_null_members_read_the_same() {
        let absent = read(r#"{"id":"1"}"#).unwrap();
        let null = read(
            r#"{"id":"1","type":null,"isOn":null,"count":null,"names":null,"inner":null,"parts":[null]}"#,
        )
        .unwrap();
        assert_eq!(format!("{absent:?}"), format!("{null:?}"));
    }

    #[test]
    fn booleans_and_numbers_may_be_texts() {
        for (json, expected) in [
            ("true", Some(true)),
            (r#""True""#, Some(true)),
            (r#""False""#, Some(false)),
            ("0", Some(false)),
            (r#""""#, None),
        ] {
            let thing = read(&format!(r#"{{"id":"1","isOn":{json}}}"#)).unwrap();
            assert_eq!(thing.is_on, expected, "{json}");
        }
        for (json, expected) in [("7", 7), (r#""7""#, 7), ("7.0", 7), (r#"" -3 ""#, -3)] {
            let thing = read(&format!(r#"{{"id":"1","count":{json}}}"#)).unwrap();
            assert_eq!(thing.count, Some(expected), "{json}");
        }
        assert!(read(r#"{"id":"1","count":7.5}"#).is_err());
        assert!(read(r#"{"id":"1","isOn":"maybe"}"#).is_err());
    }

    #[test]
    fn null_elements_of_a_list_are_left_out() {
        let thing = read(r#"{"id":"1","names":["a",null,7],"parts":[{"size":1},null]}"#).unwrap();
        assert_eq!(thing.names, ["a", "7"]);
        assert_eq!(thing.parts.len(), 1);
        assert_eq!(thing.parts[0].size, Some(1));
    }

    #[test]
    fn texts_may_come_as_numbers_and_unknown_members_are_skipped() {
        let thing = read(r#"{"id":17,"type":10,"inner":{"new":{"x":[1]}},"more":[{}]}"#).unwrap();
        assert_eq!(
            (thing.id.as_str(), thing.kind.as_deref()),
            ("17", Some("10"))
        );
        assert!(thing.inner.is_some_and(|inner| inner.size.is_none()));
    }

    #[test]
    fn a_missing_id_and_a_wrong_shape_are_errors() {
        assert!(
            read(r#"{"type":"x"}"#)
                .unwrap_err()
                .to_string()
                .contains("missing field `id`")
        );
        assert!(read(r#"{"id":"1","inner":"x"}"#).is_err());
        assert!(read(r#"{"id":"1","names":"x"}"#).is_err());
    }
}

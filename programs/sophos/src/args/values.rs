//! Words and times as the service knows them, read by the client library's own rules.

use std::{ffi::OsStr, marker::PhantomData};

use clap::{
    Arg, Command,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use sophos_central::{
    UnknownValue,
    alerts::{Category, Product, Severity},
    endpoint::{EncryptionStatus, EndpointType, Health, LockdownStatus, SearchField},
};

/// A closed list of words that the library can read.
pub(crate) trait Word: Clone + Send + Sync + 'static {
    const KNOWN: &'static [&'static str];

    fn read(text: &str) -> Result<Self, UnknownValue>;
}

macro_rules! words {
    ($($type:ty),* $(,)?) => {$(
        impl Word for $type {
            const KNOWN: &'static [&'static str] = <$type>::KNOWN;

            fn read(text: &str) -> Result<Self, UnknownValue> {
                Self::parse(text)
            }
        }
    )*};
}

words!(
    Health,
    EndpointType,
    LockdownStatus,
    EncryptionStatus,
    SearchField,
    Severity,
    Product,
    Category,
);

/// The parser of an option that takes one of the words of `T`; it lists them when it gets another.
pub(super) fn word<T: Word>() -> WordParser<T> {
    WordParser(PhantomData)
}

#[derive(Clone)]
pub(super) struct WordParser<T>(PhantomData<T>);

impl<T: Word> TypedValueParser for WordParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        if let Some(word) = value.to_str().and_then(|text| T::read(text).ok()) {
            return Ok(word);
        }
        // Only for its error: it names the option and the words that would have been right.
        let known = PossibleValuesParser::new(T::KNOWN);
        let text = known.parse_ref(command, argument, value)?;
        T::read(&text).map_err(|error| {
            clap::Error::raw(clap::error::ErrorKind::InvalidValue, error).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            T::KNOWN.iter().map(|word| PossibleValue::new(*word)),
        ))
    }
}

//! The formats.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;
use crate::suggest::suggest;

/// A format of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One JSON item per line.
    Ndjson,
    /// Comma separated values.
    Csv,
}

impl Format {
    /// All formats, by the names that [`FromStr`] takes.
    pub const NAMES: &'static [&'static str] = &["table", "json", "ndjson", "csv"];

    /// Returns the name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            other => {
                let error = Error::user(format!("`{other}` is not an output format"))
                    .with_hint(format!("the formats are {}", Self::NAMES.join(", ")));
                Err(match suggest(other, Self::NAMES.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                    None => error,
                })
            }
        }
    }
}

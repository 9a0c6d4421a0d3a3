//! Typed values.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::{Serialize, Serializer};
use url::Url;

use super::setting::Kind;
use crate::env::Env;
use crate::suggest::suggest;

pub(super) const MASK: &str = "********";
/// A wrong value is quoted up to this length.
const MAX_QUOTED: usize = 60;

/// The value of a setting. `Display` and serialisation mask secrets.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Value {
    /// Text, a choice, or a URL.
    Text(String),
    /// A secret.
    Secret(SecretString),
    /// A whole number.
    Integer(i64),
    /// A switch.
    Boolean(bool),
    /// One character.
    Character(char),
    /// A path, with `~` replaced.
    Path(PathBuf),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(_) => f.write_str(MASK),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(on) => on.fmt(f),
            Self::Character('\t') => f.write_str("\\t"),
            Self::Character(character) => character.fmt(f),
            Self::Path(path) => path.display().fmt(f),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Boolean(on) => serializer.serialize_bool(*on),
            other => serializer.collect_str(other),
        }
    }
}

/// Why a value does not fit: what it must be, the value where it may be shown, and a nearby one.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) expected: String,
    pub(super) shown: Option<String>,
    pub(super) near: Option<&'static str>,
}

impl Kind {
    /// Reads a value; `Ok(None)` when it counts as unset. `base` is where relative paths start.
    pub(super) fn parse(self, text: &str, env: &Env, base: &Path) -> Result<Option<Value>, Misfit> {
        let trimmed = text.trim();
        // A space or a tabulator is empty text, and a character.
        let unset = if matches!(self, Self::Character) {
            text
        } else {
            trimmed
        };
        if unset.is_empty() {
            return Ok(None);
        }
        let value = match self {
            Self::Text => Some(Value::Text(trimmed.to_owned())),
            // A secret may begin or end with a space, but not with the line end of the file it was copied from.
            Self::Secret => Some(Value::Secret(text.trim_end_matches(['\r', '\n']).into())),
            Self::Integer { min, max } => trimmed
                .parse()
                .ok()
                .filter(|number| (min..=max).contains(number))
                .map(Value::Integer),
            Self::Boolean => parse_boolean(trimmed).map(Value::Boolean),
            Self::Choice(words) => words
                .contains(&trimmed)
                .then(|| Value::Text(trimmed.to_owned())),
            Self::Path => Some(Value::Path(env.resolve(Path::new(trimmed), base))),
            Self::Url => is_plain_url(trimmed).then(|| Value::Text(trimmed.to_owned())),
            Self::Character => parse_character(text).map(Value::Character),
            Self::Checked { accepts, .. } => {
                accepts(trimmed).then(|| Value::Text(trimmed.to_owned()))
            }
        };
        value.map(Some).ok_or_else(|| self.misfit(trimmed))
    }

    /// Describes a value that does not fit.
    pub(super) fn misfit(self, text: &str) -> Misfit {
        let near = match self {
            Self::Choice(words) => suggest(text, words.iter().copied()),
            _ => None,
        };
        // A URL may carry a password.
        let secret =
            matches!(self, Self::Secret) || (matches!(self, Self::Url) && text.contains('@'));
        let shown = (!secret).then(|| {
            let mut shown: String = text.chars().take(MAX_QUOTED).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            shown
        });
        Misfit {
            expected: self.expected(),
            shown,
            near,
        }
    }

    fn expected(self) -> String {
        match self {
            Self::Text | Self::Secret => "text".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Boolean => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Path => "a path".to_owned(),
            Self::Url => "an http or https URL without user name and password".to_owned(),
            Self::Character => "one character".to_owned(),
            Self::Checked { expected, .. } => expected.to_owned(),
        }
    }
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

fn parse_character(text: &str) -> Option<char> {
    let single = |text: &str| {
        let mut characters = text.chars();
        characters.next().filter(|_| characters.next().is_none())
    };
    match text.trim() {
        "\\t" | "tab" => Some('\t'),
        trimmed => single(text).or_else(|| single(trimmed)),
    }
}

fn is_plain_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Option<String> {
        let env = Env::empty().with("HOME", "/home/ana");
        match kind.parse(text, &env, Path::new("/base")) {
            Ok(value) => Some(value.map_or_else(|| "unset".to_owned(), |value| value.to_string())),
            Err(_) => None,
        }
    }

    #[test]
    fn each_kind_takes_what_it_says() {
        let timeout = Kind::Integer { min: 1, max: 300 };
        assert_eq!(read(timeout, " 300 ").as_deref(), Some("300"));
        assert_eq!(read(timeout, "301"), None);
        assert_eq!(read(timeout, "3s"), None);
        for (text, on) in [
            ("TRUE", "true"),
            ("Yes", "true"),
            ("1", "true"),
            ("no", "false"),
            ("0", "false"),
        ] {
            assert_eq!(read(Kind::Boolean, text).as_deref(), Some(on));
        }
        assert_eq!(read(Kind::Boolean, "on"), None);
        assert_eq!(read(Kind::Path, "~/x").as_deref(), Some("/home/ana/x"));
        assert_eq!(read(Kind::Path, "x").as_deref(), Some("/base/x"));
        assert_eq!(read(Kind::Path, "/x").as_deref(), Some("/x"));
        assert_eq!(
            read(Kind::Url, "http://127.0.0.1:8080/token").as_deref(),
            Some("http://127.0.0.1:8080/token")
        );
        assert_eq!(read(Kind::Url, "ftp://host/"), None);
        assert_eq!(read(Kind::Url, "https://u:p@host/"), None);
        assert_eq!(read(Kind::Character, ";").as_deref(), Some(";"));
        assert_eq!(read(Kind::Character, "\t").as_deref(), Some("\\t"));
        assert_eq!(read(Kind::Character, "tab").as_deref(), Some("\\t"));
        assert_eq!(read(Kind::Character, ";;"), None);
        assert_eq!(read(Kind::Secret, "s3cret\n").as_deref(), Some(MASK));
        assert_eq!(read(Kind::Text, "  ").as_deref(), Some("unset"));
    }

    #[test]
    fn a_misfit_does_not_show_what_may_be_secret() {
        assert!(Kind::Url.misfit("https://u:p@host").shown.is_none());
        assert_eq!(
            Kind::Boolean.misfit("maybe").shown.as_deref(),
            Some("maybe")
        );
        assert_eq!(
            Kind::Choice(&["table", "json"]).misfit("tabel").near,
            Some("table")
        );
    }
}

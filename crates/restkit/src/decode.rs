//! Decoding JSON with an error that says where.

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind};

/// What went wrong while decoding, and where.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) source: serde_json::Error,
}

impl Fault {
    pub(crate) fn into_error(self, body: &[u8]) -> Error {
        let error = Error::new(ErrorKind::Decode)
            .with_body(body)
            .with_source(self.source);
        if self.path.is_empty() {
            error
        } else {
            error.with_path(self.path)
        }
    }
}

/// Decodes a JSON text. The path is only searched for when there is something to tell.
pub(crate) fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(json).map_err(|first| locate::<T>(json, first))
}

#[cold]
fn locate<T: DeserializeOwned>(json: &[u8], first: serde_json::Error) -> Fault {
    let mut input = serde_json::Deserializer::from_slice(json);
    let located = serde_path_to_error::deserialize::<_, T>(&mut input);
    match located {
        Err(error) => {
            let outer = error.path().to_string();
            let source = error.into_inner();
            let path = joined(
                if outer == "." { "" } else { &outer },
                inner_path(&source).as_deref(),
            );
            // A type that skips members, or keeps them as text, does not know where it was.
            let path = broken_at(json, &source).unwrap_or(path);
            Fault { path, source }
        }
        // Only text behind the value is wrong, which no path names.
        Ok(_) => Fault {
            path: String::new(),
            source: first,
        },
    }
}

/// Returns the path at which a text stops being JSON; `None` where `error` is about something else,
/// or the text never was JSON.
#[cold]
pub(crate) fn broken_at(json: &[u8], error: &serde_json::Error) -> Option<String> {
    if error.is_data() {
        return None;
    }
    let mut input = serde_json::Deserializer::from_slice(json);
    let read = serde_path_to_error::deserialize::<_, serde_json::Value>(&mut input);
    let path = read.err()?.path().to_string();
    // A question mark stands for a member whose name was not read.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    (!path.is_empty()).then(|| path.to_owned())
}

/// Joins two JSON paths.
pub(crate) fn joined(outer: &str, inner: Option<&str>) -> String {
    match inner {
        None | Some("") => outer.to_owned(),
        Some(inner) if outer.is_empty() => inner.to_owned(),
        Some(inner) if inner.starts_with('[') => format!("{outer}{inner}"),
        Some(inner) => format!("{outer}.{inner}"),
    }
}

/// Writes the text by which a nested decoder, such as [`Record`](crate::Record), tells its path.
pub(crate) fn nested_text(fault: &Fault) -> String {
    if fault.path.is_empty() {
        fault.source.to_string()
    } else {
        format!("at `{}`: {}", fault.path, fault.source)
    }
}

/// Reads the path that [`nested_text`] wrote.
fn inner_path(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let rest = text.strip_prefix("at `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoding is under test")]
    struct Outer {
        items: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only decoding is under test")]
    struct Inner {
        size: u32,
    }

    #[test]
    fn the_path_names_the_member() {
        let fault = from_slice::<Outer>(br#"{"items":[{"size":1},{"size":"x"}]}"#).unwrap_err();
        assert_eq!(fault.path, "items[1].size");
    }

    #[test]
    fn text_behind_the_value_is_an_error() {
        assert!(from_slice::<Outer>(br#"{"items":[]} trailing"#).is_err());
    }

    #[test]
    fn a_cut_off_text_is_an_error() {
        let fault = from_slice::<Outer>(br#"{"items":[{"size":1},{"si"#).unwrap_err();
        assert!(fault.source.is_eof());
    }

    #[test]
    fn the_path_names_the_place_where_the_text_is_broken() {
        for (json, path) in [
            (r#"{"items":[{"size":1},{"size":}]}"#, "items[1].size"),
            // Behind a member that the type skips.
            (r#"{"other":{"deep":[1,}"#, "other.deep[1]"),
            (r#"{"items":[{"size":1},{"size":2"#, "items[1]"),
            ("<html>", ""),
            ("", ""),
        ] {
            let fault = from_slice::<Outer>(json.as_bytes()).unwrap_err();
            assert_eq!(fault.path, path, "{json}");
        }
        let text: Fault = from_slice::<Box<serde_json::value::RawValue>>(br#"{"id":"#).unwrap_err();
        assert_eq!(text.path, "id");
    }

    #[test]
    fn paths_join_as_they_are_written() {
        assert_eq!(
            joined("items[3]", Some("health.overall")),
            "items[3].health.overall"
        );
        assert_eq!(joined("items", Some("[0].x")), "items[0].x");
        assert_eq!(joined("", Some("x")), "x");
    }
}

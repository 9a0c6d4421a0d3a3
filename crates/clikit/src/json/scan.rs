//! Finding the parts of a JSON text.

use std::borrow::Cow;

/// Tells whether the value is an object.
pub(crate) fn is_object(raw: &str) -> bool {
    raw.trim_start().starts_with('{')
}

/// Tells whether the value is an array.
pub(crate) fn is_array(raw: &str) -> bool {
    raw.trim_start().starts_with('[')
}

/// Iterates over the members of an object in their order; over nothing for other values.
pub(crate) fn members(raw: &str) -> Members<'_> {
    Members {
        parts: Parts::open(raw, b'{'),
    }
}

/// Iterates over the elements of an array; over nothing for other values.
pub(crate) fn elements(raw: &str) -> Elements<'_> {
    Elements {
        parts: Parts::open(raw, b'['),
    }
}

/// Returns the text of a JSON string literal. One that has no Unicode text, for want of half a surrogate pair, is returned as
/// it is written, without the quotes.
pub(crate) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(literal);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
}

#[derive(Debug)]
pub(crate) struct Members<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Members<'a> {
    /// The key literal with its quotes, and the value.
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.parts.value()?;
        self.parts.skip_one(b':')?;
        let value = self.parts.value()?;
        self.parts.skip_comma();
        Some((key, value))
    }
}

#[derive(Debug)]
pub(crate) struct Elements<'a> {
    parts: Parts<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let value = self.parts.value()?;
        self.parts.skip_comma();
        Some(value)
    }
}

/// A cursor inside one object or array.
#[derive(Debug)]
struct Parts<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parts<'a> {
    fn open(raw: &'a str, bracket: u8) -> Self {
        let at = skip_space(raw.as_bytes(), 0);
        match raw.as_bytes().get(at) {
            Some(byte) if *byte == bracket => Self {
                text: raw,
                at: at + 1,
            },
            _ => Self { text: "", at: 0 },
        }
    }

    fn value(&mut self) -> Option<&'a str> {
        let start = skip_space(self.text.as_bytes(), self.at);
        let end = value_end(self.text.as_bytes(), start);
        self.at = end;
        self.text.get(start..end).filter(|value| !value.is_empty())
    }

    fn skip_one(&mut self, wanted: u8) -> Option<()> {
        let at = skip_space(self.text.as_bytes(), self.at);
        (self.text.as_bytes().get(at) == Some(&wanted)).then(|| self.at = at + 1)
    }

    fn skip_comma(&mut self) {
        let _more = self.skip_one(b',');
    }
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Returns where the string that starts at `at` ends, after its closing quote.
pub(super) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns where the value that starts at `at` ends. Nesting is counted, not followed, so depth costs nothing.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at),
        Some(b'{' | b'[') => {
            let mut depth = 0usize;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            bytes.len()
        }
        _ => {
            while let Some(byte) = bytes.get(at) {
                if matches!(
                    byte,
                    b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'
                ) {
                    break;
                }
                at += 1;
            }
            at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_and_raw_text() {
        let raw = r#" { "b" : 1.50 , "a":{"x":"}\"]"}, "n":null,"l":[1, [2]] } "#;
        let found: Vec<_> = members(raw).collect();
        assert_eq!(
            found,
            [
                (r#""b""#, "1.50"),
                (r#""a""#, r#"{"x":"}\"]"}"#),
                (r#""n""#, "null"),
                (r#""l""#, "[1, [2]]"),
            ]
        );
        assert_eq!(
            elements(r#"[1, [2,3] ,"x,y",{}]"#).collect::<Vec<_>>(),
            ["1", "[2,3]", r#""x,y""#, "{}"]
        );
        assert_eq!(
            members("{ }").count() + elements("[]").count() + members("3").count(),
            0
        );
    }

    #[test]
    fn strings_are_unescaped_and_lone_surrogates_survive() {
        assert_eq!(unquote(r#""caf\u00e9""#), "café");
        assert_eq!(unquote(r#""\ud800""#), "\\ud800");
        assert!(matches!(unquote(r#""plain""#), Cow::Borrowed("plain")));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_scanned_without_a_panic(text in "[\\[\\]{}:,\"\\\\a1é ]{0,40}") {
            proptest::prop_assert!(members(&text).count() + elements(&text).count() <= text.len());
        }
    }
}

//! Rewriting JSON text: indentation, member order, escapes.

use std::io::{self, Write};

use super::scan::{elements, is_array, is_object, members, skip_space, string_end, unquote};

/// Objects nested deeper than this keep the order of their members.
const MAX_SORTED_DEPTH: usize = 128;

/// How a JSON text is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Spaces per level; 0 writes everything on one line without spaces.
    pub(crate) indent: usize,
    /// Sorts the members of objects by name.
    pub(crate) sort_keys: bool,
}

/// Writes a value at a level of nesting. Numbers are copied as they stand, strings lose needless escapes.
pub(crate) fn write_value(
    out: &mut dyn Write,
    raw: &str,
    layout: Layout,
    level: usize,
) -> io::Result<()> {
    if layout.sort_keys {
        let mut sorted = String::with_capacity(raw.len());
        sort_into(&mut sorted, raw, 0);
        write_plain(out, &sorted, layout.indent, level)
    } else {
        write_plain(out, raw, layout.indent, level)
    }
}

/// Returns the value as text on one line, unchanged where it is on one line already.
pub(crate) fn one_line(raw: &str, sort_keys: bool) -> std::borrow::Cow<'_, str> {
    if !sort_keys && !raw.contains(['\n', '\r']) {
        return std::borrow::Cow::Borrowed(raw.trim());
    }
    let mut line = Vec::with_capacity(raw.len());
    // Writing into memory does not fail, and what is written is made of whole pieces of text.
    drop(write_value(
        &mut line,
        raw,
        Layout {
            indent: 0,
            sort_keys,
        },
        0,
    ));
    std::borrow::Cow::Owned(String::from_utf8(line).unwrap_or_default())
}

/// Starts a new line with the indentation of a level.
pub(crate) fn write_break(out: &mut dyn Write, indent: usize, level: usize) -> io::Result<()> {
    const SPACES: &[u8] = &[b' '; 64];
    if indent == 0 {
        return Ok(());
    }
    out.write_all(b"\n")?;
    let mut left = indent * level;
    while left > 0 {
        let part = left.min(SPACES.len());
        out.write_all(SPACES.get(..part).unwrap_or(SPACES))?;
        left -= part;
    }
    Ok(())
}

/// One pass over the tokens, so that depth costs no stack.
fn write_plain(out: &mut dyn Write, raw: &str, indent: usize, level: usize) -> io::Result<()> {
    let bytes = raw.as_bytes();
    let mut level = level;
    let mut at = skip_space(bytes, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                out.write_all(&[byte])?;
                let next = skip_space(bytes, at + 1);
                if let Some(&close @ (b'}' | b']')) = bytes.get(next) {
                    out.write_all(&[close])?;
                    at = next + 1;
                } else {
                    level += 1;
                    write_break(out, indent, level)?;
                    at += 1;
                }
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                write_break(out, indent, level)?;
                out.write_all(&[byte])?;
                at += 1;
            }
            b',' => {
                out.write_all(b",")?;
                write_break(out, indent, level)?;
                at += 1;
            }
            b':' => {
                out.write_all(if indent == 0 { b":" } else { b": " })?;
                at += 1;
            }
            b'"' => {
                let end = string_end(bytes, at);
                write_string(out, raw.get(at..end).unwrap_or_default())?;
                at = end;
            }
            _ => {
                let end = bytes
                    .iter()
                    .skip(at)
                    .position(|byte| {
                        matches!(
                            byte,
                            b',' | b'}' | b']' | b':' | b' ' | b'\t' | b'\n' | b'\r'
                        )
                    })
                    .map_or(bytes.len(), |length| at + length);
                out.write_all(bytes.get(at..end).unwrap_or_default())?;
                at = end;
            }
        }
        at = skip_space(bytes, at);
    }
    Ok(())
}

fn write_string(out: &mut dyn Write, literal: &str) -> io::Result<()> {
    if literal.contains('\\')
        && let Ok(text) = serde_json::from_str::<String>(literal)
    {
        return serde_json::to_writer(out, &text).map_err(io::Error::from);
    }
    out.write_all(literal.as_bytes())
}

fn sort_into(target: &mut String, raw: &str, depth: usize) {
    if depth < MAX_SORTED_DEPTH && is_object(raw) {
        let mut sorted: Vec<_> = members(raw)
            .map(|(key, value)| (unquote(key), key, value))
            .collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        target.push('{');
        for (index, (_, key, value)) in sorted.into_iter().enumerate() {
            if index > 0 {
                target.push(',');
            }
            target.push_str(key);
            target.push(':');
            sort_into(target, value, depth + 1);
        }
        target.push('}');
    } else if depth < MAX_SORTED_DEPTH && is_array(raw) {
        target.push('[');
        for (index, value) in elements(raw).enumerate() {
            if index > 0 {
                target.push(',');
            }
            sort_into(target, value, depth + 1);
        }
        target.push(']');
    } else {
        target.push_str(raw.trim());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(raw: &str, indent: usize, sort_keys: bool) -> String {
        let mut out = Vec::new();
        write_value(&mut out, raw, Layout { indent, sort_keys }, 0).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn indentation_keeps_order_numbers_and_unescapes_text() {
        assert_eq!(
            written(
                "{\"b\":1.50,\"a\":[1,{\"x\":\"caf\\u00e9\\n\\/\"}],\"e\":{ },\"l\":[ ]}",
                2,
                false
            ),
            "{\n  \"b\": 1.50,\n  \"a\": [\n    1,\n    {\n      \"x\": \"café\\n/\"\n    }\n  ],\n  \"e\": {},\n  \"l\": []\n}"
        );
    }

    #[test]
    fn no_indentation_means_no_spaces() {
        assert_eq!(
            written("{ \"a\" : [ 1 , true , null ] }", 0, false),
            r#"{"a":[1,true,null]}"#
        );
    }

    #[test]
    fn sorting_reaches_every_level() {
        assert_eq!(
            written(
                r#"{"b":[{"d":1,"c":2}],"a":{"z":1,"y":{"k":1,"j":2}}}"#,
                0,
                true
            ),
            r#"{"a":{"y":{"j":2,"k":1},"z":1},"b":[{"c":2,"d":1}]}"#
        );
    }

    #[test]
    fn a_line_is_copied_and_a_text_of_lines_is_joined() {
        assert_eq!(
            one_line(" {\"a\": \"\\u00e9\"} ", false),
            "{\"a\": \"\\u00e9\"}"
        );
        assert_eq!(one_line("{\n  \"a\": 1\n}", false), r#"{"a":1}"#);
        assert_eq!(one_line(r#"{"b":1,"a":2}"#, true), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn a_hundred_thousand_levels_do_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(written(&deep, 0, true), deep);
    }

    fn json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
                prop::collection::btree_map(".{0,5}", inner, 0..5)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn the_value_stays_the_same_in_every_layout(value in json(), indent in 0usize..5, sort: bool) {
            let raw = value.to_string();
            let back: serde_json::Value = serde_json::from_str(&written(&raw, indent, sort)).unwrap();
            proptest::prop_assert_eq!(&back, &value);
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            proptest::prop_assert_eq!(written(&raw, 2, false), pretty);
        }
    }
}

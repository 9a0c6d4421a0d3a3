//! Cells out of JSON objects: dotted paths, flattening, and choosing fields.

use std::borrow::Cow;

use super::scan::{elements, is_array, is_object, members, unquote};
use super::write::{Layout, write_value};

/// Structures nested deeper than this are not followed by a path or a selection.
const MAX_DEPTH: usize = 64;

/// Returns the cell text at a dotted path, or `None` when there is no such member. An array on the way is gone through
/// element by element, and the cells are joined.
pub(crate) fn extract<'a>(raw: &'a str, path: &str) -> Option<Cow<'a, str>> {
    let mut found = Vec::new();
    let through_array = collect(raw, path, &mut found, 0);
    match (found.as_slice(), through_array) {
        ([], _) => None,
        ([one], false) => Some(cell(one)),
        (many, _) => {
            let cells: Vec<_> = many.iter().map(|raw| cell(raw)).collect();
            Some(Cow::Owned(cells.join(", ")))
        }
    }
}

/// Collects the values at a path; tells whether an array was gone through.
fn collect<'a>(raw: &'a str, path: &str, found: &mut Vec<&'a str>, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    if is_array(raw) {
        for element in elements(raw) {
            collect(element, path, found, depth + 1);
        }
        return true;
    }
    for (key, value) in members(raw) {
        let key = unquote(key);
        if key == path {
            found.push(value);
            return false;
        }
        let rest = path
            .strip_prefix(key.as_ref())
            .and_then(|rest| rest.strip_prefix('.'));
        if let Some(rest) = rest {
            return collect(value, rest, found, depth + 1);
        }
    }
    false
}

/// Returns the text of one value in a cell: nothing for null, text without quotes, arrays of plain values joined with `, `,
/// and compact JSON for everything else.
pub(crate) fn cell(raw: &str) -> Cow<'_, str> {
    let raw = raw.trim();
    match raw.as_bytes().first() {
        Some(b'n') | None => Cow::Borrowed(""),
        Some(b'"') => unquote(raw),
        Some(b'[') if elements(raw).all(|element| !is_object(element) && !is_array(element)) => {
            let cells: Vec<_> = elements(raw).map(cell).collect();
            Cow::Owned(cells.join(", "))
        }
        Some(b'[' | b'{') => Cow::Owned(compact(raw)),
        Some(_) => Cow::Borrowed(raw),
    }
}

/// Calls `visit` with the dotted name and the value of each leaf of an object.
///
/// Names have at most `depth` parts; objects below that are leaves. Empty objects yield nothing. A value that is no object
/// yields one leaf named `value`.
pub(crate) fn flatten<'a>(raw: &'a str, depth: usize, visit: &mut dyn FnMut(&str, &'a str)) {
    if is_object(raw) {
        flatten_members(raw, depth.max(1), &mut String::new(), visit);
    } else {
        visit("value", raw);
    }
}

fn flatten_members<'a>(
    raw: &'a str,
    depth: usize,
    name: &mut String,
    visit: &mut dyn FnMut(&str, &'a str),
) {
    let parent = name.len();
    for (key, value) in members(raw) {
        if parent > 0 {
            name.push('.');
        }
        name.push_str(&unquote(key));
        if depth > 1 && is_object(value) {
            flatten_members(value, depth - 1, name, visit);
        } else {
            visit(name, value);
        }
        name.truncate(parent);
    }
}

fn compact(raw: &str) -> String {
    let mut text = Vec::with_capacity(raw.len());
    // Writing into memory does not fail, and what is written is made of whole pieces of text.
    drop(write_value(
        &mut text,
        raw,
        Layout {
            indent: 0,
            sort_keys: false,
        },
        0,
    ));
    String::from_utf8(text).unwrap_or_default()
}

/// Chosen fields as a tree, to cut objects down to them.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    branches: Vec<(String, Self)>,
    whole: bool,
}

impl Selection {
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut root = Self::default();
        for path in paths {
            root.add(path);
        }
        root
    }

    fn add(&mut self, path: &str) {
        let mut node = self;
        for part in path.split('.') {
            let index = node.branches.iter().position(|(name, _)| name == part);
            let index = index.unwrap_or_else(|| {
                node.branches.push((part.to_owned(), Self::default()));
                node.branches.len() - 1
            });
            // The index was found or made just above.
            node = &mut node.branches[index].1;
        }
        node.whole = true;
    }

    /// Returns the value with only the chosen members, in their own order and nesting.
    pub(crate) fn apply(&self, raw: &str) -> String {
        let mut target = String::with_capacity(raw.len());
        self.apply_into(&mut target, raw, 0);
        target
    }

    fn apply_into(&self, target: &mut String, raw: &str, depth: usize) {
        if is_array(raw) && depth <= MAX_DEPTH {
            target.push('[');
            for (index, element) in elements(raw).enumerate() {
                if index > 0 {
                    target.push(',');
                }
                self.apply_into(target, element, depth + 1);
            }
            target.push(']');
            return;
        }
        if !is_object(raw) {
            target.push_str(raw.trim());
            return;
        }
        target.push('{');
        let mut first = true;
        for (key, value) in members(raw) {
            let name = unquote(key);
            let Some((_, branch)) = self.branches.iter().find(|(branch, _)| *branch == name) else {
                continue;
            };
            let goes_deeper = is_object(value) || is_array(value);
            if !branch.whole && !goes_deeper {
                continue;
            }
            if !std::mem::take(&mut first) {
                target.push(',');
            }
            target.push_str(key);
            target.push(':');
            if branch.whole {
                target.push_str(value);
            } else {
                branch.apply_into(target, value, depth + 1);
            }
        }
        target.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: &str = r#"{"id":"d1","os":{"name":"Win\u0064ows","build":19045,"deep":{"er":{"x":1}}},
        "ips":["10.0.0.1","10.0.0.2"],"products":[{"code":"core","n":1},{"code":"edr"}],"a.b":7,"none":null,"off":false,"e":{}}"#;

    #[test]
    fn paths_go_through_objects_arrays_and_dotted_names() {
        let get = |path| extract(DEVICE, path).map(Cow::into_owned);
        assert_eq!(get("os.name").as_deref(), Some("Windows"));
        assert_eq!(get("os.build").as_deref(), Some("19045"));
        assert_eq!(get("ips").as_deref(), Some("10.0.0.1, 10.0.0.2"));
        assert_eq!(get("products.code").as_deref(), Some("core, edr"));
        assert_eq!(
            get("products").as_deref(),
            Some(r#"[{"code":"core","n":1},{"code":"edr"}]"#)
        );
        assert_eq!(get("a.b").as_deref(), Some("7"));
        assert_eq!(get("none").as_deref(), Some(""));
        assert_eq!(get("off").as_deref(), Some("false"));
        assert_eq!(get("os.nam"), None);
        assert_eq!(get("id.x"), None);
    }

    #[test]
    fn names_have_three_parts_at_most() {
        let mut seen = Vec::new();
        flatten(DEVICE, 3, &mut |name, raw| {
            seen.push((name.to_owned(), cell(raw).into_owned()));
        });
        let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "id",
                "os.name",
                "os.build",
                "os.deep.er",
                "ips",
                "products",
                "a.b",
                "none",
                "off"
            ]
        );
        assert_eq!(seen[3].1, r#"{"x":1}"#);
    }

    #[test]
    fn a_selection_keeps_nesting_and_order() {
        let selection = Selection::new(["products.code", "os.name", "id", "missing", "id.x"]);
        assert_eq!(
            selection.apply(DEVICE),
            r#"{"id":"d1","os":{"name":"Win\u0064ows"},"products":[{"code":"core"},{"code":"edr"}]}"#
        );
    }
}

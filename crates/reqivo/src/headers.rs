use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::error::Error;
use crate::proto::encode::{check_name, check_value};

/// Header fields: order, case and repetitions are kept, lookup ignores case.
///
/// The fields of a reply share one buffer. A value is bytes; [`get`](Self::get) shows it as text.
///
/// `Debug` hides the values of fields that carry secrets (`Authorization`, `Cookie`, `Set-Cookie`,
/// `Proxy-Authorization`, and those added with [`append_sensitive`](Self::append_sensitive)).
///
/// ```
/// use reqivo::Headers;
///
/// let mut headers = Headers::new();
/// headers.append("Accept", "text/html")?;
/// headers.append("accept", "text/plain")?;
/// assert_eq!(headers.get("ACCEPT").as_deref(), Some("text/html, text/plain"));
/// assert_eq!(headers.get_all("accept").count(), 2);
/// # Ok::<(), reqivo::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Headers {
    store: Store,
    fields: Vec<Field>,
    /// One bit for each length of a name that was ever added: most lookups are for fields that are not there.
    lengths: u32,
}

#[derive(Clone)]
enum Store {
    Shared(Bytes),
    Owned(Vec<u8>),
}

#[derive(Clone, Copy)]
struct Field {
    name: Range,
    value: Range,
    sensitive: bool,
}

#[derive(Clone, Copy)]
struct Range {
    start: u32,
    length: u32,
}

impl Range {
    /// Positions fit `u32` because a head is limited far below 4 GiB.
    fn new(start: usize, length: usize) -> Self {
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            length: u32::try_from(length).unwrap_or(0),
        }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes
            .get(start..start.saturating_add(self.length as usize))
            .unwrap_or_default()
    }
}

impl Headers {
    /// Creates an empty set of fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates fields from pairs of a name and a value, such as those of a map. Names may repeat.
    ///
    /// ```
    /// # use reqivo::Headers;
    /// let headers = Headers::from_pairs([("Accept", "text/html"), ("X-Team", "blue")])?;
    /// assert_eq!(headers.len(), 2);
    /// # Ok::<(), reqivo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a name is not a token, or a value holds control characters.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<[u8]>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        Self::from_lists(pairs.into_iter().map(|(name, value)| (name, [value])))
    }

    /// Creates fields from pairs of a name and its values, such as those of a map of lists.
    ///
    /// ```
    /// # use reqivo::Headers;
    /// let headers = Headers::from_lists([("Accept", vec!["text/html", "text/plain"]), ("Vary", vec![])])?;
    /// assert_eq!(headers.get_all("accept").count(), 2);
    /// # Ok::<(), reqivo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When a name is not a token, or a value holds control characters.
    pub fn from_lists<N: AsRef<str>, V: AsRef<[u8]>, L: IntoIterator<Item = V>>(
        lists: impl IntoIterator<Item = (N, L)>,
    ) -> Result<Self, Error> {
        let mut headers = Self::new();
        for (name, values) in lists {
            check_name(name.as_ref())?;
            for value in values {
                headers.append(name.as_ref(), value)?;
            }
        }
        Ok(headers)
    }

    /// Returns the value of a field as text, or `None` when it is missing.
    ///
    /// Values of a repeated field are joined with a comma and a space, in order of arrival; of `Set-Cookie`
    /// only the first is returned. Bytes that are not UTF-8 are read as ISO-8859-1.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self.get_all(name);
        let first = values.next()?;
        if name.eq_ignore_ascii_case("set-cookie") {
            return Some(text(first));
        }
        let Some(second) = values.next() else {
            return Some(text(first));
        };
        let mut joined = text(first).into_owned();
        for value in std::iter::once(second).chain(values) {
            joined.push_str(", ");
            joined.push_str(&text(value));
        }
        Some(Cow::Owned(joined))
    }

    /// Returns the value of a field as [`get`](Self::get) does, or this text when it is missing.
    #[must_use]
    pub fn get_or<'a>(&'a self, name: &str, default: &'a str) -> Cow<'a, str> {
        self.get(name).unwrap_or(Cow::Borrowed(default))
    }

    /// Returns the bytes of the first field with this name.
    #[must_use]
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Returns the values of all fields with this name, in order of arrival.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name.as_bytes())
    }

    /// Returns whether a field with this name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Returns every field as it stands, name and value, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Cow<'_, str>)> + '_ {
        self.iter_bytes().map(|(name, value)| (name, text(value)))
    }

    /// Returns every field with the bytes of its value, in order.
    pub fn iter_bytes(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + '_ {
        let bytes = self.bytes();
        self.fields
            .iter()
            .map(move |field| (name_of(field, bytes), field.value.of(bytes)))
    }

    /// Returns each distinct name once, in lower case, in order of first appearance.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.fields.len());
        self.for_each_name(|name| names.push(name.to_ascii_lowercase()));
        names
    }

    /// Returns the number of distinct names.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut count = 0;
        self.for_each_name(|_| count += 1);
        count
    }

    /// Goes through the distinct names, in the case of their first appearance.
    fn for_each_name<'a>(&'a self, mut with: impl FnMut(&'a str)) {
        let bytes = self.bytes();
        let name = |field: &Field| name_of(field, bytes);
        if self.fields.len() <= FEW {
            for (at, field) in self.fields.iter().enumerate() {
                let this = name(field);
                let mut before = self.fields[..at].iter();
                if !before.any(|other| name(other).eq_ignore_ascii_case(this)) {
                    with(this);
                }
            }
            return;
        }
        let mut seen = std::collections::HashSet::with_capacity(self.fields.len());
        for field in &self.fields {
            if seen.insert(name(field).to_ascii_lowercase()) {
                with(name(field));
            }
        }
    }

    /// Returns whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a field after those that are there.
    ///
    /// # Errors
    ///
    /// When the name is not a token, or the value holds control characters.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.add(name, value.as_ref(), false)
    }

    /// Adds a field whose value is hidden in `Debug` and is not sent on to another origin by a redirect.
    ///
    /// # Errors
    ///
    /// When the name is not a token, or the value holds control characters.
    pub fn append_sensitive(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.add(name, value.as_ref(), true)
    }

    /// Sets a field: replaces all fields of this name with one.
    ///
    /// # Errors
    ///
    /// When the name is not a token, or the value holds control characters.
    pub fn insert(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        check_name(name)?;
        check_value(value.as_ref())?;
        let _ = self.remove(name);
        self.add(name, value.as_ref(), false)
    }

    /// Removes all fields of this name and returns how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        if !self.may_have(name.len()) {
            return 0;
        }
        let before = self.fields.len();
        let bytes = match &self.store {
            Store::Shared(bytes) => bytes,
            Store::Owned(bytes) => bytes.as_slice(),
        };
        self.fields
            .retain(|field| !name_of(field, bytes).eq_ignore_ascii_case(name));
        before - self.fields.len()
    }

    /// Returns every field as bytes: names are compared without being taken for text first.
    pub(crate) fn raw(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let bytes = self.bytes();
        self.fields
            .iter()
            .map(move |field| (field.name.of(bytes), field.value.of(bytes)))
    }

    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.values(name).next().is_some()
    }

    /// The values of all fields with this name.
    pub(crate) fn values<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let bytes = self.bytes();
        let fields = match self.may_have(name.len()) {
            true => &*self.fields,
            false => &[],
        };
        fields
            .iter()
            .filter(move |field| {
                field.name.length as usize == name.len()
                    && field.name.of(bytes).eq_ignore_ascii_case(name)
            })
            .map(move |field| field.value.of(bytes))
    }

    /// Whether there may be a name of this length.
    fn may_have(&self, length: usize) -> bool {
        self.lengths & (1 << (length % 32)) != 0
    }

    /// Creates the fields of a block that was received, to be filled with `push_range` and put `in_block`.
    pub(crate) fn received(count: usize) -> Self {
        Self {
            fields: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Says which block the ranges are of.
    pub(crate) fn in_block(mut self, block: Bytes) -> Self {
        self.store = Store::Shared(block);
        self
    }

    /// Adds a field that stands in the shared block; the parser checked it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the limits of heads and trailers are below that"
    )]
    pub(crate) fn push_range(&mut self, name: usize, name_len: usize, value: usize, len: usize) {
        let range = |start: usize, length: usize| Range {
            start: start as u32,
            length: length as u32,
        };
        self.lengths |= 1 << (name_len % 32);
        self.fields.push(Field {
            name: range(name, name_len),
            value: range(value, len),
            sensitive: false,
        });
    }

    /// Takes over the fields of `other`, which replace fields of the same name.
    pub(crate) fn overlay(&mut self, other: &Self) {
        for (name, _) in other.iter_bytes() {
            let _ = self.remove(name);
        }
        let bytes = other.bytes();
        for field in &other.fields {
            self.push(
                name_of(field, bytes),
                field.value.of(bytes),
                field.sensitive,
            );
        }
    }

    /// Removes the fields that hold secrets, before they would go to another origin.
    pub(crate) fn remove_secrets(&mut self) {
        self.fields.retain(|field| !field.sensitive);
        for name in SECRET_IN_REQUESTS {
            let _ = self.remove(name);
        }
    }

    /// The fields as they may be shown: without the values that are secret.
    pub(crate) fn redacted(&self) -> Self {
        let bytes = self.bytes();
        let mut shown = Self::new();
        for field in &self.fields {
            let name = name_of(field, bytes);
            match is_secret(field, name) {
                true => shown.push(name, HIDDEN.as_bytes(), field.sensitive),
                false => shown.push(name, field.value.of(bytes), false),
            }
        }
        shown
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        let bytes = match &self.store {
            Store::Shared(bytes) => bytes,
            Store::Owned(bytes) => bytes.as_slice(),
        };
        self.fields.retain(|field| keep(name_of(field, bytes)));
    }

    fn add(&mut self, name: &str, value: &[u8], sensitive: bool) -> Result<(), Error> {
        check_name(name)?;
        let value = check_value(value)?;
        self.push(name, value, sensitive);
        Ok(())
    }

    fn push(&mut self, name: &str, value: &[u8], sensitive: bool) {
        self.compact();
        let bytes = self.owned();
        let start = bytes.len();
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value);
        self.lengths |= 1 << (name.len() % 32);
        self.fields.push(Field {
            name: Range::new(start, name.len()),
            value: Range::new(start + name.len(), value.len()),
            sensitive,
        });
    }

    /// Drops the bytes of removed fields once they are more than half of the buffer.
    fn compact(&mut self) {
        let Store::Owned(bytes) = &mut self.store else {
            return;
        };
        if bytes.len() < 1024 {
            return;
        }
        let used: usize = self
            .fields
            .iter()
            .map(|f| f.name.length as usize + f.value.length as usize)
            .sum();
        if used * 2 > bytes.len() {
            return;
        }
        let mut fresh = Vec::with_capacity(used + 256);
        for field in &mut self.fields {
            for range in [&mut field.name, &mut field.value] {
                let start = fresh.len();
                fresh.extend_from_slice(range.of(bytes));
                *range = Range::new(start, fresh.len() - start);
            }
        }
        *bytes = fresh;
    }

    fn owned(&mut self) -> &mut Vec<u8> {
        if let Store::Shared(bytes) = &self.store {
            self.store = Store::Owned(bytes.to_vec());
        }
        match &mut self.store {
            Store::Owned(bytes) => bytes,
            Store::Shared(_) => unreachable!("replaced above"),
        }
    }

    fn bytes(&self) -> &[u8] {
        match &self.store {
            Store::Shared(bytes) => bytes,
            Store::Owned(bytes) => bytes,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::Shared(Bytes::new())
    }
}

/// Whether the value of a field is never shown.
fn is_secret(field: &Field, name: &str) -> bool {
    field.sensitive
        || SECRET_IN_REQUESTS
            .iter()
            .any(|secret| secret.eq_ignore_ascii_case(name))
        || name.eq_ignore_ascii_case("set-cookie")
}

fn name_of<'a>(field: &Field, bytes: &'a [u8]) -> &'a str {
    // Names are tokens, hence ASCII.
    std::str::from_utf8(field.name.of(bytes)).unwrap_or_default()
}

/// The text of a value: UTF-8 when it is valid, else ISO-8859-1.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.iter().copied().map(char::from).collect()),
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        let mut map = f.debug_map();
        for field in &self.fields {
            let name = name_of(field, bytes);
            let value = match is_secret(field, name) {
                true => Cow::Borrowed(HIDDEN),
                false => text(field.value.of(bytes)),
            };
            map.entry(&name, &value);
        }
        map.finish()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.iter_bytes().eq(other.iter_bytes())
    }
}

impl Eq for Headers {}

impl From<&http::HeaderMap> for Headers {
    fn from(map: &http::HeaderMap) -> Self {
        let mut headers = Self::new();
        for (name, value) in map {
            headers.push(name.as_str(), value.as_bytes(), value.is_sensitive());
        }
        headers
    }
}

impl From<&Headers> for http::HeaderMap {
    /// Copies the fields; one that the `http` crate does not accept is left out.
    fn from(headers: &Headers) -> Self {
        let mut map = Self::with_capacity(headers.fields.len());
        let bytes = headers.bytes();
        for field in &headers.fields {
            let name = http::HeaderName::from_bytes(field.name.of(bytes));
            let value = http::HeaderValue::from_bytes(field.value.of(bytes));
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(field.sensitive);
                map.append(name, value);
            }
        }
        map
    }
}

/// What stands for a value that is not shown.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Up to so many fields, comparing each with those before it is the cheapest.
const FEW: usize = 32;
/// Request fields that must not reach another origin.
const SECRET_IN_REQUESTS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_ignores_case_and_joins_repeated_values_but_not_cookies() {
        let mut headers = Headers::new();
        headers.append("Vary", "a").unwrap();
        headers.append("vary", "b").unwrap();
        headers.append("Set-Cookie", "x=1").unwrap();
        headers.append("Set-Cookie", "y=2").unwrap();
        assert_eq!(headers.get("VARY").as_deref(), Some("a, b"));
        assert_eq!(headers.get("set-cookie").as_deref(), Some("x=1"));
        assert_eq!(headers.get_all("set-cookie").count(), 2);
        assert_eq!(headers.get("missing"), None);
        assert_eq!(
            (headers.len(), headers.names()),
            (2, vec!["vary".into(), "set-cookie".into()])
        );
        assert_eq!(headers.iter().next().map(|(name, _)| name), Some("Vary"));
    }

    #[test]
    fn names_and_values_that_would_break_the_head_are_refused() {
        let mut headers = Headers::new();
        for name in ["", "a b", "a:", "a\r\n", "\u{e4}", "a\0"] {
            assert!(headers.append(name, "v").is_err(), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\rb", "a\nb", "a\0b", "\u{7f}", "\u{1}"] {
            assert!(headers.append("a", value).is_err(), "{value:?}");
            assert!(headers.insert("a", value).is_err(), "{value:?}");
        }
        assert!(headers.is_empty());
        headers.append("a", " \t padded\tinside  ").unwrap();
        assert_eq!(headers.get("a").as_deref(), Some("padded\tinside"));
        headers.append("b", b"\xff\xe4").unwrap();
        assert_eq!(headers.get("b").as_deref(), Some("\u{ff}\u{e4}"));
    }

    #[test]
    fn setting_a_field_again_and_again_does_not_grow_the_buffer() {
        let mut headers = Headers::new();
        headers.append("Keep", "this").unwrap();
        for round in 0..10_000 {
            headers.insert("Counter", round.to_string()).unwrap();
        }
        assert!(headers.bytes().len() < 8192);
        assert_eq!(headers.get("counter").as_deref(), Some("9999"));
        assert_eq!(headers.get("keep").as_deref(), Some("this"));
    }

    #[test]
    fn names_are_the_same_for_few_fields_and_for_many() {
        let mut headers = Headers::new();
        let mut expected = Vec::new();
        for number in 0..100 {
            headers.append(&format!("X-{number}"), "1").unwrap();
            headers.append(&format!("x-{number}"), "2").unwrap();
            expected.push(format!("x-{number}"));
            assert_eq!(
                (headers.len(), headers.names()),
                (number + 1, expected.clone())
            );
        }
    }

    #[test]
    fn debug_hides_secrets() {
        let mut headers = Headers::new();
        headers.append("Authorization", "s3cret").unwrap();
        headers.append("set-cookie", "s3cret").unwrap();
        headers.append_sensitive("X-Api-Key", "s3cret").unwrap();
        headers.append("Accept", "shown").unwrap();
        let shown = format!("{headers:?}");
        assert!(
            !shown.contains("s3cret") && shown.contains("shown"),
            "{shown}"
        );
    }
}

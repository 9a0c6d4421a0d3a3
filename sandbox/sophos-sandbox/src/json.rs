//! Writes JSON straight into a buffer.
//!
//! A page of 500 records is about half a megabyte. Building it from a tree of values would cost more than everything else the server does.

/// A JSON text in the making. The caller balances what it opens.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    separate: bool,
}

impl Json {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
            separate: false,
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Writes `{…}` as a value.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.nested(b'{', b'}', members);
    }

    /// Writes `[…]` as a value.
    pub(crate) fn array(&mut self, items: impl FnOnce(&mut Self)) {
        self.nested(b'[', b']', items);
    }

    /// Writes a member of the open object.
    pub(crate) fn member(&mut self, name: &str, value: impl JsonValue) {
        self.name(name);
        value.write(self);
    }

    /// Writes a member when there is a value.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl JsonValue>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    pub(crate) fn member_object(&mut self, name: &str, members: impl FnOnce(&mut Self)) {
        self.name(name);
        self.object(members);
    }

    pub(crate) fn member_array(&mut self, name: &str, items: impl FnOnce(&mut Self)) {
        self.name(name);
        self.array(items);
    }

    /// Writes a member whose value is JSON already.
    pub(crate) fn member_raw(&mut self, name: &str, text: &[u8]) {
        self.name(name);
        self.raw(text);
    }

    /// Writes an item of the open array, or the whole text.
    pub(crate) fn item(&mut self, value: impl JsonValue) {
        value.write(self);
    }

    /// Writes a value that is JSON already.
    pub(crate) fn raw(&mut self, text: &[u8]) {
        self.comma();
        self.out.extend_from_slice(text);
        self.separate = true;
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.out.push(b'"');
        // Names are literals of this crate and need no escapes.
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.separate = false;
    }

    fn nested(&mut self, open: u8, close: u8, inside: impl FnOnce(&mut Self)) {
        self.comma();
        self.out.push(open);
        self.separate = false;
        inside(self);
        self.out.push(close);
        self.separate = true;
    }

    fn comma(&mut self) {
        if self.separate {
            self.out.push(b',');
        }
    }
}

/// What can be written as one value.
pub(crate) trait JsonValue {
    fn write(self, json: &mut Json);
}

impl JsonValue for &str {
    fn write(self, json: &mut Json) {
        json.comma();
        serde_json::to_writer(&mut json.out, self).expect("a string always becomes JSON");
        json.separate = true;
    }
}

impl JsonValue for &String {
    fn write(self, json: &mut Json) {
        self.as_str().write(json);
    }
}

impl JsonValue for String {
    fn write(self, json: &mut Json) {
        self.as_str().write(json);
    }
}

impl JsonValue for bool {
    fn write(self, json: &mut Json) {
        json.raw(if self { b"true" } else { b"false" });
    }
}

impl JsonValue for u32 {
    fn write(self, json: &mut Json) {
        u64::from(self).write(json);
    }
}

impl JsonValue for usize {
    fn write(self, json: &mut Json) {
        (self as u64).write(json);
    }
}

impl JsonValue for u64 {
    fn write(self, json: &mut Json) {
        json.comma();
        serde_json::to_writer(&mut json.out, &self).expect("a number always becomes JSON");
        json.separate = true;
    }
}

/// The value `null`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Null;

impl JsonValue for Null {
    fn write(self, json: &mut Json) {
        json.raw(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let mut json = Json::new();
        json.object(|json| {
            json.member("a", "x\"\n");
            json.member_object("b", |_| {});
            json.member_array("c", |json| {
                json.item(1_u32);
                json.item(Null);
                json.object(|json| json.member("d", true));
            });
            json.optional("e", None::<bool>);
            json.optional("f", Some(false));
        });
        assert_eq!(
            String::from_utf8(json.finish()).unwrap(),
            r#"{"a":"x\"\n","b":{},"c":[1,null,{"d":true}],"f":false}"#
        );
    }
}

//! Reading one `Set-Cookie` field (RFC 6265bis 5.6).

use super::{SameSite, date};

/// A `Set-Cookie` field, as it was sent: nothing is decided about it yet.
#[derive(Debug, Default)]
pub(super) struct SetCookie<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    /// Seconds since 1970.
    pub(super) expires: Option<i64>,
    /// Seconds from now.
    pub(super) max_age: Option<i64>,
    pub(super) domain: Option<&'a [u8]>,
    pub(super) path: Option<&'a [u8]>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: Option<SameSite>,
}

/// Why a cookie is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// It holds a control character.
    ControlCharacter,
    /// Name and value together are longer than 4096 bytes.
    TooLong,
    /// It has neither name nor value.
    Empty,
    /// It is for a domain that the host is not part of.
    ForeignDomain,
    /// It is for a public suffix, such as `co.uk`.
    PublicSuffix,
    /// It is for secure connections, and this one is not.
    NotSecure,
    /// A secure cookie of this name would be replaced or hidden from an insecure connection.
    ShadowsSecure,
    /// Its name starts with `__Secure-` or `__Host-`, and it is not what that promises.
    Prefix,
}

impl Rejected {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ControlCharacter => "cookie holds a control character",
            Self::TooLong => "cookie is longer than 4096 bytes",
            Self::Empty => "cookie has neither name nor value",
            Self::ForeignDomain => "cookie is for a domain that the host is not part of",
            Self::PublicSuffix => "cookie is for a public suffix",
            Self::NotSecure => "secure cookie over a connection that is not",
            Self::ShadowsSecure => "cookie would replace a secure one over an insecure connection",
            Self::Prefix => "cookie is not what the prefix of its name promises",
        }
    }
}

/// Reads a field. Attributes that cannot be understood are passed over; of repeated ones the last counts.
pub(super) fn parse(field: &[u8]) -> Result<SetCookie<'_>, Rejected> {
    if has_control(field) {
        return Err(Rejected::ControlCharacter);
    }
    let mut parts = field.split(|&byte| byte == b';');
    let (name, value) = match split(parts.next().unwrap_or_default()) {
        (name, Some(value)) => (name, value),
        // Without `=` it is a value without a name.
        (value, None) => (&[][..], value),
    };
    let mut cookie = SetCookie {
        name,
        value,
        ..SetCookie::default()
    };
    check_content(name, value)?;
    for attribute in parts {
        let (name, value) = split(attribute);
        let value = value.unwrap_or_default();
        if value.len() <= MAX_ATTRIBUTE_BYTES {
            cookie.take(name, value);
        }
    }
    Ok(cookie)
}

/// Checks what holds for every cookie, wherever it comes from.
pub(super) fn check_content(name: &[u8], value: &[u8]) -> Result<(), Rejected> {
    if has_control(name) || has_control(value) {
        return Err(Rejected::ControlCharacter);
    }
    if name.len() + value.len() > MAX_COOKIE_BYTES {
        return Err(Rejected::TooLong);
    }
    if name.is_empty() && value.is_empty() {
        return Err(Rejected::Empty);
    }
    Ok(())
}

impl<'a> SetCookie<'a> {
    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("expires") {
            self.expires = date::parse(value).or(self.expires);
        } else if is("max-age") {
            self.max_age = max_age(value).or(self.max_age);
        } else if is("domain") {
            self.domain = Some(value.strip_prefix(b".").unwrap_or(value));
        } else if is("path") {
            self.path = Some(value);
        } else if is("secure") {
            self.secure = true;
        } else if is("httponly") {
            self.http_only = true;
        } else if is("samesite") {
            self.same_site = SameSite::parse(value);
        }
    }
}

/// A count of seconds; one that does not fit counts as very many.
fn max_age(value: &[u8]) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    if value.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if negative {
        return Some(0);
    }
    let digits = std::str::from_utf8(digits).ok()?;
    Some(digits.parse().unwrap_or(i64::MAX))
}

/// The parts before and after the first `=`, without spaces and tabs around them.
fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == b'=') {
        Some(at) => (trim(&text[..at]), Some(trim(&text[at + 1..]))),
        None => (trim(text), None),
    }
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn has_control(text: &[u8]) -> bool {
    text.iter()
        .any(|&byte| byte.is_ascii_control() && byte != b'\t')
}

const MAX_COOKIE_BYTES: usize = 4096;
pub(super) const MAX_ATTRIBUTE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(field: &str) -> (String, String) {
        let cookie = parse(field.as_bytes()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(cookie.name), text(cookie.value))
    }

    #[test]
    fn names_and_values_are_split_at_the_first_equals_sign() {
        for (field, name, value) in [
            ("a=b", "a", "b"),
            (" a\t= b ; Path=/", "a", "b"),
            ("a=b=c", "a", "b=c"),
            ("a=", "a", ""),
            ("a= ;", "a", ""),
            ("=a", "", "a"),
            ("a", "", "a"),
            ("==a", "", "=a"),
            ("a=\"b c\"", "a", "\"b c\""),
            ("a=b,c=d", "a", "b,c=d"),
            ("a=b\tc", "a", "b\tc"),
            ("\u{e4}=\u{fc}", "\u{e4}", "\u{fc}"),
        ] {
            assert_eq!(pair(field), (name.into(), value.into()), "{field:?}");
        }
    }

    #[test]
    fn what_holds_control_characters_or_nothing_or_too_much_is_refused() {
        for byte in (0..=0x1f).chain([0x7f]).filter(|&byte| byte != b'\t') {
            for field in [
                vec![b'a', byte, b'=', b'b'],
                [b"a=b; Path=/", &[byte][..]].concat(),
            ] {
                assert_eq!(
                    parse(&field).unwrap_err(),
                    Rejected::ControlCharacter,
                    "{byte}"
                );
            }
        }
        for field in ["", " ", "=", ";", " = ; Path=/"] {
            assert_eq!(
                parse(field.as_bytes()).unwrap_err(),
                Rejected::Empty,
                "{field:?}"
            );
        }
        let long =
            |name: usize, value: usize| format!("{}={}", "n".repeat(name), "v".repeat(value));
        assert!(parse(long(4095, 1).as_bytes()).is_ok());
        assert!(parse(long(1, 4095).as_bytes()).is_ok());
        assert_eq!(
            parse(long(4096, 1).as_bytes()).unwrap_err(),
            Rejected::TooLong
        );
        assert_eq!(
            parse(long(0, 4097).as_bytes()).unwrap_err(),
            Rejected::TooLong
        );
    }

    #[test]
    fn attributes_are_known_in_any_case_and_the_last_of_each_counts() {
        let cookie = parse(b"a=b;SECURE ; httponly=x; PATH=/a; path = /b;Domain=.X.example; max-age=5;samesite=LAX").unwrap();
        assert!(cookie.secure && cookie.http_only);
        assert_eq!(cookie.path, Some(&b"/b"[..]));
        assert_eq!(cookie.domain, Some(&b"X.example"[..]));
        assert_eq!(
            (cookie.max_age, cookie.same_site),
            (Some(5), Some(SameSite::Lax))
        );
        let cookie =
            parse(b"a=b; domain=x.example; domain; path; samesite=other; unknown=1").unwrap();
        assert_eq!(
            (cookie.domain, cookie.path),
            (Some(&b""[..]), Some(&b""[..]))
        );
        assert_eq!(cookie.same_site, None);
    }

    #[test]
    fn an_attribute_of_more_than_1024_bytes_is_passed_over() {
        let field = |length: usize| format!("a=b; Path=/short; Path=/{}", "x".repeat(length - 1));
        assert_eq!(
            parse(field(1024).as_bytes()).unwrap().path.map(<[u8]>::len),
            Some(1024)
        );
        assert_eq!(
            parse(field(1025).as_bytes()).unwrap().path,
            Some(&b"/short"[..])
        );
    }

    #[test]
    fn ages_are_whole_numbers() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("-1", Some(0)),
            ("-", Some(0)),
            ("99999999999999999999", Some(i64::MAX)),
            ("", None),
            ("+1", None),
            ("1.5", None),
            ("10s", None),
            ("--1", None),
        ] {
            assert_eq!(max_age(text.as_bytes()), seconds, "{text:?}");
        }
        let cookie =
            parse(b"a=b; max-age=7; max-age=x; expires=01 Jan 2030 00:00:00; expires=never")
                .unwrap();
        assert_eq!(
            (cookie.max_age, cookie.expires),
            (Some(7), Some(1_893_456_000))
        );
    }
}

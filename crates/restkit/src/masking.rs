//! Keeps secrets out of everything that is printed: URLs, headers, bodies.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "********";

/// How many characters of a body are kept for people.
const SNIPPET_CHARS: usize = 500;

/// Shorter secrets are not looked for in what a service says: they would hide ordinary words.
const SHORTEST_SECRET: usize = 6;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Returns the URL without user info, with the values of secret query parameters masked.
pub(crate) fn url(url: &Url) -> String {
    let secret_query = url
        .query_pairs()
        .any(|(name, _)| is_secret_parameter(&name));
    if !secret_query && url.username().is_empty() && url.password().is_none() {
        return url.to_string();
    }
    let mut clean = url.clone();
    // Both setters refuse only URLs without a host, and those cannot carry user info.
    let _ = clean.set_username("");
    let _ = clean.set_password(None);
    if secret_query {
        let query: Vec<String> = url
            .query()
            .unwrap_or_default()
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) if is_secret_parameter(name) => format!("{name}={MASK}"),
                _ => pair.to_owned(),
            })
            .collect();
        clean.set_query(Some(&query.join("&")));
    }
    clean.to_string()
}

/// Says whether a header's value must not be shown.
pub(crate) fn is_secret_header(name: &HeaderName) -> bool {
    if [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
        header::SET_COOKIE,
    ]
    .contains(name)
    {
        return true;
    }
    let name = name.as_str();
    [
        "token", "secret", "password", "api-key", "apikey", "auth-key", "x-key",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Returns the headers in order as text, secrets masked.
pub(crate) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let secret = value.is_sensitive() || is_secret_header(name);
            let shown = if secret && !value.as_bytes().ends_with(MASK.as_bytes()) {
                MASK.to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            (name.as_str().to_owned(), shown)
        })
        .collect()
}

/// What of a request is secret, to be hidden where a service echoes it. Shares the request's memory:
/// nothing is searched before there is an error to show.
#[derive(Default)]
pub(crate) struct Secrets {
    headers: Vec<HeaderValue>,
    form: Bytes,
}

impl Secrets {
    /// Keeps the values of secret headers, and the body if it is a form.
    pub(crate) fn of(request: &http::Request<Bytes>) -> Self {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(FORM));
        Self {
            headers: request
                .headers()
                .iter()
                .filter(|(name, value)| value.is_sensitive() || is_secret_header(name))
                .map(|(_, value)| value.clone())
                .collect(),
            form: if is_form {
                request.body().clone()
            } else {
                Bytes::new()
            },
        }
    }

    /// Returns a body with header values, without their scheme, and secret form fields masked.
    pub(crate) fn hidden<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        let headers = self.headers.iter().filter_map(|value| {
            let text = value.to_str().ok()?;
            Some(Cow::Borrowed(text.rsplit(' ').next().unwrap_or(text)))
        });
        let fields = url::form_urlencoded::parse(&self.form)
            .filter(|(name, _)| is_secret_word(name))
            .map(|(_, value)| value);
        let mut hidden = Cow::Borrowed(body);
        for secret in headers.chain(fields) {
            let Ok(text) = std::str::from_utf8(&hidden) else {
                break;
            };
            if secret.len() >= SHORTEST_SECRET && text.contains(&*secret) {
                hidden = Cow::Owned(text.replace(&*secret, MASK).into_bytes());
            }
        }
        hidden
    }
}

/// Returns the start of a body for people, with the values of secret JSON members masked.
pub(crate) fn snippet(body: &[u8]) -> String {
    // Four bytes per character are enough; a little more lets a masked value shrink.
    let start = body.get(..SNIPPET_CHARS * 8).unwrap_or(body);
    let text = String::from_utf8_lossy(start);
    masked(&text).chars().take(SNIPPET_CHARS).collect()
}

/// Returns a text body with the values of members and form fields that look secret masked.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let json = masked_json(text);
    match masked_form(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(form) => Cow::Owned(form),
    }
}

fn masked_form(text: &str) -> Cow<'_, str> {
    let is_form = text.contains('=')
        && !text
            .bytes()
            .any(|byte| matches!(byte, b'{' | b'<' | b' ' | b'\n'));
    if !is_form {
        return Cow::Borrowed(text);
    }
    let pairs: Vec<String> = text
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret_word(name) => format!("{name}={MASK}"),
            _ => pair.to_owned(),
        })
        .collect();
    Cow::Owned(pairs.join("&"))
}

/// Walks the text as JSON tokens, which also works for a body that is cut off.
fn masked_json(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut rest = 0;
    while let Some((start, end)) = next_string(text, rest) {
        rest = end;
        let key = text.get(start..end).unwrap_or_default();
        if !is_secret_word(key.trim_matches('"')) {
            continue;
        }
        let after = text.get(end..).unwrap_or_default();
        let trimmed = after.trim_start();
        let Some(value) = trimmed.strip_prefix(':') else {
            continue;
        };
        let value = value.trim_start();
        let at = text.len() - value.len();
        let value_end = match value.bytes().next() {
            Some(b'"') => next_string(text, at).map_or(text.len(), |(_, end)| end),
            Some(b'-' | b'0'..=b'9') => {
                let digits = value.find([',', '}', ']', ' ', '\n', '\r', '\t']);
                at + digits.unwrap_or(value.len())
            }
            Some(b'[') => match list_of_strings(text, at) {
                Some(end) => end,
                // The members of the objects inside are looked at one by one.
                None => continue,
            },
            _ => continue,
        };
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.push('"');
        out.push_str(MASK);
        out.push('"');
        copied = value_end;
        rest = value_end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Returns where a list that begins with a string ends; one that is cut off reaches to the end.
fn list_of_strings(text: &str, at: usize) -> Option<usize> {
    let first = text.get(at + 1..)?.trim_start();
    if !first.starts_with('"') {
        return None;
    }
    let mut from = at + 1;
    loop {
        let rest = text.get(from..)?;
        let close = rest.find(']').map(|close| from + close);
        match (next_string(text, from), close) {
            (Some((start, end)), Some(close)) if start < close => from = end,
            (_, Some(close)) => return Some(close + 1),
            (_, None) => return Some(text.len()),
        }
    }
}

/// Returns where the next quoted string lies, quotes included; an unfinished one reaches to the end.
fn next_string(text: &str, from: usize) -> Option<(usize, usize)> {
    let start = from + text.get(from..)?.find('"')?;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((start, index + 1)),
            _ => {}
        }
    }
    Some((start, text.len()))
}

fn is_secret_parameter(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "access_token",
        "token",
        "api_key",
        "api-key",
        "apikey",
        "key",
        "secret",
        "client_secret",
        "password",
        "sig",
        "signature",
        "auth",
    ]
    .contains(&name.as_str())
}

fn is_secret_word(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name == "token_type" || name == "tokentype" {
        return false;
    }
    [
        "password",
        "secret",
        "token",
        "apikey",
        "api_key",
        "private_key",
        "authorization",
    ]
    .iter()
    .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_shown_without_user_info_and_secret_values() {
        let with_secrets =
            Url::parse("https://bob:hunter2@h.example/a?pageFromKey=7&api_key=abc&x=1").unwrap();
        assert_eq!(
            url(&with_secrets),
            "https://h.example/a?pageFromKey=7&api_key=********&x=1"
        );
    }

    #[test]
    fn secret_members_are_masked_wherever_they_stand() {
        let body =
            r#"{"enabled":true,"password":"p\"q","old":[{"password" : "x"}],"n":"password"}"#;
        assert_eq!(
            masked(body),
            r#"{"enabled":true,"password":"********","old":[{"password" : "********"}],"n":"password"}"#
        );
    }

    #[test]
    fn secret_numbers_are_masked_and_flags_are_not() {
        assert_eq!(
            masked(r#"{"secretPin": 1234,"tokenValid":true,"passwords":[]}"#),
            r#"{"secretPin": "********","tokenValid":true,"passwords":[]}"#
        );
    }

    #[test]
    fn lists_of_secrets_are_masked_as_a_whole() {
        assert_eq!(
            masked(r#"{"passwords":["a]","b"],"x":["c"]}"#),
            r#"{"passwords":"********","x":["c"]}"#
        );
        assert_eq!(
            masked(r#"{"passwords":[ "a","b"#),
            r#"{"passwords":"********""#
        );
    }

    #[test]
    fn a_secret_cut_off_in_the_middle_is_masked_too() {
        assert_eq!(
            masked(r#"{"access_token":"abcde"#),
            r#"{"access_token":"********""#
        );
    }

    #[test]
    fn form_secrets_are_masked() {
        assert_eq!(
            masked("grant_type=client_credentials&client_secret=abc"),
            "grant_type=client_credentials&client_secret=********"
        );
    }

    #[test]
    fn a_snippet_is_at_most_500_characters() {
        let long = "ä".repeat(2000);
        assert_eq!(snippet(long.as_bytes()).chars().count(), 500);
        assert_eq!(snippet(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }

    proptest! {
        /// Whatever stands around it, and wherever the text is cut off.
        #[test]
        fn no_secret_member_survives(before: String, tail: String, after: String, cut: usize) {
            let body = serde_json::json!({
                "note": before,
                "list": [{"apiToken": format!("hunter2{tail}")}],
                "password": format!("hunter2{tail}"),
                "oldPasswords": ["", format!("{tail}]hunter2")],
                "rest": after,
            })
            .to_string();
            prop_assume!(!before.contains("hunter2") && !after.contains("hunter2"));
            let cut = cut % (body.len() + 1);
            let start = String::from_utf8_lossy(&body.as_bytes()[..cut]);
            prop_assert!(!masked(&start).contains("hunter2"));
            prop_assert!(!snippet(body.as_bytes()).contains("hunter2"));
        }

        #[test]
        fn any_text_can_be_masked(text: String) {
            let shown = masked(&text);
            prop_assert!(shown.len() <= text.len() + MASK.len() * (text.len() + 1));
        }
    }
}

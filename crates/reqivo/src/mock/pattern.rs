use std::fmt;

use url::Url;

/// A URL or path with `*` in it.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Box<str>);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(super) fn matches(&self, url: &Url) -> bool {
        let pattern = &*self.0;
        let whole = !pattern.starts_with('/');
        let with_query = pattern.contains('?');
        let mut text = String::new();
        if whole {
            text.push_str(&url.origin().ascii_serialization());
        }
        text.push_str(url.path());
        if let (true, Some(query)) = (with_query, url.query()) {
            text.push('?');
            text.push_str(query);
        }
        // An origin may be written without the slash.
        let bare = whole && url.path() == "/" && text.strip_suffix('/') == Some(pattern);
        bare || is_like(pattern.as_bytes(), text.as_bytes())
    }
}

/// Compares with a pattern in which `*` stands for any bytes. Takes at most the product of both lengths.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last star was, and how far it reaches.
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, from));
                at += 1;
            }
            (Some(byte), _) if *byte == text[from] => {
                at += 1;
                from += 1;
            }
            (_, Some((of, reach))) => {
                star = Some((of, reach + 1));
                at = of + 1;
                from = reach + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_paths_or_whole_urls_with_stars_for_any_text() {
        let cases = [
            ("/a", "http://h/a", true),
            ("/a", "http://h/a?b=c", true),
            ("/a?b=c", "http://h/a?b=c", true),
            ("/a?b=c", "http://h/a", false),
            ("/a?b=*", "http://h/a?b=cc", true),
            ("/a", "http://h/ab", false),
            ("/*/x", "http://h/1/2/x", true),
            ("/*/x", "http://h/x", false),
            ("/*", "http://h/", true),
            ("*", "https://h:8/any?thing", true),
            ("http://h", "http://h/", true),
            ("http://h/", "http://h/", true),
            ("http://h/a", "https://h/a", false),
            ("https://*.example/a", "https://x.y.example/a", true),
            ("http://h:8080/*", "http://h/a", false),
            ("/a*b*c", "http://h/axxbyyc", true),
            ("/a*b*c", "http://h/axxbyy", false),
        ];
        for (pattern, url, matches) in cases {
            let url = Url::parse(url).unwrap();
            assert_eq!(
                Pattern::new(pattern).matches(&url),
                matches,
                "{pattern} {url}"
            );
        }
    }
}

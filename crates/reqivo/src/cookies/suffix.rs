use std::fmt;
use std::sync::Arc;

use psl::Psl;

use crate::error::Error;

/// Which domains are shared by strangers, such as `co.uk` or `github.io`: a cookie for one of them is refused.
///
/// The default is the list of <https://publicsuffix.org> as it was when the `psl` crate was published that this
/// build uses; [`parse`](Self::parse) takes a newer one at run time.
#[derive(Clone, Default)]
pub struct PublicSuffixes(Rules);

#[derive(Clone, Default)]
enum Rules {
    #[default]
    Embedded,
    List(Arc<publicsuffix::List>),
    Own(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl PublicSuffixes {
    /// Returns the list that is compiled in.
    #[must_use]
    pub fn embedded() -> Self {
        Self::default()
    }

    /// Reads a list in the format of <https://publicsuffix.org/list/>.
    ///
    /// A top-level domain that the list does not have is a public suffix itself.
    ///
    /// # Errors
    ///
    /// When the text has no rule, or one that is malformed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        // Rules outside of a section would be passed over in silence.
        let text = format!("// ===BEGIN ICANN DOMAINS===\n{text}");
        match text.parse::<publicsuffix::List>() {
            Ok(list) if !list.is_empty() => Ok(Self(Rules::List(Arc::new(list)))),
            Ok(_) => Err(Error::builder("the list of public suffixes is empty")),
            Err(error) => {
                let error = error.to_string();
                Err(Error::builder("malformed list of public suffixes").with_source(error))
            }
        }
    }

    /// Asks a function whether a domain, which is in lower case and ASCII, is a public suffix.
    ///
    /// It is called while the jar is locked, so it must be quick and must not use the jar.
    #[must_use]
    pub fn from_fn(is_public: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Rules::Own(Arc::new(is_public)))
    }

    /// Returns whether a domain, in lower case and ASCII, is a public suffix.
    #[must_use]
    pub fn contains(&self, domain: &str) -> bool {
        // With its dot at the end it is still the same domain.
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let bytes = domain.as_bytes();
        let is_whole = |suffix: Option<psl::Suffix<'_>>| {
            suffix.is_some_and(|suffix| suffix.as_bytes().len() == bytes.len())
        };
        match &self.0 {
            Rules::Embedded => is_whole(psl::List.suffix(bytes)),
            Rules::List(list) => is_whole(list.suffix(bytes)),
            Rules::Own(is_public) => is_public(domain),
        }
    }
}

impl fmt::Debug for PublicSuffixes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Rules::Embedded => "embedded",
            Rules::List(_) => "list",
            Rules::Own(_) => "function",
        };
        f.debug_tuple("PublicSuffixes").field(&kind).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_list_knows_the_domains_that_strangers_share() {
        let list = PublicSuffixes::embedded();
        for domain in [
            "com",
            "co.uk",
            "github.io",
            "a.ck",
            "xn--p1ai",
            "no-such-top-level",
            "com.",
        ] {
            assert!(list.contains(domain), "{domain}");
        }
        for domain in [
            "example.com",
            "a.co.uk",
            "a.github.io",
            "www.ck",
            "example.com.",
        ] {
            assert!(!list.contains(domain), "{domain}");
        }
    }

    #[test]
    fn a_list_read_at_run_time_has_wildcards_exceptions_and_punycode() {
        let text = "// a comment\ncom\n*.ck\n!www.ck\n\nr\u{e4}ksm\u{f6}rg\u{e5}s.example\n";
        let list = PublicSuffixes::parse(text).unwrap();
        for domain in ["com", "a.ck", "xn--rksmrgs-5wao1o.example", "other"] {
            assert!(list.contains(domain), "{domain}");
        }
        for domain in ["a.com", "www.ck", "b.a.ck", "co.uk", "example.example"] {
            assert!(!list.contains(domain), "{domain}");
        }
        for text in ["", "// nothing\n", "com\na..b\n"] {
            assert!(
                PublicSuffixes::parse(text).unwrap_err().is_builder(),
                "{text:?}"
            );
        }
    }
}

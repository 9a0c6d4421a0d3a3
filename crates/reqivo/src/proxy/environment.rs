//! Proxies that the environment names.

use super::NoProxy;
use super::rules::{Rule, Targets};

/// Where a session reads its environment. It does so once, when it is built.
#[derive(Clone, Debug, Default)]
pub(crate) enum Environment {
    /// From that of the process.
    #[default]
    Process,
    /// From these variables.
    Given(Vec<(String, String)>),
    /// Nowhere.
    Ignored,
}

/// Looks up a variable.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Environment {
    /// The proxies it names, the first that meets a request is the one to use.
    pub(super) fn rules(&self, with_loopback: bool) -> Vec<Rule> {
        match self {
            Self::Process => rules(&of_process, with_loopback),
            Self::Given(variables) => {
                let lookup = |name: &str| {
                    let found = variables.iter().rev().find(|(given, _)| given == name);
                    found.map(|(_, value)| value.clone())
                };
                rules(&lookup, with_loopback)
            }
            Self::Ignored => Vec::new(),
        }
    }
}

/// A variable of the process. One that is no text counts too: what it names is then no proxy.
pub(super) fn of_process(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn rules(lookup: Lookup<'_>, with_loopback: bool) -> Vec<Rule> {
    let variables = [
        (Targets::Http, "http_proxy", "HTTP_PROXY"),
        (Targets::Https, "https_proxy", "HTTPS_PROXY"),
        (Targets::All, "all_proxy", "ALL_PROXY"),
    ];
    // A CGI server passes the header `Proxy` of a request on as HTTP_PROXY: anybody could choose the proxy.
    let cgi = lookup("REQUEST_METHOD").is_some();
    let mut rules = Vec::new();
    for (targets, lower, upper) in variables {
        let upper = (!cgi || targets != Targets::Http).then_some(upper);
        let names = [Some(lower), upper];
        let found = names.into_iter().flatten().find_map(|name| {
            let value = lookup(name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        });
        if let Some((name, value)) = found {
            rules.push(Rule::of_environment(targets, name, &value, with_loopback));
        }
    }
    if !rules.is_empty() {
        let except = no_proxy(lookup);
        for rule in &mut rules {
            rule.except = Some(except.clone());
        }
    }
    rules
}

pub(super) fn no_proxy(lookup: Lookup<'_>) -> NoProxy {
    ["no_proxy", "NO_PROXY"]
        .into_iter()
        .find_map(|name| lookup(name).filter(|value| !value.trim().is_empty()))
        .map_or_else(NoProxy::default, |list| NoProxy::lenient(&list))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::Proxies;
    use super::*;

    /// The proxy for a URL, or the error.
    fn proxy_for(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        chosen(url, variables, false).map(|chosen| chosen.unwrap())
    }

    fn chosen(
        url: &str,
        variables: &[(&str, &str)],
        loopback: bool,
    ) -> Option<Result<String, String>> {
        let given = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::Given(given.collect());
        let proxies = Proxies::new(Vec::new(), &environment, loopback);
        let url = Url::parse(url).unwrap();
        proxies
            .as_ref()?
            .choose(&url)
            .map(|via| via.map(|via| via.to_string()))
            .map_err(|error| error.to_string())
            .transpose()
    }

    #[test]
    fn x5_each_scheme_has_its_variable_and_all_proxy_is_for_the_rest() {
        let variables = [
            ("http_proxy", "http://plain:1"),
            ("HTTPS_PROXY", "secure:2"),
            ("ALL_PROXY", "socks5h://all:3"),
        ];
        for (url, via) in [
            ("http://a/", "http://plain:1"),
            ("ws://a/", "http://plain:1"),
            ("https://a/", "http://secure:2"),
            ("wss://a/", "http://secure:2"),
        ] {
            assert_eq!(proxy_for(url, &variables).as_deref(), Some(via), "{url}");
            assert_eq!(
                proxy_for(url, &variables[2..]).as_deref(),
                Some("socks5h://all:3")
            );
            assert_eq!(proxy_for(url, &[]), None);
        }
        assert_eq!(proxy_for("https://a/", &variables[..1]), None);
    }

    #[test]
    fn x5_lower_case_comes_first_and_empty_is_unset() {
        let both = [("https_proxy", "low"), ("HTTPS_PROXY", "up")];
        assert_eq!(proxy_for("https://a/", &both).unwrap(), "http://low:80");
        let empty = [("https_proxy", " "), ("HTTPS_PROXY", "up")];
        assert_eq!(proxy_for("https://a/", &empty).unwrap(), "http://up:80");
        assert_eq!(proxy_for("https://a/", &[("all_proxy", "")]), None);
    }

    #[test]
    fn x5_in_cgi_the_upper_case_http_proxy_is_what_a_client_sent() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil:1")];
        assert_eq!(proxy_for("http://a/", &cgi), None);
        assert_eq!(proxy_for("http://a/", &cgi[1..]).unwrap(), "http://evil:1");
        let mut named = cgi.to_vec();
        named.extend([("http_proxy", "good:1"), ("HTTPS_PROXY", "also:1")]);
        assert_eq!(proxy_for("http://a/", &named).unwrap(), "http://good:1");
        assert_eq!(proxy_for("https://a/", &named).unwrap(), "http://also:1");
    }

    #[test]
    fn x5_no_proxy_and_loopback_are_direct() {
        let proxy = ("all_proxy", "proxy:1");
        for name in ["no_proxy", "NO_PROXY"] {
            let variables = [proxy, (name, "internal.example,10.0.0.0/8")];
            assert_eq!(proxy_for("http://x.internal.example/", &variables), None);
            assert_eq!(proxy_for("http://10.1.1.1/", &variables), None);
            assert!(proxy_for("http://example.org/", &variables).is_some());
        }
        assert_eq!(proxy_for("http://a/", &[proxy, ("no_proxy", "*")]), None);
        for url in ["http://localhost/", "https://127.0.0.1/", "http://[::1]/"] {
            assert_eq!(proxy_for(url, &[proxy]), None, "{url}");
            assert!(chosen(url, &[proxy], true).is_some(), "{url}");
        }
    }

    #[test]
    fn x5_a_proxy_that_makes_no_sense_is_an_error_and_not_a_direct_connection() {
        let variables = [("https_proxy", "gopher://user:secret@host")];
        let error = chosen("https://a/", &variables, false)
            .unwrap()
            .unwrap_err();
        assert!(
            error.contains("https_proxy") && !error.contains("secret"),
            "{error}"
        );
        assert_eq!(proxy_for("http://a/", &variables), None);
    }
}

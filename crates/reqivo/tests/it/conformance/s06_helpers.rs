//! Small helpers.

use reqivo::{Url, basic_auth_header, bearer_auth_header};
use testkit::{Reply, Server};

use super::super::Session;

scenarios! {
    /// basic auth header: the base64 of user and password in UTF-8; no colon in the name, no control characters.
    fn basic_auth_header_is_base64_and_refuses_what_cannot_be_told_apart() {
        assert_eq!(basic_auth_header("Aladdin", "open sesame").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic_auth_header("test", "123\u{a3}").unwrap(), "Basic dGVzdDoxMjPCow==");
        assert_eq!(basic_auth_header("", "").unwrap(), "Basic Og==");
        assert_eq!(basic_auth_header("a", "b:c").unwrap(), "Basic YTpiOmM=");
        for (user, password) in [("a:b", "c"), ("a\nb", "c"), ("a", "c\0"), ("a", "\u{7f}"), ("\u{85}", "")] {
            let error = basic_auth_header(user, password).unwrap_err();
            assert!(error.is_builder(), "{error}");
        }
        let server = Server::start(|_| Reply::ok(""));
        wait!(Session::new().get(server.url("/")).basic_auth("test", "123\u{a3}").send()).unwrap();
        assert_eq!(server.only_request().header("authorization"), Some("Basic dGVzdDoxMjPCow=="));
    }

    /// bearer header.
    fn bearer_header_is_the_token() {
        assert_eq!(bearer_auth_header("abc.def").unwrap(), "Bearer abc.def");
        for token in ["", " ", "a\r\nb: c", "a\0"] {
            assert!(bearer_auth_header(token).unwrap_err().is_builder(), "{token:?}");
        }
        let server = Server::start(|_| Reply::ok(""));
        let session = Session::new();
        wait!(session.get(server.url("/")).bearer_auth("abc.def").send()).unwrap();
        assert_eq!(server.only_request().header("authorization"), Some("Bearer abc.def"));
        assert!(wait!(session.get(server.url("/")).bearer_auth("a\r\nb: c").send()).unwrap_err().is_builder());
        assert_eq!(server.requests().len(), 1);
    }

    /// URL view: scheme, host in lower case, port only when it is not the usual one, path, query as pairs.
    fn a_url_shows_its_parts() {
        let url = Url::parse("HTTP://User@EXAMPLE.org:8080/a%20b/../c;d?x=1&y=%26&x=+#f").unwrap();
        assert_eq!((url.scheme(), url.host_str(), url.port(), url.path()), ("http", Some("example.org"), Some(8080), "/c;d"));
        let query: Vec<_> = url.query_pairs().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(query, ["x=1", "y=&", "x= "]);
        let six = Url::parse("https://[2001:DB8::1]").unwrap();
        assert_eq!(six.host(), Some(url::Host::Ipv6("2001:db8::1".parse().unwrap())));
        assert_eq!((six.port(), six.port_or_known_default(), six.path()), (None, Some(443), "/"));
    }

    /// URL validator: an address is parsed, and a malformed one is refused before any IO.
    fn malformed_addresses_are_refused() {
        let session = Session::new();
        for address in ["", "http://", "https:///path", "no scheme", "http://[::1", "http://a:99999/", "http://a b/", "ftp://a/", "ws://a/"] {
            let error = wait!(session.get(address).send()).unwrap_err();
            assert!(error.is_builder() && !error.may_have_been_processed(), "{address}: {error}");
        }
    }
}

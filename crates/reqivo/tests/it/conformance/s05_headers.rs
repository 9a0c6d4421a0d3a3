//! Header fields as a type.

use std::collections::{BTreeMap, HashMap};

use reqivo::Headers;
use testkit::{Reply, Server};

use super::super::Session;

/// The fields of a reply that came over the wire.
macro_rules! received {
    ($fields:expr) => {{
        let mut head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n".to_vec();
        head.extend_from_slice($fields);
        head.extend_from_slice(b"\r\n");
        let server = Server::replies([Reply::raw(head)]);
        let response = wait!(Session::new().get(server.url("/")).send()).unwrap();
        let mut headers = response.headers().clone();
        assert_eq!(headers.remove("content-length"), 1);
        headers
    }};
}

scenarios! {
    /// lookup: case-insensitive; a repeated field: joined with comma and space, in order of arrival.
    fn lookup_ignores_case_and_joins_repeated_values() {
        let headers = received!(b"Vary: a\r\nX: 1\r\nvary:b, c\r\nVARY:  \t d\t\r\n");
        for name in ["vary", "Vary", "VARY", "vArY"] {
            assert_eq!(headers.get(name).as_deref(), Some("a, b, c, d"));
            assert!(headers.contains(name));
        }
    }

    /// Set-Cookie lookup: only the first value, never joined.
    fn of_set_cookie_the_first_is_looked_up() {
        let headers = received!(b"Set-Cookie: a=1, b\r\nset-cookie: c=2\r\n");
        assert_eq!(headers.get("SET-COOKIE").as_deref(), Some("a=1, b"));
        assert_eq!(headers.get_all("set-cookie").collect::<Vec<_>>(), [&b"a=1, b"[..], b"c=2"]);
    }

    /// get with a default: the default when it is missing, also when there is an empty field. get_all: in order, or empty.
    fn missing_fields_have_a_default_or_are_none() {
        let headers = received!(b"Empty:\r\nA: 1\r\na: 2\r\n");
        assert_eq!(headers.get_or("a", "x"), "1, 2");
        assert_eq!(headers.get_or("empty", "x"), "");
        assert_eq!(headers.get_or("missing", "x"), "x");
        assert_eq!((headers.get("missing"), headers.get_bytes("missing")), (None, None));
        assert_eq!(headers.get_all("a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(headers.get_all("missing").count(), 0);
    }

    /// iteration and length: each distinct name once, in lower case.
    fn distinct_names_are_counted_once() {
        let headers = received!(b"X-B: 1\r\nX-A: 2\r\nx-b: 3\r\n");
        assert_eq!((headers.names(), headers.len()), (vec!["x-b".to_owned(), "x-a".to_owned()], 2));
        assert!(!headers.is_empty());
        // Each field as it came, too.
        let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["X-B=1", "X-A=2", "x-b=3"]);
    }

    /// construction: from names with a value, or with a list of values.
    fn headers_are_made_from_maps_and_lists() {
        let server = Server::start(|_| Reply::ok(""));
        let lists = BTreeMap::from([("Multi", vec!["1", "2"]), ("None", vec![]), ("Single", vec!["3"])]);
        let headers = Headers::from_lists(lists).unwrap();
        assert_eq!((headers.len(), headers.get("multi").as_deref()), (2, Some("1, 2")));
        let pairs = Headers::from_pairs(HashMap::from([("X-Map".to_owned(), b"\xff".to_vec())])).unwrap();
        wait!(Session::new().get(server.url("/")).headers(&headers).headers(&pairs).send()).unwrap();
        let seen = server.only_request();
        assert_eq!(seen.header_all("multi").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(seen.header("single"), Some("3"));
        assert!(seen.head.windows(8).any(|it| it == b"X-Map: \xff"));
        assert!(Headers::from_pairs([("a b", "1")]).unwrap_err().is_builder());
        assert!(Headers::from_pairs([("a", "1\r\nb: 2")]).unwrap_err().is_builder());
        assert!(Headers::from_lists([("a b", Vec::<&str>::new())]).is_err());
    }

    /// mutation: insert, append, remove; the order stays.
    fn fields_can_be_changed_and_keep_their_order() {
        let mut headers = received!(b"A: 1\r\nB: 2\r\na: 3\r\nC: 4\r\n");
        headers.append("b", "5").unwrap();
        assert_eq!(headers.remove("A"), 2);
        assert_eq!(headers.remove("A"), 0);
        headers.insert("c", "6").unwrap();
        let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["B=2", "b=5", "c=6"]);
    }

    /// values: bytes stay as they are; as text they are UTF-8 when that is valid, else ISO-8859-1.
    fn values_are_bytes_with_a_view_as_text() {
        let headers = received!(b"Utf: \xc3\xa4\r\nLatin: \xe4\r\nMixed: \xc3\xa4\xe4\r\n");
        assert_eq!(headers.get("utf").as_deref(), Some("\u{e4}"));
        assert_eq!(headers.get("latin").as_deref(), Some("\u{e4}"));
        assert_eq!(headers.get("mixed").as_deref(), Some("\u{c3}\u{a4}\u{e4}"));
        assert_eq!(headers.get_bytes("mixed"), Some(&b"\xc3\xa4\xe4"[..]));
        let bytes: Vec<_> = headers.iter_bytes().collect();
        assert_eq!(bytes[1], ("Latin", &b"\xe4"[..]));
    }

    /// To and from the type of the `http` crate nothing is lost but the case of the names.
    fn headers_convert_to_those_of_the_http_crate() {
        let headers = received!(b"X-B: 1\r\nA: \xff\r\nx-b: 2\r\nE:\r\n");
        let map = http::HeaderMap::from(&headers);
        assert_eq!(map.get_all("x-b").iter().map(|it| it.as_bytes()).collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!((map.len(), map["a"].as_bytes(), map["e"].as_bytes()), (4, &b"\xff"[..], &b""[..]));
        let back = Headers::from(&map);
        let sorted = |headers: &Headers| {
            let fields = headers.iter_bytes().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()));
            let mut fields: Vec<_> = fields.collect();
            fields.sort();
            fields
        };
        assert_eq!(sorted(&back), sorted(&headers));
    }
}

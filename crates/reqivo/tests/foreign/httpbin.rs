//! httpbin: what was sent, as an independent server saw it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqivo::multipart::{Form, Part};
use reqivo::{Body, TimeLimit, Timeouts};
use serde_json::{Value, json};

use super::{MISSING, Setup, both, both_with, runtime};

/// httpbin under gunicorn, killed on drop.
struct Httpbin {
    process: Child,
    base: String,
}

impl Httpbin {
    fn start() -> Self {
        let mut process = Command::new("gunicorn")
            .args([
                "--bind",
                "127.0.0.1:0",
                "--workers",
                "1",
                "--threads",
                "4",
                "httpbin:app",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect(MISSING);
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let base = log
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                Some(
                    line.split_once("Listening at: ")?
                        .1
                        .split_once(' ')?
                        .0
                        .to_owned(),
                )
            })
            .expect("gunicorn names its address");
        std::thread::spawn(move || log.for_each(drop));
        Self { process, base }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

impl Drop for Httpbin {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_sees_what_was_sent_and_is_read_the_same_on_both_faces() {
    let bin = Httpbin::start();
    let echo = both(
        "GET",
        &bin.url("/get?a=1&b=two%20words&a=3"),
        &[("x-test", "yes")],
        None,
    )
    .json();
    assert_eq!(echo["args"]["a"], serde_json::json!(["1", "3"]));
    assert_eq!(echo["args"]["b"], "two words");
    assert_eq!(echo["headers"]["X-Test"], "yes");

    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let url = bin.url(&format!("/{}", method.to_lowercase()));
        let echo = both(
            method,
            &url,
            &[("content-type", "text/plain")],
            Some("grüße"),
        )
        .json();
        assert_eq!(echo["data"], "grüße", "{method}");
        assert_eq!(echo["headers"]["Content-Length"], "7", "{method}");
    }

    assert_eq!(
        both("GET", &bin.url("/gzip"), &[], None).json()["gzipped"],
        true
    );
    assert_eq!(
        both("GET", &bin.url("/stream/7"), &[], None)
            .body
            .iter()
            .filter(|b| **b == b'\n')
            .count(),
        7
    );
    assert_eq!(
        both("GET", &bin.url("/range/5000"), &[], None).body.len(),
        5000
    );

    let redirected = both("GET", &bin.url("/redirect/3"), &[], None);
    assert_eq!((redirected.status, redirected.redirects), (200, 3));
    for status in [200, 204, 304, 404, 418, 500, 503] {
        assert_eq!(
            both("GET", &bin.url(&format!("/status/{status}")), &[], None).status,
            status
        );
    }
    let unicode = both("GET", &bin.url("/encoding/utf8"), &[], None);
    assert!(
        String::from_utf8(unicode.body)
            .unwrap()
            .contains("∮ E⋅da = Q")
    );
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_codings_credentials_and_redirects() {
    let bin = Httpbin::start();
    for (path, member) in [
        ("/gzip", "gzipped"),
        ("/deflate", "deflated"),
        ("/brotli", "brotli"),
    ] {
        let seen = both("GET", &bin.url(path), &[], None);
        assert_eq!(seen.json()[member], true, "{path}");
    }
    let known = |login: &str, path: &str| {
        let url = bin.url(path).replace("//", &format!("//{login}"));
        both("GET", &url, &[], None).status
    };
    // Credentials of the URL.
    assert_eq!(
        known("us%40er:pa%3Ass@", "/basic-auth/us%40er/pa%3Ass"),
        200
    );
    assert_eq!(known("user:wrong@", "/basic-auth/user/passwd"), 401);
    assert_eq!(known("", "/basic-auth/user/passwd"), 401);
    assert_eq!(known("user:passwd@", "/hidden-basic-auth/user/passwd"), 200);
    let bearer = [("authorization", "Bearer abc")];
    let seen = both("GET", &bin.url("/bearer"), &bearer, None).json();
    assert_eq!(seen["token"], "abc");

    for path in ["/absolute-redirect/2", "/relative-redirect/2"] {
        let seen = both("GET", &bin.url(path), &[], None);
        assert_eq!((seen.status, seen.redirects), (200, 2), "{path}");
    }
    for (status, method) in [(302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let to = bin.url("/anything");
        let url = bin.url(&format!("/redirect-to?url={to}&status_code={status}"));
        let seen = both("POST", &url, &[], Some("sent again")).json();
        assert_eq!(seen["method"], method, "{status}");
        let body = if method == "POST" { "sent again" } else { "" };
        assert_eq!(seen["data"], body, "{status}");
    }
    let setup = Setup::default();
    let error = both_with(&setup, "GET", &bin.url("/redirect/40"), &[], None).unwrap_err();
    assert!(error.is_too_many_redirects(), "{error}");
}

/// Both faces of one use of httpbin that goes beyond a single exchange.
macro_rules! on_both_faces {
    (|$session:ident, $builder:ident| $body:block) => {{
        macro_rules! wait {
            ($future:expr) => {
                $future.await
            };
        }
        runtime().block_on(async {
            let $builder = || reqivo::Session::builder().ignore_environment();
            let $session = $builder().build().unwrap();
            $body
        });
        macro_rules! wait {
            ($value:expr) => {
                $value
            };
        }
        let $builder = || reqivo::blocking::Session::builder().ignore_environment();
        let $session = $builder().build().unwrap();
        $body
    }};
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_cookies_come_back_until_they_are_deleted() {
    let bin = Httpbin::start();
    on_both_faces!(|session, _builder| {
        let set = session.get(bin.url("/cookies/set?a=1&b=two")).send();
        let seen: Value = wait!(wait!(set).unwrap().json()).unwrap();
        assert_eq!(seen["cookies"], json!({"a": "1", "b": "two"}));
        let more = session
            .get(bin.url("/cookies"))
            .header("cookie", "c=3")
            .send();
        let seen: Value = wait!(wait!(more).unwrap().json()).unwrap();
        assert_eq!(seen["cookies"], json!({"a": "1", "b": "two", "c": "3"}));
        let deleted = session.get(bin.url("/cookies/delete?a")).send();
        let seen: Value = wait!(wait!(deleted).unwrap().json()).unwrap();
        assert_eq!(seen["cookies"], json!({"b": "two"}));
    });
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_bodies_stream_both_ways() {
    let bin = Httpbin::start();
    on_both_faces!(|session, _builder| {
        // Of unknown length, hence chunked.
        let pieces = (0..100).map(|at| Ok::<_, std::io::Error>(format!("piece {at}\n")));
        let sent = session
            .post(bin.url("/post"))
            .body(Body::iter(pieces))
            .send();
        let seen: Value = wait!(wait!(sent).unwrap().json()).unwrap();
        let lines: Vec<_> = seen["data"].as_str().unwrap().lines().collect();
        assert_eq!((lines.len(), lines[99]), (100, "piece 99"));
        assert_eq!(seen["headers"]["Transfer-Encoding"], "chunked");
        // A file of known length, and back into a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, "from a file").unwrap();
        let sent = session.put(bin.url("/put")).body(Body::file(&path)).send();
        let seen: Value = wait!(wait!(sent).unwrap().json()).unwrap();
        assert_eq!(seen["data"], "from a file");
        assert_eq!(seen["headers"]["Content-Length"], "11");
        let received = session.get(bin.url("/range/70000")).send();
        assert_eq!(wait!(wait!(received).unwrap().save(&path)).unwrap(), 70_000);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 70_000);
        // Piece by piece.
        let url = bin.url("/stream-bytes/100000?chunk_size=777");
        let mut response = wait!(session.get(url).send()).unwrap();
        let mut length = 0;
        while let Some(piece) = wait!(response.chunk()).unwrap() {
            length += piece.len();
        }
        assert_eq!(length, 100_000);
    });
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_is_slow_and_limits_end_it() {
    let bin = Httpbin::start();
    let short = Duration::from_millis(150);
    on_both_faces!(|_session, builder| {
        for (limits, path, limit) in [
            (Timeouts::none().read(short), "/delay/3", TimeLimit::Read),
            (
                Timeouts::none().first_byte(short),
                "/delay/3",
                TimeLimit::FirstByte,
            ),
            (Timeouts::none().total(short), "/delay/3", TimeLimit::Total),
            // The head comes at once, the body drips.
            (
                Timeouts::none().read(short),
                "/drip?duration=9&numbytes=3&delay=0",
                TimeLimit::Read,
            ),
        ] {
            let session = builder().timeout(limits).build().unwrap();
            let result = match wait!(session.get(bin.url(path)).send()) {
                Ok(mut response) => wait!(response.bytes()).map(drop),
                Err(error) => Err(error),
            };
            let error = result.unwrap_err();
            assert!(error.is_timeout(), "{path}: {error}");
            assert_eq!(error.time_limit(), Some(limit), "{path}: {error}");
            assert_eq!(session.pool_stats().open, 0);
        }
    });
}

#[test]
#[ignore = "needs httpbin: scripts/test --foreign"]
fn httpbin_takes_forms_apart() {
    let bin = Httpbin::start();
    on_both_faces!(|session, _builder| {
        let pairs = [("a", "1 & 2"), ("b", "\u{fc}=\u{df}"), ("a", "+")];
        let sent = session.post(bin.url("/post")).form(pairs).send();
        let seen: Value = wait!(wait!(sent).unwrap().json()).unwrap();
        assert_eq!(
            seen["form"],
            json!({"a": ["1 & 2", "+"], "b": "\u{fc}=\u{df}"})
        );
        let text = "\r\n--in the file--\r\n";
        let file = Part::bytes(text)
            .file_name("\u{fc} \"x\".txt")
            .content_type("text/plain");
        let form = Form::new().text("plain", "two\nlines").part("upload", file);
        let sent = session.post(bin.url("/post")).multipart(form).send();
        let seen: Value = wait!(wait!(sent).unwrap().json()).unwrap();
        assert_eq!(seen["form"]["plain"], "two\nlines");
        assert_eq!(seen["files"]["upload"], text);
        // A part of unknown length makes the whole chunked.
        let part = Part::reader(std::io::Cursor::new("x".repeat(100_000))).file_name("big");
        let form = Form::new().part("big", part);
        let sent = session.post(bin.url("/post")).multipart(form).send();
        let seen: Value = wait!(wait!(sent).unwrap().json()).unwrap();
        assert_eq!(seen["files"]["big"].as_str().map(str::len), Some(100_000));
        assert_eq!(seen["headers"]["Transfer-Encoding"], "chunked");
    });
}

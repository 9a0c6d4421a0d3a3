//! httpbin: what was sent, as an independent server saw it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{MISSING, both};

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

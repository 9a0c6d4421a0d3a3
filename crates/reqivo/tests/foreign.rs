//! Foreign peers: nginx from Debian and httpbin from PyPI, on loopback. Run by `scripts/test --foreign`, which installs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const MISSING: &str = "a foreign peer is missing: run scripts/test --foreign, which installs it";

/// What one face saw of a reply.
#[derive(PartialEq)]
struct Seen {
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
    redirects: usize,
}

impl Seen {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Sends the same request through both faces, checks that they agree, and returns what they saw.
fn both(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> Seen {
    macro_rules! send {
        ($session:expr, $send:ident, $bytes:ident $(, $await:tt)?) => {{
            let mut request = $session.request(method.parse().unwrap(), url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.body(body.to_owned());
            }
            let mut response = request.send()$(.$await)?.unwrap();
            Seen {
                status: response.status().as_u16(),
                content_type: response.headers().get("content-type").map(|value| value.to_string()),
                redirects: response.history().len(),
                body: response.bytes()$(.$await)?.unwrap().to_vec(),
            }
        }};
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let from_async = runtime.block_on(async { send!(reqivo::Session::new(), send, bytes, await) });
    let from_blocking = send!(reqivo::blocking::Session::new(), send, bytes);
    assert!(
        from_async == from_blocking,
        "the faces differ on {method} {url}"
    );
    from_async
}

/// nginx over a temporary folder, stopped on drop.
struct Nginx {
    folder: TempDir,
    port: u16,
}

impl Nginx {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let root = folder.path().display();
        let config = format!(
            "worker_processes 1; pid {root}/pid; error_log {root}/error.log;
             events {{ worker_connections 64; }}
             http {{
               access_log {root}/access.log; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
               gzip on; gzip_min_length 100; gzip_types text/plain; default_type text/plain; keepalive_requests 5;
               log_format c '$connection'; access_log {root}/connections.log c;
               server {{
                 listen 127.0.0.1:{port}; root {root}/www;
                 location /moved {{ return 301 /plain.txt; }}
                 location /loop {{ return 302 /loop; }}
                 location /gone {{ return 410 'gone'; }}
                 location /empty {{ return 204; }}
               }}
             }}"
        );
        std::fs::create_dir(folder.path().join("www")).unwrap();
        std::fs::write(
            folder.path().join("www/plain.txt"),
            "line of text\n".repeat(4000),
        )
        .unwrap();
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let nginx = Self { folder, port };
        nginx.run(&[]);
        nginx
    }

    /// Runs nginx with the configuration; the starting command returns once the sockets listen.
    fn run(&self, arguments: &[&str]) {
        let conf = self.folder.path().join("nginx.conf");
        // A daemon keeps inherited streams open, so they go nowhere.
        let status = Command::new("nginx")
            .args([
                "-p".as_ref(),
                self.folder.path().as_os_str(),
                "-c".as_ref(),
                conf.as_os_str(),
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect(MISSING);
        assert!(status.success(), "nginx {arguments:?}: {status}");
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The distinct connections that nginx has seen.
    fn connections(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("connections.log")).unwrap();
        log.lines().collect::<std::collections::BTreeSet<_>>().len()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.run(&["-s", "stop"]);
    }
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_bodies_ranges_and_statuses_read_the_same_on_both_faces() {
    let nginx = Nginx::start();
    let text = "line of text\n".repeat(4000).into_bytes();
    // Offered gzip is decoded; the file comes back as it is on disk.
    let plain = [("accept-encoding", "identity")];
    assert!(both("GET", &nginx.url("/plain.txt"), &[], None).body == text);
    assert!(both("GET", &nginx.url("/plain.txt"), &plain, None).body == text);
    let head = both("HEAD", &nginx.url("/plain.txt"), &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    // nginx gives no ranges of what it compresses on the way.
    let range = [("range", "bytes=5-11"), ("accept-encoding", "identity")];
    let part = both("GET", &nginx.url("/plain.txt"), &range, None);
    assert_eq!((part.status, part.text()), (206, "of text"));
    assert_eq!(both("GET", &nginx.url("/nothing"), &[], None).status, 404);
    assert_eq!(both("GET", &nginx.url("/gone"), &[], None).text(), "gone");
    assert_eq!(both("GET", &nginx.url("/empty"), &[], None).text(), "");
    let moved = both("GET", &nginx.url("/moved"), &[], None);
    assert!(moved.body == text);
    assert_eq!(moved.redirects, 1);
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_keep_alive_is_used_and_its_limit_respected() {
    let nginx = Nginx::start();
    let session = reqivo::blocking::Session::new();
    for _ in 0..20 {
        assert_eq!(
            session
                .get(nginx.url("/plain.txt"))
                .send()
                .unwrap()
                .bytes()
                .unwrap()
                .len(),
            52_000
        );
    }
    drop(session);
    // nginx closes each connection after five requests.
    assert_eq!(nginx.connections(), 4);
}

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

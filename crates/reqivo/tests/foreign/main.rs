//! Foreign peers on loopback: nginx, tinyproxy, microsocks and dante from Debian, httpbin from PyPI. Run by
//! `scripts/test --foreign`, which installs them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod httpbin;
mod nginx;
mod proxies;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use reqivo::{Error, Proxy, TlsConfig};
use serde_json::Value;

const MISSING: &str = "a foreign peer is missing: run scripts/test --foreign, which installs it";

/// How a session differs from the default one.
#[derive(Clone, Default)]
struct Setup {
    proxy: Option<Proxy>,
    tls: Option<TlsConfig>,
}

/// What one face saw of a reply.
#[derive(Debug, PartialEq)]
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
    both_with(&Setup::default(), method, url, headers, body).unwrap()
}

/// The same with settings of the session; errors agree in kind, phase, status and text.
fn both_with(
    setup: &Setup,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Result<Seen, Error> {
    macro_rules! send {
        ($builder:expr $(, $await:tt)?) => {{
            let mut builder = $builder.ignore_environment();
            if let Some(proxy) = &setup.proxy {
                builder = builder.proxy(proxy.clone());
            }
            if let Some(tls) = &setup.tls {
                builder = builder.tls(tls.clone());
            }
            let session = builder.build().unwrap();
            let mut request = session.request(method.parse().unwrap(), url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.body(body.to_owned());
            }
            let mut response = request.send()$(.$await)??;
            Ok(Seen {
                status: response.status().as_u16(),
                content_type: response.headers().get("content-type").map(|value| value.to_string()),
                redirects: response.history().len(),
                body: response.bytes()$(.$await)??.to_vec(),
            })
        }};
    }
    let from_async: Result<Seen, Error> =
        runtime().block_on(async { send!(reqivo::Session::builder(), await) });
    let from_blocking = (|| send!(reqivo::blocking::Session::builder()))();
    let told = |result: &Result<Seen, Error>| match result {
        Ok(_) => None,
        Err(error) => Some((
            error.kind(),
            error.phase(),
            error.status(),
            error.to_string(),
        )),
    };
    assert!(
        from_async.as_ref().ok() == from_blocking.as_ref().ok()
            && told(&from_async) == told(&from_blocking),
        "the faces differ on {method} {url}: {from_async:?} {from_blocking:?}"
    );
    from_async
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program in the foreground, killed on drop.
struct Program(Child);

impl Program {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Self {
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(MISSING);
        let mut program = Self(process);
        testkit::eventually("the program listens", || {
            assert!(
                program.0.try_wait().unwrap().is_none(),
                "it ended: {command:?}"
            );
            TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
        });
        program
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

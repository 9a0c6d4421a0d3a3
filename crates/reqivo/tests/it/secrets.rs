//! No output of a full run shows a secret.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use reqivo::{Proxy, RequestHead};
use testkit::{Proxy as TestProxy, Reply, Server, Watchdog};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down everything that is said.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Everything {
    fn add(&self, what: impl FnOnce(&mut Line)) {
        let mut line = Line(String::new());
        what(&mut line);
        let mut all = self.0.lock().unwrap();
        all.push_str(&line.0);
        all.push('\n');
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.add(|line| {
            line.0.push_str(span.metadata().name());
            line.0.push(' ');
            span.record(line);
        });
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.add(|line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.add(|line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A full run of one face; the faces differ only in whether they await.
macro_rules! run {
    ($face:ident, $said:expr $(, $await:tt)?) => {{
        let said: Everything = $said;
        let server = Server::start(|request| match request.path() {
            "/login" => Reply::empty(302).header("Location", "/home?key=s3cret-query").header("Set-Cookie", "id=s3cret-cookie"),
            "/broken" => Reply::ok("s3cret-body").truncated(3),
            _ => Reply::ok("s3cret-body").header("Set-Cookie", "other=s3cret-other"),
        });
        let proxy = TestProxy::http().login("user", "s3cret-proxy").start();
        let proxy_url = proxy.url().replace("://", "://user:s3cret-proxy@");
        let events = said.clone();
        let session = $face::Session::builder()
            .sensitive_header("X-Key", "s3cret-key")
            .proxy(Proxy::all(&proxy_url).unwrap())
            .proxy_loopback()
            .pre_request_hook(|head: RequestHead| Ok(head))
            .on_event(move |event| events.add(|line| write!(line.0, "{event:?}").unwrap()))
            .build()
            .unwrap();
        session.set_bearer_auth("s3cret-token").unwrap();
        let login = server.url("/login").replace("://", "://user:s3cret-password@");
        for url in [login, server.url("/login"), server.url("/broken"), "https://nowhere.invalid/".to_owned()] {
            let request = session.get(url).header("Cookie", "own=s3cret-own");
            said.add(|line| write!(line.0, "{request:?}").unwrap());
            match request.send()$(.$await)? {
                Ok(mut response) => {
                    said.add(|line| write!(line.0, "{response:?} {:?}", response.history()).unwrap());
                    if let Err(error) = response.bytes()$(.$await)? {
                        said.add(|line| write!(line.0, "{error} {error:?}").unwrap());
                    }
                }
                Err(error) => said.add(|line| write!(line.0, "{error} {error:?}").unwrap()),
            }
        }
        said.add(|line| write!(line.0, "{session:?} {:?}", session.stats()).unwrap());
        assert!(!proxy.visits().is_empty() && server.requests().len() >= 5);
        said.text()
    }};
}

fn check(said: &str, traced: &str) {
    // The run says what it did.
    for part in [
        "Sent",
        "Redirected",
        "Failed",
        "BodyEnd",
        "(hidden)",
        "/login",
    ] {
        assert!(said.contains(part), "nothing says {part}: {said}");
    }
    for part in [
        "request ",
        "method=",
        "host=",
        "status=",
        "error=",
        "connected",
        "redirect",
    ] {
        assert!(traced.contains(part), "no trace of {part}: {traced}");
    }
    // A query belongs to the URL where that is shown, which traces never do.
    let names = [
        "password", "cookie", "other", "proxy", "key", "token", "own", "body",
    ];
    for secret in names.map(|name| format!("s3cret-{name}")) {
        let line = said.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
    for part in ["s3cret", "/login", "/home"] {
        let line = traced.lines().find(|line| line.contains(part));
        assert_eq!(line, None, "{part}");
    }
    // In base64 they would not be found in plain.
    for shown in [said, traced] {
        assert!(!shown.contains("Basic ") && !shown.contains("Bearer "));
    }
}

#[tokio::test]
async fn no_output_of_the_async_face_shows_a_secret() {
    let _watchdog = Watchdog::start();
    let traced = Everything::default();
    // While there is only one, other threads decide for it what is enabled.
    let second = tracing::Dispatch::new(Everything::default());
    let guard = tracing::subscriber::set_default(traced.clone());
    let said = run!(reqivo, Everything::default(), await);
    drop((guard, second));
    check(&said, &traced.text());
}

#[test]
fn no_output_of_the_blocking_face_shows_a_secret() {
    use reqivo::blocking;

    let _watchdog = Watchdog::start();
    let traced = Everything::default();
    // While there is only one, other threads decide for it what is enabled.
    let second = tracing::Dispatch::new(Everything::default());
    let guard = tracing::subscriber::set_default(traced.clone());
    let said = run!(blocking, Everything::default());
    drop((guard, second));
    check(&said, &traced.text());
}

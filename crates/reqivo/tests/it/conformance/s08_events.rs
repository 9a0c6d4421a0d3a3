//! K6: events, and that they never show secrets.

use std::sync::{Arc, Mutex};

use reqivo::events::{Event, EventKind};
use testkit::{Authority, Reply, Script, Server};

use super::super::Session;

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down the kind of each event, and all there is to see of it.
fn listener(log: &Log, all: &Log) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let (log, all) = (Arc::clone(log), Arc::clone(all));
    move |event| {
        let debug = format!("{:?}", event.kind);
        let name = debug.split([' ', '{']).next().unwrap_or_default();
        log.lock()
            .unwrap()
            .push(format!("{} {} {name}", event.call, event.redirects));
        all.lock().unwrap().push(format!("{event:?}"));
    }
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

scenarios! {
    /// K6: pool wait, DNS, connect, request sent, first byte, head, body end, redirect: in this order, call by call.
    fn k6_events_tell_a_call_step_by_step() {
        let server = Server::start(|request| match request.path() {
            "/moved" => Reply::empty(302).header("Location", "/large"),
            "/large" => Reply::ok(vec![b'x'; 100_000]),
            _ => Reply::ok("small"),
        });
        let (log, all) = (Log::default(), Log::default());
        let session = Session::builder().on_event(listener(&log, &all)).build().unwrap();
        wait!(session.get(server.localhost_url("/")).send()).unwrap();
        assert_eq!(
            taken(&log),
            ["1 0 Acquired", "1 0 Resolved", "1 0 Connected", "1 0 Sent", "1 0 FirstByte", "1 0 Answered", "1 0 BodyEnd"]
        );
        let mut response = wait!(session.get(server.localhost_url("/moved")).send()).unwrap();
        wait!(response.bytes()).unwrap();
        assert_eq!(
            taken(&log),
            [
                "2 0 Acquired", "2 0 Sent", "2 0 FirstByte", "2 0 Answered", "2 0 BodyEnd", "2 0 Redirected",
                "2 1 Acquired", "2 1 Sent", "2 1 FirstByte", "2 1 Answered", "2 1 BodyEnd",
            ]
        );
        let all = taken(&all).join("\n");
        for part in ["reused: true", "reused: false", "status: 302", "method: GET", "host: \"localhost\"", "/large"] {
            assert!(all.contains(part), "{part}");
        }
    }

    /// K6: TLS, repeats and errors.
    fn k6_events_tell_of_tls_repeats_and_errors() {
        let authority = Authority::new();
        let server = Server::builder().tls(authority.good()).connections([
            vec![Script::from(Reply::ok("one")), Script::new().reset()],
            vec![Script::from(Reply::ok("0123456789").truncated(3))],
        ]);
        let (log, all) = (Log::default(), Log::default());
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der()).only_added_roots();
        let session = Session::builder().tls(tls).on_event(listener(&log, &all)).build().unwrap();
        wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(
            taken(&log),
            ["1 0 Acquired", "1 0 Connected", "1 0 Secured", "1 0 Sent", "1 0 FirstByte", "1 0 Answered", "1 0 BodyEnd"]
        );
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.bytes()).is_err());
        assert_eq!(
            taken(&log),
            [
                "2 0 Acquired", "2 0 Sent", "2 0 Repeated", "2 0 Acquired", "2 0 Connected", "2 0 Secured",
                "2 0 Sent", "2 0 FirstByte", "2 0 Answered", "2 0 Failed",
            ]
        );
        let url = format!("http://{}/", testkit::refused_addr());
        assert!(wait!(session.get(url).send()).is_err());
        assert_eq!(taken(&log), ["3 0 Acquired", "3 0 Failed"]);
        assert_eq!(session.stats().repeats, 1);
    }

    /// K6: secrets are hidden unless they are asked for.
    fn k6_events_hide_secrets_unless_asked() {
        let server = Server::start(|request| match request.path() {
            "/" => Reply::empty(302).header("Location", "/next").header("Set-Cookie", "id=s3cret-cookie"),
            _ => Reply::ok("x"),
        });
        let (log, hidden, shown) = (Log::default(), Log::default(), Log::default());
        let session = Session::builder()
            .sensitive_header("X-Api-Key", "s3cret-key")
            .on_event(listener(&log, &hidden))
            .on_event_with_secrets({
                let shown = Arc::clone(&shown);
                move |event| {
                    let (EventKind::Sent { headers, .. } | EventKind::Answered { headers, .. }) = &event.kind else {
                        return;
                    };
                    let fields = headers.iter().map(|(name, value)| format!("{name}: {value}"));
                    shown.lock().unwrap().extend(fields);
                }
            })
            .build()
            .unwrap();
        let url = server.url("/").replace("http://", "http://user:s3cret-password@");
        let request = session.get(url).header("Cookie", "a=s3cret-own").header("Proxy-Authorization", "s3cret-proxy");
        wait!(request.send()).unwrap();
        let hidden = taken(&hidden).join("\n");
        assert!(!hidden.contains("s3cret") && hidden.contains("(hidden)"), "{hidden}");
        // Basic credentials would not be found in plain.
        assert!(!hidden.contains("Basic "), "{hidden}");
        let shown = taken(&shown).join("\n");
        for secret in ["s3cret-key", "s3cret-cookie", "s3cret-own", "s3cret-proxy", "Authorization: Basic "] {
            assert!(shown.contains(secret), "{secret}: {shown}");
        }
    }
}

//! Hooks.

use std::sync::{Arc, Mutex};

use reqivo::{Error, ErrorKind, Method, RequestHead};
use testkit::{Gate, Reply, Request, Server};

use super::super::{Response, Session};

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, text: impl Into<String>) {
    log.lock().unwrap().push(text.into());
}

fn notes(log: &Log) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

/// The fields of both, merged, in one line.
fn shown(head: &RequestHead) -> String {
    let mut fields: Vec<_> = head
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={value}").to_ascii_lowercase())
        .collect();
    fields.sort();
    format!("{} {} {}", head.method, head.url.path(), fields.join(","))
}

scenarios! {
    /// K1: merged input, changed output, first in first out; K2: the connection is chosen afterwards.
    fn k1_k2_hooks_change_a_request_in_turn_before_its_connection_is_chosen() {
        let target = Server::start(|request: &Request| Reply::ok(format!("{} {}", request.method, request.text())));
        let closed = format!("http://{}/asked", testkit::refused_addr());
        let log = Log::default();
        let (first, second) = (log.clone(), log.clone());
        let url = target.url("/changed?x=1");
        let session = Session::builder()
            .header("X-Session", "s")
            .header("X-Both", "session")
            .bearer_auth("token")
            .pre_request_hook(move |mut head: RequestHead| {
                note(&first, shown(&head));
                head.method = Method::PUT;
                head.url = url.parse().unwrap();
                head.headers.insert("X-Hook", "1")?;
                let _ = head.headers.remove("x-session");
                Ok(head)
            })
            .build()
            .unwrap();
        session.add_pre_request_hook(move |mut head: RequestHead| {
            note(&second, shown(&head));
            head.headers.append("X-Hook", "2")?;
            Ok(head)
        });
        let call = session.post(closed).body("body").header("x-both", "call");
        let mut response = wait!(call.send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "PUT body");
        assert_eq!((response.method(), response.url().query()), (&Method::PUT, Some("x=1")));
        assert_eq!(
            notes(&log),
            [
                "POST /asked authorization=bearer token,x-both=call,x-session=s",
                "PUT /changed authorization=bearer token,x-both=call,x-hook=1",
            ]
        );
        let seen = target.only_request();
        assert_eq!(seen.header_all("x-hook").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(seen.header("x-session"), None);
        assert_eq!(seen.header("x-both"), Some("call"));
        assert_eq!(seen.header("authorization"), Some("Bearer token"));
        assert_eq!(seen.header("host"), Some(target.addr().to_string().as_str()));
    }

    /// K1: what a hook does to credentials, cookies and bodies.
    fn k1_hooks_have_the_last_word_on_credentials_and_see_the_type_of_the_body() {
        let server = Server::start(|_| Reply::ok(""));
        let url = server.url("/");
        let sent = |name: &str| server.requests().pop().unwrap().header(name).map(str::to_owned);
        let hooked = |hook: fn(&mut RequestHead)| {
            Session::builder()
                .bearer_auth("session")
                .pre_request_hook(move |mut head: RequestHead| {
                    hook(&mut head);
                    Ok(head)
                })
                .build()
                .unwrap()
        };
        let session = hooked(|head| drop(head.headers.insert("Authorization", "hook")));
        wait!(session.get(&url).send()).unwrap();
        assert_eq!(sent("authorization").as_deref(), Some("hook"));
        let session = hooked(|head| assert!(head.headers.remove("authorization") == 1));
        wait!(session.get(&url).send()).unwrap();
        assert_eq!(sent("authorization"), None);
        let session = hooked(|head| {
            let _ = head.url.set_username("u");
            let _ = head.url.set_password(Some("p"));
        });
        wait!(session.get(&url).send()).unwrap();
        assert_eq!(sent("authorization").as_deref(), Some("Basic dTpw"));
        let session = hooked(|head| assert_eq!(head.headers.get("content-type").as_deref(), Some("application/json")));
        session.cookies().unwrap().set(&url, "a", "1").unwrap();
        wait!(session.post(&url).json(&[1]).send()).unwrap();
        assert_eq!(sent("content-type").as_deref(), Some("application/json"));
        assert_eq!(sent("cookie").as_deref(), Some("a=1"));
        assert_eq!(server.requests().pop().unwrap().header_all("content-type").count(), 1);
    }

    /// K1: a hook cannot break the rules for addresses and fields.
    fn k1_what_hooks_return_is_checked() {
        let server = Server::start(|_| Reply::ok(""));
        let session = Session::builder()
            .pre_request_hook(|mut head: RequestHead| {
                head.url = "ftp://127.0.0.1/".parse().unwrap();
                Ok(head)
            })
            .build()
            .unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Builder, "{error}");
        let session = Session::builder()
            .pre_request_hook(|mut head: RequestHead| {
                head.headers.append("Transfer-Encoding", "chunked")?;
                Ok(head)
            })
            .build()
            .unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Builder, "{error}");
        assert_eq!(server.connections().opened, 0);
    }

    /// K3: the final response only, after its cookies were stored, in order; what a hook returns is what the caller gets.
    fn k3_hooks_get_the_final_response_and_may_replace_it() {
        let server = Server::start(|request: &Request| match request.path() {
            "/moved" => Reply::empty(302).header("Location", "/end").header("Set-Cookie", "hop=1"),
            path => Reply::ok(format!("body of {path}")).header("Set-Cookie", "end=1"),
        });
        let log = Log::default();
        let jar = reqivo::CookieJar::new();
        let builder = Session::builder().cookie_jar(jar.clone());
        let builder = after!(builder, [log, jar], |mut response| {
            note(&log, format!("first {} {} {}", response.url().path(), response.history().len(), jar.len()));
            assert_eq!(wait!(response.text()).unwrap(), "body of /end");
            Ok(response)
        });
        let builder = after!(builder, [log], |mut response| {
            note(&log, format!("second {}", wait!(response.text()).unwrap()));
            Ok(response)
        });
        let session = builder.build().unwrap();
        let mut response = wait!(session.get(server.url("/moved")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "body of /end", "it can be read again");
        assert_eq!(notes(&log), ["first /end 1 2", "second body of /end"]);

        // Another response in its place.
        let server = Server::start(|request: &Request| Reply::ok(request.target.clone()));
        let other = Session::new();
        let url = server.url("/replacement");
        let session = after!(Session::builder(), [other, url], |mut response| {
            assert_eq!(response.url().path(), "/asked");
            response = wait!(other.get(&url).send())?;
            Ok(response)
        });
        let session = session.build().unwrap();
        let mut response = wait!(session.get(server.url("/asked")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "/replacement");
    }

    /// K4: the error of a hook is that of the call, and nothing further runs.
    fn k4_a_failing_hook_ends_the_call() {
        let server = Server::start(|_| Reply::ok("body"));
        let log = Log::default();
        let (later, after) = (log.clone(), log.clone());
        let session = Session::builder()
            .pre_request_hook(|_: RequestHead| Err(Error::custom("no token for this tenant")))
            .pre_request_hook(move |head: RequestHead| {
                note(&later, "later");
                Ok(head)
            })
            .build()
            .unwrap();
        let error = wait!(session.get(server.url("/x")).send()).unwrap_err();
        assert!(error.is_custom() && error.to_string().ends_with("no token for this tenant"), "{error}");
        assert_eq!(error.url().map(|url| url.path().to_owned()).as_deref(), Some("/x"));
        assert!(!error.may_have_been_processed());
        assert_eq!((server.connections().opened, notes(&log).len()), (0, 0));

        let session = after!(Session::builder(), [], |mut response| {
            let text = wait!(response.text())?;
            Err(Error::custom(format!("refused {text}")))
        });
        let session = after!(session, [after], |response| {
            note(&after, "after");
            Ok(response)
        });
        let session = session.build().unwrap();
        for _ in 0..2 {
            let error = wait!(session.post(server.url("/")).send()).unwrap_err();
            assert!(error.is_custom() && error.to_string().ends_with("refused body"), "{error}");
            assert!(error.may_have_been_processed() && !error.is_safe_to_retry(), "{error}");
        }
        assert!(notes(&log).is_empty());
        // The body was read: the connection was used again.
        assert_eq!((session.pool_stats().created, session.pool_stats().in_use), (1, 0));
    }

    /// K4: the connection of a response that a failing hook did not read is closed.
    fn k4_the_connection_of_an_unread_response_is_closed() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |_| Reply::ok(vec![b'x'; 100_000]).hold_body(10, &held));
        let session = Session::new();
        add_failing(&session);
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_custom(), "{error}");
        gate.open();
        assert_eq!((session.pool_stats().open, session.pool_stats().in_use), (0, 0));
        // An error of this crate stays what it is.
        let session = after!(Session::builder(), [], |mut response| {
            response = wait!(response.error_for_status())?;
            Ok(response)
        });
        let session = session.build().unwrap();
        let server = Server::start(|_| Reply::ok("gone").status(410));
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert_eq!((error.kind(), error.status().map(|status| status.as_u16())), (ErrorKind::Status, Some(410)));
    }

    /// K5: plain closures on both faces, also for responses.
    fn k5_plain_closures_are_hooks() {
        let server = Server::start(|_| Reply::ok("body"));
        let log = Log::default();
        let (before, after) = (log.clone(), log.clone());
        let session = Session::builder()
            .pre_request_hook(move |head: RequestHead| {
                note(&before, "before");
                Ok(head)
            })
            .post_response_hook(move |response: Response| {
                note(&after, format!("after {}", response.status()));
                Ok(response)
            })
            .build()
            .unwrap();
        let mut response = wait!(session.get(server.url("/")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "body");
        assert_eq!(notes(&log), ["before", "after 200 OK"]);
        let request = http::Request::get(server.url("/")).body("").unwrap();
        wait!(session.execute(request)).unwrap();
        assert_eq!(notes(&log), ["before", "after 200 OK"]);
    }
}

fn add_failing(session: &Session) {
    session.add_post_response_hook(|_: Response| Err(Error::custom("not this one")));
}

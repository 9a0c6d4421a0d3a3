//! The facade.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqivo::{Error, Headers, Limits, Method, RequestHead};
use testkit::{Gate, Reply, Server};

use super::super::face::Reqivo;
use super::super::{Response, Session};

scenarios! {
    /// 19: base URL, default headers, and the verbs of a session.
    fn s19_the_facade_has_the_verbs_of_a_session() {
        let server = Server::start(|request| Reply::ok(request.target.clone()));
        let mut headers = Headers::new();
        headers.append("X-Many", "1").unwrap();
        let client = Reqivo::builder()
            .base_url(server.url("/v1/"))
            .header("X-One", "1")
            .headers(&headers)
            .build()
            .unwrap();
        wait!(client.get("a").send()).unwrap();
        wait!(client.head("a").send()).unwrap();
        wait!(client.options("a").send()).unwrap();
        wait!(client.post("a").body("x").send()).unwrap();
        wait!(client.put("a").body("x").send()).unwrap();
        wait!(client.patch("a").body("x").send()).unwrap();
        wait!(client.delete("a").send()).unwrap();
        wait!(client.request(Method::TRACE, "a").send()).unwrap();
        let requests = server.requests();
        let methods: Vec<&str> = requests.iter().map(|it| it.method.as_str()).collect();
        assert_eq!(methods, ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"]);
        for request in &requests {
            assert_eq!(request.target, "/v1/a");
            assert_eq!((request.header("x-one"), request.header("x-many")), (Some("1"), Some("1")));
        }
        assert_eq!(server.connections().opened, 1);
    }

    /// 19: the time limit and the limits of replies are those of the client; the default is 5 s.
    fn s19_limits_are_those_of_the_client() {
        let gate = Gate::new();
        let held = gate.clone();
        let server = Server::start(move |request| match request.path() {
            "/late" => Reply::ok("late").hold(&held),
            _ => Reply::ok("0123456789"),
        });
        let client = Reqivo::builder()
            .timeout(Duration::from_millis(50))
            .limits(Limits::default().buffered_bytes(9))
            .build()
            .unwrap();
        assert!(wait!(client.get(server.url("/late")).send()).unwrap_err().is_timeout());
        gate.open();
        let client = Reqivo::builder().limits(Limits::default().buffered_bytes(9)).build().unwrap();
        let mut response = wait!(client.get(server.url("/")).send()).unwrap();
        assert!(wait!(response.bytes()).unwrap_err().is_limit());
        assert!(Reqivo::builder().timeout(Duration::ZERO).build().unwrap_err().is_builder());
        assert!(Reqivo::builder().base_url("nonsense").build().unwrap_err().is_builder());
        assert!(Reqivo::builder().header("a b", "c").build().unwrap_err().is_builder());
    }

    /// 19, K1, K3: credentials and hooks return the client, so that they chain.
    fn s19_credentials_and_hooks_chain() {
        let server = Server::start(|_| Reply::ok("x"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let client = Reqivo::new()
            .basic_auth("user", "password")
            .unwrap()
            .on_request(|mut head: RequestHead| {
                head.headers.insert("X-Hook", "1")?;
                Ok(head)
            })
            .on_response({
                let seen = Arc::clone(&seen);
                move |response: Response| {
                    seen.lock().unwrap().push(response.status().as_u16());
                    Ok(response)
                }
            });
        wait!(client.get(server.url("/")).send()).unwrap();
        let client = client.bearer_token("token").unwrap();
        wait!(client.get(server.url("/")).send()).unwrap();
        let requests = server.requests();
        let auth = |at: usize| requests[at].header("authorization").map(str::to_owned);
        assert_eq!(auth(0).as_deref(), Some("Basic dXNlcjpwYXNzd29yZA=="));
        assert_eq!(auth(1).as_deref(), Some("Bearer token"));
        assert!(requests.iter().all(|request| request.header("x-hook") == Some("1")));
        assert_eq!(*seen.lock().unwrap(), [200, 200]);
        assert!(Reqivo::new().basic_auth("us:er", "p").unwrap_err().is_builder());
        let failing = Reqivo::new().on_request(|_| Err(Error::custom("no")));
        assert!(wait!(failing.get(server.url("/")).send()).unwrap_err().is_custom());
        assert!(!format!("{client:?}").contains("token"));
    }

    /// 19, N5: close closes what is idle and leaves the client usable; the end of its scope closes too, also after an error.
    fn s19_close_and_the_end_of_a_scope_close_connections() {
        let server = Server::start(|_| Reply::ok("x"));
        let client = Reqivo::new();
        wait!(client.get(server.url("/")).send()).unwrap();
        client.close();
        server.wait_until(|view| view.connections.closed == 1);
        wait!(client.get(server.url("/")).send()).unwrap();
        drop(client);
        server.wait_until(|view| view.connections.closed == 2);
        let failed: Result<(), Error> = {
            let client = Reqivo::new();
            wait!(client.get(server.url("/")).send()).unwrap();
            Err(Error::custom("on the way"))
        };
        assert!(failed.is_err());
        server.wait_until(|view| view.connections.closed == 3);
    }

    /// 19: the client is a session, and every session can be one.
    fn s19_a_session_and_a_client_are_one() {
        let server = Server::start(|_| Reply::ok("x"));
        let session = Session::builder().header("X-Session", "1").build().unwrap();
        let client = Reqivo::from(session.clone());
        wait!(client.get(server.url("/")).send()).unwrap();
        wait!(client.session().get(server.url("/")).send()).unwrap();
        assert_eq!((session.pool_stats().created, session.pool_stats().reused), (1, 1));
        assert!(server.requests().iter().all(|request| request.header("x-session") == Some("1")));
    }
}

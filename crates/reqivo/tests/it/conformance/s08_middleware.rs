//! K6: code of the user around every exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqivo::Error;
use reqivo::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};
use testkit::{Script, Server};

use super::super::Session;

/// Leaves a mark on the way out and another one on the way back.
struct Mark(&'static str);

impl Middleware for Mark {
    async fn handle(
        &self,
        mut request: HopRequest,
        mut next: Next<'_>,
    ) -> Result<HopResponse, Error> {
        request.headers_mut().append("X-Out", self.0)?;
        let mut response = next.run(request).await?;
        response.headers_mut().append("X-Back", self.0)?;
        Ok(response)
    }
}

/// Tries again, up to three times, when the server says that it is not ready.
struct Retry(Arc<AtomicUsize>);

impl Middleware for Retry {
    async fn handle(&self, request: HopRequest, mut next: Next<'_>) -> Result<HopResponse, Error> {
        for _ in 0..3 {
            let Some(copy) = request.try_clone() else {
                break;
            };
            self.0.fetch_add(1, Ordering::Relaxed);
            let response = next.run(copy).await?;
            if response.status() != 503 {
                return Ok(response);
            }
            response.close().await;
        }
        next.run(request).await
    }
}

/// Reads every body before it hands the response on.
struct Reader(Arc<AtomicUsize>);

impl Middleware for Reader {
    async fn handle(&self, request: HopRequest, mut next: Next<'_>) -> Result<HopResponse, Error> {
        let mut response = next.run(request).await?;
        let body = response.bytes().await?;
        assert_eq!(body, response.bytes().await?);
        self.0.fetch_add(body.len(), Ordering::Relaxed);
        Ok(response)
    }
}

/// Sends everything elsewhere, with another body.
struct Elsewhere(String);

impl Middleware for Elsewhere {
    async fn handle(
        &self,
        mut request: HopRequest,
        mut next: Next<'_>,
    ) -> Result<HopResponse, Error> {
        assert!(
            request
                .set_url("ftp://x/".parse().map_err(Error::from)?)
                .is_err()
        );
        request.set_url(self.0.parse().map_err(Error::from)?)?;
        request.set_method(reqivo::Method::PUT);
        assert_eq!(request.body().map(|body| &body[..]), Some(&b"old"[..]));
        request.set_body("new body");
        let _ = request.headers_mut().remove("user-agent");
        next.run(request).await
    }
}

struct Refuse;

impl Middleware for Refuse {
    async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        match request.redirects() {
            0 => request.reply(Reply::redirect(307, "/again")),
            _ => Err(Error::custom("refused by policy")),
        }
    }
}

scenarios! {
    /// K6: the first that was added is the outermost, and each hop of a call goes through all of them.
    fn k6_middleware_runs_in_order_around_every_hop() {
        let server = Server::start(|request| match request.path() {
            "/a" => testkit::Reply::empty(302).header("Location", "/b"),
            _ => testkit::Reply::ok("end"),
        });
        let session = Session::builder()
            .header("X-Session", "1")
            .middleware(Mark("outer"))
            .middleware(Mark("inner"))
            .build()
            .unwrap();
        let mut response = wait!(session.get(server.url("/a")).header("X-Call", "2").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "end");
        assert_eq!(response.headers().get("x-back").as_deref(), Some("inner, outer"));
        assert_eq!(response.history()[0].headers().get("x-back").as_deref(), Some("inner, outer"));
        for request in server.requests() {
            let marks: Vec<&str> = request.header_all("x-out").collect();
            // The marks of one hop are not among the fields of the next.
            assert_eq!(marks, ["outer", "inner"]);
            assert_eq!((request.header("x-session"), request.header("x-call")), (Some("1"), Some("2")));
            let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names[..4], ["Host", "User-Agent", "Accept", "Accept-Encoding"]);
        }
        assert_eq!((server.connections().opened, session.pool_stats().idle), (1, 1));
    }

    /// K6: the rest of the chain may run again, over connections that are kept.
    fn k6_middleware_may_repeat_a_request() {
        let server = Server::replies([
            testkit::Reply::ok("not yet").status(503),
            testkit::Reply::ok("not yet").status(503),
            testkit::Reply::ok("ready"),
        ]);
        let tries = Arc::new(AtomicUsize::new(0));
        let session = Session::builder().middleware(Retry(Arc::clone(&tries))).build().unwrap();
        let mut response = wait!(session.post(server.url("/")).body("body").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "ready");
        assert_eq!((tries.load(Ordering::Relaxed), server.connections().opened), (3, 1));
        assert!(server.requests().iter().all(|request| request.body == "body"));
        // What can be sent only once is tried once.
        let server = Server::start(|_| testkit::Reply::empty(503));
        let body = reqivo::Body::reader(&b"once"[..]);
        let response = wait!(session.post(server.url("/")).body(body).send()).unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(server.only_request().body, "once");
    }

    /// K6: a body that middleware has read is there for the next, with its coding, length and trailers.
    fn k6_middleware_may_read_bodies() {
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
        let server = Server::start(move |request| match request.path() {
            "/coded" => testkit::Reply::ok(&gzip[..]).header("Content-Encoding", "gzip").chunked(7).trailer("X-End", "1"),
            "/short" => testkit::Reply::ok("0123456789").truncated(3),
            _ => testkit::Reply::ok(vec![b'x'; 100_000]),
        });
        let read = Arc::new(AtomicUsize::new(0));
        let session = Session::builder().middleware(Reader(Arc::clone(&read))).build().unwrap();
        let mut response = wait!(session.get(server.url("/coded")).send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "hello");
        assert_eq!(response.trailers().and_then(|it| it.get("x-end").map(|it| it.into_owned())).as_deref(), Some("1"));
        assert_eq!(read.swap(0, Ordering::Relaxed), gzip.len());
        let mut response = wait!(session.get(server.url("/large")).send()).unwrap();
        assert_eq!(wait!(response.bytes()).unwrap().len(), 100_000);
        let mut response = wait!(session.head(server.url("/large")).send()).unwrap();
        assert_eq!(response.headers().get("content-length").as_deref(), Some("100000"));
        assert_eq!(wait!(response.bytes()).unwrap(), "");
        assert_eq!((session.pool_stats().created, session.pool_stats().idle), (1, 1));
        let error = wait!(session.get(server.url("/short")).send()).unwrap_err();
        assert!(error.is_incomplete_body(), "{error}");
        assert_eq!(session.pool_stats().in_use, 0);
    }

    /// K6: method, URL, fields and body may be changed for one hop.
    fn k6_middleware_may_change_where_a_request_goes() {
        let server = Server::start(|_| testkit::Reply::ok("elsewhere"));
        let session = Session::builder().middleware(Elsewhere(server.url("/there").replace("://", "://user:s3cret@"))).build().unwrap();
        let mut response = wait!(session.post("http://nowhere.invalid/").body("old").send()).unwrap();
        assert_eq!(wait!(response.text()).unwrap(), "elsewhere");
        let seen = server.only_request();
        assert_eq!((seen.method.as_str(), seen.path(), seen.text().as_str()), ("PUT", "/there", "new body"));
        assert_eq!((seen.header("host"), seen.header("user-agent")), (Some(server.addr().to_string().as_str()), None));
        assert!(!String::from_utf8_lossy(&seen.head).contains("s3cret"));
        assert_eq!(response.url().host_str(), Some("nowhere.invalid"));
    }

    /// K6: its error ends the call and says what the call was.
    fn k6_a_failing_middleware_ends_the_call() {
        let session = Session::builder().transport(Refuse).build().unwrap();
        let error = wait!(session.get("http://a.example/first").send()).unwrap_err();
        assert!(error.is_custom(), "{error}");
        assert_eq!(error.to_string(), "get http://a.example/again: refused by policy");
        let server = Server::replies([Script::new().reset()]);
        let session = Session::builder().middleware(Mark("m")).build().unwrap();
        let error = wait!(session.get(server.url("/")).send()).unwrap_err();
        assert!(error.is_network() && error.may_have_been_processed(), "{error}");
        assert_eq!(session.pool_stats().open, 0);
    }
}

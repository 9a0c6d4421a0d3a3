//! The transport over reqivo, on real sockets and both faces.

use std::time::Duration;

use restkit::credentials::Oauth2ClientCredentials;
use restkit::pagination::PageStyle;
use restkit::retry::RetryPolicy;
use restkit::{Client, ErrorKind, Request, blocking};
use testkit::{Gate, Reply, Server, refused_addr};

use crate::support::seconds;

fn impatient() -> RetryPolicy {
    RetryPolicy::new().base_delay(Duration::ZERO)
}

/// Runs a scenario on each face, with a server of its own.
macro_rules! on_both_faces {
    ($name:ident, |$server:ident, $client:ident| $make:expr, $change:expr, $body:block) => {
        mod $name {
            use super::*;

            #[test]
            fn over_async() {
                macro_rules! call {
                    ($e:expr) => {
                        $e.await
                    };
                }
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let $server = $make;
                runtime.block_on(async {
                    let builder = Client::builder().base_url($server.url("/")).retry($change);
                    let $client = builder.build().unwrap();
                    $body
                });
            }

            #[test]
            fn over_blocking() {
                macro_rules! call {
                    ($e:expr) => {
                        $e
                    };
                }
                let $server = $make;
                let builder = blocking::Client::builder()
                    .base_url($server.url("/"))
                    .retry($change);
                let $client = builder.build().unwrap();
                $body
            }
        }
    };
}

on_both_faces!(
    a_call_goes_over_the_wire_as_built,
    |server, client| Server::replies([Reply::json(r#"{"id":"ä"}"#).header("x-request-id", "r-1"),]),
    impatient(),
    {
        let request = Request::post("/a")
            .segment("b c")
            .query_list("q", ["1,2", "3"]);
        let response = call!(client.send(request.body("hi", "text/plain"))).unwrap();
        assert_eq!(response.json::<serde_json::Value>().unwrap()["id"], "ä");
        assert_eq!(response.header("x-request-id"), Some("r-1"));
        let seen = server.only_request();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("POST", "/a/b%20c?q=1%2C2,3")
        );
        assert_eq!(seen.header("accept"), Some("application/json"));
        assert_eq!(seen.header("content-type"), Some("text/plain"));
        assert_eq!(&seen.body[..], b"hi");
    }
);

on_both_faces!(
    a_read_is_repeated_when_the_body_is_cut_off,
    |server, client| Server::replies([
        Reply::json("[1,2,3,4]").truncated(3),
        Reply::json("[1]").reset_after(1),
        Reply::json("[1,2,3,4]"),
    ]),
    impatient(),
    {
        let response = call!(client.send(Request::get("/x"))).unwrap();
        assert_eq!(response.json::<Vec<u8>>().unwrap(), [1, 2, 3, 4]);
        assert_eq!(response.attempts(), 3);
    }
);

on_both_faces!(
    a_body_that_is_always_cut_off_is_an_error_and_not_a_short_answer,
    |server, client| Server::start(|_| { Reply::json("[1,2,3,4]").truncated(3) }),
    impatient().max_retries(1),
    {
        let error = call!(client.send(Request::get("/x"))).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connection, 2));
        let error = call!(client.send(Request::post("/x"))).unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::UnclearWrite, 1)
        );
        assert!(std::error::Error::source(&error).is_some());
    }
);

on_both_faces!(
    redirects_are_not_followed,
    |server, client| Server::replies([
        Reply::empty(302).header("location", "http://other.example/"),
    ]),
    impatient(),
    {
        let error = call!(client.send(Request::get("/x"))).unwrap_err();
        assert_eq!(
            (error.kind(), error.status().unwrap().as_u16()),
            (ErrorKind::Api, 302)
        );
    }
);

fn silent(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::start(move |_| Reply::ok("late").hold(&gate))
}

on_both_faces!(
    a_server_that_keeps_silent_runs_into_the_limit_of_the_attempt,
    |server, client| silent(&Gate::new()),
    impatient()
        .max_retries(1)
        .attempt_timeout(Duration::from_millis(50)),
    {
        let error = call!(client.send(Request::get("/x"))).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2));
        let error = call!(client.send(Request::post("/x"))).unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::UnclearWrite, 1)
        );
    }
);

#[tokio::test]
async fn a_refused_connection_is_tried_again_also_for_a_write() {
    let client = Client::builder()
        .base_url(format!("http://{}", refused_addr()))
        .retry(impatient())
        .build()
        .unwrap();
    let error = client.send(Request::post("/x")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connection, 4));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = Server::replies([Reply::ok(vec![b'x'; 2000])]);
    let client = Client::builder()
        .base_url(server.url("/"))
        .max_body(1000)
        .build()
        .unwrap();
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connection, 1));
    assert!(error.to_string().contains("larger than allowed"), "{error}");
}

#[tokio::test]
async fn no_text_of_the_cause_shows_a_secret_of_the_url() {
    let client = Client::builder()
        .base_url(format!("http://{}", refused_addr()))
        .retry(impatient().max_retries(0))
        .build()
        .unwrap();
    let request = Request::get("/x")
        .query("api_key", "hunter2")
        .with_timeout(seconds(5));
    let error = client.send(request).await.unwrap_err();
    let mut texts = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(&error);
    assert!(cause.is_some());
    while let Some(source) = cause {
        texts.push_str(&format!(" {source} {source:?}"));
        cause = source.source();
    }
    assert!(!texts.contains("hunter2"), "{texts}");
}

#[test]
fn a_call_with_a_token_and_pages_fits_a_small_stack() {
    let server = Server::start(|request| match request.path() {
        "/token" => Reply::json(r#"{"access_token":"t","expires_in":3600}"#),
        _ => Reply::json(r#"{"items":[1,2],"pages":{}}"#),
    });
    let credentials = Oauth2ClientCredentials::new(server.url("/token"), "id", "secret");
    let client = blocking::Client::builder()
        .base_url(server.url("/"))
        .credentials(credentials)
        .build()
        .unwrap();
    // What the blocking face promises: 256 KiB in debug builds, 64 KiB in release builds.
    let size = if cfg!(debug_assertions) {
        256 * 1024
    } else {
        64 * 1024
    };
    let list = client.paginate::<u32>(Request::get("/list"), PageStyle::key());
    let small = std::thread::Builder::new()
        .stack_size(size)
        .spawn(move || list.collect::<Result<Vec<_>, _>>())
        .unwrap();
    assert_eq!(small.join().unwrap().unwrap(), [1, 2]);
}

/// Refusals by a proxy: one that a repetition may cure is repeated, wrong credentials are not tried until somebody is locked out.
#[tokio::test]
async fn a_proxy_that_wants_other_credentials_is_asked_once() {
    for (answer, kind, visits) in [
        (
            "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Configuration,
            1,
        ),
        (
            "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Connection,
            3,
        ),
    ] {
        let proxy = testkit::Proxy::http().answer(answer).start();
        let session = reqivo::Session::builder()
            .proxy(reqivo::Proxy::all(proxy.url()).unwrap())
            .build()
            .unwrap();
        let client = Client::builder()
            .base_url("https://service.example/")
            .transport(restkit::transport::ReqivoTransport::over(session))
            .retry(impatient().max_retries(2))
            .build()
            .unwrap();
        let error = client.send(Request::get("/")).await.unwrap_err();
        assert_eq!(
            (error.kind(), proxy.visits().len()),
            (kind, visits),
            "{error}"
        );
    }
}

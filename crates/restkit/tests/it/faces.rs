//! The blocking face does what the async one does.

use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime};
use restkit::credentials::Oauth2ClientCredentials;
use restkit::pagination::{PageStyle, Stop};
use restkit::retry::RetryPolicy;
use restkit::transport::{MockTransport, RecordedRequest, Sent, TransportErrorKind};
use restkit::{ErrorKind, Request, blocking};
use secrecy::ExposeSecret as _;

use crate::support::{BASE, TOKEN_URL, answer, service, token_requests};

/// Runs one scenario on both faces and compares what went over the wire.
///
/// In the body `call!` awaits on the async face and does nothing on the blocking one, and `next!`
/// takes the next item of a list.
macro_rules! scenario {
    ($name:ident, |$mock:ident: $make:expr, $client:ident| $body:block) => {
        #[test]
        fn $name() {
            let over_async: Vec<String> = {
                #[allow(unused_macros, reason = "not every scenario needs both")]
                macro_rules! call { ($e:expr) => { $e.await } }
                #[allow(unused_macros, reason = "not every scenario needs both")]
                macro_rules! next { ($e:expr) => { futures_util::StreamExt::next(&mut $e).await } }
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    let $mock = $make;
                    let $client = restkit::Client::builder()
                        .transport($mock.clone())
                        .base_url(BASE)
                        .credentials(oauth2())
                        .retry(impatient())
                        .build()
                        .unwrap();
                    $body
                    wire(&$mock)
                })
            };
            let over_blocking: Vec<String> = {
                #[allow(unused_macros, reason = "not every scenario needs both")]
                macro_rules! call { ($e:expr) => { $e } }
                #[allow(unused_macros, reason = "not every scenario needs both")]
                macro_rules! next { ($e:expr) => { Iterator::next(&mut $e) } }
                let $mock = $make;
                let $client = restkit::blocking::Client::builder()
                    .transport($mock.clone())
                    .base_url(BASE)
                    .credentials(oauth2())
                    .retry(impatient())
                    .build()
                    .unwrap();
                $body
                wire(&$mock)
            };
            assert!(!over_async.is_empty());
            assert_eq!(over_async, over_blocking);
        }
    };
}

fn oauth2() -> Oauth2ClientCredentials {
    Oauth2ClientCredentials::new(TOKEN_URL, "id", "secret")
}

fn impatient() -> RetryPolicy {
    RetryPolicy::new().base_delay(Duration::ZERO)
}

fn wire(mock: &MockTransport) -> Vec<String> {
    let line = |request: RecordedRequest| {
        format!(
            "{} {} {:?} {}",
            request.method,
            request.url,
            request.headers,
            request.text()
        )
    };
    mock.requests().into_iter().map(line).collect()
}

scenario!(a_call_is_authorized_and_retried, |mock: {
    let calls = std::sync::atomic::AtomicU32::new(0);
    service(move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => answer(503, ""),
        1 => answer(401, ""),
        2 => answer(429, ""),
        _ => answer(200, r#"{"id":1}"#),
    })
}, client| {
    let response = call!(client.send(Request::get("/x").query("a", 1))).unwrap();
    assert_eq!(response.attempts(), 4);
    assert_eq!(token_requests(&mock), 2);
});

scenario!(a_write_is_not_repeated, |mock: service(|_| answer(500, r#"{"error":"e"}"#)), client| {
    let error = call!(client.send(Request::post("/x"))).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::UnclearWrite, Some("e")));
});

scenario!(a_list_is_lazy_and_counts, |mock: service(|request| match request.query("pageFromKey") {
    None => answer(200, r#"{"items":[1,"x",3],"pages":{"nextKey":"k"}}"#),
    Some(_) => answer(200, r#"{"items":[4],"pages":{}}"#),
}), client| {
    let view = client.with_header("x-tenant", "t").unwrap();
    let mut list = view.paginate::<u32>(Request::get("/list"), PageStyle::key()).page_size(3);
    let progress = list.progress();
    assert!(mock.requests().is_empty());
    assert_eq!(next!(list).unwrap().unwrap(), 1);
    assert_eq!(next!(list).unwrap().unwrap_err().decode_path(), Some("items[1]"));
    assert_eq!(next!(list).unwrap().unwrap(), 3);
    assert_eq!(progress.pages(), 1);
    assert_eq!(next!(list).unwrap().unwrap(), 4);
    assert!(next!(list).is_none());
    assert!(next!(list).is_none());
    assert_eq!((progress.items(), progress.stop()), (4, Some(Stop::End)));
});

scenario!(pages_come_whole, |mock: service(|_| answer(200, "[1,2]")), client| {
    let mut pages = client.paginate::<u32>(Request::get("/list"), PageStyle::number()).pages();
    assert_eq!(next!(pages).unwrap().unwrap().items, [1, 2]);
    assert!(next!(pages).is_none());
});

scenario!(many_calls_give_one_result_each, |mock: service(|request| match request.target() {
    "/v1/1" => answer(404, ""),
    _ => answer(200, ""),
}), client| {
    let requests = (0..4).map(|index| Request::get(format!("/{index}"))).collect();
    let results = call!(client.send_all(requests, 2)).unwrap();
    let good: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, true, true]);
});

fn blocking_client(mock: &MockTransport) -> blocking::Client {
    blocking::Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .retry(impatient())
        .build()
        .unwrap()
}

#[test]
fn a_blocking_call_inside_an_async_task_says_what_to_do() {
    let mock = MockTransport::new();
    let client = blocking_client(&mock);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (error, item) = runtime.block_on(async {
        let mut list = client.paginate::<u32>(Request::get("/x"), PageStyle::key());
        (
            client.send(Request::get("/x")).unwrap_err(),
            list.next().unwrap().unwrap_err(),
        )
    });
    for error in [error, item] {
        assert_eq!(error.kind(), ErrorKind::Blocking);
        assert!(matches!(
            error.blocking(),
            Some(BlockingError::InAsyncContext { .. })
        ));
        assert!(error.to_string().contains("spawn_blocking"), "{error}");
    }
    assert!(mock.requests().is_empty());
}

#[test]
fn a_blocking_call_ends_at_its_limit_and_drops_the_request() {
    let mock = MockTransport::new().stall().status(200);
    let client = blocking_client(&mock);
    let error = client
        .with_timeout(Duration::from_millis(20))
        .send(Request::get("/x"))
        .unwrap_err();
    assert!(error.is_timeout());
    assert!(matches!(
        error.blocking(),
        Some(BlockingError::TimedOut { .. })
    ));
    assert_eq!(mock.cancelled(), 1);
    client.send(Request::get("/x")).unwrap();
}

#[test]
fn a_write_that_a_limit_interrupts_is_unclear() {
    let mock = MockTransport::new().stall().stall().stall();
    let client = blocking_client(&mock);
    let hasty = client.with_timeout(Duration::from_millis(20));
    let error = hasty
        .send(Request::post("/x").operation("stop machine"))
        .unwrap_err();
    assert!(error.is_unclear_write() && error.is_timeout(), "{error}");
    assert_eq!(
        (error.operation(), error.attempts()),
        (Some("stop machine"), 1)
    );
    assert!(error.blocking().is_some_and(BlockingError::is_timeout));

    let error = hasty.send(Request::get("/x")).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Blocking,
        "a read that is interrupted is clear"
    );

    // A write that is dropped on the async face leaves nothing behind for the next blocking call.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let async_client = crate::support::client(&mock);
        let call = async_client.send(Request::post("/x"));
        assert!(
            tokio::time::timeout(Duration::from_millis(1), call)
                .await
                .is_err()
        );
    });
    let stalled = blocking_client(&MockTransport::new().stall());
    let error = stalled
        .with_timeout(Duration::from_millis(1))
        .send(Request::get("/x"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Blocking);
}

#[test]
fn eight_threads_share_one_client_and_one_token() {
    let mock = service(|_| answer(200, "{}"));
    let client = blocking::Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .credentials(oauth2())
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    client.send(Request::get("/x")).unwrap();
                }
            });
        }
    });
    assert_eq!((token_requests(&mock), mock.requests().len()), (1, 401));
}

#[test]
fn a_used_async_client_does_not_become_a_blocking_one() {
    let mock = MockTransport::new().fail(TransportErrorKind::Tls, Sent::No);
    let fresh = crate::support::client(&mock);
    let runtime = BlockingRuntime::shared().unwrap();
    assert!(blocking::Client::from_async(fresh.clone(), runtime.clone()).is_ok());
    let other = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    other.block_on(fresh.send(Request::get("/x"))).unwrap_err();
    assert!(blocking::Client::from_async(fresh, runtime).is_err());
}

#[test]
fn blocking_credentials_give_a_token_and_serve_a_client() {
    let mock = service(|_| answer(200, "{}"));
    let credentials = blocking::Oauth2ClientCredentials::new(TOKEN_URL, "id", "secret");
    let client = blocking::Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .credentials(credentials.clone())
        .build()
        .unwrap();
    client.authenticate().unwrap();
    let token = credentials.token(client.as_async()).unwrap();
    assert_eq!(token.expose_secret(), "token-1");
    client.send(Request::get("/x")).unwrap();
    assert_eq!(token_requests(&mock), 1);
}

#[test]
fn a_client_is_dropped_in_an_async_context_without_a_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = blocking_client(&MockTransport::new());
        drop(client.paginate::<u32>(Request::get("/x"), PageStyle::key()));
        drop(client);
    });
}

#[test]
fn both_faces_have_the_same_methods() {
    bifrons::parity::Check::new(env!("CARGO_MANIFEST_DIR"))
        .manifest(blocking::Client::__DUAL)
        .manifest(blocking::ClientBuilder::__DUAL)
        .manifest(blocking::Paginator::<u32>::__DUAL)
        .manifest(blocking::Pages::<u32>::__DUAL)
        .manifest(blocking::Oauth2ClientCredentials::__DUAL)
        .by_hand(
            "batch",
            "runs the caller's own futures; `Client::send_all` has both faces",
        )
        .by_hand(
            "Batch::run",
            "runs the caller's own futures; `Client::send_all` has both faces",
        )
        .assert();
}

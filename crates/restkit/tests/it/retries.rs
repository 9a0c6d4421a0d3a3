use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use restkit::retry::{RetryBudget, RetryPolicy};
use restkit::transport::{MockTransport, Sent, TransportErrorKind as Kind};
use restkit::{ErrorKind, Idempotency, Request};
use tokio::time::Instant;

use crate::support::{builder, client, policy, seconds};

#[tokio::test(start_paused = true)]
async fn a_429_with_retry_after_waits_that_long() {
    let mock = MockTransport::new()
        .respond(429, &[("retry-after", "7")], "")
        .status(204);
    let start = Instant::now();
    let response = client(&mock).send(Request::get("/x")).await.unwrap();
    assert_eq!(start.elapsed(), seconds(7));
    assert_eq!(response.attempts(), 2);
    assert_eq!(response.elapsed(), seconds(7));
}

#[tokio::test(start_paused = true)]
async fn a_429_without_retry_after_backs_off_and_any_method_is_repeated() {
    let mock = MockTransport::new().status(429).status(429).status(200);
    let start = Instant::now();
    client(&mock).send(Request::post("/x")).await.unwrap();
    assert_eq!(start.elapsed(), seconds(1 + 2));
    assert_eq!(mock.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_429_beyond_the_retries_tells_how_long_to_wait() {
    let mock = MockTransport::new().respond(429, &[("retry-after", "900")], "");
    let client = builder(&mock).retry(RetryPolicy::none()).build().unwrap();
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert!(error.is_rate_limited());
    assert_eq!(error.retry_after(), Some(seconds(300)));
}

#[tokio::test(start_paused = true)]
async fn rate_limit_retries_can_be_turned_off() {
    let mock = MockTransport::new().status(429);
    let client = builder(&mock)
        .retry(policy().rate_limit_retry(false))
        .build()
        .unwrap();
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert!(error.is_rate_limited());
    assert_eq!(error.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_after_server_errors_until_the_retries_are_used_up() {
    let mock = MockTransport::new()
        .status(500)
        .status(502)
        .status(503)
        .json(504, r#"{"error":"busy"}"#);
    let start = Instant::now();
    let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!((error.attempts(), error.code()), (4, Some("busy")));
    assert_eq!(start.elapsed(), seconds(1 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_repeated_after_a_500() {
    for request in [
        Request::post("/x"),
        Request::patch("/x"),
        Request::put("/x"),
        Request::delete("/x"),
    ] {
        let mock = MockTransport::new().json(
            500,
            r#"{"error":"internal","message":"oops","correlationId":"c-1"}"#,
        );
        let error = client(&mock).send(request).await.unwrap_err();
        assert!(error.is_unclear_write(), "{error}");
        assert_eq!(error.status().unwrap(), 500);
        assert_eq!(
            (error.code(), error.correlation_id()),
            (Some("internal"), Some("c-1"))
        );
        assert_eq!(mock.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_that_only_reads_is_repeated_where_it_says_so() {
    let mock = MockTransport::new().status(500).status(200);
    let search = Request::post("/search").idempotency(Idempotency::Safe);
    client(&mock).send(search).await.unwrap();
    assert_eq!(mock.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_repeated_when_the_connection_breaks_after_sending() {
    for kind in [Kind::Closed, Kind::Timeout, Kind::Protocol, Kind::TooLarge] {
        let mock = MockTransport::new().fail(kind, Sent::Maybe);
        let error = client(&mock).send(Request::post("/x")).await.unwrap_err();
        assert!(error.is_unclear_write(), "{kind:?}: {error}");
        assert_eq!(mock.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_of_which_nothing_was_sent_is_repeated() {
    let mock = MockTransport::new()
        .fail(Kind::Connect, Sent::No)
        .fail(Kind::Closed, Sent::No)
        .status(201);
    client(&mock).send(Request::post("/x")).await.unwrap();
    assert_eq!(mock.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_get_better_is_not_repeated() {
    for status in [301, 400, 403, 404, 405, 409, 422, 501, 505] {
        let mock = MockTransport::new().status(status);
        let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
        assert_eq!(error.attempts(), 1, "{status}");
    }
    for (kind, expected) in [
        (Kind::Tls, ErrorKind::Tls),
        (Kind::Request, ErrorKind::Configuration),
    ] {
        let mock = MockTransport::new().fail(kind, Sent::No);
        let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (expected, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn retries_stop_at_the_overall_deadline() {
    let mock = MockTransport::new()
        .status(503)
        .status(503)
        .status(503)
        .status(503);
    let start = Instant::now();
    let request = Request::get("/x").with_timeout(seconds(4));
    let error = client(&mock).send(request).await.unwrap_err();
    // 1 s and 2 s fit; the next 4 s would not, so the call ends at once and tells the real reason.
    assert_eq!(start.elapsed(), seconds(3));
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 3));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_limit() {
    let mock = MockTransport::new().stall().stall().status(200);
    let client = builder(&mock)
        .retry(
            policy()
                .attempt_timeout(seconds(5))
                .base_delay(Duration::ZERO),
        )
        .build()
        .unwrap();
    let start = Instant::now();
    client.send(Request::get("/x")).await.unwrap();
    assert_eq!(start.elapsed(), seconds(10));
    assert_eq!(mock.cancelled(), 2);
    assert_eq!(mock.requests()[0].attempt.timeout, Some(seconds(5)));
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_gets_what_the_deadline_leaves() {
    let mock = MockTransport::new().stall();
    let request = Request::get("/x").with_timeout(seconds(12));
    let start = Instant::now();
    let error = client(&mock).send(request).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(start.elapsed(), seconds(12));
    assert_eq!(mock.requests()[0].attempt.timeout, Some(seconds(12)));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_gets_no_answer_in_time_is_unclear() {
    let mock = MockTransport::new().stall();
    let error = client(&mock)
        .send(Request::post("/x").with_attempt_timeout(seconds(1)))
        .await
        .unwrap_err();
    assert!(error.is_unclear_write());
    assert_eq!(mock.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_retries_for_all_calls_of_a_client() {
    let mock = MockTransport::new()
        .status(500)
        .status(500)
        .status(500)
        .status(500);
    let client = builder(&mock)
        .retry(policy().budget(RetryBudget::new(1, 1)))
        .build()
        .unwrap();
    let first = client.send(Request::get("/x")).await.unwrap_err();
    assert_eq!(first.attempts(), 2);
    let view = client.with_header("x-tenant", "1").unwrap();
    let second = view.send(Request::get("/x")).await.unwrap_err();
    assert_eq!(second.attempts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_stops_its_request_and_leaves_the_client_usable() {
    let mock = MockTransport::new().stall().status(200);
    let client = builder(&mock).concurrency(1).build().unwrap();
    let call = client.send(Request::get("/x"));
    assert!(tokio::time::timeout(seconds(1), call).await.is_err());
    assert_eq!(mock.cancelled(), 1);
    client.send(Request::get("/x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn jitter_is_drawn_from_its_seed() {
    let waits = |seed: u64| async move {
        let mock = MockTransport::new()
            .status(500)
            .status(500)
            .status(500)
            .status(200);
        let client = builder(&mock)
            .retry(RetryPolicy::new())
            .jitter_seed(seed)
            .build()
            .unwrap();
        let start = Instant::now();
        client.send(Request::get("/x")).await.unwrap();
        start.elapsed()
    };
    let first = waits(1).await;
    assert_eq!(first, waits(1).await);
    assert_ne!(first, waits(2).await);
    assert!(first < seconds(1 + 2 + 4));
}

#[tokio::test(start_paused = true)]
async fn an_endless_retry_after_is_survived() {
    let mock = MockTransport::new().respond(429, &[("retry-after", "18446744073709551615")], "");
    let client = builder(&mock)
        .retry(policy().retry_after_cap(Duration::MAX))
        .build()
        .unwrap();
    let request = || Request::get("/x").with_timeout(seconds(5));
    assert!(client.send(request()).await.unwrap_err().is_rate_limited());
    assert!(client.send(request()).await.unwrap_err().is_rate_limited());
    assert_eq!(mock.requests().len(), 1);
}

proptest! {
    #[test]
    fn no_retry_after_exceeds_its_cap(value: Vec<u8>, cap: u32) {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            headers.insert(RETRY_AFTER, value);
        }
        let cap = Duration::from_millis(cap.into());
        let policy = policy().retry_after_cap(cap);
        let asked = policy.retry_after(&headers, SystemTime::now());
        prop_assert!(asked.is_none_or(|asked| asked <= cap));
    }

    #[test]
    fn bounds_never_shrink_and_never_exceed_the_cap(
        base in any::<Duration>(),
        factor in any::<f64>(),
        cap in any::<Duration>(),
        retry in 1_u32..,
    ) {
        let policy = RetryPolicy::new().base_delay(base).factor(factor).max_delay(cap);
        prop_assert!(policy.delay_bound(retry) <= cap);
        prop_assert!(policy.delay_bound(retry) <= policy.delay_bound(retry.saturating_add(1)));
    }
}

//! What is repeated, what is not, and how failures read.

use std::time::Duration;

use restkit::transport::{MockTransport, Sent, TransportErrorKind};
use sophos_central::{Client, EndpointId, ErrorKind};

use crate::support::{ENDPOINT, calls, client, config, lines, tenant, token};

fn id() -> EndpointId {
    EndpointId::from(ENDPOINT)
}

#[tokio::test(start_paused = true)]
async fn a_429_without_retry_after_is_tried_again_after_a_while() {
    let mock = tenant()
        .status(429)
        .status(429)
        .json(200, r#"{"items":[]}"#);
    client(&mock).endpoint().list().send().await.unwrap();
    assert_eq!(calls(&mock).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_also_for_a_change() {
    let mock = tenant()
        .respond(429, &[("retry-after", "17")], "")
        .json(200, r#"{"enabled":true}"#);
    let client = client(&mock);
    client.whoami().await.unwrap();
    let before = tokio::time::Instant::now();
    client.endpoint().isolate(&id(), Some("why")).await.unwrap();
    let waited = before.elapsed();
    assert!((17..=18).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(calls(&mock).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_429_fails_at_once_if_that_is_asked_for() {
    let mock = tenant().respond(429, &[("retry-after", "5")], "");
    let client = Client::new(config(&mock).rate_limit_retry(false)).unwrap();
    let error = client.endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_rate_limited());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(5)));
    assert_eq!(calls(&mock).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn retries_stop_at_the_limit_and_the_error_counts_the_attempts() {
    let mock = tenant().status(503).status(503).status(503);
    let client = Client::new(config(&mock).max_retries(2)).unwrap();
    let error = client.endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_server());
    assert_eq!((error.attempts(), calls(&mock).len()), (3, 3));
    assert!(error.to_string().ends_with("after 3 attempts"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_token_once_and_a_second_one_is_an_expired_token() {
    let mock = tenant()
        .status(401)
        .json(200, token().replace("tok3n", "tok3n-2"))
        .json(200, format!(r#"{{"id":"{ENDPOINT}"}}"#));
    let one = client(&mock);
    one.endpoint().get(&id()).await.unwrap();
    let bearer: Vec<_> = calls(&mock)
        .iter()
        .map(|call| call.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(bearer.len(), 2);
    assert_ne!(bearer[0], bearer[1]);

    let mock = tenant().status(401).json(200, token()).json(
        401,
        r#"{"error":"notAuthorized","message":"Token expired."}"#,
    );
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenExpired);
    assert!(error.is_unauthenticated());
    assert_eq!(mock.remaining(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_change_also_renews_the_token_as_a_401_was_not_processed() {
    let mock = tenant()
        .status(401)
        .json(200, token())
        .json(200, r#"{"enabled":true}"#);
    client(&mock).endpoint().isolate(&id(), None).await.unwrap();
    assert_eq!(calls(&mock).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_fatal_and_not_tried_again() {
    let mock = MockTransport::new().json(
        401,
        r#"{"errorCode":"oauth.invalid_client_secret","message":"Unauthorized","trackingId":"0b7d61fa"}"#,
    );
    let error = client(&mock).whoami().await.unwrap_err();
    assert!(error.is_invalid_credentials());
    assert_eq!(error.code(), Some("oauth.invalid_client_secret"));
    assert_eq!(mock.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_service_without_a_token_is_a_failed_token_request() {
    let mock = MockTransport::new().json(200, r#"{"errorCode":"success"}"#);
    let error = client(&mock).whoami().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRequest);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_not_repeated_after_a_500_a_cut_or_a_timeout() {
    let outcomes = [
        tenant().json(500, r#"{"error":"internalServerError","message":"oops"}"#),
        tenant().fail(TransportErrorKind::Closed, Sent::Maybe),
        tenant().stall(),
    ];
    for mock in outcomes {
        let error = client(&mock)
            .endpoint()
            .isolate(&id(), Some("why"))
            .await
            .unwrap_err();
        assert!(error.is_unclear_write(), "{error:?}");
        assert_eq!(calls(&mock).len(), 1, "{error:?}");
        assert!(
            error
                .to_string()
                .contains("may or may not have been applied"),
            "{error}"
        );
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("read the present state"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_repeated_also_for_a_change() {
    let mock = tenant()
        .fail(TransportErrorKind::Connect, Sent::No)
        .json(201, r#"{"id":"t","status":"requested"}"#);
    let task = client(&mock).endpoint().scan(&id()).await.unwrap();
    assert_eq!(task.status.as_deref(), Some("requested"));
    assert_eq!(calls(&mock).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_repeated_after_a_500_and_a_cut() {
    let mock = tenant()
        .status(500)
        .fail(TransportErrorKind::Closed, Sent::Maybe)
        .json(200, format!(r#"{{"id":"{ENDPOINT}"}}"#));
    client(&mock).endpoint().get(&id()).await.unwrap();
    assert_eq!(calls(&mock).len(), 3);
}

#[tokio::test]
async fn an_error_says_what_the_service_said_in_one_line() {
    let mock = tenant().json(
        404,
        r#"{"error":"notFound","message":"No such\n endpoint.","correlationId":"3c0e6a54","code":"X","requestId":"8d2f0b1c"}"#,
    );
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        format!(
            "get endpoint {ENDPOINT}: No such endpoint (status 404, error notFound, correlationId 3c0e6a54, requestId 8d2f0b1c)"
        )
    );
    assert_eq!(error.status(), Some(http::StatusCode::NOT_FOUND));
    assert_eq!(error.correlation_id(), Some("3c0e6a54"));
    assert_eq!(
        error.tenant().map(AsRef::as_ref),
        Some(crate::support::TENANT)
    );

    let mock = tenant().json(
        409,
        r#"{"error":"resourceConflict","correlationId":"99aa88bb"}"#,
    );
    let error = client(&mock)
        .endpoint()
        .isolate(&id(), None)
        .await
        .unwrap_err();
    assert!(error.is_conflict());
    assert!(
        error
            .to_string()
            .contains("(status 409, error resourceConflict, correlationId 99aa88bb")
    );
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("still in progress"))
    );

    let mock = tenant().json(403, r#"{"error":"forbidden"}"#);
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_permission());
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("partner assistance"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_gateway_page_in_html_is_kept_as_the_message() {
    let mock = tenant().respond(
        400,
        &[("content-type", "text/html")],
        "<h1>Bad\ngateway</h1>",
    );
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_validation());
    assert!(
        error.to_string().contains("<h1>Bad gateway</h1>"),
        "{error}"
    );
    let long = "x".repeat(2_000);
    let mock = tenant().respond(400, &[], long);
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.to_string().len() < 700, "{}", error.to_string().len());
}

#[tokio::test]
async fn the_correlation_id_is_also_taken_from_the_headers() {
    let mock = tenant().respond(404, &[("x-request-id", "from-header")], "");
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert_eq!(error.correlation_id(), Some("from-header"));
}

#[tokio::test]
async fn get_opt_takes_only_a_missing_thing_as_none() {
    let mock = tenant().status(404).status(403);
    let endpoint = client(&mock).endpoint();
    assert!(endpoint.get_opt(&id()).await.unwrap().is_none());
    assert!(endpoint.get_opt(&id()).await.unwrap_err().is_permission());
}

#[tokio::test]
async fn a_response_that_cannot_be_decoded_names_the_place() {
    let mock = tenant().json(
        200,
        r#"{"id":"1","health":{"services":{"serviceDetails":[{"name":"x"},7]}}}"#,
    );
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_decode());
    assert_eq!(
        error.decode_path(),
        Some("health.services.serviceDetails[1]")
    );
    assert!(
        error
            .to_string()
            .contains("health.services.serviceDetails[1]"),
        "{error}"
    );

    let mock = tenant().json(200, r#"{"id":"1","hea"#);
    let error = client(&mock).endpoint().get(&id()).await.unwrap_err();
    assert!(error.is_decode(), "{error:?}");
    assert!(
        error
            .body_snippet()
            .is_some_and(|snippet| snippet.contains("hea"))
    );
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_leaves_the_client_usable() {
    let mock = tenant()
        .stall()
        .json(200, format!(r#"{{"id":"{ENDPOINT}"}}"#));
    let client = client(&mock);
    let id = id();
    let call = client.endpoint();
    tokio::select! {
        _ = call.get(&id) => panic!("the first answer never comes"),
        () = tokio::time::sleep(Duration::from_secs(3)) => {}
    }
    client.endpoint().get(&id).await.unwrap();
    assert_eq!(mock.cancelled(), 1);
    assert_eq!(lines(&mock).len(), 2);
}

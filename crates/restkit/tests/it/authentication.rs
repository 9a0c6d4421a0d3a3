use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use restkit::credentials::{Basic, Bearer, Oauth2ClientCredentials, StaticHeaders};
use restkit::transport::MockTransport;
use restkit::{Client, ErrorKind, Request};
use secrecy::ExposeSecret as _;

use crate::support::{BASE, TOKEN_URL, answer, builder, policy, seconds, service, token_requests};

const TOKEN: &str = r#"{"access_token":"token-1","expires_in":3600}"#;

fn oauth2() -> Oauth2ClientCredentials {
    Oauth2ClientCredentials::new(TOKEN_URL, "id", "hunter2").scope("token")
}

fn client(mock: &MockTransport) -> Client {
    builder(mock)
        .credentials(oauth2())
        .default_header("x-tenant", "t")
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_token_is_fetched_by_the_first_request_and_shared_by_all() {
    let mock = service(|_| answer(200, "{}"));
    let client = client(&mock);
    assert!(
        mock.requests().is_empty(),
        "nothing is fetched before it is needed"
    );
    let calls = (0..20).map(|_| client.send(Request::get("/x")));
    for response in join_all(calls).await {
        response.unwrap();
    }
    assert_eq!(token_requests(&mock), 1);
    let requests = mock.requests();
    let token = &requests[0];
    assert_eq!(
        token.text(),
        "grant_type=client_credentials&client_id=id&client_secret=hunter2&scope=token"
    );
    assert_eq!(token.header("authorization"), None);
    assert_eq!(token.header("x-tenant"), None);
    assert_eq!(
        token.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.header("authorization") == Some("Bearer token-1"))
    );
}

#[tokio::test(start_paused = true)]
async fn waiters_get_the_token_when_the_first_caller_is_cancelled() {
    let mock = MockTransport::new()
        .json(200, TOKEN)
        .after(seconds(5))
        .respond_with(|_| answer(200, "{}"));
    let client = client(&mock);
    let mut leader = Box::pin(client.send(Request::get("/leader")));
    assert!((&mut leader).now_or_never().is_none());
    let waiters = (0..5).map(|_| {
        tokio::spawn({
            let client = client.clone();
            async move { client.send(Request::get("/waiter")).await }
        })
    });
    let waiters: Vec<_> = waiters.collect();
    tokio::time::sleep(seconds(1)).await;
    drop(leader);
    for waiter in waiters {
        waiter.await.unwrap().unwrap();
    }
    assert_eq!(token_requests(&mock), 1);
    assert_eq!(mock.cancelled(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiters_get_the_token_when_the_first_caller_is_not_polled() {
    let mock = MockTransport::new()
        .json(200, TOKEN)
        .after(seconds(5))
        .respond_with(|_| answer(200, "{}"));
    let client = client(&mock);
    let mut leader = Box::pin(client.send(Request::get("/leader")));
    assert!((&mut leader).now_or_never().is_none());
    // The leader stays alive, but nobody polls it.
    client.send(Request::get("/waiter")).await.unwrap();
    assert_eq!(token_requests(&mock), 1);
    leader.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_request_that_nobody_waits_for_is_dropped_and_made_anew() {
    let mock = MockTransport::new()
        .stall()
        .json(200, TOKEN)
        .respond_with(|_| answer(200, "{}"));
    let client = client(&mock);
    let call = client.send(Request::get("/x"));
    assert!(tokio::time::timeout(seconds(1), call).await.is_err());
    assert_eq!(mock.cancelled(), 1);
    client.send(Request::get("/x")).await.unwrap();
    assert_eq!(token_requests(&mock), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_fail_all_waiters_with_one_token_request() {
    for status in [400, 401, 403] {
        let mock = MockTransport::new()
            .json(status, r#"{"errorCode":"oauth.invalid_client_secret","message":"Unauthorized","trackingId":"t-1"}"#)
            .after(seconds(1));
        let client = client(&mock);
        let calls = (0..10).map(|_| client.send(Request::get("/x")));
        for outcome in join_all(calls).await {
            let error = outcome.unwrap_err();
            assert!(error.is_invalid_credentials(), "{error}");
            assert_eq!(error.code(), Some("oauth.invalid_client_secret"));
            assert_eq!(error.correlation_id(), Some("t-1"));
            assert_eq!(error.operation(), Some("request access token"));
        }
        assert_eq!(mock.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_token_service_is_asked_again_before_the_call_fails() {
    let mock = MockTransport::new()
        .status(500)
        .status(503)
        .json(200, TOKEN)
        .status(200);
    client(&mock).send(Request::post("/x")).await.unwrap();
    assert_eq!(token_requests(&mock), 3);

    let mock = MockTransport::new()
        .status(500)
        .status(500)
        .status(500)
        .status(500);
    let error = client(&mock).send(Request::post("/x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenRequest);
    assert_eq!(error.attempts(), 4);

    let mock = MockTransport::new()
        .status(429)
        .json(200, TOKEN)
        .status(200);
    client(&mock).send(Request::get("/x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_token_is_an_error_that_does_not_show_it() {
    for body in [
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":null}"#,
        "<html>hunter2</html>",
        r#"{"access_token":"hunter2\n"}"#,
        r#"{"access_token":["hunter2"]}"#,
    ] {
        let mock = MockTransport::new().json(200, body);
        let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenRequest, "{body}");
        assert!(!format!("{error} {error:?} {:?}", error.body_snippet()).contains("hunter2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires() {
    let mock = service(|_| answer(200, "{}"));
    let client = client(&mock);
    client.send(Request::get("/x")).await.unwrap();
    tokio::time::sleep(seconds(3299)).await;
    client.send(Request::get("/x")).await.unwrap();
    assert_eq!(token_requests(&mock), 1);
    tokio::time::sleep(seconds(1)).await;
    client.send(Request::get("/x")).await.unwrap();
    assert_eq!(token_requests(&mock), 2);
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_token_and_repeats_any_call_once() {
    let refused = Arc::new(AtomicBool::new(false));
    let mock = service(move |request| {
        if request.header("authorization") == Some("Bearer token-1") {
            refused.store(true, Ordering::SeqCst);
            return answer(401, "{}");
        }
        assert_eq!(request.header("authorization"), Some("Bearer token-2"));
        answer(200, "{}")
    });
    let client = client(&mock);
    let response = client.send(Request::post("/x")).await.unwrap();
    assert_eq!(response.attempts(), 2);
    assert_eq!((token_requests(&mock), mock.requests().len()), (2, 4));
}

#[tokio::test(start_paused = true)]
async fn a_second_401_is_final() {
    let mock = service(|_| answer(401, r#"{"error":"Unauthorized"}"#));
    let client = client(&mock);
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenExpired);
    assert!(error.is_unauthenticated());
    assert_eq!((error.attempts(), token_requests(&mock)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn many_refused_calls_renew_the_token_once() {
    let mock = service(|request| match request.header("authorization") {
        Some("Bearer token-1") => answer(401, "{}"),
        _ => answer(200, "{}"),
    });
    let client = client(&mock);
    let calls = (0..10).map(|_| client.send(Request::get("/x")));
    for response in join_all(calls).await {
        response.unwrap();
    }
    assert_eq!(token_requests(&mock), 2);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_token_counts_against_the_deadline() {
    let mock = MockTransport::new().stall();
    let error = client(&mock)
        .send(Request::post("/x").with_timeout(seconds(3)))
        .await
        .unwrap_err();
    // Nothing of the write itself was sent, so its outcome is clear.
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 0));
    assert_eq!(mock.cancelled(), 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_go_to_allowed_origins_only() {
    let mock = service(|_| answer(200, "{}"));
    let client = builder(&mock)
        .credentials(oauth2())
        .allow_origin("https://eu.example.com")
        .build()
        .unwrap();
    for evil in [
        "https://evil.example/x",
        "http://api.example.com/v1/x",
        "https://api.example.com:8443/x",
    ] {
        let error = client.send(Request::get(evil)).await.unwrap_err();
        assert!(error.is_configuration(), "{evil}");
    }
    assert!(mock.requests().is_empty());

    client
        .send(Request::get("https://eu.example.com/x"))
        .await
        .unwrap();
    let tenant = client.with_base_url("https://us.example.com").unwrap();
    tenant.send(Request::get("/x")).await.unwrap();
    assert!(
        client
            .send(Request::get("https://us.example.com/x"))
            .await
            .is_err()
    );

    client
        .send(Request::get("https://evil.example/x").without_credentials())
        .await
        .unwrap();
    let requests = mock.requests();
    assert_eq!(requests.last().unwrap().header("authorization"), None);
    assert_eq!(token_requests(&mock), 1);
}

#[tokio::test]
async fn fixed_credentials_stand_on_each_request() {
    let mock = MockTransport::new().status(200);
    let basic = Basic::new("Aladdin", "open sesame").unwrap();
    builder(&mock)
        .credentials(basic)
        .build()
        .unwrap()
        .send(Request::get("/x"))
        .await
        .unwrap();
    assert_eq!(
        mock.requests()[0].header("authorization"),
        Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );

    let mock = MockTransport::new().status(401);
    let bearer = Bearer::new("hunter2").unwrap();
    let client = builder(&mock).credentials(bearer).build().unwrap();
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert!(error.is_invalid_credentials());
    assert_eq!(error.attempts(), 1, "there is nothing to renew");
    assert_eq!(
        mock.requests()[0].header("authorization"),
        Some("Bearer hunter2")
    );

    let mock = MockTransport::new().status(200);
    let headers = StaticHeaders::new().header("x-api-key", "hunter2").unwrap();
    builder(&mock)
        .credentials(headers)
        .build()
        .unwrap()
        .send(Request::get("/x"))
        .await
        .unwrap();
    assert_eq!(mock.requests()[0].header("x-api-key"), Some("hunter2"));
}

#[test]
fn credentials_that_cannot_stand_in_a_header_are_refused_without_being_shown() {
    for error in [
        Basic::new("a:b", "hunter2").unwrap_err(),
        Basic::new("a", "hunter2\n").unwrap_err(),
        Bearer::new("hunter2\n").unwrap_err(),
        StaticHeaders::new()
            .header("x-key", "hunter2\n")
            .unwrap_err(),
    ] {
        assert!(error.is_configuration());
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[tokio::test(start_paused = true)]
async fn authenticate_proves_the_credentials_without_a_call() {
    let mock = service(|_| answer(200, "{}"));
    let credentials = oauth2();
    let client = Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .retry(policy().base_delay(Duration::ZERO))
        .credentials(credentials.clone())
        .build()
        .unwrap();
    client.authenticate().await.unwrap();
    let token = credentials.token(&client).await.unwrap();
    assert_eq!(token.expose_secret(), "token-1");
    assert_eq!(mock.requests().len(), 1);
}

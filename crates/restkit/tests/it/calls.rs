use restkit::transport::{MockTransport, Sent, TransportErrorKind};
use restkit::{Client, ErrorKind, Request};
use serde::Deserialize;

use crate::support::{BASE, builder, client};

#[tokio::test]
async fn a_request_carries_the_defaults_of_the_view_unless_it_says_otherwise() {
    let mock = MockTransport::new().status(200).status(200);
    let client = builder(&mock)
        .user_agent("tool/1.2")
        .default_header("x-tenant", "a")
        .build()
        .unwrap();
    client
        .send(Request::get("/x").query("q", "ä b"))
        .await
        .unwrap();
    client
        .with_base_url("https://eu.example.com/")
        .unwrap()
        .with_header("x-tenant", "b")
        .unwrap()
        .without_header("user-agent")
        .send(Request::get("/x").header("x-extra", "1"))
        .await
        .unwrap();

    let [first, second] = &mock.requests()[..] else {
        panic!("two requests")
    };
    assert_eq!(first.url, "https://api.example.com/v1/x?q=%C3%A4%20b");
    assert_eq!(first.header("user-agent"), Some("tool/1.2"));
    assert_eq!(first.header("x-tenant"), Some("a"));
    assert_eq!(first.header("accept"), Some("application/json"));
    assert_eq!(second.url, "https://eu.example.com/x");
    assert_eq!(second.header("x-tenant"), Some("b"));
    assert_eq!(second.header("x-extra"), Some("1"));
    assert_eq!(second.header("user-agent"), None);
}

#[tokio::test]
async fn statuses_map_to_kinds_and_carry_what_the_service_said() {
    for (status, kind) in [
        (400, ErrorKind::Validation),
        (422, ErrorKind::Validation),
        (401, ErrorKind::InvalidCredentials),
        (403, ErrorKind::Permission),
        (404, ErrorKind::NotFound),
        (409, ErrorKind::Conflict),
        (501, ErrorKind::Server),
        (418, ErrorKind::Api),
        (302, ErrorKind::Api),
    ] {
        let body =
            r#"{"error":"short","message":"a long story.","correlationId":"c","requestId":"r"}"#;
        let mock = MockTransport::new().json(status, body);
        let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.status().unwrap().as_u16(), status);
        assert_eq!(error.code(), Some("short"));
        assert_eq!(error.message(), Some("a long story."));
        assert_eq!(
            (error.correlation_id(), error.request_id()),
            (Some("c"), Some("r"))
        );
        assert_eq!(error.body_snippet(), Some(body));
        assert_eq!(error.url(), Some("https://api.example.com/v1/x"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_one_line_that_says_what_was_attempted_and_what_happened() {
    let mock = MockTransport::new()
        .json(403, r#"{"error":"forbidden","message":"Not for\nyou."}"#)
        .fail(TransportErrorKind::Tls, Sent::No);
    let client = client(&mock);
    let error = client
        .send(Request::get("/x").operation("get endpoint 3f2a"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "get endpoint 3f2a: server answered 403 (forbidden): Not for you after 1 attempt in 0ms"
    );
    let error = client.send(Request::get("/x")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET https://api.example.com/v1/x: the secure connection could not be made after 1 attempt in 0ms"
    );
}

#[tokio::test]
async fn a_body_that_is_not_json_becomes_the_message() {
    let page = format!("<html>{}</html>", "x".repeat(1000));
    let mock = MockTransport::new().respond(404, &[("x-correlation-id", "c-9")], page);
    let error = client(&mock).send(Request::get("/x")).await.unwrap_err();
    assert_eq!(error.message().unwrap().chars().count(), 500);
    assert_eq!(error.correlation_id(), Some("c-9"));
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only decoding is under test")]
struct Device {
    id: String,
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only decoding is under test")]
struct Health {
    overall: String,
}

#[tokio::test]
async fn a_malformed_answer_names_the_path() {
    let mock = MockTransport::new()
        .json(200, r#"{"id":"1","health":{"overall":7}}"#)
        .json(200, r#"{"id":"1","hea"#)
        .status(204);
    let client = client(&mock);
    let error = client
        .send(Request::get("/x"))
        .await
        .unwrap()
        .json::<Device>()
        .unwrap_err();
    assert!(error.is_decode());
    assert_eq!(error.decode_path(), Some("health.overall"));
    assert_eq!(
        error.body_snippet(),
        Some(r#"{"id":"1","health":{"overall":7}}"#)
    );
    assert_eq!(error.status().unwrap(), 200);

    let cut = client.send(Request::get("/x")).await.unwrap();
    assert!(cut.json::<Device>().unwrap_err().is_decode());

    let empty = client.send(Request::get("/x")).await.unwrap();
    assert!(empty.json_opt::<Device>().unwrap().is_none());
    assert!(empty.json::<Device>().is_err());
}

#[tokio::test]
async fn a_304_is_a_success_for_a_conditional_request_only() {
    let mock = MockTransport::new().status(304).status(304);
    let client = client(&mock);
    let conditional = Request::get("/x").header("if-none-match", "\"1\"");
    assert_eq!(client.send(conditional).await.unwrap().status(), 304);
    assert_eq!(
        client
            .send(Request::get("/x"))
            .await
            .unwrap_err()
            .status()
            .unwrap(),
        304
    );
}

#[tokio::test]
async fn what_cannot_be_sent_fails_before_anything_is_sent() {
    let mock = MockTransport::new();
    let client = client(&mock);
    for request in [
        Request::get("/x").header("bad name", "1"),
        Request::delete("/x").segment(""),
        Request::get("https://"),
    ] {
        let error = client.send(request).await.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert_eq!(error.attempts(), 0);
    }
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn settings_that_cannot_work_fail_in_build() {
    let bad = [
        Client::builder().base_url("not a url"),
        Client::builder().base_url(BASE).default_header("a b", "1"),
        Client::builder().base_url(BASE).default_header("a", "1\n2"),
        Client::builder().base_url(BASE).allow_origin("ftp://x"),
    ];
    for builder in bad {
        let error = builder.transport(MockTransport::new()).build().unwrap_err();
        assert!(error.is_configuration(), "{error}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_everything_but_secrets_and_sends_nothing() {
    let mock = MockTransport::new();
    let client = builder(&mock)
        .credentials(restkit::credentials::Bearer::new("hunter2").unwrap())
        .default_header("x-tenant", "t1")
        .user_agent("tool/1")
        .build()
        .unwrap();
    let request = Request::patch("/endpoints")
        .segment("a/b")
        .json(&serde_json::json!({"enabled": true, "password": "hunter2"}))
        .unwrap();
    let dry = client.dry_run(&request).unwrap();
    assert_eq!(
        dry.to_string(),
        "PATCH https://api.example.com/v1/endpoints/a%2Fb\n\
         content-type: application/json\n\
         accept: application/json\n\
         user-agent: tool/1\n\
         x-tenant: t1\n\
         authorization: Bearer ********\n\
         \n\
         {\"enabled\":true,\"password\":\"********\"}"
    );
    assert!(mock.requests().is_empty());
}

#[tokio::test]
async fn a_recording_remembers_what_went_by() {
    let mock = MockTransport::new()
        .json(200, "{}")
        .fail(TransportErrorKind::Tls, Sent::No);
    let recording = restkit::transport::RecordingTransport::new(mock);
    let client = Client::builder()
        .transport(recording.clone())
        .base_url(BASE)
        .build()
        .unwrap();
    client.send(Request::get("/a")).await.unwrap();
    client.send(Request::get("/b")).await.unwrap_err();
    let [first, second] = &recording.exchanges()[..] else {
        panic!("two exchanges")
    };
    assert_eq!(
        (first.request.target(), first.status.unwrap().as_u16()),
        ("/v1/a", 200)
    );
    assert_eq!(second.failure, Some(TransportErrorKind::Tls));
}

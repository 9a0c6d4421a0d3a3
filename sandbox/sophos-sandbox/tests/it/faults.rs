use std::{io::ErrorKind, time::Duration};

use serde_json::{Value, json};
use sophos_sandbox::{Fault, Sandbox};

use crate::client::{Session, encoded, send, text};

const LIST: &str = "/endpoint/v1/endpoints";

#[test]
fn a_rate_limit_comes_in_four_forms() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([
        Fault::rate_limit().on(LIST),
        Fault::rate_limit().retry_after("2").on(LIST),
        Fault::rate_limit().retry_after("date:2").on(LIST),
        Fault::rate_limit().retry_after("soon").on(LIST),
    ]);
    let headers: Vec<Option<String>> = (0..4)
        .map(|_| {
            let answer = session.send("GET", LIST, None);
            assert_eq!(answer.status, 429);
            assert!(answer.json()["error"].is_string());
            answer.header("retry-after").map(str::to_owned)
        })
        .collect();
    assert_eq!(headers[0], None);
    assert_eq!(headers[1].as_deref(), Some("2"));
    assert!(headers[2].as_deref().unwrap().ends_with(" GMT"));
    assert_eq!(headers[3].as_deref(), Some("soon"));
    assert_eq!(
        session.send("GET", LIST, None).status,
        200,
        "all of them struck once"
    );
}

#[test]
fn a_write_can_be_applied_and_answered_with_500() {
    let sandbox = Sandbox::builder()
        .odd_records(false)
        .isolation_reads(0)
        .start()
        .unwrap();
    let session = Session::new(&sandbox, "tenant");
    let free = session.get(&format!("{LIST}?isolationStatus=notIsolated"));
    let id = text(&free["items"][0]["id"]);
    sandbox.set_faults([Fault::applied_then_500().on("PATCH /endpoint")]);
    let path = format!("{LIST}/{id}/isolation");
    let answer = session.send("PATCH", &path, Some(r#"{"enabled":true}"#));
    assert_eq!(answer.status, 500);
    assert_eq!(session.get(&path)["enabled"], true);
    let writes: Vec<_> = sandbox
        .requests()
        .into_iter()
        .filter(|request| request.method == "PATCH")
        .collect();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].status, Some(500));
    assert_eq!(writes[0].body.as_deref(), Some(r#"{"enabled":true}"#));
}

#[test]
fn answers_can_be_refusals_of_any_kind() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([
        Fault::unauthorized(),
        Fault::status(502).unwrap(),
        Fault::html_503(),
        Fault::expire_tokens(),
    ]);
    let unauthorized = session.send("GET", LIST, None);
    assert_eq!(unauthorized.status, 401);
    assert_eq!(session.send("GET", LIST, None).status, 502);
    let html = session.send("GET", LIST, None);
    assert_eq!(html.status, 503);
    assert_eq!(html.header("content-type"), Some("text/html"));
    assert!(html.body.starts_with("<html>"));
    assert_eq!(
        session.send("GET", LIST, None).status,
        401,
        "the token is no longer valid"
    );
    assert_eq!(
        Session::new(&sandbox, "tenant")
            .send("GET", LIST, None)
            .status,
        200
    );
}

#[test]
fn a_body_can_be_cut_in_the_middle() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::drop_body().on(LIST)]);
    let error = session.try_send("GET", LIST, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(session.send("GET", LIST, None).status, 200);
}

#[test]
fn half_of_the_body_arrives_before_the_cut() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::drop_body().on(LIST)]);
    let mut stream = std::net::TcpStream::connect(sandbox.addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let head = format!(
        "GET {LIST} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nx-tenant-id: {}\r\n\r\n",
        session.token, session.scope.1
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // The end is a close or a reset; what matters is what came before it.
    drop(stream.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 200 "));
    assert!(text.contains("content-length: "));
    assert!(text.contains("{\"items\":[{\"id\""));
    assert!(!text.ends_with('}'));
}

#[test]
fn an_answer_can_be_withheld_although_the_write_was_carried_out() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let id = text(&session.get(LIST)["items"][0]["id"]);
    sandbox.set_faults([Fault::drop_request().on("DELETE /")]);
    let path = format!("{LIST}/{id}");
    assert!(session.try_send("DELETE", &path, None).is_err());
    assert_eq!(session.send("GET", &path, None).status, 404);
}

#[test]
fn a_stall_lasts_until_the_client_gives_up_and_does_not_keep_the_sandbox_from_stopping() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::builder()
        .faults([Fault::stall().always()])
        .start()
        .unwrap();
    let mut stream = std::net::TcpStream::connect(sandbox.addr()).unwrap();
    stream
        .write_all(b"GET /whoami/v1 HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    sandbox.shutdown();
}

#[test]
fn json_can_be_broken() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::malformed().on(LIST), Fault::wrong_type().on(LIST)]);
    let malformed = session.send("GET", LIST, None);
    assert_eq!(malformed.status, 200);
    assert!(serde_json::from_str::<Value>(&malformed.body).is_err());
    assert_eq!(session.get(LIST)["items"], 17);
    assert!(session.get(LIST)["items"].is_array());
}

#[test]
fn pages_can_be_short_or_empty_and_the_walk_still_finds_everything() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let all = session.walk(LIST);
    sandbox.set_faults([
        Fault::empty_page(),
        Fault::short_page().after(1),
        Fault::empty_page(),
    ]);
    let pages: Vec<usize> = {
        let mut sizes = Vec::new();
        let mut next = LIST.to_owned();
        let mut last = String::new();
        loop {
            let page = session.get(&next);
            sizes.push(page["items"].as_array().unwrap().len());
            match page["pages"]["nextKey"].as_str() {
                None | Some("") => break sizes,
                Some(key) => {
                    assert_ne!(key, last, "a key is not repeated by itself");
                    last = key.to_owned();
                    next = format!("{LIST}?pageFromKey={}", encoded(key));
                }
            }
        }
    };
    assert!(pages.contains(&0) && pages.contains(&25), "{pages:?}");
    assert_eq!(pages.iter().sum::<usize>(), all.len());
}

#[test]
fn several_empty_pages_in_a_row_have_different_keys() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::empty_page().on(LIST).times(5)]);
    let mut next = LIST.to_owned();
    let mut keys = Vec::new();
    for _ in 0..5 {
        let page = session.get(&next);
        assert_eq!(page["items"], json!([]));
        let key = text(&page["pages"]["nextKey"]);
        next = format!("{LIST}?pageFromKey={}", encoded(&key));
        keys.push(key);
    }
    assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
    assert_eq!(session.get(&next)["items"].as_array().unwrap().len(), 50);
}

#[test]
fn a_key_can_be_repeated_to_lead_a_client_in_a_circle() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let key = text(&session.get(LIST)["pages"]["nextKey"]);
    sandbox.set_faults([Fault::repeat_key()]);
    let page = session.get(&format!("{LIST}?pageFromKey={}", encoded(&key)));
    assert_eq!(page["pages"]["nextKey"], key);
}

#[test]
fn envelopes_can_be_missing() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::bare_array().on(LIST).times(1)]);
    assert_eq!(session.get(LIST).as_array().unwrap().len(), 50);
    sandbox.set_faults([Fault::missing_pages()]);
    for _ in 0..2 {
        let page = session.get("/common/v1/alerts");
        assert!(page["items"].is_array() && page.get("pages").is_none());
    }
}

#[test]
fn the_maximum_can_be_tiny_or_strict() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    sandbox.set_faults([Fault::max_page_size(7)]);
    let page = session.get(&format!("{LIST}?pageSize=500&pageTotal=true"));
    assert_eq!(page["items"].as_array().unwrap().len(), 7);
    assert_eq!(page["pages"]["maxSize"], 7);
    assert_eq!(page["pages"]["total"], 43);
    sandbox.set_faults([Fault::reject_page_size(60)]);
    assert_eq!(
        session
            .send("GET", &format!("{LIST}?pageSize=100"), None)
            .status,
        400
    );
    assert_eq!(
        session
            .send("GET", &format!("{LIST}?pageSize=50"), None)
            .status,
        200
    );
}

#[test]
fn faults_are_switched_over_http_without_leaving_a_trace_in_the_log() {
    let sandbox = Sandbox::builder().start().unwrap();
    let session = Session::new(&sandbox, "tenant");
    let control = |method: &str, path: &str, body: Option<&str>| {
        send(
            sandbox.url(),
            method,
            path,
            &[("content-type", "application/json")],
            body,
        )
        .unwrap()
    };
    let set = r#"{"faults":["status=503@GET /endpoint*2","latency=1ms"]}"#;
    assert_eq!(control("POST", "/_sandbox/faults", Some(set)).status, 200);
    assert_eq!(session.send("GET", LIST, None).status, 503);
    assert_eq!(
        control("GET", "/_sandbox/faults", None).json(),
        json!({"faults": ["status=503@GET /endpoint", "latency=1ms"]})
    );
    let bad = control(
        "POST",
        "/_sandbox/faults",
        Some(r#"{"faults":["explode"]}"#),
    );
    assert_eq!(bad.status, 400);
    assert!(text(&bad.json()["message"]).contains("explode"));
    assert_eq!(sandbox.faults().len(), 2, "a refused list changes nothing");
    assert_eq!(control("DELETE", "/_sandbox/faults", None).status, 204);
    assert_eq!(session.send("GET", LIST, None).status, 200);

    let log = control("GET", "/_sandbox/requests", None).json();
    let paths: Vec<&str> = log["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["path"].as_str())
        .collect();
    assert_eq!(paths, ["/api/v2/oauth2/token", "/whoami/v1", LIST, LIST]);
    assert_eq!(control("DELETE", "/_sandbox/requests", None).status, 204);
    assert!(sandbox.requests().is_empty());
}

use std::net::{TcpListener, TcpStream};

use sophos_sandbox::Sandbox;

use crate::client::{Session, request_token, text};

#[test]
fn a_stopped_sandbox_frees_its_port() {
    let sandbox = Sandbox::builder().start().unwrap();
    let addr = sandbox.addr();
    assert!(addr.ip().is_loopback());
    let open = TcpStream::connect(addr).unwrap();
    sandbox.shutdown();
    assert!(TcpStream::connect(addr).is_err());
    drop(open);
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Sandbox::builder().port(port).start().unwrap_err();
    assert!(!error.is_setting());
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let error = Sandbox::builder()
        .reference_time("yesterday")
        .start()
        .unwrap_err();
    assert!(error.is_setting());
}

#[test]
fn the_log_shows_the_scope_and_no_secret() {
    let sandbox = Sandbox::builder().secret("very-secret").start().unwrap();
    let token = text(&request_token(&sandbox, "tenant", "very-secret").json()["access_token"]);
    let id = sandbox.identity("tenant").unwrap();
    let session = Session {
        sandbox: &sandbox,
        token,
        scope: ("X-Tenant-ID", id.clone()),
    };
    session.get("/endpoint/v1/endpoints?type=server");
    let log = sandbox.requests();
    assert_eq!(log.len(), 2);
    assert_eq!((log[1].number, log[1].method.as_str()), (2, "GET"));
    assert_eq!(log[1].path, "/endpoint/v1/endpoints");
    assert_eq!(log[1].query, "type=server");
    assert_eq!(log[1].header("x-tenant-id"), Some(id.as_str()));
    assert_eq!(log[1].header("authorization"), Some("Bearer ********"));
    assert_eq!(log[1].status, Some(200));
    let text = format!("{log:?}");
    assert!(!text.contains("very-secret") && !text.contains(&session.token));
}

#[test]
fn it_starts_inside_an_async_runtime_as_anywhere_else() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::builder().start().unwrap();
        assert_eq!(request_token(&sandbox, "tenant", "sandbox").status, 200);
    });
}

#[test]
fn the_reference_time_is_told_in_utc() {
    let sandbox = Sandbox::builder()
        .reference_time("2026-01-01T02:00:00+02:00")
        .start()
        .unwrap();
    assert_eq!(sandbox.reference_time(), "2026-01-01T00:00:00.000Z");
    let session = Session::new(&sandbox, "tenant");
    let recent = session.walk("/endpoint/v1/endpoints?lastSeenAfter=2025-12-31T00:00:00Z");
    assert!(!recent.is_empty());
}

//! Connections that break, on real sockets, through both faces.

use futures_util::StreamExt as _;
use sophos_central::{Client, Config, blocking};
use sophos_sandbox::{Fault, Sandbox};
use testkit::{Gate, Reply, Server};

fn config(sandbox: &Sandbox) -> Config {
    Config::new("tenant", "sandbox")
        .auth_url(sandbox.token_url())
        .global_url(sandbox.url())
        .max_retries(0)
}

#[tokio::test]
async fn a_connection_cut_in_the_middle_of_a_page_is_an_error_and_not_a_short_list() {
    let fault: Fault = "drop-body@GET /endpoint/v1/endpoints+1".parse().unwrap();
    let sandbox = Sandbox::builder()
        .endpoints(100)
        .faults([fault.clone()])
        .start()
        .unwrap();
    let client = Client::new(config(&sandbox)).unwrap();
    let items: Vec<_> = client
        .endpoint()
        .list()
        .page_size(40)
        .items()
        .collect()
        .await;
    assert_eq!(items.len(), 41);
    let error = items[40].as_ref().unwrap_err();
    assert!(error.is_connection(), "{error:?}");

    sandbox.set_faults([fault]);
    let config = config(&sandbox);
    let items = tokio::task::spawn_blocking(move || {
        let client = blocking::Client::new(config).unwrap();
        client
            .endpoint()
            .list()
            .page_size(40)
            .items()
            .collect::<Vec<_>>()
    })
    .await
    .unwrap();
    assert_eq!(items.len(), 41);
    assert!(items[40].as_ref().unwrap_err().is_connection());
}

#[tokio::test]
async fn a_cut_read_is_repeated_and_the_list_is_whole() {
    let fault: Fault = "drop-body@GET /endpoint/v1/endpoints+1".parse().unwrap();
    let sandbox = Sandbox::builder()
        .endpoints(100)
        .faults([fault])
        .start()
        .unwrap();
    let client = Client::new(config(&sandbox).max_retries(1)).unwrap();
    let items: Vec<_> = client
        .endpoint()
        .list()
        .page_size(40)
        .items()
        .collect()
        .await;
    assert_eq!(items.iter().filter(|item| item.is_ok()).count(), 100);
}

#[test]
fn a_change_whose_answer_never_comes_is_unclear_and_was_sent_once() {
    let fault: Fault = "drop-request@PATCH /endpoint".parse().unwrap();
    let sandbox = Sandbox::builder()
        .endpoints(10)
        .faults([fault])
        .start()
        .unwrap();
    let client = blocking::Client::new(config(&sandbox).max_retries(3)).unwrap();
    let id = client
        .endpoint()
        .list()
        .items()
        .next()
        .unwrap()
        .unwrap()
        .id
        .clone();
    let error = client.endpoint().isolate(&id, Some("why")).unwrap_err();
    assert!(error.is_unclear_write(), "{error:?}");
    let writes = sandbox
        .requests()
        .iter()
        .filter(|request| request.method == "PATCH")
        .count();
    assert_eq!(writes, 1);
}

/// The first items are there while the server still holds the second page back.
#[test]
fn the_first_page_is_delivered_before_the_last_is_asked_for() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/token" => Reply::json(crate::support::token()).into(),
        "/whoami/v1" => Reply::json(r#"{"id":"t","idType":"tenant"}"#).into(),
        _ if request.target.contains("pageFromKey") => {
            testkit::Script::from(Reply::json(r#"{"items":[{"id":"b"}]}"#).hold_head(&held))
        }
        _ => Reply::json(r#"{"items":[{"id":"a"}],"pages":{"nextKey":"k"}}"#).into(),
    });
    let config = Config::new("id", "secret")
        .auth_url(server.url("/token"))
        .global_url(server.url("/"))
        .base_url(server.url("/"));
    let client = blocking::Client::new(config).unwrap();
    let mut items = client.endpoint().list().items();
    assert_eq!(items.next().unwrap().unwrap().id.as_str(), "a");
    assert_eq!(
        server.requests().len(),
        3,
        "the second page was not asked for"
    );
    gate.open();
    assert_eq!(items.next().unwrap().unwrap().id.as_str(), "b");
    assert!(items.next().is_none());
}

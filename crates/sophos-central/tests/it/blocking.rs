//! The blocking face: many threads, misplaced calls, what is left behind.

use std::time::Duration;

use bifrons::{BlockingError, BlockingRuntime};
use sophos_central::{Client, Config, blocking};
use sophos_sandbox::Sandbox;
use testkit::{Reply, Script, Server, process};

fn sandbox() -> Sandbox {
    Sandbox::builder()
        .endpoints(60)
        .odd_records(false)
        .start()
        .expect("the sandbox starts")
}

fn config(sandbox: &Sandbox) -> Config {
    Config::new("tenant", "sandbox")
        .auth_url(sandbox.token_url())
        .global_url(sandbox.url())
}

#[test]
fn eight_threads_share_one_client() {
    let sandbox = sandbox();
    let client = blocking::Client::new(config(&sandbox)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let endpoints: Result<Vec<_>, _> =
                        client.endpoint().list().page_size(25).items().collect();
                    let endpoints = endpoints.unwrap();
                    assert_eq!(endpoints.len(), 60);
                    client.endpoint().get(&endpoints[3].id).unwrap();
                }
            });
        }
    });
    let count = |path: &str| {
        sandbox
            .requests()
            .iter()
            .filter(|request| request.path.contains(path))
            .count()
    };
    assert_eq!(count("oauth2/token"), 1);
    assert_eq!(count("whoami"), 1);
}

#[tokio::test]
async fn a_call_inside_an_async_task_is_an_error_that_names_the_remedy() {
    let sandbox = sandbox();
    // Making a client needs no waiting, so it is allowed anywhere.
    let client = blocking::Client::new(config(&sandbox)).unwrap();
    let error = client.whoami().unwrap_err();
    assert!(
        matches!(
            error.as_blocking(),
            Some(BlockingError::InAsyncContext { .. })
        ),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains("spawn_blocking") && text.contains("async client"),
        "{text}"
    );
    assert!(error.hint().is_some());
    let item = client.endpoint().list().items().next().unwrap();
    assert!(item.unwrap_err().as_blocking().is_some());
    let failure = client
        .endpoint()
        .list()
        .across(Vec::new())
        .next()
        .unwrap()
        .unwrap_err();
    assert!(failure.error().as_blocking().is_some() && failure.tenant().is_none());
    assert!(sandbox.requests().is_empty());

    let count = tokio::task::spawn_blocking(move || client.endpoint().list().items().count());
    assert_eq!(count.await.unwrap(), 60);
}

#[tokio::test]
async fn dropping_a_used_client_in_async_code_does_no_harm() {
    let sandbox = sandbox();
    let runtime = BlockingRuntime::builder().build().unwrap();
    let config = config(&sandbox);
    let on = runtime.clone();
    let client = tokio::task::spawn_blocking(move || {
        let client = blocking::Client::new_on(on, config).unwrap();
        client.whoami().unwrap();
        client
    })
    .await
    .unwrap();
    drop(client);
    drop(runtime);
}

#[test]
fn no_thread_and_no_connection_is_left_after_shutdown() {
    process::alone(
        "blocking::no_thread_and_no_connection_is_left_after_shutdown",
        || {
            let sandbox = sandbox();
            let (threads, sockets) = (process::threads(), process::open_sockets());
            for _ in 0..5 {
                let runtime = BlockingRuntime::builder().build().unwrap();
                let client = blocking::Client::new_on(runtime.clone(), config(&sandbox)).unwrap();
                assert_eq!(client.endpoint().list().items().count(), 60);
                assert_eq!(process::threads(), threads, "a call starts no thread");
                drop(client);
                runtime.shutdown(Duration::from_secs(5));
            }
            testkit::eventually("threads and connections are gone", || {
                process::threads() == threads && process::open_sockets() <= sockets
            });
        },
    );
}

#[test]
fn a_used_async_client_is_not_taken_over() {
    let sandbox = sandbox();
    let runtime = BlockingRuntime::shared().unwrap();
    let fresh = Client::new(config(&sandbox)).unwrap();
    let taken = blocking::Client::from_async(fresh, runtime.clone()).unwrap();
    taken.whoami().unwrap();
    let used = taken.into_async();
    assert!(blocking::Client::from_async(used.clone(), runtime.clone()).is_err());
    assert!(blocking::EndpointApi::from_async(used.endpoint(), runtime).is_err());
}

#[test]
fn a_limit_covers_the_whole_call_with_its_pages() {
    let sandbox = Sandbox::builder()
        .endpoints(60)
        .faults(["stall@/endpoint".parse().unwrap()])
        .start()
        .unwrap();
    let client = blocking::Client::new(config(&sandbox)).unwrap();
    let client = client.with_timeout(Duration::from_millis(200));
    let error = client.endpoint().list().send().unwrap_err();
    assert!(
        matches!(error.as_blocking(), Some(BlockingError::TimedOut { .. })),
        "{error:?}"
    );
    assert!(client.whoami().is_ok());
}

#[test]
fn a_change_that_a_limit_interrupts_is_unclear() {
    let sandbox = Sandbox::builder()
        .endpoints(3)
        .faults(["stall@PATCH /endpoint".parse().unwrap()])
        .start()
        .unwrap();
    let client = blocking::Client::new(config(&sandbox)).unwrap();
    let id = client
        .endpoint()
        .list()
        .items()
        .next()
        .unwrap()
        .unwrap()
        .id
        .clone();
    let limited = client.with_timeout(Duration::from_millis(200));
    let error = limited.endpoint().isolate(&id, Some("why")).unwrap_err();
    assert!(error.is_unclear_write(), "{error:?}");
    assert!(error.to_string().contains(id.as_str()), "{error}");
}

#[test]
fn a_call_fits_on_a_small_stack() {
    let sandbox = sandbox();
    let config = config(&sandbox);
    let run = move || {
        let client = blocking::Client::new(config)?;
        let endpoint = client
            .endpoint()
            .list()
            .items()
            .next()
            .expect("there are endpoints")?;
        client.endpoint().get(&endpoint.id)?;
        client.endpoint().isolate(&endpoint.id, None)?;
        client.targets().map(|targets| targets.len())
    };
    let size = if cfg!(debug_assertions) {
        256 * 1024
    } else {
        64 * 1024
    };
    let thread = std::thread::Builder::new()
        .stack_size(size)
        .spawn(run)
        .unwrap();
    let targets: Result<usize, sophos_central::Error> = thread.join().unwrap();
    assert_eq!(targets.unwrap(), 1);
}

#[test]
fn changes_survive_a_server_that_closes_idle_connections() {
    let server = Server::start(|request| match request.path() {
        "/token" => Script::from(Reply::json(crate::support::token())),
        "/whoami/v1" => Script::from(Reply::json(r#"{"id":"t","idType":"tenant"}"#)),
        // Promises to stay, and goes.
        _ => Script::from(Reply::json(r#"{"id":"x","status":"requested"}"#).status(201)).close(),
    });
    let config = Config::new("id", "secret")
        .auth_url(server.url("/token"))
        .global_url(server.url("/"))
        .base_url(server.url("/"))
        .max_retries(0);
    let client = blocking::Client::new(config).unwrap();
    let id = sophos_central::EndpointId::from("e");
    for _ in 0..60 {
        client.endpoint().scan(&id).unwrap();
        server.wait_until_idle();
    }
    assert_eq!(server.requests().len(), 62);
}

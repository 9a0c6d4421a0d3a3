//! The scenarios that both faces share, on the blocking one, and what only it has.

#![expect(
    clippy::while_let_on_iterator,
    reason = "the other face has streams here"
)]

/// The call waits by itself.
macro_rules! wait {
    ($value:expr) => {
        $value
    };
}

/// Takes the next item of an iterator.
macro_rules! next {
    ($iterator:expr) => {
        $iterator.next()
    };
}

/// Runs something beside the test, which can wait for it by `join!`.
macro_rules! beside {
    ($body:expr) => {
        std::thread::spawn(move || $body)
    };
}

/// Waits for something that was started by `beside!`.
macro_rules! join {
    ($handle:expr) => {
        $handle.join()
    };
}

/// Waits until something holds.
macro_rules! until {
    ($condition:expr) => {
        testkit::eventually(stringify!($condition), || $condition)
    };
}

/// Adds a hook that may wait for the body of the response.
macro_rules! after {
    ($builder:expr, [$($kept:ident),*], |$response:pat_param| $body:block) => {{
        $(let $kept = $kept.clone();)*
        $builder.post_response_hook(move |$response: Response| $body)
    }};
}

/// Declares tests.
macro_rules! scenarios {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {
        $(
            $(#[$meta])*
            #[test]
            fn $name() {
                let _watchdog = testkit::Watchdog::start();
                $body
            }
        )*
    };
}

use std::io::Read as ReadBody;

use reqivo::blocking::{self as face, Connection, ConnectionPool, Response, Session};
use testkit::{Reply, Server};

#[path = "conformance/mod.rs"]
mod conformance;
#[path = "scenarios/mod.rs"]
mod scenarios;

#[test]
fn a_call_inside_an_async_task_is_refused_with_the_remedy_and_inside_spawn_blocking_it_works() {
    let _watchdog = testkit::Watchdog::start();
    let server = Server::start(|_| Reply::ok("fine"));
    let (session, url) = (Session::new(), server.url("/"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let error = session.get(&url).send().unwrap_err();
        assert!(
            error
                .blocking()
                .is_some_and(bifrons::BlockingError::is_misuse),
            "{error}"
        );
        assert!(error.to_string().contains("spawn_blocking"), "{error}");
        let (session, url) = (session.clone(), url.clone());
        let body = tokio::task::spawn_blocking(move || session.get(&url).send()?.text());
        assert_eq!(body.await.unwrap().unwrap(), "fine");
        // Dropped in an async context.
    });
    drop(runtime);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn eight_threads_share_one_session() {
    let _watchdog = testkit::Watchdog::start();
    let server = Server::start(|request| Reply::ok(request.target.clone()));
    let session = Session::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (session, server) = (&session, &server);
            scope.spawn(move || {
                for call in 0..50 {
                    let path = format!("/{thread}/{call}");
                    let text = session
                        .get(server.url(&path))
                        .send()
                        .unwrap()
                        .text()
                        .unwrap();
                    assert_eq!(text, path);
                }
            });
        }
    });
    let stats = session.pool_stats();
    assert!(
        stats.open <= 8 && stats.in_use == 0 && stats.waiting == 0,
        "{stats:?}"
    );
    assert_eq!(stats.created + stats.reused, 400);
}

#[test]
fn dropping_a_session_and_a_half_read_response_in_an_async_task_is_harmless() {
    let _watchdog = testkit::Watchdog::start();
    let server = Server::start(|_| Reply::ok(vec![b'x'; 300_000]));
    let session = Session::new();
    let mut response = session.get(server.url("/")).send().unwrap();
    assert!(response.chunk().unwrap().is_some());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async move {
        drop(response);
        drop(session);
    });
    server.wait_until_idle();
}

#[test]
fn the_limit_of_a_view_covers_the_whole_call() {
    let _watchdog = testkit::Watchdog::start();
    let gate = testkit::Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Reply::ok("late").hold(&held));
    let session = Session::new().with_timeout(std::time::Duration::from_millis(50));
    let error = session.get(server.url("/")).send().unwrap_err();
    assert!(error.is_timeout() && error.blocking().is_some(), "{error}");
    assert_eq!(session.pool_stats().open, 0);
    gate.open();
}

#[test]
fn a_tls_request_fits_a_small_stack() {
    let _watchdog = testkit::Watchdog::start();
    let authority = testkit::Authority::new();
    let server = Server::builder()
        .tls(authority.good())
        .start(|_| Reply::ok("small"));
    let tls = reqivo::TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots();
    let session = Session::builder().tls(tls).build().unwrap();
    let url = server.url("/");
    let stack = if cfg!(debug_assertions) {
        256 * 1024
    } else {
        64 * 1024
    };
    let thread = std::thread::Builder::new().stack_size(stack);
    let text = thread.spawn(move || session.get(&url).send().unwrap().text().unwrap());
    assert_eq!(text.unwrap().join().unwrap(), "small");
}

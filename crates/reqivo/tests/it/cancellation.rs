//! A request can be dropped at every point without a trace in the pool.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reqivo::{Error, PoolConfig, Session, Timeouts};
use testkit::{Authority, Gate, Reply, Server, Watchdog};

/// Polls a future so many times, then drops it. `None` when it was dropped.
async fn with_budget<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn get(session: &Session, url: &str) -> Result<usize, Error> {
    Ok(session.get(url).send().await?.bytes().await?.len())
}

/// Cancels after one poll, after two, and so on, until a call gets through; then the pool must be as good as new.
async fn cancel_everywhere(session: &Session, url: &str, warm: bool) {
    let mut polls = 1;
    loop {
        if warm {
            get(session, url).await.unwrap();
        } else {
            session.close_idle();
        }
        let done = with_budget(polls, get(session, url)).await;
        let stats = session.pool_stats();
        assert_eq!(
            (stats.in_use, stats.waiting),
            (0, 0),
            "after {polls} polls: {stats:?}"
        );
        if let Some(done) = done {
            assert_eq!(done.unwrap(), BODY);
            break;
        }
        polls += 1;
    }
    assert!(polls > 1, "no point to cancel at");
    for _ in 0..100 {
        assert_eq!(get(session, url).await.unwrap(), BODY);
    }
    let stats = session.pool_stats();
    assert!(stats.open <= 2 && stats.in_use == 0, "{stats:?}");
}

const BODY: usize = 200_000;

fn reply() -> Reply {
    Reply::ok(vec![b'x'; BODY]).chunked(30_000).pieces(5000)
}

#[tokio::test]
async fn a_plain_request_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| reply());
    let pool = PoolConfig::default().per_origin(2);
    let session = Session::builder().pool(pool).build().unwrap();
    // By address, by name with a lookup, on a kept connection.
    cancel_everywhere(&session, &server.url("/"), false).await;
    cancel_everywhere(&session, &server.url("/"), true).await;
    let named = Session::builder().build().unwrap();
    cancel_everywhere(&named, &server.localhost_url("/"), false).await;
}

#[tokio::test]
async fn a_tls_request_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let authority = Authority::new();
    let server = Server::builder().tls(authority.good()).start(|_| reply());
    let tls = reqivo::TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots();
    let pool = PoolConfig::default().per_origin(2);
    let session = Session::builder().pool(pool).tls(tls).build().unwrap();
    cancel_everywhere(&session, &server.url("/"), false).await;
    cancel_everywhere(&session, &server.url("/"), true).await;
}

#[tokio::test]
async fn requests_through_proxies_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let authority = Authority::new();
    let plain = Server::start(|_| reply());
    let secure = Server::builder().tls(authority.good()).start(|_| reply());
    let tunnel = testkit::Proxy::http().login("user", "secret").start();
    let sealed = testkit::Proxy::http().tls(authority.good()).start();
    let socks = testkit::Proxy::socks().login("user", "secret").start();
    for (proxy, url) in [
        (plain.url(""), "http://a.example/".to_owned()),
        (tunnel.url(), secure.url("/")),
        (sealed.url(), secure.url("/")),
        (socks.url_as("socks5"), plain.localhost_url("/")),
        (socks.url_as("socks4a"), secure.localhost_url("/")),
    ] {
        let password = if proxy.starts_with("socks4") {
            ""
        } else {
            "secret"
        };
        let proxy = reqivo::Proxy::all(proxy).unwrap();
        let tls = reqivo::TlsConfig::new()
            .add_root_der(authority.der())
            .only_added_roots();
        let session = Session::builder()
            .pool(PoolConfig::default().per_origin(2))
            .tls(tls)
            .proxy(proxy.basic_auth("user", password))
            .build()
            .unwrap();
        cancel_everywhere(&session, &url, false).await;
        cancel_everywhere(&session, &url, true).await;
    }
}

#[tokio::test]
async fn redirects_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|request| match request.path() {
        "/end" => reply(),
        _ => Reply::empty(302).header("Location", "/end").chunked(10),
    });
    let pool = PoolConfig::default().per_origin(2);
    let session = Session::builder().pool(pool).build().unwrap();
    cancel_everywhere(&session, &server.url("/"), true).await;
}

#[tokio::test]
async fn a_wait_for_the_pool_can_be_cancelled_before_and_after_its_turn_came() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/held" => Reply::ok("0123456789").hold_body(5, &held),
        _ => Reply::ok("x"),
    });
    let pool = PoolConfig::default().per_origin(1);
    let session = Session::builder()
        .pool(pool)
        .timeout(Timeouts::none())
        .build()
        .unwrap();
    let mut holder = session.get(server.url("/held")).send().await.unwrap();

    // Given up while in the queue.
    let url = server.url("/x");
    assert!(with_budget(1, get(&session, &url)).await.is_none());
    assert_eq!(session.pool_stats().waiting, 0);

    // Given up after the connection was handed over, before it was taken: the next in line gets it.
    let mut first = Box::pin(get(&session, &url));
    let mut second = Box::pin(get(&session, &url));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(session.pool_stats().waiting, 2);
    gate.open();
    assert_eq!(holder.text().await.unwrap(), "0123456789");
    assert_eq!(session.pool_stats().waiting, 1);
    drop(first);
    assert_eq!(session.pool_stats().waiting, 0);
    assert_eq!(second.await.unwrap(), 1);
    let stats = session.pool_stats();
    assert_eq!((stats.open, stats.idle, stats.created), (1, 1, 1));
}

#[tokio::test]
async fn a_cancelled_collection_goes_on_where_it_was() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Reply::ok("0123456789").hold_body(5, &held));
    let mut response = Session::new().get(server.url("/")).send().await.unwrap();
    let limit = Duration::from_millis(30);
    assert!(tokio::time::timeout(limit, response.bytes()).await.is_err());
    gate.open();
    assert_eq!(response.bytes().await.unwrap(), "0123456789");
}

#[tokio::test]
async fn tasks_that_are_aborted_free_their_slots() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/held" => Reply::ok("x").hold(&held),
        _ => Reply::ok("x"),
    });
    let pool = PoolConfig::default().per_origin(4);
    let session = Session::builder().pool(pool).build().unwrap();
    let url = server.url("/held");
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (session, url) = (session.clone(), url.clone());
            tokio::spawn(async move { get(&session, &url).await })
        })
        .collect();
    tokio::task::spawn_blocking({
        let gate = gate.clone();
        move || gate.wait_for_arrival(4)
    })
    .await
    .unwrap();
    for task in tasks {
        task.abort();
        drop(task.await);
    }
    let stats = session.pool_stats();
    assert_eq!((stats.open, stats.waiting), (0, 0), "{stats:?}");
    gate.open();
    assert_eq!(get(&session, &server.url("/x")).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_dropped_at_random_by_many_tasks_leave_the_pool_whole() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| reply());
    let pool = PoolConfig::default().per_origin(3);
    let session = Session::builder().pool(pool).build().unwrap();
    let mut tasks = Vec::new();
    for task in 0..16_u32 {
        let (session, url) = (session.clone(), server.url("/"));
        tasks.push(tokio::spawn(async move {
            for call in 0..20_u32 {
                // Some number of polls, different every time.
                let polls = 1 + (task * 7 + call * 13) % 17;
                if let Some(done) = with_budget(polls, get(&session, &url)).await {
                    assert_eq!(done.unwrap(), BODY);
                }
                assert!(session.pool_stats().open <= 3);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let stats = session.pool_stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0), "{stats:?}");
    for _ in 0..100 {
        assert_eq!(get(&session, &server.url("/")).await.unwrap(), BODY);
    }
}

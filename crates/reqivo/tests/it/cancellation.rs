//! A request can be dropped at every point without a trace in the pool.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use reqivo::multipart::{Form, Part};
use reqivo::{
    Body, Error, PoolConfig, RequestBuilder, Session, SessionBuilder, Timeouts, TlsConfig,
};
use testkit::{Authority, Gate, Proxy, Reply, Server, Watchdog};

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

/// Cancels calls after one poll, after two, and so on, until one gets through. After each the pool is as good as new:
/// nothing is in use, and a hundred more requests are served.
async fn cancel_everywhere<F: Future<Output = Result<usize, Error>>>(
    session: &Session,
    base: &str,
    warm: bool,
    call: impl Fn(RequestBuilder) -> F,
) {
    let mut polls = 1;
    loop {
        session.close_idle();
        if warm {
            get(session, &format!("{base}/small")).await.unwrap();
        }
        let request = session.post(format!("{base}/"));
        let done = with_budget(polls, call(request)).await;
        let stats = session.pool_stats();
        assert_eq!(
            (stats.in_use, stats.waiting),
            (0, 0),
            "after {polls} polls: {stats:?}"
        );
        for _ in 0..100 {
            let small = get(session, &format!("{base}/small")).await.unwrap();
            assert_eq!(small, 1);
        }
        let stats = session.pool_stats();
        assert!(stats.open <= 2 && stats.in_use == 0, "{stats:?}");
        if let Some(done) = done {
            assert_eq!(done.unwrap(), BODY);
            break;
        }
        polls += 1;
    }
    assert!(polls > 1, "no point to cancel at");
}

/// Sends without a body and reads the whole reply.
async fn whole(request: RequestBuilder) -> Result<usize, Error> {
    Ok(request.send().await?.bytes().await?.len())
}

/// Uploads in pieces that are not ready at once, each of them chunked.
async fn upload(request: RequestBuilder) -> Result<usize, Error> {
    let mut left = 8;
    let mut ready = false;
    let pieces = stream_of(move |cx| {
        ready = !ready;
        if !ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        left -= 1;
        Poll::Ready((left > 0).then(|| Ok::<_, std::io::Error>(vec![b'x'; 20_000])))
    });
    whole(request.body(Body::stream(pieces))).await
}

fn stream_of<T>(
    poll: impl FnMut(&mut Context<'_>) -> Poll<Option<T>> + Send + 'static,
) -> impl Stream<Item = T> + Send + 'static {
    struct Polled<P>(P);
    impl<T, P: FnMut(&mut Context<'_>) -> Poll<Option<T>> + Unpin> Stream for Polled<P> {
        type Item = T;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
            (self.0)(cx)
        }
    }
    Box::pin(Polled(Box::new(poll)))
}

const BODY: usize = 200_000;

fn reply(request: &testkit::Request) -> Reply {
    // A proxy is told the whole URL.
    match request.path().ends_with("/small") {
        true => Reply::ok("x"),
        false => Reply::ok(vec![b'x'; BODY]).chunked(30_000).pieces(5000),
    }
}

fn session(change: impl FnOnce(SessionBuilder) -> SessionBuilder) -> Session {
    let pool = PoolConfig::default().per_origin(2);
    change(Session::builder().pool(pool)).build().unwrap()
}

fn trusting(authority: &Authority) -> TlsConfig {
    TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots()
}

/// A1: by address, on a fresh and on a kept connection.
#[tokio::test]
async fn a1_a_plain_request_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let server = Server::start(reply);
    let session = session(|it| it);
    for warm in [false, true] {
        cancel_everywhere(&session, &server.url(""), warm, whole).await;
    }
}

/// A1: by name, with a lookup that takes its time and several addresses.
#[tokio::test]
async fn a1_a_lookup_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    struct Slow(SocketAddr);
    impl reqivo::Resolve for Slow {
        fn resolve<'a>(&'a self, _: &'a str) -> reqivo::Resolving<'a> {
            Box::pin(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(vec![testkit::refused_addr(), self.0])
            })
        }
    }
    let server = Server::start(reply);
    let own = session(|it| it.resolver(Slow(server.addr())));
    cancel_everywhere(&own, "http://slow.example", false, whole).await;
    let systems = session(|it| it);
    cancel_everywhere(&systems, &server.localhost_url(""), false, whole).await;
}

/// A1: with TLS, its first use included, which loads what is trusted.
#[tokio::test]
async fn a1_a_tls_request_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let authority = Authority::new();
    let server = Server::builder().tls(authority.good()).start(reply);
    let roots = TlsConfig::new().add_root_der(authority.der());
    for tls in [trusting(&authority), roots] {
        let session = session(|it| it.tls(tls));
        for warm in [false, true] {
            cancel_everywhere(&session, &server.url(""), warm, whole).await;
        }
    }
}

/// A1: while a body is uploaded in chunks, also after leave was asked for.
#[tokio::test]
async fn a1_an_upload_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let server = Server::start(reply);
    let session = session(|it| it);
    for warm in [false, true] {
        cancel_everywhere(&session, &server.url(""), warm, upload).await;
        cancel_everywhere(&session, &server.url(""), warm, |it| {
            upload(it.expect_continue())
        })
        .await;
    }
}

/// A1, D8: while files are opened and read on other threads.
#[tokio::test]
async fn a1_a_form_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
    let server = Server::start(reply);
    let session = session(|it| it);
    for warm in [false, true] {
        cancel_everywhere(&session, &server.url(""), warm, |it| {
            let reader = std::io::Cursor::new(vec![b'x'; 300_000]);
            let form = Form::new().file("a", &path).part("b", Part::reader(reader));
            whole(it.multipart(form))
        })
        .await;
    }
    for request in server.requests() {
        assert_eq!(
            request.complete,
            request.path() == "/small" || request.body.ends_with(b"--\r\n")
        );
    }
}

/// A1: on the way through redirects, to another server too.
#[tokio::test]
async fn a1_redirects_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let end = Server::start(reply);
    let other = end.url("/end");
    let server = Server::start(move |request| match request.path() {
        "/small" => Reply::ok("x"),
        "/there" => Reply::empty(302).header("Location", other.as_str()),
        _ => Reply::empty(302).header("Location", "/there").chunked(10),
    });
    let session = session(|it| it);
    for warm in [false, true] {
        cancel_everywhere(&session, &server.url(""), warm, whole).await;
    }
}

/// A1: through proxies: read by it, tunnelled with TLS, with TLS in TLS, and by SOCKS.
#[tokio::test]
async fn a1_requests_through_proxies_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let authority = Authority::new();
    let plain = Server::start(reply);
    let secure = Server::builder().tls(authority.good()).start(reply);
    let tunnel = Proxy::http().login("user", "secret").start();
    let sealed = Proxy::http().tls(authority.good()).start();
    let socks = Proxy::socks().login("user", "secret").start();
    for (proxy, base) in [
        (plain.url(""), "http://a.example".to_owned()),
        (tunnel.url(), secure.url("")),
        (sealed.url(), secure.url("")),
        (socks.url_as("socks5"), plain.localhost_url("")),
        (socks.url_as("socks4a"), secure.localhost_url("")),
    ] {
        let password = if proxy.starts_with("socks4") {
            ""
        } else {
            "secret"
        };
        let proxy = reqivo::Proxy::all(proxy)
            .unwrap()
            .basic_auth("user", password);
        let session = session(|it| it.tls(trusting(&authority)).proxy(proxy));
        for warm in [false, true] {
            cancel_everywhere(&session, &base, warm, whole).await;
        }
    }
}

/// A1: over a Unix-domain socket.
#[cfg(unix)]
#[tokio::test]
async fn a1_a_request_over_a_unix_socket_can_be_cancelled_at_every_await() {
    let _watchdog = Watchdog::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::builder().unix(&path).start(reply);
    let session = session(|it| it.unix_socket(&path));
    for warm in [false, true] {
        cancel_everywhere(&session, &server.url(""), warm, whole).await;
        cancel_everywhere(&session, &server.url(""), warm, upload).await;
    }
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
    let mut context = Context::from_waker(std::task::Waker::noop());
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
    let server = Server::start(reply);
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

//! The pool: limits, order, expiry, runtimes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqivo::{PoolConfig, Session, Timeouts};
use testkit::{Gate, Reply, Server, Watchdog};

fn session(pool: PoolConfig) -> Session {
    // Without time limits there is no timer that a paused clock could run into.
    Session::builder()
        .pool(pool)
        .timeout(Timeouts::none())
        .build()
        .unwrap()
}

/// A paused clock jumps to the next timer whenever there is nothing to do but to wait for a socket.
fn keep_the_clock_still() {
    drop(tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    }));
}

async fn get(session: &Session, url: &str) -> String {
    session.get(url).send().await.unwrap().text().await.unwrap()
}

/// P1.
#[tokio::test]
async fn waiting_requests_are_served_in_the_order_of_their_arrival() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/held" => Reply::ok("0123456789").hold_body(5, &held),
        path => Reply::ok(path.to_owned()),
    });
    let session = session(PoolConfig::default().per_origin(1));
    let mut holder = session.get(server.url("/held")).send().await.unwrap();
    let mut tasks = Vec::new();
    for number in 0..10 {
        let (shared, url) = (session.clone(), server.url(&format!("/{number}")));
        tasks.push(tokio::spawn(async move { get(&shared, &url).await }));
        while session.pool_stats().waiting <= number {
            tokio::task::yield_now().await;
        }
    }
    gate.open();
    holder.bytes().await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    let order: Vec<String> = server
        .requests()
        .iter()
        .map(|it| it.target.clone())
        .collect();
    let expected: Vec<String> = std::iter::once("/held".into())
        .chain((0..10).map(|n| format!("/{n}")))
        .collect();
    assert_eq!(order, expected);
    assert_eq!(server.connections().opened, 1);
    assert_eq!(session.pool_stats().reused, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_per_origin_holds_under_load() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|request| Reply::ok(request.target.clone()));
    let session = session(PoolConfig::default().per_origin(3));
    let mut tasks = Vec::new();
    for task in 0..64 {
        let (session, base) = (session.clone(), server.url(""));
        tasks.push(tokio::spawn(async move {
            for call in 0..10 {
                let path = format!("/{task}/{call}");
                assert_eq!(get(&session, &format!("{base}{path}")).await, path);
                assert!(session.pool_stats().open <= 3);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let stats = session.pool_stats();
    assert_eq!((stats.in_use, stats.waiting), (0, 0));
    assert_eq!(stats.created + stats.reused, 640);
    assert!(
        server.connections().opened <= 3 && stats.open <= 3,
        "{stats:?}"
    );
}

#[tokio::test]
async fn the_newest_idle_connection_is_used_first_and_the_oldest_closed_first() {
    let _watchdog = Watchdog::start();
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let held = gates.clone();
    let server = Server::start(move |request| match request.path().strip_prefix("/held") {
        Some(number) => {
            let gate: usize = number.parse().unwrap();
            Reply::ok("0123456789").hold_body(5, &held[gate])
        }
        None => Reply::ok("x"),
    });
    let session = session(PoolConfig::default().idle_per_origin(2));
    let mut open = Vec::new();
    for number in 0..3 {
        open.push(
            session
                .get(server.url(&format!("/held{number}")))
                .send()
                .await
                .unwrap(),
        );
    }
    // They come back in the order 2, 0, 1.
    for number in [2, 0, 1] {
        gates[number].open();
        open[number].bytes().await.unwrap();
    }
    let stats = session.pool_stats();
    assert_eq!((stats.idle, stats.open, stats.closed_surplus), (2, 2, 1));
    server.wait_until(|view| view.records[2].end.is_some());
    get(&session, &server.url("/x")).await;
    assert_eq!(server.requests().last().unwrap().connection, 1);
}

/// P2, P10.
#[tokio::test(start_paused = true)]
async fn idle_connections_expire_without_being_asked_for_again() {
    let _watchdog = Watchdog::start();
    keep_the_clock_still();
    let (a, b) = (
        Server::start(|_| Reply::ok("a")),
        Server::start(|_| Reply::ok("b")),
    );
    let session = session(PoolConfig::default().idle_time(Duration::from_secs(30)));
    get(&session, &a.url("/")).await;
    tokio::time::advance(Duration::from_secs(29)).await;
    get(&session, &a.url("/")).await;
    assert_eq!(a.connections().opened, 1);
    tokio::time::advance(Duration::from_secs(31)).await;
    // Another origin is used, and the old connection goes.
    get(&session, &b.url("/")).await;
    a.wait_until_idle();
    assert_eq!(session.pool_stats().closed_expired, 1);
    tokio::time::advance(Duration::from_secs(31)).await;
    // Who was first, this or the reaper, does not matter.
    session.close_expired();
    let stats = session.pool_stats();
    assert_eq!((stats.closed_expired, stats.open), (2, 0));
    b.wait_until_idle();
}

/// P8.
#[tokio::test(start_paused = true)]
async fn age_and_the_servers_own_hint_limit_reuse() {
    let _watchdog = Watchdog::start();
    keep_the_clock_still();
    let server = Server::start(|request| match request.path() {
        "/hint" => Reply::ok("x").header("Keep-Alive", "timeout=5, max=100"),
        _ => Reply::ok("x"),
    });
    let second = Duration::from_secs(1);
    let hinted = session(PoolConfig::default());
    get(&hinted, &server.url("/hint")).await;
    tokio::time::advance(3 * second).await;
    get(&hinted, &server.url("/hint")).await;
    assert_eq!(hinted.pool_stats().created, 1);
    tokio::time::advance(4 * second).await;
    get(&hinted, &server.url("/hint")).await;
    assert_eq!(hinted.pool_stats().created, 2);

    let aged = session(PoolConfig::default().max_age(10 * second));
    for expected in [1, 1, 2] {
        get(&aged, &server.url("/")).await;
        assert_eq!(aged.pool_stats().created, expected);
        tokio::time::advance(6 * second).await;
    }
}

#[tokio::test]
async fn the_total_limit_is_shared_fairly_between_origins() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let a = Server::start(move |request| match request.path() {
        "/held" => Reply::ok("0123456789").hold_body(5, &held),
        _ => Reply::ok("a"),
    });
    let b = Server::start(|_| Reply::ok("b"));
    let session = session(PoolConfig::default().total(1));
    let mut holder = session.get(a.url("/held")).send().await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for (number, url) in [b.url("/"), a.url("/"), b.url("/")].into_iter().enumerate() {
        let (session, order) = (session.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let text = get(&session, &url).await;
            order.lock().unwrap().push(text);
            number
        }));
        // The tasks of this runtime start in the order of spawning.
        tokio::task::yield_now().await;
    }
    while session.pool_stats().waiting < 3 {
        tokio::task::yield_now().await;
    }
    gate.open();
    holder.bytes().await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), ["b", "a", "b"]);
    assert_eq!(session.pool_stats().open, 1);
    // An idle connection of another origin makes room.
    assert_eq!(get(&session, &a.url("/")).await, "a");
    assert_eq!(session.pool_stats().open, 1);
}

/// A6, P12.
#[test]
fn a_connection_of_a_runtime_that_does_not_turn_is_never_waited_on() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| Reply::ok("x"));
    let session = session(PoolConfig::default().per_origin(2));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    for _ in 0..3 {
        for runtime in [&first, &second] {
            assert_eq!(runtime.block_on(get(&session, &server.url("/"))), "x");
        }
    }
    assert_eq!(session.pool_stats().created, 2);
    drop(first);
    assert_eq!(second.block_on(get(&session, &server.url("/"))), "x");
    // The place of the one that is gone is taken by a third runtime.
    let third = runtime();
    assert_eq!(third.block_on(get(&session, &server.url("/"))), "x");
    assert!(session.pool_stats().open <= 2);
    let text = std::thread::scope(|scope| {
        let url = server.url("/");
        let (session, third) = (&session, &third);
        let other = scope.spawn(move || runtime().block_on(get(session, &url)));
        let own = third.block_on(get(session, &server.url("/")));
        own + &other.join().unwrap()
    });
    assert_eq!(text, "xx");
}

/// A6.
#[test]
fn a_body_is_not_read_on_another_runtime() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Reply::ok("0123456789").hold_body(5, &held));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (first, second) = (runtime(), runtime());
    let session = Session::new();
    let mut response = first.block_on(session.get(server.url("/")).send()).unwrap();
    let error = second.block_on(response.bytes()).unwrap_err();
    assert_eq!(error.kind(), reqivo::ErrorKind::Body, "{error}");
    assert_eq!(session.pool_stats().open, 0);
    gate.open();
}

#[test]
fn outside_of_a_runtime_the_error_says_so() {
    let mut future = Box::pin(Session::new().get("http://127.0.0.1:1/").send());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = future.as_mut().poll(&mut context) else {
        panic!("waits without a runtime");
    };
    assert!(
        error.is_builder() && error.to_string().contains("runtime"),
        "{error}"
    );
}

/// P10: neither a multi-thread runtime nor one of a single thread that does other things needs another call.
#[test]
fn p10_on_a_runtime_that_turns_by_itself_expired_connections_are_closed_without_a_call() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| Reply::ok("x"));
    let single = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let multi = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    for runtime in [single.unwrap(), multi.unwrap()] {
        let session = session(PoolConfig::default().idle_time(Duration::from_millis(50)));
        runtime.block_on(async {
            for _ in 0..2 {
                get(&session, &server.url("/")).await;
                while session.pool_stats().open > 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        server.wait_until_idle();
        let stats = session.pool_stats();
        assert_eq!((stats.closed_expired, stats.created), (2, 2));
    }
}

/// P10: on the runtime of the blocking face no task is left behind, hence no thread for it.
#[test]
fn p10_blocking_calls_leave_no_task_behind() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| Reply::ok("x"));
    let session = reqivo::blocking::Session::new();
    session.get(server.url("/")).send().unwrap();
    assert_eq!(session.pool_stats().idle, 1);
    let stats = bifrons::BlockingRuntime::shared().unwrap().stats();
    assert_eq!(stats.alive_tasks, 0, "{stats:?}");
}

/// A6, P12.
#[test]
fn a_slot_goes_to_a_waiter_on_another_runtime_without_its_connection() {
    let _watchdog = Watchdog::start();
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |request| match request.path() {
        "/held" => Reply::ok("0123456789").hold_body(5, &held),
        _ => Reply::ok("x"),
    });
    let session = session(PoolConfig::default().per_origin(1));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let first = runtime();
    let mut holder = first
        .block_on(session.get(server.url("/held")).send())
        .unwrap();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| runtime().block_on(get(&session, &server.url("/x"))));
        testkit::eventually("somebody waits", || session.pool_stats().waiting == 1);
        gate.open();
        assert_eq!(first.block_on(holder.text()).unwrap(), "0123456789");
        // The first runtime does not turn any more, and the other gets its answer all the same.
        assert_eq!(other.join().unwrap(), "x");
    });
    let stats = session.pool_stats();
    assert_eq!(
        (stats.created, stats.closed_surplus, stats.open),
        (2, 1, 1),
        "{stats:?}"
    );
}

/// Counts how often a future is polled.
async fn counting<F: Future>(polls: &AtomicUsize, future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        polls.fetch_add(1, Ordering::Relaxed);
        future.as_mut().poll(cx)
    })
    .await
}

/// A5: a place that becomes free wakes the one whose turn it is, and nobody else.
#[tokio::test]
async fn a5_waiting_costs_nothing_until_it_is_ones_turn() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| Reply::ok("x"));
    let session = session(PoolConfig::default().per_origin(4));
    let polls = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let (session, url, polls) = (session.clone(), server.url("/"), Arc::clone(&polls));
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                counting(&polls, get(&session, &url)).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    // Into the queue, out of it, the reply; and a little for replies that come in pieces.
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls <= 64 * 20 * 5, "{polls} polls");
}

/// A5: a sequential call is driven by its caller alone, as a root future or as a task.
#[tokio::test]
async fn a5_a_sequential_call_needs_no_other_task() {
    let _watchdog = Watchdog::start();
    let server = Server::start(|_| Reply::ok("x"));
    let session = session(PoolConfig::default());
    let url = server.url("/");
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let (root, task) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    for _ in 0..50 {
        counting(&root, get(&session, &url)).await;
    }
    let after = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    assert!(after <= before + 1, "{after} tasks");
    let counted = Arc::clone(&task);
    let spawned = tokio::spawn(async move {
        for _ in 0..50 {
            counting(&counted, get(&session, &url)).await;
        }
    });
    spawned.await.unwrap();
    for polls in [&root, &task] {
        let polls = polls.load(Ordering::Relaxed);
        assert!(polls <= 50 * 3, "{polls} polls");
    }
    assert_eq!(server.connections().opened, 1);
}

/// A3: neither lookups nor the certificates of the system are read on the thread that runs tasks.
#[test]
fn a3_lookups_and_certificates_do_not_hold_up_tasks() {
    let _watchdog = Watchdog::start();
    let authority = testkit::Authority::new();
    let plain = Server::start(|_| Reply::ok("x"));
    let secure = Server::builder()
        .tls(authority.good())
        .start(|_| Reply::ok("x"));
    for url in [plain.localhost_url("/"), secure.url("/")] {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let tls = reqivo::TlsConfig::new().add_root_der(authority.der());
        let session = Session::builder()
            .timeout(Timeouts::none())
            .tls(tls)
            .build()
            .unwrap();
        runtime.block_on(async {
            // The only thread for blocking work is busy, so what needs one waits, and tasks go on.
            let gate = Gate::new();
            let held = gate.clone();
            let busy = tokio::task::spawn_blocking(move || held.wait());
            let call = tokio::spawn(async move { get(&session, &url).await });
            gate.wait_for_arrival(1);
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            assert!(!call.is_finished());
            gate.open();
            busy.await.unwrap();
            assert_eq!(call.await.unwrap(), "x");
        });
    }
}

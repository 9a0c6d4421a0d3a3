//! What the blocking face costs: B1-B6, B8 and B10 of the table in `docs/benchmarks.md`.
//!
//! `cargo run --release --bin dual [ROUNDS]`. Gates are printed and never fail the run. B9 is `bench/build-time`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bifrons::{BlockingRuntime, CallOptions, CancelToken, Mode};
use bifrons_bench::echo::blocking;
use bifrons_bench::server::start_server;
use bifrons_bench::{Cost, Variant, gate, interleave, of, pin_to_one_core, print_costs, threads};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> anyhow::Result<()> {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|argument| argument.parse().ok())
        .unwrap_or(20);
    creation(rounds)?;
    exchange_on_eight_threads(rounds, "all cores")?;
    get_on_eight_threads(rounds)?;
    after_idle()?;
    limits()?;
    heartbeat()?;
    let core = pin_to_one_core();
    println!("\nfrom here on pinned to core {core}, {rounds} rounds, 20th percentile");
    ready_future(rounds)?;
    buffered_items(rounds)?;
    exchange_on_one_thread(rounds)?;
    exchange_on_eight_threads(rounds, "one core")?;
    get_on_one_thread(rounds)?;
    Ok(())
}

/// B1: a future that is ready at once, through a generated blocking method.
fn ready_future(rounds: usize) -> anyhow::Result<()> {
    let echo = blocking::Echo::new();
    let limited = echo.with_timeout(Duration::from_secs(30));
    let costs = interleave(
        rounds,
        20_000,
        &mut [
            Variant::new("blocking method, ready future", |calls| {
                for n in 0..calls {
                    assert!(std::hint::black_box(&echo).ready(n).is_ok());
                }
            }),
            Variant::new("the same with a deadline", |calls| {
                for n in 0..calls {
                    assert!(std::hint::black_box(&limited).ready(n).is_ok());
                }
            }),
        ],
    );
    print_costs("B1 ready future", &costs);
    gate("B1 ns", costs[0].nanos, 250.0, true);
    // preemption by other programs aside
    gate("B1 switches", costs[0].switches, 0.01, true);
    gate("B1 with a deadline, ns", costs[1].nanos, 340.0, true);
    Ok(())
}

/// B2: an item that the stream already holds.
fn buffered_items(rounds: usize) -> anyhow::Result<()> {
    let runtime = BlockingRuntime::shared()?;
    let costs = interleave(
        rounds,
        100_000,
        &mut [Variant::new("buffered iterator item", |calls| {
            let items = runtime.iter(futures_util::stream::iter(0..calls));
            assert_eq!(items.map(std::hint::black_box).count(), calls);
        })],
    );
    print_costs("B2 buffered item", &costs);
    gate("B2 ns", costs[0].nanos, 50.0, true);
    Ok(())
}

/// B3: 64 bytes there and back on one thread. Every round makes new connections: one and the same socket can be some
/// percent slower than the next for as long as it lives.
fn exchange_on_one_thread(rounds: usize) -> anyhow::Result<()> {
    let address = start_echo()?;
    let runtime = BlockingRuntime::shared()?;
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let costs = interleave(
        rounds,
        2_000,
        &mut [
            Variant::new("std", |calls| {
                let mut stream = connect(address).unwrap();
                (0..calls).for_each(|_| exchange_std(&mut stream));
            }),
            Variant::new("bifrons", |calls| {
                let mut stream = runtime
                    .block_on(tokio::net::TcpStream::connect(address))
                    .unwrap()
                    .unwrap();
                stream.set_nodelay(true).unwrap();
                for _ in 0..calls {
                    runtime.block_on(exchange(&mut stream)).unwrap();
                }
                runtime.release(stream);
            }),
            Variant::new("tokio, one block_on per exchange", |calls| {
                let mut stream = tokio
                    .block_on(tokio::net::TcpStream::connect(address))
                    .unwrap();
                stream.set_nodelay(true).unwrap();
                for _ in 0..calls {
                    tokio.block_on(exchange(&mut stream));
                }
            }),
            Variant::new("tokio, all in one block_on", |calls| {
                tokio.block_on(async {
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    for _ in 0..calls {
                        exchange(&mut stream).await;
                    }
                });
            }),
        ],
    );
    print_costs("B3 64-byte exchange, one thread", &costs);
    gate(
        "B3 bifrons / std",
        ratio(&costs, "bifrons", "std"),
        1.12,
        true,
    );
    gate(
        "B3 switches beyond std",
        of(&costs, "bifrons").switches - of(&costs, "std").switches,
        0.8,
        true,
    );
    Ok(())
}

const THREADS: usize = 8;

/// B4: 64 bytes there and back on eight threads at once.
fn exchange_on_eight_threads(rounds: usize, place: &str) -> anyhow::Result<()> {
    let address = start_echo()?;
    let caller_driven = BlockingRuntime::builder().build()?;
    let threaded = BlockingRuntime::builder()
        .mode(Mode::Threaded {
            workers: NonZeroUsize::MIN,
        })
        .build()?;
    let on_runtime = |runtime: &BlockingRuntime, calls: usize| {
        threads(THREADS, |_| {
            let mut stream = runtime
                .block_on(tokio::net::TcpStream::connect(address))
                .unwrap()
                .unwrap();
            stream.set_nodelay(true).unwrap();
            for _ in 0..calls / THREADS {
                runtime.block_on(exchange(&mut stream)).unwrap();
            }
        });
    };
    let costs = interleave(
        rounds,
        8_000,
        &mut [
            Variant::new("std", |calls| {
                threads(THREADS, |_| {
                    let mut stream = connect(address).unwrap();
                    (0..calls / THREADS).for_each(|_| exchange_std(&mut stream));
                });
            }),
            Variant::new("bifrons, caller driven", |calls| {
                on_runtime(&caller_driven, calls)
            }),
            Variant::new("bifrons, threaded", |calls| on_runtime(&threaded, calls)),
        ],
    );
    print_costs(
        &format!("B4 64-byte exchange, eight threads, {place}"),
        &costs,
    );
    gate(
        "B4 caller driven / std",
        ratio(&costs, "bifrons, caller driven", "std"),
        1.40,
        true,
    );
    gate(
        "B4 caller driven / threaded",
        ratio(&costs, "bifrons, caller driven", "bifrons, threaded"),
        1.15,
        true,
    );

    caller_driven.shutdown(Duration::from_secs(1));
    threaded.shutdown(Duration::from_secs(1));
    Ok(())
}

/// B6, second half: a GET on eight threads at once.
fn get_on_eight_threads(rounds: usize) -> anyhow::Result<()> {
    let url = format!("http://{}/items", start_server()?);
    let ours = reqivo::blocking::Session::new();
    let peer = reqwest::blocking::Client::new();
    let costs = interleave(
        rounds,
        4_000,
        &mut [
            Variant::new("reqivo::blocking", |calls| {
                threads(THREADS, |_| {
                    for _ in 0..calls / THREADS {
                        assert_eq!(ours.get(&url).send().unwrap().bytes().unwrap().len(), 1024);
                    }
                });
            }),
            Variant::new("reqwest::blocking", |calls| {
                threads(THREADS, |_| {
                    for _ in 0..calls / THREADS {
                        assert_eq!(peer.get(&url).send().unwrap().bytes().unwrap().len(), 1024);
                    }
                });
            }),
        ],
    );
    print_costs("B6 GET of 1 KiB, eight threads, all cores", &costs);
    gate(
        "B6 reqivo / reqwest, 8 threads",
        ratio(&costs, "reqivo::blocking", "reqwest::blocking"),
        0.90,
        true,
    );
    Ok(())
}

/// B5, B6 (first half): a GET on one thread.
fn get_on_one_thread(rounds: usize) -> anyhow::Result<()> {
    let url = format!("http://{}/items", start_server()?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let session = reqivo::Session::new();
    let blocking = reqivo::blocking::Session::new();
    let peer = reqwest::blocking::Client::new();
    let costs = interleave(
        rounds,
        2_000,
        &mut [
            Variant::new("reqivo async, current_thread", |calls| {
                runtime.block_on(async {
                    for _ in 0..calls {
                        let body = session
                            .get(&url)
                            .send()
                            .await
                            .unwrap()
                            .bytes()
                            .await
                            .unwrap();
                        assert_eq!(body.len(), 1024);
                    }
                });
            }),
            Variant::new("reqivo::blocking", |calls| {
                for _ in 0..calls {
                    assert_eq!(
                        blocking.get(&url).send().unwrap().bytes().unwrap().len(),
                        1024
                    );
                }
            }),
            Variant::new("reqwest::blocking", |calls| {
                for _ in 0..calls {
                    assert_eq!(peer.get(&url).send().unwrap().bytes().unwrap().len(), 1024);
                }
            }),
        ],
    );
    print_costs("B5, B6 GET of 1 KiB, one thread", &costs);
    let (ours, own_async) = ("reqivo::blocking", "reqivo async, current_thread");
    gate(
        "B5 blocking / own async",
        ratio(&costs, ours, own_async),
        1.08,
        true,
    );
    gate(
        "B5 switches beyond async",
        of(&costs, ours).switches - of(&costs, own_async).switches,
        0.2,
        true,
    );
    gate(
        "B6 reqivo / reqwest, 1 thread",
        ratio(&costs, ours, "reqwest::blocking"),
        0.55,
        true,
    );
    Ok(())
}

/// B8: the latency of a call after 6 ms without one.
fn after_idle() -> anyhow::Result<()> {
    let url = format!("http://{}/items", start_server()?);
    let ours = reqivo::blocking::Session::new();
    let peer = reqwest::blocking::Client::new();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (index, times) in times.iter_mut().enumerate() {
            std::thread::sleep(Duration::from_millis(6));
            let start = Instant::now();
            let length = if index == 0 {
                ours.get(&url).send()?.bytes()?.len()
            } else {
                peer.get(&url).send()?.bytes()?.len()
            };
            times.push(start.elapsed());
            assert_eq!(length, 1024);
        }
    }
    let [ours, peer] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    println!(
        "\nB8 GET after 6 ms without a call, p50\n  reqivo::blocking {ours:?}, reqwest::blocking {peer:?}"
    );
    gate(
        "B8 reqivo / reqwest",
        ours.as_secs_f64() / peer.as_secs_f64(),
        1.0,
        true,
    );
    Ok(())
}

/// How soon a cancel from another thread and a deadline end a call.
fn limits() -> anyhow::Result<()> {
    const ROUNDS: usize = 100;
    let limit = Duration::from_millis(10);
    let runtime = BlockingRuntime::builder().build()?;
    let (mut cancels, mut deadlines) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let token = CancelToken::new();
        let options = CallOptions::default().with_cancel(token.clone());
        let (waiting, begun) = std::sync::mpsc::channel();
        let canceller = std::thread::spawn(move || {
            begun.recv().ok();
            std::thread::sleep(Duration::from_millis(1));
            let start = Instant::now();
            token.cancel();
            start
        });
        let outcome = runtime.block_on_with(&options, async move {
            waiting.send(()).ok();
            std::future::pending::<()>().await;
        });
        let end = Instant::now();
        assert!(outcome.is_err_and(|error| error.is_cancelled()));
        cancels.push(end - canceller.join().unwrap_or(end));

        let options = CallOptions::default().with_timeout(limit);
        let start = Instant::now();
        let outcome = runtime.block_on_with(&options, std::future::pending::<()>());
        assert!(outcome.is_err_and(|error| error.is_timeout()));
        deadlines.push(start.elapsed() - limit);
    }
    let [cancel, beyond] = [cancels, deadlines].map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    });
    println!("\nlimits, median of {ROUNDS}");
    gate(
        "cancel from another thread to return, ms",
        cancel,
        5.0,
        true,
    );
    gate("beyond a deadline of 10 ms, ms", beyond, 10.0, true);
    Ok(())
}

/// How regular background work is while nobody calls, and what it costs when there is none.
fn heartbeat() -> anyhow::Result<()> {
    const PERIOD: Duration = Duration::from_millis(5);
    let runtime = BlockingRuntime::builder().build()?;
    let ticks = Arc::new(AtomicU32::new(0));
    let (counter, span) = (Arc::clone(&ticks), Duration::from_secs(2));
    runtime.block_on(async move {
        tokio::spawn(async move {
            let mut clock = tokio::time::interval(PERIOD);
            let end = Instant::now() + span;
            while Instant::now() < end {
                clock.tick().await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    })?;
    std::thread::sleep(span + 2 * PERIOD);
    let nominal = span.as_secs_f64() / PERIOD.as_secs_f64();
    println!("\nbackground work without callers");
    gate(
        "ticks of a 5 ms heartbeat, share of nominal",
        f64::from(ticks.load(Ordering::Relaxed)) / nominal,
        0.8,
        false,
    );
    let before = bifrons_bench::cpu_time();
    std::thread::sleep(Duration::from_secs(1));
    let spent = bifrons_bench::cpu_time() - before;
    gate(
        "CPU of one idle second with a keeper and no task, ms",
        spent.as_secs_f64() * 1000.0,
        1.0,
        true,
    );
    Ok(())
}

/// B10: making a client.
fn creation(rounds: usize) -> anyhow::Result<()> {
    let before = std::fs::read_dir("/proc/self/task")?.count();
    let costs = interleave(
        rounds,
        200,
        &mut [
            Variant::new("async session", |calls| {
                for _ in 0..calls {
                    drop(std::hint::black_box(reqivo::Session::new()));
                }
            }),
            Variant::new("blocking session", |calls| {
                for _ in 0..calls {
                    drop(std::hint::black_box(reqivo::blocking::Session::new()));
                }
            }),
        ],
    );
    print_costs("B10 client creation", &costs);
    gate(
        "B10 blocking / async",
        ratio(&costs, "blocking session", "async session"),
        2.0,
        true,
    );
    let after = std::fs::read_dir("/proc/self/task")?.count();
    gate(
        "B10 threads started",
        after as f64 - before as f64,
        0.0,
        true,
    );
    Ok(())
}

fn ratio(costs: &[Cost], ours: &str, theirs: &str) -> f64 {
    of(costs, ours).nanos / of(costs, theirs).nanos
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn exchange_std(stream: &mut TcpStream) {
    let mut buffer = [7u8; 64];
    stream.write_all(&buffer).unwrap();
    stream.read_exact(&mut buffer).unwrap();
}

async fn exchange(stream: &mut tokio::net::TcpStream) {
    let mut buffer = [7u8; 64];
    stream.write_all(&buffer).await.unwrap();
    stream.read_exact(&mut buffer).await.unwrap();
}

/// A server that sends back every 64 bytes, one thread per connection.
fn start_echo() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_nodelay(true);
            std::thread::spawn(move || {
                let mut buffer = [0u8; 64];
                while stream.read_exact(&mut buffer).is_ok() && stream.write_all(&buffer).is_ok() {}
            });
        }
    });
    Ok(address)
}

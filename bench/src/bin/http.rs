//! Sequential keep-alive GETs of 1 KiB, client and server pinned to one core, every client in one run.
//!
//! `cargo run --release --bin http [ROUNDS [CALLS]]`

use bifrons_bench::{Variant, gate, interleave, of, pin_to_one_core, print_costs, start_server};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse::<usize>().ok());
    let rounds = arguments.next().unwrap_or(20);
    let calls = arguments.next().unwrap_or(2000);
    let core = pin_to_one_core();
    let url = format!("http://{}/items", start_server(1024)?);
    println!("core {core}, {rounds} rounds of {calls} calls, 1 KiB bodies, 20th percentile");

    let current = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let (reqivo_rt, reqwest_rt, floor) = (current()?, current()?, Floor::connect(&url)?);
    let multi = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let reqivo_session = reqivo::Session::new();
    let reqivo_root = reqivo::Session::new();
    let reqivo_blocking = reqivo::blocking::Session::new();
    let reqwest_client = reqwest::Client::new();
    let reqwest_blocking = reqwest::blocking::Client::new();
    let agent = ureq::Agent::new_with_defaults();
    let floor = std::cell::RefCell::new(floor);

    let costs = interleave(
        rounds,
        calls,
        &mut [
            Variant::new("std socket + httparse (floor)", |calls| {
                for _ in 0..calls {
                    floor.borrow_mut().get();
                }
            }),
            Variant::new("reqivo async, current_thread", |calls| {
                let (session, url) = (reqivo_session.clone(), url.clone());
                reqivo_rt.block_on(async move {
                    tokio::spawn(async move { reqivo_gets(&session, &url, calls).await })
                        .await
                        .unwrap();
                });
            }),
            Variant::new("reqivo async, root of a multi-thread runtime", |calls| {
                multi.block_on(reqivo_gets(&reqivo_root, &url, calls));
            }),
            Variant::new("reqwest async, current_thread", |calls| {
                let (client, url) = (reqwest_client.clone(), url.clone());
                reqwest_rt.block_on(async move {
                    tokio::spawn(async move {
                        for _ in 0..calls {
                            let body = client
                                .get(&url)
                                .send()
                                .await
                                .unwrap()
                                .bytes()
                                .await
                                .unwrap();
                            assert_eq!(body.len(), 1024);
                        }
                    })
                    .await
                    .unwrap();
                });
            }),
            Variant::new("reqivo blocking", |calls| {
                for _ in 0..calls {
                    let body = reqivo_blocking.get(&url).send().unwrap().bytes().unwrap();
                    assert_eq!(body.len(), 1024);
                }
            }),
            Variant::new("ureq", |calls| {
                for _ in 0..calls {
                    let body = agent
                        .get(&url)
                        .call()
                        .unwrap()
                        .body_mut()
                        .read_to_vec()
                        .unwrap();
                    assert_eq!(body.len(), 1024);
                }
            }),
            Variant::new("reqwest::blocking", |calls| {
                for _ in 0..calls {
                    let body = reqwest_blocking.get(&url).send().unwrap().bytes().unwrap();
                    assert_eq!(body.len(), 1024);
                }
            }),
        ],
    );
    print_costs("sequential GET, 1 KiB", &costs);
    let nanos = |name| of(&costs, name).nanos;
    println!("\nratios (how many times faster)");
    gate(
        "reqivo async vs reqwest async",
        nanos("reqwest async, current_thread") / nanos("reqivo async, current_thread"),
        1.25,
        false,
    );
    gate(
        "reqivo async at the root vs reqwest async",
        nanos("reqwest async, current_thread")
            / nanos("reqivo async, root of a multi-thread runtime"),
        1.25,
        false,
    );
    gate(
        "reqivo blocking vs ureq",
        nanos("ureq") / nanos("reqivo blocking"),
        1.1,
        false,
    );
    gate(
        "reqivo blocking vs reqwest::blocking",
        nanos("reqwest::blocking") / nanos("reqivo blocking"),
        1.8,
        false,
    );
    let above = nanos("reqivo blocking") / nanos("std socket + httparse (floor)");
    println!("         reqivo blocking / floor: {above:.2}");
    Ok(())
}

async fn reqivo_gets(session: &reqivo::Session, url: &str, calls: usize) {
    for _ in 0..calls {
        let body = session
            .get(url)
            .send()
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        assert_eq!(body.len(), 1024);
    }
}

/// The least that a correct exchange costs: one write, reads until the framed body is there, a parsed head.
struct Floor {
    stream: std::net::TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Floor {
    fn connect(url: &str) -> anyhow::Result<Self> {
        let rest = url.trim_start_matches("http://");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stream = std::net::TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\nUser-Agent: floor\r\n\r\n"
        )
        .into_bytes();
        Ok(Self {
            stream,
            request,
            buffer: vec![0; 16 * 1024],
        })
    }

    fn get(&mut self) {
        use std::io::{Read, Write};
        self.stream.write_all(&self.request).unwrap();
        let mut filled = 0;
        loop {
            filled += self.stream.read(&mut self.buffer[filled..]).unwrap();
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut reply = httparse::Response::new(&mut headers);
            let Ok(httparse::Status::Complete(head)) = reply.parse(&self.buffer[..filled]) else {
                continue;
            };
            let length: usize = reply
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case("content-length"))
                .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
                .unwrap();
            while filled < head + length {
                filled += self.stream.read(&mut self.buffer[filled..]).unwrap();
            }
            assert_eq!(self.buffer[head..head + length].to_vec().len(), 1024);
            return;
        }
    }
}

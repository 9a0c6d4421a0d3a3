use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use testkit::{Blackhole, End, Gate, Reply, Script, Server, refused_addr};

use crate::client::{connect, reply, rest, send};

const GET: &str = "GET / HTTP/1.1\r\n\r\n";

#[test]
fn a_reset_reaches_the_client_as_a_reset() {
    let server = Server::start(|_| Script::new().reset());
    let mut client = connect(server.addr());
    send(&mut client, GET);
    let error = rest(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    server.wait_until(|view| view.records[0].end == Some(End::Reset));
}

#[test]
fn a_truncated_body_ends_before_its_length() {
    let server = Server::start(|_| Reply::ok("0123456789").truncated(4));
    let mut client = connect(server.addr());
    send(&mut client, GET);
    let text = rest(&mut client).unwrap();
    assert!(text.contains("content-length: 10"));
    assert!(text.ends_with("\r\n\r\n0123"));
}

#[test]
fn a_close_without_an_answer_is_an_orderly_end() {
    let server = Server::start(|_| Script::new().close());
    let mut client = connect(server.addr());
    send(&mut client, GET);
    assert_eq!(rest(&mut client).unwrap(), "");
}

#[test]
fn an_early_close_comes_before_anything_is_read() {
    let server = Server::builder()
        .on_connect(|index| (index == 0).then(|| Script::new().close()))
        .start(|_| Reply::ok("second try"));
    let mut first = connect(server.addr());
    assert_eq!(first.read(&mut [0]).unwrap(), 0);
    let mut second = connect(server.addr());
    send(&mut second, GET);
    assert_eq!(reply(&mut second).1, b"second try");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stalled_request_stays_open_until_the_client_leaves() {
    let server = Server::start(|_| Script::new().stall());
    let mut client = connect(server.addr());
    send(&mut client, GET);
    server.wait_until(|view| view.requests.len() == 1);
    assert_eq!(server.connections().open(), 1);
    drop(client);
    server.wait_until_idle();
    assert_eq!(server.records()[0].end, Some(End::ClientAborted));
}

#[test]
fn a_head_can_be_held_in_the_middle() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = Server::start(move |_| Reply::ok("late").hold_head(&held));
    let mut client = connect(server.addr());
    send(&mut client, GET);
    gate.wait_for_arrival(1);
    let mut start = [0; 9];
    client.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 ");
    gate.open();
    assert_eq!(reply(&mut client).1, b"late");
}

#[test]
fn a_half_close_still_reads_what_the_client_sends() {
    let server = Server::start(|_| Script::from(Reply::ok("x")).half_close());
    let mut client = connect(server.addr());
    send(&mut client, GET);
    reply(&mut client);
    assert_eq!(
        client.read(&mut [0]).unwrap(),
        0,
        "the server sends no more"
    );
    send(&mut client, "more");
    assert_eq!(server.connections().open(), 1);
    drop(client);
    server.wait_until_idle();
}

#[test]
fn pieces_arrive_as_the_same_bytes() {
    let server = Server::start(|_| Reply::ok("0123456789").chunked(3).pieces(1).close());
    let mut client = connect(server.addr());
    send(&mut client, GET);
    assert!(
        rest(&mut client)
            .unwrap()
            .ends_with("3\r\n678\r\n1\r\n9\r\n0\r\n\r\n")
    );
}

#[test]
fn a_raw_server_speaks_bytes() {
    let server = Server::raw(|wire| {
        let head = wire.read_head()?;
        wire.write_all(&head.to_ascii_uppercase())
    });
    let mut client = connect(server.addr());
    send(&mut client, "hello\r\n\r\n");
    assert_eq!(rest(&mut client).unwrap(), "HELLO\r\n\r\n");
}

#[test]
fn cutting_connections_ends_them_under_the_client() {
    let server = Server::start(|_| Reply::ok("x"));
    let mut client = connect(server.addr());
    send(&mut client, GET);
    reply(&mut client);
    server.cut_connections();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    let mut again = connect(server.addr());
    send(&mut again, GET);
    assert_eq!(reply(&mut again).1, b"x");
}

#[test]
fn a_refused_address_refuses() {
    let error = TcpStream::connect(refused_addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[cfg(target_os = "linux")]
#[test]
fn a_black_hole_never_completes_a_connect() {
    let hole = Blackhole::open();
    let error = TcpStream::connect_timeout(&hole.addr(), Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

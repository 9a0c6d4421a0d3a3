use testkit::{Reply, Server};

use crate::client::{connect, reply, rest, send};

#[test]
fn a_request_is_recorded_as_it_was_sent() {
    let server = Server::start(|_| Reply::ok("x"));
    let mut client = connect(server.addr());
    send(
        &mut client,
        "POST /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 4\r\n\r\nbody",
    );
    reply(&mut client);

    let request = server.only_request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/a/b?c=d")
    );
    assert_eq!((request.path(), request.query()), ("/a/b", "c=d"));
    assert_eq!(request.header_all("X-TWO").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(
        request.headers[1].0, "X-Two",
        "names keep their case and order"
    );
    assert_eq!(request.text(), "body");
    assert!(request.head.ends_with(b"Content-Length: 4\r\n\r\n"));
    assert!(request.complete);
}

#[test]
fn a_chunked_body_is_joined_and_its_framing_kept_beside_it() {
    let server = Server::start(|_| Reply::ok(""));
    let mut client = connect(server.addr());
    send(
        &mut client,
        "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nsum: 7\r\n\r\n",
    );
    reply(&mut client);

    let request = server.only_request();
    assert_eq!(request.text(), "abcde");
    assert_eq!(request.chunks, [3, 2]);
    assert_eq!(request.trailers, [("sum".to_owned(), b"7".to_vec())]);
}

#[test]
fn requests_on_one_connection_are_numbered() {
    let server = Server::start(|request| Reply::ok(request.target.clone()));
    let mut first = connect(server.addr());
    send(&mut first, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut first).1, b"/1");
    assert_eq!(reply(&mut first).1, b"/2");
    let mut second = connect(server.addr());
    send(&mut second, "GET /3 HTTP/1.1\r\n\r\n");
    reply(&mut second);

    let numbers: Vec<_> = server
        .requests()
        .iter()
        .map(|r| (r.connection, r.index, r.number))
        .collect();
    assert_eq!(numbers, [(0, 0, 0), (0, 1, 1), (1, 0, 2)]);
}

#[test]
fn the_connection_closes_when_the_client_asked_for_it() {
    let server = Server::start(|_| Reply::ok("bye"));
    for head in [
        "GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
    ] {
        let mut client = connect(server.addr());
        send(&mut client, head);
        assert!(rest(&mut client).unwrap().ends_with("bye"));
    }
}

#[test]
fn replies_are_given_in_order_over_all_connections() {
    let server = Server::replies([Reply::ok("one"), Reply::ok("two")]);
    let mut first = connect(server.addr());
    send(&mut first, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut first).1, b"one");
    let mut second = connect(server.addr());
    send(&mut second, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut second).1, b"two");
}

#[test]
fn each_connection_has_its_own_list() {
    let server = Server::builder().connections([
        vec![Reply::ok("a1"), Reply::ok("a2")],
        vec![Reply::ok("b1")],
    ]);
    let mut a = connect(server.addr());
    send(&mut a, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut a).1, b"a1");
    let mut b = connect(server.addr());
    send(&mut b, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut b).1, b"b1");
    send(&mut a, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(reply(&mut a).1, b"a2");
}

#[test]
fn a_waiting_client_gets_100_continue_before_its_body_is_read() {
    let server = Server::start(|request| Reply::ok(request.body.clone()));
    let mut client = connect(server.addr());
    send(
        &mut client,
        "POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
    );
    assert!(reply(&mut client).0.starts_with("HTTP/1.1 100 "));
    send(&mut client, "ok");
    assert_eq!(reply(&mut client).1, b"ok");
}

#[test]
fn on_head_answers_before_the_body_has_come() {
    let server = Server::builder()
        .on_head(|_| Some(Reply::empty(413).close().into()))
        .start(|_| Reply::ok("not reached"));
    let mut client = connect(server.addr());
    send(
        &mut client,
        "POST / HTTP/1.1\r\ncontent-length: 1000\r\n\r\n",
    );
    assert!(reply(&mut client).0.starts_with("HTTP/1.1 413 "));
    assert!(!server.only_request().complete);
}

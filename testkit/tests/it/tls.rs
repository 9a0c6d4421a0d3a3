use std::{io::Write, net::TcpStream, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use testkit::{Authority, End, Identity, Reply, Script, Server};

use crate::client::{connect, reply, rest};

type Client = StreamOwned<ClientConnection, TcpStream>;

fn client(server: &Server, root: &[u8], host: &str, alpn: &[&[u8]]) -> Client {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(root.to_vec()))
        .expect("a root");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = ServerName::try_from(host.to_owned()).expect("a name");
    let conn = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(conn, connect(server.addr()))
}

fn get(client: &mut Client) -> std::io::Result<(String, Vec<u8>)> {
    client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    Ok(reply(client))
}

#[test]
fn a_good_certificate_is_trusted_by_name_and_by_address() {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.good().alpn(["h2", "http/1.1"]))
        .start(|_| Reply::ok("secret"));
    assert!(server.url("/").starts_with("https://127.0.0.1:"));
    for host in ["localhost", "127.0.0.1"] {
        let mut client = client(&server, authority.der(), host, &[b"http/1.1"]);
        assert_eq!(get(&mut client).unwrap().1, b"secret");
    }
    let record = &server.records()[0];
    assert_eq!(record.alpn.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(record.server_name.as_deref(), Some("localhost"));
}

#[test]
fn bad_certificates_are_refused_for_their_own_reason() {
    let authority = Authority::new();
    let cases: [(&str, Identity); 4] = [
        ("Expired", authority.expired()),
        ("NotValidYet", authority.not_yet_valid()),
        ("not valid for name", authority.wrong_host()),
        ("UnknownIssuer", Identity::self_signed()),
    ];
    for (reason, identity) in cases {
        let server = Server::builder()
            .tls(identity)
            .start(|_| Reply::ok("never"));
        let mut client = client(&server, authority.der(), "localhost", &[]);
        let error = client
            .write_all(b"GET / HTTP/1.1\r\n\r\n")
            .unwrap_err()
            .to_string();
        let squeezed = error.to_lowercase().replace(' ', "");
        let wanted = reason.to_lowercase().replace(' ', "");
        assert!(squeezed.contains(&wanted), "{reason}: {error}");
        drop(client);
        server.wait_until(|view| matches!(view.records[0].end, Some(End::Handshake(_))));
        assert!(server.requests().is_empty());
    }
}

#[test]
fn a_close_says_goodbye_and_a_cut_does_not() {
    let authority = Authority::new();
    let server = Server::builder().tls(authority.good()).connections([
        [Script::from(Reply::ok("x").until_close())],
        [Script::new().write("HTTP/1.1 200 OK\r\n\r\nx").cut()],
    ]);
    let mut polite = client(&server, authority.der(), "localhost", &[]);
    polite.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(rest(&mut polite).unwrap().ends_with("\r\n\r\nx"));
    let mut rude = client(&server, authority.der(), "localhost", &[]);
    rude.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let error = rest(&mut rude).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

//! Proxies: tinyproxy (HTTP), microsocks (SOCKS 5), dante (SOCKS 4 and 5).

use std::process::Command;

use reqivo::{Phase, Proxy, TlsConfig};
use tempfile::TempDir;
use testkit::{Authority, Reply, Server, refused_addr};

use super::nginx::Nginx;
use super::{Program, Setup, both_with, free_port};

/// A server behind TLS and what it takes to trust it.
fn secure() -> (Server, TlsConfig) {
    let authority = Authority::new();
    let server = Server::builder()
        .tls(authority.good())
        .start(|request: &testkit::Request| Reply::ok(request.text()));
    let tls = TlsConfig::new()
        .add_root_der(authority.der())
        .only_added_roots();
    (server, tls)
}

fn through(proxy: Proxy, tls: &TlsConfig) -> Setup {
    Setup {
        proxy: Some(proxy),
        tls: Some(tls.clone()),
    }
}

fn tinyproxy(extra: &str) -> (Program, TempDir, String) {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let config = folder.path().join("tinyproxy.conf");
    let text = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nAllow 127.0.0.1\nLogFile \"{}\"\n{extra}\n",
        folder.path().join("log").display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("tinyproxy");
    let program = Program::start(command.arg("-d").arg("-c").arg(config), port);
    (program, folder, format!("http://127.0.0.1:{port}"))
}

#[test]
#[ignore = "needs tinyproxy: scripts/test --foreign"]
fn tinyproxy_reads_requests_and_opens_tunnels() {
    let (_program, _folder, proxy) = tinyproxy("");
    let (server, tls) = secure();
    let nginx = Nginx::start();
    let setup = through(Proxy::all(&proxy).unwrap(), &tls);
    let plain = both_with(&setup, "GET", &nginx.url("/plain.txt"), &[], None).unwrap();
    assert_eq!((plain.status, plain.body.len()), (200, 52_000));
    let moved = both_with(&setup, "GET", &nginx.url("/moved"), &[], None).unwrap();
    assert_eq!((moved.redirects, moved.body.len()), (1, 52_000));
    let large = "through the tunnel ".repeat(50_000);
    let echo = both_with(&setup, "POST", &server.url("/"), &[], Some(&large)).unwrap();
    assert!(echo.text() == large);
    for request in server.requests() {
        assert!(request.header("proxy-authorization").is_none() && request.header("via").is_none());
    }
}

#[test]
#[ignore = "needs tinyproxy: scripts/test --foreign"]
fn tinyproxy_asks_for_credentials_and_refuses() {
    let (_program, _folder, proxy) = tinyproxy("BasicAuth user secret\nConnectPort 563");
    let (server, tls) = secure();
    let nginx = Nginx::start();
    let known = Proxy::all(&proxy).unwrap().basic_auth("user", "secret");
    let good = through(known, &tls);
    assert_eq!(
        both_with(&good, "GET", &nginx.url("/plain.txt"), &[], None)
            .unwrap()
            .status,
        200
    );
    // The port is not among those it connects to.
    let error = both_with(&good, "GET", &server.url("/"), &[], None).unwrap_err();
    assert_eq!(
        (error.is_proxy(), error.status().unwrap().as_u16()),
        (true, 403),
        "{error}"
    );
    for stranger in [
        Proxy::all(&proxy).unwrap(),
        Proxy::all(&proxy).unwrap().basic_auth("user", "no"),
    ] {
        let setup = through(stranger, &tls);
        let answer = both_with(&setup, "GET", &nginx.url("/plain.txt"), &[], None).unwrap();
        let error = both_with(&setup, "GET", &server.url("/"), &[], None).unwrap_err();
        // It tells a wrong password from none.
        let status = error.status().unwrap().as_u16();
        assert!(
            [401, 407].contains(&status) && answer.status == status,
            "{error}"
        );
        assert!(error.is_proxy() && error.phase() == Phase::Proxy, "{error}");
        assert!(!error.body().unwrap().is_empty());
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
#[ignore = "needs tinyproxy: scripts/test --foreign"]
fn tinyproxy_tells_that_nobody_is_there() {
    let (_program, _folder, proxy) = tinyproxy("");
    let (_, tls) = secure();
    let setup = through(Proxy::all(&proxy).unwrap(), &tls);
    let url = format!("https://{}/", refused_addr());
    let error = both_with(&setup, "GET", &url, &[], None).unwrap_err();
    assert!(
        error.is_proxy() && error.status().unwrap().is_server_error(),
        "{error}"
    );
}

#[test]
#[ignore = "needs microsocks: scripts/test --foreign"]
fn microsocks_carries_plain_and_tls_by_name_and_address() {
    let port = free_port();
    let port_text = port.to_string();
    let arguments = [
        "-i",
        "127.0.0.1",
        "-p",
        &port_text,
        "-u",
        "user",
        "-P",
        "secret",
    ];
    let _program = Program::start(Command::new("microsocks").args(arguments), port);
    let (server, tls) = secure();
    let nginx = Nginx::start();
    for scheme in ["socks5", "socks5h"] {
        let proxy =
            |login: &str| Proxy::all(format!("{scheme}://{login}127.0.0.1:{port}")).unwrap();
        let good = through(proxy("user:secret@"), &tls);
        for url in [
            nginx.url("/plain.txt"),
            nginx.url("/plain.txt").replace("127.0.0.1", "localhost"),
        ] {
            let seen = both_with(&good, "GET", &url, &[], None).unwrap();
            assert_eq!(
                (seen.status, seen.body.len()),
                (200, 52_000),
                "{scheme} {url}"
            );
        }
        let echo = both_with(
            &good,
            "POST",
            &server.localhost_url("/"),
            &[],
            Some("in tls"),
        )
        .unwrap();
        assert_eq!(echo.text(), "in tls");
        for login in ["user:wrong@", ""] {
            let error = both_with(
                &through(proxy(login), &tls),
                "GET",
                &nginx.url("/"),
                &[],
                None,
            )
            .unwrap_err();
            assert!(error.is_proxy() && error.phase() == Phase::Proxy, "{error}");
        }
        let url = format!("http://{}/", refused_addr());
        let error = both_with(&good, "GET", &url, &[], None).unwrap_err();
        assert!(
            error.is_proxy() && error.to_string().contains("refused"),
            "{error}"
        );
    }
}

#[test]
#[ignore = "needs dante: scripts/test --foreign"]
fn dante_speaks_both_versions() {
    let (folder, port) = (TempDir::new().unwrap(), free_port());
    let config = folder.path().join("danted.conf");
    let text = format!(
        "logoutput: {}\ninternal: 127.0.0.1 port = {port}\nexternal: 127.0.0.1\nsocksmethod: none\nclientmethod: none\n\
         client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}\n\
         socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 command: connect }}\n",
        folder.path().join("log").display()
    );
    std::fs::write(&config, text).unwrap();
    let _program = Program::start(Command::new("danted").arg("-f").arg(config), port);
    let (server, tls) = secure();
    let nginx = Nginx::start();
    // It does not know 4a.
    for scheme in ["socks4", "socks5", "socks5h"] {
        let proxy = Proxy::all(format!("{scheme}://127.0.0.1:{port}")).unwrap();
        let setup = through(proxy, &tls);
        for url in [
            nginx.url("/plain.txt"),
            nginx.url("/plain.txt").replace("127.0.0.1", "localhost"),
        ] {
            let seen = both_with(&setup, "GET", &url, &[], None).unwrap();
            assert_eq!(
                (seen.status, seen.body.len()),
                (200, 52_000),
                "{scheme} {url}"
            );
        }
        let echo = both_with(&setup, "POST", &server.url("/"), &[], Some("in tls")).unwrap();
        assert_eq!(echo.text(), "in tls", "{scheme}");
        let url = format!("http://{}/", refused_addr());
        let error = both_with(&setup, "GET", &url, &[], None).unwrap_err();
        assert!(
            error.is_proxy() && error.is_safe_to_retry(),
            "{scheme}: {error}"
        );
    }
}

//! nginx: bodies, ranges, redirects, keep-alive, certificates of clients.

use std::process::{Command, Stdio};

use reqivo::{TlsConfig, TlsProblem, TlsVersion};
use tempfile::TempDir;
use testkit::Authority;

use super::{MISSING, Setup, both, both_with, free_port};

/// nginx over a temporary folder, stopped on drop.
pub(crate) struct Nginx {
    folder: TempDir,
    port: u16,
    /// With TLS; a certificate of the client is welcome on the first and demanded on the second.
    tls_ports: [u16; 2],
    authority: Authority,
}

impl Nginx {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let [port, open, closed] = [free_port(), free_port(), free_port()];
        let authority = Authority::new();
        let identity = authority.good();
        for (name, pem) in [
            ("authority.pem", authority.pem()),
            ("server.pem", identity.pem()),
            ("server.key", identity.key_pem()),
        ] {
            std::fs::write(folder.path().join(name), pem).unwrap();
        }
        let root = folder.path().display();
        let config = format!(
            "worker_processes 1; pid {root}/pid; error_log {root}/error.log;
             events {{ worker_connections 64; }}
             http {{
               access_log {root}/access.log; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;
               fastcgi_temp_path {root}/fastcgi; uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
               gzip on; gzip_min_length 100; gzip_types text/plain; default_type text/plain; keepalive_requests 5;
               log_format c '$connection'; access_log {root}/connections.log c;
               server {{
                 listen 127.0.0.1:{port}; root {root}/www;
                 location /moved {{ return 301 /plain.txt; }}
                 location /loop {{ return 302 /loop; }}
                 location /gone {{ return 410 'gone'; }}
                 location /empty {{ return 204; }}
               }}
               ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.key;
               ssl_client_certificate {root}/authority.pem; ssl_protocols TLSv1.2 TLSv1.3;
               server {{
                 listen 127.0.0.1:{open} ssl; ssl_verify_client optional;
                 location / {{ return 200 '$ssl_protocol $ssl_client_verify $ssl_client_s_dn $ssl_session_reused'; }}
               }}
               server {{
                 listen 127.0.0.1:{closed} ssl; ssl_verify_client on; root {root}/www;
               }}
             }}"
        );
        std::fs::create_dir(folder.path().join("www")).unwrap();
        std::fs::write(
            folder.path().join("www/plain.txt"),
            "line of text\n".repeat(4000),
        )
        .unwrap();
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let nginx = Self {
            folder,
            port,
            tls_ports: [open, closed],
            authority,
        };
        nginx.run(&[]);
        nginx
    }

    /// Runs nginx with the configuration; the starting command returns once the sockets listen.
    fn run(&self, arguments: &[&str]) {
        let conf = self.folder.path().join("nginx.conf");
        // A daemon keeps inherited streams open, so they go nowhere.
        let status = Command::new("nginx")
            .args([
                "-p".as_ref(),
                self.folder.path().as_os_str(),
                "-c".as_ref(),
                conf.as_os_str(),
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect(MISSING);
        assert!(status.success(), "nginx {arguments:?}: {status}");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn tls_url(&self, at: usize, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_ports[at])
    }

    /// The distinct connections that nginx has seen.
    fn connections(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("connections.log")).unwrap();
        log.lines().collect::<std::collections::BTreeSet<_>>().len()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.run(&["-s", "stop"]);
    }
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_bodies_ranges_and_statuses_read_the_same_on_both_faces() {
    let nginx = Nginx::start();
    let text = "line of text\n".repeat(4000).into_bytes();
    // Offered gzip is decoded; the file comes back as it is on disk.
    let plain = [("accept-encoding", "identity")];
    assert!(both("GET", &nginx.url("/plain.txt"), &[], None).body == text);
    assert!(both("GET", &nginx.url("/plain.txt"), &plain, None).body == text);
    let head = both("HEAD", &nginx.url("/plain.txt"), &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    // nginx gives no ranges of what it compresses on the way.
    let range = [("range", "bytes=5-11"), ("accept-encoding", "identity")];
    let part = both("GET", &nginx.url("/plain.txt"), &range, None);
    assert_eq!((part.status, part.text()), (206, "of text"));
    assert_eq!(both("GET", &nginx.url("/nothing"), &[], None).status, 404);
    assert_eq!(both("GET", &nginx.url("/gone"), &[], None).text(), "gone");
    assert_eq!(both("GET", &nginx.url("/empty"), &[], None).text(), "");
    let moved = both("GET", &nginx.url("/moved"), &[], None);
    assert!(moved.body == text);
    assert_eq!(moved.redirects, 1);
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_keep_alive_is_used_and_its_limit_respected() {
    let nginx = Nginx::start();
    let session = reqivo::blocking::Session::new();
    for _ in 0..20 {
        assert_eq!(
            session
                .get(nginx.url("/plain.txt"))
                .send()
                .unwrap()
                .bytes()
                .unwrap()
                .len(),
            52_000
        );
    }
    drop(session);
    // nginx closes each connection after five requests.
    assert_eq!(nginx.connections(), 4);
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_knows_clients_by_their_certificates() {
    let nginx = Nginx::start();
    let trust = || {
        let tls = TlsConfig::new()
            .add_roots_pem(nginx.authority.pem())
            .unwrap();
        tls.only_added_roots()
    };
    let with = |tls: TlsConfig| Setup {
        tls: Some(tls),
        ..Setup::default()
    };
    let client = nginx.authority.client("station 7");
    let known = || {
        trust()
            .client_certificate_pem(client.pem(), client.key_pem())
            .unwrap()
    };
    for (version, shown) in [
        (TlsVersion::Tls12, "TLSv1.2"),
        (TlsVersion::Tls13, "TLSv1.3"),
    ] {
        let pinned = |tls: TlsConfig| with(tls.min_version(version).max_version(version));
        let stranger =
            both_with(&pinned(trust()), "GET", &nginx.tls_url(0, "/"), &[], None).unwrap();
        assert_eq!(stranger.text(), format!("{shown} NONE  ."));
        let welcome =
            both_with(&pinned(known()), "GET", &nginx.tls_url(0, "/"), &[], None).unwrap();
        assert_eq!(welcome.text(), format!("{shown} SUCCESS CN=station 7 ."));
        let file = both_with(
            &pinned(known()),
            "GET",
            &nginx.tls_url(1, "/plain.txt"),
            &[],
            None,
        )
        .unwrap();
        assert_eq!((file.status, file.body.len()), (200, 52_000));
        // nginx answers a client without a certificate by HTTP.
        let refused = both_with(
            &pinned(trust()),
            "GET",
            &nginx.tls_url(1, "/plain.txt"),
            &[],
            None,
        )
        .unwrap();
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    let untrusting = Setup::default();
    let error = both_with(&untrusting, "GET", &nginx.tls_url(0, "/"), &[], None).unwrap_err();
    assert_eq!(error.tls_problem(), Some(TlsProblem::Untrusted), "{error}");
}

#[test]
#[ignore = "needs nginx: scripts/test --foreign"]
fn nginx_answers_conditions_and_ranges() {
    let nginx = Nginx::start();
    let session = reqivo::blocking::Session::new();
    let whole = session
        .get(nginx.url("/plain.txt"))
        .header("accept-encoding", "identity")
        .send()
        .unwrap();
    let tag = whole.headers().get("etag").unwrap().into_owned();
    drop(whole);
    let unchanged = both(
        "GET",
        &nginx.url("/plain.txt"),
        &[("if-none-match", &tag), ("accept-encoding", "identity")],
        None,
    );
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    for (range, condition, status, length) in [
        ("bytes=0-0", tag.as_str(), 206, 1),
        ("bytes=-13", tag.as_str(), 206, 13),
        ("bytes=51999-", tag.as_str(), 206, 1),
        ("bytes=5-11", "\"other\"", 200, 52_000),
    ] {
        let headers = [
            ("range", range),
            ("if-range", condition),
            ("accept-encoding", "identity"),
        ];
        let part = both("GET", &nginx.url("/plain.txt"), &headers, None);
        assert_eq!(
            (part.status, part.body.len()),
            (status, length),
            "{range} {condition}"
        );
    }
    // The boundary is another one each time, so the faces see different bytes.
    let request = session
        .get(nginx.url("/plain.txt"))
        .header("range", "bytes=0-3,5-6");
    let parts = request
        .header("accept-encoding", "identity")
        .send()
        .unwrap();
    assert_eq!(parts.status(), 206);
    let kind = parts.headers().get("content-type").unwrap();
    assert!(kind.starts_with("multipart/byteranges"), "{kind}");
    let beyond = [("range", "bytes=99999-"), ("accept-encoding", "identity")];
    assert_eq!(
        both("GET", &nginx.url("/plain.txt"), &beyond, None).status,
        416
    );
}

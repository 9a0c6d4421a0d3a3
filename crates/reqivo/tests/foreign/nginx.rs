//! nginx: bodies, ranges, redirects, keep-alive.

use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{MISSING, both, free_port};

/// nginx over a temporary folder, stopped on drop.
pub(crate) struct Nginx {
    folder: TempDir,
    port: u16,
}

impl Nginx {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let port = free_port();
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
             }}"
        );
        std::fs::create_dir(folder.path().join("www")).unwrap();
        std::fs::write(
            folder.path().join("www/plain.txt"),
            "line of text\n".repeat(4000),
        )
        .unwrap();
        std::fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let nginx = Self { folder, port };
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

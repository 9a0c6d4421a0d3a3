//! Measures the sandbox: how long it takes to start, and to walk through a fleet page by page on one connection.
//!
//! ```text
//! cargo run --release -p sophos-sandbox --example walk -- 100000
//! ```

use std::{
    error::Error,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;
use sophos_sandbox::Sandbox;

fn main() -> Result<(), Box<dyn Error>> {
    let endpoints = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 100_000,
    };
    let begin = Instant::now();
    let sandbox = Sandbox::builder().endpoints(endpoints).start()?;
    let started = begin.elapsed();

    let mut client = Client::connect(&sandbox)?;
    let (mut items, mut bytes, mut pages) = (0, 0, Vec::new());
    let mut target = format!("{LIST}?pageSize=500");
    loop {
        let begin = Instant::now();
        let body = client.send("GET", &target, "")?;
        pages.push(begin.elapsed());
        bytes += body.len();
        let page: Value = serde_json::from_slice(&body)?;
        items += page["items"].as_array().map_or(0, Vec::len);
        match page["pages"]["nextKey"].as_str() {
            None | Some("") => break,
            Some(key) => {
                let key = key
                    .replace('+', "%2B")
                    .replace('/', "%2F")
                    .replace('=', "%3D");
                target = format!("{LIST}?pageSize=500&pageFromKey={key}");
            }
        }
    }
    pages.sort();
    let median = pages.get(pages.len() / 2).copied().unwrap_or_default();
    writeln!(
        io::stdout(),
        "start {started:?}; {items} devices, {bytes} bytes in {} pages; page {median:?} (median); all pages {:?}",
        pages.len(),
        pages.iter().sum::<Duration>(),
    )?;
    Ok(())
}

struct Client {
    stream: BufReader<TcpStream>,
    headers: String,
}

impl Client {
    fn connect(sandbox: &Sandbox) -> Result<Self, Box<dyn Error>> {
        let stream = BufReader::new(TcpStream::connect(sandbox.addr())?);
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        let mut client = Self {
            stream,
            headers: form.to_owned(),
        };
        let token: Value = serde_json::from_slice(&client.send(
            "POST",
            "/api/v2/oauth2/token",
            "grant_type=client_credentials&client_id=tenant&client_secret=sandbox&scope=token",
        )?)?;
        client.headers = format!(
            "authorization: Bearer {}\r\nx-tenant-id: {}\r\n",
            token["access_token"].as_str().unwrap_or_default(),
            sandbox.identity("tenant").unwrap_or_default(),
        );
        Ok(client)
    }

    fn send(&mut self, method: &str, target: &str, body: &str) -> io::Result<Vec<u8>> {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: sandbox\r\n{}content-length: {}\r\n\r\n{body}",
            self.headers,
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }
}

const LIST: &str = "/endpoint/v1/endpoints";

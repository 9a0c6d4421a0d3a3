//! A client of a few lines that shares nothing with the clients of the workspace.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;
use sophos_sandbox::Sandbox;

/// An answer, read to the end of the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn send(
    base: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> io::Result<Answer> {
    let address = base
        .strip_prefix("http://")
        .expect("a plain URL")
        .trim_end_matches('/');
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = body.unwrap_or_default();
    head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let answer = Answer {
        status: head
            .get(9..12)
            .and_then(|code| code.parse().ok())
            .expect("a status line"),
        head: head.to_owned(),
        body: body.to_owned(),
    };
    let length = answer
        .header("content-length")
        .map(|text| text.parse::<usize>());
    match length {
        Some(Ok(length)) if answer.body.len() < length => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}

/// A credential with its token and its scope.
pub(crate) struct Session<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) token: String,
    pub(crate) scope: (&'static str, String),
}

impl<'a> Session<'a> {
    /// Signs in. The scope is the one that whoami tells.
    pub(crate) fn new(sandbox: &'a Sandbox, client_id: &str) -> Self {
        let answer = request_token(sandbox, client_id, "sandbox");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let token = text(&answer.json()["access_token"]);
        let bearer = format!("Bearer {token}");
        let whoami = send(
            sandbox.url(),
            "GET",
            "/whoami/v1",
            &[("authorization", &bearer)],
            None,
        )
        .expect("an answer")
        .json();
        let header = match client_id {
            "tenant" => "X-Tenant-ID",
            "partner" => "X-Partner-ID",
            _ => "X-Organization-ID",
        };
        Self {
            sandbox,
            token,
            scope: (header, text(&whoami["id"])),
        }
    }

    /// The same token, for one tenant.
    pub(crate) fn for_tenant(&self, id: &str) -> Self {
        Self {
            sandbox: self.sandbox,
            token: self.token.clone(),
            scope: ("X-Tenant-ID", id.to_owned()),
        }
    }

    pub(crate) fn try_send(
        &self,
        method: &str,
        target: &str,
        body: Option<&str>,
    ) -> io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            (self.scope.0, &self.scope.1),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        send(self.sandbox.url(), method, target, &headers, body)
    }

    pub(crate) fn send(&self, method: &str, target: &str, body: Option<&str>) -> Answer {
        self.try_send(method, target, body).expect("an answer")
    }

    pub(crate) fn get(&self, target: &str) -> Value {
        let answer = self.send("GET", target, None);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        answer.json()
    }

    /// Walks a listing by key to its end and returns its items.
    pub(crate) fn walk(&self, target: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = target.to_owned();
        for _ in 0..1000 {
            let page = self.get(&next);
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["pages"]["nextKey"].as_str() {
                None | Some("") => return items,
                Some(key) => {
                    let glue = if target.contains('?') { '&' } else { '?' };
                    next = format!("{target}{glue}pageFromKey={}", encoded(key));
                }
            }
        }
        panic!("{target} does not end");
    }
}

pub(crate) fn request_token(sandbox: &Sandbox, client_id: &str, secret: &str) -> Answer {
    let form = format!(
        "grant_type=client_credentials&client_id={client_id}&client_secret={secret}&scope=token"
    );
    send_form(sandbox, &form)
}

pub(crate) fn send_form(sandbox: &Sandbox, form: &str) -> Answer {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    send(
        sandbox.url(),
        "POST",
        "/api/v2/oauth2/token",
        &headers,
        Some(form),
    )
    .expect("an answer")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

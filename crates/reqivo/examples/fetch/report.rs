//! What is printed.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;

use bytes::Bytes;
use reqivo::events::{Event, EventKind};
use reqivo::{Error, Headers, StatusCode, Url, Version};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::options::Options;

/// Bodies up to this size are shown.
const SHOWN: usize = 4096;

/// What an answer came to.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) status_line: String,
    pub(crate) version: Version,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Here(Bytes),
    /// In the output file.
    Saved(u64),
}

/// Prints what came of a URL. Returns whether there was an answer.
pub(crate) fn print(
    options: &Options,
    url: &str,
    answer: Result<Answer, Error>,
) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match answer {
        Err(error) if options.include || options.prints_body() => {
            say(format_args!("fetch: {error}"));
            return Ok(false);
        }
        Ok(answer) if options.include || options.prints_body() => {
            if options.include {
                write!(out, "{}\r\n", answer.status_line)?;
                for (name, value) in answer.headers.iter_bytes() {
                    out.write_all(&[name.as_bytes(), b": ", value, b"\r\n"].concat())?;
                }
                out.write_all(b"\r\n")?;
            }
            if let Body::Here(body) = answer.body {
                out.write_all(&body)?;
            }
        }
        answer => {
            let good = answer.is_ok();
            let value = match answer {
                Ok(answer) => described(options, url, &answer)?,
                Err(error) => failed(url, &error),
            };
            writeln!(out, "{value}")?;
            out.flush()?;
            return Ok(good);
        }
    }
    out.flush()?;
    Ok(true)
}

fn described(options: &Options, url: &str, answer: &Answer) -> io::Result<Value> {
    let (length, digest, text, file) = match &answer.body {
        Body::Here(body) => {
            let text = Some(body)
                .filter(|body| body.len() <= SHOWN)
                .and_then(|body| std::str::from_utf8(body).ok());
            (body.len() as u64, Sha256::digest(body).to_vec(), text, None)
        }
        Body::Saved(length) => {
            let path = options.output.as_deref().unwrap_or_else(|| Path::new(""));
            (
                *length,
                digest_of(path)?,
                None,
                Some(path.display().to_string()),
            )
        }
    };
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // Values of a repeated field are joined.
    let headers: Map<String, Value> = answer
        .headers
        .names()
        .into_iter()
        .map(|name| {
            let value = answer.headers.get(&name).unwrap_or_default().into_owned();
            (name, Value::String(value))
        })
        .collect();
    Ok(json!({
        "url": without_credentials(url),
        "status": answer.status.as_u16(),
        "version": format!("{:?}", answer.version),
        "headers": headers,
        "length": length,
        "sha256": hex,
        "body": text,
        "file": file,
        "error": null,
    }))
}

pub(crate) fn failed(url: &str, error: &Error) -> Value {
    json!({
        "url": without_credentials(url),
        "status": null,
        "version": null,
        "headers": null,
        "length": null,
        "sha256": null,
        "body": null,
        "file": null,
        "error": {
            "kind": error.kind().as_str(),
            "phase": error.phase().as_str(),
            // Such as that of a proxy which refused.
            "status": error.status().map(|status| status.as_u16()),
            "message": error.to_string(),
        },
    })
}

fn digest_of(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut digest) = (std::fs::File::open(path)?, Sha256::new());
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(digest.finalize().to_vec()),
            count => digest.update(&piece[..count]),
        }
    }
}

/// The URL as it was given, but never with credentials, not even if it makes no sense.
fn without_credentials(given: &str) -> String {
    match Url::parse(given) {
        Ok(mut url) if url.has_host() => {
            if url.username().is_empty() && url.password().is_none() {
                return given.to_owned();
            }
            // Only URLs without a host refuse this.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => match given.rsplit_once('@') {
            Some((before, rest)) => {
                let scheme = before.split_inclusive("//").next().unwrap_or_default();
                let scheme = Some(scheme).filter(|scheme| scheme.ends_with("//"));
                [scheme.unwrap_or_default(), rest].concat()
            }
            None => given.to_owned(),
        },
    }
}

/// Writes a line to standard error, which may be closed or full.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Tells on standard error what happens.
pub(crate) fn tell(event: &Event<'_>) {
    match &event.kind {
        EventKind::Acquired { reused: true, .. } => say(format_args!("* using a kept connection")),
        EventKind::Resolved {
            host, addresses, ..
        } => say(format_args!("* {host} is at {addresses:?}")),
        EventKind::Connected { remote, took, .. } => match remote {
            Some(remote) => say(format_args!("* connected to {remote} in {took:?}")),
            None => say(format_args!("* connected in {took:?}")),
        },
        EventKind::Tunnelled { took, .. } => {
            say(format_args!("* the proxy opened the way in {took:?}"));
        }
        EventKind::Secured { took, .. } => say(format_args!("* tls is up in {took:?}")),
        EventKind::Sent { headers, .. } => {
            say(format_args!("> {} {}", event.method, event.url));
            headers
                .iter()
                .for_each(|(name, value)| say(format_args!("> {name}: {value}")));
        }
        EventKind::Answered {
            status, headers, ..
        } => {
            say(format_args!("< {status}"));
            headers
                .iter()
                .for_each(|(name, value)| say(format_args!("< {name}: {value}")));
        }
        EventKind::Redirected { to, .. } => say(format_args!("* on to {to}")),
        EventKind::Repeated { error, .. } => say(format_args!("* once more: {error}")),
        EventKind::Failed { error, .. } => say(format_args!("* failed: {error}")),
        _ => {}
    }
}

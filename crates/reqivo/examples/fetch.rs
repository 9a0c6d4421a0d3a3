//! Fetches URLs and prints one JSON line for each, with the URL as it was given.
//!
//! ```text
//! fetch [--sync] [--method NAME] [--header 'Name: value']... [--data TEXT] [--timeout SECONDS] [URL]...
//! ```
//!
//! Without URLs they are read from standard input, one per line. `--sync` uses the blocking face. The exit status
//! is 0 when every URL got an answer, whatever its status, and 1 otherwise; 2 for a mistake in the arguments.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use reqivo::{Error, Headers, Method, StatusCode, Timeouts, Url, Version};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const USAGE: &str = "usage: fetch [--sync] [--method NAME] [--header 'Name: value']... [--data TEXT] \
                     [--timeout SECONDS] [URL]...";

/// Bodies up to this size are shown.
const SHOWN: usize = 4096;

#[derive(Default)]
struct Options {
    sync: bool,
    method: Option<Method>,
    headers: Headers,
    data: Option<String>,
    timeout: Option<Timeouts>,
    urls: Vec<String>,
}

fn options(arguments: impl IntoIterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        // `--name value` and `--name=value`.
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
            _ => (argument.as_str(), None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| arguments.next())
                .with_context(|| format!("{name} needs a value"))
        };
        match name {
            "--sync" => options.sync = true,
            "--method" => {
                let method = value()?;
                options.method = Some(
                    Method::from_bytes(method.as_bytes())
                        .with_context(|| format!("{method:?} is no method"))?,
                );
            }
            "--header" => {
                let header = value()?;
                let (name, value) = header
                    .split_once(':')
                    .context("a header is `Name: value`")?;
                options.headers.append(name, value.trim())?;
            }
            "--data" => options.data = Some(value()?),
            "--timeout" => {
                let seconds = value()?;
                let limit = seconds
                    .parse()
                    .ok()
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .filter(|limit| !limit.is_zero())
                    .with_context(|| format!("{seconds:?} is no number of seconds above 0"))?;
                options.timeout = Some(Timeouts::from(limit));
            }
            name if name.starts_with("--") => bail!("unknown option {name}"),
            _ => options.urls.push(argument),
        }
    }
    Ok(options)
}

/// What an answer came to.
struct Answer {
    status: StatusCode,
    version: Version,
    headers: Headers,
    body: Bytes,
}

/// Reads an answer; the faces differ only in whether they await.
macro_rules! fetch {
    ($session:expr, $options:expr, $url:expr $(, $await:tt)?) => {{
        let fallback = if $options.data.is_some() { Method::POST } else { Method::GET };
        let method = $options.method.clone().unwrap_or(fallback);
        let mut request = $session.request(method, $url).headers(&$options.headers);
        if let Some(data) = &$options.data {
            request = request.body(data.clone());
        }
        if let Some(timeouts) = &$options.timeout {
            request = request.timeout(timeouts.clone());
        }
        let mut response = request.send()$(.$await)??;
        let body = response.bytes()$(.$await)??;
        Ok(Answer {
            status: response.status(),
            version: response.version(),
            headers: response.headers().clone(),
            body,
        })
    }};
}

async fn fetch(session: &reqivo::Session, options: &Options, url: &str) -> Result<Answer, Error> {
    fetch!(session, options, url, await)
}

fn fetch_sync(
    session: &reqivo::blocking::Session,
    options: &Options,
    url: &str,
) -> Result<Answer, Error> {
    fetch!(session, options, url)
}

/// The URL as it was given, but never with credentials.
fn without_credentials(given: &str) -> String {
    match Url::parse(given) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            // Only URLs without a host refuse this.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => given.to_owned(),
    }
}

fn line(url: &str, answer: Result<Answer, Error>) -> (bool, Value) {
    match answer {
        Ok(answer) => {
            let text = Some(&answer.body)
                .filter(|body| body.len() <= SHOWN)
                .and_then(|body| std::str::from_utf8(body).ok());
            let digest = Sha256::digest(&answer.body);
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
            let value = json!({
                "url": url,
                "status": answer.status.as_u16(),
                "version": format!("{:?}", answer.version),
                "headers": headers,
                "length": answer.body.len(),
                "sha256": hex,
                "body": text,
                "error": null,
            });
            (true, value)
        }
        Err(error) => {
            let value = json!({
                "url": url,
                "status": null,
                "version": null,
                "headers": null,
                "length": null,
                "sha256": null,
                "body": null,
                "error": {
                    "kind": error.kind().as_str(),
                    "phase": error.phase().as_str(),
                    "message": error.to_string(),
                },
            });
            (false, value)
        }
    }
}

/// Prints a line per URL as it comes in.
fn print(url: &str, answer: Result<Answer, Error>) -> anyhow::Result<bool> {
    let (good, value) = line(&without_credentials(url), answer);
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush()?;
    Ok(good)
}

fn urls(options: &Options) -> Box<dyn Iterator<Item = io::Result<String>> + '_> {
    if !options.urls.is_empty() {
        return Box::new(options.urls.iter().cloned().map(Ok));
    }
    let lines = io::stdin().lock().lines();
    Box::new(lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty())))
}

fn run(options: &Options) -> anyhow::Result<bool> {
    let mut all = true;
    if options.sync {
        let session = reqivo::blocking::Session::builder().build()?;
        for url in urls(options) {
            let url = url?;
            all &= print(&url, fetch_sync(&session, options, url.trim()))?;
        }
        return Ok(all);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let session = reqivo::Session::builder().build()?;
    for url in urls(options) {
        let url = url?;
        all &= print(&url, runtime.block_on(fetch(&session, options, url.trim())))?;
    }
    Ok(all)
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("fetch: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fetch: {error:#}");
            ExitCode::FAILURE
        }
    }
}

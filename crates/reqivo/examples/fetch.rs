//! Fetches URLs and prints one JSON line for each, with the URL as it was given.
//!
//! ```text
//! fetch https://example.com/
//! fetch --sync -H 'Accept: text/plain' --max-time 10 https://example.com/a https://example.com/b
//! fetch -d name=value -d other=2 https://example.com/form
//! fetch -F text=hello -F 'picture=@cat.png;type=image/png' https://example.com/upload
//! fetch --proxy socks5h://127.0.0.1:1080 -o page.html https://example.com/
//! fetch --cacert ca.pem --cert me.pem --key me.key -i https://device.example/
//! fetch --unix-socket /run/docker.sock http://docker/version
//! ```
//!
//! Without URLs they are read from standard input, one per line. `fetch --help` lists the options; their names are those of
//! curl where it has the like. The differences: `-d` takes one field and encodes it, a cookie jar is read as
//! well as written, redirects are followed, and HTTP errors are answers.
//!
//! A line has the members `url`, `status`, `version`, `headers`, `length`, `sha256`, `body` (text of up to 4 KiB), `file` (with
//! `--output`) and `error`: null, or `kind`, `phase`, `status` (of a proxy that refused, for example) and
//! `message`. With `--include`, or `--output -`, errors go to standard error instead.
//!
//! Proxies of the environment are used, see `SessionBuilder::proxy`; `--proxy` replaces them and `--no-proxy` goes without.
//!
//! The exit status is 0 when every URL got an answer, whatever its status, and 1 otherwise; 2 for a mistake in the
//! arguments or a file that they name.

#[path = "fetch/options.rs"]
mod options;
#[path = "fetch/report.rs"]
mod report;
#[cfg(test)]
#[path = "fetch/tests.rs"]
mod tests;

use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use anyhow::Context;
use reqivo::multipart;
use reqivo::{CookieFile, CookieJar, Error};

use self::options::{Content, Options, Part, USAGE, plain};
use self::report::{Answer, Body, print, say, tell};

/// Makes a session; the faces differ only in its type.
macro_rules! session {
    ($builder:expr, $options:expr, $jar:expr) => {{
        let mut builder = $builder.cookie_jar($jar.clone());
        if let Some(proxy) = &$options.proxy {
            builder = builder.proxy(proxy.clone());
        }
        if $options.no_proxy {
            builder = builder.no_proxy();
        }
        if let Some(path) = &$options.unix_socket {
            builder = builder.unix_socket(path);
        }
        for (host, address) in &$options.resolve {
            builder = builder.resolve(host, [*address]);
        }
        if let Some(tls) = &$options.tls {
            builder = builder.tls(tls.clone());
        }
        if let Some(timeouts) = &$options.timeouts {
            builder = builder.timeout(timeouts.clone());
        }
        if $options.verbose {
            builder = builder.on_event(tell);
        }
        builder.build().map_err(plain)
    }};
}

/// Reads an answer; the faces differ only in whether they await.
macro_rules! fetch {
    ($session:expr, $options:expr, $url:expr $(, $await:tt)?) => {{
        let mut request = $session.request($options.method(), $url).headers(&$options.headers);
        request = match &$options.content {
            None => request,
            Some(Content::Raw(text)) => request.body(text.clone()),
            Some(Content::Json(text)) => match $options.headers.contains("content-type") {
                true => request.body(text.clone()),
                false => request.body(text.clone()).header("Content-Type", "application/json"),
            },
            Some(Content::Form(pairs)) => request.form(pairs.iter().map(|(name, value)| (name, value))),
            Some(Content::Parts(parts)) => request.multipart(form(parts)),
        };
        let mut response = request.send()$(.$await)??;
        let body = match &$options.output {
            Some(path) if !$options.prints_body() => Body::Saved(response.save(path)$(.$await)??),
            _ => Body::Here(response.bytes()$(.$await)??),
        };
        Ok(Answer {
            status: response.status(),
            status_line: response.status_line(),
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

fn form(parts: &[(String, Part)]) -> multipart::Form {
    let mut form = multipart::Form::new();
    for (name, part) in parts {
        let part = match part {
            Part::Text(text) => multipart::Part::text(text),
            Part::File(path, None) => multipart::Part::file(path),
            Part::File(path, Some(kind)) => multipart::Part::file(path).content_type(kind),
        };
        form = form.part(name, part);
    }
    form
}

fn urls(options: &Options) -> Box<dyn Iterator<Item = io::Result<String>> + '_> {
    if !options.urls.is_empty() {
        return Box::new(options.urls.iter().cloned().map(Ok));
    }
    let lines = io::stdin().lock().lines();
    Box::new(lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty())))
}

fn run(options: &Options, jar: &CookieJar) -> anyhow::Result<bool> {
    let mut all = true;
    if options.sync {
        let session = session!(reqivo::blocking::Session::builder(), options, jar)?;
        for url in urls(options) {
            let url = url?;
            all &= print(options, &url, fetch_sync(&session, options, url.trim()))?;
        }
        return Ok(all);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let session = session!(reqivo::Session::builder(), options, jar)?;
    for url in urls(options) {
        let url = url?;
        let answer = runtime.block_on(fetch(&session, options, url.trim()));
        all &= print(options, &url, answer)?;
    }
    Ok(all)
}

/// The cookies of the file, if there is one already.
fn cookies(options: &Options) -> anyhow::Result<(CookieJar, Option<CookieFile>)> {
    let jar = CookieJar::new();
    let file = options.cookie_jar.as_ref();
    let file = file.map(|path| CookieFile::netscape(path).with_session_cookies());
    if let Some(file) = file.as_ref().filter(|file| file.path().exists()) {
        let loaded = file.load(&jar).map_err(plain);
        loaded.with_context(|| file.path().display().to_string())?;
    }
    Ok((jar, file))
}

fn arguments() -> anyhow::Result<Vec<String>> {
    let texts = std::env::args_os().skip(1).map(OsString::into_string);
    // Not what it holds: that may be a secret.
    texts
        .collect::<Result<_, _>>()
        .map_err(|_| anyhow::Error::msg("an argument is no text in UTF-8"))
}

fn main() -> ExitCode {
    if std::env::args_os()
        .skip(1)
        .any(|it| it == "--help" || it == "-h")
    {
        return match writeln!(io::stdout(), "{USAGE}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let parsed = arguments().and_then(options::parse);
    let (options, jar, file) = match parsed.and_then(|options| Ok((cookies(&options)?, options))) {
        Ok(((jar, file), options)) => (options, jar, file),
        Err(error) => {
            say(format_args!("fetch: {error:#}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let mut result = run(&options, &jar);
    // Also after a failure: cookies came meanwhile.
    if let Some(Err(error)) = file.map(|file| file.save(&jar)) {
        result = result.and(Err(plain(error)));
    }
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("fetch: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

//! The arguments.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqivo::{Headers, Method, Proxy, Timeouts, TlsConfig};

pub(crate) const USAGE: &str = "\
usage: fetch [OPTION]... [URL]...
  -X, --method NAME         method; default GET, or POST with a body
  -H, --header 'NAME: VALUE'
      --data TEXT           body, as it is and without a Content-Type
      --json TEXT           body of the type application/json
  -d, --form NAME=VALUE     field of an urlencoded form
  -F, --part NAME=VALUE     field of a multipart form; NAME=@FILE[;type=TYPE] sends a file
  -b, --cookie 'NAME=VALUE' value of the Cookie header
  -c, --cookie-jar FILE     cookies.txt to read cookies from and to write them to
  -x, --proxy URL           http, https, socks4, socks4a, socks5 or socks5h; --no-proxy for none
      --unix-socket PATH    connect to this socket
      --resolve HOST:PORT:ADDRESS   address of a host; the port is not looked at
      --cacert FILE         trust these certificates (PEM) and no others
      --cert FILE           client certificate (PEM), --key FILE its key if it is elsewhere
  -k, --insecure            accept any certificate: dangerous
      --http1.1             speak HTTP/1.1, as is always done
      --timeout SECONDS     limit for connecting, for each wait and for all
      --max-time SECONDS    limit for all, --connect-timeout SECONDS that for connecting
  -o, --output FILE         write the body to a file; - prints it
  -i, --include             print head and body as they are instead of a JSON line
  -v, --verbose             tell on standard error what happens
      --sync                use the blocking face";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) sync: bool,
    pub(crate) include: bool,
    pub(crate) verbose: bool,
    pub(crate) method: Option<Method>,
    pub(crate) headers: Headers,
    pub(crate) content: Option<Content>,
    pub(crate) cookie_jar: Option<PathBuf>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) no_proxy: bool,
    pub(crate) unix_socket: Option<PathBuf>,
    pub(crate) resolve: Vec<(String, IpAddr)>,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) timeouts: Option<Timeouts>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) urls: Vec<String>,
}

/// The body of the requests.
pub(crate) enum Content {
    Raw(String),
    Json(String),
    Form(Vec<(String, String)>),
    Parts(Vec<(String, Part)>),
}

pub(crate) enum Part {
    Text(String),
    File(PathBuf, Option<String>),
}

/// What is put together once all arguments are known.
#[derive(Default)]
struct Later {
    all: Option<Duration>,
    total: Option<Duration>,
    connect: Option<Duration>,
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    insecure: bool,
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> anyhow::Result<Options> {
    let (mut options, mut later) = (Options::default(), Later::default());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        // `--name value`, `--name=value`, `-n value` and `-nvalue`.
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ if argument.starts_with("--") || !argument.starts_with('-') => {
                (argument.as_str(), None)
            }
            _ => match argument.split_at_checked(2) {
                Some((name, "")) => (name, None),
                Some((name, value)) => (name, Some(value)),
                None => (argument.as_str(), None),
            },
        };
        let mut taken = false;
        let mut value = || {
            taken = true;
            inline
                .map(str::to_owned)
                .or_else(|| arguments.next())
                .with_context(|| format!("{name} needs a value"))
        };
        match name {
            "--sync" => options.sync = true,
            "-i" | "--include" => options.include = true,
            "-v" | "--verbose" => options.verbose = true,
            "-k" | "--insecure" => later.insecure = true,
            "--no-proxy" => options.no_proxy = true,
            "--http1.1" => {}
            "-X" | "--method" | "--request" => {
                let method = value()?;
                let parsed = Method::from_bytes(method.as_bytes());
                options.method = Some(parsed.with_context(|| format!("{method:?} is no method"))?);
            }
            "-H" | "--header" => {
                let header = value()?;
                let (name, value) = header
                    .split_once(':')
                    .context("a header is `Name: value`")?;
                options.headers.append(name, value.trim()).map_err(plain)?;
            }
            "-b" | "--cookie" => options.headers.append("Cookie", value()?).map_err(plain)?,
            "-c" | "--cookie-jar" => options.cookie_jar = Some(value()?.into()),
            "--data" => options.set_content(Content::Raw(value()?))?,
            "--json" => {
                let text = value()?;
                serde_json::from_str::<serde::de::IgnoredAny>(&text)
                    .context("the value of --json is no JSON")?;
                options.set_content(Content::Json(text))?;
            }
            "-d" | "--form" => {
                let field = value()?;
                let (name, value) = field.split_once('=').context("a field is NAME=VALUE")?;
                let pair = (name.to_owned(), value.to_owned());
                match &mut options.content {
                    Some(Content::Form(pairs)) => pairs.push(pair),
                    _ => options.set_content(Content::Form(vec![pair]))?,
                }
            }
            "-F" | "--part" => {
                let pair = part(&value()?)?;
                match &mut options.content {
                    Some(Content::Parts(parts)) => parts.push(pair),
                    _ => options.set_content(Content::Parts(vec![pair]))?,
                }
            }
            "-x" | "--proxy" => options.proxy = Some(Proxy::all(value()?).map_err(plain)?),
            "--unix-socket" => options.unix_socket = Some(value()?.into()),
            "--resolve" => options.resolve.push(resolve(&value()?)?),
            "--cacert" => later.authorities = Some(value()?.into()),
            "--cert" => later.certificate = Some(value()?.into()),
            "--key" => later.key = Some(value()?.into()),
            "--timeout" => later.all = Some(seconds(&value()?)?),
            "--max-time" => later.total = Some(seconds(&value()?)?),
            "--connect-timeout" => later.connect = Some(seconds(&value()?)?),
            "-o" | "--output" => options.output = Some(value()?.into()),
            "--help" | "-h" => bail!("see the usage"),
            name if name.starts_with('-') => bail!("unknown option {name}"),
            _ => options.urls.push(argument.clone()),
        }
        ensure!(taken || inline.is_none(), "{name} takes no value");
    }
    options.finish(later)
}

impl Options {
    fn set_content(&mut self, content: Content) -> anyhow::Result<()> {
        ensure!(
            self.content.is_none(),
            "the body is given more than once: one of --data, --json, -d, -F"
        );
        self.content = Some(content);
        Ok(())
    }

    fn finish(mut self, later: Later) -> anyhow::Result<Self> {
        ensure!(
            self.proxy.is_none() || !self.no_proxy,
            "--proxy and --no-proxy exclude each other"
        );
        ensure!(
            self.output.is_none() || self.urls.len() == 1 || self.prints_body(),
            "--output is for one URL"
        );
        let limits = [later.all, later.total, later.connect];
        if limits.iter().any(Option::is_some) {
            let mut timeouts = match (later.all, later.total) {
                (Some(limit), _) => Timeouts::from(limit),
                // Whoever says how long all may take says so of its parts.
                (None, Some(_)) => Timeouts::none(),
                (None, None) => Timeouts::default(),
            };
            if let Some(limit) = later.total {
                timeouts = timeouts.total(limit);
            }
            if let Some(limit) = later.connect {
                timeouts = timeouts.connect(limit);
            }
            self.timeouts = Some(timeouts);
        }
        self.tls = later.tls()?;
        Ok(self)
    }

    /// Whether the body goes to standard output alone.
    pub(crate) fn prints_body(&self) -> bool {
        self.output
            .as_ref()
            .is_some_and(|path| path.as_os_str() == "-")
    }

    pub(crate) fn method(&self) -> Method {
        let fallback = match self.content {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        self.method.clone().unwrap_or(fallback)
    }
}

impl Later {
    fn tls(&self) -> anyhow::Result<Option<TlsConfig>> {
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let mut tls = None;
        if let Some(path) = &self.authorities {
            let pem = read(path)?;
            let config = TlsConfig::new().add_roots_pem(pem).map_err(plain);
            tls = Some(
                config
                    .with_context(|| path.display().to_string())?
                    .only_added_roots(),
            );
        }
        ensure!(
            self.key.is_none() || self.certificate.is_some(),
            "--key is of use with --cert only"
        );
        if let Some(path) = &self.certificate {
            let chain = read(path)?;
            let key = self.key.as_ref().map_or_else(|| Ok(chain.clone()), read)?;
            let config = tls
                .unwrap_or_default()
                .client_certificate_pem(chain, key)
                .map_err(plain);
            tls = Some(config.with_context(|| path.display().to_string())?);
        }
        if self.insecure {
            tls = Some(tls.unwrap_or_default().dangerous_accept_invalid_certs());
        }
        Ok(tls)
    }
}

/// The text of an error of the library holds its cause already.
pub(crate) fn plain(error: reqivo::Error) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|limit| !limit.is_zero())
        .with_context(|| format!("{text:?} is no number of seconds above 0"))
}

/// `NAME=VALUE`, `NAME=@FILE` or `NAME=@FILE;type=TYPE`.
fn part(text: &str) -> anyhow::Result<(String, Part)> {
    let (name, value) = text
        .split_once('=')
        .context("a part is NAME=VALUE or NAME=@FILE")?;
    let part = match value.strip_prefix('@') {
        None => Part::Text(value.to_owned()),
        Some(file) => {
            let (path, kind) = match file.split_once(";type=") {
                Some((path, kind)) => (path, Some(kind.to_owned())),
                None => (file, None),
            };
            Part::File(path.into(), kind)
        }
    };
    Ok((name.to_owned(), part))
}

/// `HOST:PORT:ADDRESS`, where an IPv6 address may have brackets.
fn resolve(text: &str) -> anyhow::Result<(String, IpAddr)> {
    let parsed = || {
        let (host, rest) = text.split_once(':')?;
        let (port, address) = rest.split_once(':')?;
        port.parse::<u16>().ok()?;
        let address = address.trim_matches(['[', ']']).parse().ok()?;
        Some((host.to_owned(), address))
    };
    parsed().with_context(|| format!("{text:?} is not HOST:PORT:ADDRESS"))
}

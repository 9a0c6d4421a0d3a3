//! The sandbox as a program of its own.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use sophos_sandbox::{Error, Fault, Sandbox};

/// A local server that behaves like Sophos Central.
///
/// It prints where it listens and what to set to point a client at it, then serves until it is interrupted. Credentials: client id `tenant`, `partner` or `organization`, secret `sandbox`.
#[derive(Debug, Parser)]
#[command(version, after_help = FAULTS)]
struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Devices of the `tenant` credential
    #[arg(long, default_value_t = 300)]
    endpoints: u32,

    /// Alerts of the `tenant` credential
    #[arg(long, default_value_t = 140)]
    alerts: u32,

    /// Tenants of the `partner` and of the `organization` credential
    #[arg(long, default_value_t = 120)]
    tenants: u32,

    /// Devices of each of those tenants
    #[arg(long, default_value_t = 8)]
    tenant_endpoints: u32,

    /// Seed of all ids, names and states
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Misbehave, such as `rate-limit=2@/endpoint*3`; may be repeated
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Fault>,

    /// Listen on ports of their own for the regional hosts
    #[arg(long)]
    split_hosts: bool,

    /// Leave out sparse and odd records
    #[arg(long)]
    plain: bool,

    /// Seconds that a token is valid
    #[arg(long, default_value_t = 3600)]
    token_lifetime: u64,

    /// What the sandbox takes for now
    #[arg(long, value_name = "TIMESTAMP", default_value = "2025-02-03T07:00:00Z")]
    reference_time: String,
}

const FAULTS: &str = "\
Faults: KIND[=VALUE][@[METHOD ]PATH][+SKIP][*TIMES]
  PATH is a prefix; SKIP requests pass unharmed first; TIMES is a number or `always`
  refusals   rate-limit  rate-limit=SECONDS  rate-limit=date:SECONDS  rate-limit=TEXT
             status=CODE  html-503  unauthorized  expire-tokens  applied-500
  transport  latency=50ms  stall  drop-body  drop-request
  bodies     malformed  wrong-type  bare-array  missing-pages
  pages      short-page  empty-page  repeat-key  max-page-size=N  reject-page-size=N
  latency, bare-array, missing-pages and the page sizes last; the others strike once

Control:
  POST   /_sandbox/faults    {\"faults\":[\"rate-limit*2\"]} replaces all faults
  GET    /_sandbox/faults    what is left of them
  GET    /_sandbox/requests  the log of requests, secrets masked
  DELETE either              forgets them";

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            // Nothing can be done when standard error is closed.
            drop(writeln!(io::stderr(), "error: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), String> {
    let signals = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot build a runtime: {error}"))?;
    signals.block_on(async {
        // Installed before the announcement: who reads it may send a signal at once.
        let interrupted = Interrupt::listen().map_err(|error| error.to_string())?;
        let sandbox = start(arguments).map_err(|error| explain(&error))?;
        announce(&sandbox).map_err(|error| error.to_string())?;
        interrupted.wait().await;
        sandbox.shutdown();
        Ok(())
    })
}

fn start(arguments: Arguments) -> Result<Sandbox, Error> {
    Sandbox::builder()
        .port(arguments.port)
        .endpoints(arguments.endpoints)
        .alerts(arguments.alerts)
        .tenants(arguments.tenants)
        .tenant_endpoints(arguments.tenant_endpoints)
        .seed(arguments.seed)
        .faults(arguments.faults)
        .split_hosts(arguments.split_hosts)
        .odd_records(!arguments.plain)
        .token_lifetime(Duration::from_secs(arguments.token_lifetime))
        .reference_time(arguments.reference_time)
        .start()
}

fn announce(sandbox: &Sandbox) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "# listening on {}", sandbox.url())?;
    for (name, value) in sandbox.environment("tenant") {
        writeln!(out, "export {name}={value}")?;
    }
    writeln!(
        out,
        "# other client ids: partner, organization (the same secret)"
    )?;
    writeln!(
        out,
        "# faults: POST {0}/_sandbox/faults   log: GET {0}/_sandbox/requests",
        sandbox.url()
    )?;
    out.flush()
}

fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// SIGINT, or SIGTERM where there is one.
struct Interrupt {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Interrupt {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same signature on every system"
    )]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn wait(self) {
        // An error means that there is nobody to interrupt us; then only a kill ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

//! Starting and stopping.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{
    Router, middleware,
    routing::{get, post},
    serve::ListenerExt,
};
use tokio::{runtime::Builder as RuntimeBuilder, sync::Notify};

use crate::{
    account::{Directory, Kind},
    alerts,
    clock::{Clock, format},
    control, endpoints,
    error::Error,
    fault::Fault,
    gateway::{no_route, pass},
    log::RequestLog,
    random::Seed,
    service::{App, Hosts, Part, Settings},
    tenants::{self, REGIONS},
    token,
};

/// A running sandbox. Dropping it stops it.
///
/// It serves from a thread of its own with a runtime of its own, so it may be started and dropped anywhere: in a plain thread, in an async test, inside a program.
pub struct Sandbox {
    app: App,
    addr: SocketAddr,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Returns a builder with the defaults.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    /// Returns the base URL of the global host, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.app.hosts().global
    }

    /// Returns the URL of the token service.
    pub fn token_url(&self) -> String {
        format!("{}{TOKEN_PATH}", self.url())
    }

    /// Returns the base URLs of the regional hosts. Clients learn them from whoami and from tenant records; there is no need to configure them.
    pub fn region_urls(&self) -> &[String] {
        &self.app.hosts().regions
    }

    /// Returns the moment that the sandbox takes for now, as a timestamp in UTC. A client that turns durations into times itself should count from here.
    pub fn reference_time(&self) -> String {
        format(self.app.clock().now())
    }

    /// Returns the address of the first listener.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the environment that points a client at this sandbox, with the credential of one kind (`tenant`, `partner` or `organization`).
    pub fn environment(&self, client_id: &str) -> Vec<(&'static str, String)> {
        vec![
            ("SOPHOS_CLIENT_ID", client_id.to_owned()),
            ("SOPHOS_CLIENT_SECRET", self.app.settings().secret.clone()),
            ("SOPHOS_AUTH_URL", self.token_url()),
            ("SOPHOS_GLOBAL_URL", self.url().to_owned()),
        ]
    }

    /// Returns the id that whoami tells for a credential; `None` when there is no such client id.
    pub fn identity(&self, client_id: &str) -> Option<String> {
        Kind::of_client(client_id).map(|kind| self.app.directory().identity(kind))
    }

    /// Returns the requests so far, oldest first: the newest 50,000 of them. Secrets are masked.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.app.log().entries()
    }

    /// Forgets the requests so far. Their numbers are not used again.
    pub fn clear_requests(&self) {
        self.app.log().clear();
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.app.faults() = faults.into_iter().collect();
    }

    /// Adds a fault behind those that are there.
    pub fn add_fault(&self, fault: Fault) {
        self.app.faults().push(fault);
    }

    /// Returns the faults, with what is left of their counts.
    pub fn faults(&self) -> Vec<Fault> {
        self.app.faults().clone()
    }

    /// Makes every token issued so far invalid.
    pub fn expire_tokens(&self) {
        self.app.expire_tokens();
    }

    /// Stops it and waits until its thread has ended. Open connections are closed.
    pub fn shutdown(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing to add to it.
            drop(thread.join());
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

/// Builds a [`Sandbox`].
#[derive(Clone, Debug)]
pub struct SandboxBuilder {
    seed: u64,
    port: u16,
    endpoints: u32,
    alerts: u32,
    tenants: u32,
    tenant_endpoints: u32,
    tenant_alerts: u32,
    odd_records: bool,
    split_hosts: bool,
    secret: String,
    token_lifetime: Duration,
    isolation_reads: u32,
    global_tamper: bool,
    reference_time: String,
    faults: Vec<Fault>,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            seed: 1,
            port: 0,
            endpoints: 300,
            alerts: 140,
            tenants: 120,
            tenant_endpoints: 8,
            tenant_alerts: 4,
            odd_records: true,
            split_hosts: false,
            secret: "sandbox".to_owned(),
            token_lifetime: Duration::from_secs(3600),
            isolation_reads: 2,
            global_tamper: true,
            reference_time: "2025-02-03T07:00:00Z".to_owned(),
            faults: Vec::new(),
        }
    }
}

impl SandboxBuilder {
    /// Sets the seed of every id, name and state. Default: 1. Two sandboxes with the same settings answer alike.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the port on the loopback address. Default: 0, a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the number of devices of the `tenant` credential. Default: 300.
    #[must_use]
    pub fn endpoints(mut self, endpoints: u32) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Sets the number of alerts of the `tenant` credential. Default: 140.
    #[must_use]
    pub fn alerts(mut self, alerts: u32) -> Self {
        self.alerts = alerts;
        self
    }

    /// Sets the number of tenants of the `partner` and of the `organization` credential. Default: 120, which is two pages.
    #[must_use]
    pub fn tenants(mut self, tenants: u32) -> Self {
        self.tenants = tenants;
        self
    }

    /// Sets the number of devices of each of those tenants; every tenth has none. Default: 8.
    #[must_use]
    pub fn tenant_endpoints(mut self, endpoints: u32) -> Self {
        self.tenant_endpoints = endpoints;
        self
    }

    /// Sets the number of alerts of each of those tenants; every tenth has none. Default: 4.
    #[must_use]
    pub fn tenant_alerts(mut self, alerts: u32) -> Self {
        self.tenant_alerts = alerts;
        self
    }

    /// Sets whether sparse and odd records are among the others, and whether one tenant has no host and another answers 403. Default: true.
    #[must_use]
    pub fn odd_records(mut self, odd: bool) -> Self {
        self.odd_records = odd;
        self
    }

    /// Sets whether the regional hosts are listeners of their own, on free ports, as they are hosts of their own in the real service: each then answers 404 to routes that belong elsewhere. Default: false, one listener is all hosts.
    #[must_use]
    pub fn split_hosts(mut self, split: bool) -> Self {
        self.split_hosts = split;
        self
    }

    /// Sets the client secret of all three credentials. Default: `sandbox`.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = secret.into();
        self
    }

    /// Sets how long tokens are valid, by the real clock; `expires_in` tells it in whole seconds. Default: one hour.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// Sets after how many reads of a device an isolation change is complete: until then the device shows its old state and further changes get 409. Default: 2.
    #[must_use]
    pub fn isolation_reads(mut self, reads: u32) -> Self {
        self.isolation_reads = reads;
        self
    }

    /// Sets whether tamper protection is on for the accounts as a whole. Default: true.
    #[must_use]
    pub fn global_tamper(mut self, enabled: bool) -> Self {
        self.global_tamper = enabled;
        self
    }

    /// Sets the moment that the sandbox takes for now. Default: `2025-02-03T07:00:00Z`. The clock stands still.
    #[must_use]
    pub fn reference_time(mut self, time: impl Into<String>) -> Self {
        self.reference_time = time.into();
        self
    }

    /// Sets the faults it starts with. Default: none.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.faults = faults.into_iter().collect();
        self
    }

    /// Starts the sandbox. When this returns it accepts connections.
    ///
    /// # Errors
    ///
    /// When the port is taken, when the reference time is not a timestamp with a zone, or when the machine refuses a thread.
    pub fn start(self) -> Result<Sandbox, Error> {
        let reference = self.reference_time.parse().map_err(|error: jiff::Error| {
            Error::setting("reference time", &self.reference_time, error.to_string())
        })?;
        let main = bind(self.port)?;
        let addr = main
            .local_addr()
            .map_err(|error| Error::start("read its address", error))?;
        let global = format!("http://{addr}");
        let mut listeners = vec![(
            main,
            if self.split_hosts {
                Part::Global
            } else {
                Part::Whole
            },
        )];
        let mut regions = Vec::new();
        for number in 0..REGIONS.len() {
            if self.split_hosts {
                let listener = bind(0)?;
                let addr = listener
                    .local_addr()
                    .map_err(|error| Error::start("read its address", error))?;
                regions.push(format!("http://{addr}"));
                listeners.push((listener, Part::Region(number)));
            } else {
                regions.push(global.clone());
            }
        }
        let settings = Settings {
            seed: self.seed,
            clock: Clock::at(reference),
            secret: self.secret,
            token_lifetime: self.token_lifetime,
            isolation_reads: self.isolation_reads,
            global_tamper: self.global_tamper,
            directory: Directory {
                seed: Seed::new(self.seed),
                endpoints: self.endpoints,
                alerts: self.alerts,
                tenants: self.tenants,
                tenant_endpoints: self.tenant_endpoints,
                tenant_alerts: self.tenant_alerts,
                regions: regions.len(),
                odd_records: self.odd_records,
            },
        };
        let app = App::new(settings, Hosts { global, regions }, self.faults);
        let stop = Arc::new(Notify::new());
        let thread = spawn(&app, listeners, Arc::clone(&stop))?;
        Ok(Sandbox {
            app,
            addr,
            stop,
            thread: Some(thread),
        })
    }
}

fn bind(port: u16) -> Result<TcpListener, Error> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| Error::start(format!("listen on 127.0.0.1:{port}"), error))
}

fn spawn(
    app: &App,
    listeners: Vec<(TcpListener, Part)>,
    stop: Arc<Notify>,
) -> Result<JoinHandle<()>, Error> {
    let runtime = RuntimeBuilder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::start("build a runtime", error))?;
    let mut servers = Vec::new();
    {
        let _guard = runtime.enter();
        for (listener, part) in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|error| Error::start("use its listener", error))?;
            servers.push((listener, routes(app.part(part))));
        }
    }
    thread::Builder::new()
        .name("sophos-sandbox".to_owned())
        .spawn(move || {
            runtime.block_on(async move {
                for (listener, routes) in servers {
                    let listener = listener.tap_io(|socket| {
                        // Without it some answers wait for the client's acknowledgement; a client that is gone shows at the next read.
                        drop(socket.set_nodelay(true));
                    });
                    tokio::spawn(async move { axum::serve(listener, routes).await });
                }
                stop.notified().await;
            });
            // Dropping the runtime drops every connection, whatever it waits for.
        })
        .map_err(|error: io::Error| Error::start("start a thread", error))
}

/// Returns the routes of a part of the service.
fn routes(app: App) -> Router {
    let mut routes = Router::new();
    if matches!(app.part, Part::Whole | Part::Global) {
        routes = routes
            .route(TOKEN_PATH, post(token::issue))
            .route("/whoami/v1", get(token::whoami))
            .merge(tenants::routes());
    }
    if matches!(app.part, Part::Whole | Part::Region(_)) {
        routes = routes.merge(endpoints::routes()).merge(alerts::routes());
    }
    let mut routes = routes
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(middleware::from_fn_with_state(app.clone(), pass));
    if matches!(app.part, Part::Whole | Part::Global) {
        // Behind the layer: control requests are neither logged nor harmed.
        routes = routes.merge(control::routes());
    }
    routes.with_state(app)
}

const TOKEN_PATH: &str = "/api/v2/oauth2/token";

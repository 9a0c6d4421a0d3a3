//! TLS by rustls.

mod config;
mod info;
mod key_log;
mod pin;
mod problem;
mod verify;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

pub use self::config::TlsConfig;
pub use self::info::{TlsInfo, TlsVersion};
pub use self::pin::Pin;
pub(crate) use self::problem::{of_io, problem};
use super::stream::Stream;
use crate::error::{Error, ErrorKind, Phase};

/// The TLS side of a session. The trusted certificates are loaded at the first use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tls {
    config: TlsConfig,
    loaded: Arc<Mutex<Loaded>>,
}

#[derive(Debug, Default)]
enum Loaded {
    #[default]
    Not,
    /// Somebody loads; the channel closes when he is done.
    Soon(watch::Receiver<()>),
    Yes(Arc<ClientConfig>),
}

impl Tls {
    pub(crate) fn new(config: TlsConfig) -> Self {
        Self {
            config,
            loaded: Arc::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.config.check()
    }

    pub(crate) fn has_settings_of(&self, other: &Self) -> bool {
        self.config.id == other.config.id
    }

    /// Speaks TLS with a host over a stream.
    pub(crate) async fn handshake(
        &self,
        host: &Host<&str>,
        stream: Stream,
    ) -> Result<TlsStream<Stream>, Error> {
        let config = self.load().await?;
        let stream = TlsConnector::from(config)
            .connect(self.name(host)?, stream)
            .await
            .map_err(|error| failed().with_source(error))?;
        match stream.get_ref().1.alpn_protocol() {
            None | Some(config::HTTP_1) => Ok(stream),
            Some(_) => Err(failed().with_source(problem::UnknownProtocol)),
        }
    }

    /// The name that the host must prove to have.
    fn name(&self, host: &Host<&str>) -> Result<ServerName<'static>, Error> {
        let named = |name: &str| {
            ServerName::try_from(name.to_owned())
                .map_err(|error| Error::builder("host is no tls server name").with_source(error))
        };
        let (text, address) = match host {
            Host::Domain(name) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                return named(self.config.name_for(name).unwrap_or(name));
            }
            Host::Ipv4(address) => (address.to_string(), IpAddr::from(*address)),
            Host::Ipv6(address) => (address.to_string(), IpAddr::from(*address)),
        };
        match self.config.name_for(&text) {
            Some(name) => named(name),
            None => Ok(ServerName::from(address)),
        }
    }

    /// The configuration, made when it is not there yet: once, also for callers that come together.
    async fn load(&self) -> Result<Arc<ClientConfig>, Error> {
        loop {
            let mut soon = match &*lock(&self.loaded) {
                Loaded::Yes(config) => return Ok(Arc::clone(config)),
                Loaded::Soon(soon) => Some(soon.clone()),
                Loaded::Not => None,
            };
            match &mut soon {
                // It never sends, it only closes.
                Some(soon) => drop(soon.changed().await),
                None => {
                    if let Some(loading) = Loading::start(self) {
                        return loading.finish().await;
                    }
                }
            }
        }
    }
}

/// The task of loading, held by one of the callers.
struct Loading {
    tls: Tls,
    /// Closes when this is dropped, for those who wait.
    _done: watch::Sender<()>,
}

impl Loading {
    /// Takes the task, unless somebody else was faster.
    fn start(tls: &Tls) -> Option<Self> {
        let mut loaded = lock(&tls.loaded);
        if !matches!(*loaded, Loaded::Not) {
            return None;
        }
        let (done, soon) = watch::channel(());
        *loaded = Loaded::Soon(soon);
        Some(Self {
            tls: tls.clone(),
            _done: done,
        })
    }

    async fn finish(self) -> Result<Arc<ClientConfig>, Error> {
        if !self.tls.config.reads_files() {
            return self.build();
        }
        // Not on the thread that drives the runtime. It goes on when the caller gives up, so that others who wait
        // do not depend on him.
        tokio::task::spawn_blocking(move || self.build())
            .await
            .map_err(|error| failed().with_source(error))?
    }

    fn build(self) -> Result<Arc<ClientConfig>, Error> {
        let built = self.tls.config.build().map_err(|error| {
            failed()
                .with_message("unusable tls settings")
                .with_source(error)
        })?;
        *lock(&self.tls.loaded) = Loaded::Yes(Arc::clone(&built));
        Ok(built)
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let mut loaded = lock(&self.tls.loaded);
        if matches!(*loaded, Loaded::Soon(_)) {
            *loaded = Loaded::Not;
        }
    }
}

fn lock(loaded: &Mutex<Loaded>) -> MutexGuard<'_, Loaded> {
    // Nothing under the lock panics.
    loaded.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed() -> Error {
    Error::new(ErrorKind::Tls, Phase::Tls)
}

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::runtime;
use tokio::time::Instant;
use url::Url;

use crate::error::{Error, ErrorKind, Phase};
use crate::net::route::Via;
use crate::pool::Lease;

/// Where a [`Connection`](super::Connection) keeps its lease while no request has it.
pub(crate) struct Slot {
    /// Scheme, host and port.
    url: Url,
    /// The proxy that it leads through.
    proxy: Option<Via>,
    remote: Option<SocketAddr>,
    local: Option<SocketAddr>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<crate::TlsInfo>>,
    requests: AtomicU64,
    state: Mutex<State>,
}

enum State {
    /// Ready for a request.
    Resting(Lease),
    /// A request has it.
    Lent(After),
    Closed,
}

/// What happens when a lent lease comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Rest,
    Close,
    /// Nobody holds the connection any more.
    Release,
}

impl Slot {
    pub(super) fn new(url: &Url, mut lease: Lease, proxy: Option<Via>) -> Result<Self, Error> {
        let Some(conn) = lease.conn() else {
            return Err(crate::incoming::lost());
        };
        let (remote, local) = (conn.remote, conn.local_addr());
        #[cfg(feature = "tls")]
        let tls = conn.tls.clone();
        let mut origin = url.clone();
        origin.set_path("/");
        origin.set_query(None);
        Ok(Self {
            url: crate::error::without_secrets(&origin),
            proxy,
            remote,
            local,
            #[cfg(feature = "tls")]
            tls,
            requests: AtomicU64::new(0),
            state: Mutex::new(State::Resting(lease)),
        })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.local
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(&self) -> Option<&crate::TlsInfo> {
        self.tls.as_deref()
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn proxy(&self) -> Option<&Via> {
        self.proxy.as_ref()
    }

    /// Whether requests for this URL can go over the connection.
    pub(crate) fn leads_to(&self, url: &Url) -> bool {
        self.url.scheme() == url.scheme()
            && self.url.host_str() == url.host_str()
            && self.url.port_or_known_default() == url.port_or_known_default()
    }

    pub(super) fn is_usable(&self) -> bool {
        match &mut *self.lock() {
            State::Resting(lease) => is_usable(lease),
            _ => false,
        }
    }

    /// Takes the lease out for one request. It comes back by itself.
    pub(crate) fn lend(self: &Arc<Self>, runtime: runtime::Id) -> Result<Lease, Error> {
        let mut state = self.lock();
        match &mut *state {
            State::Lent(_) => {
                return Err(Error::builder(
                    "the connection is in use by an earlier response",
                ));
            }
            State::Resting(lease) => {
                if lease.conn().is_some_and(|conn| conn.runtime != runtime) {
                    return Err(Error::builder("the connection belongs to another runtime"));
                }
                let usable = is_usable(lease);
                let after = match usable {
                    true => State::Lent(After::Rest),
                    false => State::Closed,
                };
                let State::Resting(mut lease) = std::mem::replace(&mut *state, after) else {
                    return Err(crate::incoming::lost());
                };
                drop(state);
                if usable {
                    self.requests.fetch_add(1, Ordering::Relaxed);
                    lease.come_home_to(Arc::clone(self));
                    return Ok(lease);
                }
                lease.begin();
            }
            State::Closed => {}
        }
        Err(Error::new(ErrorKind::Network, Phase::Connect).with_message("the connection is closed"))
    }

    /// A lease comes back from its request.
    pub(crate) fn come_home(&self, lease: Lease) {
        let mut lease = Some(lease);
        let mut state = self.lock();
        let after = match &*state {
            State::Lent(after) => *after,
            _ => After::Close,
        };
        let at_rest = lease.as_ref().is_some_and(Lease::is_at_rest);
        *state = match (after, at_rest) {
            (After::Rest, true) => lease.take().map_or(State::Closed, State::Resting),
            _ => State::Closed,
        };
        drop(state);
        if let Some(mut lease) = lease
            && after == After::Close
        {
            lease.begin();
        }
    }

    /// Closes the connection, when its request is done.
    pub(super) fn close(&self) {
        if let Some(mut lease) = self.end(After::Close) {
            // Not to be kept.
            lease.begin();
        }
    }

    /// Nobody holds the connection any more: it goes back to where it is from.
    pub(super) fn release(&self) {
        if let Some(lease) = self.end(After::Release) {
            lease.end(true, Instant::now());
        }
    }

    fn end(&self, then: After) -> Option<Lease> {
        let mut state = self.lock();
        if let State::Lent(after) = &mut *state {
            if *after == After::Rest {
                *after = then;
            }
            return None;
        }
        match std::mem::replace(&mut *state, State::Closed) {
            State::Resting(lease) => Some(lease),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_usable(lease: &mut Lease) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    lease.conn().is_some_and(|conn| conn.is_usable(&mut cx))
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

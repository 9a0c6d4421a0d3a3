use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Looks up the addresses of hosts.
///
/// A session asks it for every connection that it opens to a host which is neither an address nor set by
/// [`resolve`](crate::SessionBuilder::resolve). The lookup counts for the [connect limit](crate::Timeouts::connect), and is dropped
/// when that expires. It must not block its thread. IPv6 and IPv4 addresses are tried in turns, whatever their order.
///
/// ```
/// use reqivo::{Resolve, Resolving, Session};
///
/// struct Fixed;
///
/// impl Resolve for Fixed {
///     fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
///         Box::pin(async move {
///             match host {
///                 "device.example" => Ok(vec![([192, 0, 2, 7], 0).into()]),
///                 _ => Err(std::io::ErrorKind::NotFound.into()),
///             }
///         })
///     }
/// }
///
/// # fn main() -> Result<(), reqivo::Error> {
/// let session = Session::builder().resolver(Fixed).build()?;
/// # Ok(())
/// # }
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// Looks up the addresses of a host. Port 0 stands for the port of the URL.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// A lookup that is going on.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        (**self).resolve(host)
    }
}

/// Asks the operating system, on a thread for blocking work. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
    }
}

/// Remembers what another resolver found, for a fixed time. Failures are not remembered, and at most 1024 hosts are.
///
/// The operating system may have a cache of its own, and connections are kept in a pool; so this is of use
/// where many short connections are opened to the same hosts. Clones share what they remember.
#[derive(Clone)]
pub struct CachingResolver {
    inner: Arc<dyn Resolve>,
    time: Duration,
    found: Arc<Mutex<HashMap<Box<str>, Found>>>,
}

struct Found {
    addresses: Vec<SocketAddr>,
    until: Instant,
}

impl CachingResolver {
    /// Remembers for this time what the operating system says.
    #[must_use]
    pub fn new(time: Duration) -> Self {
        Self::over(SystemResolver, time)
    }

    /// Remembers for this time what another resolver says.
    #[must_use]
    pub fn over(inner: impl Resolve, time: Duration) -> Self {
        Self {
            inner: Arc::new(inner),
            time,
            found: Arc::default(),
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn recall(&self, host: &str) -> Option<Vec<SocketAddr>> {
        let mut found = self.lock();
        let known = found.get(host)?;
        if known.until > Instant::now() {
            return Some(known.addresses.clone());
        }
        found.remove(host);
        None
    }

    fn remember(&self, host: &str, addresses: &[SocketAddr]) {
        let now = Instant::now();
        let Some(until) = now.checked_add(self.time) else {
            return;
        };
        let mut found = self.lock();
        if found.len() >= MOST_HOSTS && !found.contains_key(host) {
            found.retain(|_, known| known.until > now);
            if found.len() >= MOST_HOSTS {
                return;
            }
        }
        let addresses = addresses.to_vec();
        found.insert(host.into(), Found { addresses, until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for CachingResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            if let Some(addresses) = self.recall(host) {
                return Ok(addresses);
            }
            let addresses = self.inner.resolve(host).await?;
            if !addresses.is_empty() {
                self.remember(host, &addresses);
            }
            Ok(addresses)
        })
    }
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachingResolver")
            .field("time", &self.time)
            .field("hosts", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// How a session finds addresses.
#[derive(Clone, Default)]
pub(crate) struct Names {
    /// Addresses of hosts that are not looked up. Port 0 stands for that of the URL.
    pub(crate) fixed: HashMap<String, Vec<SocketAddr>>,
    /// Nothing for that of the operating system.
    pub(crate) resolver: Option<Arc<dyn Resolve>>,
}

impl Names {
    /// The addresses of a host, in the order in which they are to be tried.
    pub(super) async fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut found = match (self.fixed.get(host), &self.resolver) {
            (Some(addresses), _) => addresses.clone(),
            (None, Some(resolver)) => resolver.resolve(host).await?,
            (None, None) => SystemResolver.resolve(host).await?,
        };
        for address in &mut found {
            if address.port() == 0 {
                address.set_port(port);
            }
        }
        Ok(in_turns(found))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names")
            .field("fixed", &self.fixed)
            .field("resolver", &self.resolver.is_some())
            .finish()
    }
}

/// Orders addresses as RFC 8305 says: both families in turn, IPv6 first, each in its given order.
fn in_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut ordered = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let (a, b) = (six.next(), four.next());
        if a.is_none() && b.is_none() {
            return ordered;
        }
        ordered.extend(a);
        ordered.extend(b);
    }
}

const MOST_HOSTS: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    #[test]
    fn addresses_alternate_between_families_with_ipv6_first() {
        let addresses = ["1.1.1.1:1", "2.2.2.2:1", "[::1]:1", "3.3.3.3:1", "[::2]:1"];
        let addresses = addresses.map(|text| text.parse().unwrap()).to_vec();
        let ordered: Vec<String> = in_turns(addresses)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            ordered,
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"]
        );
    }

    /// Answers with another port every time, and fails for one host.
    struct Counting(AtomicU16);

    impl Resolve for Counting {
        fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
            Box::pin(async move {
                let count = self.0.fetch_add(1, Ordering::Relaxed);
                match host {
                    "bad" => Err(io::ErrorKind::NotFound.into()),
                    _ => Ok(vec![([127, 0, 0, 1], count).into()]),
                }
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cache_remembers_for_its_time_and_no_failures() {
        let cache = CachingResolver::over(Counting(AtomicU16::new(0)), Duration::from_secs(5));
        let port = async |host: &str| Some(cache.resolve(host).await.ok()?[0].port());
        assert_eq!(port("a").await, Some(0));
        assert_eq!(port("b").await, Some(1));
        assert_eq!(port("a").await, Some(0));
        assert_eq!((port("bad").await, port("bad").await), (None, None));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!((port("a").await, port("a").await), (Some(4), Some(4)));
        cache.clear();
        assert_eq!(port("a").await, Some(5));
        for host in 0..2 * MOST_HOSTS {
            assert!(port(&host.to_string()).await.is_some());
        }
        assert!(cache.lock().len() <= MOST_HOSTS);
    }
}

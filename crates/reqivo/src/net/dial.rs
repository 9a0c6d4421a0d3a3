//! Opening TCP connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use super::route::new_settings_id;

/// How TCP connections are opened.
///
/// | setting | default |
/// |---|---|
/// | [`local_address`](Self::local_address), [`interface`](Self::interface) | the system chooses |
/// | [`attempt_delay`](Self::attempt_delay) | 250 ms |
/// | [`keep_alive`](Self::keep_alive) | off |
/// | [`send_buffer`](Self::send_buffer), [`receive_buffer`](Self::receive_buffer) | the system chooses |
///
/// `TCP_NODELAY` is always on: requests are written in one piece.
#[derive(Clone, Debug)]
pub struct ConnectConfig {
    /// What tells these settings from others; 0 for the default ones.
    pub(crate) id: u64,
    local: Option<IpAddr>,
    #[cfg(any(target_os = "android", target_os = "linux"))]
    interface: Option<String>,
    attempt_delay: Duration,
    keep_alive: Option<KeepAlive>,
    send_buffer: Option<usize>,
    receive_buffer: Option<usize>,
}

impl Default for ConnectConfig {
    fn default() -> Self {
        Self {
            id: 0,
            local: None,
            #[cfg(any(target_os = "android", target_os = "linux"))]
            interface: None,
            attempt_delay: Duration::from_millis(250),
            keep_alive: None,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

impl ConnectConfig {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects from this address of the machine, hence only to addresses of its family.
    #[must_use]
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.local = address.into();
        self.changed()
    }

    /// Connects through this network interface, such as `eth0`. Linux may ask for the right to do so (`CAP_NET_RAW`).
    #[cfg(any(target_os = "android", target_os = "linux"))]
    #[must_use]
    pub fn interface(mut self, name: impl Into<String>) -> Self {
        self.interface = Some(name.into());
        self.changed()
    }

    /// Sets how long an address of a host is tried before the next one is tried beside it (RFC 8305).
    #[must_use]
    pub fn attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay;
        self.changed()
    }

    /// Makes the system look after silent connections, so that a peer that is gone is noticed, and so that middleboxes
    /// do not forget the connection.
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: impl Into<Option<KeepAlive>>) -> Self {
        self.keep_alive = keep_alive.into();
        self.changed()
    }

    /// Sets the size of the buffer of the system for what is sent, in bytes.
    #[must_use]
    pub fn send_buffer(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.send_buffer = bytes.into();
        self.changed()
    }

    /// Sets the size of the buffer of the system for what is received, in bytes.
    #[must_use]
    pub fn receive_buffer(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.receive_buffer = bytes.into();
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.id = new_settings_id();
        self
    }

    async fn open(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_nodelay(true)?;
        if let Some(keep_alive) = &self.keep_alive {
            SockRef::from(&socket).set_tcp_keepalive(&keep_alive.parameters())?;
        }
        let bytes = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(size) = self.send_buffer {
            socket.set_send_buffer_size(bytes(size))?;
        }
        if let Some(size) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes(size))?;
        }
        #[cfg(any(target_os = "android", target_os = "linux"))]
        if let Some(name) = &self.interface {
            socket.bind_device(Some(name.as_bytes()))?;
        }
        if let Some(local) = self.local {
            socket.bind(SocketAddr::new(local, 0))?;
        }
        socket.connect(address).await
    }
}

/// When the system looks after a silent connection; a plain `Duration` is the time until the first probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    after: Duration,
    interval: Option<Duration>,
    probes: Option<u32>,
}

impl KeepAlive {
    /// Probes a connection that was silent for this time; full seconds.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        Self {
            after: time,
            interval: None,
            probes: None,
        }
    }

    /// Sets the time between probes; the default is that of the system.
    #[must_use]
    pub fn interval(mut self, time: Duration) -> Self {
        self.interval = Some(time);
        self
    }

    /// Sets how many probes without an answer end the connection; the default is that of the system.
    #[must_use]
    pub fn probes(mut self, count: u32) -> Self {
        self.probes = Some(count);
        self
    }

    fn parameters(&self) -> socket2::TcpKeepalive {
        let mut parameters = socket2::TcpKeepalive::new().with_time(self.after);
        if let Some(interval) = self.interval {
            parameters = parameters.with_interval(interval);
        }
        #[cfg(not(windows))]
        if let Some(probes) = self.probes {
            parameters = parameters.with_retries(probes);
        }
        parameters
    }
}

impl From<Duration> for KeepAlive {
    fn from(after: Duration) -> Self {
        Self::after(after)
    }
}

/// The addresses that did not answer, and why.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: Vec<(SocketAddr, io::Error)>,
}

impl Attempts {
    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// What was tried in vain, as a part of a sentence.
    pub(super) fn message(&self) -> String {
        match &*self.failed {
            [] => "no address to connect to".to_owned(),
            [(address, _)] => format!("failed connecting to {address}"),
            many => format!("failed connecting to any of {} addresses", many.len()),
        }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (address, error)) in self.failed.iter().enumerate() {
            let separator = if number > 0 { ", " } else { "" };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Attempts {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failed.last().map(|(_, error)| error as _)
    }
}

/// Tries the addresses one after the other, each some time after the one before it or at once when all
/// failed so far; the first that answers wins and the others are dropped. Nothing when all failed.
pub(super) async fn race(
    mut addresses: Vec<SocketAddr>,
    config: &ConnectConfig,
    attempts: &mut Attempts,
) -> Option<TcpStream> {
    type Attempt<'a> = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>>;
    if let Some(local) = config.local {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
    }
    if let [address] = addresses[..] {
        let opened = config.open(address).await;
        return opened
            .map_err(|error| attempts.failed.push((address, error)))
            .ok();
    }
    let mut waiting = addresses.into_iter();
    let mut running: Vec<(SocketAddr, Attempt<'_>)> = Vec::new();
    let mut next = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(move |cx| {
        loop {
            let mut at = 0;
            while at < running.len() {
                match running[at].1.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(socket)) => return Poll::Ready(Some(socket)),
                    Poll::Ready(Err(error)) => {
                        let (address, attempt) = running.remove(at);
                        drop(attempt);
                        attempts.failed.push((address, error));
                    }
                }
            }
            let due = running.is_empty() || next.as_mut().poll(cx).is_ready();
            match (due, waiting.as_slice().is_empty()) {
                (true, false) => {
                    if let Some(address) = waiting.next() {
                        running.push((address, Box::pin(config.open(address))));
                        next.as_mut().reset(Instant::now() + config.attempt_delay);
                    }
                }
                (_, true) if running.is_empty() => return Poll::Ready(None),
                _ => return Poll::Pending,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen() -> (std::net::TcpListener, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_the_first_refuses() {
        let (_listener, good) = listen();
        let closed = testkit::refused_addr();
        let config = ConnectConfig::new().attempt_delay(Duration::from_secs(3600));
        let mut attempts = Attempts::default();
        let socket = race(vec![closed, good], &config, &mut attempts).await;
        assert_eq!(socket.unwrap().peer_addr().unwrap(), good);
        assert_eq!(attempts.failed.len(), 1);
    }

    #[tokio::test]
    async fn all_failures_are_kept() {
        let closed = testkit::refused_addr();
        for count in 1..4 {
            let mut attempts = Attempts::default();
            let config = ConnectConfig::new();
            let none = race(vec![closed; count], &config, &mut attempts).await;
            assert!(none.is_none() && attempts.failed.len() == count);
            assert_eq!(
                attempts.to_string().matches(&closed.to_string()).count(),
                count
            );
        }
        let mut attempts = Attempts::default();
        let six = ConnectConfig::new().local_address(IpAddr::from([0; 16]));
        assert!(race(vec![closed], &six, &mut attempts).await.is_none());
        assert_eq!(attempts.message(), "no address to connect to");
    }

    #[tokio::test]
    async fn sockets_are_set_up_as_asked() {
        let (_listener, address) = listen();
        let plain = ConnectConfig::new().open(address).await.unwrap();
        assert!(plain.nodelay().unwrap() && !SockRef::from(&plain).keepalive().unwrap());
        let keep_alive = KeepAlive::after(Duration::from_secs(7))
            .interval(Duration::from_secs(3))
            .probes(4);
        let config = ConnectConfig::new()
            .keep_alive(keep_alive)
            .send_buffer(20_000)
            .receive_buffer(30_000)
            .local_address(IpAddr::from([127, 0, 0, 1]));
        let socket = config.open(address).await.unwrap();
        assert!(socket.nodelay().unwrap());
        let set = SockRef::from(&socket);
        assert!(set.keepalive().unwrap());
        // Linux doubles them.
        assert!((20_000..=40_000).contains(&set.send_buffer_size().unwrap()));
        assert!((30_000..=60_000).contains(&set.recv_buffer_size().unwrap()));
        #[cfg(target_os = "linux")]
        {
            assert_eq!(set.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
            assert_eq!(
                set.tcp_keepalive_interval().unwrap(),
                Duration::from_secs(3)
            );
            assert_eq!(set.tcp_keepalive_retries().unwrap(), 4);
        }
    }

    #[tokio::test]
    async fn a_silent_address_does_not_hold_up_the_next_one() {
        let hole = testkit::Blackhole::open();
        let (_listener, good) = listen();
        let config = ConnectConfig::new().attempt_delay(Duration::from_millis(10));
        let mut attempts = Attempts::default();
        let socket = race(vec![hole.addr(), good], &config, &mut attempts).await;
        assert_eq!(socket.unwrap().peer_addr().unwrap(), good);
        assert!(attempts.is_empty());
    }
}

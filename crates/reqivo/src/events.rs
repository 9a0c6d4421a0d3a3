//! What happens during a call, told to whoever wants to know.
//!
//! A listener is a closure, set with [`SessionBuilder::on_event`](crate::SessionBuilder::on_event). It is called on the
//! thread and at the moment where the event happens, so it must be quick and must not block. Without listeners nothing
//! is measured.
//!
//! Credentials in URLs are never shown. The values of `Authorization`, `Cookie`, `Set-Cookie`, `Proxy-Authorization`
//! and of fields that were added as sensitive are hidden, unless the listener was set with
//! [`on_event_with_secrets`](crate::SessionBuilder::on_event_with_secrets).
//!
//! The same calls appear in [`tracing`] as spans named `request` of level debug, with method, host, status and the
//! number of attempts, and never with a path, a query or a header value.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::error::{Error, without_secrets};
use crate::headers::Headers;
use crate::net::clock::Clock;

/// Something that happened during a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The number of the call, counted from 1 in each session.
    pub call: u64,
    /// How many redirects led to the request in question.
    pub redirects: usize,
    /// The method of the request in question.
    pub method: &'a Method,
    /// Its URL, without credentials and fragment.
    pub url: &'a Url,
    /// The time since the call began.
    pub elapsed: Duration,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// The request has its place in the pool.
    #[non_exhaustive]
    Acquired {
        /// How long it waited for it.
        waited: Duration,
        /// Whether there is an open connection on it.
        reused: bool,
    },
    /// The host was looked up.
    #[non_exhaustive]
    Resolved {
        /// The host.
        host: &'a str,
        /// What was found, in the order in which it will be tried.
        addresses: &'a [SocketAddr],
        /// How long that took.
        took: Duration,
    },
    /// A connection was opened.
    #[non_exhaustive]
    Connected {
        /// The address of the peer; a Unix-domain socket has none.
        remote: Option<SocketAddr>,
        /// How long that took.
        took: Duration,
    },
    /// A proxy opened the way to the server.
    #[non_exhaustive]
    Tunnelled {
        /// How long that took.
        took: Duration,
    },
    /// The TLS handshake is done.
    #[non_exhaustive]
    Secured {
        /// How long that took.
        took: Duration,
    },
    /// The whole request was handed to the connection.
    #[non_exhaustive]
    Sent {
        /// Its header fields but for `Host` and those that frame the body.
        headers: &'a Headers,
        /// How long that took, from the moment there was a connection.
        took: Duration,
    },
    /// The first byte of the response arrived.
    #[non_exhaustive]
    FirstByte {
        /// How long that took, from the end of the request.
        waited: Duration,
    },
    /// The head of the response is there.
    #[non_exhaustive]
    Answered {
        /// The status.
        status: StatusCode,
        /// The header fields.
        headers: &'a Headers,
    },
    /// The response redirects, and that is followed.
    #[non_exhaustive]
    Redirected {
        /// The status.
        status: StatusCode,
        /// Where to, without credentials and fragment.
        to: &'a Url,
    },
    /// A kept connection turned out to be closed, and the request is sent again on a fresh one.
    #[non_exhaustive]
    Repeated {
        /// What was noticed.
        error: &'a Error,
    },
    /// The body of the response was read to its end.
    #[non_exhaustive]
    BodyEnd {
        /// How long that took, from the head of the response.
        took: Duration,
    },
    /// The call failed, or the body of its response did.
    #[non_exhaustive]
    Failed {
        /// Why.
        error: &'a Error,
    },
}

/// Who is told.
#[derive(Clone)]
pub(crate) struct Listener {
    callback: Arc<dyn Fn(&Event<'_>) + Send + Sync>,
    secrets: bool,
}

impl Listener {
    pub(crate) fn new(
        callback: impl Fn(&Event<'_>) + Send + Sync + 'static,
        secrets: bool,
    ) -> Self {
        Self {
            callback: Arc::new(callback),
            secrets,
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// One call that somebody listens to.
#[derive(Debug)]
pub(crate) struct Watch {
    listeners: Arc<[Listener]>,
    call: u64,
    started: Instant,
    hop: Mutex<HopState>,
}

#[derive(Clone, Debug)]
struct HopState {
    method: Method,
    url: Url,
    redirects: usize,
    headers: Headers,
    /// When the phase that runs now began.
    since: Instant,
    answering: bool,
}

impl Watch {
    pub(crate) fn new(
        listeners: &Arc<[Listener]>,
        call: u64,
        started: Instant,
        method: &Method,
        url: &Url,
    ) -> Arc<Self> {
        Arc::new(Self {
            listeners: Arc::clone(listeners),
            call,
            started,
            hop: Mutex::new(HopState {
                method: method.clone(),
                url: without_secrets(url),
                redirects: 0,
                headers: Headers::new(),
                since: started,
                answering: false,
            }),
        })
    }

    /// A request is about to be sent.
    pub(crate) fn begin(&self, method: &Method, url: &Url, headers: Headers, redirects: usize) {
        *self.lock() = HopState {
            method: method.clone(),
            url: without_secrets(url),
            redirects,
            headers,
            since: Instant::now(),
            answering: false,
        };
    }

    /// Tells an event without header fields.
    pub(crate) fn tell(&self, kind: EventKind<'_>) {
        let hop = self.lock().clone();
        for listener in &*self.listeners {
            self.hand_over(listener, &hop, kind.clone());
        }
    }

    fn hand_over(&self, listener: &Listener, hop: &HopState, kind: EventKind<'_>) {
        (listener.callback)(&Event {
            call: self.call,
            redirects: hop.redirects,
            method: &hop.method,
            url: &hop.url,
            elapsed: self.started.elapsed(),
            kind,
        });
    }

    /// Tells an event with header fields to each listener as it may see them.
    fn tell_with(&self, headers: &Headers, kind: impl Fn(&Headers) -> EventKind<'_>) {
        let hop = self.lock().clone();
        let hidden = headers.redacted();
        for listener in &*self.listeners {
            let shown = match listener.secrets {
                true => headers,
                false => &hidden,
            };
            self.hand_over(listener, &hop, kind(shown));
        }
    }

    /// A phase ends and the next begins: how long the one that ends took.
    fn step(&self) -> Duration {
        let mut hop = self.lock();
        let now = Instant::now();
        now - std::mem::replace(&mut hop.since, now)
    }

    pub(crate) fn acquired(&self, reused: bool) {
        let waited = self.step();
        self.tell(EventKind::Acquired { waited, reused });
    }

    pub(crate) fn resolved(&self, host: &str, addresses: &[SocketAddr]) {
        let took = self.step();
        self.tell(EventKind::Resolved {
            host,
            addresses,
            took,
        });
    }

    pub(crate) fn connected(&self, remote: Option<SocketAddr>) {
        let took = self.step();
        self.tell(EventKind::Connected { remote, took });
    }

    pub(crate) fn tunnelled(&self) {
        let took = self.step();
        self.tell(EventKind::Tunnelled { took });
    }

    #[cfg(feature = "tls")]
    pub(crate) fn secured(&self) {
        let took = self.step();
        self.tell(EventKind::Secured { took });
    }

    pub(crate) fn repeated(&self, error: &Error) {
        self.lock().answering = false;
        let _ = self.step();
        self.tell(EventKind::Repeated { error });
    }

    pub(crate) fn answered(&self, status: StatusCode, headers: &Headers) {
        let _ = self.step();
        self.tell_with(headers, |headers| EventKind::Answered { status, headers });
    }

    pub(crate) fn redirected(&self, status: StatusCode, to: &Url) {
        let to = &without_secrets(to);
        self.tell(EventKind::Redirected { status, to });
    }

    pub(crate) fn body_ended(&self) {
        let took = self.step();
        self.tell(EventKind::BodyEnd { took });
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.tell(EventKind::Failed { error });
    }

    fn sent(&self) {
        let took = self.step();
        let headers = self.lock().headers.clone();
        self.tell_with(&headers, |headers| EventKind::Sent { headers, took });
    }

    fn first_byte(&self) {
        if !std::mem::replace(&mut self.lock().answering, true) {
            let waited = self.step();
            self.tell(EventKind::FirstByte { waited });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HopState> {
        // Listeners run outside of the lock.
        self.hop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock {
    /// The whole request is on its way.
    pub(crate) fn request_sent(&mut self) {
        self.progress();
        if let Some(watch) = &self.watch {
            watch.sent();
        }
    }

    /// A part of the reply arrived.
    pub(crate) fn received(&mut self) {
        self.progress();
        if let Some(watch) = &self.watch {
            watch.first_byte();
        }
    }
}

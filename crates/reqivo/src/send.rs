//! The way of one call: connection, exchange, redirects.

use std::future::poll_fn;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::{self, Handle};
use tokio::time::Instant;
use url::Url;

use crate::body::{Body, Live};
use crate::content::ContentDecoder;
use crate::error::{Error, ErrorKind, Phase};
use crate::headers::Headers;
use crate::net::clock::Clock;
use crate::net::exchange::{Exchange, Failure};
use crate::outgoing::Outgoing;
use crate::pool::Lease;
use crate::proto::{BodyLength, Event, Head, Limits};
use crate::redirect;
use crate::request::Parts;
use crate::response::{Hop, Inner, Response};
use crate::session::{self, Session};

/// Sends a request, follows redirects, and returns when the head of the final response is there.
pub(crate) async fn send(session: &Session, mut parts: Box<Parts>) -> Result<Response, Error> {
    let session = &*session.0;
    let Ok(handle) = Handle::try_current() else {
        return Err(Error::builder(
            "called outside a tokio runtime; use the blocking face or enter a runtime",
        ));
    };
    let runtime = handle.id();
    drop(handle);
    let now = Instant::now();
    let timeouts = match parts.timeouts.take() {
        Some(timeouts) => *timeouts,
        None => session.timeouts.clone(),
    };
    let mut call = Call {
        session,
        runtime,
        clock: Clock::new(timeouts, now),
        idempotent: is_idempotent(&parts),
        session_headers: true,
        history: Vec::new(),
    };
    loop {
        let answer = match call.exchange(&parts).await {
            Ok(answer) => answer,
            Err(error) => return Err(call.about(error, &parts)),
        };
        let policy = parts.redirects.as_ref().unwrap_or(&session.redirects);
        match policy.target(&answer.head, &parts.url, call.history.len()) {
            Ok(None) => return call.finish(answer, parts),
            // Boxed: it would make every request's future larger.
            Ok(Some(target)) => parts = Box::pin(call.follow(answer, parts, target)).await?,
            Err(error) => return Err(call.about(error.with_sent(true), &parts)),
        }
    }
}

/// One call with all its hops.
struct Call<'a> {
    session: &'a session::Inner,
    runtime: runtime::Id,
    clock: Clock,
    /// Whether the call as a whole may be repeated, whatever method its redirects end with.
    idempotent: bool,
    /// Whether the session's own headers are still to be added.
    session_headers: bool,
    history: Vec<Hop>,
}

/// The head of a response with the exchange that its body belongs to.
struct Answer {
    head: Head,
    lease: Lease,
    exchange: Exchange,
}

impl Call<'_> {
    fn limits<'b>(&'b self, parts: &'b Parts) -> &'b Limits {
        parts.limits.as_deref().unwrap_or(&self.session.limits)
    }

    fn outgoing<'b>(&self, parts: &'b Parts) -> Outgoing<'b>
    where
        Self: 'b,
    {
        Outgoing {
            session: self.session_headers.then_some(&self.session.headers),
            parts,
        }
    }

    /// Says which request failed, and what that means for the call.
    fn about(&self, error: Error, parts: &Parts) -> Error {
        let error = error.with_request(&parts.method, &parts.url);
        // What was redirected was received.
        let sent = error.may_have_been_processed() || !self.history.is_empty();
        error.with_sent(sent).with_idempotent(self.idempotent)
    }

    /// One request and the head of its response.
    async fn exchange(&mut self, parts: &Parts) -> Result<Answer, Error> {
        let outgoing = self.outgoing(parts);
        let close_asked = outgoing.check()?;
        let now = match self.history.is_empty() {
            true => self.clock.started,
            false => Instant::now(),
        };
        let mut lease = self
            .session
            .pool
            .acquire(&parts.url, self.runtime, &self.clock, now)
            .await?;
        let mut may_repeat = true;
        let mut sent = false;
        loop {
            let mut reused = false;
            while let Some(conn) = lease.conn() {
                if conn.is_usable(&mut Context::from_waker(Waker::noop())) {
                    reused = true;
                    break;
                }
                lease.replace_dead(self.runtime, now);
            }
            if !reused {
                let connector = &self.session.connector;
                let connected = connector.connect(&parts.url, &self.clock).await;
                lease.put(connected.map_err(|error| error.with_sent(sent))?);
            }
            lease.begin();
            let Some(conn) = lease.conn() else {
                return Err(crate::body::lost());
            };
            let mut separate_body = Bytes::new();
            conn.start(|output| {
                outgoing.write(output);
                match &parts.body {
                    Some(body) if body.len() > COPIED_BODY => separate_body = body.clone(),
                    Some(body) => output.extend_from_slice(body),
                    None => {}
                }
            });
            let mut exchange = Exchange::new(
                &parts.method,
                separate_body,
                close_asked,
                self.limits(parts),
                &self.session.tolerance,
            )
            .telling(parts.on_interim.as_ref());
            let clock = &mut self.clock;
            let head = poll_fn(|cx| exchange.poll_head(conn, clock, cx)).await;
            match head {
                Ok(head) => {
                    return Ok(Answer {
                        head,
                        lease,
                        exchange,
                    });
                }
                Err(failure) => {
                    sent |= failure.sent;
                    if !(reused && may_repeat && is_stale(&failure, is_idempotent(parts))) {
                        return Err(failure.error.with_sent(sent));
                    }
                    // The server closed the kept connection before it saw the request.
                    tracing::debug!(error = %failure.error, "repeating on a fresh connection");
                    may_repeat = false;
                    self.clock.progress();
                    lease.close_failed();
                }
            }
        }
    }

    /// Makes the response, with its body if that is here already.
    fn finish(self, answer: Answer, parts: Box<Parts>) -> Result<Response, Error> {
        let Answer {
            mut head,
            mut lease,
            mut exchange,
        } = answer;
        let limits = self.limits(&parts).clone();
        let now = Instant::now();
        let elapsed = now - self.clock.started;
        let Some(conn) = lease.conn() else {
            return Err(crate::body::lost());
        };
        conn.keep_alive = keep_alive(&head.headers);
        let remote = conn.remote;
        let length = exchange.decoder.body_length();
        let content = match parts.raw_body || length == BodyLength::Empty {
            true => None,
            false => match ContentDecoder::of(&head.headers, &limits) {
                Ok(content) => content,
                Err(error) => return Err(self.about(error.with_sent(true), &parts)),
            },
        };
        let decoded = content.is_some();
        if decoded {
            let _ = head.headers.remove("content-encoding");
            let _ = head.headers.remove("content-length");
        }
        let whole = match (&content, exchange.decoder.known_left(), length) {
            (_, _, BodyLength::Empty) => Some(Bytes::new()),
            (None, Some(left), _)
                if left <= conn.input.len() as u64 && left <= limits.buffered_bytes =>
            {
                match exchange.decoder.decode(&mut conn.input) {
                    Ok(Some(Event::Data(data))) => Some(data),
                    _ => return Err(crate::body::lost()),
                }
            }
            _ => None,
        };
        let body = match whole {
            Some(body) => {
                // Only the end is left.
                let ended = matches!(
                    exchange.decoder.decode(&mut conn.input),
                    Ok(Some(Event::End))
                );
                let reusable = ended && exchange.is_reusable(conn);
                lease.end(reusable, now);
                Body::Whole(body)
            }
            None => Body::Live(Box::new(Live::new(
                lease, exchange, self.clock, content, limits,
            ))),
        };
        Ok(Response(Box::new(Inner {
            head,
            method: parts.method,
            url: parts.url,
            history: self.history,
            remote,
            elapsed,
            idempotent: self.idempotent,
            length,
            decoded,
            body,
            trailers: None,
        })))
    }

    /// Prepares the next hop and puts this one away.
    async fn follow(
        &mut self,
        answer: Answer,
        mut parts: Box<Parts>,
        target: Url,
    ) -> Result<Box<Parts>, Error> {
        let Answer {
            head,
            mut lease,
            exchange,
        } = answer;
        let policy = match &parts.redirects {
            Some(policy) => policy.clone(),
            None => self.session.redirects.clone(),
        };
        let remote = match lease.conn() {
            Some(conn) => conn.remote,
            None => return Err(crate::body::lost()),
        };
        let limits = self.limits(&parts).clone();
        let clock = self.clock.clone();
        Box::new(Live::new(lease, exchange, clock, None, limits))
            .drain()
            .await;
        let (method, keep_body) = policy.method(head.status(), &parts.method);
        let from = std::mem::replace(&mut parts.url, target);
        let before = std::mem::replace(&mut parts.method, method);
        tracing::debug!(
            status = head.status(),
            to = parts.url.host_str(),
            "following a redirect"
        );
        if std::mem::take(&mut self.session_headers) {
            let mut merged = self.session.headers.clone();
            for name in &parts.without {
                let _ = merged.remove(name);
            }
            merged.overlay(&parts.headers);
            parts.headers = merged;
        }
        if !keep_body {
            parts.body = None;
            parts.content_type = None;
            redirect::drop_body_fields(&mut parts.headers);
        }
        policy.clean(&mut parts.headers, &from, &parts.url);
        let status = http::StatusCode::from_u16(head.status()).unwrap_or_default();
        self.history.push(Hop {
            head,
            method: before,
            url: from,
            remote,
        });
        let same = |url: &Url| {
            let (mut a, mut b) = (url.clone(), parts.url.clone());
            a.set_fragment(None);
            b.set_fragment(None);
            a == b
        };
        if self
            .history
            .iter()
            .any(|hop| hop.method == parts.method && same(&hop.url))
        {
            let error = Error::new(ErrorKind::Redirect, Phase::Redirect)
                .with_message("redirect loop")
                .with_status(status);
            return Err(self.about(error, &parts));
        }
        Ok(parts)
    }
}

/// Whether this request may be sent twice.
fn is_idempotent(parts: &Parts) -> bool {
    parts
        .idempotent
        .unwrap_or_else(|| parts.method.is_idempotent())
}

/// Whether a failure on a kept connection means that the server had closed it.
fn is_stale(failure: &Failure, idempotent: bool) -> bool {
    failure.broken && !failure.answered && (idempotent || !failure.sent)
}

/// The idle time that the server announced, less a second for the way of the next request.
fn keep_alive(headers: &Headers) -> Option<Duration> {
    let value = headers.get_bytes("keep-alive")?;
    crate::proto::list(value).find_map(|parameter| {
        let (name, seconds) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
        let seconds: u64 = seconds.trim().trim_matches('"').parse().ok()?;
        name.trim()
            .eq_ignore_ascii_case("timeout")
            .then(|| Duration::from_secs(seconds.saturating_sub(1)))
    })
}

/// Bodies up to this size are copied behind the head, so that one write sends both.
const COPIED_BODY: usize = 16 * 1024;

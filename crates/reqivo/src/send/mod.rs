//! The way of one call: connection, exchange, redirects.

mod chain;
mod finish;
mod follow;
mod hop;
mod upload;

use http::StatusCode;
use tokio::runtime::{self, Handle};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use crate::error::Error;
use crate::events::Watch;
use crate::net::clock::Clock;
use crate::net::exchange::Exchange;
use crate::net::route::Via;
use crate::outgoing::Outgoing;
use crate::pool::Lease;
use crate::proto::{Head, Limits};
use crate::request::Parts;
use crate::response::{Hop, Response};
use crate::session::{self, Session};

/// Sends a request, follows redirects, and returns when the head of the final response is there.
pub(crate) async fn send(session: &Session, parts: Box<Parts>) -> Result<Response, Error> {
    let session = &*session.0;
    if let Some(span) = span(&parts) {
        // Boxed: it would make every request's future larger.
        return Box::pin(traced(session, parts, span)).await;
    }
    call(session, parts).await
}

/// The span of a call, if anybody looks at it.
fn span(parts: &Parts) -> Option<Span> {
    let span = tracing::debug_span!(
        "request",
        method = parts.method.as_str(),
        host = parts.url.host_str(),
        status = field::Empty,
        attempts = field::Empty,
        error = field::Empty,
    );
    (!span.is_disabled()).then_some(span)
}

async fn traced(
    session: &session::Inner,
    parts: Box<Parts>,
    span: Span,
) -> Result<Response, Error> {
    let outcome = call(session, parts).instrument(span.clone()).await;
    match &outcome {
        Ok(response) => span.record("status", response.status().as_u16()),
        Err(error) => span.record("error", error.kind().as_str()),
    };
    outcome
}

async fn call(session: &session::Inner, mut parts: Box<Parts>) -> Result<Response, Error> {
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
    let number = session.counters.call();
    if !session.listeners.is_empty() {
        let (method, url) = (&parts.method, &parts.url);
        let watch = Watch::new(&session.listeners, number, now, method, url);
        call.clock.watch = Some(watch);
    }
    loop {
        let answer = match session.middleware.is_empty() {
            true => call.exchange(&parts).await,
            false => call.through_middleware(&mut parts).await,
        };
        let answer = match answer {
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
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) lease: Lease,
    pub(crate) exchange: Exchange,
}

impl Call<'_> {
    fn limits<'b>(&'b self, parts: &'b Parts) -> &'b Limits {
        parts.limits.as_deref().unwrap_or(&self.session.limits)
    }

    fn outgoing<'b>(&self, parts: &'b Parts, proxy: Option<&'b Via>) -> Outgoing<'b>
    where
        Self: 'b,
    {
        Outgoing {
            session: self.session_headers.then_some(&self.session.headers),
            parts,
            proxy: proxy.and_then(|via| via.reading_proxy(parts.url.scheme())),
        }
    }

    /// Says which request failed, and what that means for the call.
    fn about(&self, error: Error, parts: &Parts) -> Error {
        let error = error.with_request(&parts.method, &parts.url);
        // What was redirected was received.
        let sent = error.may_have_been_processed() || !self.history.is_empty();
        let error = error.with_sent(sent).with_idempotent(self.idempotent);
        self.session.counters.error(error.kind());
        if let Some(watch) = &self.clock.watch {
            watch.failed(&error);
        }
        error
    }
}

fn status_of(head: &Head) -> StatusCode {
    // The parser lets 100 to 999 pass, which is what the type holds.
    StatusCode::from_u16(head.status()).unwrap_or_default()
}

/// Whether this request may be sent twice.
fn is_idempotent(parts: &Parts) -> bool {
    parts
        .idempotent
        .unwrap_or_else(|| parts.method.is_idempotent())
}

//! The way of one call: connection, exchange, redirects.

mod chain;
mod finish;
mod follow;
mod hop;
mod prepare;
mod upload;

use http::StatusCode;
use tokio::runtime::{self, Handle};
use tokio::time::Instant;
use tracing::{Instrument, Span, field};

use self::follow::Step;
use crate::cookie_store;
use crate::error::Error;
use crate::events::Watch;
use crate::history::Hop;
use crate::net::clock::Clock;
use crate::net::exchange::Exchange;
use crate::net::route::Via;
use crate::outgoing::Outgoing;
use crate::pool::Lease;
use crate::proto::{Head, Limits};
use crate::request::Parts;
use crate::request_body::Body;
use crate::response::Response;
use crate::session::{self, Session};

#[cfg(feature = "blocking")]
pub(crate) use self::prepare::{Prepared, after_response};

/// Sends a request, follows redirects, and returns when the head of the final response is there.
pub(crate) async fn send(session: &Session, parts: Box<Parts>) -> Result<Response, Error> {
    match session.0.changeable.snapshot() {
        None => transmit(&session.0, parts).await,
        // Boxed: it would make every request's future larger.
        Some(setup) => Box::pin(prepare::send(session, parts, setup)).await,
    }
}

async fn transmit(session: &session::Inner, parts: Box<Parts>) -> Result<Response, Error> {
    if let Some(span) = span(&parts) {
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
        session_headers: !parts.merged,
        history: Vec::new(),
    };
    let number = session.counters.call();
    if !session.listeners.is_empty() {
        let (method, url) = (&parts.method, &parts.url);
        let watch = Watch::new(&session.listeners, number, now, method, url);
        call.clock.watch = Some(watch);
    }
    let keeps_cookies = session.cookies.is_on() && !parts.without_cookies;
    loop {
        let adds = keeps_cookies && session.cookies.has_any();
        if adds || parts.auth.is_some() || parts.added.is_some() {
            call.add_fields(&mut parts);
        }
        let answer = match session.middleware.is_empty() {
            true => call.exchange(&parts).await,
            false => call.through_middleware(&mut parts).await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(call.about(error, &parts)),
        };
        if keeps_cookies {
            session.cookies.take(&parts.url, &answer.head.headers);
        }
        let status = answer.head.status();
        if status == 401 && answers_challenge(&mut parts, &answer.head) {
            Box::pin(call.put_away(answer, &parts)).await;
            continue;
        }
        let policy = parts.redirects.as_ref().unwrap_or(&session.redirects);
        if !policy.concerns(status) {
            return counted(session, call.finish(answer, parts));
        }
        // Boxed: it would make every request's future larger.
        let step = Box::pin(call.follow(answer, parts)).await?;
        match step {
            Step::Next(next) => parts = next,
            Step::Final(answer, parts) => return counted(session, call.finish(answer, parts)),
            Step::Refused(error, answer, parts) => {
                return Err(Box::pin(call.refuse(error, answer, parts)).await);
            }
        }
    }
}

fn counted(session: &session::Inner, outcome: Result<Response, Error>) -> Result<Response, Error> {
    if let Ok(response) = &outcome {
        session.counters.response(response.status().as_u16());
    }
    outcome
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
    pub(crate) exchange: Box<Exchange>,
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
            written: &self.session.written,
            parts,
            proxy: proxy.and_then(|via| via.reading_proxy(parts.url.scheme())),
        }
    }

    /// Adds the credentials and the cookies of the session for the next hop.
    fn add_fields(&self, parts: &mut Parts) {
        parts.added = None;
        if let Some(auth) = &mut parts.auth
            && let Some(value) = auth.value(&parts.method, &parts.url)
        {
            let added = parts.added.get_or_insert_default();
            // It was checked.
            drop(added.append_sensitive("Authorization", value));
        }
        let cookies = match parts.without_cookies || parts.leaves_out("cookie") {
            true => None,
            false => self.session.cookies.value(&parts.url),
        };
        parts.cookie_mark = 0;
        let Some(cookies) = cookies else { return };
        parts.cookie_mark = cookie_store::mark(&cookies);
        let own = self.session_headers && !parts.headers.has(b"cookie");
        let given = match own {
            true => &self.session.headers,
            false => &parts.headers,
        };
        let cookies = cookie_store::merged(given.get_all("cookie"), &cookies);
        let added = parts.added.get_or_insert_default();
        drop(added.append_sensitive("Cookie", cookies));
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

/// Whether the credentials of the session answer a challenge, so that the request is sent again.
fn answers_challenge(parts: &mut Parts, head: &Head) -> bool {
    let can_repeat = parts.body.as_ref().is_none_or(Body::can_be_opened);
    match &mut parts.auth {
        Some(auth) if can_repeat => auth.answer(&parts.method, &parts.url, &head.headers),
        _ => false,
    }
}

/// Whether this request may be sent twice.
fn is_idempotent(parts: &Parts) -> bool {
    parts
        .idempotent
        .unwrap_or_else(|| parts.method.is_idempotent())
}

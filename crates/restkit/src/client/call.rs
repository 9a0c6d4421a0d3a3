//! One call: credentials, rate limits, attempts.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use tokio::sync::SemaphorePermit;
use tracing::{Instrument as _, debug, field};
use url::{Host, Url};

use super::{AuthContext, Shared, View, seconds};
use crate::clock::within;
use crate::credentials::{Credentials, Ticket};
use crate::error::{Error, ErrorDecoder as _, ErrorKind, JsonErrorDecoder};
use crate::request::Request;
use crate::response::Response;
use crate::retry::{Verdict, verdict};
use crate::transport::{Attempt, Sent, TransportError, TransportErrorKind};
use crate::{interrupted, masking};

/// A request as it is ready to go, apart from its authorization.
pub(super) struct Prepared {
    pub(super) http: http::Request<Bytes>,
    pub(super) url: Url,
    pub(super) authorize: bool,
}

/// Checks and completes a request.
pub(super) fn prepare(shared: &Shared, view: &View, request: &Request) -> Result<Prepared, Error> {
    let url = request.url(view.base.as_ref())?;
    let mut http = request.to_http_at(&url)?;
    for (name, value) in &view.headers {
        http.headers_mut().entry(name).or_insert(value.clone());
    }
    let authorize = shared.credentials.is_some() && request.wants_credentials();
    if authorize && !allowed(shared, view, &url) {
        return Err(Error::configuration(format!(
            "the credentials may not go to {}; allow that origin, or send the request without credentials",
            url.origin().ascii_serialization()
        )));
    }
    Ok(Prepared {
        http,
        url,
        authorize,
    })
}

/// Runs a call from start to end. `own_service` is false for token requests, which are no calls to
/// the service itself and so do not count against its quotas.
pub(super) async fn run(
    shared: &Arc<Shared>,
    view: &View,
    request: &Request,
    own_service: bool,
) -> Result<Response, Error> {
    let started = shared.clock.now();
    interrupted::forget();
    let prepared = prepare(shared, view, request)?;
    let shown = masking::url(&prepared.url);
    let span = tracing::debug_span!(
        "request",
        method = %request.method(),
        url = %shown,
        operation = request.operation_name(),
        status = field::Empty,
        attempts = field::Empty,
    );
    let mut call = Call {
        shared,
        view,
        request,
        prepared,
        shown,
        started,
        deadline: request
            .timeout()
            .or_else(|| view.retry.overall_limit())
            .and_then(|limit| started.checked_add(limit)),
        own_service,
        attempts: 0,
        retries: 0,
        renewed: false,
        in_flight: false,
        secrets: masking::Secrets::default(),
    };
    let outcome = call.drive().instrument(span.clone()).await;
    span.record("attempts", call.attempts);
    let outcome = outcome.map_err(|error| call.explain(error));
    let status = match &outcome {
        Ok(response) => Some(response.status),
        Err(error) => error.status(),
    };
    if let Some(status) = status {
        span.record("status", status.as_u16());
    }
    outcome
}

struct Call<'a> {
    shared: &'a Arc<Shared>,
    view: &'a View,
    request: &'a Request,
    prepared: Prepared,
    shown: String,
    started: Instant,
    deadline: Option<Instant>,
    own_service: bool,
    attempts: u32,
    retries: u32,
    renewed: bool,
    /// The request is with the transport.
    in_flight: bool,
    /// The secrets of the last attempt, which a careless service may echo.
    secrets: masking::Secrets,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.in_flight && !self.may_repeat() {
            interrupted::leave(
                self.request.method(),
                &self.shown,
                self.request.operation_name(),
                self.attempts,
                self.elapsed(),
            );
        }
    }
}

/// What follows from one attempt.
enum Next {
    Done(Response),
    /// The credentials were renewed: try again at once.
    Again,
    /// Send again after a delay; if that is not possible, the error is the outcome.
    Retry {
        delay: Duration,
        error: Error,
    },
    Fail(Error),
}

impl<'a> Call<'a> {
    async fn drive(&mut self) -> Result<Response, Error> {
        let _permit = self.permit().await?;
        loop {
            let authorized_at = self.shared.clock.now();
            let (mut http, mut ticket) = self.authorized().await?;
            self.turn().await?;
            if self
                .shared
                .clock
                .now()
                .saturating_duration_since(authorized_at)
                > STALE
            {
                (http, ticket) = self.authorized().await?;
            }
            if self.remaining().is_some_and(|left| left.is_zero()) {
                return Err(self.out_of_time("getting ready to send"));
            }
            self.attempts += 1;
            self.secrets = masking::Secrets::of(&http);
            self.in_flight = true;
            let outcome = self.attempt(http).await;
            self.in_flight = false;
            let next = match outcome {
                Ok(response) => self.judge_response(response, ticket),
                Err(error) => self.judge_failure(error),
            };
            match next {
                Next::Done(response) => return Ok(response),
                Next::Again => self.renewed = true,
                Next::Fail(error) => return Err(error),
                Next::Retry { delay, error } => {
                    // A wait that ends after the deadline would only delay the bad news.
                    if self.remaining().is_some_and(|left| delay >= left) {
                        return Err(error);
                    }
                    self.retries += 1;
                    debug!(retry = self.retries, delay_ms = delay.as_millis(), cause = %error, "sending again");
                    self.shared.clock.sleep(delay).await;
                }
            }
        }
    }

    /// Waits for a place among the calls that may be under way at once.
    async fn permit(&self) -> Result<Option<SemaphorePermit<'a>>, Error> {
        let shared: &'a Shared = self.shared;
        let Some(semaphore) = shared.concurrency.as_ref().filter(|_| self.own_service) else {
            return Ok(None);
        };
        match within(&*self.shared.clock, self.remaining(), semaphore.acquire()).await {
            // The semaphore is never closed.
            Some(permit) => Ok(permit.ok()),
            None => Err(self.out_of_time("waiting for other calls to end")),
        }
    }

    async fn authorized(&self) -> Result<(http::Request<Bytes>, Option<Ticket>), Error> {
        let mut http = self.prepared.http.clone();
        let Some(credentials) = self.credentials() else {
            return Ok((http, None));
        };
        let context = AuthContext {
            shared: Arc::clone(self.shared),
        };
        let authorized = credentials.authorize(&mut http, &context);
        let outcome = within(&*self.shared.clock, self.remaining(), authorized).await;
        match outcome {
            Some(ticket) => ticket.map(|ticket| (http, Some(ticket))),
            None => Err(self.out_of_time("waiting for a token")),
        }
    }

    /// Waits for the rate limits.
    async fn turn(&self) -> Result<(), Error> {
        if !self.own_service {
            return Ok(());
        }
        let limiter = &self.shared.limiter;
        let quotas = limiter.on_loopback || !is_loopback(&self.prepared.url);
        let turn = limiter
            .limiter
            .acquire(&*self.shared.clock, quotas, self.deadline)
            .await;
        turn.map_err(|too_long| {
            let wait = seconds(too_long.wait);
            if too_long.held {
                Error::custom(
                    ErrorKind::RateLimited,
                    format!("the service asked for no request within {wait}, which is beyond the call's time limit"),
                )
                .with_retry_after(Some(too_long.wait))
            } else {
                self.out_of_time(&format!("waiting {wait} for the client's own rate limit"))
            }
        })
    }

    async fn attempt(
        &self,
        http: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let own = self
            .request
            .attempt_timeout()
            .or_else(|| self.view.retry.attempt_limit());
        let timeout = match (own, self.remaining()) {
            (Some(own), Some(left)) => Some(own.min(left)),
            (own, left) => own.or(left),
        };
        let attempt = Attempt {
            number: self.attempts,
            timeout,
            max_body: self.shared.max_body,
            may_repeat: self.may_repeat(),
        };
        self.shared.used.store(true, Ordering::Relaxed);
        let transport = &self.shared.transport;
        let execute = transport.execute(http, attempt);
        if transport.enforces_timeout() {
            return execute.await;
        }
        match within(&*self.shared.clock, timeout, execute).await {
            Some(outcome) => outcome,
            None => Err(TransportError::new(
                TransportErrorKind::Timeout,
                Sent::Maybe,
            )),
        }
    }

    fn judge_response(&self, response: http::Response<Bytes>, ticket: Option<Ticket>) -> Next {
        let shared = self.shared;
        let status = response.status();
        let policy = &self.view.retry;
        let asked = policy.retry_after(response.headers(), shared.clock.calendar());
        match verdict(status) {
            Verdict::Success => {
                shared.purse.give();
                Next::Done(self.response(response))
            }
            Verdict::Final if status == StatusCode::NOT_MODIFIED && self.is_conditional() => {
                shared.purse.give();
                Next::Done(self.response(response))
            }
            Verdict::Final => Next::Fail(self.refused(kind_of(status), &response, asked)),
            Verdict::Unauthenticated => {
                let Some((credentials, ticket)) = self.credentials().zip(ticket) else {
                    return Next::Fail(self.refused(
                        ErrorKind::InvalidCredentials,
                        &response,
                        asked,
                    ));
                };
                match (credentials.rejected(ticket), self.renewed) {
                    (true, false) => Next::Again,
                    (true, true) => {
                        Next::Fail(self.refused(ErrorKind::TokenExpired, &response, asked))
                    }
                    (false, _) => {
                        Next::Fail(self.refused(ErrorKind::InvalidCredentials, &response, asked))
                    }
                }
            }
            Verdict::RateLimited => {
                let delay = asked.unwrap_or_else(|| policy.delay(self.retries + 1, &shared.jitter));
                if self.own_service {
                    shared.limiter.limiter.hold(shared.clock.now(), delay);
                }
                let error = self.refused(ErrorKind::RateLimited, &response, asked);
                if policy.retries_rate_limits() && self.retries < policy.retries() {
                    Next::Retry { delay, error }
                } else {
                    Next::Fail(error)
                }
            }
            Verdict::Unclear if !self.may_repeat() => {
                Next::Fail(self.refused(ErrorKind::UnclearWrite, &response, asked))
            }
            Verdict::Unclear => {
                let error = self.refused(kind_of(status), &response, asked);
                self.retry(asked, error)
            }
        }
    }

    fn judge_failure(&self, failure: TransportError) -> Next {
        let kind = failure.kind();
        let sent = failure.sent();
        let unclear = sent == Sent::Maybe && !self.may_repeat();
        let error = Error::new(match kind {
            _ if unclear => ErrorKind::UnclearWrite,
            TransportErrorKind::Timeout => ErrorKind::Timeout,
            TransportErrorKind::Tls => ErrorKind::Tls,
            TransportErrorKind::Request => ErrorKind::Configuration,
            TransportErrorKind::Connect
            | TransportErrorKind::Closed
            | TransportErrorKind::Protocol
            | TransportErrorKind::TooLarge
            | TransportErrorKind::Runtime => ErrorKind::Connection,
        })
        .with_text(if unclear {
            format!("the change may or may not have been applied: {failure}")
        } else {
            failure.to_string()
        });
        let error = match failure.into_source() {
            Some(source) => error.with_source(source),
            None => error,
        };
        let hopeless = matches!(
            kind,
            TransportErrorKind::Tls
                | TransportErrorKind::Request
                | TransportErrorKind::TooLarge
                | TransportErrorKind::Runtime
        );
        if unclear || hopeless {
            Next::Fail(error)
        } else {
            self.retry(None, error)
        }
    }

    /// Retries if there are retries left, of this call and of the shared budget.
    fn retry(&self, asked: Option<Duration>, error: Error) -> Next {
        let policy = &self.view.retry;
        if self.retries >= policy.retries() || !self.shared.purse.take() {
            return Next::Fail(error);
        }
        let delay = asked.unwrap_or_else(|| policy.delay(self.retries + 1, &self.shared.jitter));
        Next::Retry { delay, error }
    }

    fn response(&self, response: http::Response<Bytes>) -> Response {
        let (head, body) = response.into_parts();
        Response {
            status: head.status,
            headers: head.headers,
            body,
            method: self.request.method().clone(),
            url: self.shown.clone(),
            operation: self.request.operation_name().map(str::to_owned),
            attempts: self.attempts,
            elapsed: self.elapsed(),
        }
    }

    /// Makes the error for a status that is not a success.
    fn refused(
        &self,
        kind: ErrorKind,
        response: &http::Response<Bytes>,
        retry_after: Option<Duration>,
    ) -> Error {
        let status = response.status();
        let body = &*self.secrets.hidden(response.body());
        let mut details = if self.own_service {
            self.shared.decoder.decode(status, response.headers(), body)
        } else {
            JsonErrorDecoder.decode(status, response.headers(), body)
        };
        if details.message.is_none() {
            details.message = plain_message(response.headers(), body, status);
        }
        let kind = match details.kind {
            // What the vendor says about the kind does not make an unclear write clear.
            Some(vendor) if kind != ErrorKind::UnclearWrite => vendor,
            _ => kind,
        };
        Error::new(kind)
            .with_status(status)
            .with_details(details)
            .with_retry_after(retry_after)
            .with_body(body)
    }

    fn explain(&self, error: Error) -> Error {
        error
            .with_request(
                self.request.method(),
                &self.shown,
                self.request.operation_name(),
            )
            .with_effort(self.attempts, self.elapsed())
    }

    fn out_of_time(&self, doing: &str) -> Error {
        Error::custom(ErrorKind::Timeout, format!("time ran out while {doing}"))
    }

    fn credentials(&self) -> Option<&dyn Credentials> {
        self.shared
            .credentials
            .as_deref()
            .filter(|_| self.prepared.authorize)
    }

    fn may_repeat(&self) -> bool {
        self.request.declared_idempotency().may_repeat()
    }

    fn is_conditional(&self) -> bool {
        let headers = self.prepared.http.headers();
        headers.contains_key(IF_NONE_MATCH) || headers.contains_key(IF_MODIFIED_SINCE)
    }

    fn elapsed(&self) -> Duration {
        self.shared
            .clock
            .now()
            .saturating_duration_since(self.started)
    }

    fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(self.shared.clock.now()))
    }
}

/// After a wait this long the token may be about to expire.
const STALE: Duration = Duration::from_secs(60);

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        400 | 422 => ErrorKind::Validation,
        401 => ErrorKind::InvalidCredentials,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Timeout,
        409 | 412 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::Api,
    }
}

/// Returns a message for a body that the decoder found none in: its start, unless it is JSON.
fn plain_message(headers: &HeaderMap, body: &[u8], status: StatusCode) -> Option<String> {
    if status.is_redirection() {
        return Some(match headers.get(http::header::LOCATION) {
            Some(_) => "redirects are not followed".to_owned(),
            None => "a redirect without a target".to_owned(),
        });
    }
    let is_json = body.first().is_some_and(|byte| matches!(byte, b'{' | b'['));
    if body.is_empty() || is_json {
        return status.canonical_reason().map(str::to_lowercase);
    }
    Some(masking::snippet(body))
}

fn allowed(shared: &Shared, view: &View, url: &Url) -> bool {
    let origin = url.origin();
    let of_base = view
        .base
        .as_ref()
        .is_some_and(|base| base.origin() == origin);
    of_base || shared.origins.contains(&origin)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised_in_all_its_forms() {
        for yes in [
            "http://localhost:1",
            "http://a.localhost",
            "http://127.8.9.1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(&Url::parse(yes).unwrap()), "{yes}");
        }
        for no in [
            "http://example.com",
            "http://localhost.example",
            "http://10.0.0.1",
            "http://[::2]",
        ] {
            assert!(!is_loopback(&Url::parse(no).unwrap()), "{no}");
        }
    }
}

use std::future::poll_fn;

use bytes::Bytes;
use tokio::time::Instant;

use super::upload::{framing, give_back, prepare};
use super::{Answer, Call, is_idempotent, status_of};
use crate::error::Error;
use crate::net::exchange::{Exchange, Failure};
use crate::net::route::Via;
use crate::pool::Lease;
use crate::request::Parts;
use crate::request_body::Body;

impl Call<'_> {
    /// One request and the head of its response.
    pub(super) async fn exchange(&mut self, parts: &Parts) -> Result<Answer, Error> {
        let connector = &self.session.connector;
        let lent = self.lend(parts)?;
        let proxy = match (&lent, &parts.via) {
            (Some((_, proxy)), _) => proxy.clone(),
            (None, Some(_)) => None,
            (None, None) => connector.proxy(&parts.url, parts.proxies.as_ref())?,
        };
        let outgoing = self.outgoing(parts, proxy.as_ref());
        let (mut upload, mut checked) = prepare(outgoing, parts, &self.clock).await?;
        let now = match self.history.is_empty() {
            true => self.clock.started,
            false => Instant::now(),
        };
        if let Some(watch) = &self.clock.watch {
            let redirects = self.history.len();
            watch.begin(&parts.method, &parts.url, self.merged(parts), redirects);
        }
        let route = connector.route(&parts.url, parts.via.as_ref().or(proxy.as_ref()))?;
        let mut lease = match lent {
            Some((lease, _)) => lease,
            None => {
                let pool = &self.session.pool;
                pool.acquire(&route, self.runtime, &self.clock, now).await?
            }
        };
        let mut may_repeat = !lease.is_lent();
        let mut sent = false;
        loop {
            let reused = lease.is_lent() || lease.find_usable(self.runtime, now);
            if let Some(watch) = &self.clock.watch {
                watch.acquired(reused);
            }
            if !reused {
                let connected = connector.connect(route, &self.clock).await;
                lease.put(connected.map_err(|error| error.with_sent(sent))?);
            }
            lease.begin();
            let Some(conn) = lease.conn() else {
                return Err(crate::incoming::lost());
            };
            let mut separate_body = Bytes::new();
            conn.start(|output| {
                outgoing.write(output, framing(upload.as_deref(), parts.body.as_ref()));
                if upload.is_none()
                    && let Some(body) = parts.body.as_ref().and_then(Body::whole)
                {
                    match body.len() > COPIED_BODY {
                        true => separate_body = body.clone(),
                        false => output.extend_from_slice(body),
                    }
                }
            });
            let mut exchange = Exchange::new(
                &parts.method,
                separate_body,
                checked.close,
                self.limits(parts),
                &self.session.tolerance,
            )
            .boxed(conn);
            exchange.tell(parts.on_interim.as_ref());
            exchange.upload(upload.take());
            let clock = &mut self.clock;
            let head = poll_fn(|cx| exchange.poll_head(conn, clock, cx)).await;
            match head {
                Ok(head) => {
                    if let Some(watch) = &self.clock.watch {
                        watch.answered(status_of(&head), &head.headers);
                    }
                    give_back(&mut exchange, parts);
                    return Ok(Answer {
                        head,
                        lease,
                        exchange,
                    });
                }
                Err(failure) => {
                    sent |= failure.sent;
                    exchange.stop_sending(None);
                    give_back(&mut exchange, parts);
                    let whole = parts.body.as_ref().is_none_or(Body::can_be_opened);
                    if !(reused && may_repeat && whole && is_stale(&failure, is_idempotent(parts)))
                    {
                        return Err(failure.error.with_sent(sent));
                    }
                    // The server closed the kept connection before it saw the request.
                    tracing::debug!(error = %failure.error, "repeating on a fresh connection");
                    tracing::Span::current().record("attempts", 2);
                    self.session.counters.repeat();
                    if let Some(watch) = &self.clock.watch {
                        watch.repeated(&failure.error);
                    }
                    may_repeat = false;
                    self.clock.progress();
                    lease.close_failed();
                    (upload, checked) = prepare(outgoing, parts, &self.clock)
                        .await
                        .map_err(|error| error.with_sent(sent))?;
                }
            }
        }
    }
}

impl Call<'_> {
    /// The connection that the caller chose, with the proxy it leads through, if it leads to this URL.
    fn lend(&self, parts: &Parts) -> Result<Option<(Lease, Option<Via>)>, Error> {
        let Some(slot) = &parts.connection else {
            return Ok(None);
        };
        if !slot.leads_to(&parts.url) {
            return Ok(None);
        }
        match slot.lend(self.runtime) {
            Ok(lease) => Ok(Some((lease, slot.proxy().cloned()))),
            // The redirect that led here may have ended it.
            Err(error) if self.history.is_empty() => Err(error),
            Err(_) => Ok(None),
        }
    }
}

/// Whether a failure on a kept connection means that the server had closed it.
fn is_stale(failure: &Failure, idempotent: bool) -> bool {
    failure.broken && !failure.answered && (idempotent || !failure.sent)
}

/// Bodies up to this size are copied behind the head, so that one write sends both.
const COPIED_BODY: usize = 16 * 1024;

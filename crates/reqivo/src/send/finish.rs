use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Answer, Call};
use crate::content::ContentDecoder;
use crate::error::Error;
use crate::headers::Headers;
use crate::incoming::{Incoming, Live};
use crate::proto::{BodyLength, Event};
use crate::request::Parts;
use crate::response::{Inner, Response};

impl Call<'_> {
    /// Makes the response, with its body if that is here already.
    pub(super) fn finish(self, answer: Answer, parts: Box<Parts>) -> Result<Response, Error> {
        let Answer {
            mut head,
            mut lease,
            mut exchange,
        } = answer;
        let limits = self.limits(&parts);
        let now = Instant::now();
        let elapsed = now - self.clock.started;
        let Some(conn) = lease.conn() else {
            return Err(crate::incoming::lost());
        };
        conn.keep_alive = keep_alive(&head.headers);
        let remote = conn.remote;
        #[cfg(feature = "tls")]
        let tls = conn.tls.clone();
        let length = exchange.decoder.body_length();
        // A part of a coded body means nothing without the others.
        let as_it_is = parts.raw_body || length == BodyLength::Empty || head.status() == 206;
        let content = match as_it_is {
            true => None,
            false => match ContentDecoder::new(&head.headers, limits) {
                Ok(content) => content,
                Err(error) => return Err(self.about(error.with_sent(true), &parts)),
            },
        };
        let mut coding = None;
        if content.is_some() {
            coding = head.headers.get("content-encoding").map(Box::from);
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
                    _ => return Err(crate::incoming::lost()),
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
                exchange.retire(conn);
                lease.end(reusable, now);
                if let Some(watch) = &self.clock.watch {
                    watch.body_ended();
                }
                Incoming::whole(body)
            }
            None => {
                let limits = limits.clone();
                let live = Live::new(lease, exchange, self.clock, content, limits);
                Incoming::live(live.counted(&self.session.counters))
            }
        };
        Ok(Response(Box::new(Inner {
            head,
            method: parts.method,
            url: parts.url,
            history: self.history,
            remote,
            #[cfg(feature = "tls")]
            tls,
            elapsed,
            idempotent: self.idempotent,
            length,
            coding,
            body,
        })))
    }
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

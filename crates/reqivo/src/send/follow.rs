use url::Url;

use super::{Answer, Call, status_of};
use crate::error::{Error, RedirectProblem};
use crate::incoming::Live;
use crate::redirect;
use crate::request::Parts;
use crate::request_body::Body;
use crate::response::Hop;

impl Call<'_> {
    /// Prepares the next hop and puts this one away.
    pub(super) async fn follow(
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
        let (method, keep_body) = policy.method(head.status(), &parts.method);
        if keep_body && !parts.body.as_ref().is_none_or(Body::can_be_opened) {
            let status = http::StatusCode::from_u16(head.status()).unwrap_or_default();
            let problem = RedirectProblem::BodyNotReplayable;
            let error = Error::redirect(problem, "the body cannot be replayed", status);
            return Err(self.about(error.with_sent(true), &parts));
        }
        let remote = match lease.conn() {
            Some(conn) => conn.remote,
            None => return Err(crate::incoming::lost()),
        };
        let limits = self.limits(&parts).clone();
        let clock = self.clock.clone();
        Box::new(Live::new(lease, exchange, clock, None, limits))
            .drain()
            .await;
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
            parts.expect = None;
            redirect::drop_body_fields(&mut parts.headers);
        }
        policy.clean(&mut parts.headers, &from, &parts.url);
        let status = status_of(&head);
        self.session.counters.redirect();
        if let Some(watch) = &self.clock.watch {
            watch.redirected(status, &parts.url);
        }
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
            let error = Error::redirect(RedirectProblem::Loop, "redirect loop", status);
            return Err(self.about(error, &parts));
        }
        Ok(parts)
    }
}

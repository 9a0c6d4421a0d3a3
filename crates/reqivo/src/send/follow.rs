use url::Url;

use super::{Answer, Call, status_of};
use crate::cookie_store;
use crate::error::{Error, RedirectProblem};
use crate::history::Hop;
use crate::incoming::Live;
use crate::redirect::{self, RedirectAction, RedirectAttempt, RedirectPolicy};
use crate::request::Parts;
use crate::request_body::Body;

/// How a call goes on after a response that redirects.
pub(super) enum Step {
    /// With another request.
    Next(Box<Parts>),
    /// The response is the final one.
    Final(Answer, Box<Parts>),
    /// The redirect is refused.
    Refused(Error, Answer, Box<Parts>),
}

impl Call<'_> {
    /// Decides about a redirect, prepares the next hop and puts this one away.
    pub(super) async fn follow(
        &mut self,
        mut answer: Answer,
        mut parts: Box<Parts>,
    ) -> Result<Step, Error> {
        let policy = match &parts.redirects {
            Some(policy) => policy.clone(),
            None => self.session.redirects.clone(),
        };
        let target = match policy.target(&answer.head, &parts.url, self.history.len()) {
            Ok(Some(target)) => target,
            Ok(None) => return Ok(Step::Final(answer, parts)),
            Err(error) => return Ok(Step::Refused(error, answer, parts)),
        };
        let status = status_of(&answer.head);
        let (method, keep_body) = policy.method(answer.head.status(), &parts.method);
        let refused = |problem, message| Error::redirect(problem, message, status);
        if keep_body && !parts.body.as_ref().is_none_or(Body::can_be_opened) {
            let problem = RedirectProblem::BodyNotReplayable;
            let error = refused(problem, "the body cannot be replayed");
            return Ok(Step::Refused(error, answer, parts));
        }
        let remote = match answer.lease.conn() {
            Some(conn) => conn.remote,
            None => return Err(crate::incoming::lost()),
        };
        self.history.push(Hop::new(
            answer.head.clone(),
            parts.method.clone(),
            parts.url.clone(),
            remote,
            &self.history,
            parts.cookie_mark,
        ));
        let attempt = RedirectAttempt {
            method: &method,
            url: &target,
            history: &self.history,
        };
        let step = if self.is_loop(&attempt, &parts) {
            Err(refused(RedirectProblem::Loop, "redirect loop"))
        } else {
            match policy.decide(&attempt) {
                RedirectAction::Follow => Ok(RedirectAction::Follow),
                RedirectAction::Stop => Ok(RedirectAction::Stop),
                RedirectAction::Refuse => Err(refused(
                    RedirectProblem::Refused,
                    "redirect refused by the policy",
                )),
            }
        };
        match step {
            Ok(RedirectAction::Follow) => {}
            Ok(_) => {
                self.history.pop();
                return Ok(Step::Final(answer, parts));
            }
            Err(error) => {
                self.history.pop();
                return Ok(Step::Refused(error, answer, parts));
            }
        }
        self.put_away(answer, &parts).await;
        tracing::debug!(
            status = status.as_u16(),
            to = target.host_str(),
            "following a redirect"
        );
        self.session.counters.redirect();
        if let Some(watch) = &self.clock.watch {
            watch.redirected(status, &target);
        }
        self.redirect(&policy, &mut parts, target);
        parts.method = method;
        if !keep_body {
            parts.body = None;
            parts.content_type = None;
            parts.expect = None;
            redirect::drop_body_fields(&mut parts.headers);
        }
        Ok(Step::Next(parts))
    }

    /// Reads and forgets what is left of a response, within bounds, so that its connection can be used again.
    pub(super) async fn put_away(&self, answer: Answer, parts: &Parts) {
        let (limits, clock) = (self.limits(parts).clone(), self.clock.clone());
        let Answer {
            lease, exchange, ..
        } = answer;
        Box::new(Live::new(lease, exchange, clock, None, limits))
            .drain()
            .await;
    }

    /// Turns the request to its next address.
    fn redirect(&mut self, policy: &RedirectPolicy, parts: &mut Parts, target: Url) {
        if std::mem::take(&mut self.session_headers) {
            let mut merged = self.session.headers.clone();
            for name in &parts.without {
                let _ = merged.remove(name);
            }
            merged.overlay(&parts.headers);
            parts.headers = merged;
        }
        let from = std::mem::replace(&mut parts.url, target);
        policy.clean(&mut parts.headers, &from, &parts.url);
        if let Some(auth) = &mut parts.auth {
            auth.redirected(&from, &parts.url, policy.trusts(&from, &parts.url));
        }
    }

    /// Whether this call has asked the same before. Once it may, when other cookies go along this time.
    fn is_loop(&self, attempt: &RedirectAttempt<'_>, parts: &Parts) -> bool {
        let target = redirect::normalised(attempt.url);
        let mut visits = self.history.iter().filter(|hop| {
            hop.method() == attempt.method && redirect::normalised(hop.url()) == target
        });
        let Some(first) = visits.next() else {
            return false;
        };
        if visits.next().is_some() {
            return true;
        }
        let cookies = match parts.without_cookies {
            true => None,
            false => self.session.cookies.value(attempt.url),
        };
        first.cookies() == cookies.as_deref().map_or(0, cookie_store::mark)
    }

    /// Makes the error of a redirect that is refused, with the response that it came with.
    pub(super) async fn refuse(self, error: Error, answer: Answer, parts: Box<Parts>) -> Error {
        let error = self.about(error.with_sent(true), &parts);
        let time = self.limits(&parts).drain_time;
        let Ok(mut response) = self.finish(answer, parts) else {
            return error;
        };
        // The start of a body that never ends is of no use to anybody.
        let start = tokio::time::timeout(time, response.start_of_body()).await;
        let headers = std::mem::take(&mut response.0.head.headers);
        error.with_reply(headers, start.unwrap_or_default())
    }
}

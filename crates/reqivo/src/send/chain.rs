use std::mem;
use std::pin::Pin;

use http::Method;
use url::Url;

use super::{Answer, Call};
use crate::content;
use crate::error::Error;
use crate::headers::Headers;
use crate::middleware::{Handled, HopRequest, HopResponse, Next, Rules, Terminal};
use crate::outgoing::USER_AGENT;
use crate::request::Parts;
use crate::request_body::Body;

impl<'s> Call<'s> {
    /// One exchange, with the middleware of the session around it. Boxed: it would make every request's
    /// future larger.
    pub(super) fn through_middleware<'a>(
        &'a mut self,
        parts: &'a mut Parts,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>>
    where
        's: 'a,
    {
        Box::pin(async move {
            let request = HopRequest {
                method: parts.method.clone(),
                url: parts.url.clone(),
                headers: self.merged(parts),
                body: parts.body.as_ref().map(Body::share),
                hop: self.history.len(),
                rules: self.rules(parts),
            };
            let session = self.session;
            let mut end = End {
                call: self,
                parts,
                kept: None,
            };
            let outcome = Next::new(&session.middleware, &mut end).run(request).await;
            end.restore();
            outcome?.into_answer()
        })
    }

    fn rules(&self, parts: &Parts) -> Rules {
        Rules {
            limits: self.limits(parts).clone(),
            tolerance: self.session.tolerance.clone(),
            clock: self.clock.clone(),
            on_interim: parts.on_interim.clone(),
        }
    }

    /// Every field that will be sent but `Host` and those that frame the body, in their order.
    pub(super) fn merged(&self, parts: &Parts) -> Headers {
        let left_out = |name: &str| parts.without.iter().any(|it| it.eq_ignore_ascii_case(name));
        let mut merged = Headers::new();
        let default = |merged: &mut Headers, name: &str, value: &str| {
            if !merged.contains(name) && !left_out(name) {
                // Defaults are well formed.
                drop(merged.append(name, value));
            }
        };
        default(&mut merged, "User-Agent", USER_AGENT);
        default(&mut merged, "Accept", "*/*");
        let ranged = |headers: &Headers| headers.contains("range");
        let of_session =
            self.session_headers && ranged(&self.session.headers) && !left_out("range");
        if let Some(accepted) = content::accept_encoding(of_session || ranged(&parts.headers)) {
            default(&mut merged, "Accept-Encoding", accepted);
        }
        if self.session_headers {
            let mut own = self.session.headers.clone();
            for name in &parts.without {
                let _ = own.remove(name);
            }
            merged.overlay(&own);
        }
        merged.overlay(&parts.headers);
        if let Some(content_type) = parts.content_type {
            default(&mut merged, "Content-Type", content_type);
        }
        if let Some(added) = &parts.added {
            merged.overlay(added);
        }
        merged
    }
}

/// The end of the chain: the network.
struct End<'a, 's> {
    call: &'a mut Call<'s>,
    parts: &'a mut Parts,
    /// What the call says itself, while the request of the middleware is in its place.
    kept: Option<Kept>,
}

struct Kept {
    method: Method,
    url: Url,
    headers: Headers,
    without: Vec<Box<str>>,
    body: Option<Body>,
    content_type: Option<&'static str>,
    added: Option<Box<Headers>>,
    session_headers: bool,
}

impl End<'_, '_> {
    fn replace(&mut self, request: HopRequest) {
        // Left behind by a run that was given up.
        self.restore();
        let parts = &mut *self.parts;
        // The defaults are among the fields of the request.
        let defaults = ["user-agent", "accept", "accept-encoding", "content-type"];
        self.kept = Some(Kept {
            method: mem::replace(&mut parts.method, request.method),
            url: mem::replace(&mut parts.url, request.url),
            headers: mem::replace(&mut parts.headers, request.headers),
            without: mem::replace(&mut parts.without, defaults.map(Box::from).into()),
            body: mem::replace(&mut parts.body, request.body),
            content_type: parts.content_type.take(),
            added: parts.added.take(),
            session_headers: mem::take(&mut self.call.session_headers),
        });
    }

    fn restore(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.parts.method = kept.method;
            self.parts.url = kept.url;
            self.parts.headers = kept.headers;
            self.parts.without = kept.without;
            self.parts.body = kept.body;
            self.parts.content_type = kept.content_type;
            self.parts.added = kept.added;
            self.call.session_headers = kept.session_headers;
        }
    }
}

impl Terminal for End<'_, '_> {
    fn exchange(&mut self, request: HopRequest) -> Handled<'_> {
        Box::pin(async move {
            self.replace(request);
            self.call.clock.progress();
            let answer = self.call.exchange(self.parts).await;
            let method = self.parts.method.clone();
            self.restore();
            Ok(HopResponse::new(
                answer?,
                method,
                self.call.rules(self.parts),
            ))
        })
    }
}

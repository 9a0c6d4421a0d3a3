use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use http::Method;
use url::Url;

use crate::auth::{AuthRequest, AuthScheme};
use crate::changeable::Setup;
use crate::error::Error;
use crate::hooks::RequestHead;
use crate::proto::encode::check_value;
use crate::request::{self, Parts};
use crate::response::Response;
use crate::session::{self, Session};

/// Makes a call with the credentials and the hooks of its session.
pub(super) async fn send(
    session: &Session,
    parts: Box<Parts>,
    setup: Box<Setup>,
) -> Result<Response, Error> {
    let hooks = setup.hooks.clone();
    hooks.check_async()?;
    let mut prepared = Prepared::new(session, parts, *setup);
    if !hooks.before.is_empty() {
        let head = prepared.head();
        let head = hooks.before(head).await;
        let head = head.map_err(|error| prepared.about(error))?;
        prepared.set_head(head)?;
    }
    let response = prepared.send().await?;
    if hooks.after.is_empty() {
        return Ok(response);
    }
    let (method, url) = (response.method().clone(), response.url().clone());
    let outcome = hooks.after(response).await;
    outcome.map_err(|error| after_response(session, error, &method, &url))
}

/// Says which call it was whose hook failed after the response.
pub(crate) fn after_response(session: &Session, error: Error, method: &Method, url: &Url) -> Error {
    session.0.counters.error(error.kind());
    error.with_request(method, url).with_sent(true)
}

/// A call between its hooks.
pub(crate) struct Prepared<'a> {
    session: &'a session::Inner,
    parts: Box<Parts>,
    /// The session's credentials, unless the call has its own.
    scheme: Option<Arc<dyn AuthScheme>>,
    /// The `Authorization` that the hooks see, and whether it comes from these credentials.
    shown: Option<String>,
    provided: bool,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(session: &'a Session, mut parts: Box<Parts>, setup: Setup) -> Self {
        let session = &*session.0;
        let has_own = parts.headers.has(b"authorization") || parts.leaves_out("authorization");
        let scheme = setup.auth.filter(|_| !has_own);
        parts.auth = scheme.as_ref().map(|scheme| session.call_auth(scheme));
        Self {
            session,
            parts,
            scheme,
            shown: None,
            provided: false,
        }
    }

    /// What the hooks get: everything that session and call say about the request.
    pub(crate) fn head(&mut self) -> RequestHead {
        let parts = &mut *self.parts;
        let mut headers = self.session.headers.clone();
        for name in &parts.without {
            let _ = headers.remove(name);
        }
        headers.overlay(&mem::take(&mut parts.headers));
        if let Some(content_type) = parts.content_type.take()
            && !headers.contains("content-type")
            && !parts.leaves_out("content-type")
        {
            // It is well formed.
            drop(headers.append("Content-Type", content_type));
        }
        parts.merged = true;
        let request = AuthRequest {
            method: &parts.method,
            url: &parts.url,
        };
        let value = self
            .scheme
            .as_ref()
            .filter(|scheme| self.session.call_auth(scheme).is_for(&parts.url))
            .and_then(|scheme| scheme.authorize(&request));
        if let Some(value) = value
            && check_value(value.as_bytes()).is_ok()
        {
            let _ = headers.remove("authorization");
            // It was checked.
            drop(headers.append_sensitive("Authorization", value));
            self.provided = true;
        }
        self.shown = headers.get("authorization").map(Cow::into_owned);
        RequestHead {
            method: parts.method.clone(),
            url: parts.url.clone(),
            headers,
        }
    }

    /// Takes what the hooks made of it.
    pub(crate) fn set_head(&mut self, head: RequestHead) -> Result<(), Error> {
        let parts = &mut *self.parts;
        let RequestHead {
            method,
            mut url,
            mut headers,
        } = head;
        if self.scheme.is_some() {
            let value = headers.get("authorization").map(Cow::into_owned);
            if value != self.shown {
                parts.auth = None;
            } else if self.provided {
                // Unchanged: the session says again where they may go.
                let _ = headers.remove("authorization");
            }
        }
        let own = headers.has(b"authorization");
        let mut found = crate::headers::Headers::new();
        let taken = request::take_credentials(&mut url, &mut found);
        taken.map_err(|error| error.with_request(&method, &url))?;
        if !url.has_host() {
            let error = Error::builder("url has no host");
            return Err(error.with_request(&method, &url));
        }
        if !own && !found.is_empty() {
            headers.overlay(&found);
            parts.auth = None;
        }
        parts.method = method;
        parts.url = url;
        parts.headers = headers;
        Ok(())
    }

    /// Says which call it was whose hook failed before anything was sent.
    pub(crate) fn about(&self, error: Error) -> Error {
        self.session.counters.error(error.kind());
        error.with_request(&self.parts.method, &self.parts.url)
    }

    pub(crate) async fn send(self) -> Result<Response, Error> {
        super::transmit(self.session, self.parts).await
    }
}

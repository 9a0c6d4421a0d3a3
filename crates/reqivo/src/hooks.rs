//! Functions of the user before and after a call.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use url::Url;

use crate::error::Error;
use crate::headers::Headers;
use crate::response::Response;

/// What a request is about to be: a pre-request hook gets it and returns it, changed or not.
///
/// ```
/// use reqivo::{RequestHead, Session};
///
/// let session = Session::builder()
///     .pre_request_hook(|mut head: RequestHead| {
///         let path = head.url.path().to_owned();
///         head.headers.insert("X-Path", path)?;
///         Ok(head)
///     })
///     .build()?;
/// # Ok::<(), reqivo::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The absolute URL. User name and password in it are sent as basic credentials.
    pub url: Url,
    /// The fields of session and call and the credentials of the session, put together. Defaults such as `User-Agent` and
    /// the cookies of the jar are added later, the cookies by what the URL is then.
    pub headers: Headers,
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("url", &crate::error::without_secrets(&self.url).as_str())
            .field("headers", &self.headers)
            .finish()
    }
}

/// The hooks of a session, in the order of their registration.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) before: Arc<[Before]>,
    pub(crate) after: Arc<[After]>,
}

type Waiting<T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send>>;

#[derive(Clone)]
pub(crate) enum Before {
    Plain(Arc<dyn Fn(RequestHead) -> Result<RequestHead, Error> + Send + Sync>),
    Waiting(Arc<dyn Fn(RequestHead) -> Waiting<RequestHead> + Send + Sync>),
}

#[derive(Clone)]
pub(crate) enum After {
    Plain(Arc<dyn Fn(Response) -> Result<Response, Error> + Send + Sync>),
    Waiting(Arc<dyn Fn(Response) -> Waiting<Response> + Send + Sync>),
    /// One that can wait only on the thread of a blocking call.
    #[cfg(feature = "blocking")]
    Blocking(
        Arc<
            dyn Fn(crate::blocking::Response) -> Result<crate::blocking::Response, Error>
                + Send
                + Sync,
        >,
    ),
}

impl Before {
    pub(crate) fn plain(
        hook: impl Fn(RequestHead) -> Result<RequestHead, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::Plain(Arc::new(hook))
    }

    pub(crate) fn waiting<F>(hook: impl Fn(RequestHead) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<RequestHead, Error>> + Send + 'static,
    {
        Self::Waiting(Arc::new(move |head| Box::pin(hook(head))))
    }
}

impl After {
    pub(crate) fn plain(
        hook: impl Fn(Response) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Self {
        Self::Plain(Arc::new(hook))
    }

    pub(crate) fn waiting<F>(hook: impl Fn(Response) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Response, Error>> + Send + 'static,
    {
        Self::Waiting(Arc::new(move |response| Box::pin(hook(response))))
    }
}

impl Hooks {
    pub(crate) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    pub(crate) fn push_before(&mut self, hook: Before) {
        self.before = self.before.iter().cloned().chain([hook]).collect();
    }

    pub(crate) fn push_after(&mut self, hook: After) {
        self.after = self.after.iter().cloned().chain([hook]).collect();
    }

    /// Runs the hooks before a call.
    pub(crate) async fn before(&self, mut head: RequestHead) -> Result<RequestHead, Error> {
        for hook in self.before.iter() {
            head = match hook {
                Before::Plain(hook) => hook(head)?,
                Before::Waiting(hook) => hook(head).await?,
            };
        }
        Ok(head)
    }

    /// Runs the hooks after a call.
    pub(crate) async fn after(&self, mut response: Response) -> Result<Response, Error> {
        for hook in self.after.iter() {
            response = match hook {
                After::Plain(hook) => hook(response)?,
                After::Waiting(hook) => hook(response).await?,
                #[cfg(feature = "blocking")]
                After::Blocking(_) => return Err(Self::of_the_other_face()),
            };
        }
        Ok(response)
    }

    /// Refuses an async call of a session with hooks that block, before anything is sent.
    pub(crate) fn check_async(&self) -> Result<(), Error> {
        #[cfg(feature = "blocking")]
        if self
            .after
            .iter()
            .any(|hook| matches!(hook, After::Blocking(_)))
        {
            return Err(Self::of_the_other_face());
        }
        Ok(())
    }

    #[cfg(feature = "blocking")]
    fn of_the_other_face() -> Error {
        Error::builder("the session has a hook that blocks; use it through the blocking face")
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("before", &self.before.len())
            .field("after", &self.after.len())
            .finish()
    }
}

/// Makes a blocking call with its hooks.
///
/// They run on the caller's thread between the async parts and not inside of one, so they may wait and make
/// calls themselves.
#[cfg(feature = "blocking")]
pub(crate) fn send_blocking(
    request: crate::RequestBuilder,
    bridge: &bifrons::Bridge,
) -> Result<crate::blocking::Response, Error> {
    use bifrons::Twin;

    use crate::blocking;
    use crate::send::{self, Prepared};

    let (session, parts) = request.into_parts()?;
    let Some(setup) = session.0.changeable.snapshot() else {
        let response = bridge.block_on(async { send::send(&session, parts).await })??;
        return Ok(blocking::Response::from_parts(response, bridge.share()));
    };
    let hooks = setup.hooks.clone();
    let mut prepared = Prepared::new(&session, parts, *setup);
    if !hooks.before.is_empty() {
        let mut head = prepared.head();
        for hook in hooks.before.iter() {
            let changed = match hook {
                Before::Plain(hook) => hook(head),
                Before::Waiting(hook) => {
                    let waiting = bridge.enter(|| hook(head));
                    bridge.block_on(waiting)?
                }
            };
            head = changed.map_err(|error| prepared.about(error))?;
        }
        prepared.set_head(head)?;
    }
    let response = bridge.block_on(async { prepared.send().await })??;
    let (method, url) = (response.method().clone(), response.url().clone());
    let about = |error: Error| send::after_response(&session, error, &method, &url);
    let mut response = blocking::Response::from_parts(response, bridge.share());
    for hook in hooks.after.iter() {
        let changed = match hook {
            After::Blocking(hook) => hook(response),
            After::Plain(hook) => {
                let inner = response.into_async();
                bridge
                    .enter(|| hook(inner))
                    .map(|inner| blocking::Response::from_parts(inner, bridge.share()))
            }
            After::Waiting(hook) => {
                let inner = response.into_async();
                let waiting = bridge.enter(|| hook(inner));
                let inner = bridge.block_on(waiting)?;
                inner.map(|inner| blocking::Response::from_parts(inner, bridge.share()))
            }
        };
        response = changed.map_err(about)?;
    }
    Ok(response)
}

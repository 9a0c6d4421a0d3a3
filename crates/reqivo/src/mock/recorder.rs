use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::{Cassette, MockRequest};
use crate::error::{Error, without_secrets};
use crate::headers::{HIDDEN, Headers};
use crate::middleware::{HopRequest, HopResponse, Middleware, Next};

/// Middleware that keeps what was asked and answered. Clones share what they keep.
///
/// Nothing secret is kept: credentials in URLs, the values of `Authorization`, `Cookie`, `Set-Cookie`, `Proxy-Authorization` and
/// of fields added as sensitive, and what [`hide_header`](Self::hide_header) and [`hide_query`](Self::hide_query) name. Bodies are kept as they
/// are; [`edit`](Self::edit) can change them.
///
/// It reads each body to its end before it is handed on, up to
/// [`Limits::buffered_bytes`](crate::Limits::buffered_bytes).
///
/// ```no_run
/// use reqivo::Session;
/// use reqivo::mock::{Cassette, Recorder};
///
/// # async fn example() -> Result<(), reqivo::Error> {
/// let recorder = Recorder::new().hide_query("api_key");
/// let session = Session::builder().middleware(recorder.clone()).build()?;
/// session.get("https://api.example.com/devices?api_key=s3cret").send().await?;
/// recorder.cassette().save("devices.json")?;
///
/// // Later, without the server.
/// let cassette = Cassette::load("devices.json")?;
/// let session = Session::builder().transport(cassette.player()).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Recorder {
    hops: Arc<Mutex<Vec<RecordedHop>>>,
    hiding: Hiding,
    keep_secrets: bool,
    edit: Option<Edit>,
}

type Edit = Arc<dyn Fn(&mut RecordedHop) + Send + Sync>;

/// What is hidden besides the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hiding {
    pub(super) headers: Vec<String>,
    pub(super) query: Vec<String>,
}

/// One exchange that was recorded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedHop {
    /// What was asked.
    pub request: MockRequest,
    /// What was answered.
    pub response: RecordedResponse,
}

/// A response that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedResponse {
    /// The status.
    pub status: StatusCode,
    /// The header fields, as they came.
    pub headers: Headers,
    /// The body as it was on the wire, still in its content coding.
    pub body: Bytes,
}

impl Recorder {
    /// Creates a recorder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hides the value of this header field too, in requests and responses.
    #[must_use]
    pub fn hide_header(mut self, name: &str) -> Self {
        self.hiding.headers.push(name.to_owned());
        self
    }

    /// Hides the values of this key in the queries of URLs.
    #[must_use]
    pub fn hide_query(mut self, key: &str) -> Self {
        self.hiding.query.push(key.to_owned());
        self
    }

    /// Changes every exchange before it is kept, for example to hide what is secret in a body.
    #[must_use]
    pub fn edit(mut self, edit: impl Fn(&mut RecordedHop) + Send + Sync + 'static) -> Self {
        self.edit = Some(Arc::new(edit));
        self
    }

    /// Keeps the values of secret header fields, for tests that need the cookies.
    #[must_use]
    pub fn keep_secrets(mut self) -> Self {
        self.keep_secrets = true;
        self
    }

    /// Returns what was recorded so far, in the order in which the responses came.
    #[must_use]
    pub fn hops(&self) -> Vec<RecordedHop> {
        self.lock().clone()
    }

    /// Returns what was recorded so far in a form that can be saved and played.
    #[must_use]
    pub fn cassette(&self) -> Cassette {
        Cassette::new(self.hops(), self.hiding.clone())
    }

    fn keep(&self, mut hop: RecordedHop) {
        let secrets = self.keep_secrets;
        let clean = |headers: &Headers| {
            let shown = match secrets {
                true => headers.clone(),
                false => headers.redacted(),
            };
            self.hiding.clean_headers(shown)
        };
        hop.request.headers = clean(&hop.request.headers);
        hop.response.headers = clean(&hop.response.headers);
        hop.request.url = self.hiding.clean_url(&hop.request.url);
        if let Some(edit) = &self.edit {
            edit(&mut hop);
        }
        self.lock().push(hop);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RecordedHop>> {
        self.hops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hiding {
    fn clean_headers(&self, headers: Headers) -> Headers {
        let is_hidden = |name: &str| self.headers.iter().any(|it| it.eq_ignore_ascii_case(name));
        if !headers.iter_bytes().any(|(name, _)| is_hidden(name)) {
            return headers;
        }
        let mut clean = Headers::new();
        for (name, value) in headers.iter_bytes() {
            let value = match is_hidden(name) {
                true => HIDDEN.as_bytes(),
                false => value,
            };
            // It was well formed before.
            drop(clean.append(name, value));
        }
        clean
    }

    /// The URL as it is kept, and as it is compared.
    pub(super) fn clean_url(&self, url: &Url) -> Url {
        let mut clean = without_secrets(url);
        let is_hidden = |key: &str| self.query.iter().any(|it| it == key);
        if url.query_pairs().any(|(key, _)| is_hidden(&key)) {
            let pairs = url.query_pairs().map(|(key, value)| {
                let value = match is_hidden(&key) {
                    true => HIDDEN.into(),
                    false => value,
                };
                (key, value)
            });
            clean.query_pairs_mut().clear().extend_pairs(pairs);
        }
        clean
    }
}

impl Middleware for Recorder {
    async fn handle(
        &self,
        mut request: HopRequest,
        mut next: Next<'_>,
    ) -> Result<HopResponse, Error> {
        let asked = MockRequest::of(&mut request).await?;
        let mut response = next.run(request).await?;
        let body = response.bytes().await?;
        self.keep(RecordedHop {
            request: asked,
            response: RecordedResponse {
                status: response.status(),
                headers: response.headers().clone(),
                body,
            },
        });
        Ok(response)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("hops", &self.lock().len())
            .field("hiding", &self.hiding)
            .finish_non_exhaustive()
    }
}

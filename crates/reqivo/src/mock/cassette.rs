use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use url::Url;

use super::recorder::Hiding;
use super::{MockRequest, RecordedHop, RecordedResponse};
use crate::error::Error;
use crate::headers::Headers;
use crate::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};

/// Exchanges that were recorded, to be saved and played.
///
/// The file is JSON: bodies and values that are text stand there as text, the others as base64.
#[derive(Clone)]
pub struct Cassette {
    hops: Arc<[RecordedHop]>,
    hiding: Hiding,
}

impl Cassette {
    pub(super) fn new(hops: Vec<RecordedHop>, hiding: Hiding) -> Self {
        Self {
            hops: hops.into(),
            hiding,
        }
    }

    /// Reads a cassette from its JSON text.
    ///
    /// # Errors
    ///
    /// When it is no cassette.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let malformed = || Error::builder("malformed cassette");
        let tape: Tape =
            serde_json::from_str(text).map_err(|error| malformed().with_source(error))?;
        if tape.version != VERSION {
            return Err(Error::builder("cassette of an unknown version"));
        }
        let hops = tape
            .hops
            .into_iter()
            .map(|hop| hop.into_hop().ok_or_else(malformed));
        Ok(Self::new(
            hops.collect::<Result<_, _>>()?,
            Hiding {
                headers: tape.hidden_headers,
                query: tape.hidden_query,
            },
        ))
    }

    /// Returns the cassette as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let tape = Tape {
            version: VERSION,
            hidden_headers: self.hiding.headers.clone(),
            hidden_query: self.hiding.query.clone(),
            hops: self.hops.iter().map(TapeHop::of).collect(),
        };
        // Text, numbers and lists can always be written.
        serde_json::to_string_pretty(&tape).unwrap_or_default()
    }

    /// Reads a cassette from a file, at once and on this thread.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no cassette.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::builder("cassette cannot be read").with_source(error))?;
        Self::from_json(&text)
    }

    /// Writes the cassette to a file, at once and on this thread.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        std::fs::write(path, self.to_json())
            .map_err(|error| Error::builder("cassette cannot be written").with_source(error))
    }

    /// Returns the exchanges.
    #[must_use]
    pub fn hops(&self) -> &[RecordedHop] {
        &self.hops
    }

    /// Returns a transport that answers from the cassette; see [`SessionBuilder::transport`](crate::SessionBuilder::transport).
    ///
    /// A request gets the answer that was recorded for its method and URL. Where several were, each is given once, in order,
    /// and the last one again and again. What was not recorded fails.
    #[must_use]
    pub fn player(&self) -> Player {
        Player {
            cassette: self.clone(),
            played: Arc::default(),
        }
    }
}

impl fmt::Debug for Cassette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cassette")
            .field("hops", &self.hops.len())
            .finish_non_exhaustive()
    }
}

/// A transport that answers from a [`Cassette`]. Clones share how far it is.
#[derive(Clone, Debug)]
pub struct Player {
    cassette: Cassette,
    /// How often each method and URL was answered.
    played: Arc<Mutex<HashMap<(Method, Url), usize>>>,
}

impl Player {
    fn next(&self, method: &Method, url: &Url) -> Result<Reply, Error> {
        let url = self.cassette.hiding.clean_url(url);
        let same = |hop: &&RecordedHop| hop.request.method == *method && hop.request.url == url;
        let recorded = self.cassette.hops.iter().filter(same).count();
        let Some(last) = recorded.checked_sub(1) else {
            let text = format!("the cassette has no answer to {method} {url}");
            return Err(Error::custom(text));
        };
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        let count = played.entry((method.clone(), url.clone())).or_default();
        let at = (*count).min(last);
        *count += 1;
        drop(played);
        let hop = self.cassette.hops.iter().filter(same).nth(at);
        let response = &hop.ok_or_else(crate::incoming::lost)?.response;
        Ok(Reply::new(response.status)
            .headers(response.headers.clone())
            .body(response.body.clone()))
    }
}

impl Middleware for Player {
    async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        let reply = self.next(request.method(), request.url())?;
        request.reply(reply)
    }
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Tape {
    version: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden_headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden_query: Vec<String>,
    hops: Vec<TapeHop>,
}

#[derive(Serialize, Deserialize)]
struct TapeHop {
    request: TapeRequest,
    response: TapeResponse,
}

#[derive(Serialize, Deserialize)]
struct TapeRequest {
    method: String,
    url: String,
    headers: Vec<(String, Blob)>,
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    body: Blob,
}

#[derive(Serialize, Deserialize)]
struct TapeResponse {
    status: u16,
    headers: Vec<(String, Blob)>,
    #[serde(default, skip_serializing_if = "Blob::is_empty")]
    body: Blob,
}

/// Bytes in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Blob {
    Text(String),
    Bytes { base64: String },
}

impl Default for Blob {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Blob {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes {
                base64: BASE64.encode(bytes),
            },
        }
    }

    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Bytes { base64 } => BASE64.decode(base64).ok().map(Into::into),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl TapeHop {
    fn of(hop: &RecordedHop) -> Self {
        let headers = |headers: &Headers| {
            let fields = headers.iter_bytes();
            fields
                .map(|(name, value)| (name.to_owned(), Blob::of(value)))
                .collect()
        };
        Self {
            request: TapeRequest {
                method: hop.request.method.to_string(),
                url: hop.request.url.to_string(),
                headers: headers(&hop.request.headers),
                body: Blob::of(&hop.request.body),
            },
            response: TapeResponse {
                status: hop.response.status.as_u16(),
                headers: headers(&hop.response.headers),
                body: Blob::of(&hop.response.body),
            },
        }
    }

    fn into_hop(self) -> Option<RecordedHop> {
        let headers = |fields: Vec<(String, Blob)>| {
            let mut headers = Headers::new();
            for (name, value) in fields {
                headers.append(&name, value.into_bytes()?).ok()?;
            }
            Some(headers)
        };
        Some(RecordedHop {
            request: MockRequest {
                method: self.request.method.parse().ok()?,
                url: self.request.url.parse().ok()?,
                headers: headers(self.request.headers)?,
                body: self.request.body.into_bytes()?,
            },
            response: RecordedResponse {
                status: StatusCode::from_u16(self.response.status).ok()?,
                headers: headers(self.response.headers)?,
                body: self.response.body.into_bytes()?,
            },
        })
    }
}

const VERSION: u32 = 1;

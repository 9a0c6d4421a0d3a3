//! A network in which every address answers, for rules about hosts, schemes and ports that no test server can have.

use std::sync::{Arc, Mutex};

use reqivo::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};
use reqivo::{Error, Headers};

/// Stands in for the network; clones see the same requests.
#[derive(Clone)]
pub(super) struct Anywhere {
    answer: Arc<dyn Fn(&Seen) -> Reply + Send + Sync>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request that arrived.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) url: String,
    pub(super) headers: Headers,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| value.into_owned())
    }
}

impl Anywhere {
    pub(super) fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            seen: Arc::default(),
        }
    }

    /// The requests since the last time.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// A field of each request since the last time, with an empty text where it was missing.
    pub(super) fn took(&self, name: &str) -> Vec<String> {
        let seen = self.take();
        seen.iter()
            .map(|seen| seen.header(name).unwrap_or_default())
            .collect()
    }
}

impl Middleware for Anywhere {
    async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        let seen = Seen {
            url: request.url().to_string(),
            headers: request.headers().clone(),
        };
        let reply = (self.answer)(&seen);
        self.seen.lock().unwrap().push(seen);
        request.reply(reply)
    }
}

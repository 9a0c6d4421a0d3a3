//! No address makes a session panic; a relative one is resolved as RFC 3986 and the URL standard say, also when the
//! session remembers the origin; and what is asked for is fit for the wire.
//!
//! An input is a base URL and addresses, each on a line.

use std::sync::{Arc, Mutex};

use reqivo::middleware::{HopRequest, HopResponse, Middleware, Next, Reply};
use reqivo::{Error, Session, Url};

#[derive(Default)]
struct Seen(Arc<Mutex<Option<Url>>>);

impl Middleware for Seen {
    async fn handle(&self, request: HopRequest, _: Next<'_>) -> Result<HopResponse, Error> {
        *self.0.lock().expect("the lock") = Some(request.url().clone());
        request.reply(Reply::ok(""))
    }
}

pub(crate) fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let mut lines = input.split('\n');
    let base = lines.next().unwrap_or_default();
    let seen = Seen::default();
    let asked = Arc::clone(&seen.0);
    let Ok(session) = Session::builder().base_url(base).transport(seen).build() else {
        return;
    };
    let base = Url::parse(base).expect("the base is a URL");
    for address in lines.take(8) {
        // Twice: the second time the origin may be remembered.
        for _ in 0..2 {
            let outcome = runtime.block_on(async { session.get(address).send().await });
            let asked = asked.lock().expect("the lock").take();
            match outcome {
                Ok(_) => {
                    let url = asked.expect("it was asked for");
                    let mut joined = base.join(address).expect("it can be joined");
                    let _ = joined.set_username("");
                    let _ = joined.set_password(None);
                    assert_eq!(url, joined, "{address:?}");
                    assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
                    assert!(
                        url.as_str().bytes().all(|byte| byte.is_ascii_graphic()),
                        "{url}"
                    );
                }
                Err(error) => assert!(
                    error.is_builder() && asked.is_none(),
                    "{address:?}: {error}"
                ),
            }
        }
    }
}

//! What several topics need.

use std::time::Duration;

use bytes::Bytes;
use restkit::retry::RetryPolicy;
use restkit::transport::{MockTransport, RecordedRequest, TransportError};
use restkit::{Client, ClientBuilder};

pub(crate) const BASE: &str = "https://api.example.com/v1";
pub(crate) const TOKEN_URL: &str = "https://id.example.com/token";

/// A client that is not on loopback and whose delays are exactly their bounds.
pub(crate) fn builder(mock: &MockTransport) -> ClientBuilder {
    Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .retry(policy())
}

pub(crate) fn client(mock: &MockTransport) -> Client {
    builder(mock).build().unwrap()
}

pub(crate) fn policy() -> RetryPolicy {
    RetryPolicy::new().jitter(false)
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// An answer for `MockTransport::respond_with`.
pub(crate) fn answer(
    status: u16,
    body: impl Into<Bytes>,
) -> Result<http::Response<Bytes>, TransportError> {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    Ok(response)
}

/// A mock that gives tokens `token-1`, `token-2`, .. and answers everything else by `api`.
pub(crate) fn service<F>(api: F) -> MockTransport
where
    F: Fn(&RecordedRequest) -> Result<http::Response<Bytes>, TransportError>
        + Send
        + Sync
        + 'static,
{
    let tokens = std::sync::atomic::AtomicU32::new(0);
    MockTransport::new().respond_with(move |request| {
        if request.url != TOKEN_URL {
            return api(request);
        }
        let number = tokens.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        answer(
            200,
            format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#),
        )
    })
}

pub(crate) fn token_requests(mock: &MockTransport) -> usize {
    mock.requests()
        .iter()
        .filter(|request| request.url == TOKEN_URL)
        .count()
}

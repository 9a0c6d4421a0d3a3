//! Scripted services for the tests.

use bytes::Bytes;
use restkit::transport::{MockTransport, RecordedRequest, TransportError};
use sophos_central::{Client, Config};

pub(crate) const SECRET: &str = "s3cret-Of-The-Tests";
pub(crate) const TOKEN: &str = "tok3n-Of-The-Tests";
pub(crate) const TENANT: &str = "7d1e2c34-9a0b-4c5d-8e6f-102938475601";
pub(crate) const ENDPOINT: &str = "5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f";

/// A service with a token and whoami for a tenant; the answers to the calls come behind.
pub(crate) fn tenant() -> MockTransport {
    MockTransport::new()
        .json(200, token())
        .json(200, whoami_tenant())
}

/// A service with a token and whoami for a partner; the answers to the calls come behind.
pub(crate) fn partner() -> MockTransport {
    MockTransport::new()
        .json(200, token())
        .json(200, whoami_partner())
}

pub(crate) fn token() -> String {
    format!(
        r#"{{"access_token":"{TOKEN}","token_type":"bearer","expires_in":3600,"refresh_token":"r-51c0","errorCode":"success","message":"OK","trackingId":"5f1d2c7e"}}"#
    )
}

pub(crate) fn whoami_tenant() -> String {
    format!(
        r#"{{"id":"{TENANT}","idType":"tenant","apiHosts":{{"global":"https://global.example","dataRegion":"https://eu.example/"}}}}"#
    )
}

pub(crate) fn whoami_partner() -> &'static str {
    r#"{"id":"B3A9F0C2-55D1-4E77-A1B2-C3D4E5F60718","idType":"partner","apiHosts":{"global":"https://partners.example/"}}"#
}

pub(crate) fn config(transport: &MockTransport) -> Config {
    Config::new(" the-client ", SECRET)
        .auth_url("https://id.example/api/v2/oauth2/token")
        .transport(transport.clone())
        .jitter_seed(7)
}

pub(crate) fn client(transport: &MockTransport) -> Client {
    Client::new(config(transport)).expect("the settings are right")
}

/// The requests behind token and whoami.
pub(crate) fn calls(transport: &MockTransport) -> Vec<RecordedRequest> {
    let is_setup = |request: &RecordedRequest| {
        request.url.contains("oauth2/token") || request.target() == "/whoami/v1"
    };
    transport
        .requests()
        .into_iter()
        .filter(|request| !is_setup(request))
        .collect()
}

/// The same as method and URL.
pub(crate) fn lines(transport: &MockTransport) -> Vec<String> {
    calls(transport)
        .iter()
        .map(|request| format!("{} {}", request.method, request.url))
        .collect()
}

/// A page of endpoints by key.
pub(crate) fn page(ids: &[&str], pages: &str) -> String {
    let items: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"id":"{id}","hostname":"host-{id}"}}"#))
        .collect();
    format!(r#"{{"items":[{}],"pages":{pages}}}"#, items.join(","))
}

pub(crate) fn answer(
    status: u16,
    body: impl Into<Bytes>,
) -> Result<http::Response<Bytes>, TransportError> {
    let mut response = http::Response::new(body.into());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    Ok(response)
}

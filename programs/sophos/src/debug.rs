//! `--debug`: every request and its answer on standard error, secrets masked.

use std::{fmt, io::Write as _, time::Instant};

use bytes::Bytes;
use clikit::{Console, Error};
use http::header;
use restkit::{
    BoxFuture,
    transport::{Attempt, ReqivoTransport, Transport, TransportError},
};
use sophos_central::Config;

/// Has the client's requests shown.
pub(crate) fn shown(config: Config, console: &Console) -> Result<Config, Error> {
    let inner = ReqivoTransport::new()
        .map_err(|error| Error::internal("cannot prepare the network").with_source(error))?;
    Ok(config.transport(Shown {
        inner,
        console: console.clone(),
    }))
}

/// Sends with another transport and writes down what goes by.
struct Shown<T> {
    inner: T,
    console: Console,
}

impl<T> Shown<T> {
    fn write(&self, text: &str) {
        // Without standard error there is nowhere to say so.
        drop(self.console.stderr().write_all(text.as_bytes()));
    }
}

impl<T: Transport> Transport for Shown<T> {
    fn execute(
        &self,
        request: http::Request<Bytes>,
        attempt: Attempt,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        self.write(&request_lines(&request, attempt.number));
        Box::pin(async move {
            let started = Instant::now();
            let outcome = self.inner.execute(request, attempt).await;
            let took = started.elapsed().as_millis();
            match &outcome {
                Ok(answer) => self.write(&format!(
                    "< {} ({} bytes, {took} ms){}\n",
                    answer.status(),
                    answer.body().len(),
                    ids(answer)
                )),
                Err(error) => self.write(&format!("< {error} ({took} ms)\n")),
            }
            outcome
        })
    }

    fn enforces_timeout(&self) -> bool {
        self.inner.enforces_timeout()
    }
}

impl<T> fmt::Debug for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").finish_non_exhaustive()
    }
}

fn request_lines(request: &http::Request<Bytes>, attempt: u32) -> String {
    let mut text = format!("> {} {}", request.method(), request.uri());
    if attempt > 1 {
        text.push_str(&format!(" (attempt {attempt})"));
    }
    text.push('\n');
    for (name, value) in request.headers() {
        let value = if value.is_sensitive() || *name == header::AUTHORIZATION {
            MASK.into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        text.push_str(&format!("> {name}: {value}\n"));
    }
    // Bodies of JSON tell what is changed. The other kind is the form of the token request, which is
    // the secret itself.
    let is_json = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json && !request.body().is_empty() {
        text.push_str(&format!("> {}\n", String::from_utf8_lossy(request.body())));
    }
    text
}

fn ids(answer: &http::Response<Bytes>) -> String {
    ["x-correlation-id", "x-request-id"]
        .iter()
        .filter_map(|name| {
            let value = answer.headers().get(*name)?.to_str().ok()?;
            Some(format!(" {name}: {value}"))
        })
        .collect()
}

const MASK: &str = "********";

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, body: &'static str) -> http::Request<Bytes> {
        http::Request::patch("http://127.0.0.1/x")
            .header("authorization", "Bearer hunter2")
            .header("x-tenant-id", "t1")
            .header("content-type", kind)
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn everything_but_the_token_is_shown() {
        let request = request("application/json", r#"{"enabled":true}"#);
        assert_eq!(
            request_lines(&request, 1),
            "> PATCH http://127.0.0.1/x\n> authorization: ********\n> x-tenant-id: t1\n\
             > content-type: application/json\n> {\"enabled\":true}\n"
        );
    }

    #[test]
    fn the_body_of_the_token_request_is_never_shown() {
        let form = request("application/x-www-form-urlencoded", "client_secret=hunter2");
        assert!(!request_lines(&form, 2).contains("hunter2"));
    }
}

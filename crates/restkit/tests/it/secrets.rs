//! Nothing that is printed holds a secret.

use std::io::Write;
use std::sync::{Arc, Mutex};

use restkit::credentials::{
    Basic, Bearer, ClientAuthentication, Oauth2ClientCredentials, StaticHeaders,
};
use restkit::pagination::PageStyle;
use restkit::transport::{MockTransport, RecordingTransport, Sent, TransportErrorKind};
use restkit::{Client, Request};

use crate::support::{BASE, TOKEN_URL, policy};

const SECRET: &str = "hunter2-very-secret";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_never_print() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);

    let token = format!(r#"{{"access_token":"{SECRET}","expires_in":3600}}"#);
    let failure =
        format!(r#"{{"error":"x","password":"{SECRET}","nested":[{{"apiToken":"{SECRET}"}}]}}"#);
    let mock = MockTransport::new()
        .json(200, token)
        .status(500)
        .respond(200, &[("set-cookie", SECRET)], "{}")
        .json(400, failure.clone())
        .json(200, failure)
        .fail(TransportErrorKind::Tls, Sent::No);
    let recording = RecordingTransport::new(mock.clone());
    let oauth2 = Oauth2ClientCredentials::new(TOKEN_URL, "id", SECRET);
    let client = Client::builder()
        .transport(recording.clone())
        .base_url(BASE)
        .credentials(oauth2.clone())
        .default_header("x-api-key", SECRET)
        .retry(policy())
        .build()
        .unwrap();
    let request = Request::get("/x")
        .query("access_token", SECRET)
        .header("x-auth-token", SECRET)
        .header("cookie", SECRET);

    let mut printed = Vec::new();
    printed.push(format!(
        "{request:?} {client:?} {oauth2:?} {:?}",
        Client::builder().credentials(oauth2.clone())
    ));
    let response = client.send(request.clone()).await.unwrap();
    printed.push(format!("{response:?} {}", response.url()));
    for _ in 0..2 {
        let outcome = client
            .send(request.clone())
            .await
            .and_then(|response| response.json::<u8>());
        let error = outcome.unwrap_err();
        printed.push(format!(
            "{error} {error:?} {error:#?} {:?} {:?}",
            error.body_snippet(),
            error.url()
        ));
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            printed.push(format!("{source} {source:?}"));
            cause = source.source();
        }
    }
    let error = client.send(request.clone()).await.unwrap_err();
    printed.push(format!("{error} {error:?}"));
    printed.push(format!(
        "{mock:?} {:?} {recording:?} {:?}",
        mock.requests(),
        recording.exchanges()
    ));
    let body = request
        .json(&serde_json::json!({"clientSecret": SECRET}))
        .unwrap();
    let dry = client.dry_run(&body).unwrap();
    printed.push(format!(
        "{dry} {dry:?} {}",
        serde_json::to_string(&dry).unwrap()
    ));
    printed.push(format!(
        "{:?}",
        client.paginate::<u8>(body, PageStyle::key())
    ));
    for credentials in [
        format!("{:?}", Basic::new("user", SECRET).unwrap()),
        format!("{:?}", Bearer::new(SECRET).unwrap()),
        format!(
            "{:?}",
            StaticHeaders::new().header("x-key", SECRET).unwrap()
        ),
        format!(
            "{:?}",
            oauth2.client_authentication(ClientAuthentication::Basic)
        ),
    ] {
        printed.push(credentials);
    }
    drop(guard);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("request"), "the log was really written");
    printed.push(log);

    // The secret was really sent, so there was something to leak.
    assert!(
        mock.requests()
            .iter()
            .any(|request| request.text().contains(SECRET))
    );
    let basic_form = base64_of(&format!("user:{SECRET}"));
    for text in printed {
        assert!(
            !text.contains(SECRET) && !text.contains(&basic_form),
            "{text}"
        );
    }
}

/// A careless service shows in its error what it was sent.
#[tokio::test(start_paused = true)]
async fn echoed_secrets_are_masked_in_errors() {
    let token = format!(r#"{{"access_token":"{SECRET}","expires_in":3600}}"#);
    let mock = MockTransport::new()
        .json(401, r#"{"message":"no client with client+secret/4711"}"#)
        .json(200, token)
        .json(403, format!(r#"{{"message":"no: Bearer {SECRET}"}}"#))
        .respond(404, &[], format!("nothing for {SECRET}"));
    let client = Client::builder()
        .transport(mock.clone())
        .base_url(BASE)
        .credentials(Oauth2ClientCredentials::new(
            TOKEN_URL,
            "id",
            "client+secret/4711",
        ))
        .user_agent("tool/1.2")
        .retry(policy())
        .build()
        .unwrap();
    let mut messages = Vec::new();
    for _ in 0..3 {
        let error = client.send(Request::get("/x")).await.unwrap_err();
        let printed = format!("{error} {error:?} {:?}", error.body_snippet());
        assert!(!printed.contains(SECRET), "{printed}");
        assert!(!printed.contains("client+secret"), "{printed}");
        messages.push(error.message().unwrap_or_default().to_owned());
    }
    assert_eq!(
        messages,
        [
            "no client with ********",
            "no: Bearer ********",
            "nothing for ********"
        ]
    );
    // The token service learns who asks, too.
    for request in mock.requests() {
        assert_eq!(request.header("user-agent"), Some("tool/1.2"));
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

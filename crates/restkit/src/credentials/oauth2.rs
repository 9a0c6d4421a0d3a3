//! OAuth2 client credentials (RFC 6749, section 4.4) with a lazy cache of one token.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{Shared, WeakShared};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::BoxFuture;
use crate::client::{AuthContext, Client};
use crate::credentials::fixed::secret_header;
use crate::credentials::{Credentials, Ticket};
use crate::error::{Error, ErrorKind};
use crate::request::{Idempotency, Request};

/// Fetches a token with a client id and a secret, keeps it, and renews it when it is needed.
///
/// * Nothing is fetched before the first request that needs it, and nothing in the background.
/// * A token counts as expired 300 seconds before its end; one that lives less than 600 seconds, at
///   half its life. Without `expires_in` it is taken to live an hour.
/// * Callers that need a token at the same time share one token request, and its failure too. Each
///   of them drives it, so it does not matter which of them are cancelled.
/// * After a 401 the token is dropped and the request repeated once with a new one.
/// * 400, 401 and 403 from the token service mean [`ErrorKind::InvalidCredentials`]; what the retry
///   policy cannot mend becomes [`ErrorKind::TokenRequest`].
///
/// Clones share the token. It is kept in memory only, and never printed.
#[derive(Clone)]
pub struct Oauth2ClientCredentials {
    inner: Arc<Inner>,
}

/// Says where the client id and the secret stand in the token request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// As form fields `client_id` and `client_secret`.
    #[default]
    Form,
    /// As `Authorization: Basic`.
    Basic,
}

struct Inner {
    config: Config,
    state: Mutex<State>,
}

#[derive(Clone)]
struct Config {
    token_url: String,
    client_id: String,
    secret: SecretString,
    fields: Vec<(String, String)>,
    authentication: ClientAuthentication,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    flight: Option<WeakShared<Flight>>,
    tokens: u64,
}

type Flight = BoxFuture<'static, Result<Token, Error>>;

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    secret: SecretString,
    expires: Instant,
    ticket: Ticket,
}

#[bifrons::dual(blocking = crate::blocking::Oauth2ClientCredentials)]
impl Oauth2ClientCredentials {
    /// Makes credentials for a token service.
    #[must_use]
    pub fn new(
        token_url: impl Into<String>,
        client_id: impl Into<String>,
        secret: impl Into<SecretString>,
    ) -> Self {
        Self::from_config(Config {
            token_url: token_url.into(),
            client_id: client_id.into(),
            secret: secret.into(),
            fields: Vec::new(),
            authentication: ClientAuthentication::Form,
        })
    }

    /// Sets the scope that is asked for. Default: none.
    #[must_use]
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.field("scope", scope)
    }

    /// Adds a form field to the token request, such as `audience`.
    #[must_use]
    pub fn field(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut config = self.inner.config.clone();
        config.fields.push((name.into(), value.into()));
        Self::from_config(config)
    }

    /// Sets where the client id and the secret stand. Default: form fields.
    #[must_use]
    pub fn client_authentication(self, authentication: ClientAuthentication) -> Self {
        let mut config = self.inner.config.clone();
        config.authentication = authentication;
        Self::from_config(config)
    }

    /// Returns a token that is valid now, fetching one through `client` if there is none.
    ///
    /// For calls that do not go through the client, such as a WebSocket handshake. A blocking client
    /// gives what is needed here with `as_async`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidCredentials`] if the service refuses the credentials,
    /// [`ErrorKind::TokenRequest`] if it gives no token.
    pub async fn token(&self, client: &Client) -> Result<SecretString, Error> {
        let token = self.usable(&client.auth_context()).await?;
        Ok(token.secret)
    }

    fn from_config(config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                state: Mutex::default(),
            }),
        }
    }

    async fn usable(&self, context: &AuthContext) -> Result<Token, Error> {
        let flight = {
            let mut state = self.inner.lock();
            if let Some(token) = &state.token
                && context.clock().now() < token.expires
            {
                return Ok(token.clone());
            }
            match state.flight.as_ref().and_then(WeakShared::upgrade) {
                Some(flight) => flight,
                None => self.take_off(&mut state, context),
            }
        };
        flight.await
    }

    /// Starts the one token request; it lives as long as somebody waits for it.
    fn take_off(&self, state: &mut State, context: &AuthContext) -> Shared<Flight> {
        let inner = Arc::clone(&self.inner);
        let context = context.clone();
        let flight: Flight = Box::pin(async move {
            let outcome = inner.config.fetch(&context).await;
            let mut state = inner.lock();
            state.flight = None;
            let (secret, header, lifetime) = outcome?;
            state.tokens += 1;
            let token = Token {
                header,
                secret,
                expires: context.clock().now() + lifetime,
                ticket: Ticket::new(state.tokens),
            };
            state.token = Some(token.clone());
            Ok(token)
        });
        let flight = flight.shared();
        state.flight = flight.downgrade();
        flight
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credentials for Oauth2ClientCredentials {
    fn authorize<'a>(
        &'a self,
        request: &'a mut http::Request<Bytes>,
        context: &'a AuthContext,
    ) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(async move {
            let token = self.usable(context).await?;
            request.headers_mut().insert(AUTHORIZATION, token.header);
            Ok(token.ticket)
        })
    }

    fn rejected(&self, ticket: Ticket) -> bool {
        let mut state = self.inner.lock();
        // A newer token is not the one that was refused.
        if state
            .token
            .as_ref()
            .is_some_and(|token| token.ticket == ticket)
        {
            state.token = None;
        }
        true
    }

    fn preview(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer ********"));
    }
}

impl fmt::Debug for Oauth2ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oauth2ClientCredentials")
            .field("token_url", &self.inner.config.token_url)
            .field("client_id", &self.inner.config.client_id)
            .field("secret", &"********")
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<SecretText>,
    #[serde(default)]
    expires_in: Value,
}

/// A text that is wiped from memory when it is dropped.
struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input).map(|text| Self(SecretString::from(text)))
    }
}

impl Config {
    async fn fetch(
        &self,
        context: &AuthContext,
    ) -> Result<(SecretString, HeaderValue, Duration), Error> {
        let response = context.send(self.request()?).await.map_err(token_error)?;
        // Neither body nor parse error may be shown: they can hold the token.
        let unusable = |text: &str| response.context(Error::custom(ErrorKind::TokenRequest, text));
        let answer: Answer = serde_json::from_slice(response.body())
            .map_err(|_| unusable("the token service's answer is not the JSON it should be"))?;
        let Some(SecretText(token)) = answer
            .access_token
            .filter(|SecretText(token)| !token.expose_secret().is_empty())
        else {
            return Err(unusable("the token service's answer holds no token"));
        };
        let header = secret_header("Bearer ", &token)
            .map_err(|_| unusable("the token service's token cannot stand in a header"))?;
        Ok((token, header, usable_for(&answer.expires_in)))
    }

    fn request(&self) -> Result<Request, Error> {
        let mut fields = vec![("grant_type", "client_credentials")];
        let mut request = Request::post(self.token_url.clone())
            .operation("request access token")
            // Asking twice gives two tokens, which does no harm.
            .idempotency(Idempotency::Idempotent)
            .without_credentials();
        match self.authentication {
            ClientAuthentication::Form => {
                fields.push(("client_id", &self.client_id));
                fields.push(("client_secret", self.secret.expose_secret()));
            }
            ClientAuthentication::Basic => {
                let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let pair = SecretString::from(format!(
                    "{}:{}",
                    encoded(&self.client_id),
                    encoded(self.secret.expose_secret())
                ));
                let token = SecretString::from(STANDARD.encode(pair.expose_secret()));
                request = request.header(AUTHORIZATION, secret_header("Basic ", &token)?);
            }
        }
        for (name, value) in &self.fields {
            fields.push((name, value));
        }
        Ok(request.form(fields))
    }
}

/// Says what a failed token request means for the caller.
fn token_error(error: Error) -> Error {
    match error.status() {
        Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            error.with_kind(ErrorKind::InvalidCredentials)
        }
        Some(StatusCode::TOO_MANY_REQUESTS) => error,
        _ if error.is_configuration() => error,
        _ => error.with_kind(ErrorKind::TokenRequest),
    }
}

/// Returns for how long a token is used.
fn usable_for(expires_in: &Value) -> Duration {
    let seconds = match expires_in {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let life = seconds
        .and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(HOUR)
        .min(LONGEST);
    if life < 2 * MARGIN {
        life / 2
    } else {
        life - MARGIN
    }
}

const HOUR: Duration = Duration::from_secs(3600);
const MARGIN: Duration = Duration::from_secs(300);
/// A bound that keeps the arithmetic of moments safe.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_used_until_its_margin() {
        let seconds = |value: Value| usable_for(&value).as_secs_f64();
        assert_eq!(seconds(json!(3600)), 3300.0);
        assert_eq!(seconds(json!("3600")), 3300.0);
        assert_eq!(seconds(json!(600)), 300.0);
        assert_eq!(seconds(json!(599)), 299.5);
        assert_eq!(seconds(json!(0)), 0.0);
        assert_eq!(seconds(json!(null)), 3300.0);
        assert_eq!(seconds(json!(-5)), 3300.0);
        assert_eq!(seconds(json!(1e9)), 30.0 * 24.0 * 3600.0 - 300.0);
    }

    #[test]
    fn the_token_request_is_a_form_without_empty_fields() {
        let credentials =
            Oauth2ClientCredentials::new("https://id.example/token", "id", "s&=").scope("token");
        let request = credentials.inner.config.request().unwrap();
        assert_eq!(
            request.body_bytes(),
            "grant_type=client_credentials&client_id=id&client_secret=s%26%3D&scope=token"
        );
        assert!(request.headers().get(AUTHORIZATION).is_none());
    }

    #[test]
    fn basic_authentication_keeps_the_secret_out_of_the_body() {
        let credentials = Oauth2ClientCredentials::new("https://id.example/token", "id", "s:")
            .client_authentication(ClientAuthentication::Basic);
        let request = credentials.inner.config.request().unwrap();
        assert_eq!(request.body_bytes(), "grant_type=client_credentials");
        assert_eq!(request.headers()[AUTHORIZATION], "Basic aWQ6cyUzQQ==");
    }
}

use std::fmt;
use std::sync::Arc;

use http::Method;
use url::{Origin, Url};

use crate::error::Error;
use crate::headers::Headers;
use crate::proto::encode::check_value;

/// Decides what a session sends as `Authorization`; see [`SessionBuilder::auth`](crate::SessionBuilder::auth).
///
/// ```
/// use reqivo::{AuthRequest, AuthScheme, Headers};
///
/// /// Sends a token, and a fresh one when the server refuses it.
/// struct Token(fn() -> String);
///
/// impl AuthScheme for Token {
///     fn authorize(&self, _: &AuthRequest<'_>) -> Option<String> {
///         None
///     }
///
///     fn answer(&self, _: &AuthRequest<'_>, challenge: &Headers) -> Option<String> {
///         let wanted = challenge.get("www-authenticate")?.starts_with("Token");
///         wanted.then(|| format!("Token {}", (self.0)()))
///     }
/// }
///
/// let session = reqivo::Session::builder().auth(Token(|| "fresh".into())).build()?;
/// # Ok::<(), reqivo::Error>(())
/// ```
///
/// Both methods are called in the middle of a request, so they must be quick and must not block.
pub trait AuthScheme: Send + Sync {
    /// Returns the value of `Authorization` for a request, or `None` to send it without.
    fn authorize(&self, request: &AuthRequest<'_>) -> Option<String>;

    /// Returns the value of `Authorization` to send a request again with that was answered with 401, or `None` to
    /// leave it at that answer. The default never answers.
    ///
    /// It is called once for a request, and once more after a redirect, but not when the body of the request
    /// cannot be sent a second time.
    fn answer(&self, request: &AuthRequest<'_>, challenge: &Headers) -> Option<String> {
        let _ = (request, challenge);
        None
    }
}

/// The request that an [`AuthScheme`] is asked about.
#[derive(Clone, Copy)]
pub struct AuthRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) url: &'a Url,
}

impl AuthRequest<'_> {
    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.method
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.url
    }
}

impl fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthRequest")
            .field("method", &self.method)
            .field("url", &crate::error::without_secrets(self.url).as_str())
            .finish()
    }
}

/// Returns the value of `Authorization` for a user name and a password (Basic, RFC 7617), in UTF-8.
///
/// ```
/// assert_eq!(reqivo::basic_auth_header("Aladdin", "open sesame")?, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// # Ok::<(), reqivo::Error>(())
/// ```
///
/// # Errors
///
/// When the user name holds a colon, or either a control character: the server would read something else.
pub fn basic_auth_header(user: &str, password: &str) -> Result<String, Error> {
    if user.contains(':') || user.chars().chain(password.chars()).any(char::is_control) {
        return Err(Error::builder(
            "user name or password cannot be sent as basic credentials",
        ));
    }
    let mut value = String::from("Basic ");
    base64::Engine::encode_string(
        &base64::engine::general_purpose::STANDARD,
        format!("{user}:{password}"),
        &mut value,
    );
    Ok(value)
}

/// Returns the value of `Authorization` for a token (Bearer, RFC 6750).
///
/// # Errors
///
/// When the token holds a control character, or is empty.
pub fn bearer_auth_header(token: &str) -> Result<String, Error> {
    if check_value(token.as_bytes())?.is_empty() {
        return Err(Error::builder("an empty token cannot be sent"));
    }
    Ok(format!("Bearer {token}"))
}

/// The value is the same for every request.
pub(crate) struct Fixed(String);

impl Fixed {
    /// Basic credentials (RFC 7617).
    pub(crate) fn basic(user: &str, password: &str) -> Result<Self, Error> {
        basic_auth_header(user, password).map(Self)
    }

    /// A bearer token (RFC 6750).
    pub(crate) fn bearer(token: &str) -> Result<Self, Error> {
        bearer_auth_header(token).map(Self)
    }
}

impl AuthScheme for Fixed {
    fn authorize(&self, _: &AuthRequest<'_>) -> Option<String> {
        Some(self.0.clone())
    }
}

/// The credentials of a session during one call.
pub(crate) struct CallAuth {
    scheme: Arc<dyn AuthScheme>,
    /// The origins that get them: those that the session names, or the first of the call.
    scope: Scope,
    /// The value with which a challenge was answered, for the request that is sent again.
    answer: Option<String>,
    answered: bool,
}

enum Scope {
    Listed(Arc<[Origin]>),
    /// None until a redirect leads away from it.
    First(Option<Origin>),
}

impl CallAuth {
    pub(crate) fn new(scheme: Arc<dyn AuthScheme>, origins: Option<&Arc<[Origin]>>) -> Self {
        Self {
            scheme,
            scope: match origins {
                Some(origins) => Scope::Listed(Arc::clone(origins)),
                None => Scope::First(None),
            },
            answer: None,
            answered: false,
        }
    }

    /// The value of `Authorization` for the next request, if that goes where credentials may go.
    pub(crate) fn value(&mut self, method: &Method, url: &Url) -> Option<String> {
        if !self.is_for(url) {
            return None;
        }
        let value = match self.answer.take() {
            Some(answer) => Some(answer),
            None => self.scheme.authorize(&AuthRequest { method, url }),
        };
        value.filter(|value| is_sendable(value))
    }

    /// Answers the challenge of a 401 response. Returns whether the request is to be sent again.
    pub(crate) fn answer(&mut self, method: &Method, url: &Url, challenge: &Headers) -> bool {
        if self.answered || !self.is_for(url) {
            return false;
        }
        self.answered = true;
        let answer = self.scheme.answer(&AuthRequest { method, url }, challenge);
        self.answer = answer.filter(|value| is_sendable(value));
        self.answer.is_some()
    }

    /// Goes on with a redirect. `trusted` says that it leads from http to https of the same host, and that the
    /// caller counts them as one.
    pub(crate) fn redirected(&mut self, from: &Url, to: &Url, trusted: bool) {
        self.answered = false;
        if let Scope::First(first) = &mut self.scope {
            let home = first.get_or_insert_with(|| from.origin());
            if trusted && *home == from.origin() {
                *home = to.origin();
            }
        }
    }

    pub(crate) fn is_for(&self, url: &Url) -> bool {
        match &self.scope {
            Scope::Listed(origins) => origins.contains(&url.origin()),
            Scope::First(first) => first.as_ref().is_none_or(|first| *first == url.origin()),
        }
    }
}

fn is_sendable(value: &str) -> bool {
    let sendable = check_value(value.as_bytes()).is_ok();
    if !sendable {
        tracing::warn!("an authorization value with a control character is not sent");
    }
    sendable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn credentials_go_to_the_first_origin_or_to_those_that_are_listed() {
        let scheme: Arc<dyn AuthScheme> = Arc::new(Fixed::bearer("t").unwrap());
        let sent = |auth: &mut CallAuth, to: &str| auth.value(&Method::GET, &url(to)).is_some();
        let mut first = CallAuth::new(Arc::clone(&scheme), None);
        assert!(sent(&mut first, "http://a/x"));
        first.redirected(&url("http://a/x"), &url("http://a:80/y"), false);
        assert!(sent(&mut first, "http://a:80/y"));
        for other in ["https://a/", "http://a:8080/", "http://b/"] {
            assert!(!sent(&mut first, other), "{other}");
        }
        first.redirected(&url("http://b/"), &url("https://b/"), true);
        assert!(!sent(&mut first, "https://b/"), "it never was for b");
        first.redirected(&url("http://a/"), &url("https://a/"), true);
        assert!(sent(&mut first, "https://a/") && !sent(&mut first, "http://a/"));

        let origins: Arc<[Origin]> =
            vec![url("https://b").origin(), url("http://c:81").origin()].into();
        let mut listed = CallAuth::new(scheme, Some(&origins));
        for (to, expected) in [
            ("http://a/", false),
            ("https://b/", true),
            ("http://b/", false),
            ("http://c:81/", true),
        ] {
            assert_eq!(sent(&mut listed, to), expected, "{to}");
        }
    }

    #[test]
    fn values_that_would_break_the_head_are_refused() {
        assert!(Fixed::bearer("a\r\nb").is_err());
        assert!(Fixed::basic("a:b", "c").is_err());
        assert!(Fixed::basic("a", "c\0").is_err());
        assert!(!is_sendable("a\nb") && is_sendable("Token x"));
    }
}

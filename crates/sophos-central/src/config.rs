//! Settings of a client.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use restkit::rate_limit::{Quota, RateLimits};
use restkit::retry::RetryPolicy;
use restkit::{BoxFuture, Clock, Transport};
use secrecy::{ExposeSecret, SecretString};

use crate::error::Error;
use crate::id::TenantId;

/// Everything a client needs to know. Only the client id and the secret are required.
///
/// | setting | default | range |
/// |---|---|---|
/// | tenant | none: a tenant's credential needs none | |
/// | timeout per attempt | 30 seconds | 1 to 300 seconds |
/// | retries after the first attempt | 3 | 0 to 10 |
/// | retries after 429 | on | |
/// | rate limit | 10 per second and 100 per minute with a burst of 300; none for loopback | |
/// | tenants or devices worked on at once | 8 | 1 to 64 |
/// | token URL, global URL | the vendor's | |
/// | URL of the tenant's data | as the service says | |
///
/// Values are checked when the client is made.
///
/// ```
/// use sophos_central::{Client, Config};
///
/// let config = Config::new("my-client-id", "my-secret").max_retries(5);
/// assert!(!format!("{config:?}").contains("my-secret"));
/// let client = Client::new(config)?;
/// # Ok::<(), sophos_central::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Config {
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) tenant_id: Option<TenantId>,
    pub(crate) timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) rate_limit_retry: bool,
    pub(crate) rate_limit: RateLimit,
    pub(crate) concurrency: usize,
    pub(crate) auth_url: Option<String>,
    pub(crate) global_url: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) user_agent: String,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) transport: Option<Arc<dyn Transport>>,
    pub(crate) jitter_seed: Option<u64>,
}

/// How many requests per second a client sends at most; all clones of it together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RateLimit {
    /// What the vendor advises: 10 per second and 100 per minute with a burst of 300. None for
    /// loopback addresses.
    #[default]
    Auto,
    /// None.
    Off,
    /// So many per second, for loopback addresses too.
    PerSecond(u32),
}

impl std::str::FromStr for RateLimit {
    type Err = Error;

    /// Reads `auto`, `off`, or a number per second such as `5/s`.
    fn from_str(text: &str) -> Result<Self, Error> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            other => other
                .strip_suffix("/s")
                .and_then(|number| number.trim().parse().ok())
                .filter(|number| *number > 0)
                .map(Self::PerSecond)
                .ok_or_else(|| {
                    Error::configuration(format!(
                        "`{other}` is not a rate limit; give auto, off, or a number per second such as 5/s (api.rate_limit)"
                    ))
                }),
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::PerSecond(number) => write!(f, "{number}/s"),
        }
    }
}

impl RateLimit {
    fn limits(self) -> RateLimits {
        match self {
            Self::Auto => RateLimits::new()
                .quota(Quota::per_second(10))
                .quota(Quota::per_minute(100).burst(300)),
            Self::Off => RateLimits::new(),
            Self::PerSecond(number) => RateLimits::new()
                .quota(Quota::per_second(number))
                .on_loopback(true),
        }
    }
}

impl Config {
    /// Makes settings for a credential.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<SecretString>) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            tenant_id: None,
            timeout: Duration::from_secs(30),
            max_retries: 3,
            rate_limit_retry: true,
            rate_limit: RateLimit::Auto,
            concurrency: 8,
            auth_url: None,
            global_url: None,
            base_url: None,
            user_agent: concat!("sophos-central/", env!("CARGO_PKG_VERSION")).to_owned(),
            clock: None,
            transport: None,
            jitter_seed: None,
        }
    }

    /// Sets the tenant that calls go to when none is chosen with
    /// [`for_tenant`](crate::Client::for_tenant). With a tenant's own credential it must be that
    /// tenant.
    pub fn tenant_id(mut self, id: impl Into<TenantId>) -> Self {
        self.tenant_id = Some(id.into());
        self
    }

    /// Sets how long one attempt may take, from connecting to the end of the body.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Sets how often a request is sent again, where that is allowed.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// Sets whether a request is sent again after the service asked for fewer requests (429).
    pub fn rate_limit_retry(mut self, retry: bool) -> Self {
        self.rate_limit_retry = retry;
        self
    }

    /// Sets how many requests per second are sent at most.
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.rate_limit = limit;
        self
    }

    /// Sets how many tenants or devices are worked on at once by one call for many.
    pub fn concurrency(mut self, calls: usize) -> Self {
        self.concurrency = calls;
        self
    }

    /// Sets the whole URL of the token service.
    pub fn auth_url(mut self, url: impl Into<String>) -> Self {
        self.auth_url = Some(url.into());
        self
    }

    /// Sets the URL of the global host, in place of the vendor's and of what the service says.
    pub fn global_url(mut self, url: impl Into<String>) -> Self {
        self.global_url = Some(url.into());
        self
    }

    /// Sets the URL of the host of tenants' data, in place of what the service says.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets what the client calls itself.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Sets the clock that retries, limits, token expiry and relative times go by.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets what sends the requests. Default: [`reqivo`](https://docs.rs/reqivo).
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Makes the jitter of delays between retries repeatable.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = Some(seed);
        self
    }

    /// Checks what can be checked without a call.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let missing = |what: &str, key: &str| {
            Err(Error::configuration(format!(
                "the {what} is missing ({key})"
            )))
        };
        let outside = |what: &str, range: &str, key: &str| {
            Err(Error::configuration(format!(
                "the {what} must be {range} ({key})"
            )))
        };
        if self.client_id.trim().is_empty() {
            return missing("client id", "auth.client_id");
        }
        if self.client_secret.expose_secret().is_empty() {
            return missing("client secret", "auth.client_secret");
        }
        if self
            .tenant_id
            .as_ref()
            .is_some_and(|id| id.as_str().trim().is_empty())
        {
            return missing("tenant id", "api.tenant_id");
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(300)).contains(&self.timeout) {
            return outside("timeout", "1 to 300 seconds", "api.timeout");
        }
        if self.max_retries > 10 {
            return outside("number of retries", "0 to 10", "api.max_retries");
        }
        if !(1..=64).contains(&self.concurrency) {
            return outside("concurrency", "1 to 64", "api.concurrency");
        }
        if self.rate_limit == RateLimit::PerSecond(0) {
            return outside("rate limit", "at least 1/s", "api.rate_limit");
        }
        Ok(())
    }

    /// The client of the floor below, with the global host as its base.
    pub(crate) fn rest(&self) -> Result<restkit::Client, Error> {
        let credentials = restkit::credentials::Oauth2ClientCredentials::new(
            self.auth_url.as_deref().unwrap_or(AUTH_URL),
            self.client_id.trim(),
            self.client_secret.clone(),
        )
        .scope("token");
        let mut builder = restkit::Client::builder()
            .base_url(self.global_url.as_deref().unwrap_or(GLOBAL_URL))
            .credentials(credentials)
            .retry(
                RetryPolicy::new()
                    .max_retries(self.max_retries)
                    .attempt_timeout(self.timeout)
                    .rate_limit_retry(self.rate_limit_retry),
            )
            .rate_limits(self.rate_limit.limits())
            .error_decoder(crate::error::VendorErrors)
            .user_agent(self.user_agent.clone());
        if let Some(clock) = &self.clock {
            builder = builder.clock(SharedClock(Arc::clone(clock)));
        }
        if let Some(transport) = &self.transport {
            builder = builder.transport(Arc::clone(transport));
        }
        if let Some(seed) = self.jitter_seed {
            builder = builder.jitter_seed(seed);
        }
        Ok(builder.build()?)
    }
}

/// A clock that several clients may share.
struct SharedClock(Arc<dyn Clock>);

impl Clock for SharedClock {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn calendar(&self) -> SystemTime {
        self.0.calendar()
    }
}

const AUTH_URL: &str = "https://id.sophos.com/api/v2/oauth2/token";
const GLOBAL_URL: &str = "https://api.central.sophos.com";

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("client_id", &self.client_id)
            .field("client_secret", &"********")
            .field("tenant_id", &self.tenant_id)
            .field("timeout", &self.timeout)
            .field("max_retries", &self.max_retries)
            .field("rate_limit_retry", &self.rate_limit_retry)
            .field("rate_limit", &self.rate_limit)
            .field("concurrency", &self.concurrency)
            .field("auth_url", &self.auth_url.as_deref().map(shown))
            .field("global_url", &self.global_url.as_deref().map(shown))
            .field("base_url", &self.base_url.as_deref().map(shown))
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

/// A URL for people: without user info and query, which may hold secrets.
fn shown(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else {
        return "not a URL".to_owned();
    };
    // These fail only for URLs that cannot have user info.
    url.set_username("").ok();
    url.set_password(None).ok();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_urls_without_what_may_be_secret() {
        let config = Config::new("id", "secret")
            .auth_url("https://user:hunter2@id.example/token?key=hunter2")
            .global_url("hunter2");
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(printed.contains("https://id.example/token"), "{printed}");
    }

    #[test]
    fn values_out_of_range_are_refused_and_the_key_is_named() {
        let config = || Config::new("id", "secret");
        for (config, key) in [
            (Config::new(" ", "secret"), "auth.client_id"),
            (Config::new("id", ""), "auth.client_secret"),
            (config().timeout(Duration::ZERO), "api.timeout"),
            (config().timeout(Duration::from_secs(301)), "api.timeout"),
            (config().max_retries(11), "api.max_retries"),
            (config().concurrency(0), "api.concurrency"),
            (config().concurrency(65), "api.concurrency"),
            (
                config().rate_limit(RateLimit::PerSecond(0)),
                "api.rate_limit",
            ),
            (config().tenant_id(""), "api.tenant_id"),
        ] {
            let error = config.check().unwrap_err();
            assert!(error.is_configuration());
            assert!(error.to_string().contains(key), "{error}");
        }
        assert!(config().check().is_ok());
    }

    #[test]
    fn rate_limits_are_read_and_written() {
        for (text, limit) in [
            ("auto", RateLimit::Auto),
            ("off", RateLimit::Off),
            ("5/s", RateLimit::PerSecond(5)),
        ] {
            assert_eq!(text.parse::<RateLimit>().unwrap(), limit);
            assert_eq!(limit.to_string(), text);
        }
        for text in ["", "0/s", "5", "5/m", "-1/s", "fast"] {
            assert!(
                text.parse::<RateLimit>().unwrap_err().is_configuration(),
                "{text}"
            );
        }
    }
}

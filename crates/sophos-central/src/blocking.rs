//! The blocking face: the same types with the same methods, without `await`.
//!
//! ```no_run
//! use sophos_central::endpoint::Health;
//! use sophos_central::{Config, blocking};
//!
//! # fn run() -> Result<(), sophos_central::Error> {
//! let client = blocking::Client::new(Config::new("client-id", "client-secret"))?;
//! for endpoint in client.endpoint().list().health(Health::Bad).items() {
//!     let endpoint = endpoint?;
//!     println!("{} {:?}", endpoint.id, endpoint.hostname);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Clients share [`BlockingRuntime::shared`](bifrons::BlockingRuntime::shared) unless they are made
//! with [`new_on`](Client::new_on). No thread is started for calls. A call from inside an async task
//! is an error that says what to do instead; see [`Error::as_blocking`](crate::Error::as_blocking).

bifrons::blocking_type! {
    /// Blocking form of [`crate::Client`].
    #[derive(Clone, Debug)]
    #[blocking(used = was_used)]
    pub struct Client wraps crate::Client;

    /// Blocking form of [`crate::endpoint::EndpointApi`].
    #[derive(Clone, Debug)]
    #[blocking(used = was_used)]
    pub struct EndpointApi wraps crate::endpoint::EndpointApi;

    /// Blocking form of [`crate::alerts::AlertApi`].
    #[derive(Clone, Debug)]
    #[blocking(used = was_used)]
    pub struct AlertApi wraps crate::alerts::AlertApi;

    /// Blocking form of [`crate::tenants::TenantApi`].
    #[derive(Clone, Debug)]
    #[blocking(used = was_used)]
    pub struct TenantApi wraps crate::tenants::TenantApi;

    /// Blocking form of [`crate::List`].
    #[derive(Clone, Debug)]
    #[must_use]
    #[blocking(used = was_used)]
    pub struct List<F> wraps crate::List<F> where F: crate::ListFilter;

    /// Blocking form of [`crate::RawList`].
    #[derive(Clone, Debug)]
    #[must_use]
    #[blocking(used = was_used)]
    pub struct RawList wraps crate::RawList;
}

/// Blocking form of [`crate::endpoint::EndpointList`].
pub type EndpointList = List<crate::endpoint::EndpointFilter>;

/// Blocking form of [`crate::alerts::AlertList`].
pub type AlertList = List<crate::alerts::AlertFilter>;

/// Blocking form of [`crate::tenants::TenantList`].
pub type TenantList = List<crate::tenants::TenantFilter>;

/// A value that makes its calls with a client.
trait Holds {
    fn client(&self) -> &crate::Client;
}

/// Returns true if the value may hold connections, which belong to the runtime they were made on.
fn was_used<T: Holds>(value: &T) -> bool {
    value.client().was_used()
}

impl Holds for crate::Client {
    fn client(&self) -> &crate::Client {
        self
    }
}

macro_rules! holds {
    ($($name:ty),+ $(,)?) => {
        $( impl Holds for $name {
            fn client(&self) -> &crate::Client {
                self.own_client()
            }
        } )+
    };
}

holds!(
    crate::endpoint::EndpointApi,
    crate::alerts::AlertApi,
    crate::tenants::TenantApi,
    crate::RawList,
);

impl<F> Holds for crate::List<F> {
    fn client(&self) -> &crate::Client {
        self.own_client()
    }
}

//! Alerts: what happened and may need somebody to act.
//!
//! | call | what it does |
//! |---|---|
//! | [`list`](AlertApi::list) | lists alerts by [filters](AlertFilter) |
//! | [`get`](AlertApi::get), [`get_opt`](AlertApi::get_opt) | reads one |

use bifrons::dual;
use restkit::Record;

use crate::client::Client;
use crate::error::Error;
use crate::id::AlertId;
use crate::params::found;
use crate::route;

mod list;
mod model;
mod params;

pub use self::list::AlertList;
pub use self::model::{
    AgentType, Alert, AlertAction, Category, ManagedAgent, PersonRef, Product, Severity,
};
pub use self::params::AlertFilter;

/// The calls about alerts; made by [`Client::alerts`].
#[derive(Clone, Debug)]
pub struct AlertApi {
    client: Client,
}

#[dual(blocking = crate::blocking::AlertApi)]
impl AlertApi {
    /// Returns a list of all alerts, to be narrowed down and fetched.
    #[blocking(wrap = crate::blocking::AlertList)]
    pub fn list(&self) -> AlertList {
        AlertList::new(self.client.clone())
    }

    /// Returns one alert.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is none; use [`get_opt`](Self::get_opt) where
    /// that is normal. An acknowledged alert is there no more.
    pub async fn get(&self, id: &AlertId) -> Result<Record<Alert>, Error> {
        let request = route::ALERT.request(&[id.as_str()]);
        self.client.send(&route::ALERT, request).await?.json()
    }

    /// Returns one alert, or `None` if there is none.
    ///
    /// # Errors
    /// Any failure but that.
    pub async fn get_opt(&self, id: &AlertId) -> Result<Option<Record<Alert>>, Error> {
        found(self.get(id).await)
    }
}

impl AlertApi {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }
}

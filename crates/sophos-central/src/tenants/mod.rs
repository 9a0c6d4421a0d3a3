//! Tenants: the customers' accounts that a credential can be used for.
//!
//! Where they come from depends on the credential: a partner's and an organization's come from its
//! own list; a tenant's own credential has one tenant, which is shown as a single row.
//!
//! | call | what it does |
//! |---|---|
//! | [`list`](TenantApi::list) | lists tenants |
//! | [`get`](TenantApi::get), [`get_opt`](TenantApi::get_opt) | reads one |

use bifrons::dual;
use restkit::Record;

use crate::client::{Account, Client};
use crate::error::Error;
use crate::id::TenantId;
use crate::params::found;
use crate::route;

mod list;
mod model;
mod params;
mod target;

pub use self::list::TenantList;
pub use self::model::{
    AccountRef, ApiHosts, BillingType, IdType, Tenant, TenantProduct, TenantRef, Whoami,
};
pub use self::params::TenantFilter;
pub use self::target::Target;

/// The calls about tenants; made by [`Client::tenants`].
#[derive(Clone, Debug)]
pub struct TenantApi {
    client: Client,
}

#[dual(blocking = crate::blocking::TenantApi)]
impl TenantApi {
    /// Returns a list of all tenants, to be fetched.
    #[blocking(wrap = crate::blocking::TenantList)]
    pub fn list(&self) -> TenantList {
        TenantList::new(self.client.clone())
    }

    /// Returns one tenant. With a tenant's own credential that can only be its own.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is none; use [`get_opt`](Self::get_opt) where
    /// that is normal. [`is_configuration`](Error::is_configuration) if the credential belongs to
    /// another tenant.
    pub async fn get(&self, id: &TenantId) -> Result<Record<Tenant>, Error> {
        let route = match self.client.account().await? {
            Account::Partner => &route::PARTNER_TENANT,
            Account::Organization => &route::ORGANIZATION_TENANT,
            Account::Tenant => return self.client.for_tenant(id).own_tenant().await,
        };
        let response = self
            .client
            .send(route, route.request(&[id.as_str()]))
            .await?;
        let tenant: Record<Tenant> = response.json()?;
        self.client.remember(&Target::from(tenant.value()));
        Ok(tenant)
    }

    /// Returns one tenant, or `None` if there is none.
    ///
    /// # Errors
    /// Any failure but that.
    pub async fn get_opt(&self, id: &TenantId) -> Result<Option<Record<Tenant>>, Error> {
        found(self.get(id).await)
    }
}

impl TenantApi {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }
}

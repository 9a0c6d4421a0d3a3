//! Lists of tenants.

use bifrons::dual;

use super::model::Tenant;
use super::params::TenantFilter;
use crate::builder::sealed::Source;
use crate::builder::{List, ListFilter};
use crate::client::Client;
use crate::list::{Listing, Paging};

/// A list of tenants to be fetched; made by [`TenantApi::list`](super::TenantApi::list).
///
/// Like every [`List`] it is fetched by [`send`](List::send), [`items`](List::items) or
/// [`pages`](List::pages).
pub type TenantList = List<TenantFilter>;

#[dual(blocking = crate::blocking::TenantList)]
impl TenantList {
    /// Asks for these members of each only; the id always comes along.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.filter.fields = fields.into_iter().map(Into::into).collect();
        self
    }
}

impl ListFilter for TenantFilter {
    type Item = Tenant;
}

impl Source for TenantFilter {
    fn listing(&self, client: Client, paging: Paging) -> Listing {
        Listing::tenants(client, |query| self.apply(query), paging)
    }
}

//! Lists of items as the service wrote them.

use bifrons::dual;

use crate::error::Error;
use crate::fan_out::{Across, Gathered, gather};
use crate::list::{Items, Listing, Page, Pages, RawItem};
use crate::tenants::Target;

/// A list whose items are not decoded: each is the JSON text that the service sent.
///
/// Made by the `raw` method of a list. Copying items costs a fraction of decoding them.
#[derive(Clone, Debug)]
#[must_use]
pub struct RawList {
    listing: Listing,
}

impl RawList {
    pub(crate) fn new(listing: Listing) -> Self {
        Self { listing }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &crate::Client {
        self.listing.client()
    }
}

#[dual(blocking = crate::blocking::RawList)]
impl RawList {
    /// Fetches one page.
    ///
    /// # Errors
    /// As any call: see [`Error`].
    pub async fn send(self) -> Result<Page<RawItem>, Error> {
        self.listing.page().await
    }

    /// Streams all items.
    #[blocking(iter = Result<RawItem, Error>)]
    #[must_use]
    pub fn items(self) -> Items<RawItem> {
        self.listing.items()
    }

    /// Streams all pages.
    #[blocking(iter = Result<Page<RawItem>, Error>)]
    #[must_use]
    pub fn pages(self) -> Pages<RawItem> {
        self.listing.pages()
    }

    /// Streams the items of many tenants.
    #[blocking(iter = Result<crate::TenantItem<RawItem>, crate::TenantFailure>)]
    #[must_use]
    pub fn across(self, tenants: Vec<Target>) -> Across<RawItem> {
        Across::new(self.listing, tenants)
    }

    /// Collects the items of many tenants.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run; a tenant's failure is part of the result.
    pub async fn gather(self, tenants: Vec<Target>) -> Result<Gathered<RawItem>, Error> {
        gather(Across::new(self.listing, tenants)).await
    }
}

//! What every list has: how it is paged, and how it is fetched.

use std::fmt;

use bifrons::dual;
use restkit::Record;
use restkit::pagination::Position;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::error::Error;
use crate::fan_out::{Across, Gathered, gather};
use crate::list::{Items, Listing, Page, Pages, Paging};
use crate::progress::Progress;
use crate::raw::RawList;
use crate::tenants::Target;

/// What can be asked about the items of a list, and what they are: the filter of an area.
///
/// It is implemented by the filters of this library only.
pub trait ListFilter:
    sealed::Source + Clone + fmt::Debug + Default + Send + Sync + 'static
{
    /// An item of the list.
    type Item: DeserializeOwned + Send + 'static;
}

/// The filter of a list that every tenant has one of, so that it can be asked for across tenants.
pub trait PerTenant: ListFilter {}

pub(crate) mod sealed {
    use crate::client::Client;
    use crate::list::{Listing, Paging};

    /// Where the items of a list come from.
    #[expect(unnameable_types, reason = "only this crate implements it")]
    pub trait Source {
        /// Returns the list that the filter asks for; an error of the filter is kept in it.
        fn listing(&self, client: Client, paging: Paging) -> Listing;
    }
}

/// A list to be fetched, of the items that its filter is about.
///
/// Each area has a name of its own for it, such as [`EndpointList`](crate::endpoint::EndpointList) or
/// [`AlertList`](crate::alerts::AlertList), and methods that narrow it down. Nothing is sent before
/// `send` is awaited, or the first item of the others is asked for.
#[derive(Clone, Debug)]
#[must_use]
pub struct List<F> {
    client: Client,
    pub(crate) filter: F,
    paging: Paging,
}

#[dual(blocking = crate::blocking::List<F>, part = "list")]
impl<F: ListFilter> List<F> {
    /// Replaces all filters at once.
    pub fn filter(mut self, filter: F) -> Self {
        self.filter = filter;
        self
    }

    /// Asks for that many items per page, at most what the service gives. Default: the service's
    /// own choice for [`send`](Self::send), else as many as it gives.
    pub fn page_size(mut self, items: u32) -> Self {
        self.paging.size = Some(items);
        self
    }

    /// Ends after that many pages. Default: no bound.
    pub fn max_pages(mut self, pages: u64) -> Self {
        self.paging.max_pages = Some(pages);
        self
    }

    /// Ends after that many items. Default: no bound.
    pub fn max_items(mut self, items: u64) -> Self {
        self.paging.max_items = Some(items);
        self
    }

    /// Asks the service how many items there are in all; see [`Progress::total_items`].
    pub fn with_totals(mut self) -> Self {
        self.paging.totals = true;
        self
    }

    /// Starts at a place where an earlier list stopped.
    pub fn resume_from(mut self, position: Position) -> Self {
        self.paging.resume = Some(position);
        self
    }

    /// Counts pages and items in that handle, also while the list runs.
    pub fn report_to(mut self, progress: &Progress) -> Self {
        self.paging.progress = Some(progress.clone());
        self
    }

    /// Fetches one page.
    ///
    /// # Errors
    /// As any call: see [`Error`].
    pub async fn send(self) -> Result<Page<Record<F::Item>>, Error> {
        self.listing().page().await
    }

    /// Streams all items.
    #[blocking(iter = Result<Record<F::Item>, Error>)]
    #[must_use]
    pub fn items(self) -> Items<Record<F::Item>> {
        self.listing().items()
    }

    /// Streams all pages.
    #[blocking(iter = Result<Page<Record<F::Item>>, Error>)]
    #[must_use]
    pub fn pages(self) -> Pages<Record<F::Item>> {
        self.listing().pages()
    }

    /// Streams the items of many tenants; see [`Across`].
    #[blocking(iter = Result<crate::TenantItem<Record<F::Item>>, crate::TenantFailure>)]
    #[must_use]
    pub fn across(self, tenants: Vec<Target>) -> Across<Record<F::Item>>
    where
        F: PerTenant,
    {
        Across::new(self.listing(), tenants)
    }

    /// Collects the items of many tenants.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run; a tenant's failure is part of the result.
    pub async fn gather(self, tenants: Vec<Target>) -> Result<Gathered<Record<F::Item>>, Error>
    where
        F: PerTenant,
    {
        gather(self.across(tenants)).await
    }

    /// Returns the same list with items that are not decoded: each is the text the service sent.
    #[blocking(wrap = crate::blocking::RawList)]
    pub fn raw(self) -> RawList {
        RawList::new(self.listing())
    }
}

impl<F: ListFilter> List<F> {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            filter: F::default(),
            paging: Paging::default(),
        }
    }

    fn listing(self) -> Listing {
        self.filter.listing(self.client, self.paging)
    }
}

#[cfg(feature = "blocking")]
impl<F> List<F> {
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }
}

//! Lists of tenants.

use bifrons::dual;
use restkit::Record;
use restkit::pagination::Position;

use super::model::Tenant;
use super::params::TenantFilter;
use crate::client::Client;
use crate::error::Error;
use crate::list::{Items, Listing, Page, Pages, Paging};
use crate::params::Query;
use crate::progress::Progress;
use crate::raw::RawList;
use crate::route::Route;

/// A list of tenants to be fetched; made by [`TenantApi::list`](super::TenantApi::list).
#[derive(Clone, Debug)]
#[must_use]
pub struct TenantList {
    client: Client,
    filter: TenantFilter,
    paging: Paging,
}

#[dual(blocking = crate::blocking::TenantList)]
impl TenantList {
    /// Replaces all filters at once.
    pub fn filter(mut self, filter: TenantFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Asks for these members of each only; the id always comes along.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.filter.fields = fields.into_iter().map(Into::into).collect();
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
    pub async fn send(self) -> Result<Page<Record<Tenant>>, Error> {
        self.listing().page().await
    }

    /// Streams all items.
    #[blocking(iter = Result<Record<Tenant>, Error>)]
    #[must_use]
    pub fn items(self) -> Items<Record<Tenant>> {
        self.listing().items()
    }

    /// Streams all pages.
    #[blocking(iter = Result<Page<Record<Tenant>>, Error>)]
    #[must_use]
    pub fn pages(self) -> Pages<Record<Tenant>> {
        self.listing().pages()
    }

    /// Returns the same list with items that are not decoded: each is the text the service sent.
    #[blocking(wrap = crate::blocking::RawList)]
    pub fn raw(self) -> RawList {
        RawList::new(self.listing())
    }
}

impl TenantList {
    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }

    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            filter: TenantFilter::default(),
            paging: Paging::default(),
        }
    }

    fn listing(self) -> Listing {
        let now = self.client.now();
        let build = |route: &Route| self.filter.apply(Query::new(route.request(&[]), now));
        Listing::tenants(self.client.clone(), build, self.paging.clone())
    }
}

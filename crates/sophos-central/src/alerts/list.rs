//! Lists of alerts.

use bifrons::dual;
use restkit::Record;
use restkit::pagination::Position;

use super::model::{Alert, Category, Product, Severity};
use super::params::AlertFilter;
use crate::client::Client;
use crate::error::Error;
use crate::fan_out::{Across, Gathered, gather};
use crate::id::AlertId;
use crate::list::{Items, Listing, Page, Pages, Paging};
use crate::params::Query;
use crate::progress::Progress;
use crate::raw::RawList;
use crate::route;
use crate::tenants::Target;
use crate::time::When;

/// A list of alerts to be fetched; made by [`AlertApi::list`](super::AlertApi::list).
#[derive(Clone, Debug)]
#[must_use]
pub struct AlertList {
    client: Client,
    filter: AlertFilter,
    paging: Paging,
}

#[dual(blocking = crate::blocking::AlertList)]
impl AlertList {
    /// Replaces all filters at once.
    pub fn filter(mut self, filter: AlertFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Those raised then or later. A relative time is resolved when the list is made.
    pub fn from(mut self, when: impl Into<When>) -> Self {
        self.filter.from = Some(when.into());
        self
    }

    /// Those raised before that. A relative time is resolved when the list is made.
    pub fn to(mut self, when: impl Into<When>) -> Self {
        self.filter.to = Some(when.into());
        self
    }

    /// Those of that product; again for more than one.
    pub fn product(mut self, value: Product) -> Self {
        self.filter.products.push(value);
        self
    }

    /// Those of that category; again for more than one.
    pub fn category(mut self, value: Category) -> Self {
        self.filter.categories.push(value);
        self
    }

    /// Those of that severity; again for more than one.
    pub fn severity(mut self, value: Severity) -> Self {
        self.filter.severities.push(value);
        self
    }

    /// Those that belong together by that key.
    pub fn group_key(mut self, text: impl Into<String>) -> Self {
        self.filter.group_key = Some(text.into());
        self
    }

    /// Those with these ids. None at all is refused, as it would mean all alerts.
    pub fn ids(mut self, ids: impl IntoIterator<Item = impl Into<AlertId>>) -> Self {
        self.filter.ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Asks for these members of each only; the id always comes along.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.filter.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Sorts by a field, or by a field with `:asc` or `:desc`, such as `raisedAt:desc`; again for more
    /// than one.
    pub fn sort(mut self, key: impl Into<String>) -> Self {
        self.filter.sort.push(key.into());
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
    pub async fn send(self) -> Result<Page<Record<Alert>>, Error> {
        self.listing().page().await
    }

    /// Streams all items.
    #[blocking(iter = Result<Record<Alert>, Error>)]
    #[must_use]
    pub fn items(self) -> Items<Record<Alert>> {
        self.listing().items()
    }

    /// Streams all pages.
    #[blocking(iter = Result<Page<Record<Alert>>, Error>)]
    #[must_use]
    pub fn pages(self) -> Pages<Record<Alert>> {
        self.listing().pages()
    }

    /// Streams the items of many tenants; see [`Across`].
    #[blocking(iter = Result<crate::TenantItem<Record<Alert>>, crate::TenantFailure>)]
    #[must_use]
    pub fn across(self, tenants: Vec<Target>) -> Across<Record<Alert>> {
        Across::new(self.listing(), tenants)
    }

    /// Collects the items of many tenants.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run; a tenant's failure is part of the result.
    pub async fn gather(self, tenants: Vec<Target>) -> Result<Gathered<Record<Alert>>, Error> {
        gather(self.across(tenants)).await
    }

    /// Returns the same list with items that are not decoded: each is the text the service sent.
    #[blocking(wrap = crate::blocking::RawList)]
    pub fn raw(self) -> RawList {
        RawList::new(self.listing())
    }
}

impl AlertList {
    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }

    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            filter: AlertFilter::default(),
            paging: Paging::default(),
        }
    }

    fn listing(self) -> Listing {
        let query = Query::new(route::ALERTS.request(&[]), self.client.now());
        let request = self.filter.apply(query);
        Listing::new(self.client, &route::ALERTS, request, self.paging)
    }
}

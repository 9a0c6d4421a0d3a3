//! Lists of endpoints.

use bifrons::dual;
use restkit::Record;
use restkit::pagination::Position;

use super::model::{
    EncryptionStatus, Endpoint, EndpointType, Health, IsolationStatus, LockdownStatus,
};
use super::params::{EndpointFilter, SearchField};
use crate::client::Client;
use crate::error::Error;
use crate::fan_out::{Across, Gathered, gather};
use crate::id::EndpointId;
use crate::list::{Items, Listing, Page, Pages, Paging};
use crate::params::{Query, View};
use crate::progress::Progress;
use crate::raw::RawList;
use crate::route;
use crate::tenants::Target;
use crate::time::When;

/// A list of endpoints to be fetched; made by [`EndpointApi::list`](super::EndpointApi::list).
#[derive(Clone, Debug)]
#[must_use]
pub struct EndpointList {
    client: Client,
    filter: EndpointFilter,
    paging: Paging,
}

#[dual(blocking = crate::blocking::EndpointList)]
impl EndpointList {
    /// Replaces all filters at once.
    pub fn filter(mut self, filter: EndpointFilter) -> Self {
        self.filter = filter;
        self
    }

    /// Those of that health; again for more than one.
    pub fn health(mut self, value: Health) -> Self {
        self.filter.health.push(value);
        self
    }

    /// Those of that kind; again for more than one.
    pub fn kind(mut self, value: EndpointType) -> Self {
        self.filter.kind.push(value);
        self
    }

    /// Those with tamper protection on, or off.
    pub fn tamper_protection_enabled(mut self, value: bool) -> Self {
        self.filter.tamper_protection_enabled = Some(value);
        self
    }

    /// Those on which tamper protection can be used, or cannot.
    pub fn tamper_protection_supported(mut self, value: bool) -> Self {
        self.filter.tamper_protection_supported = Some(value);
        self
    }

    /// Those of that lockdown status; again for more than one.
    pub fn lockdown_status(mut self, value: LockdownStatus) -> Self {
        self.filter.lockdown_status.push(value);
        self
    }

    /// Those of that encryption status; again for more than one.
    pub fn encryption_status(mut self, value: EncryptionStatus) -> Self {
        self.filter.encryption_status.push(value);
        self
    }

    /// Those last in touch before that; exclusive.
    pub fn last_seen_before(mut self, when: impl Into<When>) -> Self {
        self.filter.last_seen_before = Some(when.into());
        self
    }

    /// Those last in touch then or later.
    pub fn last_seen_after(mut self, when: impl Into<When>) -> Self {
        self.filter.last_seen_after = Some(when.into());
        self
    }

    /// Those whose operating system was last updated before that; exclusive.
    pub fn last_os_update_before(mut self, when: impl Into<When>) -> Self {
        self.filter.last_os_update_before = Some(when.into());
        self
    }

    /// Those whose operating system was last updated then or later.
    pub fn last_os_update_after(mut self, when: impl Into<When>) -> Self {
        self.filter.last_os_update_after = Some(when.into());
        self
    }

    /// Those whose agent was last updated before that; exclusive.
    pub fn last_agent_update_before(mut self, when: impl Into<When>) -> Self {
        self.filter.last_agent_update_before = Some(when.into());
        self
    }

    /// Those whose agent was last updated then or later.
    pub fn last_agent_update_after(mut self, when: impl Into<When>) -> Self {
        self.filter.last_agent_update_after = Some(when.into());
        self
    }

    /// Those with these ids. None at all is refused, as it would mean all endpoints.
    pub fn ids(mut self, ids: impl IntoIterator<Item = impl Into<EndpointId>>) -> Self {
        self.filter.ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Those that are cut off from the network, or not.
    pub fn isolation_status(mut self, status: IsolationStatus) -> Self {
        self.filter.isolation_status = Some(status);
        self
    }

    /// Those with that text in the host name. The service compares only its first 10
    /// characters, so the list looks at the whole of a longer one itself.
    pub fn hostname_contains(mut self, text: impl Into<String>) -> Self {
        self.filter.hostname_contains = Some(text.into());
        self
    }

    /// Those with that text in the serial number.
    pub fn serial_number_contains(mut self, text: impl Into<String>) -> Self {
        self.filter.serial_number_contains = Some(text.into());
        self
    }

    /// Those with that text in the name of the person who uses them.
    pub fn associated_person_contains(mut self, text: impl Into<String>) -> Self {
        self.filter.associated_person_contains = Some(text.into());
        self
    }

    /// Those that a search for that text finds.
    pub fn search(mut self, text: impl Into<String>) -> Self {
        self.filter.search = Some(text.into());
        self
    }

    /// Searches in that member; again for more than one.
    pub fn search_field(mut self, value: SearchField) -> Self {
        self.filter.search_fields.push(value);
        self
    }

    /// Those with that IP address; again for more than one.
    pub fn ip_address(mut self, address: impl Into<String>) -> Self {
        self.filter.ip_addresses.push(address.into());
        self
    }

    /// Those with that hardware address; again for more than one.
    pub fn mac_address(mut self, address: impl Into<String>) -> Self {
        self.filter.mac_addresses.push(address.into());
        self
    }

    /// Those that are connected now, or not.
    pub fn online(mut self, value: bool) -> Self {
        self.filter.online = Some(value);
        self
    }

    /// Those that run there: a provider, `provider:instance`, or an instance; again for more than one.
    pub fn cloud(mut self, place: impl Into<String>) -> Self {
        self.filter.cloud.push(place.into());
        self
    }

    /// Asks for these members of each only; the id always comes along.
    pub fn fields(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.filter.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for so much of each. Default: the service's, a summary.
    pub fn view(mut self, view: View) -> Self {
        self.filter.view = Some(view);
        self
    }

    /// Sorts by a field, or by a field with `:asc` or `:desc`; again for more than one.
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
    pub async fn send(self) -> Result<Page<Record<Endpoint>>, Error> {
        self.listing().page().await
    }

    /// Streams all items.
    #[blocking(iter = Result<Record<Endpoint>, Error>)]
    #[must_use]
    pub fn items(self) -> Items<Record<Endpoint>> {
        self.listing().items()
    }

    /// Streams all pages.
    #[blocking(iter = Result<Page<Record<Endpoint>>, Error>)]
    #[must_use]
    pub fn pages(self) -> Pages<Record<Endpoint>> {
        self.listing().pages()
    }

    /// Streams the items of many tenants; see [`Across`].
    #[blocking(iter = Result<crate::TenantItem<Record<Endpoint>>, crate::TenantFailure>)]
    #[must_use]
    pub fn across(self, tenants: Vec<Target>) -> Across<Record<Endpoint>> {
        Across::new(self.listing(), tenants)
    }

    /// Collects the items of many tenants.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run; a tenant's failure is part of the result.
    pub async fn gather(self, tenants: Vec<Target>) -> Result<Gathered<Record<Endpoint>>, Error> {
        gather(self.across(tenants)).await
    }

    /// Returns the same list with items that are not decoded: each is the text the service sent.
    #[blocking(wrap = crate::blocking::RawList)]
    pub fn raw(self) -> RawList {
        RawList::new(self.listing())
    }
}

impl EndpointList {
    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }

    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            filter: EndpointFilter::default(),
            paging: Paging::default(),
        }
    }

    fn listing(self) -> Listing {
        let query = Query::new(route::ENDPOINTS.request(&[]), self.client.now());
        let request = self.filter.apply(query);
        Listing::new(self.client, &route::ENDPOINTS, request, self.paging)
            .with_hostname(self.filter.hostname_contains.as_deref())
    }
}

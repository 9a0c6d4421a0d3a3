//! Lists of endpoints.

use bifrons::dual;

use super::model::{
    EncryptionStatus, Endpoint, EndpointType, Health, IsolationStatus, LockdownStatus,
};
use super::params::{EndpointFilter, SearchField};
use crate::builder::sealed::Source;
use crate::builder::{List, ListFilter, PerTenant};
use crate::client::Client;
use crate::id::EndpointId;
use crate::list::{Listing, Paging};
use crate::params::View;
use crate::route;
use crate::time::When;

/// A list of endpoints to be fetched; made by [`EndpointApi::list`](super::EndpointApi::list).
///
/// Narrowed down by the methods below, and like every [`List`] fetched by [`send`](List::send),
/// [`items`](List::items), [`pages`](List::pages), [`across`](List::across) or
/// [`gather`](List::gather).
pub type EndpointList = List<EndpointFilter>;

#[dual(blocking = crate::blocking::EndpointList)]
impl EndpointList {
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
}

impl ListFilter for EndpointFilter {
    type Item = Endpoint;
}

impl PerTenant for EndpointFilter {}

impl Source for EndpointFilter {
    fn listing(&self, client: Client, paging: Paging) -> Listing {
        Listing::new(client, &route::ENDPOINTS, |query| self.apply(query), paging)
            .with_hostname(self.hostname_contains.as_deref())
    }
}

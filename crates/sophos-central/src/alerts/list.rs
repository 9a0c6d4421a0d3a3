//! Lists of alerts.

use bifrons::dual;

use super::model::{Alert, Category, Product, Severity};
use super::params::AlertFilter;
use crate::builder::sealed::Source;
use crate::builder::{List, ListFilter, PerTenant};
use crate::client::Client;
use crate::id::AlertId;
use crate::list::{Listing, Paging};
use crate::route;
use crate::time::When;

/// A list of alerts to be fetched; made by [`AlertApi::list`](super::AlertApi::list).
///
/// Narrowed down by the methods below, and like every [`List`] fetched by [`send`](List::send),
/// [`items`](List::items), [`pages`](List::pages), [`across`](List::across) or
/// [`gather`](List::gather).
pub type AlertList = List<AlertFilter>;

#[dual(blocking = crate::blocking::AlertList)]
impl AlertList {
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
}

impl ListFilter for AlertFilter {
    type Item = Alert;
}

impl PerTenant for AlertFilter {}

impl Source for AlertFilter {
    fn listing(&self, client: Client, paging: Paging) -> Listing {
        Listing::new(client, &route::ALERTS, |query| self.apply(query), paging)
    }
}

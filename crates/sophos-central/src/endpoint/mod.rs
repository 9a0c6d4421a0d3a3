//! Endpoints: computers, servers and other managed devices.
//!
//! | call | what it does |
//! |---|---|
//! | [`list`](EndpointApi::list) | lists endpoints by [filters](EndpointFilter) |
//! | [`get`](EndpointApi::get), [`get_opt`](EndpointApi::get_opt), [`get_view`](EndpointApi::get_view) | reads one |
//! | [`isolation`](EndpointApi::isolation), [`isolate`](EndpointApi::isolate), [`unisolate`](EndpointApi::unisolate), and `_many` of both | cuts devices off from the network, and lets them back |
//! | [`scan`](EndpointApi::scan), [`update_check`](EndpointApi::update_check), and `_many` of both | asks devices to do something |
//! | [`tamper_protection`](EndpointApi::tamper_protection), [`update_tamper_protection`](EndpointApi::update_tamper_protection) | reads and changes tamper protection |

use std::collections::HashMap;

use bifrons::dual;
use restkit::pagination::Position;
use restkit::{Record, Request};
use secrecy::SecretString;
use serde_json::json;

use crate::client::Client;
use crate::error::Error;
use crate::fan_out::{Across, Gathered, gather};
use crate::id::EndpointId;
use crate::list::{Items, Listing, Page, Pages, Paging};
use crate::params::{Query, View, found};
use crate::progress::Progress;
use crate::raw::RawList;
use crate::route::{self, Route};
use crate::tenants::Target;
use crate::time::When;

mod model;
mod params;

pub use self::model::{
    AssignedProduct, AssociatedPerson, CloudInstance, DeviceTask, Encryption, EncryptionStatus,
    Endpoint, EndpointHealth, EndpointType, GroupRef, Health, Isolation, IsolationResult,
    IsolationStatus, IsolationSummary, Lockdown, LockdownStatus, Module, OperatingSystem, Package,
    Packages, Platform, PreviousPassword, Principal, ProductStatus, ServiceDetail, ServiceHealth,
    ServiceStatus, Tag, TamperProtection, ThreatHealth, Volume,
};
pub use self::params::{EndpointFilter, SearchField, TamperChange};

/// How many endpoints one change of isolation may name.
const ISOLATION_CHUNK: usize = 50;
/// How long the comment of a change of isolation may be.
const COMMENT_LENGTH: usize = 400;

/// The calls about endpoints; made by [`Client::endpoint`].
#[derive(Clone, Debug)]
pub struct EndpointApi {
    client: Client,
}

/// A list of endpoints to be fetched; made by [`EndpointApi::list`].
#[derive(Clone, Debug)]
#[must_use]
pub struct EndpointList {
    client: Client,
    filter: EndpointFilter,
    paging: Paging,
}

impl EndpointApi {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    async fn read(&self, request: Request) -> Result<Record<Endpoint>, Error> {
        Ok(self.client.send(&route::ENDPOINT, request).await?.json()?)
    }

    async fn task(&self, route: &Route, id: &EndpointId) -> Result<Record<DeviceTask>, Error> {
        let request = route.request(&[id.as_str()]).json(&json!({}))?;
        Ok(self.client.send(route, request).await?.json()?)
    }

    async fn tasks(
        &self,
        route: &'static Route,
        ids: Vec<EndpointId>,
    ) -> Result<Vec<Result<Record<DeviceTask>, Error>>, Error> {
        let at_once = self.client.concurrency();
        Ok(restkit::batch::batch(ids, at_once, |id| {
            let this = self.clone();
            async move { this.task(route, &id).await }
        })
        .await)
    }

    async fn change_isolation(
        &self,
        id: &EndpointId,
        enabled: bool,
        comment: Option<&str>,
    ) -> Result<Record<Isolation>, Error> {
        let mut body = json!({ "enabled": enabled });
        add_comment(&mut body, comment)?;
        let request = route::ENDPOINT_ISOLATE
            .request(&[id.as_str()])
            .json(&body)?;
        Ok(self
            .client
            .send(&route::ENDPOINT_ISOLATE, request)
            .await?
            .json()?)
    }

    /// Changes many, in chunks. An id that is given twice is sent once.
    async fn change_isolation_of_many(
        &self,
        ids: Vec<EndpointId>,
        enabled: bool,
        comment: Option<&str>,
    ) -> Result<Vec<Result<Record<IsolationResult>, Error>>, Error> {
        if ids.is_empty() {
            return Err(Error::invalid_argument("`ids` must name at least one id"));
        }
        if let Some(bad) = ids.iter().find(|id| id.as_str().trim().is_empty()) {
            return Err(Error::invalid_argument(format!(
                "`{bad}` is not the id of an endpoint"
            )));
        }
        let mut body = json!({ "enabled": enabled });
        add_comment(&mut body, comment)?;
        let mut seen = std::collections::HashSet::new();
        let unique: Vec<EndpointId> = ids
            .iter()
            .filter(|id| seen.insert((*id).clone()))
            .cloned()
            .collect();
        let chunks: Vec<Vec<EndpointId>> = unique
            .chunks(ISOLATION_CHUNK)
            .map(<[EndpointId]>::to_vec)
            .collect();
        let outcomes = restkit::batch::batch(chunks.clone(), self.client.concurrency(), |chunk| {
            let this = self.clone();
            let mut body = body.clone();
            body["ids"] = json!(chunk);
            async move { this.change_chunk(body).await }
        })
        .await;
        let mut results: HashMap<EndpointId, Result<Record<IsolationResult>, Error>> =
            HashMap::new();
        for (chunk, outcome) in chunks.into_iter().zip(outcomes) {
            match outcome {
                Ok(items) => {
                    results.extend(items.into_iter().map(|item| (item.id.clone(), Ok(item))));
                }
                Err(error) => {
                    results.extend(chunk.into_iter().map(|id| (id, Err(error.clone()))));
                }
            }
        }
        Ok(ids
            .into_iter()
            .map(|id| {
                results.get(&id).cloned().unwrap_or_else(|| {
                    Err(Error::unclear(format!(
                        "change isolation of endpoint {id}: the answer does not mention it, so the change may or may not have been applied"
                    )))
                })
            })
            .collect())
    }

    async fn change_chunk(
        &self,
        body: serde_json::Value,
    ) -> Result<Vec<Record<IsolationResult>>, Error> {
        let request = route::ENDPOINT_ISOLATE_MANY.request(&[]).json(&body)?;
        let response = self
            .client
            .send(&route::ENDPOINT_ISOLATE_MANY, request)
            .await?;
        let answer: Option<IsolationAnswer> = response.json_opt()?;
        Ok(match answer {
            Some(IsolationAnswer::Envelope { items } | IsolationAnswer::Bare(items)) => items,
            None => Vec::new(),
        })
    }
}

/// The answer to a change of many; a bare list was seen too.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum IsolationAnswer {
    Envelope { items: Vec<Record<IsolationResult>> },
    Bare(Vec<Record<IsolationResult>>),
}

#[dual(blocking = crate::blocking::EndpointApi)]
impl EndpointApi {
    /// Returns a list of all endpoints, to be narrowed down and fetched.
    #[blocking(wrap = crate::blocking::EndpointList)]
    pub fn list(&self) -> EndpointList {
        EndpointList {
            client: self.client.clone(),
            filter: EndpointFilter::default(),
            paging: Paging::default(),
        }
    }

    /// Returns one endpoint in full.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is none; use [`get_opt`](Self::get_opt) where
    /// that is normal.
    pub async fn get(&self, id: &EndpointId) -> Result<Record<Endpoint>, Error> {
        self.get_view(id, View::Full).await
    }

    /// Returns one endpoint in full, or `None` if there is none.
    ///
    /// # Errors
    /// Any failure but that.
    pub async fn get_opt(&self, id: &EndpointId) -> Result<Option<Record<Endpoint>>, Error> {
        found(self.get(id).await)
    }

    /// Returns so much of one endpoint.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is none.
    pub async fn get_view(&self, id: &EndpointId, view: View) -> Result<Record<Endpoint>, Error> {
        let request = route::ENDPOINT.request(&[id.as_str()]);
        let query = Query::new(request, self.client.now()).closed("view", &[view])?;
        self.read(query.finish()).await
    }

    /// Returns some members of one endpoint; the id always comes along.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is none.
    pub async fn get_fields(
        &self,
        id: &EndpointId,
        fields: Vec<String>,
    ) -> Result<Record<Endpoint>, Error> {
        let request = route::ENDPOINT.request(&[id.as_str()]);
        let query = Query::new(request, self.client.now()).fields(&fields);
        self.read(query.finish()).await
    }

    /// Returns the isolation of an endpoint.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is no such endpoint.
    pub async fn isolation(&self, id: &EndpointId) -> Result<Record<Isolation>, Error> {
        let request = route::ENDPOINT_ISOLATION.request(&[id.as_str()]);
        Ok(self
            .client
            .send(&route::ENDPOINT_ISOLATION, request)
            .await?
            .json()?)
    }

    /// Cuts an endpoint off from the network. A comment has at most 400 characters.
    ///
    /// The service needs some time to carry a change out; until then another one is a
    /// [conflict](Error::is_conflict).
    ///
    /// # Errors
    /// [`is_unclear_write`](Error::is_unclear_write) if it is not known whether the change was
    /// applied: it is never sent twice.
    pub async fn isolate(
        &self,
        id: &EndpointId,
        comment: Option<&str>,
    ) -> Result<Record<Isolation>, Error> {
        self.change_isolation(id, true, comment).await
    }

    /// Lets an endpoint back to the network. One that isolated itself stays cut off until it is well.
    ///
    /// # Errors
    /// As [`isolate`](Self::isolate).
    pub async fn unisolate(
        &self,
        id: &EndpointId,
        comment: Option<&str>,
    ) -> Result<Record<Isolation>, Error> {
        self.change_isolation(id, false, comment).await
    }

    /// Cuts many endpoints off from the network, 50 with one request. The outcome has one result per
    /// id, in the order of the ids; requests that fail do not stop the others.
    ///
    /// # Errors
    /// Only if the arguments cannot be right, or the call as a whole cannot run.
    ///
    /// # Cancel safety
    /// Changes already sent may be applied although nobody waits for their results.
    pub async fn isolate_many(
        &self,
        ids: Vec<EndpointId>,
        comment: Option<&str>,
    ) -> Result<Vec<Result<Record<IsolationResult>, Error>>, Error> {
        self.change_isolation_of_many(ids, true, comment).await
    }

    /// Lets many endpoints back to the network, 50 with one request. The outcome has one result per
    /// id, in the order of the ids; requests that fail do not stop the others.
    ///
    /// # Errors
    /// As [`isolate_many`](Self::isolate_many).
    pub async fn unisolate_many(
        &self,
        ids: Vec<EndpointId>,
        comment: Option<&str>,
    ) -> Result<Vec<Result<Record<IsolationResult>, Error>>, Error> {
        self.change_isolation_of_many(ids, false, comment).await
    }

    /// Asks an endpoint to scan itself when it is next in touch.
    ///
    /// # Errors
    /// [`is_unclear_write`](Error::is_unclear_write) if it is not known whether the request was
    /// taken.
    pub async fn scan(&self, id: &EndpointId) -> Result<Record<DeviceTask>, Error> {
        self.task(&route::ENDPOINT_SCAN, id).await
    }

    /// Asks many endpoints to scan themselves. The outcome has one result per id, in the order of the
    /// ids.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run.
    pub async fn scan_many(
        &self,
        ids: Vec<EndpointId>,
    ) -> Result<Vec<Result<Record<DeviceTask>, Error>>, Error> {
        self.tasks(&route::ENDPOINT_SCAN, ids).await
    }

    /// Asks an endpoint to look for updates when it is next in touch.
    ///
    /// # Errors
    /// [`is_unclear_write`](Error::is_unclear_write) if it is not known whether the request was
    /// taken.
    pub async fn update_check(&self, id: &EndpointId) -> Result<Record<DeviceTask>, Error> {
        self.task(&route::ENDPOINT_UPDATE_CHECK, id).await
    }

    /// Asks many endpoints to look for updates. The outcome has one result per id, in the order of
    /// the ids.
    ///
    /// # Errors
    /// Only if the call as a whole cannot run.
    pub async fn update_check_many(
        &self,
        ids: Vec<EndpointId>,
    ) -> Result<Vec<Result<Record<DeviceTask>, Error>>, Error> {
        self.tasks(&route::ENDPOINT_UPDATE_CHECK, ids).await
    }

    /// Returns the tamper protection of an endpoint with its passwords.
    ///
    /// The record's raw text holds the passwords in the clear; to show it use
    /// [`TamperProtection::masked`].
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is no such endpoint.
    pub async fn tamper_protection(
        &self,
        id: &EndpointId,
    ) -> Result<Record<TamperProtection>, Error> {
        let request = route::ENDPOINT_TAMPER.request(&[id.as_str()]);
        Ok(self
            .client
            .send(&route::ENDPOINT_TAMPER, request)
            .await?
            .json()?)
    }

    /// Returns the password that turns tamper protection off on the device, if there is one.
    ///
    /// # Errors
    /// [`is_not_found`](Error::is_not_found) if there is no such endpoint.
    pub async fn tamper_password(&self, id: &EndpointId) -> Result<Option<SecretString>, Error> {
        Ok(self.tamper_protection(id).await?.into_value().password)
    }

    /// Changes the tamper protection of an endpoint and returns it as it is then.
    ///
    /// # Errors
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the change changes nothing;
    /// [`is_unclear_write`](Error::is_unclear_write) if it is not known whether it was applied.
    pub async fn update_tamper_protection(
        &self,
        id: &EndpointId,
        change: TamperChange,
    ) -> Result<Record<TamperProtection>, Error> {
        let request = route::ENDPOINT_TAMPER_UPDATE
            .request(&[id.as_str()])
            .json(&change.body()?)?;
        Ok(self
            .client
            .send(&route::ENDPOINT_TAMPER_UPDATE, request)
            .await?
            .json()?)
    }
}

impl EndpointList {
    fn listing(self) -> Listing {
        let query = Query::new(route::ENDPOINTS.request(&[]), self.client.now());
        let request = self.filter.apply(query);
        Listing::new(self.client, &route::ENDPOINTS, request, self.paging)
    }
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

    /// Those with that text in the host name. The service may compare only its first 10
    /// characters.
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

fn add_comment(body: &mut serde_json::Value, comment: Option<&str>) -> Result<(), Error> {
    let Some(comment) = comment.map(str::trim).filter(|comment| !comment.is_empty()) else {
        return Ok(());
    };
    let length = comment.chars().count();
    if length > COMMENT_LENGTH {
        return Err(Error::invalid_argument(format!(
            "the comment has {length} characters, and {COMMENT_LENGTH} are allowed"
        )));
    }
    body["comment"] = comment.into();
    Ok(())
}

//! Endpoints: computers, servers and other managed devices.
//!
//! | call | what it does |
//! |---|---|
//! | [`list`](EndpointApi::list) | lists endpoints by [filters](EndpointFilter) |
//! | [`get`](EndpointApi::get), [`get_opt`](EndpointApi::get_opt), [`get_view`](EndpointApi::get_view) | reads one |
//! | [`isolation`](EndpointApi::isolation), [`isolate`](EndpointApi::isolate), [`unisolate`](EndpointApi::unisolate), and `_many` of both | cuts devices off from the network, and lets them back |
//! | [`scan`](EndpointApi::scan), [`update_check`](EndpointApi::update_check), and `_many` of both | asks devices to do something |
//! | [`tamper_protection`](EndpointApi::tamper_protection), [`update_tamper_protection`](EndpointApi::update_tamper_protection) | reads and changes tamper protection |

use bifrons::dual;
use restkit::{Record, Request};
use secrecy::SecretString;
use serde_json::json;

use crate::client::Client;
use crate::error::Error;
use crate::id::EndpointId;
use crate::params::{Query, View, found};
use crate::route::{self, Route};

mod isolation;
mod list;
mod model;
mod params;

pub use self::list::EndpointList;
pub use self::model::{
    AssignedProduct, AssociatedPerson, CloudInstance, DeviceTask, Encryption, EncryptionStatus,
    Endpoint, EndpointHealth, EndpointType, GroupRef, Health, Isolation, IsolationResult,
    IsolationStatus, IsolationSummary, Lockdown, LockdownStatus, Module, OperatingSystem, Package,
    Packages, Platform, PreviousPassword, Principal, ProductStatus, ServiceDetail, ServiceHealth,
    ServiceStatus, Tag, TamperProtection, ThreatHealth, Volume,
};
pub use self::params::{EndpointFilter, SearchField, TamperChange};

/// The calls about endpoints; made by [`Client::endpoint`].
#[derive(Clone, Debug)]
pub struct EndpointApi {
    client: Client,
}

#[dual(blocking = crate::blocking::EndpointApi)]
impl EndpointApi {
    /// Returns a list of all endpoints, to be narrowed down and fetched.
    #[blocking(wrap = crate::blocking::EndpointList)]
    pub fn list(&self) -> EndpointList {
        EndpointList::new(self.client.clone())
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
        self.client
            .send(&route::ENDPOINT_ISOLATION, request)
            .await?
            .json()
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
        self.client
            .send(&route::ENDPOINT_TAMPER, request)
            .await?
            .json()
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
        self.client
            .send(&route::ENDPOINT_TAMPER_UPDATE, request)
            .await?
            .json_or_nothing()
    }
}

impl EndpointApi {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn own_client(&self) -> &Client {
        &self.client
    }

    async fn read(&self, request: Request) -> Result<Record<Endpoint>, Error> {
        self.client.send(&route::ENDPOINT, request).await?.json()
    }

    async fn task(&self, route: &Route, id: &EndpointId) -> Result<Record<DeviceTask>, Error> {
        let request = route.request(&[id.as_str()]).json(&json!({}))?;
        self.client.send(route, request).await?.json_or_nothing()
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
}

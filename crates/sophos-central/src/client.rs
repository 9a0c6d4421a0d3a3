//! The client: who we are, whose data is asked for, and how a call gets there.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bifrons::dual;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use restkit::{Record, Request, Response};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::alerts::AlertApi;
use crate::config::Config;
use crate::endpoint::EndpointApi;
use crate::error::Error;
use crate::id::TenantId;
use crate::route::{self, Host, Route};
use crate::tenants::{IdType, Target, Tenant, TenantApi, Whoami};

/// A client of Sophos Central.
///
/// It is a cheap handle that can be cloned and shared between tasks. Clones, and the views made by
/// [`for_tenant`](Self::for_tenant), share the token, the rate limit, the connections, and what they
/// learned from the service: who the credential belongs to, and where tenants' data is.
///
/// ```no_run
/// use futures_util::TryStreamExt as _;
/// use sophos_central::endpoint::Health;
/// use sophos_central::{Client, Config};
///
/// # async fn run() -> Result<(), sophos_central::Error> {
/// let client = Client::new(Config::new("client-id", "client-secret"))?;
/// let mut sick = client.endpoint().list().health(Health::Bad).items();
/// while let Some(endpoint) = sick.try_next().await? {
///     println!("{} {:?}", endpoint.id, endpoint.hostname);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    tenant: Option<Chosen>,
    without_writes: bool,
}

struct Shared {
    config: Config,
    rest: restkit::Client,
    whoami: OnceCell<Record<Whoami>>,
    /// Where tenants' data is, as far as it was asked for.
    hosts: Mutex<HashMap<TenantId, String>>,
    /// Set with the first request: there may be connections from then on.
    used: AtomicBool,
}

/// The tenant that calls of a view go to.
#[derive(Clone)]
struct Chosen {
    id: TenantId,
    /// Known if the view was made for a target.
    host: Option<String>,
}

/// Where a call goes: a host with its scope header.
pub(crate) struct Scope {
    rest: restkit::Client,
    tenant: Option<TenantId>,
    without_writes: bool,
}

#[dual(blocking = crate::blocking::Client)]
impl Client {
    /// Makes a client. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration) if a setting is missing or out of range; the
    /// text names it.
    pub fn new(config: Config) -> Result<Self, Error> {
        config.check()?;
        let rest = config.rest()?;
        if let Some(url) = &config.base_url {
            // So that a mistake shows now and not with the first call.
            rest.with_base_url(url)?;
        }
        Ok(Self {
            shared: Arc::new(Shared {
                config,
                rest,
                whoami: OnceCell::new(),
                hosts: Mutex::default(),
                used: AtomicBool::new(false),
            }),
            tenant: None,
            without_writes: false,
        })
    }

    /// Returns who the credential belongs to. It is asked once and then remembered.
    ///
    /// # Errors
    /// As any call: see [`Error`].
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing; the next caller asks again.
    pub async fn whoami(&self) -> Result<Record<Whoami>, Error> {
        self.who().await.cloned()
    }

    /// Returns the tenants that this credential can be used for: one for a tenant's own credential,
    /// all tenants of a partner or an organization otherwise, those that are not ready included.
    ///
    /// The order is the service's.
    ///
    /// # Errors
    /// As any call: see [`Error`].
    pub async fn targets(&self) -> Result<Vec<Target>, Error> {
        let mut tenants = self.tenants().list().items();
        let mut targets = Vec::new();
        while let Some(tenant) = tenants.next().await {
            let tenant = tenant?;
            let target = Target::from(tenant.value());
            self.remember(&target);
            targets.push(target);
        }
        Ok(targets)
    }

    /// Returns a view of the client whose calls go to that tenant.
    ///
    /// With a partner's or an organization's credential the tenant's host is asked for with the first
    /// call; a tenant's own credential fits that tenant only, anything else is a configuration error
    /// of the first call.
    #[must_use]
    pub fn for_tenant(&self, id: impl Into<TenantId>) -> Self {
        let tenant = Chosen {
            id: id.into(),
            host: None,
        };
        Self {
            tenant: Some(tenant),
            ..self.clone()
        }
    }

    /// Returns a view of the client whose calls go to a tenant as [`targets`](Self::targets) listed
    /// it, which saves asking for its host.
    #[must_use]
    pub fn for_target(&self, target: &Target) -> Self {
        let tenant = Chosen {
            id: target.id.clone(),
            host: target.api_host.clone(),
        };
        Self {
            tenant: Some(tenant),
            ..self.clone()
        }
    }

    /// Remembers where the data of a tenant is, which saves asking for it when the tenant is chosen
    /// by its id alone. [`targets`](Self::targets) does so by itself.
    pub fn remember(&self, target: &Target) {
        // One that is not ready yet may be so later.
        if let Some(host) = &target.api_host {
            self.hosts().insert(target.id.clone(), host.clone());
        }
    }

    /// Returns a view of the client that reads, but changes nothing: a call that would change
    /// something fails, and [`Error::not_sent`] shows what would have been sent.
    #[must_use]
    pub fn without_writes(&self) -> Self {
        Self {
            without_writes: true,
            ..self.clone()
        }
    }

    /// Returns the calls about endpoints: computers, servers and other managed devices.
    #[blocking(wrap = crate::blocking::EndpointApi)]
    #[must_use]
    pub fn endpoint(&self) -> EndpointApi {
        EndpointApi::new(self.clone())
    }

    /// Returns the calls about alerts.
    #[blocking(wrap = crate::blocking::AlertApi)]
    #[must_use]
    pub fn alerts(&self) -> AlertApi {
        AlertApi::new(self.clone())
    }

    /// Returns the calls about tenants.
    #[blocking(wrap = crate::blocking::TenantApi)]
    #[must_use]
    pub fn tenants(&self) -> TenantApi {
        TenantApi::new(self.clone())
    }
}

/// The kinds of accounts a credential may belong to.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Account {
    Tenant,
    Partner,
    Organization,
}

impl Client {
    /// Sends a request to where its route belongs.
    pub(crate) async fn send(&self, route: &Route, request: Request) -> Result<Answer, Error> {
        let scope = self.scope(route.host).await?;
        let response = scope.send(route, request).await?;
        Ok(Answer {
            response,
            tenant: scope.tenant,
        })
    }

    pub(crate) async fn scope(&self, host: Host) -> Result<Scope, Error> {
        self.shared.used.store(true, Ordering::Relaxed);
        match host {
            Host::Global => Ok(self.global_scope()),
            Host::Account => self.account_scope().await,
            Host::Tenant => self.tenant_scope().await,
        }
    }

    /// Returns true if there may be connections, which belong to the runtime they were made on.
    #[cfg(feature = "blocking")]
    pub(crate) fn was_used(&self) -> bool {
        self.shared.used.load(Ordering::Relaxed)
    }

    pub(crate) fn concurrency(&self) -> usize {
        self.shared.config.concurrency
    }

    /// The calendar time by the client's clock.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.shared.rest.clock().calendar();
        Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    pub(crate) async fn account(&self) -> Result<Account, Error> {
        account(self.who().await?)
    }

    /// The tenant's record as whoami tells it, for a tenant's own credential.
    pub(crate) async fn own_tenant(&self) -> Result<Record<Tenant>, Error> {
        let who = self.who().await?;
        self.own_tenant_only(&who.id)?;
        nothing_but(&serde_json::json!({ "id": who.id, "apiHost": who.data_region_host() }))
    }

    async fn who(&self) -> Result<&Record<Whoami>, Error> {
        self.shared
            .whoami
            .get_or_try_init(|| async {
                self.shared.used.store(true, Ordering::Relaxed);
                let request = route::WHOAMI.request(&[]);
                let response = self.global_scope().send(&route::WHOAMI, request).await?;
                Ok(response.json()?)
            })
            .await
    }

    fn global_scope(&self) -> Scope {
        Scope {
            rest: self.shared.rest.clone(),
            tenant: None,
            without_writes: self.without_writes,
        }
    }

    async fn account_scope(&self) -> Result<Scope, Error> {
        let who = self.who().await?;
        let header = match account(who)? {
            Account::Partner => "X-Partner-ID",
            Account::Organization => "X-Organization-ID",
            Account::Tenant => {
                return Err(Error::configuration(
                    "this call needs the credential of a partner or an organization, and the credential belongs to a tenant",
                ));
            }
        };
        let rest = self.global(who)?.with_header(header, &who.id)?;
        Ok(Scope {
            rest,
            tenant: None,
            without_writes: self.without_writes,
        })
    }

    /// The global host: the configured one, else the one that whoami named.
    fn global(&self, who: &Whoami) -> Result<restkit::Client, Error> {
        let rest = &self.shared.rest;
        match who.global_host() {
            Some(host) if self.shared.config.global_url.is_none() => Ok(rest.with_base_url(host)?),
            _ => Ok(rest.clone()),
        }
    }

    async fn tenant_scope(&self) -> Result<Scope, Error> {
        let who = self.who().await?;
        let (id, known) = match account(who)? {
            Account::Tenant => {
                self.own_tenant_only(&who.id)?;
                (
                    TenantId::from(&*who.id),
                    who.data_region_host().map(str::to_owned),
                )
            }
            Account::Partner | Account::Organization => {
                let Some(id) = self.wanted() else {
                    return Err(Error::configuration(
                        "the credential belongs to a partner or an organization, so the call needs a tenant: choose one with `for_tenant`, or set `tenant_id` (api.tenant_id, SOPHOS_TENANT_ID, --tenant)",
                    ));
                };
                (
                    id.clone(),
                    self.tenant.as_ref().and_then(|chosen| chosen.host.clone()),
                )
            }
        };
        let (id, host) = match (&self.shared.config.base_url, known) {
            (Some(url), _) => (id, url.clone()),
            (None, Some(host)) => (id, host),
            (None, None) => self.host_of(&id, who).await?,
        };
        let rest = self
            .shared
            .rest
            .with_base_url(&host)
            .and_then(|rest| rest.with_header("X-Tenant-ID", id.as_str()))
            .map_err(|error| Error::from(error).with_tenant(&id))?;
        Ok(Scope {
            rest,
            tenant: Some(id),
            without_writes: self.without_writes,
        })
    }

    /// Finds out where a tenant's data is, and how the service writes its id: it may have been typed
    /// in another case.
    async fn host_of(&self, id: &TenantId, who: &Whoami) -> Result<(TenantId, String), Error> {
        let known = self
            .hosts()
            .get_key_value(id)
            .map(|(id, host)| (id.clone(), host.clone()));
        let found = match known {
            Some(known) => Some(known),
            None if account(who)? == Account::Tenant => None,
            None => {
                let tenant = Box::pin(self.tenants().get(id)).await?.into_value();
                tenant.api_host.map(|host| (tenant.id, host))
            }
        };
        found.ok_or_else(|| {
            Error::configuration(format!(
                "tenant {id} has no API host: its trial may not be activated, or it may be suspended or still being created"
            ))
            .with_tenant(id)
        })
    }

    /// Refuses a tenant that a tenant's own credential does not belong to.
    pub(crate) fn own_tenant_only(&self, own: &str) -> Result<(), Error> {
        match self.wanted() {
            Some(wanted) if *wanted != TenantId::from(own) => Err(Error::configuration(format!(
                "the credential belongs to tenant {own} and cannot be used for tenant {wanted} (api.tenant_id)"
            ))
            .with_tenant(wanted)),
            _ => Ok(()),
        }
    }

    fn wanted(&self) -> Option<&TenantId> {
        match &self.tenant {
            Some(chosen) => Some(&chosen.id),
            None => self.shared.config.tenant_id.as_ref(),
        }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<TenantId, String>> {
        self.shared
            .hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scope {
    pub(crate) async fn send(&self, route: &Route, request: Request) -> Result<Response, Error> {
        if self.without_writes && !route.repeat.may_repeat() {
            let request = self
                .rest
                .dry_run(&request)
                .map_err(|error| self.explain(error))?;
            return Err(self.for_tenant(Error::nothing_sent(request)));
        }
        // Boxed, so that what stands on it stays small on the callers' stacks.
        Box::pin(self.rest.send(request))
            .await
            .map_err(|error| self.explain(error))
    }

    pub(crate) fn rest(&self) -> &restkit::Client {
        &self.rest
    }

    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    fn explain(&self, error: restkit::Error) -> Error {
        self.for_tenant(Error::from(error))
    }

    fn for_tenant(&self, error: Error) -> Error {
        match &self.tenant {
            Some(tenant) => error.with_tenant(tenant),
            None => error,
        }
    }
}

/// The answer to a call; an error in reading it knows the tenant.
pub(crate) struct Answer {
    response: Response,
    tenant: Option<TenantId>,
}

impl Answer {
    pub(crate) fn body(&self) -> &[u8] {
        self.response.body()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.response.json().map_err(|error| self.explain(error))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body().trim_ascii().is_empty()
    }

    /// Reads what a change answers; no body at all is a success that says nothing.
    pub(crate) fn json_or_nothing<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if self.is_empty() {
            return nothing_but(&serde_json::json!({}));
        }
        self.json()
    }

    fn explain(&self, error: restkit::Error) -> Error {
        match &self.tenant {
            Some(tenant) => Error::from(error).with_tenant(tenant),
            None => error.into(),
        }
    }
}

/// Makes a record of members that are known without an answer.
pub(crate) fn nothing_but<T: DeserializeOwned>(members: &serde_json::Value) -> Result<T, Error> {
    serde_json::from_str(&members.to_string())
        .map_err(|source| Error::configuration("the record needs more members").with_source(source))
}

fn account(who: &Whoami) -> Result<Account, Error> {
    match &who.id_type {
        Some(IdType::Tenant) => Ok(Account::Tenant),
        Some(IdType::Partner) => Ok(Account::Partner),
        Some(IdType::Organization) => Ok(Account::Organization),
        Some(IdType::Other(kind)) => Err(Error::configuration(format!(
            "the credential belongs to a `{kind}`, which this version does not know"
        ))),
        None if who.is_tenant() => Ok(Account::Tenant),
        None => Err(Error::configuration(
            "the service does not say what kind of account the credential belongs to",
        )),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.shared.config)
            .field("tenant", &self.wanted())
            .field("without_writes", &self.without_writes)
            .finish_non_exhaustive()
    }
}

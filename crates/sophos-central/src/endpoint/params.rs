//! What can be asked about endpoints.

use restkit::Request;

use super::model::{EncryptionStatus, EndpointType, Health, IsolationStatus, LockdownStatus};
use crate::error::Error;
use crate::id::EndpointId;
use crate::params::{Query, View};
use crate::time::When;
use crate::wire::values;

values! {
    /// A member of an endpoint that a search looks at.
    pub enum SearchField as "search field" {
        /// The host name.
        Hostname = "hostname",
        /// The name of the person who uses it.
        AssociatedPersonName = "associatedPersonName",
        /// The IP addresses.
        IpAddresses = "ipAddresses",
        /// The name of the operating system; not confirmed by the vendor.
        OsName = "osName",
        /// The name of the group; suspended by the vendor.
        GroupName = "groupName",
    }
}

/// Which endpoints are wanted, and how much of each. The default is all of them.
///
/// Lists mean any of their values; different members must all fit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EndpointFilter {
    /// How well they are.
    pub health: Vec<Health>,
    /// What kind of device they are.
    pub kind: Vec<EndpointType>,
    /// Whether tamper protection is on.
    pub tamper_protection_enabled: Option<bool>,
    /// Whether tamper protection can be used.
    pub tamper_protection_supported: Option<bool>,
    /// Whether they are locked down.
    pub lockdown_status: Vec<LockdownStatus>,
    /// How far they are encrypted.
    pub encryption_status: Vec<EncryptionStatus>,
    /// Last in touch before this; exclusive.
    pub last_seen_before: Option<When>,
    /// Last in touch at this or later.
    pub last_seen_after: Option<When>,
    /// Operating system last updated before this; exclusive.
    pub last_os_update_before: Option<When>,
    /// Operating system last updated at this or later.
    pub last_os_update_after: Option<When>,
    /// Agent last updated before this; exclusive.
    pub last_agent_update_before: Option<When>,
    /// Agent last updated at this or later.
    pub last_agent_update_after: Option<When>,
    /// These endpoints only. An empty list is refused, as it would mean all of them.
    pub ids: Option<Vec<EndpointId>>,
    /// Whether they are cut off from the network.
    pub isolation_status: Option<IsolationStatus>,
    /// Part of the host name. The service compares only its first 10 characters, so lists look at
    /// the whole of a longer one themselves.
    pub hostname_contains: Option<String>,
    /// Part of the serial number.
    pub serial_number_contains: Option<String>,
    /// Part of the name of the person who uses them.
    pub associated_person_contains: Option<String>,
    /// A text to search for.
    pub search: Option<String>,
    /// The members that the search looks at.
    pub search_fields: Vec<SearchField>,
    /// IPv4 or IPv6 addresses.
    pub ip_addresses: Vec<String>,
    /// Hardware addresses; case and separators do not matter.
    pub mac_addresses: Vec<String>,
    /// Whether they are connected now.
    pub online: Option<bool>,
    /// Where they run: a provider (`aws`, `azure`, `gcp`), a provider and an instance
    /// (`aws:i-0123`), or an instance.
    pub cloud: Vec<String>,
    /// Part of the name of the group. Switched off by the vendor until further notice.
    pub group_name_contains: Option<String>,
    /// Whether they are in a group. Switched off by the vendor until further notice.
    pub assigned_to_group: Option<bool>,
    /// The groups. Switched off by the vendor until further notice.
    pub group_ids: Option<Vec<String>>,
    /// The members that are wanted of each; the id always comes along. Default: as the view says.
    pub fields: Vec<String>,
    /// How much of each is wanted. Default: the service's, `summary`.
    pub view: Option<View>,
    /// The order: a field, or a field with `:asc` or `:desc`.
    pub sort: Vec<String>,
}

impl EndpointFilter {
    /// Returns true if a filter is set that the vendor has switched off, so that it may be ignored.
    #[must_use]
    pub fn uses_suspended(&self) -> bool {
        self.group_name_contains.is_some()
            || self.assigned_to_group.is_some()
            || self.group_ids.is_some()
            || self.search_fields.contains(&SearchField::GroupName)
    }

    pub(crate) fn apply(&self, query: Query) -> Result<Request, Error> {
        if self.uses_suspended() {
            tracing::warn!("filters by group are switched off by the vendor and may be ignored");
        }
        if self.search.is_none() && !self.search_fields.is_empty() {
            return Err(Error::invalid_argument(
                "`searchFields` says where to search, so `search` must say what for",
            ));
        }
        let isolation: Vec<_> = self.isolation_status.iter().cloned().collect();
        let view: Vec<_> = self.view.iter().cloned().collect();
        Ok(query
            .sort(&self.sort)?
            .closed("healthStatus", &self.health)?
            .closed("type", &self.kind)?
            .flag("tamperProtectionEnabled", self.tamper_protection_enabled)
            .flag(
                "tamperProtectionSupported",
                self.tamper_protection_supported,
            )
            .closed("lockdownStatus", &self.lockdown_status)?
            .closed("overallEncryptionStatus", &self.encryption_status)?
            .when("lastSeenBefore", self.last_seen_before.as_ref())
            .when("lastSeenAfter", self.last_seen_after.as_ref())
            .when("lastOsUpdateBefore", self.last_os_update_before.as_ref())
            .when("lastOsUpdateAfter", self.last_os_update_after.as_ref())
            .when(
                "lastAgentUpdateBefore",
                self.last_agent_update_before.as_ref(),
            )
            .when(
                "lastAgentUpdateAfter",
                self.last_agent_update_after.as_ref(),
            )
            .ids("ids", self.ids.as_deref())?
            .closed("isolationStatus", &isolation)?
            .text("hostnameContains", self.hostname_contains.as_deref())?
            .text(
                "serialNumberContains",
                self.serial_number_contains.as_deref(),
            )?
            .text(
                "associatedPersonContains",
                self.associated_person_contains.as_deref(),
            )?
            .text("search", self.search.as_deref())?
            .closed("searchFields", &self.search_fields)?
            .list("ipAddresses", &self.ip_addresses)
            .list("macAddresses", &self.mac_addresses)
            .flag("online", self.online)
            .list("cloud", &self.cloud)
            .text("groupNameContains", self.group_name_contains.as_deref())?
            .flag("assignedToGroup", self.assigned_to_group)
            .ids("groupIds", self.group_ids.as_deref())?
            .fields(&self.fields)
            .closed("view", &view)?
            .finish())
    }
}

/// A change of tamper protection. What is not set stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct TamperChange {
    enabled: Option<bool>,
    regenerate_password: bool,
}

impl TamperChange {
    /// Makes a change that changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns the protection on. The service only does so while it is on globally.
    pub fn enable(mut self) -> Self {
        self.enabled = Some(true);
        self
    }

    /// Turns the protection off.
    pub fn disable(mut self) -> Self {
        self.enabled = Some(false);
        self
    }

    /// Makes a new password.
    pub fn regenerate_password(mut self) -> Self {
        self.regenerate_password = true;
        self
    }

    pub(super) fn body(self) -> Result<serde_json::Value, Error> {
        let mut body = serde_json::Map::new();
        if let Some(enabled) = self.enabled {
            body.insert("enabled".to_owned(), enabled.into());
        }
        if self.regenerate_password {
            body.insert("regeneratePassword".to_owned(), true.into());
        }
        if body.is_empty() {
            return Err(Error::invalid_argument(
                "a change of tamper protection must change something: turn it on or off, or make a new password",
            ));
        }
        Ok(body.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route;

    fn query(filter: &EndpointFilter) -> Result<String, Error> {
        let now = "2024-05-06T07:08:09Z".parse().unwrap();
        let query = Query::new(route::ENDPOINTS.request(&[]), now);
        filter.apply(query).map(|request| request.query_string())
    }

    #[test]
    fn unset_filters_are_not_sent() {
        assert_eq!(query(&EndpointFilter::default()).unwrap(), "");
    }

    #[test]
    fn every_filter_has_its_name_on_the_wire() {
        let filter = EndpointFilter {
            health: vec![Health::Bad, Health::Suspicious],
            kind: vec![EndpointType::Server],
            tamper_protection_enabled: Some(true),
            tamper_protection_supported: Some(false),
            lockdown_status: vec![LockdownStatus::NotInstalled],
            encryption_status: vec![EncryptionStatus::Unmanaged],
            last_seen_before: Some("2024-05-06".parse().unwrap()),
            last_seen_after: Some("90d".parse().unwrap()),
            last_os_update_before: Some("-PT2H".parse().unwrap()),
            last_os_update_after: Some("+P1D".parse().unwrap()),
            last_agent_update_before: Some("2024-05-06T07:08:09".parse().unwrap()),
            last_agent_update_after: Some("2w".parse().unwrap()),
            ids: Some(vec!["A-1".into(), "b,2".into()]),
            isolation_status: Some(IsolationStatus::NotIsolated),
            hostname_contains: Some("FILE 02".to_owned()),
            serial_number_contains: Some("X/1".to_owned()),
            associated_person_contains: Some("Müller".to_owned()),
            search: Some("a&b=c".to_owned()),
            search_fields: vec![SearchField::Hostname, SearchField::IpAddresses],
            ip_addresses: vec!["10.0.0.1".to_owned(), "fe80::1".to_owned()],
            mac_addresses: vec!["02:1B:44:11:3A:B7".to_owned()],
            online: Some(true),
            cloud: vec!["aws:i-0123".to_owned()],
            group_name_contains: Some("g".to_owned()),
            assigned_to_group: Some(true),
            group_ids: Some(vec!["g1".to_owned()]),
            fields: vec!["hostname".to_owned(), "health.overall".to_owned()],
            view: Some(View::Full),
            sort: vec!["hostname".to_owned(), "lastSeenAt:desc".to_owned()],
        };
        assert_eq!(
            query(&filter).unwrap(),
            [
                "sort=hostname,lastSeenAt%3Adesc",
                "healthStatus=bad,suspicious",
                "type=server",
                "tamperProtectionEnabled=true",
                "tamperProtectionSupported=false",
                "lockdownStatus=notInstalled",
                "overallEncryptionStatus=unmanaged",
                "lastSeenBefore=2024-05-06T00%3A00%3A00.000Z",
                "lastSeenAfter=-P90D",
                "lastOsUpdateBefore=-PT2H",
                "lastOsUpdateAfter=%2BP1D",
                "lastAgentUpdateBefore=2024-05-06T07%3A08%3A09.000Z",
                "lastAgentUpdateAfter=-P14D",
                "ids=A-1,b%2C2",
                "isolationStatus=notIsolated",
                "hostnameContains=FILE%2002",
                "serialNumberContains=X%2F1",
                "associatedPersonContains=M%C3%BCller",
                "search=a%26b%3Dc",
                "searchFields=hostname,ipAddresses",
                "ipAddresses=10.0.0.1,fe80%3A%3A1",
                "macAddresses=02%3A1B%3A44%3A11%3A3A%3AB7",
                "online=true",
                "cloud=aws%3Ai-0123",
                "groupNameContains=g",
                "assignedToGroup=true",
                "groupIds=g1",
                "fields=id,hostname,health.overall",
                "view=full",
            ]
            .join("&")
        );
    }

    #[test]
    fn filters_that_cannot_be_right_are_refused() {
        let refused = |change: fn(&mut EndpointFilter)| {
            let mut filter = EndpointFilter::default();
            change(&mut filter);
            let error = query(&filter).unwrap_err();
            assert!(error.is_invalid_argument(), "{error}");
            error.to_string()
        };
        assert_eq!(
            refused(|filter| filter.health = vec![Health::from("poorly")]),
            "unknown health status `poorly` (known: good, suspicious, bad, unknown)"
        );
        assert_eq!(
            refused(|filter| filter.ids = Some(vec![])),
            "`ids` must name at least one id"
        );
        refused(|filter| filter.hostname_contains = Some(" ".to_owned()));
        refused(|filter| filter.sort = vec!["hostname:up".to_owned()]);
        refused(|filter| filter.sort = vec![":asc".to_owned()]);
        refused(|filter| filter.search_fields = vec![SearchField::Hostname]);
    }

    #[test]
    fn a_tamper_change_sends_only_what_was_asked() {
        assert!(
            TamperChange::new()
                .body()
                .unwrap_err()
                .is_invalid_argument()
        );
        let body = TamperChange::new().disable().body().unwrap();
        assert_eq!(body.to_string(), r#"{"enabled":false}"#);
        let body = TamperChange::new()
            .enable()
            .regenerate_password()
            .body()
            .unwrap();
        assert_eq!(
            body.to_string(),
            r#"{"enabled":true,"regeneratePassword":true}"#
        );
    }
}

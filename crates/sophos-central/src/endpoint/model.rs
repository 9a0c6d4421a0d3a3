//! What the service says about endpoints.
//!
//! Every member but the id may be absent: views and platforms differ. What is not listed here is in
//! the raw text of the [`Record`](crate::Record).

use secrecy::{ExposeSecret, SecretString};

use crate::id::EndpointId;
use crate::tenants::TenantRef;
use crate::time::Time;
use crate::wire::{model, values};

values! {
    /// How well an endpoint, or one side of it, is.
    pub enum Health as "health status" {
        /// Nothing to do.
        Good = "good",
        /// Something to look at.
        Suspicious = "suspicious",
        /// Needs attention now.
        Bad = "bad",
        /// Not known.
        Unknown = "unknown",
    }
}

values! {
    /// What kind of device an endpoint is.
    pub enum EndpointType as "endpoint type" {
        /// A workstation or laptop.
        Computer = "computer",
        /// A server.
        Server = "server",
        /// A security virtual machine; retired by the vendor, still accepted.
        SecurityVm = "securityVm",
    }
}

values! {
    /// The operating system family of an endpoint.
    pub enum Platform as "platform" {
        /// Windows.
        Windows = "windows",
        /// Linux.
        Linux = "linux",
        /// macOS.
        MacOs = "macOS",
    }
}

values! {
    /// Whether a server is locked down.
    pub enum LockdownStatus as "lockdown status" {
        /// The lockdown is being set up.
        Locking = "locking",
        /// Locked down.
        Locked = "locked",
        /// Not locked down.
        Unlocked = "unlocked",
        /// Lockdown is not installed.
        NotInstalled = "notInstalled",
        /// Not known.
        Unavailable = "unavailable",
        /// Old name, now reported as `locking`.
        CreatingWhitelist = "creatingWhitelist",
        /// Old name, now reported as `locking`.
        Installing = "installing",
        /// Old name, now reported as `locking`.
        Registering = "registering",
        /// Old name, now reported as `locking`.
        Starting = "starting",
        /// Old name, now reported as `locked`.
        Stopping = "stopping",
        /// Old name, now reported as `unlocked`.
        Uninstalled = "uninstalled",
    }
}

values! {
    /// How far the volumes of an endpoint are encrypted.
    pub enum EncryptionStatus as "encryption status" {
        /// No volume is encrypted.
        NotEncrypted = "notEncrypted",
        /// Encrypted.
        Encrypted = "encrypted",
        /// Encryption goes on.
        Encrypting = "encrypting",
        /// The device cannot be encrypted.
        NotSupported = "notSupported",
        /// Encryption is suspended.
        Suspended = "suspended",
        /// Not known.
        Unknown = "unknown",
        /// Encrypted by other means.
        Unmanaged = "unmanaged",
    }
}

values! {
    /// Whether an endpoint is cut off from the network.
    pub enum IsolationStatus as "isolation status" {
        /// Cut off, by an administrator or by itself.
        Isolated = "isolated",
        /// Not cut off.
        NotIsolated = "notIsolated",
    }
}

values! {
    /// Whether a service runs.
    pub enum ServiceStatus as "service status" {
        /// Runs.
        Running = "running",
        /// Does not run.
        Stopped = "stopped",
        /// Is not there.
        Missing = "missing",
    }
}

values! {
    /// Whether a product is installed.
    pub enum ProductStatus as "product status" {
        /// Installed.
        Installed = "installed",
        /// Not installed.
        NotInstalled = "notInstalled",
    }
}

model! {
    /// A managed device: a computer, a server.
    pub struct Endpoint {
        @required {
            /// Its id.
            id: EndpointId,
        }
        /// What kind of device it is.
        kind as "type": Option<EndpointType>,
        /// The tenant it belongs to.
        tenant: Option<TenantRef>,
        /// Its host name.
        hostname: Option<String>,
        /// How well it is.
        health: Option<EndpointHealth>,
        /// Its operating system.
        os: Option<OperatingSystem>,
        /// Its IPv4 addresses.
        ipv4_addresses: Vec<String>,
        /// Its IPv6 addresses.
        ipv6_addresses: Vec<String>,
        /// Its hardware addresses.
        mac_addresses: Vec<String>,
        /// The group it is in; absent if it is in none.
        group: Option<GroupRef>,
        /// The groups above it, outermost first.
        group_hierarchy: Vec<GroupRef>,
        /// The person who uses it.
        associated_person: Option<AssociatedPerson>,
        /// Whether tamper protection can be used on it.
        tamper_protection_supported: Option<bool>,
        /// Whether tamper protection is on.
        tamper_protection_enabled: Option<bool>,
        /// The products assigned to it.
        assigned_products: Vec<AssignedProduct>,
        /// The software packages assigned to it; in the full view.
        packages: Option<Packages>,
        /// The installed modules; in the full view.
        modules: Vec<Module>,
        /// Whether it is watched over by the vendor's response team.
        mdr_managed: Option<bool>,
        /// Its tags, at most 15.
        tags: Vec<Tag>,
        /// When it was last in touch with the service.
        last_seen_at: Option<Time>,
        /// When its operating system was last updated.
        last_os_update_at: Option<Time>,
        /// When its agent was last updated.
        last_agent_update_at: Option<Time>,
        /// Its serial number.
        serial_number: Option<String>,
        /// How far it is encrypted.
        encryption: Option<Encryption>,
        /// Whether it is locked down.
        lockdown: Option<Lockdown>,
        /// Whether it is connected now.
        online: Option<bool>,
        /// Where it runs, if in a public cloud.
        cloud: Option<CloudInstance>,
        /// Whether it is cut off from the network.
        isolation: Option<IsolationSummary>,
        /// Whether it is a copy of another device.
        cloned: Option<bool>,
    }
}

model! {
    /// How well an endpoint is.
    pub struct EndpointHealth {
        /// All together.
        overall: Option<Health>,
        /// As to threats.
        threats: Option<ThreatHealth>,
        /// As to the protection services.
        services: Option<ServiceHealth>,
    }
}

model! {
    /// How well an endpoint is as to threats.
    pub struct ThreatHealth {
        /// The status.
        status: Option<Health>,
    }
}

model! {
    /// How well the protection services of an endpoint are.
    pub struct ServiceHealth {
        /// The status of all together.
        status: Option<Health>,
        /// Each service.
        service_details: Vec<ServiceDetail>,
    }
}

model! {
    /// One protection service.
    pub struct ServiceDetail {
        /// Its name.
        name: Option<String>,
        /// Whether it runs.
        status: Option<ServiceStatus>,
    }
}

model! {
    /// The operating system of an endpoint. Versions are absent on some platforms.
    pub struct OperatingSystem {
        /// Whether it is a server system.
        is_server: Option<bool>,
        /// Its family.
        platform: Option<Platform>,
        /// Its name, such as `Windows Server 2022 Standard`.
        name: Option<String>,
        /// The first part of its version.
        major_version: Option<i64>,
        /// The second part of its version.
        minor_version: Option<i64>,
        /// Its build number.
        build: Option<i64>,
    }
}

model! {
    /// Points to a group of endpoints.
    pub struct GroupRef {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
    }
}

model! {
    /// The person who uses an endpoint. The id is missing for local accounts.
    pub struct AssociatedPerson {
        /// The id in the directory.
        id: Option<String>,
        /// The name.
        name: Option<String>,
        /// The login by which the person was seen.
        via_login: Option<String>,
    }
}

model! {
    /// A product assigned to an endpoint.
    pub struct AssignedProduct {
        /// The product, such as `coreAgent` or `interceptX`.
        code: Option<String>,
        /// The installed version.
        version: Option<String>,
        /// Whether it is installed.
        status: Option<ProductStatus>,
    }
}

model! {
    /// The software packages assigned to an endpoint.
    pub struct Packages {
        /// The protection package.
        protection: Option<Package>,
        /// The encryption package.
        encryption: Option<Package>,
        /// The zero trust network access package.
        ztna: Option<Package>,
    }
}

model! {
    /// A software package assigned to an endpoint.
    pub struct Package {
        /// Its status.
        status: Option<String>,
        /// Its name.
        name: Option<String>,
        /// The id of the package that is assigned.
        assigned_id: Option<String>,
        /// The packages that could be assigned.
        available: Vec<String>,
    }
}

model! {
    /// An installed module.
    pub struct Module {
        /// Its name.
        name: Option<String>,
        /// Its version.
        version: Option<String>,
    }
}

model! {
    /// A tag.
    pub struct Tag {
        /// The key.
        key: Option<String>,
        /// The value.
        value: Option<String>,
        /// Both, for people.
        display_string: Option<String>,
    }
}

model! {
    /// How far an endpoint is encrypted.
    pub struct Encryption {
        /// All volumes together.
        overall_status: Option<EncryptionStatus>,
        /// Each volume.
        volumes: Vec<Volume>,
    }
}

model! {
    /// A volume of an endpoint.
    pub struct Volume {
        /// Its id.
        volume_id: Option<String>,
        /// How far it is encrypted.
        status: Option<EncryptionStatus>,
    }
}

model! {
    /// Whether a server is locked down.
    pub struct Lockdown {
        /// The status.
        status: Option<LockdownStatus>,
        /// How far the update of the lockdown is, such as `upToDate` or `rebootRequired`.
        update_status: Option<String>,
    }
}

model! {
    /// Where an endpoint runs in a public cloud.
    pub struct CloudInstance {
        /// The cloud, such as `aws`, `azure` or `gcp`.
        provider: Option<String>,
        /// The id of the instance there.
        instance_id: Option<String>,
    }
}

model! {
    /// Whether an endpoint is cut off from the network, as shown in lists.
    ///
    /// There are two causes that do not depend on each other; lifting the isolation lifts the
    /// administrator's only.
    pub struct IsolationSummary {
        /// Both together.
        status: Option<IsolationStatus>,
        /// Whether an administrator isolated it.
        admin_isolated: Option<bool>,
        /// Whether it isolated itself.
        self_isolated: Option<bool>,
    }
}

model! {
    /// The isolation of an endpoint by an administrator.
    pub struct Isolation {
        /// Whether it is on.
        enabled: Option<bool>,
        /// When it was last turned on.
        last_enabled_at: Option<Time>,
        /// Who last turned it on.
        last_enabled_by: Option<Principal>,
        /// When it was last turned off.
        last_disabled_at: Option<Time>,
        /// Who last turned it off.
        last_disabled_by: Option<Principal>,
        /// Why.
        comment: Option<String>,
    }
}

model! {
    /// Somebody who did something: a person or a program.
    pub struct Principal {
        /// The id.
        id: Option<String>,
        /// `user` or `service`.
        kind as "type": Option<String>,
        /// The name.
        name: Option<String>,
        /// The level the account belongs to: `partner`, `organization` or `tenant`.
        account_type: Option<String>,
        /// The id of that account.
        account_id: Option<String>,
    }
}

model! {
    /// The answer for one endpoint of a change to many.
    pub struct IsolationResult {
        @required {
            /// The endpoint.
            id: EndpointId,
        }
        /// Its isolation after the change.
        isolation: Option<Isolation>,
    }
}

model! {
    /// A request that the device carries out when it is next in touch: a scan, an update check.
    pub struct DeviceTask {
        /// The id of the request.
        id: Option<String>,
        /// How far it is, such as `requested`.
        status: Option<String>,
        /// When it was made.
        requested_at: Option<Time>,
    }
}

model! {
    /// The tamper protection of an endpoint. The passwords are secrets: they do not show in debug
    /// output, and this type does not serialise.
    pub struct TamperProtection {
        /// Whether it is on.
        enabled: Option<bool>,
        /// The password that turns it off on the device.
        password: Option<SecretString>,
        /// Passwords that were valid before.
        previous_passwords: Vec<PreviousPassword>,
    }
}

model! {
    /// A tamper protection password that is no longer valid.
    pub struct PreviousPassword {
        /// The password.
        password: Option<SecretString>,
        /// When it became invalid.
        invalidated_at: Option<Time>,
    }
}

impl TamperProtection {
    /// Returns the password in the clear. Whoever has it can turn the protection off.
    #[must_use]
    pub fn expose_password(&self) -> Option<&str> {
        self.password.as_ref().map(SecretString::expose_secret)
    }
}

impl TamperProtection {
    /// Returns the JSON as it came, with passwords replaced by asterisks.
    #[must_use]
    pub fn masked(record: &crate::Record<Self>) -> crate::RawItem {
        crate::wire::masked(record.raw(), &["password"])
    }
}

impl PreviousPassword {
    /// Returns the password in the clear.
    #[must_use]
    pub fn expose_password(&self) -> Option<&str> {
        self.password.as_ref().map(SecretString::expose_secret)
    }
}

#[cfg(test)]
mod tests {
    use crate::Record;

    use super::*;

    const RICH: &str = r#"{"id":"5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f","type":"server","tenant":{"id":"7d1e2c34-9a0b-4c5d-8e6f-102938475601"},"hostname":"FILE-02",
  "health":{"overall":"suspicious","threats":{"status":"good"},"services":{"status":"suspicious","serviceDetails":[{"name":"Sophos File Scanner","status":"running"},{"name":"Sophos Network Threat Protection","status":"stopped"}]}},
  "os":{"isServer":true,"platform":"windows","name":"Windows Server 2022 Standard","majorVersion":10,"minorVersion":0,"build":20348},
  "ipv4Addresses":["10.4.0.12"],"ipv6Addresses":["fe80::40c:12"],"macAddresses":["02:1B:44:11:3A:B7"],
  "group":{"id":"c1d2e3f4-0000-4a5b-9c6d-7e8f90a1b2c3","name":"File servers"},
  "associatedPerson":{"viaLogin":"CORP\\svc-backup"},"tamperProtectionSupported":true,"tamperProtectionEnabled":true,
  "assignedProducts":[{"code":"coreAgent","version":"2024.3.2.8","status":"installed"},{"code":"interceptX","version":"2024.1.3.5","status":"installed"},{"code":"xdr","status":"notInstalled"}],
  "lastSeenAt":"2025-02-03T06:41:17.220Z","lockdown":{"status":"notInstalled","updateStatus":"notInstalled"},"online":true,
  "isolation":{"status":"notIsolated","adminIsolated":false,"selfIsolated":false},"tags":[{"key":"site","value":"Kiel","displayString":"site:Kiel"}],"futureField":{"x":1}}"#;

    #[test]
    fn a_rich_record_is_read_whole_and_written_as_it_came() {
        let endpoint: Record<Endpoint> = serde_json::from_str(RICH).unwrap();
        assert_eq!(endpoint.id.as_str(), "5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f");
        assert_eq!(endpoint.kind, Some(EndpointType::Server));
        assert_eq!(endpoint.hostname.as_deref(), Some("FILE-02"));
        let health = endpoint.health.as_ref().unwrap();
        assert_eq!(health.overall, Some(Health::Suspicious));
        let services = health.services.as_ref().unwrap();
        assert_eq!(
            services.service_details[1].status,
            Some(ServiceStatus::Stopped)
        );
        let os = endpoint.os.as_ref().unwrap();
        assert_eq!((os.is_server, os.build), (Some(true), Some(20_348)));
        assert_eq!(endpoint.ipv4_addresses, ["10.4.0.12"]);
        let person = endpoint.associated_person.as_ref().unwrap();
        assert_eq!(
            (person.via_login.as_deref(), &person.id),
            (Some("CORP\\svc-backup"), &None)
        );
        assert_eq!(
            endpoint.assigned_products[2].status,
            Some(ProductStatus::NotInstalled)
        );
        assert_eq!(
            endpoint.tags[0].display_string.as_deref(),
            Some("site:Kiel")
        );
        assert_eq!(endpoint.member("futureField.x"), Some(serde_json::json!(1)));
        assert_eq!(serde_json::to_string(&endpoint).unwrap(), RICH);
    }

    #[test]
    fn an_odd_record_is_read_too() {
        let json = r#"{"id":"64HEX","type":"toaster","hostname":null,"health":{"overall":"wobbly","services":null},
            "os":{"isServer":"False","majorVersion":"14","platform":"plan9"},"online":"True","ipv4Addresses":null,
            "tags":[null],"associatedPerson":{},"lastSeenAt":"yesterday","packages":{"protection":{"available":["a",null]}}}"#;
        let endpoint: Record<Endpoint> = serde_json::from_str(json).unwrap();
        assert_eq!(
            endpoint.kind,
            Some(EndpointType::Other("toaster".to_owned()))
        );
        assert_eq!(endpoint.online, Some(true));
        let os = endpoint.os.as_ref().unwrap();
        assert_eq!((os.is_server, os.major_version), (Some(false), Some(14)));
        assert_eq!(endpoint.last_seen_at.as_ref().unwrap().timestamp(), None);
        assert!(endpoint.tags.is_empty());
        assert_eq!(serde_json::to_string(&endpoint).unwrap(), json);
    }

    #[test]
    fn tamper_passwords_do_not_show_in_debug_output() {
        let json = r#"{"enabled":true,"password":"k7-Hazel-Quay-31","previousPasswords":[{"password":"p2-Maple-Ford-88","invalidatedAt":"2024-11-02T10:00:00.000Z"}]}"#;
        let tamper: TamperProtection = serde_json::from_str(json).unwrap();
        assert_eq!(tamper.expose_password(), Some("k7-Hazel-Quay-31"));
        assert_eq!(
            tamper.previous_passwords[0].expose_password(),
            Some("p2-Maple-Ford-88")
        );
        let record: Record<TamperProtection> = serde_json::from_str(json).unwrap();
        assert_eq!(
            TamperProtection::masked(&record).get(),
            r#"{"enabled":true,"password":"********","previousPasswords":[{"password":"********","invalidatedAt":"2024-11-02T10:00:00.000Z"}]}"#
        );
        let debug = format!("{tamper:?} {record:?}");
        assert!(
            !debug.contains("Hazel") && !debug.contains("Maple"),
            "{debug}"
        );
    }

    #[test]
    fn isolation_answers_are_read() {
        let json = r#"{"enabled":true,"lastEnabledAt":"2025-02-03T06:45:00.011Z","lastEnabledBy":{"id":"d0c1b2a3-9687-4f5e-8d4c-3b2a19080706","type":"service","name":"nightly-triage","accountType":"tenant","accountId":"7d1e2c34-9a0b-4c5d-8e6f-102938475601"},"comment":"Ticket 4711"}"#;
        let isolation: Isolation = serde_json::from_str(json).unwrap();
        assert_eq!(isolation.enabled, Some(true));
        let by = isolation.last_enabled_by.unwrap();
        assert_eq!(by.kind.as_deref(), Some("service"));
        let json = r#"{"id":"5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f","isolation":{"enabled":true,"comment":"Ticket 4711"}}"#;
        let result: IsolationResult = serde_json::from_str(json).unwrap();
        assert_eq!(
            result.isolation.unwrap().comment.as_deref(),
            Some("Ticket 4711")
        );
    }
}

//! A device as JSON.

use crate::{
    clock::{format, format_without_zone},
    endpoints::{
        device::{Device, Platform, Quirk},
        fleet::Isolation,
    },
    json::{Json, Null},
    projection::View,
};

/// Writes the record of a device.
pub(crate) fn write(
    device: &Device<'_>,
    isolation: &Isolation,
    tamper_enabled: Option<bool>,
    view: View,
    json: &mut Json,
) {
    json.object(|json| {
        json.member("id", device.id());
        json.optional("type", device.kind());
        let (Some(hostname), true) = (device.hostname(), device.quirk != Some(Quirk::OnlyId))
        else {
            return;
        };
        json.member_object("tenant", |json| json.member("id", &device.account.id));
        json.member("hostname", hostname);
        if view == View::Basic || !device.is_rich() {
            return;
        }
        write_summary(device, isolation, tamper_enabled, json);
        if view == View::Full {
            write_packages(device, json);
        }
        if device.quirk == Some(Quirk::UnknownMembers) {
            json.member_object("futureField", |json| {
                json.member("x", 1_u32);
                json.member_array("deep", |json| {
                    json.item("ünïcode \u{1F980}");
                    json.item(Null);
                });
            });
            json.member("futureFlag", true);
        }
    });
}

fn write_summary(
    device: &Device<'_>,
    isolation: &Isolation,
    tamper_enabled: Option<bool>,
    json: &mut Json,
) {
    let quirk = device.quirk;
    let texts = quirk == Some(Quirk::StringBooleans);
    if quirk == Some(Quirk::NullMembers) {
        for name in NULLABLE {
            json.member(name, Null);
        }
    } else {
        write_health(device, json);
        write_os(device, json);
        write_addresses(device, json);
        write_people(device, json);
        json.optional("serialNumber", device.serial_number());
    }
    optional_flag(
        json,
        "tamperProtectionSupported",
        device.tamper_supported(),
        texts,
    );
    optional_flag(json, "tamperProtectionEnabled", tamper_enabled, texts);
    write_products(device, json);
    let time = |instant| match quirk {
        Some(Quirk::ZonelessTimes) => format_without_zone(instant),
        _ => format(instant),
    };
    match device.last_seen() {
        Some(instant) => json.member("lastSeenAt", time(instant)),
        // An old form that is no ISO-8601 at all.
        None => json.member("lastSeenAt", "2021-08-13 09.07.03 GMT"),
    }
    json.optional("lastOsUpdateAt", device.last_os_update().map(time));
    json.optional("lastAgentUpdateAt", device.last_agent_update().map(time));
    write_encryption(device, json);
    json.member_object("lockdown", |json| {
        let installed = device
            .lockdown()
            .is_some_and(|status| status != "notInstalled");
        json.optional("status", device.lockdown());
        json.member(
            "updateStatus",
            if installed {
                "upToDate"
            } else {
                "notInstalled"
            },
        );
    });
    optional_flag(json, "online", device.online(), texts);
    if let Some((provider, instance)) = device.cloud() {
        json.member_object("cloud", |json| {
            json.member("provider", provider);
            json.member("instanceId", instance);
        });
    }
    json.member_object("isolation", |json| {
        json.member("status", isolation.status());
        optional_flag(json, "adminIsolated", Some(isolation.admin), texts);
        optional_flag(json, "selfIsolated", Some(isolation.by_itself), texts);
    });
    json.member("mdrManaged", device.is_mdr_managed());
    write_tags(device, json);
    if device.is_cloned() {
        json.member("cloned", true);
    }
}

fn optional_flag(json: &mut Json, name: &str, value: Option<bool>, text: bool) {
    match value {
        None => {}
        Some(value) if text => json.member(name, if value { "True" } else { "False" }),
        Some(value) => json.member(name, value),
    }
}

fn write_health(device: &Device<'_>, json: &mut Json) {
    let Some(overall) = device.health() else {
        return;
    };
    json.member_object("health", |json| {
        json.member("overall", overall);
        let threats = if overall == "bad" { "bad" } else { "good" };
        let services = if overall == "good" {
            "good"
        } else {
            "suspicious"
        };
        json.member_object("threats", |json| json.member("status", threats));
        json.member_object("services", |json| {
            json.member("status", services);
            json.member_array("serviceDetails", |json| {
                for (at, name) in SERVICES.iter().enumerate() {
                    let stopped = services != "good" && at == 1;
                    json.object(|json| {
                        json.member("name", *name);
                        json.member("status", if stopped { "stopped" } else { "running" });
                    });
                }
            });
        });
    });
}

fn write_os(device: &Device<'_>, json: &mut Json) {
    let Some(os) = device.os() else {
        return;
    };
    let number = |json: &mut Json, name: &str, value: Option<u32>| match value {
        None => {}
        Some(value) if device.quirk == Some(Quirk::StringNumbers) => {
            json.member(name, value.to_string());
        }
        Some(value) => json.member(name, value),
    };
    json.member_object("os", |json| {
        let texts = device.quirk == Some(Quirk::StringBooleans);
        optional_flag(json, "isServer", Some(device.is_server()), texts);
        json.member("platform", os.platform);
        json.member("name", os.name);
        number(json, "majorVersion", os.major);
        number(json, "minorVersion", os.minor);
        number(json, "build", os.build);
    });
}

fn write_addresses(device: &Device<'_>, json: &mut Json) {
    if let Some([a, b, c, d]) = device.ipv4() {
        json.member_array("ipv4Addresses", |json| {
            json.item(format!("{a}.{b}.{c}.{d}"));
        });
    }
    if let Some(address) = device.ipv6() {
        json.member_array("ipv6Addresses", |json| json.item(address));
    }
    if let Some(mac) = device.mac() {
        let text: Vec<String> = mac.iter().map(|byte| format!("{byte:02X}")).collect();
        json.member_array("macAddresses", |json| json.item(text.join(":")));
    }
}

fn write_people(device: &Device<'_>, json: &mut Json) {
    if let Some((id, name)) = device.group() {
        json.member_object("group", |json| {
            json.member("id", id);
            json.member("name", name);
        });
    }
    json.member_object("associatedPerson", |json| {
        json.optional("name", device.person_name());
        json.optional("viaLogin", device.login());
        json.optional("id", device.person_id());
    });
}

fn write_products(device: &Device<'_>, json: &mut Json) {
    let version = device.agent_version();
    json.member_array("assignedProducts", |json| {
        let product = |json: &mut Json, code: &str, version: Option<&String>| {
            json.object(|json| {
                json.member("code", code);
                json.optional("version", version);
                let installed = if version.is_some() {
                    "installed"
                } else {
                    "notInstalled"
                };
                json.member("status", installed);
            });
        };
        product(json, "coreAgent", Some(&version));
        product(json, "interceptX", Some(&version));
        if device.quirk == Some(Quirk::NullItems) {
            json.item(Null);
        }
        product(json, "xdr", None);
    });
}

fn write_encryption(device: &Device<'_>, json: &mut Json) {
    let Some(status) = device.encryption() else {
        return;
    };
    json.member_object("encryption", |json| {
        json.member("overallStatus", status);
        if device.platform() == Platform::Windows {
            json.member_array("volumes", |json| {
                json.object(|json| {
                    json.member("volumeId", "C:");
                    json.member("status", status);
                });
            });
        }
    });
}

fn write_tags(device: &Device<'_>, json: &mut Json) {
    let site = device.site();
    json.member_array("tags", |json| {
        if device.quirk == Some(Quirk::NullItems) {
            json.item(Null);
        }
        json.object(|json| {
            json.member("key", "site");
            json.member("value", site);
            json.member("displayString", format!("site:{site}"));
        });
    });
}

fn write_packages(device: &Device<'_>, json: &mut Json) {
    let version = device.agent_version();
    json.member_object("packages", |json| {
        for name in ["protection", "encryption", "ztna"] {
            json.member_object(name, |json| {
                let status = if name == "protection" {
                    "assigned"
                } else {
                    "unassigned"
                };
                json.member("status", status);
                if name == "protection" {
                    json.member("name", "Recommended");
                    json.member("assignedId", "recommended");
                }
                json.member_array("available", |json| json.item("recommended"));
            });
        }
    });
    json.member_array("modules", |json| {
        for name in ["Core Agent", "Endpoint Detection and Response"] {
            json.object(|json| {
                json.member("name", name);
                json.member("version", &version);
            });
        }
    });
}

/// Members that are null in one odd record.
const NULLABLE: &[&str] = &[
    "health",
    "os",
    "ipv4Addresses",
    "ipv6Addresses",
    "macAddresses",
    "group",
    "associatedPerson",
    "serialNumber",
];

const SERVICES: &[&str] = &["Sophos File Scanner", "Sophos Network Threat Protection"];

/// The top-level members that `fields` may name.
pub(crate) const FIELDS: &[&str] = &[
    "id",
    "type",
    "tenant",
    "hostname",
    "health",
    "os",
    "ipv4Addresses",
    "ipv6Addresses",
    "macAddresses",
    "group",
    "groupHierarchy",
    "associatedPerson",
    "tamperProtectionSupported",
    "tamperProtectionEnabled",
    "assignedProducts",
    "packages",
    "modules",
    "mdrManaged",
    "tags",
    "lastSeenAt",
    "lastOsUpdateAt",
    "lastAgentUpdateAt",
    "serialNumber",
    "encryption",
    "lockdown",
    "online",
    "cloud",
    "isolation",
    "cloned",
];

//! One alert, computed from seed and index. The newest has index 0.

use jiff::Timestamp;

use crate::{
    account::Account,
    clock::{Clock, format, format_without_zone},
    endpoints::Device,
    json::{Json, Null},
    random::Seed,
};

/// An alert. It costs nothing to make.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alert<'a> {
    pub(crate) account: &'a Account,
    pub(crate) index: u32,
    clock: Clock,
    seed: Seed,
    quirk: Option<Quirk>,
}

/// A way in which a record is sparse or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    OnlyId,
    EmptyAgent,
    UnknownEnums,
    UnknownMembers,
    NullMembers,
    NullItems,
    UpperCaseId,
    LongId,
}

const QUIRKS: &[Quirk] = &[
    Quirk::EmptyAgent,
    Quirk::UnknownEnums,
    Quirk::NullMembers,
    Quirk::OnlyId,
    Quirk::UnknownMembers,
    Quirk::NullItems,
    Quirk::UpperCaseId,
    Quirk::LongId,
];

/// One alert in so many is odd.
const QUIRK_EVERY: u32 = 13;

/// A kind of alert: its parts always belong together.
#[derive(Clone, Copy, Debug)]
struct Sort {
    category: &'static str,
    product: &'static str,
    severity: &'static str,
    event: &'static str,
    agent: &'static str,
    actions: &'static [&'static str],
    description: &'static str,
}

impl<'a> Alert<'a> {
    pub(crate) fn new(account: &'a Account, clock: Clock, index: u32) -> Self {
        let seed = account.seed.child("alert", 0);
        let quirk = (account.odd_records && index % QUIRK_EVERY == 3)
            .then(|| QUIRKS[(index / QUIRK_EVERY) as usize % QUIRKS.len()]);
        Self {
            account,
            index,
            clock,
            seed,
            quirk,
        }
    }

    /// Finds the alert of an id, compared without case.
    pub(crate) fn find(account: &'a Account, clock: Clock, id: &str) -> Option<Self> {
        let index = account.seed.child("alert", 0).index_of(id)?;
        (index < account.alerts)
            .then(|| Self::new(account, clock, index))
            .filter(|alert| alert.id().eq_ignore_ascii_case(id))
    }

    pub(crate) fn id(&self) -> String {
        match self.quirk {
            Some(Quirk::UpperCaseId) => self.seed.uuid(self.index).to_uppercase(),
            Some(Quirk::LongId) => self.seed.hex_id(self.index),
            _ => self.seed.uuid(self.index),
        }
    }

    fn is_bare(&self) -> bool {
        self.quirk == Some(Quirk::OnlyId)
    }

    fn sort(&self) -> Sort {
        self.seed.pick(self.index, 1, SORTS)
    }

    pub(crate) fn category(&self) -> Option<&'static str> {
        match self.quirk {
            Some(Quirk::OnlyId) => None,
            Some(Quirk::UnknownEnums) => Some("quantumTunnel"),
            _ => Some(self.sort().category),
        }
    }

    pub(crate) fn product(&self) -> Option<&'static str> {
        match self.quirk {
            Some(Quirk::OnlyId) => None,
            Some(Quirk::UnknownEnums) => Some("toaster"),
            _ => Some(self.sort().product),
        }
    }

    pub(crate) fn severity(&self) -> Option<&'static str> {
        match self.quirk {
            Some(Quirk::OnlyId) => None,
            Some(Quirk::UnknownEnums) => Some("urgent"),
            _ => Some(self.sort().severity),
        }
    }

    pub(crate) fn event(&self) -> Option<&'static str> {
        (!self.is_bare()).then(|| self.sort().event)
    }

    pub(crate) fn actions(&self) -> &'static [&'static str] {
        if self.is_bare() {
            &[]
        } else {
            self.sort().actions
        }
    }

    pub(crate) fn group_key(&self) -> Option<String> {
        // Base64-like, with characters that must be percent-encoded.
        (!self.is_bare()).then(|| {
            let groups = self.account.seed.child("alert-group", 0);
            format!("MSx+/{}==", &groups.hex_id(self.index / 3)[..20])
        })
    }

    pub(crate) fn raised_at(&self) -> Option<Timestamp> {
        // Newer alerts have lower numbers; about three hours lie between two.
        let minutes = i64::from(self.index) * 180 + i64::from(self.seed.below(self.index, 2, 170));
        let millis = i64::from(self.seed.below(self.index, 3, 60_000));
        (!self.is_bare()).then(|| self.clock.ago_millis(minutes * 60_000 + millis))
    }

    /// Writes the record.
    pub(crate) fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("id", self.id());
            if !self.is_bare() {
                self.write_rest(json);
            }
        });
    }

    fn write_rest(&self, json: &mut Json) {
        let sort = self.sort();
        json.member_array("allowedActions", |json| {
            for action in sort.actions {
                json.item(*action);
            }
            match self.quirk {
                Some(Quirk::UnknownEnums) => json.item("quarantineHost"),
                Some(Quirk::NullItems) => json.item(Null),
                _ => {}
            }
        });
        json.optional("category", self.category());
        json.member("description", sort.description);
        json.optional("groupKey", self.group_key());
        self.write_agent(json);
        json.optional("product", self.product());
        // Half of the service writes this time without its zone.
        json.optional(
            "raisedAt",
            self.raised_at()
                .map(|at| match self.seed.below(self.index, 5, 2) {
                    0 => format(at),
                    _ => format_without_zone(at),
                }),
        );
        json.optional("severity", self.severity());
        json.member_object("tenant", |json| {
            json.member("id", &self.account.id);
            if self.index.is_multiple_of(2) {
                json.member("name", &self.account.name);
            }
        });
        json.optional("type", self.event());
        if self.quirk == Some(Quirk::UnknownMembers) {
            json.member_object("futureField", |json| json.member("x", 1_u32));
        }
    }

    fn write_agent(&self, json: &mut Json) {
        if self.quirk == Some(Quirk::NullMembers) {
            json.member("managedAgent", Null);
            json.member("person", Null);
            return;
        }
        let agent = self.sort().agent;
        let device = match agent {
            "computer" | "server" => self.device(agent == "server"),
            _ => None,
        };
        json.member_object("managedAgent", |json| match device {
            _ if self.quirk == Some(Quirk::EmptyAgent) => {}
            Some(device) => {
                json.member("id", device.id());
                json.member("type", agent);
            }
            None if agent == "mobile" => {
                json.member("id", self.account.seed.child("mobile", 0).uuid(self.index));
                json.member("type", agent);
            }
            None => {}
        });
        if let Some(id) = device.and_then(|device| device.person_id()) {
            json.member_object("person", |json| json.member("id", id));
        }
    }

    /// Returns the device that raised it: a server or a computer of the fleet, if there is one near the place that chance points at.
    fn device(&self, server: bool) -> Option<Device<'a>> {
        let count = self.account.endpoints;
        let start = self.seed.below(self.index, 4, count.max(1));
        (0..count.min(DEVICES_TRIED))
            .map(|step| Device::new(self.account, self.clock, (start + step) % count))
            .find(|device| device.is_server() == server)
    }
}

/// Returns the text that an alert is sorted by.
pub(crate) fn sort_text(alert: &Alert<'_>, field: &str) -> Option<String> {
    match field {
        "id" => Some(alert.id()),
        "raisedAt" => alert.raised_at().map(format),
        // By weight, not by letters.
        "severity" => alert.severity().map(|severity| {
            let weight = ["low", "medium", "high"]
                .iter()
                .position(|known| *known == severity);
            weight.unwrap_or(3).to_string()
        }),
        "category" => alert.category().map(str::to_owned),
        "product" => alert.product().map(str::to_owned),
        "type" => alert.event().map(str::to_owned),
        _ => None,
    }
}

const DEVICES_TRIED: u32 = 64;

/// The fields that a listing can be sorted by.
pub(crate) const SORT_FIELDS: &[&str] =
    &["id", "raisedAt", "severity", "category", "product", "type"];

/// The top-level members that `fields` may name.
pub(crate) const FIELDS: &[&str] = &[
    "id",
    "allowedActions",
    "category",
    "description",
    "groupKey",
    "managedAgent",
    "person",
    "product",
    "raisedAt",
    "severity",
    "tenant",
    "type",
];

const SORTS: &[Sort] = &[
    Sort {
        category: "malware",
        product: "endpoint",
        severity: "high",
        event: "Event::Endpoint::Threat::Detected",
        agent: "computer",
        actions: &["acknowledge", "cleanVirus", "clearThreat"],
        description: "Malware detected: 'Troj/Demo-A' at 'C:\\Users\\anna\\dl.exe'",
    },
    Sort {
        category: "pua",
        product: "server",
        severity: "medium",
        event: "Event::Endpoint::CorePuaDetection",
        agent: "server",
        actions: &["acknowledge", "cleanPua", "authPua"],
        description: "PUA detected: 'NetTool' at 'C:\\Tools\\nt.exe'",
    },
    Sort {
        category: "policy",
        product: "endpoint",
        severity: "low",
        event: "Event::Endpoint::NonCompliant",
        agent: "computer",
        actions: &["acknowledge"],
        description: "Policy non-compliance: real-time protection",
    },
    Sort {
        category: "updating",
        product: "endpoint",
        severity: "low",
        event: "Event::Endpoint::UpdateFailure",
        agent: "computer",
        actions: &["acknowledge"],
        description: "Failed to update: the server could not be reached",
    },
    Sort {
        category: "connectivity",
        product: "firewall",
        severity: "high",
        event: "Event::Firewall::LostConnection",
        agent: "",
        actions: &["acknowledge"],
        description: "Firewall FW-KIEL lost connection to Sophos Central",
    },
    Sort {
        category: "runtimeDetections",
        product: "server",
        severity: "medium",
        event: "Event::Endpoint::HmpaExploitPrevented",
        agent: "server",
        actions: &["acknowledge", "clearHmpa", "sendMsgThreat"],
        description: "Exploit prevented: 'CodeCave' in Wörter & Zahlen.exe",
    },
    Sort {
        category: "general",
        product: "mobile",
        severity: "medium",
        event: "Event::Mobile::Decommissioned",
        agent: "mobile",
        actions: &["acknowledge"],
        description: "Device decommissioned by its user",
    },
];

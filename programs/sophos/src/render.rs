//! What the program knows about the things it prints: preferred columns and their colours.

use clikit::output::{Column, Paint, View};

const HEALTH: &[(&str, Paint)] = &[
    ("good", Paint::Green),
    ("suspicious", Paint::Yellow),
    ("bad", Paint::Red),
    ("unknown", Paint::Dim),
];

const SEVERITY: &[(&str, Paint)] = &[
    ("low", Paint::Blue),
    ("medium", Paint::Yellow),
    ("high", Paint::Red),
];

/// Devices.
pub(crate) static ENDPOINTS: View = View::new(&[
    Column::new("hostname").whole().priority(0),
    Column::new("id").whole().priority(1),
    Column::new("type").priority(3),
    Column::new("os.name").header("os").priority(5),
    Column::new("health.overall")
        .header("health")
        .priority(2)
        .paint(HEALTH),
    Column::new("tamperProtectionEnabled")
        .header("tamper")
        .priority(7),
    Column::new("isolation.status")
        .header("isolation")
        .priority(4),
    Column::new("associatedPerson.viaLogin")
        .header("person")
        .priority(8),
    Column::new("lastSeenAt").header("last seen").priority(6),
])
.known(&[
    "associatedPerson.id",
    "associatedPerson.name",
    "assignedProducts",
    "cloud.instanceId",
    "cloud.provider",
    "encryption.overallStatus",
    "group.id",
    "group.name",
    "health.services.status",
    "health.threats.status",
    "ipv4Addresses",
    "ipv6Addresses",
    "isolation.adminIsolated",
    "isolation.selfIsolated",
    "lastAgentUpdateAt",
    "lastOsUpdateAt",
    "lockdown.status",
    "macAddresses",
    "mdrManaged",
    "online",
    "os.build",
    "os.isServer",
    "os.majorVersion",
    "os.minorVersion",
    "os.platform",
    "serialNumber",
    "tags",
    "tamperProtectionSupported",
    "tenant.id",
]);

/// Alerts.
pub(crate) static ALERTS: View = View::new(&[
    Column::new("raisedAt").header("raised").priority(2),
    Column::new("severity").priority(1).paint(SEVERITY),
    Column::new("category").priority(4),
    Column::new("product").priority(5),
    Column::new("description").priority(0),
    Column::new("id").whole().priority(3),
])
.known(&[
    "allowedActions",
    "groupKey",
    "managedAgent.id",
    "managedAgent.name",
    "managedAgent.type",
    "person.id",
    "person.name",
    "tenant.id",
    "tenant.name",
    "type",
]);

/// Tenants.
pub(crate) static TENANTS: View = View::new(&[
    Column::new("name").whole().priority(0),
    Column::new("id").whole().priority(1),
    Column::new("dataRegion").header("region").priority(2),
    Column::new("status").priority(3),
    Column::new("billingType").header("billing").priority(4),
])
.known(&[
    "apiHost",
    "dataGeography",
    "organization.id",
    "partner.id",
    "products",
    "showAs",
]);

/// The isolation of several devices after a change.
pub(crate) static ISOLATED: View = View::new(&[
    Column::new("id").whole().priority(0),
    Column::new("isolation.enabled")
        .header("isolated")
        .priority(1),
    Column::new("isolation.comment")
        .header("comment")
        .priority(2),
]);

/// What one device was asked to do.
pub(crate) static TASK: View = View::new(&[
    Column::new("id"),
    Column::new("status"),
    Column::new("requestedAt"),
]);

/// What several devices were asked to do.
pub(crate) static TASKS: View = View::new(&[
    Column::new("endpoint.id")
        .header("device")
        .whole()
        .priority(0),
    Column::new("status").priority(1),
    Column::new("requestedAt").header("requested").priority(2),
    Column::new("id").header("task").priority(3),
]);

/// The isolation of one device.
pub(crate) static ISOLATION: View = View::new(&[
    Column::new("enabled"),
    Column::new("comment"),
    Column::new("lastEnabledAt"),
    Column::new("lastEnabledBy.name"),
    Column::new("lastDisabledAt"),
    Column::new("lastDisabledBy.name"),
]);

/// Tamper protection of one device.
pub(crate) static TAMPER: View = View::new(&[Column::new("enabled"), Column::new("password")]);

/// Requests that `--dry-run` kept back.
pub(crate) static PLANNED: View = View::new(&[
    Column::new("method"),
    Column::new("url").whole(),
    Column::new("body"),
]);

/// Effective settings.
pub(crate) static SETTINGS: View = View::new(&[
    Column::new("key").whole(),
    Column::new("value"),
    Column::new("origin"),
]);

/// The answers of `config test`.
pub(crate) static CHECK: View = View::new(&[
    Column::new("kind"),
    Column::new("id"),
    Column::new("globalHost"),
    Column::new("dataRegionHost"),
    Column::new("tenants"),
]);

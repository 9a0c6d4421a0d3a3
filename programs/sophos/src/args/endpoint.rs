//! `endpoint ...`

use clap::{Args, Subcommand, ValueEnum, builder::NonEmptyStringValueParser};
use sophos_central::{
    When,
    endpoint::{EncryptionStatus, EndpointType, Health, LockdownStatus, SearchField},
};

use super::{Paging, values};

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    /// List devices
    List(Box<EndpointList>),
    /// Show one device
    Get(EndpointGet),
    /// Cut devices off the network
    Isolate(EndpointIsolate),
    /// Let isolated devices back on the network
    Unisolate(EndpointUnisolate),
    /// Show the isolation of one device
    Isolation(OneEndpoint),
    /// Start a scan
    Scan(EndpointScan),
    /// Ask devices to look for updates
    UpdateCheck(EndpointScan),
    /// Show and change tamper protection
    Tamper {
        #[command(subcommand)]
        command: TamperCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TamperCommand {
    /// Show tamper protection of one device
    #[command(visible_alias = "status")]
    Get(TamperGet),
    /// Change tamper protection of one device
    Update(TamperUpdate),
    /// Print the tamper protection password, and nothing else
    Password(TamperPassword),
}

#[derive(Debug, Args)]
pub(crate) struct EndpointList {
    #[command(flatten)]
    pub(crate) filters: EndpointFilters,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct EndpointFilters {
    /// Overall health (may be repeated)
    #[arg(long = "health-status", visible_alias = "health", value_name = "HEALTH",
          value_delimiter = ',', value_parser = values::word::<Health>())]
    pub(crate) health: Vec<Health>,
    /// Kind of device (may be repeated)
    #[arg(long = "endpoint-type", visible_alias = "type", value_name = "TYPE",
          value_delimiter = ',', value_parser = values::word::<EndpointType>())]
    pub(crate) kind: Vec<EndpointType>,
    /// State of the server lockdown (may be repeated)
    #[arg(long, value_name = "STATUS",
          value_delimiter = ',', value_parser = values::word::<LockdownStatus>())]
    pub(crate) lockdown_status: Vec<LockdownStatus>,
    /// State of the disk encryption (may be repeated)
    #[arg(long, value_name = "STATUS",
          value_delimiter = ',', value_parser = values::word::<EncryptionStatus>())]
    pub(crate) encryption_status: Vec<EncryptionStatus>,
    /// Only devices with tamper protection
    #[arg(long, overrides_with = "no_tamper_protection")]
    pub(crate) tamper_protection: bool,
    /// Only devices without tamper protection
    #[arg(long, overrides_with = "tamper_protection")]
    pub(crate) no_tamper_protection: bool,
    /// Only isolated devices
    #[arg(long, overrides_with = "not_isolated")]
    pub(crate) isolated: bool,
    /// Only devices that are not isolated
    #[arg(long, overrides_with = "isolated")]
    pub(crate) not_isolated: bool,
    /// Only devices that are connected now
    #[arg(long, overrides_with = "offline")]
    pub(crate) online: bool,
    /// Only devices that are not connected now
    #[arg(long, overrides_with = "online")]
    pub(crate) offline: bool,
    /// Text in the host name
    #[arg(long, value_name = "TEXT")]
    pub(crate) hostname_contains: Option<String>,
    /// Text in the name of the associated person
    #[arg(long, value_name = "TEXT")]
    pub(crate) person_contains: Option<String>,
    /// Text in the serial number
    #[arg(long, value_name = "TEXT")]
    pub(crate) serial_contains: Option<String>,
    /// Last seen before then: 2024-05-06, a full timestamp, -P90D, or 90d for 90 days ago
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) last_seen_before: Option<When>,
    /// Last seen then or later, in the same forms
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) last_seen_after: Option<When>,
    /// Only these devices
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Devices with one of these addresses
    #[arg(long, value_name = "IP", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ip_addresses: Vec<String>,
    /// Devices with one of these hardware addresses
    #[arg(long, value_name = "MAC", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) mac_addresses: Vec<String>,
    /// Cloud provider, provider:instance, or instance
    #[arg(long, value_name = "CLOUD", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) cloud: Vec<String>,
    /// Text to search for
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Where --search looks
    #[arg(long, value_name = "FIELD", requires = "search",
          value_delimiter = ',', value_parser = values::word::<SearchField>())]
    pub(crate) search_fields: Vec<SearchField>,
    /// Order: field, field:asc or field:desc (may be repeated)
    #[arg(long, value_name = "FIELD[:DIR]", value_delimiter = ',')]
    pub(crate) sort: Vec<String>,
    /// How much of each device [default: the service's, summary]
    #[arg(long, value_enum, value_name = "VIEW")]
    pub(crate) view: Option<View>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum View {
    Basic,
    Summary,
    Full,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointGet {
    /// Id of the device
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// How much of the device
    #[arg(long, value_enum, default_value_t = View::Full, value_name = "VIEW")]
    pub(crate) view: View,
}

#[derive(Debug, Args)]
pub(crate) struct OneEndpoint {
    /// Id of the device
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointIsolate {
    /// Ids of the devices
    #[arg(required = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Why, at most 400 characters (asked for on a terminal when missing)
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointUnisolate {
    /// Ids of the devices
    #[arg(required = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Why, at most 400 characters
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointScan {
    /// Ids of the devices
    #[arg(required = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Accepted for compatibility; the service takes no comment here
    #[arg(long, value_name = "TEXT", hide = true)]
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TamperGet {
    /// Id of the device
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// Show the passwords
    #[arg(long)]
    pub(crate) show_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TamperUpdate {
    /// Id of the device
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// Turn tamper protection on
    #[arg(long, conflicts_with = "disable")]
    pub(crate) enable: bool,
    /// Turn tamper protection off
    #[arg(long)]
    pub(crate) disable: bool,
    /// Make a new password
    #[arg(long)]
    pub(crate) regenerate_password: bool,
    /// Show the passwords
    #[arg(long)]
    pub(crate) show_password: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TamperPassword {
    /// Id of the device
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
    /// Print the previous passwords too, newest first
    #[arg(long)]
    pub(crate) history: bool,
}

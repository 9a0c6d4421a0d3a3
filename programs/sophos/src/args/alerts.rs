//! `alerts ...`

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};
use sophos_central::{
    When,
    alerts::{Category, Product, Severity},
};

use super::{Paging, values};

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts
    List(Box<AlertsList>),
    /// Show one alert
    Get(AlertGet),
}

#[derive(Debug, Args)]
pub(crate) struct AlertsList {
    #[command(flatten)]
    pub(crate) filters: AlertFilters,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct AlertFilters {
    /// Severity (may be repeated)
    #[arg(long, value_name = "SEVERITY",
          value_delimiter = ',', value_parser = values::word::<Severity>())]
    pub(crate) severity: Vec<Severity>,
    /// Product that raised the alert (may be repeated)
    #[arg(long, value_name = "PRODUCT",
          value_delimiter = ',', value_parser = values::word::<Product>())]
    pub(crate) product: Vec<Product>,
    /// Category (may be repeated)
    #[arg(long, value_name = "CATEGORY", hide_possible_values = true,
          value_delimiter = ',', value_parser = values::word::<Category>())]
    pub(crate) category: Vec<Category>,
    /// Raised then or later: 2024-05-06, a full timestamp, -PT12H, or 12h for 12 hours ago
    #[arg(
        long,
        visible_alias = "since",
        value_name = "WHEN",
        allow_hyphen_values = true
    )]
    pub(crate) from: Option<When>,
    /// Raised before then, in the same forms
    #[arg(
        long,
        visible_alias = "until",
        value_name = "WHEN",
        allow_hyphen_values = true
    )]
    pub(crate) to: Option<When>,
    /// Alerts of this group
    #[arg(long, value_name = "KEY")]
    pub(crate) group_key: Option<String>,
    /// Only these alerts
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub(crate) ids: Vec<String>,
    /// Order: field, field:asc or field:desc (may be repeated)
    #[arg(long, value_name = "FIELD[:DIR]", value_delimiter = ',')]
    pub(crate) sort: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AlertGet {
    /// Id of the alert
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}

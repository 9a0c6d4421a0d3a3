//! `tenants ...`

use clap::{Args, Subcommand, builder::NonEmptyStringValueParser};

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantsCommand {
    /// List tenants
    List(TenantsList),
    /// Show one tenant
    Get(TenantGet),
}

#[derive(Debug, Args)]
pub(crate) struct TenantsList {
    #[command(flatten)]
    pub(crate) filters: TenantFilters,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct TenantFilters {
    /// Name, or name pattern with * and ?; either name of the tenant may match
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// State, such as active (may be repeated)
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) status: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantGet {
    /// Id of the tenant
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) id: String,
}

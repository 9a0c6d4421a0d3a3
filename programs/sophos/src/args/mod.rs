//! The command line: what may be typed, with its defaults and its help.

mod alerts;
mod config;
mod endpoint;
mod tenants;
mod values;

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clikit::{Fields, ReportForm};

pub(crate) use self::{
    alerts::{AlertFilters, AlertsCommand},
    config::{ConfigCommand, ConfigInit, ConfigSet},
    endpoint::{EndpointCommand, EndpointFilters, TamperCommand, TamperUpdate, View},
    tenants::{TenantFilters, TenantsCommand},
};

/// Look at and act on Sophos Central from the command line.
#[derive(Debug, Parser)]
#[command(
    about = "Look at and act on Sophos Central from the command line",
    after_help = EXAMPLES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sophos --sandbox endpoint list
  sophos config init
  sophos endpoint list --health bad --all -o ndjson
  sophos endpoint isolate ID --comment \"ticket 4711\"
  sophos alerts list --since 24h --severity high --all-tenants -o csv -f alerts.csv";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, show, change and test the configuration
    Config(ConfigArgs),
    /// List devices and act on them
    Endpoint(EndpointArgs),
    /// List alerts
    Alerts(AlertsArgs),
    /// List the tenants that the credential reaches
    Tenants(TenantsArgs),
}

impl Command {
    /// Whether the values in the configuration file matter. They do not for the commands that write
    /// it, which also work where it is missing or wrong.
    pub(crate) fn reads_file(&self) -> bool {
        let Self::Config(args) = self else {
            return true;
        };
        !matches!(args.command, ConfigCommand::Init(_) | ConfigCommand::Set(_))
    }
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) scope: SubScope,
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Args)]
pub(crate) struct EndpointArgs {
    #[command(flatten)]
    pub(crate) scope: SubScope,
    #[command(subcommand)]
    pub(crate) command: EndpointCommand,
}

#[derive(Debug, Args)]
pub(crate) struct AlertsArgs {
    #[command(flatten)]
    pub(crate) scope: SubScope,
    #[command(subcommand)]
    pub(crate) command: AlertsCommand,
}

#[derive(Debug, Args)]
pub(crate) struct TenantsArgs {
    #[command(flatten)]
    pub(crate) scope: SubScope,
    #[command(subcommand)]
    pub(crate) command: TenantsCommand,
}

/// The tenants that a command is about, as typed before the sub-command.
///
/// It is apart from the other global options because `--tenant` may be repeated: one that stands
/// before the sub-command and one after it are both meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Scope {
    /// Tenant by id, name or name pattern with * and ? (may be repeated)
    #[arg(long = "tenant", display_order = 50, value_name = "ID|NAME", help_heading = GLOBAL,
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) tenants: Vec<String>,
    /// Every tenant that the credential reaches
    #[arg(long, conflicts_with = "tenants", display_order = 51, help_heading = GLOBAL)]
    pub(crate) all_tenants: bool,
}

/// The same options, as typed after the sub-command.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SubScope {
    /// Tenant by id, name or name pattern with * and ? (may be repeated)
    #[arg(id = "sub_tenants",
        display_order = 50, long = "tenant", global = true, value_name = "ID|NAME", help_heading = GLOBAL,
        value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) tenants: Vec<String>,
    /// Every tenant that the credential reaches
    #[arg(id = "sub_all_tenants",
        display_order = 51, long = "all-tenants", global = true, conflicts_with = "sub_tenants", help_heading = GLOBAL)]
    pub(crate) all_tenants: bool,
}

impl Scope {
    /// Adds what was typed after the sub-command.
    pub(crate) fn merge(&mut self, sub: &SubScope) {
        self.tenants.extend(sub.tenants.iter().cloned());
        self.all_tenants |= sub.all_tenants;
    }
}

/// Options that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = GLOBAL)]
pub(crate) struct Global {
    /// Configuration file to read instead of the usual places
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,
    /// Profile of the configuration file
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Client id of the API credential
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// Only tenants of this data region or geography (us, eu, ap, de, ie, eu02 ...)
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Use the blocking client; the output is the same
    #[arg(long, global = true)]
    pub(crate) sync: bool,
    /// Output format
    #[arg(
        long,
        short = 'o',
        global = true,
        value_enum,
        ignore_case = true,
        value_name = "FORMAT"
    )]
    pub(crate) output: Option<OutputFormat>,
    /// Write the data to a file (- is standard output)
    #[arg(long, short = 'f', global = true, value_name = "PATH")]
    pub(crate) output_file: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long, global = true)]
    pub(crate) force: bool,
    /// Members to show, dotted and separated by commas (hostname,os.name)
    #[arg(long, global = true, value_name = "A,B.C")]
    pub(crate) fields: Option<Fields>,
    /// Sort the members of JSON output
    #[arg(long, global = true)]
    pub(crate) sort_keys: bool,
    /// Put ' before CSV cells that a spreadsheet would run as a formula
    #[arg(long, global = true)]
    pub(crate) excel_safe: bool,
    /// No colour
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Only data and errors: no notes, no progress
    #[arg(long, short = 'q', global = true)]
    pub(crate) quiet: bool,
    /// Show every request on standard error, secrets masked
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Answer yes to every confirmation
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Show the changing requests instead of sending them
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Use an embedded service with an invented fleet: no account, no configuration
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
    /// Kind of credential in the sandbox
    #[arg(long, global = true, value_enum, default_value_t = SandboxKind::Tenant, value_name = "KIND")]
    pub(crate) sandbox_kind: SandboxKind,
    /// Seconds that one attempt of a request may take (1 to 300)
    #[arg(long, global = true, value_name = "SECONDS")]
    pub(crate) timeout: Option<String>,
    /// How often a failed request is repeated (0 to 10)
    #[arg(long, global = true, value_name = "N")]
    pub(crate) max_retries: Option<String>,
}

const GLOBAL: &str = "Global options";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Table,
    Json,
    Csv,
    Ndjson,
}

impl OutputFormat {
    /// Errors are JSON where the data is.
    pub(crate) fn report_form(self) -> ReportForm {
        match self {
            Self::Json | Self::Ndjson => ReportForm::Json,
            Self::Table | Self::Csv => ReportForm::Text,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxKind {
    Tenant,
    Partner,
    Organization,
}

impl SandboxKind {
    /// The client id that the sandbox knows for this kind.
    pub(crate) fn client_id(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Partner => "partner",
            Self::Organization => "organization",
        }
    }
}

/// How much of a list is fetched.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Paging")]
pub(crate) struct Paging {
    /// Items per request [default: output.page_size, or the largest with --all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page_size: Option<u32>,
    /// Fetch every page
    #[arg(long = "all-pages", visible_alias = "all")]
    pub(crate) all_pages: bool,
    /// Stop after N items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

/// The command tree under the given program name.
pub(crate) fn command(name: &str) -> clap::Command {
    let version: &'static str = env!("CARGO_PKG_VERSION");
    let command = Cli::command()
        .bin_name(name.to_owned())
        .version(version)
        .propagate_version(true)
        .disable_version_flag(true)
        .arg(
            clap::Arg::new("version")
                .long("version")
                .short('V')
                .global(true)
                .action(ArgAction::Version)
                .help("Print the version")
                .help_heading(GLOBAL),
        );
    name_versions(command, &format!("{name}, version"))
}

/// Makes `--version` print `name, version 1.2.3` wherever it is typed.
fn name_versions(command: clap::Command, display: &str) -> clap::Command {
    command
        .display_name(display.to_owned())
        .mut_subcommands(|sub| name_versions(sub, display))
}

/// Parses a command line whose first word is the program itself.
///
/// # Errors
///
/// Whatever clap found: a mistake of the user, or a request for help or version.
pub(crate) fn parse(
    name: &str,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Cli, clap::Error> {
    let mut command = command(name);
    let matches = command.try_get_matches_from_mut(words)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let sub = match &cli.command {
        Command::Config(args) => args.scope.clone(),
        Command::Endpoint(args) => args.scope.clone(),
        Command::Alerts(args) => args.scope.clone(),
        Command::Tenants(args) => args.scope.clone(),
    };
    cli.scope.merge(&sub);
    if cli.scope.all_tenants && !cli.scope.tenants.is_empty() {
        return Err(command.error(
            clap::error::ErrorKind::ArgumentConflict,
            "the argument '--all-tenants' cannot be used with '--tenant'",
        ));
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse("sophos", line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_tree_is_consistent() {
        command("sophos").debug_assert();
    }

    #[test]
    fn tenants_before_and_after_the_sub_command_are_both_meant() {
        let cli = parsed("sophos --tenant a endpoint list --tenant b --tenant c").unwrap();
        assert_eq!(cli.scope.tenants, ["a", "b", "c"]);
    }

    #[test]
    fn all_tenants_excludes_tenant_across_the_sub_command() {
        let error = parsed("sophos --tenant a endpoint list --all-tenants").unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn global_options_are_taken_after_the_sub_command() {
        let cli = parsed("sophos endpoint list --sync -o csv -f x.csv --no-color").unwrap();
        assert!(cli.global.sync && cli.global.no_color);
        assert_eq!(cli.global.output, Some(OutputFormat::Csv));
        assert_eq!(cli.global.output_file.as_deref(), Some("x.csv".as_ref()));
    }

    #[test]
    fn the_version_names_the_invoked_program_wherever_it_is_asked() {
        for line in [
            "p --version",
            "p -V",
            "p endpoint --version",
            "p endpoint list --version",
        ] {
            let error = parse("pysophos", line.split_whitespace().map(OsString::from)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("pysophos, version {}\n", env!("CARGO_PKG_VERSION")),
                "{line}"
            );
        }
    }
}

//! `config ...`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a configuration file with the credential
    #[command(after_help = "\
The secret is asked for without echo; with --client-secret-stdin its first line is read from
standard input, so that it never stands in a command line. The file is readable by you alone.")]
    Init(ConfigInit),
    /// Show the effective values and where each came from
    Show,
    /// Set one value in the configuration file, keeping its comments
    #[command(after_help = "Example:\n  sophos config set api.timeout 60")]
    Set(ConfigSet),
    /// Ask for a token, the identity behind it, and one page of data
    Test,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigInit {
    /// Read the secret from standard input
    #[arg(long)]
    pub(crate) client_secret_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigSet {
    /// Dotted key, such as api.timeout
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
    /// New value; - reads one line from standard input
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    pub(crate) value: String,
}

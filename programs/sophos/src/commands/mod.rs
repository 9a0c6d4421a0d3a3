//! What the commands do.

mod alerts;
mod change;
mod config;
mod endpoint;
mod tenants;

use clikit::{Error, Exit};

use crate::{app::App, args::Command};

pub(crate) fn run(app: &App, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Config(args) => config::run(app, args.command),
        Command::Endpoint(args) => endpoint::run(app, args.command),
        Command::Alerts(args) => alerts::run(app, args.command),
        Command::Tenants(args) => tenants::run(app, args.command),
    }
}

/// The top-level members that `--fields` asks for, to be left to the service.
fn field_roots(app: &App) -> Vec<String> {
    let roots = app
        .global
        .fields
        .as_ref()
        .map(clikit::Fields::roots)
        .unwrap_or_default();
    roots.into_iter().map(str::to_owned).collect()
}

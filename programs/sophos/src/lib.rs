//! The `sophos` program as a library, so that its two binary names share one body.
//!
//! The program holds no logic that a user of the library would miss: it reads arguments and
//! settings, chooses a face, calls [`sophos_central`] and prints with [`clikit`].
//!
//! | part | what it does |
//! |---|---|
//! | `args` | the command line |
//! | `settings` | the keys of the configuration file and how they reach the client |
//! | `app` | what every command stands on |
//! | `face` | the async and the blocking client behind one set of calls |
//! | `scope` | which tenants a command is about |
//! | `listing`, `render` | printing |
//! | `commands` | the commands |

mod app;
mod args;
mod commands;
mod debug;
mod face;
mod failure;
mod listing;
mod render;
mod scope;
mod settings;
mod signals;

use std::{ffi::OsString, path::Path, process::ExitCode};

use clikit::{Console, Env, Error, Exit, ReportForm};

use crate::{app::App, args::Cli};

/// Runs the program with the arguments and the environment of this process.
///
/// It is called by the name that it was started under, so that `--version` and the help show it.
#[must_use]
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().peekable();
    let name = words.peek().map_or_else(|| DEFAULT_NAME.to_owned(), name);
    let env = Env::system();
    let console = Console::system(&env);
    match args::parse(&name, words) {
        Ok(cli) => run(cli, env, &console).into(),
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            // Help that nobody reads to its end is no failure.
            drop(error.print());
            code.into()
        }
    }
}

fn run(cli: Cli, env: Env, console: &Console) -> Exit {
    let asked_form = cli
        .global
        .output
        .map_or(ReportForm::Text, args::OutputFormat::report_form);
    let console = console
        .with_color(!cli.global.no_color)
        .with_quiet(cli.global.quiet);
    let app = match App::new(
        &console,
        env,
        cli.global,
        cli.scope,
        cli.command.reads_file(),
    ) {
        Ok(app) => app,
        Err(error) => return error.report(&console, asked_form),
    };
    match commands::run(&app, cli.command) {
        // What was asked for is done and printed, and the caller still has to know.
        Ok(_) if app.interrupts.is_draining() => {
            Error::interrupted().report(&app.console, app.report_form())
        }
        Ok(exit) => exit,
        Err(error) => error.report(&app.console, app.report_form()),
    }
}

/// The name of the program as it was started, without folders and extension.
fn name(word: &OsString) -> String {
    Path::new(word)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .filter(|stem| !stem.is_empty())
        .unwrap_or(DEFAULT_NAME)
        .to_owned()
}

const DEFAULT_NAME: &str = "sophos";

/// Compiles the examples of the project's README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

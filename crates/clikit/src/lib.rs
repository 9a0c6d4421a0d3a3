//! What command line programs share, apart from what they are about.
//!
//! A program built on this crate parses its arguments, calls a library and prints. Everything between those three steps
//! lives here, so that all programs behave alike:
//!
//! | part | what it does |
//! |---|---|
//! | [`Console`] | standard streams, terminal flags, width and colour in one value; tests inject their own |
//! | [`output`] | rows of raw JSON to a table, JSON, NDJSON or CSV, on standard output or into a file that appears whole or not at all |
//! | [`Fields`] | the choice `name,os.platform` of a user |
//! | [`settings`] | declared settings, merged per field from defaults, file, profile, environment and command line, each value with its origin |
//! | [`Error`], [`Class`], [`Exit`] | what went wrong, of which kind, what to do next, and with which status the process ends |
//! | [`Progress`] | one line on standard error that counts items and pages, on a terminal only |
//! | [`Confirm`] | yes or no before a change, with a rule for scripts |
//! | [`Interrupts`] | Ctrl-C once to stop gently, twice to cancel, three times to leave |
//! | [`Env`] | environment variables and the current directory as a value, so that nothing reads them behind the program's back |
//!
//! Two rules hold everywhere. **Data goes to standard output, everything else to standard error**, so that a pipe carries data
//! only. **Secrets never print**: a value of the secret kind is masked wherever it is shown, and [`Console::hide`] masks known
//! secrets in every message that passes through the console.
//!
//! The crate knows no service and no network, and has no opinion on argument parsers or async runtimes.
//!
//! ```
//! use clikit::output::{Column, Ending, Format, Output, Paint, View};
//! use clikit::{Capture, Terminals};
//!
//! static DEVICES: View = View::new(&[
//!     Column::new("hostname"),
//!     Column::new("id").whole(),
//!     Column::new("health.overall").header("health").paint(&[("bad", Paint::Red)]),
//! ]);
//!
//! # fn main() -> Result<(), clikit::Error> {
//! let (console, capture) = Capture::new("", Terminals::NONE); // a program takes `Console::system(&env)`
//! let mut list = Output::new(&console, Format::Table).list(&DEVICES)?;
//! list.push_text(r#"{"id":"d1","hostname":"web-1","health":{"overall":"good"}}"#)?;
//! list.finish(Ending::new())?;
//! assert_eq!(capture.stdout(), "hostname  id  health\nweb-1     d1  good\n");
//! # Ok(())
//! # }
//! ```

mod confirm;
mod console;
mod env;
mod error;
mod exit;
mod fields;
mod interrupt;
mod json;
pub mod output;
mod paint;
mod progress;
mod report;
pub mod settings;
mod suggest;
mod text;

pub use self::confirm::Confirm;
pub use self::console::{Capture, Console, Stderr, Stdout, Terminals};
pub use self::env::Env;
pub use self::error::{Class, Error};
pub use self::exit::Exit;
pub use self::fields::Fields;
pub use self::interrupt::{Interrupts, Press};
pub use self::progress::Progress;
pub use self::report::ReportForm;
pub use self::suggest::suggest;

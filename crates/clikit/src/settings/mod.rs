//! Settings that know where they came from.
//!
//! A program declares its settings once, as a [`Schema`]. For each of them, on its own, the last of these layers that has a value wins:
//!
//! 1. the default,
//! 2. the configuration file,
//! 3. a profile, a named overlay inside that file (`[profiles.work.api]`),
//! 4. the environment,
//! 5. the command line.
//!
//! [`Discovery`] finds the file, [`Loader`] merges, and the [`Settings`] that come out tell the [`Origin`] of every value. A value that
//! does not fit its [`Kind`] is an error that names key and origin; a key nobody declared is a warning with a suggestion.
//! Empty text counts as unset in every layer.
//!
//! ```
//! use clikit::Env;
//! use clikit::settings::{Layer, Loader, Schema, Setting};
//!
//! static SCHEMA: Schema = Schema::new(&[
//!     Setting::text("api.region").default("us").env("APP_REGION").option("--region"),
//!     Setting::integer("api.timeout", 1, 300).default("30").env("APP_TIMEOUT"),
//!     Setting::secret("auth.token").env("APP_TOKEN"),
//! ]);
//!
//! # fn main() -> Result<(), clikit::Error> {
//! let env = Env::empty().with("APP_TIMEOUT", "60").with("APP_TOKEN", "s3cret");
//! let settings = Loader::new(&SCHEMA, &env).option("api.region", Some("eu")).load()?;
//!
//! assert_eq!(settings.integer("api.timeout"), Some(60));
//! assert_eq!(settings.origin("api.timeout").to_string(), "environment APP_TIMEOUT");
//! assert_eq!(settings.text("api.region"), Some("eu"));
//! assert_eq!(settings.origin("api.region").to_string(), "command line --region");
//! assert!(settings.entries().iter().all(|entry| entry.value.as_deref() != Some("s3cret")));
//! # Ok(())
//! # }
//! ```
//!
//! # Secrets
//!
//! A setting of the secret kind can also come from a file or from the output of a command, through companion settings
//! ([`Setting::secret_file`], [`Setting::secret_command`]). It is masked in [`Settings::entries`] and in every `Debug`. A file
//! that holds secrets and can be read by others is warned about. A file that was merely found in the current directory cannot
//! make the program run a command: whoever wrote that file need not be the one who runs the program.

mod discovery;
mod edit;
mod file;
mod load;
mod origin;
mod resolved;
mod setting;
mod value;

pub use self::discovery::{Candidate, Discovery};
pub use self::file::ConfigFile;
pub use self::load::Loader;
pub use self::origin::{Layer, Origin};
pub use self::resolved::{Entry, Settings};
pub use self::setting::{Kind, Schema, Setting};
pub use self::value::Value;

//! Which file.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::ConfigFile;
use crate::env::Env;
use crate::error::Error;

/// A place where a configuration file may be.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    place: Place,
    path: &'static str,
    table: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    CurrentDir,
    ConfigDir,
    Home,
}

impl Candidate {
    /// A path below the current directory.
    #[must_use]
    pub const fn current_dir(path: &'static str) -> Self {
        Self {
            place: Place::CurrentDir,
            path,
            table: None,
        }
    }

    /// A path below `$XDG_CONFIG_HOME` or `~/.config`.
    #[must_use]
    pub const fn config_dir(path: &'static str) -> Self {
        Self {
            place: Place::ConfigDir,
            path,
            table: None,
        }
    }

    /// A path below the home directory.
    #[must_use]
    pub const fn home(path: &'static str) -> Self {
        Self {
            place: Place::Home,
            path,
            table: None,
        }
    }

    /// Takes the file only if it has this table: a file of a common name may belong to another program.
    #[must_use]
    pub const fn with_table(mut self, table: &'static str) -> Self {
        self.table = Some(table);
        self
    }

    fn path(&self, env: &Env) -> Option<PathBuf> {
        let base = match self.place {
            Place::CurrentDir => Some(env.current_dir().to_owned()),
            Place::ConfigDir => env.config_dir(),
            Place::Home => env.home(),
        };
        base.map(|base| base.join(self.path))
    }

    /// Reads the file if it is there and belongs to this program.
    fn read(&self, env: &Env) -> Result<Option<ConfigFile>, Error> {
        let Some(path) = self.path(env).filter(|path| path.is_file()) else {
            return Ok(None);
        };
        let mut file = match (ConfigFile::read(&path, env), self.table) {
            (Ok(file), Some(table)) if !file.has_table(table) => return Ok(None),
            (Err(_), Some(table)) if !mentions_table(&path, table) => return Ok(None),
            (file, _) => file?,
        };
        file.found_in_current_dir = self.place == Place::CurrentDir;
        Ok(Some(file))
    }
}

/// The order in which files are looked for: as named by an option, as named by a variable, then the candidates.
///
/// ```
/// use clikit::Env;
/// use clikit::settings::{Candidate, Discovery};
///
/// let discovery = Discovery::new([
///     Candidate::current_dir("config.toml").with_table("auth"),
///     Candidate::config_dir("app/config.toml"),
///     Candidate::home(".app/config.toml"),
/// ])
/// .variable("APP_CONFIG_FILE");
///
/// let env = Env::empty().with("HOME", "/nowhere").with_current_dir("/nowhere");
/// assert!(discovery.find(&env)?.is_none());
/// assert_eq!(discovery.target(&env)?.to_str(), Some("/nowhere/.config/app/config.toml"));
/// # Ok::<(), clikit::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Discovery {
    candidates: Vec<Candidate>,
    variable: Option<&'static str>,
    explicit: Option<PathBuf>,
}

impl Discovery {
    /// Creates an order of candidates.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>) -> Self {
        Self {
            candidates: candidates.into_iter().collect(),
            variable: None,
            explicit: None,
        }
    }

    /// Names the environment variable that names a file.
    pub fn variable(mut self, name: &'static str) -> Self {
        self.variable = Some(name);
        self
    }

    /// Sets the file that an option named.
    pub fn explicit(mut self, path: Option<PathBuf>) -> Self {
        self.explicit = path;
        self
    }

    /// Reads the first file in the order.
    ///
    /// # Errors
    /// Fails when a named file is missing, and when the file that is chosen cannot be read or parsed. A missing candidate is no error.
    pub fn find(&self, env: &Env) -> Result<Option<ConfigFile>, Error> {
        if let Some(path) = self.named(env) {
            return ConfigFile::read(&path, env).map(Some);
        }
        for candidate in &self.candidates {
            if let Some(file) = candidate.read(env)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// Returns the path to write to: the named file, else the file that [`Discovery::find`] finds, else the first candidate
    /// in the directory of configuration files.
    ///
    /// # Errors
    /// Fails when no home directory is known, and when a candidate is there and cannot be read.
    pub fn target(&self, env: &Env) -> Result<PathBuf, Error> {
        if let Some(path) = self.named(env) {
            return Ok(path);
        }
        for candidate in &self.candidates {
            if let Some(file) = candidate.read(env)? {
                return Ok(file.path);
            }
        }
        self.fresh_target(env)
    }

    /// Returns the path for a new file: the named file, else the first candidate in the directory of configuration files.
    ///
    /// # Errors
    /// Fails when no home directory is known.
    pub fn fresh_target(&self, env: &Env) -> Result<PathBuf, Error> {
        let candidate = || {
            let outside = |candidate: &&Candidate| candidate.place != Place::CurrentDir;
            self.candidates
                .iter()
                .filter(outside)
                .find_map(|candidate| candidate.path(env))
        };
        self.named(env).or_else(candidate).ok_or_else(|| {
            Error::config("no place for a configuration file: the home directory is not known")
                .with_hint("set `HOME`, or name a file")
        })
    }

    fn named(&self, env: &Env) -> Option<PathBuf> {
        let variable = || {
            self.variable
                .and_then(|name| env.os(name))
                .map(PathBuf::from)
        };
        let path = self.explicit.clone().or_else(variable)?;
        Some(env.resolve(&path, env.current_dir()))
    }
}

/// Tells whether a file that is no valid TOML has the heading of a table nevertheless.
fn mentions_table(path: &Path, table: &str) -> bool {
    let heading = format!("[{table}]");
    fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.trim() == heading))
}

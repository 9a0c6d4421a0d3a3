//! The surroundings of a process as a value.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The environment variables and the current directory.
///
/// Everything in this crate that depends on the surroundings takes an `Env`, so that tests are hermetic and a program can
/// run with less than its real environment ([`Env::without_prefix`]). `Debug` names the variables without their values.
///
/// ```
/// use clikit::Env;
///
/// let env = Env::empty().with("APP_TOKEN", "t").with("HOME", "/home/ana").with("APP_EMPTY", "");
/// assert_eq!(env.text("HOME"), Some("/home/ana"));
/// assert_eq!(env.text("APP_EMPTY"), None); // empty counts as unset
/// assert_eq!(env.without_prefix("APP_").text("APP_TOKEN"), None);
/// ```
#[derive(Clone)]
pub struct Env {
    variables: BTreeMap<OsString, OsString>,
    current_dir: PathBuf,
}

impl Env {
    /// Takes a copy of the environment of this process.
    #[must_use]
    pub fn system() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            current_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// Creates an environment without variables, in the directory `.`.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            variables: BTreeMap::new(),
            current_dir: PathBuf::from("."),
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets the current directory.
    #[must_use]
    pub fn with_current_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.current_dir = path.into();
        self
    }

    /// Removes one variable.
    #[must_use]
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.variables.remove(name.as_ref());
        self
    }

    /// Removes every variable whose name starts with `prefix`.
    #[must_use]
    pub fn without_prefix(mut self, prefix: &str) -> Self {
        self.variables
            .retain(|name, _| !name.as_encoded_bytes().starts_with(prefix.as_bytes()));
        self
    }

    /// Returns a variable; an empty one counts as unset.
    #[must_use]
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Returns a variable that is text; an empty one, and one that is not UTF-8, count as unset.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// Returns all variables, for a child process.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Returns the current directory.
    #[must_use]
    pub fn current_dir(&self) -> &Path {
        &self.current_dir
    }

    /// Returns the home directory: `HOME`, on Windows `USERPROFILE`.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        let home = self.os("HOME");
        let home = if cfg!(windows) {
            self.os("USERPROFILE").or(home)
        } else {
            home
        };
        home.map(PathBuf::from)
    }

    /// Returns the directory of configuration files: `XDG_CONFIG_HOME` where it is an absolute path, else `~/.config`.
    #[must_use]
    pub fn config_dir(&self) -> Option<PathBuf> {
        self.os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(self.home()?.join(".config")))
    }

    /// Replaces a leading `~` by the home directory and makes a relative path start at `base`.
    #[must_use]
    pub fn resolve(&self, path: &Path, base: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.home()) {
            (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
            (Ok(rest), Some(home)) => home.join(rest),
            _ => base.join(path),
        }
    }

    /// Writes a path the way people do, with `~` for the home directory.
    #[must_use]
    pub fn display(&self, path: &Path) -> String {
        let shortened = self
            .home()
            .filter(|home| home.parent().is_some())
            .and_then(|home| {
                path.strip_prefix(home)
                    .ok()
                    .map(|rest| Path::new("~").join(rest))
            });
        shortened.as_deref().unwrap_or(path).display().to_string()
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("current_dir", &self.current_dir)
            .finish()
    }
}

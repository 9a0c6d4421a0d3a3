//! Declarations.

use crate::suggest::suggest;

/// What a setting may hold.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Kind {
    /// Any text, trimmed.
    Text,
    /// Text that never prints.
    Secret,
    /// A whole number within bounds, both included.
    Integer {
        /// The least value.
        min: i64,
        /// The greatest value.
        max: i64,
    },
    /// `true`, `yes`, `1` or `false`, `no`, `0`, in any case.
    Boolean,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A path. `~` is the home directory, and a relative path in a file starts at the folder of that file.
    Path,
    /// A URL of the schemes `http` or `https`, without user name and password.
    Url,
    /// One character; `\t` and `tab` stand for a tabulator.
    Character,
    /// Text that passes a check.
    Checked {
        /// What is expected, to follow the words "must be".
        expected: &'static str,
        /// Tells whether a value is acceptable.
        accepts: fn(&str) -> bool,
    },
}

/// One declared setting. All builders are `const`, so that a schema can be a `static`.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
    pub(super) env: Option<&'static str>,
    pub(super) option: Option<&'static str>,
    pub(super) about: &'static str,
    pub(super) secret_file: Option<&'static str>,
    pub(super) secret_command: Option<&'static str>,
    pub(super) includes: Option<&'static str>,
}

impl Setting {
    /// Declares a setting of any kind under a dotted key, such as `api.timeout`.
    #[must_use]
    pub const fn new(key: &'static str, kind: Kind) -> Self {
        Self {
            key,
            kind,
            default: None,
            env: None,
            option: None,
            about: "",
            secret_file: None,
            secret_command: None,
            includes: None,
        }
    }

    /// Declares text.
    #[must_use]
    pub const fn text(key: &'static str) -> Self {
        Self::new(key, Kind::Text)
    }

    /// Declares a secret.
    #[must_use]
    pub const fn secret(key: &'static str) -> Self {
        Self::new(key, Kind::Secret)
    }

    /// Declares a whole number from `min` to `max`.
    #[must_use]
    pub const fn integer(key: &'static str, min: i64, max: i64) -> Self {
        Self::new(key, Kind::Integer { min, max })
    }

    /// Declares a switch.
    #[must_use]
    pub const fn boolean(key: &'static str) -> Self {
        Self::new(key, Kind::Boolean)
    }

    /// Declares a choice of words.
    #[must_use]
    pub const fn choice(key: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(key, Kind::Choice(words))
    }

    /// Declares a path.
    #[must_use]
    pub const fn path(key: &'static str) -> Self {
        Self::new(key, Kind::Path)
    }

    /// Declares a URL.
    #[must_use]
    pub const fn url(key: &'static str) -> Self {
        Self::new(key, Kind::Url)
    }

    /// Declares a character.
    #[must_use]
    pub const fn character(key: &'static str) -> Self {
        Self::new(key, Kind::Character)
    }

    /// Declares text with a check; `expected` follows the words "must be".
    #[must_use]
    pub const fn checked(
        key: &'static str,
        expected: &'static str,
        accepts: fn(&str) -> bool,
    ) -> Self {
        Self::new(key, Kind::Checked { expected, accepts })
    }

    /// Sets the value that holds when no layer has one.
    #[must_use]
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// Names the environment variable.
    #[must_use]
    pub const fn env(mut self, name: &'static str) -> Self {
        self.env = Some(name);
        self
    }

    /// Names the command line option, for messages; the value is given with [`Loader::option`](super::Loader::option).
    #[must_use]
    pub const fn option(mut self, name: &'static str) -> Self {
        self.option = Some(name);
        self
    }

    /// Says in a few words what the setting does.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Names the path setting whose file holds this secret in its first line.
    #[must_use]
    pub const fn secret_file(mut self, key: &'static str) -> Self {
        self.secret_file = Some(key);
        self
    }

    /// Names the text setting whose command prints this secret.
    #[must_use]
    pub const fn secret_command(mut self, key: &'static str) -> Self {
        self.secret_command = Some(key);
        self
    }

    /// Makes this path setting name another TOML file with settings of one table: `client_id` at its top level, or in a
    /// table `[auth]`, is `auth.client_id` for `includes("auth")`. They count in the layer that named the file, below what that layer says itself.
    #[must_use]
    pub const fn includes(mut self, table: &'static str) -> Self {
        self.includes = Some(table);
        self
    }

    /// Returns the dotted key.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// All settings of a program.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    pub(super) settings: &'static [Setting],
}

/// The table of the file that holds the profiles.
pub(super) const PROFILES: &str = "profiles";

impl Schema {
    /// Creates a schema.
    #[must_use]
    pub const fn new(settings: &'static [Setting]) -> Self {
        Self { settings }
    }

    /// Returns the declarations.
    #[must_use]
    pub const fn settings(&self) -> &'static [Setting] {
        self.settings
    }

    /// Returns the declaration of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'static Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// Returns the declared key nearest to a mistyped one.
    #[must_use]
    pub fn suggest(&self, key: &str) -> Option<&'static str> {
        suggest(key, self.settings.iter().map(|setting| setting.key))
    }

    pub(super) fn position(&self, key: &str) -> Option<usize> {
        self.settings.iter().position(|setting| setting.key == key)
    }

    pub(super) fn has_table(&self, table: &str) -> bool {
        self.settings.iter().any(|setting| {
            setting
                .key
                .strip_prefix(table)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

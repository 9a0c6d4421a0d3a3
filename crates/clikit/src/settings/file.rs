//! A configuration file.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

use super::setting::{Kind, PROFILES, Schema};
use crate::env::Env;
use crate::error::Error;

/// A file larger than this is no configuration.
const MAX_SIZE: u64 = 1024 * 1024;

/// A configuration file that was read. `Debug` shows its path only.
#[derive(Clone)]
pub struct ConfigFile {
    pub(super) path: PathBuf,
    /// The path as people write it.
    pub(super) shown: String,
    pub(super) document: DocumentMut,
    pub(super) found_in_current_dir: bool,
    pub(super) readable_by_others: bool,
}

impl ConfigFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Fails with the class [`Class::Config`](crate::Class::Config) when the file cannot be read, is larger than 1 MiB, or is not
    /// TOML. The error tells the line, not its text, which may hold a secret.
    pub fn read(path: &Path, env: &Env) -> Result<Self, Error> {
        let shown = env.display(path);
        let cannot = |error: io::Error| {
            Error::config(format!("cannot read configuration file {shown}")).with_source(error)
        };
        let file = fs::File::open(path).map_err(cannot)?;
        let readable_by_others = is_readable_by_others(&file.metadata().map_err(cannot)?);
        let mut text = String::new();
        file.take(MAX_SIZE + 1)
            .read_to_string(&mut text)
            .map_err(cannot)?;
        if text.len() as u64 > MAX_SIZE {
            return Err(Error::config(format!(
                "configuration file {shown} is larger than 1 MiB"
            )));
        }
        let document = parse(&text, &shown)?;
        Ok(Self {
            path: path.to_owned(),
            shown,
            document,
            found_in_current_dir: false,
            readable_by_others,
        })
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the names of the profiles in the file.
    #[must_use]
    pub fn profiles(&self) -> Vec<&str> {
        self.document
            .get(PROFILES)
            .and_then(Item::as_table_like)
            .map(|profiles| profiles.iter().map(|(name, _)| name).collect())
            .unwrap_or_default()
    }

    pub(super) fn profile(&self, name: &str) -> Option<&dyn TableLike> {
        self.document.get(PROFILES)?.get(name)?.as_table_like()
    }

    pub(super) fn has_table(&self, name: &str) -> bool {
        self.document.get(name).is_some_and(Item::is_table_like)
    }

    /// The folder where relative paths of the file start.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or_else(|| Path::new(""))
    }

    /// Tells whether the file sets a secret, in a profile or outside.
    pub(super) fn holds_secret(&self, schema: &Schema) -> bool {
        let profiles = self.profiles();
        let tables = profiles.iter().filter_map(|name| self.profile(name));
        std::iter::once(self.document.as_table() as &dyn TableLike)
            .chain(tables)
            .any(|table| {
                let secrets = schema
                    .settings
                    .iter()
                    .filter(|setting| matches!(setting.kind, Kind::Secret));
                secrets
                    .map(|setting| setting.key)
                    .any(|key| lookup(table, key).is_some())
            })
    }
}

impl std::fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfigFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Returns the item at a dotted key.
pub(super) fn lookup<'a>(table: &'a dyn TableLike, key: &str) -> Option<&'a Item> {
    match key.split_once('.') {
        None => table.get(key),
        Some((first, rest)) => lookup(table.get(first)?.as_table_like()?, rest),
    }
}

/// Parses TOML; the error has no text of the file.
pub(super) fn parse(text: &str, shown: &str) -> Result<DocumentMut, Error> {
    text.parse::<DocumentMut>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| before.matches('\n').count() + 1);
        let place = line.map(|line| format!(" line {line}")).unwrap_or_default();
        Error::config(format!(
            "configuration file {shown}{place} is not valid TOML"
        ))
    })
}

pub(super) fn is_readable_by_others(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o044 != 0
    }
    #[cfg(not(unix))]
    {
        let _not_known_here = metadata;
        false
    }
}

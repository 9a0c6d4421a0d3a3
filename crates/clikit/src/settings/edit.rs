//! Writing the file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use toml_edit::{DocumentMut, Item, Table, TableLike, Value as TomlValue};

use super::file::parse;
use super::load::unfit;
use super::origin::{Layer, Origin};
use super::setting::{Kind, PROFILES, Schema, Setting};
use crate::env::Env;
use crate::error::Error;

impl Schema {
    /// Sets one value in a configuration file and keeps everything else in it, comments included.
    ///
    /// A file that is not there is created with its folders. It is written under a temporary name and renamed; on Unix only its owner
    /// can read it afterwards. With a profile the value goes into its tables.
    ///
    /// # Errors
    /// Fails with the class [`Class::User`](crate::Class::User) when the key is not declared or the value does not fit, and
    /// with [`Class::Config`](crate::Class::Config) when the file is not TOML or cannot be read or written.
    pub fn set(
        &self,
        env: &Env,
        path: &Path,
        profile: Option<&str>,
        key: &str,
        value: &str,
    ) -> Result<(), Error> {
        let setting = self.declared(key)?;
        let item = checked(setting, env, value)?;
        let shown = env.display(path);
        let mut document = match fs::read_to_string(path) {
            Ok(text) => parse(&text, &shown)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => DocumentMut::new(),
            Err(error) => {
                let message = format!("cannot read configuration file {shown}");
                return Err(Error::config(message).with_source(error));
            }
        };
        put(&mut document, profile, key, item, &shown)?;
        write(path, &document.to_string(), &shown, true)
    }

    /// Writes a new configuration file with these values.
    ///
    /// # Errors
    /// As [`Schema::set`], and with the class [`Class::User`](crate::Class::User) when the file exists and `force` is not set.
    pub fn create(
        &self,
        env: &Env,
        path: &Path,
        values: &[(&str, &str)],
        force: bool,
    ) -> Result<(), Error> {
        let shown = env.display(path);
        if !force && path.exists() {
            return Err(already_there(&shown));
        }
        let mut document = DocumentMut::new();
        for (key, value) in values {
            let setting = self.declared(key)?;
            put(
                &mut document,
                None,
                key,
                checked(setting, env, value)?,
                &shown,
            )?;
        }
        write(path, &document.to_string(), &shown, force)
    }

    fn declared(&self, key: &str) -> Result<&'static Setting, Error> {
        self.get(key).ok_or_else(|| {
            let error = Error::user(format!("there is no setting `{key}`"));
            match self.suggest(key) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => {
                    let keys: Vec<_> = self.settings.iter().map(|setting| setting.key).collect();
                    error.with_hint(format!("the settings are {}", keys.join(", ")))
                }
            }
        })
    }
}

/// Checks a value and turns it into TOML. Paths stay as they were typed.
fn checked(setting: &Setting, env: &Env, text: &str) -> Result<TomlValue, Error> {
    let origin = Origin::new(Layer::CommandLine, "command line");
    let parsed = setting
        .kind
        .parse(text, env, env.current_dir())
        .map_err(|misfit| unfit(setting, &origin, misfit))?;
    let trimmed = text.trim();
    Ok(match (parsed, setting.kind) {
        (Some(super::Value::Integer(number)), _) => number.into(),
        (Some(super::Value::Boolean(on)), _) => on.into(),
        (Some(super::Value::Character(character)), _) => character.to_string().into(),
        (_, Kind::Secret) => text.trim_end_matches(['\r', '\n']).into(),
        _ => trimmed.into(),
    })
}

fn put(
    document: &mut DocumentMut,
    profile: Option<&str>,
    key: &str,
    mut value: TomlValue,
    shown: &str,
) -> Result<(), Error> {
    let (tables, name) = key.rsplit_once('.').unwrap_or(("", key));
    let tables = tables.split('.').filter(|table| !table.is_empty());
    let path: Vec<&str> = profile
        .map(|name| [PROFILES, name])
        .into_iter()
        .flatten()
        .chain(tables)
        .collect();
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for (depth, part) in path.iter().enumerate() {
        if table.get(part).is_none_or(Item::is_none) {
            let mut fresh = Table::new();
            // `[profiles.work.api]` needs no `[profiles]` above it.
            fresh.set_implicit(depth + 1 < path.len());
            table.insert(part, Item::Table(fresh));
        }
        table = table
            .get_mut(part)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| {
                Error::config(format!(
                    "`{part}` in configuration file {shown} is not a table"
                ))
            })?;
    }
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *value.decor_mut() = old.decor().clone(); // the comment behind it
            *old = value;
        }
        None => drop(table.insert(name, Item::Value(value))),
    }
    Ok(())
}

fn write(path: &Path, text: &str, shown: &str, replace: bool) -> Result<(), Error> {
    let cannot = |error: io::Error| {
        Error::config(format!("cannot write configuration file {shown}")).with_source(error)
    };
    // A link, as from a folder of managed dotfiles, stays a link.
    let path = if path.exists() {
        path.canonicalize().map_err(cannot)?
    } else {
        path.to_owned()
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    create_folder(folder).map_err(cannot)?;
    // Temporary files are created with mode 0600, and renaming keeps it.
    let mut file = tempfile::Builder::new()
        .prefix(".")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(cannot)?;
    file.write_all(text.as_bytes()).map_err(cannot)?;
    file.as_file().sync_all().map_err(cannot)?;
    let placed = if replace {
        file.persist(&path)
    } else {
        file.persist_noclobber(&path)
    };
    match placed {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(already_there(shown))
        }
        Err(error) => Err(cannot(error.error)),
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

fn already_there(shown: &str) -> Error {
    Error::user(format!("configuration file {shown} exists"))
        .with_hint("add `--force` to replace it")
}

//! Merging the layers.

use std::path::Path;

use toml_edit::{Item, TableLike};

use super::file::{ConfigFile, is_readable_by_others, lookup};
use super::origin::{Layer, Origin};
use super::resolved::{Settings, Slot};
use super::setting::{Kind, PROFILES, Schema, Setting};
use super::value::{Misfit, Value};
use crate::env::Env;
use crate::error::{Class, Error};
use crate::suggest::suggest;

/// Merges the layers into [`Settings`].
#[derive(Debug)]
#[must_use = "a loader does nothing before `load`"]
pub struct Loader<'a> {
    schema: &'a Schema,
    env: &'a Env,
    file: Option<ConfigFile>,
    profile: Option<String>,
    profile_variable: Option<&'static str>,
    options: Vec<(&'a str, String)>,
}

/// The values of one layer, by the position of their setting.
type Found = Vec<(usize, Value, Origin)>;

impl<'a> Loader<'a> {
    /// Starts with the defaults and the environment.
    pub fn new(schema: &'a Schema, env: &'a Env) -> Self {
        Self {
            schema,
            env,
            file: None,
            profile: None,
            profile_variable: None,
            options: Vec::new(),
        }
    }

    /// Adds a configuration file.
    pub fn file(mut self, file: Option<ConfigFile>) -> Self {
        self.file = file;
        self
    }

    /// Chooses a profile of the file.
    pub fn profile(mut self, name: Option<impl Into<String>>) -> Self {
        self.profile = name.map(Into::into);
        self
    }

    /// Names the environment variable that chooses a profile when none is chosen otherwise.
    pub fn profile_variable(mut self, name: &'static str) -> Self {
        self.profile_variable = Some(name);
        self
    }

    /// Adds a value from the command line.
    pub fn option(mut self, key: &'a str, value: Option<impl Into<String>>) -> Self {
        self.options.extend(value.map(|value| (key, value.into())));
        self
    }

    /// Merges.
    ///
    /// # Errors
    /// Fails when a value does not fit its kind, when the profile is not in the file, and when an included file cannot
    /// be read. Values from the command line fail with the class [`Class::User`], all others with [`Class::Config`].
    ///
    /// # Panics
    /// When an option is given for a key that the schema does not declare, or when a default does not fit: mistakes of
    /// the program, not of its user.
    pub fn load(self) -> Result<Settings, Error> {
        let mut merge = Merge {
            schema: self.schema,
            env: self.env,
            slots: std::iter::repeat_with(|| None)
                .take(self.schema.settings.len())
                .collect(),
            warnings: Vec::new(),
        };
        merge.defaults();
        let from_variable = || {
            self.profile_variable
                .and_then(|name| self.env.text(name))
                .map(str::to_owned)
        };
        let profile = self.profile.clone().or_else(from_variable);
        if let Some(file) = &self.file {
            merge.check_file(file);
            merge.table(Layer::File, file, file.document.as_table(), None)?;
        }
        if let Some(name) = &profile {
            let (file, table) = find_profile(self.file.as_ref(), name)?;
            merge.table(Layer::Profile, file, table, Some(name))?;
        }
        merge.environment()?;
        merge.options(&self.options)?;
        merge.check_secret_files();
        Ok(Settings {
            schema: *self.schema,
            env: self.env.clone(),
            slots: merge.slots,
            warnings: merge.warnings,
            profile,
            file: self.file.map(|file| file.path),
        })
    }
}

fn find_profile<'f>(
    file: Option<&'f ConfigFile>,
    name: &str,
) -> Result<(&'f ConfigFile, &'f dyn TableLike), Error> {
    let Some(file) = file else {
        return Err(Error::config(format!(
            "no configuration file with a profile `{name}`"
        )));
    };
    let Some(table) = file.profile(name) else {
        let error = Error::config(format!("no profile `{name}` in {}", file.shown));
        let profiles = file.profiles();
        let hint = match suggest(name, profiles.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if profiles.is_empty() => {
                format!("the file has no profiles; `[{PROFILES}.{name}.…]` tables make one")
            }
            None => format!("its profiles are {}", profiles.join(", ")),
        };
        return Err(error.with_hint(hint));
    };
    Ok((file, table))
}

struct Merge<'a> {
    schema: &'a Schema,
    env: &'a Env,
    slots: Vec<Option<Slot>>,
    warnings: Vec<String>,
}

impl Merge<'_> {
    fn defaults(&mut self) {
        for (setting, slot) in self.schema.settings.iter().zip(&mut self.slots) {
            let Some(text) = setting.default else {
                continue;
            };
            let parsed = setting.kind.parse(text, self.env, self.env.current_dir());
            assert!(
                parsed.is_ok(),
                "the default of {} does not fit its kind",
                setting.key
            );
            let value = parsed.ok().flatten();
            *slot = value.map(|value| Slot {
                value,
                origin: Origin::new(Layer::Default, "default"),
            });
        }
    }

    /// Takes the values of a table of the file: the whole file, or a profile in it.
    fn table(
        &mut self,
        layer: Layer,
        file: &ConfigFile,
        table: &dyn TableLike,
        profile: Option<&str>,
    ) -> Result<(), Error> {
        let mut found = Found::new();
        for (position, setting) in self.schema.settings.iter().enumerate() {
            let Some(item) = lookup(table, setting.key) else {
                continue;
            };
            let place = match profile {
                Some(profile) => format!("profile {profile} in {}: {}", file.shown, setting.key),
                None => format!("file {}: {}", file.shown, setting.key),
            };
            let origin = Origin::new(layer, place).found_in_current_dir(file.found_in_current_dir);
            if let Some(value) = self.read_item(setting, item, &origin, file.folder())? {
                found.push((position, value, origin));
            }
        }
        self.apply(found)
    }

    fn environment(&mut self) -> Result<(), Error> {
        let mut found = Found::new();
        for (position, setting) in self.schema.settings.iter().enumerate() {
            let Some(name) = setting.env else { continue };
            let Some(text) = self.env.os(name) else {
                continue;
            };
            let origin = Origin::new(Layer::Environment, format!("environment {name}"));
            let Some(text) = text.to_str() else {
                let misfit = Misfit {
                    expected: "UTF-8 text".to_owned(),
                    shown: None,
                    near: None,
                };
                return Err(unfit(setting, &origin, misfit));
            };
            if let Some(value) = self.read(setting, text, &origin, self.env.current_dir())? {
                found.push((position, value, origin));
            }
        }
        self.apply(found)
    }

    fn options(&mut self, options: &[(&str, String)]) -> Result<(), Error> {
        let mut found = Found::new();
        for (key, text) in options {
            let position = self.schema.position(key);
            let declared = position.and_then(|at| Some((at, self.schema.settings.get(at)?)));
            let Some((position, setting)) = declared else {
                panic!("the schema declares no setting {key}");
            };
            let place = match setting.option {
                Some(option) => format!("command line {option}"),
                None => "command line".to_owned(),
            };
            let origin = Origin::new(Layer::CommandLine, place);
            if let Some(value) = self.read(setting, text, &origin, self.env.current_dir())? {
                found.push((position, value, origin));
            }
        }
        self.apply(found)
    }

    /// Lets the values of a layer take their places, after those of files that the layer includes.
    fn apply(&mut self, found: Found) -> Result<(), Error> {
        for (position, value, origin) in &found {
            let includes = self
                .schema
                .settings
                .get(*position)
                .and_then(|setting| setting.includes);
            if let (Some(table), Value::Path(path)) = (includes, value) {
                self.include(path, table, origin)?;
            }
        }
        for (position, value, origin) in found {
            if let Some(slot) = self.slots.get_mut(position) {
                *slot = Some(Slot { value, origin });
            }
        }
        Ok(())
    }

    fn include(&mut self, path: &Path, table: &str, origin: &Origin) -> Result<(), Error> {
        let file = ConfigFile::read(path, self.env)
            .map_err(|error| error.with_hint(format!("the file is named by {origin}")))?;
        if file.readable_by_others {
            self.warnings.push(exposed(&file.shown));
        }
        let inner = file.document.get(table).and_then(Item::as_table_like);
        let members = inner.unwrap_or(file.document.as_table());
        for (name, item) in members.iter() {
            let key = format!("{table}.{name}");
            let position = self.schema.position(&key);
            let setting = position.and_then(|at| self.schema.settings.get(at));
            let (Some(position), Some(setting)) = (position, setting) else {
                self.warn_unknown(&key, &file.shown);
                continue;
            };
            let place = format!("file {}: {name}", file.shown);
            let place = Origin::new(origin.layer(), place)
                .found_in_current_dir(origin.is_found_in_current_dir());
            let value = self.read_item(setting, item, &place, file.folder())?;
            if let (Some(value), Some(slot)) = (value, self.slots.get_mut(position)) {
                *slot = Some(Slot {
                    value,
                    origin: place,
                });
            }
        }
        Ok(())
    }

    fn read_item(
        &self,
        setting: &Setting,
        item: &Item,
        origin: &Origin,
        base: &Path,
    ) -> Result<Option<Value>, Error> {
        let text = match item.as_value() {
            Some(toml_edit::Value::String(text)) => text.value().clone(),
            Some(toml_edit::Value::Integer(number)) => number.value().to_string(),
            Some(toml_edit::Value::Boolean(on)) => on.value().to_string(),
            Some(toml_edit::Value::Float(number)) => number.value().to_string(),
            _ => {
                let mut misfit = setting.kind.misfit("");
                misfit.shown = None;
                return Err(unfit(setting, origin, misfit));
            }
        };
        self.read(setting, &text, origin, base)
    }

    fn read(
        &self,
        setting: &Setting,
        text: &str,
        origin: &Origin,
        base: &Path,
    ) -> Result<Option<Value>, Error> {
        setting
            .kind
            .parse(text, self.env, base)
            .map_err(|misfit| unfit(setting, origin, misfit))
    }

    /// Warns about unknown keys, and about secrets that others can read.
    fn check_file(&mut self, file: &ConfigFile) {
        if file.readable_by_others && file.holds_secret(self.schema) {
            self.warnings.push(exposed(&file.shown));
        }
        self.check_table(file.document.as_table(), "", "", &file.shown);
        for name in file.profiles() {
            if let Some(profile) = file.profile(name) {
                self.check_table(profile, "", &format!("{PROFILES}.{name}."), &file.shown);
            }
        }
    }

    fn check_table(&mut self, table: &dyn TableLike, path: &str, profile: &str, shown: &str) {
        for (name, item) in table.iter() {
            let key = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            if profile.is_empty() && key == PROFILES || self.schema.position(&key).is_some() {
                continue;
            }
            match item.as_table_like() {
                Some(inner) if self.schema.has_table(&key) => {
                    self.check_table(inner, &key, profile, shown);
                }
                _ => self.warn_unknown_in(&key, profile, shown),
            }
        }
    }

    fn warn_unknown(&mut self, key: &str, shown: &str) {
        self.warn_unknown_in(key, "", shown);
    }

    fn warn_unknown_in(&mut self, key: &str, profile: &str, shown: &str) {
        let tables = self
            .schema
            .settings
            .iter()
            .filter_map(|setting| setting.key.split('.').next());
        let near = if key.contains('.') {
            self.schema.suggest(key)
        } else {
            suggest(key, tables)
        };
        let advice = near
            .map(|near| format!("; did you mean `{profile}{near}`?"))
            .unwrap_or_default();
        self.warnings.push(format!(
            "unknown setting `{profile}{key}` in {shown}{advice}"
        ));
    }

    fn check_secret_files(&mut self) {
        for setting in self.schema.settings {
            let slot = setting
                .secret_file
                .and_then(|key| self.schema.position(key))
                .and_then(|position| self.slots.get(position)?.as_ref());
            let Some(Slot {
                value: Value::Path(path),
                ..
            }) = slot
            else {
                continue;
            };
            if std::fs::metadata(path).is_ok_and(|metadata| is_readable_by_others(&metadata)) {
                self.warnings.push(exposed(&self.env.display(path)));
            }
        }
    }
}

fn exposed(shown: &str) -> String {
    format!("{shown} holds a secret and can be read by others; `chmod 600` it")
}

/// Describes a value that does not fit its setting.
pub(super) fn unfit(setting: &Setting, origin: &Origin, misfit: Misfit) -> Error {
    let class = match origin.layer() {
        Layer::CommandLine => Class::User,
        _ => Class::Config,
    };
    let shown = misfit
        .shown
        .map(|shown| format!(", not `{shown}`"))
        .unwrap_or_default();
    let error = Error::new(
        class,
        format!(
            "{} must be {}{shown} ({origin})",
            setting.key, misfit.expected
        ),
    )
    .with_detail("key", setting.key)
    .with_detail("origin", origin.to_string());
    match misfit.near {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// A kind whose values are looked up as text.
pub(super) fn is_text(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Text | Kind::Choice(_) | Kind::Url | Kind::Checked { .. }
    )
}

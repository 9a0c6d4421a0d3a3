//! Settings after the merge.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use secrecy::SecretString;
use serde::Serialize;

use super::load::{is_text, unfit};
use super::origin::{Layer, Origin};
use super::setting::{Kind, Schema, Setting};
use super::value::{Misfit, Value};
use crate::env::Env;
use crate::error::Error;

/// Neither a file nor a command yields a longer secret.
const MAX_SECRET: u64 = 64 * 1024;

/// The settings of one run, with their origins.
///
/// The accessors panic when the program asks for a key that its schema does not declare, or by the wrong type: that is a mistake in the
/// program which its first test shows.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) schema: Schema,
    pub(super) env: Env,
    pub(super) slots: Vec<Option<Slot>>,
    pub(super) warnings: Vec<String>,
    pub(super) profile: Option<String>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A setting as it is shown to people. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// The dotted key.
    pub key: &'static str,
    /// The value as text; `None` when it is not set.
    pub value: Option<String>,
    /// Where it came from; empty when it is not set.
    pub origin: String,
    /// What the setting does, as declared.
    pub about: &'static str,
}

impl Settings {
    /// Returns text, a choice, a URL or checked text.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key, is_text) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns a whole number.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.value(key, |kind| matches!(kind, Kind::Integer { .. })) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns a switch.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.value(key, |kind| matches!(kind, Kind::Boolean)) {
            Some(Value::Boolean(on)) => Some(*on),
            _ => None,
        }
    }

    /// Returns a character.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn character(&self, key: &str) -> Option<char> {
        match self.value(key, |kind| matches!(kind, Kind::Character)) {
            Some(Value::Character(character)) => Some(*character),
            _ => None,
        }
    }

    /// Returns a path.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn path(&self, key: &str) -> Option<&Path> {
        match self.value(key, |kind| matches!(kind, Kind::Path)) {
            Some(Value::Path(path)) => Some(path),
            _ => None,
        }
    }

    /// Returns text turned into a type of the program.
    ///
    /// # Errors
    /// Fails when the text does not fit the type, with an error that names key and origin.
    ///
    /// # Panics
    /// See [`Settings`].
    pub fn parse<T: FromStr<Err: std::fmt::Display>>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error: T::Err| self.invalid(key, &error.to_string()))
    }

    /// Returns a secret: the value itself, the first line of the file that its companion setting names, or what the command
    /// of the other one prints. The strongest layer among the three wins; in one layer they rank in this order.
    ///
    /// The command runs in a shell, with the environment of the settings and the standard input and error of the program.
    /// It is not limited in time, for it may ask the user something. Call this once and keep the result.
    ///
    /// # Errors
    /// Fails when the file cannot be read or is empty, when the command cannot be started, fails or prints nothing, and when the
    /// command stands in a file that was merely found in the current directory.
    ///
    /// # Panics
    /// See [`Settings`].
    pub fn secret(&self, key: &str) -> Result<Option<SecretString>, Error> {
        let setting = self.setting(key, |kind| matches!(kind, Kind::Secret));
        let keys = [
            Some(setting.key),
            setting.secret_file,
            setting.secret_command,
        ];
        let mut best: Option<(&'static str, &Slot)> = None;
        for key in keys.into_iter().flatten() {
            let Some(slot) = self.slot(key) else { continue };
            if best.is_none_or(|(_, other)| slot.origin.layer() > other.origin.layer()) {
                best = Some((key, slot));
            }
        }
        match best {
            None => Ok(None),
            Some((
                _,
                Slot {
                    value: Value::Secret(secret),
                    ..
                },
            )) => Ok(Some(secret.clone())),
            Some((
                key,
                Slot {
                    value: Value::Path(path),
                    origin,
                },
            )) => self.read_secret(key, path, origin).map(Some),
            Some((key, slot)) => self.run_for_secret(key, slot).map(Some),
        }
    }

    /// Returns the value of a setting, secrets included as [`Value::Secret`].
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value(key, |_| true)
    }

    /// Returns where a value came from; for a setting without a value, the default layer.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        let setting = self.setting(key, |_| true);
        let unset = || Origin::new(Layer::Default, "not set");
        self.slot(setting.key)
            .map_or_else(unset, |slot| slot.origin.clone())
    }

    /// Describes a value that the program cannot use, naming key and origin.
    ///
    /// # Panics
    /// See [`Settings`].
    #[must_use]
    pub fn invalid(&self, key: &str, reason: &str) -> Error {
        let setting = self.setting(key, |_| true);
        let misfit = Misfit {
            expected: "valid".to_owned(),
            shown: None,
            near: None,
        };
        let shown = self.slot(key).map(|slot| slot.value.to_string());
        let misfit = Misfit { shown, ..misfit };
        unfit(setting, &self.origin(key), misfit).with_source(Error::config(reason))
    }

    /// Returns every declared setting in the order of the schema, secrets masked.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let show = |(setting, slot): (&Setting, &Option<Slot>)| Entry {
            key: setting.key,
            value: slot.as_ref().map(|slot| match &slot.value {
                Value::Path(path) => self.env.display(path),
                value => value.to_string(),
            }),
            origin: slot
                .as_ref()
                .map(|slot| slot.origin.to_string())
                .unwrap_or_default(),
            about: setting.about,
        };
        self.schema
            .settings
            .iter()
            .zip(&self.slots)
            .map(show)
            .collect()
    }

    /// Returns what is worth a warning: unknown keys, secrets that others can read.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }

    /// Returns the profile in use.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns the path of the configuration file in use.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    fn setting(&self, key: &str, fits: impl Fn(Kind) -> bool) -> &'static Setting {
        match self.schema.get(key) {
            Some(setting) if fits(setting.kind) => setting,
            Some(setting) => panic!("setting {key} is of the kind {:?}", setting.kind),
            None => panic!("the schema declares no setting {key}"),
        }
    }

    fn slot(&self, key: &str) -> Option<&Slot> {
        self.slots.get(self.schema.position(key)?)?.as_ref()
    }

    fn value(&self, key: &str, fits: impl Fn(Kind) -> bool) -> Option<&Value> {
        let setting = self.setting(key, fits);
        self.slot(setting.key).map(|slot| &slot.value)
    }

    fn read_secret(&self, key: &str, path: &Path, origin: &Origin) -> Result<SecretString, Error> {
        let cannot = |error: io::Error| {
            let shown = self.env.display(path);
            Error::config(format!("cannot read the secret file {shown} ({origin})"))
                .with_source(error)
                .with_detail("key", key)
        };
        let mut text = String::new();
        let file = File::open(path).map_err(cannot)?;
        file.take(MAX_SECRET)
            .read_to_string(&mut text)
            .map_err(cannot)?;
        first_line(&text).ok_or_else(|| {
            let shown = self.env.display(path);
            Error::config(format!(
                "the first line of the secret file {shown} is empty ({origin})"
            ))
        })
    }

    fn run_for_secret(&self, key: &str, slot: &Slot) -> Result<SecretString, Error> {
        let Slot {
            value: Value::Text(line),
            origin,
        } = slot
        else {
            return Err(Error::internal(format!("{key} is not a command")));
        };
        if origin.is_found_in_current_dir() {
            return Err(Error::config(format!("{key} is not run ({origin})")).with_hint(
                "a file found in the current directory cannot run commands; name the file if you trust it",
            ));
        }
        let failed =
            |what: String| Error::config(format!("the command of {key} {what} ({origin})"));
        let (shell, flag) = if cfg!(windows) {
            ("cmd", "/C")
        } else {
            ("sh", "-c")
        };
        let mut child = Command::new(shell)
            .arg(flag)
            .arg(line)
            .env_clear()
            .envs(self.env.variables())
            .current_dir(self.env.current_dir())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed("cannot be started".to_owned()).with_source(error))?;
        let mut text = String::new();
        let read = match child.stdout.take() {
            Some(out) => out.take(MAX_SECRET).read_to_string(&mut text),
            None => Ok(0),
        };
        let status = child
            .wait()
            .map_err(|error| failed("cannot be waited for".to_owned()).with_source(error))?;
        read.map_err(|error| failed("did not print text".to_owned()).with_source(error))?;
        if !status.success() {
            return Err(failed(format!("ended with {status}")));
        }
        first_line(&text).ok_or_else(|| failed("printed nothing".to_owned()))
    }
}

fn first_line(text: &str) -> Option<SecretString> {
    let line = text.lines().next().unwrap_or_default().trim();
    (!line.is_empty()).then(|| SecretString::from(line))
}

//! The error of this crate and of the programs that stand on it.

use std::error::Error as StdError;
use std::{fmt, io};

use serde_json::Value;

use crate::exit::Exit;

/// Whose turn it is to act on an error. The class decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The command line: a bad option or value, a refused action, a missing confirmation.
    User,
    /// A configuration file or an environment variable.
    Config,
    /// Credentials that are missing, wrong or not allowed to do this.
    Auth,
    /// The service or the network on the way to it.
    Api,
    /// Anything else: the disk, the operating system, a defect.
    Internal,
    /// Part of the work was done, part failed.
    Partial,
    /// The user pressed Ctrl-C.
    Interrupted,
    /// Nobody reads standard output any more. It ends the program in silence.
    BrokenPipe,
}

impl Class {
    /// Returns the exit status that belongs to the class.
    #[must_use]
    pub const fn exit(self) -> Exit {
        match self {
            Self::User => Exit::Usage,
            Self::Config | Self::Auth | Self::Api | Self::Internal => Exit::Failure,
            Self::Partial => Exit::Partial,
            Self::Interrupted => Exit::Interrupted,
            Self::BrokenPipe => Exit::BrokenPipe,
        }
    }

    /// Returns the name used in the JSON form of a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Api => "api",
            Self::Internal => "internal",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
            Self::BrokenPipe => "broken-pipe",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure with a class, a cause chain and hints on what to do next.
///
/// The functions of this crate return it, and a program wraps the errors of its libraries in it, so that one
/// [`Error::report`] at the end of `main` prints any of them. `Display` is one lower-case line; causes are reached through
/// `source()`.
///
/// ```
/// use clikit::{Class, Error, Exit};
///
/// let error = Error::wrap(Class::Api, std::io::Error::other("connection reset"))
///     .context("cannot list devices")
///     .with_hint("try again, or raise `--max-retries`");
/// assert_eq!(error.to_string(), "cannot list devices");
/// assert_eq!(error.exit(), Exit::Failure);
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    class: Class,
    message: Message,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
    failures: Vec<String>,
    details: Vec<(String, Value)>,
}

enum Message {
    Own(String),
    /// The source speaks for itself: its text is ours and its source is ours.
    OfSource,
}

impl Error {
    /// Creates an error with a message: one lower-case line without a final period.
    #[must_use]
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            message: Message::Own(message.into()),
            source: None,
            hints: Vec::new(),
            failures: Vec::new(),
            details: Vec::new(),
        }))
    }

    /// Gives a class to an error of another crate and keeps its text and its causes as they are.
    #[must_use]
    pub fn wrap(class: Class, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(class, String::new());
        error.0.message = Message::OfSource;
        error.0.source = Some(source.into());
        error
    }

    /// Creates an error of the class [`Class::User`].
    #[must_use]
    pub fn user(message: impl Into<String>) -> Self {
        Self::new(Class::User, message)
    }

    /// Creates an error of the class [`Class::Config`].
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Class::Config, message)
    }

    /// Creates an error of the class [`Class::Auth`].
    #[must_use]
    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(Class::Auth, message)
    }

    /// Creates an error of the class [`Class::Api`].
    #[must_use]
    pub fn api(message: impl Into<String>) -> Self {
        Self::new(Class::Api, message)
    }

    /// Creates an error of the class [`Class::Internal`].
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Class::Internal, message)
    }

    /// Creates an error of the class [`Class::Partial`]; [`Error::with_failure`] adds what failed.
    #[must_use]
    pub fn partial(message: impl Into<String>) -> Self {
        Self::new(Class::Partial, message)
    }

    /// Creates the error of a run that Ctrl-C ended.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(Class::Interrupted, "interrupted")
    }

    /// Describes a failed read or write.
    ///
    /// A broken pipe keeps its own class, [`Class::BrokenPipe`]; everything else is [`Class::Internal`].
    #[must_use]
    pub fn io(message: impl Into<String>, source: io::Error) -> Self {
        let class = match source.kind() {
            io::ErrorKind::BrokenPipe => Class::BrokenPipe,
            _ => Class::Internal,
        };
        Self::new(class, message).with_source(source)
    }

    /// Puts a sentence in front; the error as it was becomes the cause.
    ///
    /// Class, hints, failures and details stay.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let mut outer = Self::new(self.0.class, message);
        outer.0.hints = std::mem::take(&mut self.0.hints);
        outer.0.failures = std::mem::take(&mut self.0.failures);
        outer.0.details = std::mem::take(&mut self.0.details);
        outer.0.source = Some(Box::new(self));
        outer
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds a next step for the person at the keyboard.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds one thing that failed, for errors that sum up several.
    #[must_use]
    pub fn with_failure(mut self, failure: impl Into<String>) -> Self {
        self.0.failures.push(failure.into());
        self
    }

    /// Adds a member to `details` of the JSON form, such as a status code or a request id.
    #[must_use]
    pub fn with_detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.details.push((name.into(), value.into()));
        self
    }

    /// Changes the class.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Self {
        self.0.class = class;
        self
    }

    /// Returns the class.
    #[must_use]
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Returns the exit status of the class.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.0.class.exit()
    }

    /// Returns the hints in the order they were added.
    pub fn hints(&self) -> impl Iterator<Item = &str> {
        self.0.hints.iter().map(String::as_str)
    }

    /// Returns what failed, in the order it was added.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.0.failures.iter().map(String::as_str)
    }

    /// Returns the members of `details`.
    pub fn details(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .details
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the texts of the causes, nearest first. A cause that only repeats the line above it is left out.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut above = self.to_string();
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if text != above {
                causes.push(text.clone());
                above = text;
            }
            next = cause.source();
        }
        causes
    }

    /// Tells whether the reader of standard output went away.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        self.0.class == Class::BrokenPipe
    }

    /// Tells whether Ctrl-C ended the work.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.0.class == Class::Interrupted
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.message, &self.0.source) {
            (Message::Own(message), _) => f.write_str(message),
            (Message::OfSource, Some(source)) => source.fmt(f),
            (Message::OfSource, None) => f.write_str(self.0.class.as_str()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("class", &self.0.class)
            .field("message", &self.to_string())
            .field("causes", &self.causes())
            .field("hints", &self.0.hints)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        match self.0.message {
            Message::Own(_) => Some(source),
            Message::OfSource => source.source(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        let class = match source.kind() {
            io::ErrorKind::BrokenPipe => Class::BrokenPipe,
            _ => Class::Internal,
        };
        Self::wrap(class, source)
    }
}

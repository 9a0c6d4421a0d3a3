//! The error of this crate.

use std::{error, fmt, io};

/// What can go wrong with a sandbox itself. Refusals of requests are answers, not errors.
pub struct Error(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Start {
        attempted: String,
        source: io::Error,
    },
    Setting {
        what: &'static str,
        value: String,
        why: String,
    },
}

impl Error {
    pub(crate) fn start(attempted: impl Into<String>, source: io::Error) -> Self {
        Self(Box::new(Kind::Start {
            attempted: attempted.into(),
            source,
        }))
    }

    pub(crate) fn setting(
        what: &'static str,
        value: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self(Box::new(Kind::Setting {
            what,
            value: value.into(),
            why: why.into(),
        }))
    }

    /// Returns whether a setting was not valid; otherwise the machine refused something, such as the port.
    pub fn is_setting(&self) -> bool {
        matches!(*self.0, Kind::Setting { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Start { attempted, .. } => write!(f, "start the sandbox: cannot {attempted}"),
            Kind::Setting { what, value, why } => write!(f, "{what} {value:?}: {why}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            Kind::Start { source, .. } => Some(source),
            Kind::Setting { .. } => None,
        }
    }
}

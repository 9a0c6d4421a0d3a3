//! How a process ends.

use std::fmt;
use std::process::{ExitCode, Termination};

/// The status a program ends with.
///
/// The numbers are a promise to scripts. Returning an `Exit` from `main` ends the process with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// Everything asked for was done, also when the answer is an empty list: 0.
    Success,
    /// The service, the network, the credentials or the configuration failed: 1.
    Failure,
    /// The command itself was wrong or refused: an option, a value, a missing confirmation: 2.
    Usage,
    /// Some of the work succeeded and some failed: 3.
    Partial,
    /// Ctrl-C ended it: 130.
    Interrupted,
    /// The reader of standard output went away: 141, what a shell shows for a program ended by a broken pipe.
    BrokenPipe,
}

impl Exit {
    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Interrupted => 130,
            Self::BrokenPipe => 141,
        }
    }

    /// Tells whether this is [`Exit::Success`].
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Success)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}

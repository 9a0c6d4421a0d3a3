//! Where a value came from.

use std::fmt;

/// The layers, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File,
    /// A profile in the configuration file.
    Profile,
    /// An environment variable.
    Environment,
    /// An option.
    CommandLine,
}

/// The place that set a value. `Display` is fit for people: `file ~/.config/app/config.toml: api.timeout`,
/// `environment APP_TIMEOUT`, `command line --timeout`, `default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    layer: Layer,
    place: String,
    found_in_current_dir: bool,
}

impl Origin {
    pub(super) fn new(layer: Layer, place: impl Into<String>) -> Self {
        Self {
            layer,
            place: place.into(),
            found_in_current_dir: false,
        }
    }

    pub(super) fn found_in_current_dir(mut self, found: bool) -> Self {
        self.found_in_current_dir = found;
        self
    }

    /// Returns the layer.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.layer
    }

    /// Tells whether the value stands in a file that nobody named: it was found in the current directory, and may have
    /// been written by somebody else.
    #[must_use]
    pub fn is_found_in_current_dir(&self) -> bool {
        self.found_in_current_dir
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

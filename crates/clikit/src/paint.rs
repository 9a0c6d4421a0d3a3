//! The few styles a terminal shows.

/// A style for a word or a table cell. It only shows where colour is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Paint {
    /// Red: bad, high.
    Red,
    /// Yellow: suspicious, medium.
    Yellow,
    /// Green: good.
    Green,
    /// Blue: low.
    Blue,
    /// Cyan: hints.
    Cyan,
    /// Dim: unknown, of little interest.
    Dim,
    /// Bold: headings.
    Bold,
}

impl Paint {
    const fn start(self) -> &'static str {
        match self {
            Self::Red => "\u{1b}[31m",
            Self::Yellow => "\u{1b}[33m",
            Self::Green => "\u{1b}[32m",
            Self::Blue => "\u{1b}[34m",
            Self::Cyan => "\u{1b}[36m",
            Self::Dim => "\u{1b}[2m",
            Self::Bold => "\u{1b}[1m",
        }
    }

    /// Appends `text` to `target`, wrapped in the style when `color` is on.
    pub(crate) fn push(self, target: &mut String, text: &str, color: bool) {
        if color {
            target.push_str(self.start());
            target.push_str(text);
            target.push_str("\u{1b}[0m");
        } else {
            target.push_str(text);
        }
    }
}

//! What `#[dual]` writes down about each block, for the parity test to compare with the source.

/// The public methods of one `#[dual]` block, as the attribute saw them.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Manifest {
    /// The async type, as the block names it, without generic arguments.
    pub target: &'static str,
    /// The `part` argument of the attribute; empty without one.
    pub part: &'static str,
    /// The source file, as the compiler names it.
    pub file: &'static str,
    /// One entry per public method, in order.
    pub entries: &'static [Entry],
}

impl Manifest {
    /// For the code that `#[dual]` emits.
    #[doc(hidden)]
    pub const fn new(
        target: &'static str,
        part: &'static str,
        file: &'static str,
        entries: &'static [Entry],
    ) -> Self {
        Self {
            target,
            part,
            file,
            entries,
        }
    }
}

/// One public method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What became of it.
    pub kind: Kind,
    /// Why it has no generated blocking form; `None` if it has one.
    pub skip_reason: Option<&'static str>,
}

impl Entry {
    /// For the code that `#[dual]` emits.
    #[doc(hidden)]
    pub const fn new(name: &'static str, kind: Kind, skip_reason: Option<&'static str>) -> Self {
        Self {
            name,
            kind,
            skip_reason,
        }
    }
}

/// The kinds of methods that the two faces tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An `async fn`: the blocking method drives it.
    Async,
    /// A plain function: the blocking method forwards to it.
    Sync,
    /// Returns a stream: the blocking method returns an iterator.
    Stream,
}

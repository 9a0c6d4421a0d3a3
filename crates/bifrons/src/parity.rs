//! The parity test: every public async method has a blocking form, or a reason why not.
//!
//! `#[dual]` writes down what it generated. This module reads the source of the crate, finds every
//! public async function and every public function that returns a stream or a future, and
//! compares. A client crate calls it from one test:
//!
//! ```no_run
//! # mod blocking {
//! #     bifrons::blocking_type! { pub struct Client wraps crate::Client }
//! # }
//! # pub struct Client;
//! # #[bifrons::dual(blocking = crate::blocking::Client, always)]
//! # impl Client { pub async fn ping(&self) {} }
//! # fn main() {
//! // #[test] fn both_faces_have_the_same_methods()
//! bifrons::parity::Check::new(env!("CARGO_MANIFEST_DIR"))
//!     .manifest(blocking::Client::__DUAL)
//!     .assert();
//! # }
//! ```
//!
//! The walk follows the module tree from `src/lib.rs`. It leaves out what is compiled for tests
//! only, and types that are not public. It does not see code that macros write.

mod walk;

use std::{collections::BTreeMap, error, fmt, path::PathBuf};

pub use crate::manifest::{Entry, Kind, Manifest};

/// A comparison of the source of a crate with the manifests of its `#[dual]` blocks.
#[derive(Debug)]
#[must_use = "a check does nothing until `assert` or `run`"]
pub struct Check {
    root: PathBuf,
    entry: PathBuf,
    manifests: Vec<Manifest>,
    by_hand: BTreeMap<String, String>,
}

impl Check {
    /// Checks the crate whose `Cargo.toml` is in `manifest_dir`: `env!("CARGO_MANIFEST_DIR")`.
    pub fn new(manifest_dir: impl Into<PathBuf>) -> Self {
        Self {
            root: manifest_dir.into(),
            entry: PathBuf::from("src/lib.rs"),
            manifests: Vec::new(),
            by_hand: BTreeMap::new(),
        }
    }

    /// Starts at another file than `src/lib.rs`, relative to the crate's folder.
    pub fn entry(mut self, file: impl Into<PathBuf>) -> Self {
        self.entry = file.into();
        self
    }

    /// Adds the manifest of one `#[dual]` block: `blocking::Type::__DUAL`, or `__DUAL_NAME` for a
    /// block with `part = "name"`.
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifests.push(manifest);
        self
    }

    /// Accepts a public async function outside of `#[dual]` blocks, by its name (`get`) or with
    /// its type (`Client::get`), and says where its blocking form is or why there is none.
    pub fn by_hand(mut self, function: impl Into<String>, reason: impl Into<String>) -> Self {
        self.by_hand.insert(function.into(), reason.into());
        self
    }

    /// Compares.
    ///
    /// # Errors
    ///
    /// When a public async method has no blocking form, a manifest was not given or differs from
    /// the source, an exception is no longer needed, or the source cannot be read. All differences
    /// are reported together.
    pub fn run(&self) -> Result<Report, Differences> {
        let source = walk::crate_source(&self.root, &self.entry)
            .map_err(|problem| Differences(vec![problem]))?;
        let mut report = Report::default();
        let mut problems = Vec::new();
        if source.blocks.is_empty() {
            problems.push(format!(
                "no #[dual] block found from {}",
                self.entry.display()
            ));
        }
        let mut unused: Vec<&Manifest> = self.manifests.iter().collect();
        for block in &source.blocks {
            let given = unused
                .iter()
                .position(|manifest| block.is_described_by(manifest));
            match given {
                Some(index) => {
                    let manifest = unused.remove(index);
                    block.compare(manifest, &mut report, &mut problems);
                }
                None if block.conditional => {}
                None => problems.push(format!(
                    "{}: the manifest of `{}` was not given to the check: add \
                     `.manifest(blocking::{}::{})`",
                    block.file,
                    block.target,
                    block.target,
                    block.manifest_name()
                )),
            }
        }
        for manifest in unused {
            problems.push(format!(
                "{}: the manifest of `{}` has no #[dual] block in the source",
                manifest.file, manifest.target
            ));
        }
        let mut by_hand: BTreeMap<&str, &str> = self
            .by_hand
            .iter()
            .map(|(name, why)| (name.as_str(), why.as_str()))
            .collect();
        for function in &source.uncovered {
            match by_hand.remove(function.name.as_str()) {
                Some(reason) => report
                    .skipped
                    .push((function.name.clone(), reason.to_owned())),
                None => problems.push(format!(
                    "{}: `{}` has no blocking form: put its impl block under #[dual], or add \
                     `.by_hand(\"{}\", \"reason\")` to the check",
                    function.file, function.name, function.name
                )),
            }
        }
        report.skipped.extend(source.skipped);
        for name in by_hand.into_keys() {
            problems.push(format!(
                "`{name}` is declared as written by hand, but is no public async function outside \
                 of #[dual] blocks"
            ));
        }
        if problems.is_empty() {
            Ok(report)
        } else {
            Err(Differences(problems))
        }
    }

    /// Compares, and panics with the list of differences if there are any.
    ///
    /// # Panics
    ///
    /// When [`run`](Self::run) fails.
    #[track_caller]
    #[expect(
        clippy::must_use_candidate,
        reason = "the assertion is the point, the report is extra"
    )]
    pub fn assert(&self) -> Report {
        match self.run() {
            Ok(report) => report,
            Err(differences) => panic!("{differences}"),
        }
    }
}

/// What a successful check found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Methods with a generated blocking form, as `Type::method`.
    pub covered: Vec<String>,
    /// Functions without one, and why.
    pub skipped: Vec<(String, String)>,
}

/// The differences between the source and the manifests.
#[derive(Clone, Debug)]
pub struct Differences(Vec<String>);

impl Differences {
    /// Iterates over the differences, one line each.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the blocking face differs from the async one in {} places",
            self.0.len()
        )?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl error::Error for Differences {}

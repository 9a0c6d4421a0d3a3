//! The fields a user chose.

use std::str::FromStr;

use crate::error::Error;

/// A choice of fields such as `hostname,os.platform`, in the order it was written.
///
/// A dot goes into an object; on the way through an array it goes into each element. A name given twice counts once.
///
/// ```
/// use clikit::Fields;
///
/// let fields: Fields = "hostname, os.platform,hostname".parse()?;
/// assert_eq!(fields.iter().collect::<Vec<_>>(), ["hostname", "os.platform"]);
/// assert!("hostname,,id".parse::<Fields>().is_err());
/// # Ok::<(), clikit::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    names: Vec<String>,
}

impl Fields {
    /// Returns the names in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Returns how many there are; never zero.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a choice of fields is never empty"
    )]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Adds a top-level name at the end, unless it or something in it is chosen already.
    #[must_use]
    pub fn with_root(mut self, name: &str) -> Self {
        if !self.roots().contains(&name) {
            self.names.push(name.to_owned());
        }
        self
    }

    /// Returns the distinct top-level names, for services that can leave out the rest.
    #[must_use]
    pub fn roots(&self) -> Vec<&str> {
        let mut roots: Vec<&str> = Vec::new();
        for name in self.iter() {
            let root = name.split('.').next().unwrap_or(name);
            if !roots.contains(&root) {
                roots.push(root);
            }
        }
        roots
    }
}

impl FromStr for Fields {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut names: Vec<String> = Vec::new();
        for name in text.split(',').map(str::trim) {
            if name.split('.').any(|part| part.trim().is_empty()) {
                return Err(
                    Error::user(format!("field list `{text}` has an empty name"))
                        .with_hint("write names separated by commas, such as `id,os.name`"),
                );
            }
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        Ok(Self { names })
    }
}

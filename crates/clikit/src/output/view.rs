//! What a program knows about the items it prints.

use super::Paint;

/// A preferred column.
///
/// ```
/// use clikit::output::{Column, Paint};
///
/// const HEALTH: Column = Column::new("health.overall")
///     .header("health")
///     .paint(&[("good", Paint::Green), ("bad", Paint::Red)]);
/// assert_eq!(HEALTH.path(), "health.overall");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub(super) path: &'static str,
    pub(super) header: Option<&'static str>,
    pub(super) whole: bool,
    pub(super) priority: Option<u8>,
    pub(super) paints: &'static [(&'static str, Paint)],
}

impl Column {
    /// Creates a column for the member at a dotted path.
    #[must_use]
    pub const fn new(path: &'static str) -> Self {
        Self {
            path,
            header: None,
            whole: false,
            priority: None,
            paints: &[],
        }
    }

    /// Sets the heading in tables; by default the path. CSV always shows the path.
    #[must_use]
    pub const fn header(mut self, header: &'static str) -> Self {
        self.header = Some(header);
        self
    }

    /// Keeps cells whole, as long as the column takes no more than two thirds of the table: for ids, which are of no use when cut.
    #[must_use]
    pub const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Sets how readily the column is left out of a narrow table: the highest number goes first. By default the position of
    /// the column, counted from 0.
    #[must_use]
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets styles by cell value, compared without regard to ASCII case.
    #[must_use]
    pub const fn paint(mut self, paints: &'static [(&'static str, Paint)]) -> Self {
        self.paints = paints;
        self
    }

    /// Returns the dotted path.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn paint_of(&self, cell: &str) -> Option<Paint> {
        self.paints
            .iter()
            .find(|(value, _)| value.eq_ignore_ascii_case(cell))
            .map(|(_, paint)| *paint)
    }
}

/// The preferred columns of one type of item, and the names to suggest when a user mistypes a field.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub(super) columns: &'static [Column],
    pub(super) known: &'static [&'static str],
}

impl View {
    /// A view of items nothing is known about: their own members are the columns.
    pub const PLAIN: Self = Self::new(&[]);

    /// Creates a view with preferred columns.
    #[must_use]
    pub const fn new(columns: &'static [Column]) -> Self {
        Self {
            columns,
            known: &[],
        }
    }

    /// Adds names of other fields that items can have, for suggestions.
    #[must_use]
    pub const fn known(mut self, names: &'static [&'static str]) -> Self {
        self.known = names;
        self
    }

    /// Returns the preferred columns.
    #[must_use]
    pub const fn columns(&self) -> &'static [Column] {
        self.columns
    }

    pub(super) fn column(&self, path: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.path == path)
    }
}

//! Items of raw JSON to a table, JSON, NDJSON or CSV.
//!
//! [`Output`] says how and where; [`Output::list`] opens a [`List`] that takes items one by one, [`Output::object`] prints a
//! single one. Items are never decoded into a model: what the service sent is what comes out, unknown members included.
//!
//! # What each format does
//!
//! | format | list | memory |
//! |---|---|---|
//! | [`Format::Json`] | `{"items":[...],"pages":{...},"errors":[...]}`, indented, members in their own order, text not escaped needlessly | one item |
//! | [`Format::Ndjson`] | each item as it came, on one line | one item |
//! | [`Format::Csv`] | a header and a row per item; objects flattened with dots | one item when fields are chosen, else see below |
//! | [`Format::Table`] | columns fitted to the width of the terminal | see below |
//!
//! A table cannot know its widths, nor CSV its columns, before the last item. Their cells wait in a compact form: up to 8 MiB
//! in memory, beyond that in an unnamed temporary file that the operating system deletes with the process. Memory stays flat
//! with the number of items either way.
//!
//! # CSV
//!
//! Columns are the chosen fields, else the preferred columns of the [`View`] followed by all others sorted by name. A name
//! has at most three parts (`a.b.c`); an object below that is written as JSON text. Arrays of plain values are joined with
//! `, `, arrays that hold objects are JSON text, null is empty. Quoting follows RFC 4180, lines end with `\n`.
//!
//! # Tables
//!
//! A line never exceeds the width. Cells are cut with an ellipsis; columns marked [`Column::whole`] keep their width as long
//! as that leaves room for others. Columns that find no room at all are left out, those without any data first, then those with the highest
//! [`Column::priority`], and a note on standard error names them.

mod csv;
mod destination;
mod format;
mod list;
mod object;
mod spool;
mod table;
mod view;

pub use self::csv::CsvOptions;
pub use self::destination::Destination;
pub use self::format::Format;
pub use self::list::{Ending, List};
pub use self::view::{Column, View};
pub use crate::paint::Paint;

use std::io::Write;

use serde_json::value::RawValue;

use self::destination::Target;
use crate::console::Console;
use crate::error::Error;
use crate::fields::Fields;
use crate::json::Layout;

/// How and where to print.
///
/// Defaults: standard output, all fields, indentation of 2, members unsorted, a table as wide as the console says.
#[derive(Debug, Clone)]
#[must_use = "an output prints nothing by itself: call `list` or `object`"]
pub struct Output {
    console: Console,
    format: Format,
    destination: Destination,
    fields: Option<Fields>,
    lead: Option<String>,
    layout: Layout,
    csv: CsvOptions,
    max_width: Option<usize>,
}

impl Output {
    /// Creates an output in a format, to standard output.
    pub fn new(console: &Console, format: Format) -> Self {
        Self {
            console: console.clone(),
            format,
            destination: Destination::stdout(),
            fields: None,
            lead: None,
            layout: Layout {
                indent: 2,
                sort_keys: false,
            },
            csv: CsvOptions::default(),
            max_width: None,
        }
    }

    /// Sets where the data goes.
    pub fn destination(mut self, destination: Destination) -> Self {
        self.destination = destination;
        self
    }

    /// Chooses fields: the columns of a table and of CSV, in the order chosen. JSON items are cut down to them and keep their own
    /// order and nesting.
    pub fn fields(mut self, fields: Option<Fields>) -> Self {
        self.fields = fields;
        self
    }

    /// Names a first column that is not part of the items, such as `tenant`; [`List::push_from`] fills it. JSON and NDJSON
    /// leave it out, for there an item is what the service sent.
    pub fn lead(mut self, name: impl Into<String>) -> Self {
        self.lead = Some(name.into());
        self
    }

    /// Sets the indentation of JSON, 2 by default. 0 writes everything on one line.
    pub fn indent(mut self, spaces: usize) -> Self {
        self.layout.indent = spaces;
        self
    }

    /// Sorts the members of JSON objects by name, at every level.
    pub fn sort_keys(mut self, sort: bool) -> Self {
        self.layout.sort_keys = sort;
        self
    }

    /// Sets how CSV is written.
    pub fn csv(mut self, options: CsvOptions) -> Self {
        self.csv = options;
        self
    }

    /// Limits the width of tables, below what the console says.
    pub fn max_width(mut self, cells: Option<usize>) -> Self {
        self.max_width = cells;
        self
    }

    /// Returns the format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Checks that the data can be printed, and prints nothing: for a program that is about to change something, and must not
    /// find out only afterwards that it cannot tell the outcome.
    ///
    /// # Errors
    /// Fails as [`Output::list`] does when the file of the destination exists and may not be replaced, or cannot be created.
    pub fn check(&self) -> Result<(), Error> {
        self.destination.check()
    }

    /// Opens a list.
    ///
    /// # Errors
    /// Fails when the file of the destination exists and may not be replaced, or cannot be created: before any work is done for
    /// the items.
    pub fn list(&self, view: &View) -> Result<List, Error> {
        List::open(self, view)
    }

    /// Prints one item: JSON as it is, a table as a line per member, CSV as a header and one row.
    ///
    /// # Errors
    /// Fails when the destination cannot be created or written.
    pub fn object(&self, view: &View, item: &RawValue) -> Result<(), Error> {
        object::write(self, view, item.get())
    }

    /// Prints a line of plain text, whatever the format.
    ///
    /// # Errors
    /// Fails when the destination cannot be created or written.
    pub fn text(&self, line: &str) -> Result<(), Error> {
        let mut target = self.open()?;
        let written = writeln!(target, "{line}");
        target.check(written)?;
        target.commit()
    }

    fn open(&self) -> Result<Target, Error> {
        self.destination.open(&self.console)
    }

    fn width(&self) -> usize {
        let width = self.console.width();
        self.max_width.map_or(width, |max| max.min(width)).max(1)
    }

    fn colors(&self) -> bool {
        self.destination.is_stdout() && self.console.colors_stdout()
    }
}

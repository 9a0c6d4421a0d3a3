//! Comma separated values.

use std::collections::HashMap;
use std::io::{self, Write};

use super::destination::Target;
use super::spool::{Row, Spool};
use super::{Output, View};
use crate::error::Error;
use crate::json::{cell, extract, flatten};

/// The deepest name: `a.b.c`.
pub(super) const DEPTH: usize = 3;

/// How CSV is written.
///
/// Defaults: a comma, objects flattened, cells as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CsvOptions {
    delimiter: char,
    flatten: bool,
    excel_safe: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            flatten: true,
            excel_safe: false,
        }
    }
}

impl CsvOptions {
    /// Sets the character between cells.
    ///
    /// # Errors
    /// Fails for a double quote and for line breaks, which CSV needs for itself.
    pub fn delimiter(mut self, delimiter: char) -> Result<Self, Error> {
        if matches!(delimiter, '"' | '\r' | '\n') {
            return Err(Error::user(format!(
                "{delimiter:?} cannot separate the cells of CSV"
            )));
        }
        self.delimiter = delimiter;
        Ok(self)
    }

    /// Turns flattening off: an object is then one cell of JSON text.
    pub fn flatten(mut self, flatten: bool) -> Self {
        self.flatten = flatten;
        self
    }

    /// Puts a `'` in front of cells that a spreadsheet would take for a formula: those that start with `=`, `+`, `-` or `@`.
    pub fn excel_safe(mut self, excel_safe: bool) -> Self {
        self.excel_safe = excel_safe;
        self
    }

    fn write_row<'a>(
        self,
        out: &mut dyn Write,
        cells: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<()> {
        let mut line = String::new();
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                line.push(self.delimiter);
            }
            self.push_cell(&mut line, cell);
        }
        if line.is_empty() {
            line.push_str("\"\""); // one empty cell: an empty line would be no row
        }
        line.push('\n');
        out.write_all(line.as_bytes())
    }

    fn push_cell(self, line: &mut String, cell: &str) {
        let guarded = self.excel_safe && cell.starts_with(['=', '+', '-', '@']);
        let quoted =
            cell.contains([self.delimiter, '"', '\r', '\n']) || (guarded && self.delimiter == '\'');
        if quoted {
            line.push('"');
        }
        if guarded {
            line.push('\'');
        }
        if quoted {
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(cell);
        }
    }
}

/// A list as CSV.
#[derive(Debug)]
pub(super) struct CsvList {
    options: CsvOptions,
    lead: Option<String>,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    /// The columns are chosen, so rows are written as they come.
    Fixed {
        columns: Vec<String>,
        header_written: bool,
    },
    /// The columns are known after the last row.
    Learned {
        preferred: Vec<&'static str>,
        names: Names,
        spool: Box<Spool>,
    },
}

/// Column names with numbers, in the order they were first seen.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }
}

impl CsvList {
    pub(super) fn new(output: &Output, view: &View) -> Self {
        let plan = match &output.fields {
            Some(fields) => Plan::Fixed {
                columns: fields.iter().map(str::to_owned).collect(),
                header_written: false,
            },
            None => {
                let preferred: Vec<_> = view.columns.iter().map(|column| column.path).collect();
                let mut names = Names::default();
                for name in &preferred {
                    names.number(name);
                }
                Plan::Learned {
                    preferred,
                    names,
                    spool: Box::new(Spool::new()),
                }
            }
        };
        Self {
            options: output.csv,
            lead: output.lead.clone(),
            plan,
        }
    }

    pub(super) fn push(
        &mut self,
        target: &mut Target,
        lead: Option<&str>,
        item: &str,
    ) -> Result<(), Error> {
        self.write_fixed_header(target)?;
        let lead = self.lead.as_ref().map(|_| lead.unwrap_or_default());
        match &mut self.plan {
            Plan::Fixed { columns, .. } => {
                let cells: Vec<_> = columns
                    .iter()
                    .map(|column| extract(item, column).unwrap_or_default())
                    .collect();
                let cells = lead.into_iter().chain(cells.iter().map(AsRef::as_ref));
                let written = self.options.write_row(target, cells);
                target.check(written)
            }
            Plan::Learned {
                preferred,
                names,
                spool,
            } => {
                let mut row = Row::new();
                if let Some(lead) = lead {
                    row.push((LEAD, lead.to_owned()));
                }
                for (number, name) in (0..).zip(preferred.iter()) {
                    if let Some(cell) = extract(item, name) {
                        row.push((number, cell.into_owned()));
                    }
                }
                let depth = if self.options.flatten { DEPTH } else { 1 };
                flatten(item, depth, &mut |name, value| {
                    if !preferred.contains(&name) {
                        row.push((names.number(name), cell(value).into_owned()));
                    }
                });
                spool.push(&row)
            }
        }
    }

    pub(super) fn finish(mut self, target: &mut Target) -> Result<(), Error> {
        self.write_fixed_header(target)?;
        let Plan::Learned {
            preferred,
            names,
            spool,
        } = self.plan
        else {
            return Ok(());
        };
        let names = names.into_names();
        let mut order: Vec<usize> = (0..names.len()).collect();
        if let Some(rest) = order.get_mut(preferred.len()..) {
            rest.sort_by_key(|number| names.get(*number));
        }
        // Where the column of a number stands in a row.
        let first = usize::from(self.lead.is_some());
        let mut places = vec![0; names.len()];
        for (place, number) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*number) {
                *slot = first + place;
            }
        }
        let header = order
            .iter()
            .filter_map(|number| names.get(*number).map(String::as_str));
        let header: Vec<&str> = self.lead.as_deref().into_iter().chain(header).collect();
        if header.is_empty() {
            return Ok(());
        }
        let written = self.options.write_row(target, header.iter().copied());
        target.check(written)?;
        let mut cells = vec![String::new(); header.len()];
        for row in spool.replay()? {
            cells.iter_mut().for_each(String::clear);
            for (number, cell) in row? {
                let place = if number == LEAD {
                    Some(&0)
                } else {
                    places.get(number as usize)
                };
                if let Some(slot) = place.and_then(|place| cells.get_mut(*place)) {
                    *slot = cell;
                }
            }
            let written = self
                .options
                .write_row(target, cells.iter().map(String::as_str));
            target.check(written)?;
        }
        Ok(())
    }

    fn write_fixed_header(&mut self, target: &mut Target) -> Result<(), Error> {
        let Plan::Fixed {
            columns,
            header_written,
        } = &mut self.plan
        else {
            return Ok(());
        };
        if std::mem::replace(header_written, true) {
            return Ok(());
        }
        let header = self
            .lead
            .as_deref()
            .into_iter()
            .chain(columns.iter().map(String::as_str));
        let written = self.options.write_row(target, header);
        target.check(written)
    }
}

/// The number of the leading column in a spooled row.
pub(super) const LEAD: u32 = u32::MAX;

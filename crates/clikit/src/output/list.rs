//! Lists of items.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::value::RawValue;

use super::csv::{CsvList, DEPTH};
use super::destination::Target;
use super::table::TableList;
use super::{Format, Output, View};
use crate::console::Console;
use crate::error::Error;
use crate::json::{Layout, Selection, extract, flatten, one_line, write_value};
use crate::suggest::suggest;

/// How many names are remembered to suggest from.
const MAX_NAMES: usize = 1000;

/// An open list. Items go in one by one; [`List::finish`] completes it.
///
/// A list that is dropped before that is incomplete, and looks it: JSON lacks its end, a table is not printed, a file of the
/// destination does not appear.
#[derive(Debug)]
#[must_use = "a list is complete only after `finish`"]
pub struct List {
    target: Target,
    body: Body,
    selection: Option<Selection>,
    watch: Option<FieldWatch>,
    console: Console,
    rows: u64,
}

#[derive(Debug)]
enum Body {
    Json(Layout),
    Ndjson { sort_keys: bool },
    Csv(CsvList),
    Table(TableList),
}

/// What follows the items.
#[derive(Debug, Default)]
#[must_use]
pub struct Ending {
    pages: Option<Box<RawValue>>,
    errors: Option<Vec<Box<RawValue>>>,
    remainder: Option<(Option<u64>, String)>,
}

impl Ending {
    /// Creates an ending with nothing to tell.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the member `pages` of the JSON form; without it there is none.
    pub fn pages(mut self, pages: Option<Box<RawValue>>) -> Self {
        self.pages = pages;
        self
    }

    /// Sets the member `errors` of the JSON form, also when it is empty; without it there is none.
    pub fn errors(mut self, errors: Option<Vec<Box<RawValue>>>) -> Self {
        self.errors = errors;
        self
    }

    /// Says on standard error that the list stopped before its end, out of how many where that is known, and how to get the
    /// rest, such as ``use `--all` for the rest``.
    pub fn remainder(mut self, total: Option<u64>, how: impl Into<String>) -> Self {
        self.remainder = Some((total, how.into()));
        self
    }
}

impl List {
    pub(super) fn open(output: &Output, view: &View) -> Result<Self, Error> {
        let target = output.open()?;
        let body = match output.format {
            Format::Json => Body::Json(output.layout),
            Format::Ndjson => Body::Ndjson {
                sort_keys: output.layout.sort_keys,
            },
            Format::Csv => Body::Csv(CsvList::new(output, view)),
            Format::Table => Body::Table(TableList::new(output, view)),
        };
        let json = matches!(body, Body::Json(_) | Body::Ndjson { .. });
        let selection = output.fields.as_ref().filter(|_| json);
        let mut list = Self {
            target,
            body,
            selection: selection.map(|fields| Selection::new(fields.iter())),
            watch: output
                .fields
                .as_ref()
                .map(|fields| FieldWatch::new(fields.iter(), view)),
            console: output.console.clone(),
            rows: 0,
        };
        if let Body::Json(layout) = list.body {
            let opened = write_envelope_start(&mut list.target, layout);
            list.target.check(opened)?;
        }
        Ok(list)
    }

    /// Adds an item.
    ///
    /// # Errors
    /// Fails when the destination cannot be written; [`Error::is_broken_pipe`] when nobody reads it any more.
    pub fn push(&mut self, item: &RawValue) -> Result<(), Error> {
        self.push_raw(None, item.get())
    }

    /// Adds an item with the cell for the leading column, see [`Output::lead`].
    ///
    /// # Errors
    /// As [`List::push`].
    pub fn push_from(&mut self, lead: &str, item: &RawValue) -> Result<(), Error> {
        self.push_raw(Some(lead), item.get())
    }

    /// Adds an item given as text.
    ///
    /// # Errors
    /// As [`List::push`], and when the text is not one JSON value.
    pub fn push_text(&mut self, item: &str) -> Result<(), Error> {
        let item: &RawValue = serde_json::from_str(item)
            .map_err(|error| Error::internal("an item is not JSON").with_source(error))?;
        self.push_raw(None, item.get())
    }

    /// Hands the items so far to the reader, where the format streams. Call it after each page.
    ///
    /// # Errors
    /// As [`List::push`].
    pub fn end_page(&mut self) -> Result<(), Error> {
        self.target.flush_now()
    }

    /// Returns how many items were added.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Completes the list and returns how many items it has.
    ///
    /// On standard error follow: `No data to display` for an empty table, a warning for chosen fields that no item has, and
    /// what [`Ending::remainder`] says.
    ///
    /// # Errors
    /// As [`List::push`], and when a file cannot be put in its place.
    pub fn finish(mut self, ending: Ending) -> Result<u64, Error> {
        match self.body {
            Body::Json(layout) => {
                let written = write_envelope_end(&mut self.target, layout, self.rows, &ending);
                self.target.check(written)?;
            }
            Body::Ndjson { .. } => {}
            Body::Csv(csv) => csv.finish(&mut self.target)?,
            Body::Table(table) if self.rows > 0 => table.finish(&mut self.target, &self.console)?,
            Body::Table(_) => self.console.status("No data to display"),
        }
        self.target.commit()?;
        if let Some(watch) = self.watch.filter(|_| self.rows > 0) {
            watch.report(&self.console);
        }
        match ending.remainder {
            Some((Some(total), how)) if total > self.rows => {
                self.console
                    .note(&format!("showing {} of {total}; {how}", self.rows));
            }
            Some((None, how)) => {
                self.console
                    .note(&format!("showing the first {}; {how}", self.rows));
            }
            _ => {}
        }
        Ok(self.rows)
    }

    fn push_raw(&mut self, lead: Option<&str>, item: &str) -> Result<(), Error> {
        if let Some(watch) = &mut self.watch {
            watch.see(item);
        }
        let selected = self
            .selection
            .as_ref()
            .map(|selection| selection.apply(item));
        let item = selected.as_deref().unwrap_or(item);
        match &mut self.body {
            Body::Json(layout) => {
                let written = write_envelope_item(&mut self.target, *layout, self.rows, item);
                self.target.check(written)?;
            }
            Body::Ndjson { sort_keys } => {
                let line = one_line(item, *sort_keys);
                let written = writeln!(self.target, "{line}");
                self.target.check(written)?;
            }
            Body::Csv(csv) => csv.push(&mut self.target, lead, item)?,
            Body::Table(table) => table.push(lead, item)?,
        }
        self.rows += 1;
        Ok(())
    }
}

fn write_break(out: &mut dyn Write, layout: Layout, level: usize) -> std::io::Result<()> {
    crate::json::write_break(out, layout.indent, level)
}

fn write_name(out: &mut dyn Write, layout: Layout, name: &str) -> std::io::Result<()> {
    write_break(out, layout, 1)?;
    write!(
        out,
        "\"{name}\":{}",
        if layout.indent == 0 { "" } else { " " }
    )
}

fn write_envelope_start(out: &mut dyn Write, layout: Layout) -> std::io::Result<()> {
    out.write_all(b"{")?;
    write_name(out, layout, "items")?;
    out.write_all(b"[")
}

fn write_envelope_item(
    out: &mut dyn Write,
    layout: Layout,
    before: u64,
    item: &str,
) -> std::io::Result<()> {
    if before > 0 {
        out.write_all(b",")?;
    }
    write_break(out, layout, 2)?;
    write_value(out, item, layout, 2)
}

fn write_envelope_end(
    out: &mut dyn Write,
    layout: Layout,
    rows: u64,
    ending: &Ending,
) -> std::io::Result<()> {
    if rows > 0 {
        write_break(out, layout, 1)?;
    }
    out.write_all(b"]")?;
    if let Some(pages) = &ending.pages {
        out.write_all(b",")?;
        write_name(out, layout, "pages")?;
        write_value(out, pages.get(), layout, 1)?;
    }
    if let Some(errors) = &ending.errors {
        out.write_all(b",")?;
        write_name(out, layout, "errors")?;
        out.write_all(b"[")?;
        for (index, error) in errors.iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            write_break(out, layout, 2)?;
            write_value(out, error.get(), layout, 2)?;
        }
        if !errors.is_empty() {
            write_break(out, layout, 1)?;
        }
        out.write_all(b"]")?;
    }
    write_break(out, layout, 0)?;
    out.write_all(b"}\n")
}

/// Watches whether the chosen fields exist, to help with slips of the keyboard.
#[derive(Debug)]
pub(super) struct FieldWatch {
    missing: Vec<String>,
    /// Names that items have, collected while a field is missing.
    names: BTreeSet<String>,
    known: Vec<&'static str>,
}

impl FieldWatch {
    pub(super) fn new<'a>(fields: impl Iterator<Item = &'a str>, view: &View) -> Self {
        let columns = view.columns.iter().map(|column| column.path);
        Self {
            missing: fields.map(str::to_owned).collect(),
            names: BTreeSet::new(),
            known: columns.chain(view.known.iter().copied()).collect(),
        }
    }

    pub(super) fn see(&mut self, item: &str) {
        if self.missing.is_empty() {
            return;
        }
        self.missing.retain(|field| extract(item, field).is_none());
        if !self.missing.is_empty() && self.names.len() < MAX_NAMES {
            flatten(item, DEPTH, &mut |name, _| {
                if !self.names.contains(name) {
                    self.names.insert(name.to_owned());
                }
            });
        }
    }

    pub(super) fn report(&self, console: &Console) {
        for field in &self.missing {
            // A known name is no slip: these items just lack it.
            if self.known.contains(&field.as_str()) {
                continue;
            }
            let candidates = self
                .known
                .iter()
                .copied()
                .chain(self.names.iter().map(String::as_str));
            match suggest(field, candidates) {
                Some(near) => console.warn(&format!(
                    "no item has the field `{field}`; did you mean `{near}`?"
                )),
                None => console.warn(&format!("no item has the field `{field}`")),
            }
        }
    }
}

//! A single item.

use std::io::Write;

use super::csv::DEPTH;
use super::list::FieldWatch;
use super::table::MISSING;
use super::{Ending, Format, Output, Paint, View};
use crate::error::Error;
use crate::json::{Selection, cell, extract, flatten, one_line, write_value};
use crate::text;

/// The least room for the values, whatever the names take.
const VALUE_FLOOR: usize = 20;

pub(super) fn write(output: &Output, view: &View, item: &str) -> Result<(), Error> {
    match output.format {
        Format::Csv => {
            let mut list = output.list(view)?;
            list.push_text(item)?;
            return list.finish(Ending::new()).map(drop);
        }
        Format::Table => write_lines(output, view, item)?,
        Format::Json | Format::Ndjson => write_json(output, item)?,
    }
    if let Some(fields) = &output.fields {
        let mut watch = FieldWatch::new(fields.iter(), view);
        watch.see(item);
        watch.report(&output.console);
    }
    Ok(())
}

fn write_json(output: &Output, item: &str) -> Result<(), Error> {
    let selected = output
        .fields
        .as_ref()
        .map(|fields| Selection::new(fields.iter()).apply(item));
    let item = selected.as_deref().unwrap_or(item);
    let mut target = output.open()?;
    let written = if output.format == Format::Json {
        write_value(&mut target, item, output.layout, 0)
    } else {
        target.write_all(one_line(item, output.layout.sort_keys).as_bytes())
    };
    let written = written.and_then(|()| target.write_all(b"\n"));
    target.check(written)?;
    target.commit()
}

/// One line per member: the preferred columns first, then the others in the order of the item.
fn write_lines(output: &Output, view: &View, item: &str) -> Result<(), Error> {
    let mut lines: Vec<(String, String)> = Vec::new();
    if let Some(fields) = &output.fields {
        for name in fields.iter() {
            let value = extract(item, name).unwrap_or_default();
            lines.push((name.to_owned(), value.into_owned()));
        }
    } else {
        for column in view.columns {
            if let Some(value) = extract(item, column.path) {
                lines.push((column.path.to_owned(), value.into_owned()));
            }
        }
        flatten(item, DEPTH, &mut |name, value| {
            if view.column(name).is_none() {
                lines.push((name.to_owned(), cell(value).into_owned()));
            }
        });
    }

    let width = output.width();
    let names = lines
        .iter()
        .map(|(name, _)| text::width(&text::clean(name)))
        .max()
        .unwrap_or(0);
    let names = names
        .min(width.saturating_sub(VALUE_FLOOR.min(width / 2) + 2))
        .max(1);
    let room = width.saturating_sub(names + 2).max(1);
    let color = output.colors();
    let mut shown = String::new();
    for (name, value) in &lines {
        let cleaned = text::clean(name);
        let label = text::truncate(&cleaned, names);
        let value = text::clean(value.trim());
        let value = if value.is_empty() {
            MISSING
        } else {
            value.as_ref()
        };
        let paint = view.column(name).and_then(|column| column.paint_of(value));
        for (index, part) in text::wrap(value, room).iter().enumerate() {
            let pad = if index == 0 {
                Paint::Bold.push(&mut shown, &label, color);
                names - text::width(&label)
            } else {
                names
            };
            shown.extend(std::iter::repeat_n(' ', pad + 2));
            match paint {
                Some(paint) => paint.push(&mut shown, part, color),
                None => shown.push_str(part),
            }
            shown.push('\n');
        }
    }
    let mut target = output.open()?;
    let written = target.write_all(shown.as_bytes());
    target.check(written)?;
    target.commit()
}

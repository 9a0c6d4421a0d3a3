//! Tables that fit.

use std::io::Write;

use super::csv::{LEAD, Names};
use super::destination::Target;
use super::spool::{Row, Spool};
use super::{Column, Output, Paint, View};
use crate::console::Console;
use crate::error::Error;
use crate::json::{cell, extract, flatten};
use crate::text;

const GAP: usize = 2;
/// A column is not cut below this width: a column less says more than a column of three letters.
const FLOOR: usize = 10;
/// The same for columns the user chose.
const CHOSEN_FLOOR: usize = 4;
/// Objects of unknown items are flattened this deep.
const DEPTH: usize = 2;
pub(super) const MISSING: &str = "-";

/// A list as a table.
#[derive(Debug)]
pub(super) struct TableList {
    width: usize,
    color: bool,
    floor: usize,
    lead: Option<Shape>,
    columns: Columns,
    spool: Spool,
}

#[derive(Debug)]
enum Columns {
    Fixed(Vec<Shape>),
    Learned { names: Names, shapes: Vec<Shape> },
}

/// A column and what was learned about its cells.
#[derive(Debug)]
struct Shape {
    path: String,
    header: String,
    column: Option<&'static Column>,
    /// The widest cell, the header included.
    natural: usize,
    /// The widest cell that leaves room for other columns, the header included.
    usual: usize,
    /// Whether any cell has data.
    filled: bool,
    priority: u32,
}

impl Shape {
    fn new(
        path: &str,
        header: Option<&str>,
        column: Option<&'static Column>,
        priority: u32,
    ) -> Self {
        let header = text::clean(header.unwrap_or(path)).into_owned();
        let natural = text::width(&header).max(1);
        Self {
            path: path.to_owned(),
            header,
            column,
            natural,
            usual: natural,
            filled: false,
            priority,
        }
    }

    fn is_whole(&self) -> bool {
        self.column.is_some_and(|column| column.whole)
    }

    /// How wide the column would be with room enough. A few overlong cells do not make a column of ids too wide to be kept
    /// whole: they are cut, and the others are not.
    fn wanted(&self, width: usize) -> usize {
        let mostly_fits =
            self.is_whole() && self.natural > share(width) && self.usual > self.header_width();
        if mostly_fits {
            self.usual
        } else {
            self.natural
        }
    }

    fn header_width(&self) -> usize {
        text::width(&self.header)
    }

    /// Takes the width of a cell into account and returns the cell as it will be shown at most.
    fn learn(&mut self, cell: &str, max: usize) -> String {
        let cleaned = text::clean(cell.trim());
        let cell = text::truncate(&cleaned, max);
        self.filled |= !cell.is_empty();
        let cells = text::width(&cell);
        self.natural = self.natural.max(cells);
        if cells <= share(max) {
            self.usual = self.usual.max(cells);
        }
        cell.into_owned()
    }
}

impl TableList {
    pub(super) fn new(output: &Output, view: &View) -> Self {
        let columns = match &output.fields {
            Some(fields) => Columns::Fixed(
                (1..)
                    .zip(fields.iter())
                    .map(|(place, path)| Shape::new(path, None, view.column(path), place))
                    .collect(),
            ),
            None if view.columns.is_empty() => Columns::Learned {
                names: Names::default(),
                shapes: Vec::new(),
            },
            None => Columns::Fixed(
                (0..)
                    .zip(view.columns)
                    .map(|(place, column)| {
                        let priority = column.priority.map_or(place, u32::from);
                        Shape::new(column.path, column.header, Some(column), priority + 1)
                    })
                    .collect(),
            ),
        };
        Self {
            width: output.width(),
            color: output.colors(),
            floor: if output.fields.is_some() {
                CHOSEN_FLOOR
            } else {
                FLOOR
            },
            lead: output
                .lead
                .as_deref()
                .map(|name| Shape::new(name, None, None, 0)),
            columns,
            spool: Spool::new(),
        }
    }

    pub(super) fn push(&mut self, lead: Option<&str>, item: &str) -> Result<(), Error> {
        let width = self.width;
        let mut row = Row::new();
        if let Some(shape) = &mut self.lead {
            row.push((LEAD, shape.learn(lead.unwrap_or_default(), width)));
        }
        match &mut self.columns {
            Columns::Fixed(shapes) => {
                for (number, shape) in (0..).zip(shapes) {
                    if let Some(cell) = extract(item, &shape.path) {
                        row.push((number, shape.learn(&cell, width)));
                    }
                }
            }
            Columns::Learned { names, shapes } => flatten(item, DEPTH, &mut |name, value| {
                let number = names.number(name);
                let index = number as usize;
                if index == shapes.len() {
                    shapes.push(Shape::new(name, None, None, number.saturating_add(1)));
                }
                if let Some(shape) = shapes.get_mut(index) {
                    row.push((number, shape.learn(&cell(value), width)));
                }
            }),
        }
        self.spool.push(&row)
    }

    pub(super) fn finish(self, target: &mut Target, console: &Console) -> Result<(), Error> {
        let shapes = match self.columns {
            Columns::Fixed(shapes) | Columns::Learned { shapes, .. } => shapes,
        };
        let first = usize::from(self.lead.is_some());
        let shapes: Vec<Shape> = self.lead.into_iter().chain(shapes).collect();
        let widths = fit(&shapes, self.width, self.floor);

        let header = shapes
            .iter()
            .map(|shape| (shape.header.as_str(), Some(Paint::Bold)));
        let line = line(header, &widths, self.color);
        let written = target.write_all(line.as_bytes());
        target.check(written)?;
        let mut cells = vec![String::new(); shapes.len()];
        for row in self.spool.replay()? {
            cells.iter_mut().for_each(String::clear);
            for (number, cell) in row? {
                let place = if number == LEAD {
                    0
                } else {
                    number as usize + first
                };
                if let Some(slot) = cells.get_mut(place) {
                    *slot = cell;
                }
            }
            let shown = shapes.iter().zip(&cells).map(|(shape, cell)| {
                let cell = if cell.is_empty() {
                    MISSING
                } else {
                    cell.as_str()
                };
                (cell, shape.column.and_then(|column| column.paint_of(cell)))
            });
            let line = self::line(shown, &widths, self.color);
            let written = target.write_all(line.as_bytes());
            target.check(written)?;
        }
        let hidden: Vec<&str> = shapes
            .iter()
            .zip(&widths)
            .filter(|(_, width)| width.is_none())
            .map(|(shape, _)| shape.path.as_str())
            .collect();
        if !hidden.is_empty() {
            console.note(&format!(
                "no room for {} in {} columns; use a wider terminal, `--fields` or another format",
                list_of(&hidden),
                self.width,
            ));
        }
        Ok(())
    }
}

/// Names a few, counts the rest.
fn list_of(names: &[&str]) -> String {
    const NAMED: usize = 6;
    let mut text = names
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

fn line<'a>(
    cells: impl Iterator<Item = (&'a str, Option<Paint>)>,
    widths: &[Option<usize>],
    color: bool,
) -> String {
    let mut line = String::new();
    let mut pending = 0;
    for ((cell, paint), width) in cells.zip(widths) {
        let Some(width) = *width else { continue };
        line.extend(std::iter::repeat_n(' ', pending));
        let cell = text::truncate(cell, width);
        match paint {
            Some(paint) => paint.push(&mut line, &cell, color),
            None => line.push_str(&cell),
        }
        pending = width.saturating_sub(text::width(&cell)) + GAP;
    }
    line.push('\n');
    line
}

/// The most that one column may insist on.
fn share(width: usize) -> usize {
    width * 2 / 3
}

/// Shares the width among the columns; `None` for those that get no room.
fn fit(shapes: &[Shape], width: usize, floor: usize) -> Vec<Option<usize>> {
    // A column that would take most of the table may not insist on staying whole.
    let least = |shape: &Shape| {
        let wanted = shape.wanted(width);
        if shape.is_whole() && wanted <= share(width) {
            wanted
        } else {
            wanted.min(floor)
        }
    };
    let mut shown: Vec<usize> = (0..shapes.len()).collect();
    let room = loop {
        let room = width.saturating_sub(GAP * shown.len().saturating_sub(1));
        let needed: usize = shown
            .iter()
            .filter_map(|index| shapes.get(*index))
            .map(least)
            .sum();
        if needed <= room || shown.len() <= 1 {
            break room;
        }
        // The first column to go: without data, then the least important, then the last.
        let goes = shown
            .iter()
            .enumerate()
            .filter_map(|(at, index)| Some((at, shapes.get(*index)?)))
            .max_by_key(|(at, shape)| (!shape.filled && shape.priority > 0, shape.priority, *at))
            .map(|(at, _)| at);
        if let Some(at) = goes {
            shown.remove(at);
        }
    };

    let mut widths: Vec<Option<usize>> = vec![None; shapes.len()];
    for index in &shown {
        widths[*index] = Some(least(&shapes[*index]).min(room)); // both have an entry for every column
    }
    let mut left = room.saturating_sub(widths.iter().flatten().sum());
    while left > 0 {
        // One cell at a time to the narrowest column that wants more: none grows while another is narrower.
        let narrowest = widths
            .iter_mut()
            .zip(shapes)
            .filter_map(|(cells, shape)| cells.as_mut().map(|cells| (cells, shape.wanted(width))))
            .filter(|(cells, wanted)| **cells < *wanted)
            .min_by_key(|(width, _)| **width);
        let Some((width, _)) = narrowest else { break };
        *width += 1;
        left -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(natural: usize, whole: bool, priority: u32, filled: bool) -> Shape {
        static WHOLE: Column = Column::new("id").whole();
        let mut shape = Shape::new("x", None, whole.then_some(&WHOLE), priority);
        shape.natural = natural.max(1);
        shape.filled = filled;
        shape
    }

    #[test]
    fn columns_that_fit_keep_their_width() {
        let shapes = [shape(10, false, 0, true), shape(36, true, 1, true)];
        assert_eq!(fit(&shapes, 80, 8), [Some(10), Some(36)]);
    }

    #[test]
    fn long_columns_give_way_before_short_ones_and_ids_stay_whole() {
        let shapes = [
            shape(60, false, 0, true),
            shape(36, true, 1, true),
            shape(6, false, 2, true),
        ];
        assert_eq!(fit(&shapes, 80, 8), [Some(34), Some(36), Some(6)]);
    }

    #[test]
    fn a_few_overlong_ids_do_not_cut_the_others() {
        let mut ids = shape(0, true, 1, false);
        for cells in [36, 64, 36] {
            ids.learn(&"x".repeat(cells), 80);
        }
        assert_eq!(ids.wanted(80), 36);
        let shapes = [shape(20, false, 0, true), ids];
        assert_eq!(fit(&shapes, 80, 8), [Some(20), Some(36)]);
        // Where all of them are, the column gives way.
        let mut long = shape(0, true, 1, false);
        long.learn(&"x".repeat(64), 80);
        assert_eq!(long.wanted(80), 64);
        assert_eq!(
            fit(&[shape(20, false, 0, true), long], 80, 8),
            [Some(20), Some(58)]
        );
    }

    #[test]
    fn columns_without_data_go_first_then_the_least_important() {
        let shapes = [
            shape(20, false, 0, true),
            shape(36, true, 1, true),
            shape(20, false, 2, false),
            shape(20, false, 3, true),
            shape(20, false, 4, true),
        ];
        assert_eq!(
            fit(&shapes, 70, 8),
            [Some(10), Some(36), None, Some(9), Some(9)]
        );
        assert_eq!(
            fit(&shapes, 60, 8),
            [Some(10), Some(36), None, Some(10), None]
        );
    }

    #[test]
    fn an_id_wider_than_two_thirds_is_cut() {
        let shapes = [shape(36, true, 0, true), shape(10, false, 1, true)];
        assert_eq!(fit(&shapes, 40, 8), [Some(28), Some(10)]);
        assert_eq!(fit(&shapes, 5, 8), [Some(5), None]);
    }

    proptest::proptest! {
        #[test]
        fn the_widths_never_exceed_the_table(
            naturals in proptest::collection::vec((1usize..200, proptest::bool::ANY, 0u32..20, proptest::bool::ANY), 1..15),
            width in 1usize..250,
        ) {
            let shapes: Vec<Shape> = naturals.into_iter().map(|(n, w, p, f)| shape(n, w, p, f)).collect();
            let widths = fit(&shapes, width, 8);
            let shown = widths.iter().flatten().count();
            proptest::prop_assert!(shown >= 1);
            let sum: usize = widths.iter().flatten().sum();
            proptest::prop_assert!(sum + GAP * (shown - 1) <= width);
        }
    }
}

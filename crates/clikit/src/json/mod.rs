//! Raw JSON read in place: members, paths, flattening and rewriting without building a tree.
//!
//! Every text that comes in here was checked by `serde_json` before, so the scanner only has to find where values end. On
//! anything else it stops early; it does not panic.

mod extract;
mod scan;
mod write;

pub(crate) use self::extract::{Selection, cell, extract, flatten};
pub(crate) use self::write::{Layout, one_line, write_break, write_value};

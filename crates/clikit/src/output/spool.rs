//! Rows that wait for the last one.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::error::Error;

/// Rows up to this size wait in memory.
const IN_MEMORY: usize = 8 * 1024 * 1024;

/// A row: numbers of columns with their cells.
pub(super) type Row = Vec<(u32, String)>;

/// Rows set aside, in memory first and then in an unnamed temporary file.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<SpooledTempFile>,
}

impl Spool {
    pub(super) fn new() -> Self {
        Self {
            file: BufWriter::new(SpooledTempFile::new(IN_MEMORY)),
        }
    }

    pub(super) fn push(&mut self, row: &Row) -> Result<(), Error> {
        self.write(row).map_err(cannot)
    }

    fn write(&mut self, row: &Row) -> io::Result<()> {
        self.write_number(row.len())?;
        for (column, cell) in row {
            self.file.write_all(&column.to_le_bytes())?;
            self.write_number(cell.len())?;
            self.file.write_all(cell.as_bytes())?;
        }
        Ok(())
    }

    fn write_number(&mut self, number: usize) -> io::Result<()> {
        let number = u32::try_from(number).map_err(|_| io::Error::other("a cell is too large"))?;
        self.file.write_all(&number.to_le_bytes())
    }

    /// Goes back to the first row.
    pub(super) fn replay(self) -> Result<Replay, Error> {
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| cannot(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(cannot)?;
        Ok(Replay {
            file: BufReader::new(file),
        })
    }
}

/// Rows in the order they were set aside.
#[derive(Debug)]
pub(super) struct Replay {
    file: BufReader<SpooledTempFile>,
}

impl Iterator for Replay {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut first = [0; 4];
        match self.file.read_exact(&mut first) {
            Ok(()) => Some(self.read(u32::from_le_bytes(first)).map_err(cannot)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => Some(Err(cannot(error))),
        }
    }
}

impl Replay {
    fn read(&mut self, cells: u32) -> io::Result<Row> {
        let mut row = Row::new();
        for _ in 0..cells {
            let column = self.number()?;
            let mut cell = vec![0; self.number()? as usize];
            self.file.read_exact(&mut cell)?;
            row.push((column, String::from_utf8(cell).map_err(io::Error::other)?));
        }
        Ok(row)
    }

    fn number(&mut self) -> io::Result<u32> {
        let mut number = [0; 4];
        self.file.read_exact(&mut number)?;
        Ok(u32::from_le_bytes(number))
    }
}

fn cannot(error: io::Error) -> Error {
    Error::internal("cannot set rows aside in the temporary folder").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_also_from_the_file() {
        let mut spool = Spool::new();
        let big = "é".repeat(100_000);
        for index in 0..100u32 {
            spool
                .push(&vec![(index, big.clone()), (7, index.to_string())])
                .unwrap();
        }
        let rows: Vec<Row> = spool.replay().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 100);
        for (index, row) in (0..).zip(rows) {
            assert_eq!(row[0].0, index);
            assert!(row[0].1 == big);
            assert_eq!(row[1].1, index.to_string());
        }
    }
}

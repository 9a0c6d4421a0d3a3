//! Saving the body in a file.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Phase};

/// How a body is saved in a file; see [`Response::save_with`](super::Response::save_with).
///
/// By default the body is written to a temporary file in the folder of the target, which takes the target's place when
/// all of it is there. So the target is either what it was or complete, and nobody sees half of it.
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    in_place: bool,
    sync: bool,
}

impl SaveOptions {
    /// Creates the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes into the target itself, for folders in which no other file may be made, or to watch it grow. What was
    /// there is gone at once, and when saving fails, the file is removed.
    #[must_use]
    pub fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Has the operating system write the file to the disk before it is called saved, so that it outlives a power cut.
    #[must_use]
    pub fn sync(mut self) -> Self {
        self.sync = true;
        self
    }
}

/// A file that is being written, and is removed when it does not become complete.
#[derive(Debug)]
pub(super) struct Download {
    file: File,
    target: PathBuf,
    /// What is to be removed when saving fails.
    partial: Option<PathBuf>,
    replaces: bool,
    sync: bool,
    written: u64,
}

impl Download {
    pub(super) fn create(path: &Path, options: &SaveOptions) -> Result<Self, Error> {
        Self::open(path, options).map_err(|error| not_saved(path, error))
    }

    fn open(path: &Path, options: &SaveOptions) -> io::Result<Self> {
        let sync = options.sync;
        let existing = match fs::metadata(path) {
            Ok(existing) => Some(existing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let this = |file, target, partial, replaces| Self {
            file,
            target,
            partial,
            replaces,
            sync,
            written: 0,
        };
        match existing {
            Some(existing) if existing.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            // A device, a pipe: there is nothing to replace or to remove.
            Some(existing) if !existing.is_file() => {
                let file = OpenOptions::new().write(true).open(path)?;
                Ok(this(file, path.to_owned(), None, false))
            }
            _ if options.in_place => {
                let file = File::create(path)?;
                Ok(this(file, path.to_owned(), Some(path.to_owned()), false))
            }
            existing => {
                // What a link leads to is replaced and not the link.
                let target = match &existing {
                    Some(_) => fs::canonicalize(path)?,
                    None => path.to_owned(),
                };
                if target.file_name().is_none() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                let (file, temporary) = temporary_beside(&target)?;
                let this = this(file, target, Some(temporary), true);
                if let Some(existing) = existing {
                    this.file.set_permissions(existing.permissions())?;
                }
                Ok(this)
            }
        }
    }

    pub(super) fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        self.written += data.len() as u64;
        let written = self.file.write_all(data);
        written.map_err(|error| not_saved(&self.target, error))
    }

    /// The body is complete. Returns its size.
    pub(super) fn finish(mut self) -> Result<u64, Error> {
        let finished = self.put_in_place();
        finished.map_err(|error| not_saved(&self.target, error))?;
        Ok(self.written)
    }

    fn put_in_place(&mut self) -> io::Result<()> {
        if self.sync {
            self.file.sync_all()?;
        }
        if self.replaces
            && let Some(temporary) = &self.partial
        {
            fs::rename(temporary, &self.target)?;
            #[cfg(unix)]
            if self.sync {
                File::open(folder_of(&self.target))?.sync_all()?;
            }
        }
        self.partial = None;
        Ok(())
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // There is nobody to tell that even this fails.
            drop(fs::remove_file(partial));
        }
    }
}

/// A new file in the folder of the target, which can take its place.
fn temporary_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let folder = folder_of(target);
    let mut attempts = 0;
    loop {
        let random = RandomState::new().build_hasher().finish();
        let path = folder.join(format!(".reqivo-{random:016x}.part"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempts < 8 => {
                attempts += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

pub(super) fn not_saved(path: &Path, error: io::Error) -> Error {
    let folder = folder_of(path);
    let text = match error.kind() {
        io::ErrorKind::NotFound if !folder.exists() => {
            format!("cannot save the body: no folder {}", folder.display())
        }
        _ => format!("cannot save the body in {}", path.display()),
    };
    Error::new(ErrorKind::Io, Phase::Body)
        .with_text(text)
        .with_source(error)
}

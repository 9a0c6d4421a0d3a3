//! Standard output, or a file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::console::{Console, Stdout};
use crate::error::{Class, Error};

const BUFFER: usize = 64 * 1024;

/// Where data goes.
///
/// A file is written under a temporary name in its folder and renamed at the end, so a reader sees the old content or the
/// new, never half of it, and a failed run leaves nothing behind. An existing file is replaced only with [`Destination::force`]; it keeps its
/// permissions, and a symbolic link to it stays a link. Something that is no regular file, such as `/dev/null` or a named pipe, is
/// written directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Destination {
    path: Option<PathBuf>,
    force: bool,
}

impl Destination {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::default()
    }

    /// A file; `-` means standard output.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()).filter(|path| path != Path::new("-")),
            force: false,
        }
    }

    /// Replaces a file that exists.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Tells whether this is standard output.
    #[must_use]
    pub fn is_stdout(&self) -> bool {
        self.path.is_none()
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.path {
            // Opening a pipe or a device a second time is not the same as opening it once.
            Some(path) if fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir()) => {
                Ok(())
            }
            Some(path) => open_file(path, self.force).map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn open(&self, console: &Console) -> Result<Target, Error> {
        let sink = match &self.path {
            None => Sink::Stdout(console.stdout()),
            Some(path) => open_file(path, self.force)?,
        };
        let name = self.path.as_ref().map_or_else(
            || "standard output".to_owned(),
            |path| path.display().to_string(),
        );
        Ok(Target {
            buffer: Vec::new(),
            sink,
            name,
        })
    }
}

fn open_file(path: &Path, force: bool) -> Result<Sink, Error> {
    let cannot = |error: io::Error| {
        Error::user(format!("cannot create {}", path.display())).with_source(error)
    };
    let existing = match fs::metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(error)),
    };
    if let Some(existing) = &existing {
        if existing.is_dir() {
            return Err(Error::user(format!("{} is a folder", path.display())));
        }
        if !existing.is_file() {
            return File::options()
                .write(true)
                .open(path)
                .map(Sink::Device)
                .map_err(cannot);
        }
        if !force {
            return Err(already_there(path));
        }
    }
    let path = match existing {
        Some(_) => path.canonicalize().map_err(cannot)?,
        None => path.to_owned(),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".partial");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)); // less the umask, as for any new file
    }
    let file = builder
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(cannot)?;
    if let Some(existing) = existing {
        file.as_file()
            .set_permissions(existing.permissions())
            .map_err(cannot)?;
    }
    Ok(Sink::File { file, path, force })
}

fn already_there(path: &Path) -> Error {
    Error::user(format!("{} exists", path.display())).with_hint("add `--force` to replace it")
}

/// An open destination. Dropping it without [`Target::commit`] leaves no file behind.
#[derive(Debug)]
pub(super) struct Target {
    buffer: Vec<u8>,
    sink: Sink,
    name: String,
}

#[derive(Debug)]
enum Sink {
    Stdout(Stdout),
    Device(File),
    File {
        file: NamedTempFile,
        path: PathBuf,
        force: bool,
    },
}

impl Target {
    /// Turns the result of a write into an error that names the destination.
    pub(super) fn check<T>(&self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|error| {
            let error = Error::io(format!("cannot write {}", self.name), error);
            match (&self.sink, error.is_broken_pipe()) {
                (Sink::Stdout(_), true) | (_, false) => error,
                // A named pipe whose reader left is a failure: silence is for standard output only.
                (_, true) => error.with_class(Class::Internal),
            }
        })
    }

    /// Hands what was written so far to the reader.
    pub(super) fn flush_now(&mut self) -> Result<(), Error> {
        let flushed = self.flush();
        self.check(flushed)
    }

    /// Ends the data; a file gets its name now.
    pub(super) fn commit(mut self) -> Result<(), Error> {
        self.flush_now()?;
        let name = self.name;
        if let Sink::File { file, path, force } = self.sink {
            let cannot = |error| Error::io(format!("cannot write {name}"), error);
            file.as_file().sync_all().map_err(cannot)?;
            if force {
                file.persist(&path).map_err(|error| cannot(error.error))?;
            } else {
                file.persist_noclobber(&path)
                    .map_err(|error| match error.error.kind() {
                        io::ErrorKind::AlreadyExists => already_there(&path),
                        _ => cannot(error.error),
                    })?;
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        let written = match &mut self.sink {
            Sink::Stdout(out) => out.write_all(&self.buffer),
            Sink::Device(file) => file.write_all(&self.buffer),
            Sink::File { file, .. } => file.write_all(&self.buffer),
        };
        self.buffer.clear();
        written
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.drain()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        match &mut self.sink {
            Sink::Stdout(out) => out.flush(),
            Sink::Device(file) => file.flush(),
            Sink::File { file, .. } => file.flush(),
        }
    }
}

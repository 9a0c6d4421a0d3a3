//! Copying the body somewhere else.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::Response;
use super::reading::Content;
use super::save::{Download, SaveOptions};
use crate::error::{Error, ErrorKind, Phase};

#[bifrons::dual(blocking = crate::blocking::Response, part = "copying")]
impl Response {
    /// Writes the whole body to a writer as it arrives, flushes it, and returns how many bytes it were.
    ///
    /// # Errors
    ///
    /// When the body does not arrive whole and in time, was partly handed out before, or cannot be written
    /// ([`Error::is_io`]). What was written by then stays written.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was taken from the response and not written yet is lost.
    #[blocking(skip = "takes an async writer; by hand with a plain one")]
    pub async fn copy_to<W: AsyncWrite + Unpin + Send + ?Sized>(
        &mut self,
        writer: &mut W,
    ) -> Result<u64, Error> {
        let mut content = self.all_of_it()?;
        let mut count = 0;
        while let Some(piece) = content.next().await {
            let piece = piece?;
            let written = writer.write_all(&piece).await;
            written.map_err(|error| content.about(not_written(error)))?;
            count += piece.len() as u64;
        }
        let flushed = writer.flush().await;
        flushed.map_err(|error| content.about(not_written(error)))?;
        Ok(count)
    }

    /// Saves the whole body in a file as it arrives, and returns how many bytes it were.
    ///
    /// The file appears, or replaces the one that was there, when all of the body is there; see [`SaveOptions`]. Into
    /// something that is not a file, such as a device, the body is written directly.
    ///
    /// # Errors
    ///
    /// When the body does not arrive whole and in time, was partly handed out before, or cannot be written
    /// ([`Error::is_io`]): the folder does not exist, the disk is full. No partial file stays.
    ///
    /// # Cancel safety
    ///
    /// The partial file is removed. What was read of the body is lost.
    #[blocking(skip = "files are written by the async one in other threads; by hand without")]
    pub async fn save(&mut self, path: impl AsRef<Path> + Send) -> Result<u64, Error> {
        self.save_with(path, &SaveOptions::new()).await
    }

    /// Saves the whole body in a file, as these options say; see [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    ///
    /// # Cancel safety
    ///
    /// As [`save`](Self::save).
    #[blocking(skip = "files are written by the async one in other threads; by hand without")]
    pub async fn save_with(
        &mut self,
        path: impl AsRef<Path> + Send,
        options: &SaveOptions,
    ) -> Result<u64, Error> {
        let mut content = self.all_of_it()?;
        let (path, options) = (path.as_ref().to_owned(), options.clone());
        let mut guard = Guard(None);
        let saved = save(&mut content, &mut guard, path, options).await;
        if let (Err(_), Some(partial)) = (&saved, guard.0.take()) {
            // Gone before the caller looks.
            elsewhere(move || {
                drop(partial);
                Ok(())
            })
            .await?;
        }
        saved.map_err(|error| content.about(error))
    }
}

impl Response {
    /// The body from its start.
    pub(super) fn all_of_it(&mut self) -> Result<Content<&mut Self>, Error> {
        self.check_all()?;
        Ok(Content::of(self, usize::MAX))
    }
}

async fn save(
    content: &mut Content<&mut Response>,
    guard: &mut Guard,
    path: PathBuf,
    options: SaveOptions,
) -> Result<u64, Error> {
    guard.0 = Some(elsewhere(move || Download::create(&path, &options)).await?);
    loop {
        let (batch, ended) = next_batch(content).await?;
        let Some(mut download) = guard.0.take() else {
            return Err(crate::incoming::lost());
        };
        let download = elsewhere(move || {
            for piece in &batch {
                download.write(piece)?;
            }
            Ok(download)
        })
        .await?;
        if ended {
            return elsewhere(move || download.finish()).await;
        }
        guard.0 = Some(download);
    }
}

/// Some pieces that are worth a write, and whether they are the last.
async fn next_batch(content: &mut Content<&mut Response>) -> Result<(Vec<Bytes>, bool), Error> {
    let (mut batch, mut size) = (Vec::new(), 0);
    while size < BATCH {
        match content.next().await {
            Some(piece) => {
                let piece = piece?;
                size += piece.len();
                batch.push(piece);
            }
            None => return Ok((batch, true)),
        }
    }
    Ok((batch, false))
}

/// Files block: not on a thread that runs tasks.
async fn elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(not_written(io::Error::other(error))))
}

/// Removes a partial file elsewhere too, when the call is cancelled.
struct Guard(Option<Download>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let (Some(download), Ok(runtime)) =
            (self.0.take(), tokio::runtime::Handle::try_current())
        {
            drop(runtime.spawn_blocking(move || drop(download)));
        }
    }
}

fn not_written(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, Phase::Body)
        .with_message("cannot write the body")
        .with_source(error)
}

/// So much is written to a file at once.
const BATCH: usize = 256 * 1024;

#[cfg(feature = "blocking")]
mod blocking {
    use std::io::Write;
    use std::path::Path;

    use super::{Download, SaveOptions, not_written};
    use crate::blocking::Response;
    use crate::error::Error;

    impl Response {
        /// Writes the whole body to a writer as it arrives, flushes it, and returns how many bytes it were.
        ///
        /// # Errors
        ///
        /// When the body does not arrive whole and in time, was partly handed out before, or cannot be written
        /// ([`Error::is_io`]). What was written by then stays written.
        pub fn copy_to<W: Write + ?Sized>(&mut self, writer: &mut W) -> Result<u64, Error> {
            self.as_async().check_all()?;
            let mut count = 0;
            let mut copy = || {
                for piece in self.iter_content(usize::MAX) {
                    let piece = piece?;
                    writer.write_all(&piece).map_err(not_written)?;
                    count += piece.len() as u64;
                }
                writer.flush().map_err(not_written)
            };
            let copied: Result<(), Error> = copy();
            match copied {
                Ok(()) => Ok(count),
                Err(error) => Err(self.as_async().0.about(error)),
            }
        }

        /// Saves the whole body in a file as it arrives, and returns how many bytes it were.
        ///
        /// The file appears, or replaces the one that was there, when all of the body is there; see [`SaveOptions`].
        /// Into something that is not a file, such as a device, the body is written directly.
        ///
        /// # Errors
        ///
        /// When the body does not arrive whole and in time, was partly handed out before, or cannot be written
        /// ([`Error::is_io`]): the folder does not exist, the disk is full. No partial file stays.
        pub fn save(&mut self, path: impl AsRef<Path>) -> Result<u64, Error> {
            self.save_with(path, &SaveOptions::new())
        }

        /// Saves the whole body in a file, as these options say; see [`save`](Self::save).
        ///
        /// # Errors
        ///
        /// As [`save`](Self::save).
        pub fn save_with(
            &mut self,
            path: impl AsRef<Path>,
            options: &SaveOptions,
        ) -> Result<u64, Error> {
            self.as_async().check_all()?;
            let saved = Download::create(path.as_ref(), options).and_then(|mut download| {
                for piece in self.iter_content(usize::MAX) {
                    download.write(&piece?)?;
                }
                download.finish()
            });
            saved.map_err(|error| self.as_async().0.about(error))
        }
    }
}

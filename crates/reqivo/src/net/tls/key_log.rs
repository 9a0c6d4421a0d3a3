use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// Who gets the secrets of connections.
#[derive(Clone)]
pub(super) struct KeyLog(Arc<dyn Fn(&str) + Send + Sync>);

impl KeyLog {
    pub(super) fn new(log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(log))
    }

    /// Appends to a file, which only its owner may read when it is new.
    pub(super) fn file(path: &Path) -> Result<Self, Error> {
        let mut options = File::options();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options
            .open(path)
            .map_err(|error| Error::builder("cannot open the key log file").with_source(error))?;
        let file = Mutex::new(file);
        Ok(Self::new(move |line| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            // One write for each line. A log that cannot be written must not break connections.
            if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
                tracing::warn!(%error, "cannot write the key log");
            }
        }))
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::from(label);
        for part in [client_random, secret] {
            line.push(' ');
            for byte in part {
                let _ = write!(line, "{byte:02x}");
            }
        }
        (self.0)(&line);
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog")
    }
}

//! Standard streams, and what is known about the terminal behind them.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};

use crate::env::Env;
use crate::error::Error;
use crate::output::Paint;
use crate::text;

/// The width of a table when standard output is not a terminal.
const DEFAULT_WIDTH: usize = 80;
/// A line of input longer than this is an error.
const MAX_LINE: u64 = 64 * 1024;
/// Secrets shorter than this are not looked for in messages: they would mask ordinary words.
const MIN_MASKED: usize = 4;
const MASK: &str = "********";

/// Which of the standard streams are terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminals {
    /// Standard input: somebody can answer a question.
    pub stdin: bool,
    /// Standard output: colour is welcome in data.
    pub stdout: bool,
    /// Standard error: progress and colour are welcome in messages.
    pub stderr: bool,
}

impl Terminals {
    /// No stream is a terminal, as in a pipeline or a scheduled job.
    pub const NONE: Self = Self {
        stdin: false,
        stdout: false,
        stderr: false,
    };
    /// All three are.
    pub const ALL: Self = Self {
        stdin: true,
        stdout: true,
        stderr: true,
    };
}

/// Standard input, output and error with all that decides how to write to them.
///
/// A cheap clone that shares the streams. `with_` methods return a console that looks different and writes to the same
/// place, so settings that are read late can still shape it.
///
/// Messages go to standard error. They are one line each: control characters in them are made harmless, and secrets that
/// were announced with [`Console::hide`] are masked. Failing to write a message is ignored, for there is nowhere to say it.
#[derive(Clone)]
pub struct Console {
    streams: Arc<Streams>,
    color: bool,
    quiet: bool,
    width: Option<usize>,
}

struct Streams {
    input: Mutex<Box<dyn Read + Send>>,
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<ErrStream>,
    terminals: Terminals,
    /// The real standard streams, as opposed to injected ones.
    real: bool,
    secrets: Mutex<Vec<SecretString>>,
}

struct ErrStream {
    writer: Box<dyn Write + Send>,
    /// A progress line stands on the terminal and must go before anything else is written.
    line_drawn: bool,
}

impl ErrStream {
    fn clear_line(&mut self) {
        if std::mem::take(&mut self.line_drawn) {
            drop(self.writer.write_all(b"\r\x1b[K"));
            drop(self.writer.flush());
        }
    }
}

impl Console {
    /// Takes the standard streams of this process.
    ///
    /// Colour is on unless `NO_COLOR` is set in `env`; it still shows on terminals only.
    #[must_use]
    pub fn system(env: &Env) -> Self {
        let terminals = Terminals {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            stderr: io::stderr().is_terminal(),
        };
        Self {
            streams: Arc::new(Streams {
                input: Mutex::new(Box::new(io::stdin())),
                out: Mutex::new(Box::new(io::stdout())),
                err: Mutex::new(ErrStream {
                    writer: Box::new(io::stderr()),
                    line_drawn: false,
                }),
                terminals,
                real: true,
                secrets: Mutex::new(Vec::new()),
            }),
            color: env.os("NO_COLOR").is_none(),
            quiet: false,
            width: None,
        }
    }

    /// Builds a console on other streams. Input is read byte by byte, so give it something buffered.
    #[must_use]
    pub fn new(
        input: impl Read + Send + 'static,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
        terminals: Terminals,
    ) -> Self {
        Self {
            streams: Arc::new(Streams {
                input: Mutex::new(Box::new(input)),
                out: Mutex::new(Box::new(out)),
                err: Mutex::new(ErrStream {
                    writer: Box::new(err),
                    line_drawn: false,
                }),
                terminals,
                real: false,
                secrets: Mutex::new(Vec::new()),
            }),
            color: true,
            quiet: false,
            width: None,
        }
    }

    /// Allows or forbids colour. Allowing it does not undo `NO_COLOR`, and never colours what is not a terminal.
    #[must_use]
    pub fn with_color(&self, allowed: bool) -> Self {
        Self {
            color: self.color && allowed,
            ..self.clone()
        }
    }

    /// Leaves out notes and progress. Warnings, questions and errors stay.
    #[must_use]
    pub fn with_quiet(&self, quiet: bool) -> Self {
        Self {
            quiet,
            ..self.clone()
        }
    }

    /// Fixes the width in cells instead of asking the terminal. `None` asks again.
    #[must_use]
    pub fn with_width(&self, width: Option<usize>) -> Self {
        Self {
            width,
            ..self.clone()
        }
    }

    /// Tells which streams are terminals.
    #[must_use]
    pub fn terminals(&self) -> Terminals {
        self.streams.terminals
    }

    /// Tells whether notes and progress are left out.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Tells whether data on standard output may be coloured.
    #[must_use]
    pub fn colors_stdout(&self) -> bool {
        self.color && self.streams.terminals.stdout
    }

    /// Tells whether messages on standard error may be coloured.
    #[must_use]
    pub fn colors_stderr(&self) -> bool {
        self.color && self.streams.terminals.stderr
    }

    /// Returns the width of standard output in cells: as fixed, else as the terminal says now, else 80.
    #[must_use]
    pub fn width(&self) -> usize {
        let asked = || {
            let real_terminal = self.streams.real && self.streams.terminals.stdout;
            let size = real_terminal.then(|| terminal_size::terminal_size_of(io::stdout()))??;
            Some(usize::from(size.0.0)).filter(|width| *width > 0)
        };
        self.width.or_else(asked).unwrap_or(DEFAULT_WIDTH)
    }

    pub(crate) fn stderr_width(&self) -> usize {
        let asked = || {
            let real_terminal = self.streams.real && self.streams.terminals.stderr;
            let size = real_terminal.then(|| terminal_size::terminal_size_of(io::stderr()))??;
            Some(usize::from(size.0.0)).filter(|width| *width > 0)
        };
        asked().or(self.width).unwrap_or(DEFAULT_WIDTH)
    }

    /// Masks this secret in every message from now on, on all clones. Secrets under four bytes are not looked for.
    pub fn hide(&self, secret: &SecretString) {
        if secret.expose_secret().len() >= MIN_MASKED {
            lock(&self.streams.secrets).push(secret.clone());
        }
    }

    /// Returns `message` with known secrets masked.
    #[must_use]
    pub fn mask(&self, message: &str) -> String {
        let mut masked = message.to_owned();
        for secret in lock(&self.streams.secrets).iter() {
            if masked.contains(secret.expose_secret()) {
                masked = masked.replace(secret.expose_secret(), MASK);
            }
        }
        masked
    }

    /// Returns a writer to standard output, for data. It is not buffered.
    #[must_use]
    pub fn stdout(&self) -> Stdout {
        Stdout {
            console: self.clone(),
        }
    }

    /// Returns a writer to standard error, for logs. Known secrets are masked within each `write` call.
    #[must_use]
    pub fn stderr(&self) -> Stderr {
        Stderr {
            console: self.clone(),
        }
    }

    /// Writes a line of plain status text, unless quiet.
    pub fn status(&self, message: &str) {
        if !self.quiet {
            self.message(None, message);
        }
    }

    /// Writes `note: ...`, unless quiet.
    pub fn note(&self, message: &str) {
        if !self.quiet {
            self.message(Some(("note", Paint::Cyan)), message);
        }
    }

    /// Writes `warning: ...`.
    pub fn warn(&self, message: &str) {
        self.message(Some(("warning", Paint::Yellow)), message);
    }

    /// Writes `hint: ...`.
    pub fn hint(&self, message: &str) {
        self.message(Some(("hint", Paint::Cyan)), message);
    }

    /// Writes one line with an optional coloured label to standard error.
    pub(crate) fn message(&self, label: Option<(&str, Paint)>, message: &str) {
        let mut line = String::new();
        if let Some((label, paint)) = label {
            paint.push(&mut line, label, self.colors_stderr());
            line.push_str(": ");
        }
        line.push_str(&text::clean(&self.mask(message)));
        line.push('\n');
        self.write_stderr(&line);
    }

    /// Writes text that is known to be clean.
    pub(crate) fn write_stderr(&self, text: &str) {
        let mut err = lock(&self.streams.err);
        err.clear_line();
        drop(err.writer.write_all(text.as_bytes()));
        drop(err.writer.flush());
    }

    /// Draws or removes the progress line.
    pub(crate) fn draw_line(&self, line: Option<&str>) {
        let mut err = lock(&self.streams.err);
        match line {
            Some(line) => {
                let line = format!("\r\x1b[K{line}");
                err.line_drawn = err.writer.write_all(line.as_bytes()).is_ok();
                drop(err.writer.flush());
            }
            None => err.clear_line(),
        }
    }

    /// Reads one line from standard input, without its line end. `None` at the end of input.
    ///
    /// # Errors
    /// Fails when the input cannot be read, is not UTF-8, or the line is longer than 64 KiB.
    pub fn read_line(&self) -> Result<Option<String>, Error> {
        let mut input = lock(&self.streams.input);
        let mut line = Vec::new();
        let read = if self.streams.real {
            io::stdin()
                .lock()
                .take(MAX_LINE + 1)
                .read_until(b'\n', &mut line)
        } else {
            read_until_newline(&mut *input, &mut line)
        };
        read.map_err(|error| Error::io("cannot read standard input", error))?;
        if line.len() as u64 > MAX_LINE {
            return Err(Error::user(
                "a line of standard input is longer than 64 KiB",
            ));
        }
        if line.is_empty() {
            return Ok(None);
        }
        if line.ends_with(b"\n") {
            line.pop();
            if line.ends_with(b"\r") {
                line.pop();
            }
        }
        String::from_utf8(line)
            .map(Some)
            .map_err(|_| Error::user("standard input is not UTF-8 text"))
    }

    /// Asks for one line of text on standard error and reads the answer, trimmed.
    ///
    /// `hint` tells how to give the value without a question.
    ///
    /// # Errors
    /// Fails with the class [`Class::User`](crate::Class::User) when nobody is there to answer: standard input is not a
    /// terminal, or it ends.
    pub fn ask(&self, question: &str, hint: &str) -> Result<String, Error> {
        let nobody = || {
            Error::user(format!(
                "no answer to `{}`",
                question.trim_end_matches([' ', ':', '?'])
            ))
            .with_hint(hint)
        };
        if !self.streams.terminals.stdin {
            return Err(nobody());
        }
        self.write_stderr(&text::clean(question));
        match self.read_line()? {
            Some(answer) => Ok(answer.trim().to_owned()),
            None => {
                self.write_stderr("\n");
                Err(nobody())
            }
        }
    }

    /// Asks for a secret; what is typed does not show.
    ///
    /// # Errors
    /// As [`Console::ask`].
    pub fn ask_secret(&self, question: &str, hint: &str) -> Result<SecretString, Error> {
        if !(self.streams.real && self.streams.terminals.stdin) {
            return self.ask(question, hint).map(SecretString::from);
        }
        self.write_stderr(&text::clean(question));
        let answer = rpassword::read_password()
            .map_err(|error| Error::io("cannot read a secret from the terminal", error))?;
        Ok(SecretString::from(answer))
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("terminals", &self.streams.terminals)
            .field("color", &self.color)
            .field("quiet", &self.quiet)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// A writer to standard output. A drawn progress line is removed first.
#[derive(Debug, Clone)]
pub struct Stdout {
    console: Console,
}

impl Stdout {
    fn with<T>(&self, action: impl FnOnce(&mut dyn Write) -> T) -> T {
        let streams = &self.console.streams;
        // On one terminal the progress line and the data share the screen: hold the line back while data is written.
        let mut err = streams.terminals.stdout.then(|| lock(&streams.err));
        if let Some(err) = &mut err {
            err.clear_line();
        }
        action(&mut **lock(&streams.out))
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|out| out.write(bytes))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|out| out.write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(|out| out.flush())
    }
}

/// A writer to standard error. A drawn progress line is removed first, and known secrets are masked.
#[derive(Debug, Clone)]
pub struct Stderr {
    console: Console,
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let masked = self.console.mask(&String::from_utf8_lossy(bytes));
        self.console.write_stderr(&masked);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a console wrote, for tests.
///
/// ```
/// use clikit::{Capture, Terminals};
///
/// let (console, capture) = Capture::new("yes\n", Terminals::ALL);
/// console.with_color(false).warn("the file is old");
/// assert_eq!(capture.stderr(), "warning: the file is old\n");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Capture {
    out: Buffer,
    err: Buffer,
}

impl Capture {
    /// Creates a console that reads `input` and keeps what is written.
    #[must_use]
    pub fn new(input: &str, terminals: Terminals) -> (Console, Self) {
        let capture = Self::default();
        let input = io::Cursor::new(input.to_owned().into_bytes());
        let console = Console::new(input, capture.out.clone(), capture.err.clone(), terminals);
        (console, capture)
    }

    /// Returns what went to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.out.text()
    }

    /// Returns what went to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.err.text()
    }
}

#[derive(Debug, Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.0)).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_until_newline(input: &mut dyn Read, line: &mut Vec<u8>) -> io::Result<usize> {
    let mut byte = [0];
    while line.len() as u64 <= MAX_LINE {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {
                line.push(byte[0]);
                if byte[0] == b'\n' {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(line.len())
}

/// A panic elsewhere does not make a stream unusable.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Yes or no before something changes.

use crate::console::Console;
use crate::error::Error;
use crate::text;

/// How often an answer that is neither yes nor no is asked again.
const TRIES: usize = 3;

/// A question to put before a change, with a summary of what would happen.
///
/// It is asked on standard error. Enter alone, and the end of input, mean no. Where standard input is not a terminal nobody is
/// there to answer, and the change is refused with the class [`Class::User`](crate::Class::User), unless `--yes` was given.
///
/// ```
/// use clikit::{Capture, Confirm, Terminals};
///
/// # fn main() -> Result<(), clikit::Error> {
/// let (console, capture) = Capture::new("y\n", Terminals::ALL);
/// Confirm::new("delete 2 devices?").line("tenant: Acme").line("devices: d1, d2").require(&console, false)?;
/// assert_eq!(capture.stderr(), "tenant: Acme\ndevices: d1, d2\ndelete 2 devices? [y/N] ");
///
/// let (console, _) = Capture::new("", Terminals::NONE);
/// assert!(Confirm::new("delete?").require(&console, false).is_err()); // a script has to say --yes
/// assert!(Confirm::new("delete?").require(&console, true).is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Confirm {
    question: String,
    lines: Vec<String>,
    option: &'static str,
}

impl Confirm {
    /// Creates a question.
    #[must_use]
    pub fn new(question: impl Into<String>) -> Self {
        Self {
            question: question.into(),
            lines: Vec::new(),
            option: "--yes",
        }
    }

    /// Adds a line to the summary above the question.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Names the option that answers yes, `--yes` by default, for the hint.
    #[must_use]
    pub fn option(mut self, option: &'static str) -> Self {
        self.option = option;
        self
    }

    /// Asks, and returns the answer. With `yes` nothing is asked.
    ///
    /// # Errors
    /// Fails with the class [`Class::User`](crate::Class::User) when standard input is not a terminal, or when three answers
    /// were neither yes nor no.
    pub fn ask(&self, console: &Console, yes: bool) -> Result<bool, Error> {
        if yes {
            return Ok(true);
        }
        if !console.terminals().stdin {
            return Err(Error::user(
                "confirmation is needed, and standard input is not a terminal",
            )
            .with_hint(format!(
                "add `{}` to go ahead without a question",
                self.option
            )));
        }
        let mut shown = String::new();
        for line in &self.lines {
            shown.push_str(&text::clean(line));
            shown.push('\n');
        }
        console.write_stderr(&console.mask(&shown));
        for _ in 0..TRIES {
            console.write_stderr(&console.mask(&format!("{} [y/N] ", text::clean(&self.question))));
            let Some(answer) = console.read_line()? else {
                console.write_stderr("\n");
                return Ok(false);
            };
            match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "" | "n" | "no" => return Ok(false),
                _ => console.write_stderr("please answer yes or no\n"),
            }
        }
        Err(Error::user("no clear answer; nothing was changed"))
    }

    /// Asks, and turns no into an error, so that `?` is all a command needs.
    ///
    /// # Errors
    /// As [`Confirm::ask`], and with the class [`Class::User`](crate::Class::User) when the answer is no.
    pub fn require(&self, console: &Console, yes: bool) -> Result<(), Error> {
        match self.ask(console, yes)? {
            true => Ok(()),
            false => Err(Error::user("not confirmed; nothing was changed")),
        }
    }
}

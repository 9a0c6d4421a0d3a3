//! One line that counts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::console::Console;
use crate::text;

/// How often the line is drawn again at most.
const REDRAW: Duration = Duration::from_millis(100);

/// A line on standard error that counts items and pages while they arrive.
///
/// It draws only on a terminal and only when the console is not quiet; otherwise every method does nothing. Whatever else
/// the console writes removes the line first, so it never mixes with data or messages, and dropping the last clone removes it.
/// The line is drawn by the calls that count, ten times a second at most: there is no thread behind it.
///
/// ```
/// # use clikit::{Capture, Terminals};
/// # let (console, _capture) = Capture::new("", Terminals::NONE);
/// let progress = console.progress("devices");
/// progress.set_total(Some(300));
/// progress.page(50); // devices: 50 of 300, 1 page
/// progress.finish();
/// ```
#[derive(Clone)]
pub struct Progress {
    line: Option<Arc<Line>>,
}

struct Line {
    console: Console,
    state: Mutex<State>,
}

struct State {
    subject: String,
    items: u64,
    pages: u64,
    total: Option<u64>,
    drawn: Option<Instant>,
}

impl Console {
    /// Starts counting `subject`, such as `devices`.
    #[must_use]
    pub fn progress(&self, subject: &str) -> Progress {
        let shown = self.terminals().stderr && !self.is_quiet();
        let line = shown.then(|| {
            let state = State {
                subject: subject.to_owned(),
                items: 0,
                pages: 0,
                total: None,
                drawn: None,
            };
            Arc::new(Line {
                console: self.clone(),
                state: Mutex::new(state),
            })
        });
        Progress { line }
    }
}

impl Progress {
    /// Returns a progress that shows nothing.
    #[must_use]
    pub const fn hidden() -> Self {
        Self { line: None }
    }

    /// Changes what is being counted.
    pub fn set_subject(&self, subject: &str) {
        self.update(|state| subject.clone_into(&mut state.subject));
    }

    /// Tells how many items there will be, when that is known.
    pub fn set_total(&self, total: Option<u64>) {
        self.update(|state| state.total = total);
    }

    /// Counts one page with so many items.
    pub fn page(&self, items: u64) {
        self.update(|state| {
            state.pages += 1;
            state.items += items;
        });
    }

    /// Counts items that come without pages.
    pub fn add(&self, items: u64) {
        self.update(|state| state.items += items);
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Some(line) = &self.line {
            line.console.draw_line(None);
        }
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        let Some(line) = &self.line else { return };
        let mut state = line.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if state.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        state.drawn = Some(Instant::now());
        let shown = line.console.mask(&state.to_string());
        let room = line.console.stderr_width().saturating_sub(1);
        line.console
            .draw_line(Some(&text::truncate(&text::clean(&shown), room)));
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.items)?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        match self.pages {
            0 => Ok(()),
            1 => f.write_str(", 1 page"),
            pages => write!(f, ", {pages} pages"),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.console.draw_line(None);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("shown", &self.line.is_some())
            .finish()
    }
}

//! What Ctrl-C means the first, the second and the third time.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;

/// What one press of Ctrl-C asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Press {
    /// First: start nothing new, finish what is under way.
    Drain,
    /// Second: cancel what is under way.
    Cancel,
    /// Third and later: leave at once with status 130.
    Exit,
}

impl Press {
    /// Returns what the press with this number, counted from 1, asks for.
    #[must_use]
    pub const fn of(count: u8) -> Self {
        match count {
            0 | 1 => Self::Drain,
            2 => Self::Cancel,
            _ => Self::Exit,
        }
    }
}

type Callback = Box<dyn FnOnce() + Send>;

/// Counts presses of Ctrl-C and tells the work about them.
///
/// The program connects it to its source of signals by calling [`Interrupts::press`] for each; where that comes from (an
/// async runtime, a handler thread) is its own affair. The call must not come from inside a POSIX signal handler, since
/// callbacks take locks. Clones share the count.
///
/// ```
/// use clikit::{Interrupts, Press};
///
/// let interrupts = Interrupts::new();
/// interrupts.on_cancel(|| println!("cancelling"));
/// assert!(interrupts.check().is_ok());
///
/// assert_eq!(interrupts.press(), Press::Drain);
/// assert!(interrupts.is_draining() && !interrupts.is_cancelled());
/// assert!(interrupts.check().is_err()); // start nothing new
/// ```
#[derive(Clone, Default)]
pub struct Interrupts {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    count: AtomicU8,
    callbacks: Mutex<Callbacks>,
}

#[derive(Default)]
struct Callbacks {
    drain: Vec<Callback>,
    cancel: Vec<Callback>,
}

impl Interrupts {
    /// Starts with no press.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one press, runs the callbacks it is for, and returns what it asks for.
    ///
    /// On [`Press::Exit`] nothing is run: the program ends the process with [`Exit::Interrupted`](crate::Exit::Interrupted).
    pub fn press(&self) -> Press {
        let before = self
            .shared
            .count
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                Some(count.saturating_add(1))
            })
            .unwrap_or(u8::MAX);
        let press = Press::of(before.saturating_add(1));
        let callbacks = {
            let mut callbacks = self.callbacks();
            match press {
                Press::Drain => std::mem::take(&mut callbacks.drain),
                Press::Cancel => std::mem::take(&mut callbacks.cancel),
                Press::Exit => Vec::new(),
            }
        };
        for callback in callbacks {
            callback();
        }
        press
    }

    /// Tells whether nothing new should be started: Ctrl-C was pressed at least once.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.shared.count.load(Ordering::SeqCst) >= 1
    }

    /// Tells whether work under way should be cancelled: Ctrl-C was pressed at least twice.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.count.load(Ordering::SeqCst) >= 2
    }

    /// Fails when nothing new should be started.
    ///
    /// # Errors
    /// Fails with the class [`Class::Interrupted`](crate::Class::Interrupted) after the first press.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_draining() {
            Err(Error::interrupted())
        } else {
            Ok(())
        }
    }

    /// Runs `callback` once on the first press, or now if that has been.
    pub fn on_drain(&self, callback: impl FnOnce() + Send + 'static) {
        {
            let mut callbacks = self.callbacks();
            if !self.is_draining() {
                callbacks.drain.push(Box::new(callback));
                return;
            }
        }
        callback();
    }

    /// Runs `callback` once on the second press, or now if that has been.
    pub fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) {
        {
            let mut callbacks = self.callbacks();
            if !self.is_cancelled() {
                callbacks.cancel.push(Box::new(callback));
                return;
            }
        }
        callback();
    }

    fn callbacks(&self) -> std::sync::MutexGuard<'_, Callbacks> {
        self.shared
            .callbacks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Interrupts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupts")
            .field("presses", &self.shared.count.load(Ordering::SeqCst))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn each_press_asks_for_more() {
        let interrupts = Interrupts::new();
        let presses: Vec<Press> = (0..5).map(|_| interrupts.press()).collect();
        assert_eq!(
            presses,
            [
                Press::Drain,
                Press::Cancel,
                Press::Exit,
                Press::Exit,
                Press::Exit
            ]
        );
    }

    #[test]
    fn callbacks_run_once_on_their_press_or_at_once_when_late() {
        let interrupts = Interrupts::new();
        let drains = Arc::new(AtomicUsize::new(0));
        let cancels = Arc::new(AtomicUsize::new(0));
        let count = |counter: &Arc<AtomicUsize>| {
            let counter = counter.clone();
            move || {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        };
        interrupts.on_drain(count(&drains));
        interrupts.on_cancel(count(&cancels));

        interrupts.press();
        assert_eq!(
            (
                drains.load(Ordering::SeqCst),
                cancels.load(Ordering::SeqCst)
            ),
            (1, 0)
        );
        interrupts.on_drain(count(&drains));
        assert_eq!(drains.load(Ordering::SeqCst), 2);

        interrupts.press();
        interrupts.press();
        assert_eq!(
            (
                drains.load(Ordering::SeqCst),
                cancels.load(Ordering::SeqCst)
            ),
            (2, 1)
        );
    }

    #[test]
    fn a_callback_may_use_the_interrupts() {
        let interrupts = Interrupts::new();
        let inner = interrupts.clone();
        interrupts.on_drain(move || inner.on_drain(|| {}));
        assert_eq!(interrupts.press(), Press::Drain);
    }

    #[test]
    fn work_is_refused_after_the_first_press() {
        let interrupts = Interrupts::new();
        assert!(interrupts.check().is_ok());
        interrupts.press();
        let error = interrupts.check().unwrap_err();
        assert!(error.is_interrupted());
        assert_eq!(error.exit().code(), 130);
    }
}

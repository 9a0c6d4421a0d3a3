//! How far a list has come, readable while it runs.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::page::PageInfo;

/// Tells how far a list has come. It is a cheap handle that stays readable while the list runs and
/// after it has ended.
#[derive(Clone)]
pub struct Progress {
    inner: Arc<Inner>,
}

struct Inner {
    pages: AtomicU64,
    items: AtomicU64,
    /// Items handed out of the current page.
    handed_out: AtomicU64,
    page: Mutex<Current>,
}

struct Current {
    info: Option<PageInfo>,
    here: Position,
    next: Position,
    length: u64,
    stop: Option<Stop>,
}

/// Says why a list has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// The service has no more pages.
    End,
    /// As many pages as were asked for.
    MaxPages,
    /// As many items as were asked for.
    MaxItems,
    /// The service named a page a second time: the list is probably not complete.
    Repeated,
    /// A page could not be fetched or read; the list can be resumed from its position.
    Failed,
}

impl Stop {
    /// Returns true if the service's answers do not make sense together, so that the list is
    /// probably not complete.
    #[must_use]
    pub fn is_warning(self) -> bool {
        self == Self::Repeated
    }
}

/// A place in a list. It can be kept as JSON, and a list resumed from it later with
/// [`resume_from`](super::Paginator::resume_from).
///
/// Within a page it counts items, so a list that changes meanwhile may show an item twice or skip
/// one, just as paging itself may.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub(super) at: Cursor,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) skip: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u32>,
}

impl Position {
    /// Returns true if there is nothing behind this place.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.at == Cursor::End
    }

    pub(super) fn start() -> Self {
        Self {
            at: Cursor::Start,
            skip: 0,
            size: None,
        }
    }
}

/// Names a page.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Cursor {
    Start,
    Key(String),
    Page(u64),
    Offset(u64),
    End,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                pages: AtomicU64::new(0),
                items: AtomicU64::new(0),
                handed_out: AtomicU64::new(0),
                page: Mutex::new(Current {
                    info: None,
                    here: Position::start(),
                    next: Position::start(),
                    length: 0,
                    stop: None,
                }),
            }),
        }
    }

    /// Returns how many pages were fetched.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.inner.pages.load(Ordering::Relaxed)
    }

    /// Returns how many items were handed out, malformed ones included.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.inner.items.load(Ordering::Relaxed)
    }

    /// Returns what the service said about the page fetched last.
    #[must_use]
    pub fn last_info(&self) -> Option<PageInfo> {
        self.lock().info.clone()
    }

    /// Returns why the list has ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.lock().stop
    }

    /// Returns the place behind the item handed out last.
    #[must_use]
    pub fn position(&self) -> Position {
        let current = self.lock();
        let handed_out = self.inner.handed_out.load(Ordering::Relaxed);
        if handed_out >= current.length {
            return current.next.clone();
        }
        let mut position = current.here.clone();
        position.skip += handed_out;
        position
    }

    /// Notes the place that comes next while no page is at hand.
    pub(super) fn begin(&self, position: Position) {
        let mut current = self.lock();
        self.inner.handed_out.store(0, Ordering::Relaxed);
        current.length = 0;
        current.here = position.clone();
        current.next = position;
    }

    /// Notes a new page of which `length` items are to be handed out.
    pub(super) fn page(&self, here: Position, next: Position, length: u64, info: Option<PageInfo>) {
        let mut current = self.lock();
        self.inner.pages.fetch_add(1, Ordering::Relaxed);
        self.inner.handed_out.store(0, Ordering::Relaxed);
        current.here = here;
        current.next = next;
        current.length = length;
        current.info = info;
    }

    pub(super) fn handed_out(&self, items: u64) {
        self.inner.items.fetch_add(items, Ordering::Relaxed);
        self.inner.handed_out.fetch_add(items, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self, stop: Stop) {
        self.lock().stop.get_or_insert(stop);
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.inner
            .page
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("pages", &self.pages())
            .field("items", &self.items())
            .field("stop", &self.stop())
            .finish_non_exhaustive()
    }
}

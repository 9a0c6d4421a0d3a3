//! How far lists have come, readable while they run.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use restkit::pagination::{PageInfo, Position, Stop};

/// Tells how far a list has come: a cheap handle that stays readable while the list runs, from other
/// threads too. Given to several lists, it adds them up.
#[derive(Clone, Default)]
pub struct Progress {
    lists: Arc<Mutex<Vec<Counted>>>,
}

struct Counted {
    list: restkit::pagination::Progress,
    /// Told with the first page only, so it is kept.
    total: Option<u64>,
}

impl Progress {
    /// Makes a handle, to be given to a list with its `report_to`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many pages were fetched.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.lists()
            .iter()
            .map(|counted| counted.list.pages())
            .sum()
    }

    /// Returns how many items were handed out.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.lists()
            .iter()
            .map(|counted| counted.list.items())
            .sum()
    }

    /// Returns how many items there are in all, as far as the service told; it does when it is asked
    /// with `with_totals`.
    #[must_use]
    pub fn total_items(&self) -> Option<u64> {
        let lists = self.lists();
        let mut total = None;
        for counted in lists.iter() {
            *total.get_or_insert(0) += counted.total?;
        }
        total
    }

    /// Returns what the service said about the page fetched last.
    #[must_use]
    pub fn last_info(&self) -> Option<PageInfo> {
        self.lists()
            .iter()
            .rev()
            .find_map(|counted| counted.list.last_info())
    }

    /// Returns true if a list ended because the service repeated a page: it is probably not
    /// complete.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        self.lists()
            .iter()
            .filter_map(|counted| counted.list.stop())
            .any(Stop::is_warning)
    }

    /// Returns why the list started last has ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.lists().last()?.list.stop()
    }

    /// Returns the place behind the item handed out last, of the list started last.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        Some(self.lists().last()?.list.position())
    }

    /// Adds a list and returns its place.
    pub(crate) fn add(&self, list: restkit::pagination::Progress) -> usize {
        let mut lists = self.lists();
        lists.push(Counted { list, total: None });
        lists.len() - 1
    }

    /// Keeps what the page fetched last says about the whole list.
    pub(crate) fn note_total(&self, place: usize) {
        if let Some(counted) = self.lists().get_mut(place)
            && let Some(total) = counted.list.last_info().and_then(|info| info.total_items)
        {
            counted.total = Some(total);
        }
    }

    fn lists(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("pages", &self.pages())
            .field("items", &self.items())
            .finish_non_exhaustive()
    }
}

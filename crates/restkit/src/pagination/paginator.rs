//! The streams of items and of pages.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::engine::{Engine, Fetched};
use super::page::Page;
use super::progress::{Cursor, Position, Progress, Stop};
use super::style::PageStyle;
use crate::BoxFuture;
use crate::client::Client;
use crate::error::Error;
use crate::request::Request;

/// A lazy stream of the items of a list that comes in pages.
///
/// Made by [`Client::paginate`]. Nothing is fetched before the first item is asked for, and never
/// more than the page that is needed.
///
/// * An item that cannot be decoded gives an error that names its path, such as
///   `items[3].health.overall`; the stream goes on with the next item.
/// * A page that cannot be fetched gives an error and ends the stream. What came before was
///   delivered; [`position`](Self::position) says where to [resume](Self::resume_from).
/// * A page that comes a second time ends the stream with [`Stop::Repeated`], which is a
///   [warning](Stop::is_warning) that the list is probably not complete.
///
/// With `T = Box<serde_json::value::RawValue>` items are copied without being decoded, and with
/// [`Record`](crate::Record) they are both.
///
/// # Cancel safety
/// A future that waits for the next item can be dropped; no item is lost.
#[must_use = "a list fetches nothing until an item is asked for"]
pub struct Paginator<T> {
    core: Core,
    item: PhantomData<fn() -> T>,
}

/// A lazy stream of whole pages; see [`Paginator::pages`].
#[must_use = "a list fetches nothing until a page is asked for"]
pub struct Pages<T> {
    core: Core,
    item: PhantomData<fn() -> T>,
}

type Fetch = BoxFuture<'static, (Box<Engine>, Result<Fetched, Error>)>;

struct Core {
    /// Either the engine is here, or it is at work in `fetch`.
    engine: Option<Box<Engine>>,
    fetch: Option<Fetch>,
    current: Option<(Fetched, usize)>,
    progress: Progress,
    max_pages: Option<u64>,
    max_items: Option<u64>,
    pages: u64,
    items: u64,
    ended: bool,
}

#[bifrons::dual(blocking = crate::blocking::Paginator<T>)]
impl<T: DeserializeOwned + Send> Paginator<T> {
    pub(crate) fn new(client: Client, request: Request, style: PageStyle) -> Self {
        Self {
            core: Core {
                engine: Some(Box::new(Engine::new(client, request, style))),
                fetch: None,
                current: None,
                progress: Progress::new(),
                max_pages: None,
                max_items: None,
                pages: 0,
                items: 0,
                ended: false,
            },
            item: PhantomData,
        }
    }

    /// Asks for that many items per page, at most the service's known maximum. Default: the
    /// service's own choice. If the service answers 400, the page is asked for once more with the
    /// [fallback size](PageStyle::fallback_size).
    pub fn page_size(self, items: u32) -> Self {
        self.with(|core| {
            if let Some(engine) = &mut core.engine {
                engine.set_size(items);
            }
        })
    }

    /// Ends after that many pages. Default: no bound.
    pub fn max_pages(self, pages: u64) -> Self {
        self.with(|core| core.max_pages = Some(pages))
    }

    /// Ends after that many items. Default: no bound.
    pub fn max_items(self, items: u64) -> Self {
        self.with(|core| core.max_items = Some(items))
    }

    /// Asks the service for totals with the first page; see [`PageInfo`](super::PageInfo).
    pub fn with_total(self, wanted: bool) -> Self {
        self.with(|core| {
            if let Some(engine) = &mut core.engine {
                engine.with_total = wanted;
            }
        })
    }

    /// Starts at a place where an earlier run stopped, instead of at the beginning, and keeps the
    /// page size of that run.
    pub fn resume_from(self, position: Position) -> Self {
        self.with(|core| {
            core.progress.begin(position.clone());
            if let Some(engine) = &mut core.engine {
                engine.resume(position);
            }
        })
    }

    /// Returns whole pages instead of single items. An item that cannot be decoded is then an error
    /// of its page, and ends the stream before that page.
    #[blocking(wrap = crate::blocking::Pages<T>)]
    pub fn pages(self) -> Pages<T> {
        Pages {
            core: self.core,
            item: PhantomData,
        }
    }

    /// Returns a handle to the counters, to the service's last words about pages, and to the place
    /// reached. It stays readable while the stream runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.core.progress.clone()
    }

    /// Returns the place behind the item handed out last.
    #[must_use]
    pub fn position(&self) -> Position {
        self.core.progress.position()
    }

    fn with(mut self, change: impl FnOnce(&mut Core)) -> Self {
        change(&mut self.core);
        self
    }
}

#[bifrons::dual(blocking = crate::blocking::Pages<T>)]
impl<T: DeserializeOwned + Send> Pages<T> {
    /// Returns a handle to the counters, to the service's last words about pages, and to the place
    /// reached. It stays readable while the stream runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.core.progress.clone()
    }
}

impl Core {
    /// Makes sure that there is a page with items left to hand out; false means the list has ended.
    fn poll_page(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        if self.ended || self.fetch.is_some() {
            // Nothing to decide.
        } else if let Some(stop) = self.finished() {
            self.end(stop);
        } else if let Some(mut engine) = self.engine.take() {
            if let Some(items) = self.max_items {
                engine.want_at_most(items);
            }
            self.fetch = Some(Box::pin(async move {
                let outcome = engine.fetch().await;
                (engine, outcome)
            }));
        }
        let Some(fetch) = self.fetch.as_mut().filter(|_| !self.ended) else {
            return Poll::Ready(Ok(false));
        };
        let (engine, outcome) = ready!(fetch.as_mut().poll(context));
        self.fetch = None;
        let place = engine.position();
        self.engine = Some(engine);
        match outcome {
            Err(error) => {
                self.progress.begin(place);
                self.end(Stop::Failed);
                Poll::Ready(Err(error))
            }
            Ok(fetched) => {
                self.pages += 1;
                let left = fetched.page.items.len() - fetched.skip;
                self.progress.page(
                    fetched.here.clone(),
                    fetched.next.clone(),
                    left as u64,
                    fetched.page.info.clone(),
                );
                let first = fetched.skip;
                self.current = Some((fetched, first));
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Says why no further page is fetched.
    fn finished(&self) -> Option<Stop> {
        if self.max_items.is_some_and(|max| self.items >= max) {
            return Some(Stop::MaxItems);
        }
        let at_end = self
            .engine
            .as_ref()
            .is_none_or(|engine| engine.cursor == Cursor::End);
        if at_end {
            return Some(Stop::End);
        }
        self.max_pages
            .is_some_and(|max| self.pages >= max)
            .then_some(Stop::MaxPages)
    }

    fn end(&mut self, stop: Stop) {
        self.ended = true;
        self.fetch = None;
        self.current = None;
        self.progress.stopped(stop);
    }

    /// Returns how many items of the current page are still to be handed out.
    fn buffered(&self) -> usize {
        let Some((fetched, next)) = &self.current else {
            return 0;
        };
        let left = fetched.page.items.len().saturating_sub(*next);
        match self.max_items {
            Some(max) => left.min(usize::try_from(max.saturating_sub(self.items)).unwrap_or(left)),
            None => left,
        }
    }

    fn hand_out(&mut self, items: usize) {
        self.items += items as u64;
        self.progress.handed_out(items as u64);
    }

    /// Drops a page that is used up.
    fn turn_page(&mut self) {
        if let Some((fetched, _)) = self.current.take()
            && let Some(stop) = fetched.stop
        {
            self.end(stop);
        }
    }
}

impl<T: DeserializeOwned> Stream for Paginator<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let core = &mut self.get_mut().core;
        loop {
            if core.buffered() > 0
                && let Some((fetched, next)) = &mut core.current
            {
                let item = fetched.page.item(*next);
                *next += 1;
                core.hand_out(1);
                return Poll::Ready(Some(item));
            }
            if core.current.is_some() {
                if core.max_items.is_some_and(|max| core.items >= max) {
                    core.end(Stop::MaxItems);
                } else {
                    core.turn_page();
                }
            }
            match ready!(core.poll_page(context)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// The lower bound counts the items of the page at hand, which come without waiting.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let buffered = self.core.buffered();
        (buffered, self.core.ended.then_some(buffered))
    }
}

impl<T: DeserializeOwned> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let core = &mut self.get_mut().core;
        core.turn_page();
        match ready!(core.poll_page(context)) {
            Ok(true) => {}
            Ok(false) => return Poll::Ready(None),
            Err(error) => return Poll::Ready(Some(Err(error))),
        }
        let count = core.buffered();
        let Some((fetched, first)) = &core.current else {
            return Poll::Ready(None);
        };
        let items: Result<Vec<T>, Error> = (*first..*first + count)
            .map(|index| fetched.page.item(index))
            .collect();
        match items {
            Ok(items) => {
                let info = fetched.page.info.clone();
                core.hand_out(count);
                let next = core.progress.position();
                Poll::Ready(Some(Ok(Page { items, info, next })))
            }
            Err(error) => {
                core.end(Stop::Failed);
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl<T> fmt::Debug for Paginator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paginator")
            .field("progress", &self.core.progress)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("progress", &self.core.progress)
            .finish_non_exhaustive()
    }
}

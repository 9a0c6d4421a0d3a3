//! Lists: one page, all pages, all items; the same for every area.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use restkit::pagination::{PageInfo, PageStyle, Paginator, Position};
use restkit::{BoxFuture, Record, Request};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::client::{Account, Client};
use crate::error::Error;
use crate::id::TenantId;
use crate::params::Query;
use crate::progress::Progress;
use crate::route::{self, Host, Pages as Style, Route};

/// An item as the service wrote it.
pub type RawItem = Box<RawValue>;

/// A page of a list.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items, in the service's order.
    pub items: Vec<T>,
    /// What the service said about the page, if it did.
    pub info: Option<PageInfo>,
    /// The place behind this page, if there may be more.
    pub next: Option<Position>,
}

/// How a list is fetched; every list of the library has these settings.
#[derive(Clone, Debug, Default)]
#[expect(unnameable_types, reason = "only this crate implements list filters")]
pub struct Paging {
    pub(crate) size: Option<u32>,
    pub(crate) max_pages: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) totals: bool,
    pub(crate) resume: Option<Position>,
    pub(crate) progress: Option<Progress>,
}

/// An item of a list: a [`Record`], or the text alone as a [`RawItem`].
pub trait ListItem: DeserializeOwned + Send + 'static {
    /// Returns the text that the service sent.
    fn text(&self) -> &str;
}

impl<T: DeserializeOwned + Send + 'static> ListItem for Record<T> {
    fn text(&self) -> &str {
        self.raw().get()
    }
}

impl ListItem for RawItem {
    fn text(&self) -> &str {
        self.get()
    }
}

/// A list that can be fetched: what, from where, and how.
#[derive(Clone)]
#[expect(unnameable_types, reason = "only this crate implements list filters")]
pub struct Listing {
    client: Client,
    source: Result<Source, Error>,
    paging: Paging,
    /// A text in the host name, where the service may compare only the beginning of it.
    hostname: Option<Arc<str>>,
}

#[derive(Clone)]
enum Source {
    Route(&'static Route, Box<Request>),
    /// Tenants come from the partner's or the organization's list; a tenant's own credential has a
    /// single row, which no list holds.
    Tenants(Box<AccountRequests>),
}

#[derive(Clone)]
struct AccountRequests {
    partner: Request,
    organization: Request,
}

impl Listing {
    pub(crate) fn new(
        client: Client,
        route: &'static Route,
        apply: impl FnOnce(Query) -> Result<Request, Error>,
        paging: Paging,
    ) -> Self {
        let source = apply(Query::new(route.request(&[]), client.now()))
            .map(|request| Source::Route(route, Box::new(request)));
        Self {
            client,
            source,
            paging,
            hostname: None,
        }
    }

    /// Leaves out items whose host name does not hold the text: the service compares only its first
    /// 10 characters.
    pub(crate) fn with_hostname(mut self, text: Option<&str>) -> Self {
        self.hostname = text.filter(|text| text.chars().count() > 10).map(Arc::from);
        self
    }

    pub(crate) fn tenants(
        client: Client,
        apply: impl Fn(Query) -> Result<Request, Error>,
        paging: Paging,
    ) -> Self {
        let now = client.now();
        let build = |route: &Route| apply(Query::new(route.request(&[]), now));
        let requests = build(&route::PARTNER_TENANTS).and_then(|partner| {
            let organization = build(&route::ORGANIZATION_TENANTS)?;
            Ok(Source::Tenants(Box::new(AccountRequests {
                partner,
                organization,
            })))
        });
        Self {
            client,
            source: requests,
            paging,
            hostname: None,
        }
    }

    /// Why the list cannot be asked for at all.
    pub(crate) fn refused(&self) -> Option<Error> {
        if self.paging.size == Some(0) {
            return Some(Error::invalid_argument("the page size must be at least 1"));
        }
        self.source.as_ref().err().cloned()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn with_client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }

    /// The bound on the items of the whole list.
    pub(crate) fn max_items(&self) -> Option<u64> {
        self.paging.max_items
    }

    pub(crate) fn progress(&self) -> Progress {
        self.paging.progress.clone().unwrap_or_default()
    }

    pub(crate) fn with_progress(mut self, progress: Progress) -> Self {
        self.paging.progress = Some(progress);
        self
    }

    /// Fetches one page: of the service's own size, unless a size is set.
    pub(crate) async fn page<T: ListItem>(mut self) -> Result<Page<T>, Error> {
        self.paging.max_pages = Some(1);
        let mut pages = Pages {
            inner: Lazy::new(self, false),
        };
        match std::future::poll_fn(|context| Pin::new(&mut pages).poll_next(context)).await {
            Some(page) => page,
            None => Err(Error::invalid_argument(
                "there is no page behind the end of the list",
            )),
        }
    }

    /// Streams all items, in pages as large as the service gives them unless a size is set.
    pub(crate) fn items<T: ListItem>(self) -> Items<T> {
        Items {
            inner: Lazy::new(self, true),
        }
    }

    /// Streams all pages.
    pub(crate) fn pages<T: ListItem>(self) -> Pages<T> {
        Pages {
            inner: Lazy::new(self, true),
        }
    }

    /// Finds the host and starts the list. Nothing is fetched of the list itself.
    async fn open<T: ListItem>(self, large: bool) -> Result<Opened<T>, Error> {
        if let Some(error) = self.refused() {
            return Err(error);
        }
        let (route, request) = match self.source? {
            Source::Route(route, request) => (route, *request),
            Source::Tenants(requests) => match self.client.account().await? {
                Account::Partner => (&route::PARTNER_TENANTS, requests.partner),
                Account::Organization => (&route::ORGANIZATION_TENANTS, requests.organization),
                Account::Tenant => {
                    let row = self.client.own_tenant().await?;
                    let item = serde_json::from_str(row.raw().get()).map_err(|source| {
                        Error::configuration("whoami cannot be read").with_source(source)
                    })?;
                    return Ok(Opened {
                        rows: Rows::Fixed(Some(Box::new(item))),
                        tenant: None,
                        place: None,
                    });
                }
            },
        };
        let scope = self.client.scope(route.host).await?;
        let max_size = route.pages.max_size();
        let style = match route.pages {
            Style::Key { .. } => PageStyle::key().max_size(max_size),
            Style::Number { .. } => PageStyle::number().max_size(max_size),
            Style::None => PageStyle::single(),
        };
        let paging = self.paging;
        let mut list: Paginator<T> = scope.rest().paginate(request, style);
        match paging.size {
            Some(size) => list = list.page_size(size),
            None if large && route.pages != Style::None => list = list.page_size(max_size),
            None => {}
        }
        if let Some(pages) = paging.max_pages {
            list = list.max_pages(pages);
        }
        if let Some(items) = paging.max_items.filter(|_| self.hostname.is_none()) {
            list = list.max_items(items);
        }
        if paging.totals {
            list = list.with_total(true);
        }
        if let Some(position) = paging.resume {
            list = list.resume_from(position);
        }
        let place = paging
            .progress
            .map(|progress| progress.add(list.progress()));
        let tenant = (route.host == Host::Tenant)
            .then(|| scope.tenant().cloned())
            .flatten();
        Ok(Opened {
            rows: Rows::Paged(Box::new(list)),
            tenant,
            place,
        })
    }
}

struct Opened<T> {
    rows: Rows<T>,
    tenant: Option<TenantId>,
    /// Where the list stands in its progress.
    place: Option<usize>,
}

enum Rows<T> {
    Paged(Box<Paginator<T>>),
    Fixed(Option<Box<T>>),
}

/// A list that is opened when the first item is asked for.
struct Lazy<T> {
    state: State<T>,
    hostname: Option<Arc<str>>,
    /// How many items are still wanted, where the list below cannot count them.
    left: Option<u64>,
    progress: Progress,
    tenant: Option<TenantId>,
    place: Option<usize>,
}

enum State<T> {
    Waiting(Option<Box<Listing>>, bool),
    Opening(BoxFuture<'static, Result<Opened<T>, Error>>),
    Open(Box<Paginator<T>>),
    OpenPages(Box<restkit::pagination::Pages<T>>),
    Fixed(Option<Box<T>>),
    Ended,
}

impl<T: ListItem> Lazy<T> {
    fn new(listing: Listing, large: bool) -> Self {
        let progress = listing.progress();
        let listing = listing.with_progress(progress.clone());
        let hostname = listing.hostname.clone();
        Self {
            left: listing.max_items().filter(|_| hostname.is_some()),
            hostname,
            state: State::Waiting(Some(Box::new(listing)), large),
            progress,
            tenant: None,
            place: None,
        }
    }

    fn wants(&self, item: &T) -> bool {
        #[derive(serde::Deserialize)]
        struct Named {
            hostname: Option<String>,
        }

        let Some(wanted) = &self.hostname else {
            return true;
        };
        match serde_json::from_str(item.text()) {
            Ok(Named {
                hostname: Some(name),
            }) => name.to_lowercase().contains(&wanted.to_lowercase()),
            // Without a name there is nothing to say against it.
            _ => true,
        }
    }

    /// Cuts what is more than wanted, and counts the rest.
    fn cut(&mut self, items: &mut Vec<T>) {
        if let Some(left) = &mut self.left {
            items.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= items.len() as u64;
        }
    }

    fn page_came(&self) {
        if let Some(place) = self.place {
            self.progress.note_total(place);
        }
    }

    /// Brings the list to where it can be read. False means that it has ended.
    fn poll_open(
        &mut self,
        context: &mut Context<'_>,
        as_pages: bool,
    ) -> Poll<Result<bool, Error>> {
        loop {
            match &mut self.state {
                State::Waiting(listing, large) => {
                    let large = *large;
                    self.state = match listing.take() {
                        Some(listing) => State::Opening(Box::pin(listing.open(large))),
                        None => State::Ended,
                    };
                }
                State::Opening(opening) => match ready!(opening.as_mut().poll(context)) {
                    Err(error) => {
                        self.state = State::Ended;
                        return Poll::Ready(Err(error));
                    }
                    Ok(opened) => {
                        self.tenant = opened.tenant;
                        self.place = opened.place;
                        self.state = match opened.rows {
                            Rows::Paged(list) if as_pages => {
                                State::OpenPages(Box::new(list.pages()))
                            }
                            Rows::Paged(list) => State::Open(list),
                            Rows::Fixed(row) => State::Fixed(row),
                        };
                    }
                },
                State::Ended => return Poll::Ready(Ok(false)),
                _ => return Poll::Ready(Ok(true)),
            }
        }
    }

    fn explain(&self, error: restkit::Error) -> Error {
        let error = Error::from(error);
        match &self.tenant {
            Some(tenant) => error.with_tenant(tenant),
            None => error,
        }
    }
}

/// All items of a list, fetched page by page as they are asked for.
///
/// * Nothing is fetched before the first item is asked for, and never more than the page needed.
/// * An item that cannot be decoded is an error that names its path; the list goes on behind it.
/// * A page that cannot be fetched is an error and ends the list; what came before was delivered.
///
/// # Cancel safety
/// A future that waits for the next item can be dropped; no item is lost.
pub struct Items<T> {
    inner: Lazy<T>,
}

/// All pages of a list, fetched one by one as they are asked for. An item that cannot be decoded is
/// an error of its page, and ends the list.
pub struct Pages<T> {
    inner: Lazy<T>,
}

impl<T> Items<T> {
    /// Returns a handle to the counters, which stays readable while the list runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.inner.progress.clone()
    }
}

impl<T> Pages<T> {
    /// Returns a handle to the counters, which stays readable while the list runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.inner.progress.clone()
    }
}

impl<T: ListItem> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let inner = &mut self.get_mut().inner;
        match ready!(inner.poll_open(context, false)) {
            Err(error) => return Poll::Ready(Some(Err(error))),
            Ok(false) => return Poll::Ready(None),
            Ok(true) => {}
        }
        loop {
            if inner.left == Some(0) {
                inner.state = State::Ended;
            }
            let list = match &mut inner.state {
                State::Open(list) => list,
                State::Fixed(row) => return Poll::Ready(row.take().map(|row| Ok(*row))),
                _ => return Poll::Ready(None),
            };
            let new_page = list.size_hint().0 == 0;
            let item = ready!(Pin::new(list).poll_next(context));
            if new_page {
                inner.page_came();
            }
            match item {
                Some(Ok(item)) if inner.wants(&item) => {
                    inner.left = inner.left.map(|left| left - 1);
                    return Poll::Ready(Some(Ok(item)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(inner.explain(error)))),
                None => return Poll::Ready(None),
            }
        }
    }

    /// The lower bound counts the items that come without waiting.
    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.inner.state {
            // Nobody knows how many of those at hand are wanted.
            State::Open(_) if self.inner.hostname.is_some() => (0, None),
            State::Open(list) => list.size_hint(),
            State::Fixed(row) => (usize::from(row.is_some()), Some(usize::from(row.is_some()))),
            State::Ended => (0, Some(0)),
            _ => (0, None),
        }
    }
}

impl<T: ListItem> Stream for Pages<T> {
    type Item = Result<Page<T>, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let inner = &mut self.get_mut().inner;
        match ready!(inner.poll_open(context, true)) {
            Err(error) => return Poll::Ready(Some(Err(error))),
            Ok(false) => return Poll::Ready(None),
            Ok(true) => {}
        }
        if inner.left == Some(0) {
            inner.state = State::Ended;
        }
        match &mut inner.state {
            State::OpenPages(pages) => match ready!(Pin::new(pages).poll_next(context)) {
                Some(Ok(mut page)) => {
                    inner.page_came();
                    if inner.hostname.is_some() {
                        page.items.retain(|item| inner.wants(item));
                        inner.cut(&mut page.items);
                    }
                    Poll::Ready(Some(Ok(Page {
                        items: page.items,
                        info: page.info,
                        next: (!page.next.is_end()).then_some(page.next),
                    })))
                }
                Some(Err(error)) => Poll::Ready(Some(Err(inner.explain(error)))),
                None => Poll::Ready(None),
            },
            State::Fixed(row) => Poll::Ready(row.take().map(|row| {
                Ok(Page {
                    items: vec![*row],
                    info: None,
                    next: None,
                })
            })),
            _ => Poll::Ready(None),
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("progress", &self.inner.progress)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("progress", &self.inner.progress)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing")
            .field(
                "request",
                &self.source.as_ref().map(|source| match source {
                    Source::Route(_, request) => request,
                    Source::Tenants(requests) => &requests.partner,
                }),
            )
            .field("paging", &self.paging)
            .finish_non_exhaustive()
    }
}

//! One list over many tenants: bounded, in order, with one shared budget of requests.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bifrons::BlockingError;
use futures_core::Stream;
use tracing::warn;

use crate::error::Error;
use crate::list::{Items, ListItem, Listing};
use crate::progress::Progress;
use crate::tenants::Target;

/// An item, and the tenant it belongs to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TenantItem<T> {
    /// The tenant.
    pub tenant: Arc<Target>,
    /// The item.
    pub item: T,
}

/// A tenant whose items could not be had, or not all of them. The others are not affected.
#[derive(Clone, Debug)]
pub struct TenantFailure {
    tenant: Option<Arc<Target>>,
    error: Error,
    skipped: bool,
}

impl TenantFailure {
    /// Returns the tenant; `None` if the call as a whole could not run: a filter that cannot be
    /// right, or a misuse of the blocking face.
    #[must_use]
    pub fn tenant(&self) -> Option<&Target> {
        self.tenant.as_deref()
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Takes what went wrong.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.error
    }

    /// Returns true if the tenant was left out because it has no host yet: it is not ready, which is
    /// no failure.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.skipped
    }
}

impl fmt::Display for TenantFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "tenant {} ({}): {}", tenant.name, tenant.id, self.error),
            None => write!(f, "{}", self.error),
        }
    }
}

impl std::error::Error for TenantFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl From<BlockingError> for TenantFailure {
    fn from(error: BlockingError) -> Self {
        Self {
            tenant: None,
            error: error.into(),
            skipped: false,
        }
    }
}

/// What could be had from many tenants.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Gathered<T> {
    /// The items, tenant by tenant in the order in which the tenants were given.
    pub items: Vec<TenantItem<T>>,
    /// The tenants whose items could not be had, or not all of them.
    pub failures: Vec<TenantFailure>,
    /// The tenants that were left out because they are not ready.
    pub skipped: Vec<TenantFailure>,
}

impl<T> Gathered<T> {
    /// Returns true if every tenant that is ready answered in full.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}

/// The items of one list over many tenants.
///
/// * Items come tenant by tenant in the order in which the tenants were given, so the outcome does
///   not depend on which tenant answers first.
/// * So many tenants are asked at the same time as [`Config::concurrency`](crate::Config::concurrency)
///   says, and each is read one page ahead at most. All share the client's rate limit.
/// * A tenant that fails is one `Err` in its place, and the others go on. A tenant without a host is
///   left out, which is an `Err` that [`is_skipped`](TenantFailure::is_skipped).
/// * `max_items` bounds the items of all tenants together.
///
/// # Cancel safety
/// A future that waits for the next item can be dropped; no item is lost.
pub struct Across<T> {
    listing: Listing,
    waiting: VecDeque<Arc<Target>>,
    active: VecDeque<Active<T>>,
    concurrency: usize,
    left: Option<u64>,
    progress: Progress,
    /// Why the list cannot be asked for at all, whatever the tenant.
    refused: Option<Error>,
}

/// A tenant that is being asked.
struct Active<T> {
    tenant: Arc<Target>,
    /// `None` once the list has ended.
    items: Option<Items<T>>,
    buffer: VecDeque<Result<T, TenantFailure>>,
}

// Items are only moved in and out, never pinned.
impl<T> Unpin for Across<T> {}

impl<T: ListItem> Across<T> {
    pub(crate) fn new(listing: Listing, tenants: impl IntoIterator<Item = Target>) -> Self {
        let progress = listing.progress();
        let refused = listing.refused();
        let tenants = tenants
            .into_iter()
            .take(if refused.is_some() { 0 } else { usize::MAX });
        Self {
            refused,
            waiting: tenants.map(Arc::new).collect(),
            active: VecDeque::new(),
            concurrency: listing.client().concurrency(),
            left: listing.max_items(),
            listing: listing.with_progress(progress.clone()),
            progress,
        }
    }

    /// Keeps as many tenants active as may be.
    fn fill(&mut self) {
        while self.active.len() < self.concurrency
            && let Some(tenant) = self.waiting.pop_front()
        {
            let active = if tenant.is_ready() {
                let client = self.listing.client().for_target(&tenant);
                let items = self.listing.clone().with_client(client).items();
                Active {
                    tenant,
                    items: Some(items),
                    buffer: VecDeque::new(),
                }
            } else {
                warn!(tenant = %tenant.id, name = %tenant.name, "left out: the tenant has no API host");
                let failure = TenantFailure {
                    error: Error::configuration("left out: the tenant has no API host")
                        .with_tenant(&tenant.id),
                    tenant: Some(Arc::clone(&tenant)),
                    skipped: true,
                };
                Active {
                    tenant,
                    items: None,
                    buffer: VecDeque::from([Err(failure)]),
                }
            };
            self.active.push_back(active);
        }
    }
}

impl<T: ListItem> Active<T> {
    /// Fetches a page if none is at hand.
    fn poll_page(&mut self, context: &mut Context<'_>) {
        while self.buffer.is_empty()
            && let Some(items) = &mut self.items
            && let Poll::Ready(first) = Pin::new(&mut *items).poll_next(context)
        {
            let mut next = first;
            loop {
                match next {
                    None => {
                        self.items = None;
                        return;
                    }
                    Some(item) => {
                        let tenant = &self.tenant;
                        self.buffer.push_back(item.map_err(|error| TenantFailure {
                            tenant: Some(Arc::clone(tenant)),
                            error,
                            skipped: false,
                        }));
                    }
                }
                // The rest of the page comes without waiting.
                if items.size_hint().0 == 0 {
                    break;
                }
                match Pin::new(&mut *items).poll_next(context) {
                    Poll::Ready(item) => next = item,
                    Poll::Pending => break,
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        self.items.is_none() && self.buffer.is_empty()
    }
}

impl<T> Across<T> {
    /// Returns a handle to the counters of all tenants' lists together.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl<T: ListItem> Stream for Across<T> {
    type Item = Result<TenantItem<T>, TenantFailure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(error) = this.refused.take() {
            return Poll::Ready(Some(Err(TenantFailure {
                tenant: None,
                error,
                skipped: false,
            })));
        }
        loop {
            if this.left == Some(0) {
                // Dropping the lists stops them.
                this.active.clear();
                this.waiting.clear();
                return Poll::Ready(None);
            }
            this.fill();
            if this
                .active
                .front()
                .is_some_and(|head| head.buffer.is_empty())
            {
                for active in &mut this.active {
                    active.poll_page(context);
                }
            }
            let Some(head) = this.active.front_mut() else {
                return Poll::Ready(None);
            };
            match head.buffer.pop_front() {
                Some(Ok(item)) => {
                    this.left = this.left.map(|left| left - 1);
                    let tenant = Arc::clone(&head.tenant);
                    return Poll::Ready(Some(Ok(TenantItem { tenant, item })));
                }
                Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                None if head.is_done() => {
                    this.active.pop_front();
                }
                None => return Poll::Pending,
            }
        }
    }

    /// The lower bound counts the items that come without waiting.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let buffered = self.active.front().map_or(0, |head| head.buffer.len());
        let left = self.left.and_then(|left| usize::try_from(left).ok());
        (buffered.min(left.unwrap_or(usize::MAX)), None)
    }
}

impl<T> fmt::Debug for Across<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Across")
            .field("waiting", &self.waiting.len())
            .field("active", &self.active.len())
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// Collects everything.
pub(crate) async fn gather<T: ListItem>(mut across: Across<T>) -> Result<Gathered<T>, Error> {
    let mut gathered = Gathered {
        items: Vec::new(),
        failures: Vec::new(),
        skipped: Vec::new(),
    };
    while let Some(item) = futures_util::StreamExt::next(&mut across).await {
        match item {
            Ok(item) => gathered.items.push(item),
            Err(failure) if failure.tenant.is_none() => return Err(failure.error),
            Err(failure) if failure.skipped => gathered.skipped.push(failure),
            Err(failure) => gathered.failures.push(failure),
        }
    }
    Ok(gathered)
}

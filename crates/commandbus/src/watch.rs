//! Noticing that batches are finished, by this process or by another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::batch::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::BatchId;
use crate::names::Domain;
use crate::storage::{Driver, On, Wake, Wakeups};

/// How often batches are looked at while nobody tells of them.
const POLL: Duration = Duration::from_secs(1);
/// How long a batch may be absent, because the transaction that creates it is still open.
const ABSENT: Duration = Duration::from_secs(600);

/// What a callback gives back; an error is logged.
pub type CallbackResult = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

type Function = Box<dyn FnOnce(Batch) -> CallbackResult + Send>;

/// A callback that runs at most once, whatever the number of its clones.
#[derive(Clone)]
pub(crate) struct Callback(Arc<Mutex<Option<Function>>>);

impl Callback {
    pub(crate) fn new(function: impl FnOnce(Batch) -> CallbackResult + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(function)))))
    }

    /// Runs it on a thread where it may block, if it did not run before.
    fn run(&self, batch: Batch) {
        let Some(function) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        drop(tokio::task::spawn_blocking(move || {
            let (domain, batch_id) = (batch.domain.clone(), batch.batch_id);
            match catch_unwind(AssertUnwindSafe(|| function(batch))) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(domain, %batch_id, error = %error, "the callback of a batch failed");
                }
                Err(_) => tracing::error!(domain, %batch_id, "the callback of a batch panicked"),
            }
        }));
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

/// The batches that this process has callbacks for.
#[derive(Debug, Default)]
pub(crate) struct BatchWatch {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<(Domain, BatchId), Waiting>,
    watching: bool,
}

#[derive(Debug)]
struct Waiting {
    callback: Callback,
    since: Instant,
}

impl BatchWatch {
    /// Runs `callback` once the batch is finished. Call it inside a runtime.
    pub(crate) fn add(
        self: &Arc<Self>,
        driver: &Arc<dyn Driver>,
        domain: Domain,
        id: BatchId,
        callback: Callback,
    ) {
        let mut state = self.lock();
        state.waiting.insert(
            (domain, id),
            Waiting {
                callback,
                since: Instant::now(),
            },
        );
        if !state.watching {
            state.watching = true;
            let watching = Watching {
                watch: Arc::clone(self),
                driver: Arc::clone(driver),
            };
            tokio::spawn(watching.run());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// True if nobody waits for anything, which is the common case.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Runs the callback of a batch that is finished.
    pub(crate) fn finished(&self, domain: &Domain, batch: Batch) {
        let waiting = self
            .lock()
            .waiting
            .remove(&(domain.clone(), batch.batch_id));
        if let Some(waiting) = waiting {
            waiting.callback.run(batch);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that looks at batches while there are callbacks.
struct Watching {
    watch: Arc<BatchWatch>,
    driver: Arc<dyn Driver>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Also when the runtime drops the task: the next callback starts another one.
        self.watch.lock().watching = false;
    }
}

impl Watching {
    async fn run(self) {
        let mut channels: Vec<String> = Vec::new();
        let mut wakeups: Option<Box<dyn Wakeups>> = None;
        loop {
            let Some(domains) = self.domains() else {
                return;
            };
            let wanted: Vec<String> = domains.iter().map(Domain::batch_channel).collect();
            if wanted != channels {
                wakeups = self.driver.listen(wanted.clone()).await.ok();
                channels = wanted;
            }
            self.look(None).await;
            let wake = tokio::select! {
                wake = next(&mut wakeups) => Some(wake),
                () = tokio::time::sleep(POLL) => None,
                () = self.watch.changed.notified() => None,
            };
            if let Some(Wake::Notified { payload, .. }) = wake
                && let Ok(id) = payload.parse()
            {
                self.look(Some(id)).await;
            }
        }
    }

    /// The domains to listen to, sorted; none when the task is not needed any more.
    fn domains(&self) -> Option<Vec<Domain>> {
        let mut state = self.watch.lock();
        if state.waiting.is_empty() {
            state.watching = false;
            return None;
        }
        let mut domains: Vec<Domain> = state
            .waiting
            .keys()
            .map(|(domain, _)| domain.clone())
            .collect();
        domains.sort();
        domains.dedup();
        Some(domains)
    }

    /// Looks at all batches, or at one.
    async fn look(&self, only: Option<BatchId>) {
        let waiting: Vec<(Domain, BatchId)> = self
            .watch
            .lock()
            .waiting
            .keys()
            .filter(|(_, id)| only.is_none_or(|only| only == *id))
            .cloned()
            .collect();
        for (domain, id) in waiting {
            match self.driver.batch(On::Own, domain.clone(), id).await {
                Ok(Some(stored)) if stored.batch.status.is_terminal() => {
                    self.watch.finished(&domain, stored.batch);
                }
                Ok(Some(_)) => {}
                Ok(None) => self.forget_absent(domain, id),
                Err(error) => {
                    tracing::debug!(%error, "a batch cannot be looked at now");
                    return;
                }
            }
        }
    }

    fn forget_absent(&self, domain: Domain, id: BatchId) {
        let mut state = self.watch.lock();
        if let Entry::Occupied(entry) = state.waiting.entry((domain, id))
            && entry.get().since.elapsed() > ABSENT
        {
            tracing::warn!(batch_id = %id, "the batch of a callback was never created");
            entry.remove();
        }
    }
}

/// Waits for a wake-up, or for ever without a subscription.
async fn next(wakeups: &mut Option<Box<dyn Wakeups>>) -> Wake {
    match wakeups {
        Some(wakeups) => wakeups.next().await,
        None => std::future::pending().await,
    }
}

/// Waits until a batch is finished.
pub(crate) async fn wait(
    driver: &Arc<dyn Driver>,
    domain: Domain,
    id: BatchId,
    limit: Duration,
) -> Result<Batch> {
    let deadline = tokio::time::Instant::now() + limit;
    let mut wakeups: Option<Box<dyn Wakeups>> = None;
    loop {
        let stored = driver.batch(On::Own, domain.clone(), id).await?;
        let batch = match stored {
            Some(stored) if stored.batch.status.is_terminal() => return Ok(stored.batch),
            Some(stored) => stored.batch,
            None => return Err(Error::batch(ErrorKind::BatchNotFound, domain.as_str(), id)),
        };
        if tokio::time::Instant::now() >= deadline {
            return Err(still_open(&batch, limit));
        }
        if wakeups.is_none() {
            // What finished before the subscription is seen by one more look.
            wakeups = Some(driver.listen(vec![domain.batch_channel()]).await?);
            continue;
        }
        let until = deadline.min(tokio::time::Instant::now() + POLL);
        let others_only = async {
            // News of other batches of the domain are no reason to look.
            while let Wake::Notified { payload, .. } = next(&mut wakeups).await {
                if payload.parse().is_ok_and(|told: BatchId| told == id) {
                    break;
                }
            }
        };
        // Either way the batch is looked at.
        let _elapsed = tokio::time::timeout_at(until, others_only).await;
    }
}

fn still_open(batch: &Batch, limit: Duration) -> Error {
    let decided = batch.completed_count + batch.failed_count + batch.canceled_count;
    Error::new(
        ErrorKind::Interrupted,
        format!(
            "batch {} is not finished after {:?}: {decided} of {} members are decided, {} wait for an operator",
            batch.batch_id, limit, batch.total_count, batch.in_troubleshooting_count
        ),
    )
    .timed_out(true)
}

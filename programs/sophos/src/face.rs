//! The two faces of the client library, and one way to use either.
//!
//! A handler is written once. Where it calls the service it says so with [`call!`] and [`list!`],
//! which hold the same expression for both faces: on the async one it is awaited on a runtime of
//! this thread, on the blocking one it is the call itself.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bifrons::{CallOptions, CancelToken};
use clikit::{Console, Error, Interrupts};
use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use sophos_central::{Client, Config, Page, RawItem, RawList, blocking, tenants::Target};
use tokio::sync::watch;

use crate::failure::{failure, interrupted_write};

/// Which face is used.
#[derive(Debug)]
pub(crate) enum Face {
    Async(AsyncFace),
    Sync(SyncFace),
}

/// The async client, driven by this thread.
#[derive(Debug)]
pub(crate) struct AsyncFace {
    // Before the runtime, so that connections end before it.
    pub(crate) client: Client,
    runtime: tokio::runtime::Runtime,
    presses: watch::Receiver<Work>,
    writing: Arc<AtomicBool>,
}

/// The blocking client, once for reads and once for writes: they differ in what Ctrl-C does.
#[derive(Debug)]
pub(crate) struct SyncFace {
    reads: blocking::Client,
    writes: blocking::Client,
    cancel_writes: CancelToken,
    writing: Arc<AtomicBool>,
}

/// What a call does, in the order in which Ctrl-C ends it: the first press ends reads and lets a
/// write under way finish, the second ends writes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// As the state of the receiver: nothing was pressed yet.
    Nothing,
    Read,
    Write,
}

/// Calls the service on whichever face, for a tenant where one is chosen:
/// `call!(face, Work::Read, &tenant, |client| client.endpoint().get(&id))`.
macro_rules! call {
    ($face:expr, $work:expr, |$client:ident| $call:expr) => {
        $crate::face::call!($face, $work, &None, |$client| $call)
    };
    ($face:expr, $work:expr, $tenant:expr, |$client:ident| $call:expr) => {
        $crate::face::attempt!($face, $work, $tenant, |$client| $call)
            .and_then(|outcome| outcome.map_err($crate::failure::failure))
    };
}
pub(crate) use call;

/// As [`call!`], with the library's own error inside; the outer one is Ctrl-C.
macro_rules! attempt {
    ($face:expr, $work:expr, $tenant:expr, |$client:ident| $call:expr) => {
        match $face {
            $crate::face::Face::Async(face) => {
                let $client = $crate::face::for_tenant!(&face.client, $tenant);
                face.drive($work, async { ($call).await })
            }
            $crate::face::Face::Sync(face) => {
                let $client = $crate::face::for_tenant!(face.client($work), $tenant);
                face.drive($work, || $call)
            }
        }
    };
}
pub(crate) use attempt;

/// Builds a list of raw items on whichever face, for a tenant where one is chosen.
macro_rules! list {
    ($face:expr, $tenant:expr, |$client:ident| $list:expr) => {
        match $face {
            $crate::face::Face::Async(face) => {
                let $client = $crate::face::for_tenant!(&face.client, $tenant);
                $crate::face::FaceList::Async(face, $list)
            }
            $crate::face::Face::Sync(face) => {
                let client = face.client($crate::face::Work::Read);
                let $client = $crate::face::for_tenant!(client, $tenant);
                $crate::face::FaceList::Sync($list)
            }
        }
    };
}
pub(crate) use list;

/// The view of a client of either face for a chosen tenant.
macro_rules! for_tenant {
    ($client:expr, $tenant:expr) => {{
        let client = $client;
        let tenant: &Option<sophos_central::TenantId> = $tenant;
        match tenant {
            Some(tenant) => client.for_tenant(tenant),
            None => client.clone(),
        }
    }};
}
pub(crate) use for_tenant;

impl Face {
    /// Makes the client; nothing is sent.
    pub(crate) fn new(
        config: Config,
        sync: bool,
        interrupts: &Interrupts,
        console: &Console,
    ) -> Result<Self, Error> {
        let writing = Arc::new(AtomicBool::new(false));
        tell_when_waiting(&writing, interrupts, console);
        if sync {
            let client = blocking::Client::new(config).map_err(failure)?;
            let reads = CancelToken::new();
            let writes = CancelToken::new();
            let face = SyncFace {
                reads: client.with_options(CallOptions::default().with_cancel(reads.clone())),
                writes: client.with_options(CallOptions::default().with_cancel(writes.clone())),
                cancel_writes: writes.clone(),
                writing,
            };
            interrupts.on_drain(move || reads.cancel());
            interrupts.on_cancel(move || writes.cancel());
            return Ok(Self::Sync(face));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::io("cannot start the async runtime", error))?;
        let (press, presses) = watch::channel(Work::Nothing);
        let drain = press.clone();
        // A receiver that is gone means that nothing runs any more.
        interrupts.on_drain(move || drain.send_modify(|work| *work = Work::Read));
        interrupts.on_cancel(move || press.send_modify(|work| *work = Work::Write));
        let client = Client::new(config).map_err(failure)?;
        Ok(Self::Async(AsyncFace {
            client,
            runtime,
            presses,
            writing,
        }))
    }
}

impl Face {
    /// Keeps where the data of a tenant is, so that choosing it by its id asks nothing more.
    pub(crate) fn remember(&self, target: &Target) {
        match self {
            Self::Async(face) => face.client.remember(target),
            Self::Sync(face) => {
                face.reads.remember(target);
                face.writes.remember(target);
            }
        }
    }
}

/// The first press does not end a change, which looks like nothing happened: says what it waits for.
fn tell_when_waiting(writing: &Arc<AtomicBool>, interrupts: &Interrupts, console: &Console) {
    let (writing, console) = (Arc::clone(writing), console.clone());
    interrupts.on_drain(move || {
        if writing.load(Ordering::SeqCst) {
            console.status("waiting for the change under way; press Ctrl-C again to give up on it");
        }
    });
}

impl AsyncFace {
    /// Drives a call on this thread until it ends or Ctrl-C ends it.
    pub(crate) fn drive<T>(&self, work: Work, call: impl Future<Output = T>) -> Result<T, Error> {
        self.writing.store(work == Work::Write, Ordering::SeqCst);
        self.runtime.block_on(async {
            let mut presses = self.presses.clone();
            let pressed = pin!(presses.wait_for(|pressed| *pressed >= work));
            match select(pin!(call), pressed).await {
                Either::Left((outcome, _)) => Ok(outcome),
                // The sender lives as long as the program; without it nothing can be pressed.
                Either::Right((_, _)) => Err(interrupted(work)),
            }
        })
    }
}

impl SyncFace {
    pub(crate) fn client(&self, work: Work) -> &blocking::Client {
        if work == Work::Write {
            &self.writes
        } else {
            &self.reads
        }
    }

    fn gave_up(&self) -> bool {
        self.cancel_writes.is_cancelled()
    }

    /// Makes a call; its token is cancelled where Ctrl-C ends it.
    pub(crate) fn drive<T>(
        &self,
        work: Work,
        call: impl FnOnce() -> Result<T, sophos_central::Error>,
    ) -> Result<Result<T, sophos_central::Error>, Error> {
        self.writing.store(work == Work::Write, Ordering::SeqCst);
        match call() {
            // A change that was cancelled on its way is reported as unclear.
            Err(error) if is_cancelled(&error) || (error.is_unclear_write() && self.gave_up()) => {
                Err(interrupted(work))
            }
            outcome => Ok(outcome),
        }
    }
}

fn interrupted(work: Work) -> Error {
    if work == Work::Write {
        interrupted_write()
    } else {
        Error::interrupted()
    }
}

pub(crate) fn is_cancelled(error: &sophos_central::Error) -> bool {
    error
        .as_blocking()
        .is_some_and(bifrons::BlockingError::is_cancelled)
}

/// A list of raw items on one of the faces.
pub(crate) enum FaceList<'a> {
    Async(&'a AsyncFace, RawList),
    Sync(blocking::RawList),
}

/// Items as a list hands them out: the outer error is Ctrl-C.
pub(crate) type Pulled<'a, T> = Box<dyn Iterator<Item = Result<T, Error>> + 'a>;

/// An item of one of many tenants, or the tenant's failure.
pub(crate) type FromTenant =
    Result<sophos_central::TenantItem<RawItem>, sophos_central::TenantFailure>;

impl<'a> FaceList<'a> {
    /// All pages, each fetched when it is asked for.
    pub(crate) fn pages(self) -> Pulled<'a, Page<RawItem>> {
        match self {
            Self::Async(face, list) => {
                let mut pages = list.pages();
                Box::new(std::iter::from_fn(move || {
                    match face.drive(Work::Read, pages.next()) {
                        Ok(page) => page.map(|page| page.map_err(failure)),
                        Err(stopped) => Some(Err(stopped)),
                    }
                }))
            }
            Self::Sync(list) => Box::new(list.pages().map(|page| {
                page.map_err(|error| {
                    if is_cancelled(&error) {
                        Error::interrupted()
                    } else {
                        failure(error)
                    }
                })
            })),
        }
    }

    /// The items of many tenants, in the order of the tenants.
    pub(crate) fn across(self, tenants: Vec<Target>) -> Pulled<'a, FromTenant> {
        match self {
            Self::Async(face, list) => {
                let mut items = list.across(tenants);
                Box::new(std::iter::from_fn(move || {
                    match face.drive(Work::Read, items.next()) {
                        Ok(item) => item.map(Ok),
                        Err(stopped) => Some(Err(stopped)),
                    }
                }))
            }
            Self::Sync(list) => Box::new(list.across(tenants).map(|item| match item {
                Err(failed) if is_cancelled(failed.error()) => Err(Error::interrupted()),
                item => Ok(item),
            })),
        }
    }
}

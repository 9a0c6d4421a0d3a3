//! Streams as iterators.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bifrons::{BlockingError, BlockingIter, BlockingRuntime, CallOptions, CancelToken};
use futures_util::stream::{self, Stream, StreamExt};

use crate::support::{Drops, runtime, watchdog};

#[derive(Debug)]
struct Refused(BlockingError);

impl From<BlockingError> for Refused {
    fn from(error: BlockingError) -> Self {
        Self(error)
    }
}

/// Pages of three, each fetched with a timer; counts the fetches.
struct Pages {
    fetched: Arc<AtomicUsize>,
    memory: Vec<usize>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    last: usize,
}

impl Pages {
    fn new(last: usize) -> (Self, Arc<AtomicUsize>) {
        let fetched = Arc::new(AtomicUsize::new(0));
        (
            Self {
                fetched: Arc::clone(&fetched),
                memory: Vec::new(),
                timer: None,
                last,
            },
            fetched,
        )
    }
}

impl Stream for Pages {
    type Item = Result<usize, Refused>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(item) = self.memory.pop() {
            return Poll::Ready(Some(Ok(item)));
        }
        let page = self.fetched.load(Ordering::SeqCst);
        if page == self.last {
            return Poll::Ready(None);
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(1))));
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        self.fetched.store(page + 1, Ordering::SeqCst);
        self.memory = vec![page * 3 + 2, page * 3 + 1];
        Poll::Ready(Some(Ok(page * 3)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.memory.len(), None)
    }
}

use std::future::Future as _;

#[test]
fn nothing_is_fetched_before_it_is_asked_for() {
    let _watchdog = watchdog();
    let (pages, fetched) = Pages::new(3);
    let mut items = runtime().try_iter(pages);
    assert_eq!(fetched.load(Ordering::SeqCst), 0);
    for expected in 0..3 {
        assert_eq!(items.next().unwrap().unwrap(), expected);
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1);
    assert_eq!(items.next().unwrap().unwrap(), 3);
    assert_eq!(fetched.load(Ordering::SeqCst), 2);
}

#[test]
fn all_items_come_in_order_and_the_end_stays_the_end() {
    let _watchdog = watchdog();
    let (pages, _) = Pages::new(4);
    let mut items = runtime().try_iter(pages);
    let all: Vec<usize> = items.by_ref().map(Result::unwrap).collect();
    assert_eq!(all, (0..12).collect::<Vec<_>>());
    assert!(items.next().is_none());
    assert!(items.next().is_none());
}

#[test]
fn items_in_memory_do_not_drive_the_runtime() {
    let _watchdog = watchdog();
    let rt = runtime();
    let (pages, _) = Pages::new(5);
    assert_eq!(rt.try_iter(pages).count(), 15);
    // one call for each page and one for the end
    assert_eq!(rt.stats().calls, 6);
}

#[test]
fn a_stream_that_promises_too_much_is_driven_after_all() {
    let _watchdog = watchdog();
    struct Boastful(Pages);
    impl Stream for Boastful {
        type Item = Result<usize, Refused>;
        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Pin::new(&mut self.0).poll_next(cx)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (1, None)
        }
    }
    assert_eq!(runtime().try_iter(Boastful(Pages::new(2).0)).count(), 6);
}

#[test]
fn dropping_an_iterator_drops_its_stream_inside_the_runtime() {
    let _watchdog = watchdog();
    struct NeedsRuntime(Drops);
    impl Drop for NeedsRuntime {
        fn drop(&mut self) {
            // panics outside
            tokio::spawn(async {});
            drop(self.0.counted());
        }
    }
    let drops = Drops::default();
    let held = NeedsRuntime(drops.clone());
    let rt = runtime();
    let mut items = rt.iter(stream::iter(0..9).map(move |item| {
        let _held = &held;
        item
    }));
    assert_eq!(items.next(), Some(0));
    drop(items);
    assert_eq!(drops.count(), 1);
}

#[test]
fn the_end_of_a_stream_frees_what_it_holds() {
    let _watchdog = watchdog();
    let drops = Drops::default();
    let held = drops.counted();
    let mut items = runtime().iter(stream::iter(0..2).map(move |item| {
        let _held = &held;
        item
    }));
    assert_eq!(items.by_ref().count(), 2);
    assert_eq!(drops.count(), 1);
    assert_eq!(items.next(), None);
}

#[test]
fn an_error_on_the_way_is_an_item_and_the_stream_goes_on() {
    let _watchdog = watchdog();
    let items = stream::iter([Ok(1), Err(Refused(BlockingError::Cancelled)), Ok(3)]);
    let all: Vec<bool> = runtime().try_iter(items).map(|item| item.is_ok()).collect();
    assert_eq!(all, [true, false, true]);
}

#[test]
fn a_limited_wait_loses_no_item() {
    let _watchdog = watchdog();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let pulled = {
        let gate = Arc::clone(&gate);
        stream::iter(0..3).then(move |item| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                item
            }
        })
    };
    let mut items = runtime().iter(pulled);
    for expected in 0..3 {
        for _ in 0..2 {
            let error = items.next_timeout(Duration::from_millis(1)).unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        gate.add_permits(1);
        assert_eq!(
            items.next_timeout(Duration::from_secs(20)).unwrap(),
            Some(expected)
        );
    }
    assert_eq!(items.next_timeout(Duration::from_millis(1)).unwrap(), None);
}

#[test]
fn a_limit_of_the_options_ends_the_iterator_with_one_error() {
    let _watchdog = watchdog();
    let drops = Drops::default();
    let held = drops.counted();
    let pulled = stream::pending::<Result<u8, Refused>>().map(move |item| {
        let _held = &held;
        item
    });
    let options = CallOptions::default().with_timeout(Duration::from_millis(1));
    let mut items = runtime().try_iter(pulled).with_options(options);
    let error = items.next().unwrap().unwrap_err();
    assert!(error.0.is_timeout(), "{error:?}");
    assert_eq!(drops.count(), 1);
    assert!(items.next().is_none());
}

#[test]
fn a_timeout_counts_anew_for_each_item() {
    let _watchdog = watchdog();
    let options = CallOptions::default().with_timeout(Duration::from_secs(20));
    let rt = runtime();
    let mut items = rt.try_iter(Pages::new(2).0).with_options(options);
    assert!(items.by_ref().all(|item| item.is_ok()));
}

#[test]
fn a_deadline_that_is_over_stops_fetching() {
    let _watchdog = watchdog();
    let options = CallOptions::default().with_deadline(Instant::now());
    let (pages, fetched) = Pages::new(2);
    let mut items = runtime().try_iter(pages).with_options(options);
    assert!(items.next().unwrap().unwrap_err().0.is_timeout());
    assert_eq!(fetched.load(Ordering::SeqCst), 0);
}

#[test]
fn a_cancelled_token_ends_the_iterator_even_with_items_in_memory() {
    let _watchdog = watchdog();
    let token = CancelToken::new();
    let options = CallOptions::default().with_cancel(token.clone());
    let mut items = runtime().try_iter(Pages::new(2).0).with_options(options);
    assert_eq!(items.next().unwrap().unwrap(), 0);
    token.cancel();
    assert!(items.next().unwrap().unwrap_err().0.is_cancelled());
    assert!(items.next().is_none());
}

#[test]
fn misuse_is_an_item_where_items_are_results() {
    let _watchdog = watchdog();
    let (rt, outer) = (runtime(), runtime());
    let mut in_memory = rt.try_iter(stream::iter([Ok::<_, Refused>(1)]));
    let mut fetching = rt.try_iter(Pages::new(1).0);
    outer
        .block_on(async move {
            for error in [in_memory.next(), fetching.next()] {
                assert!(error.unwrap().unwrap_err().0.is_misuse());
            }
        })
        .unwrap();
}

#[test]
fn misuse_is_a_panic_with_the_remedy_where_items_are_plain() {
    let _watchdog = watchdog();
    let rt = runtime();
    let mut items = rt.iter(stream::iter([1]));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rt.block_on(async { items.next() }).unwrap()
    }))
    .unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("use the async client"), "{text}");
}

#[test]
fn an_iterator_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let _watchdog = watchdog();
    let rt: BlockingRuntime = runtime();
    let mut items: BlockingIter<_> = rt.try_iter(Pages::new(2).0);
    is_send(&items);
    assert_eq!(items.next().unwrap().unwrap(), 0);
    let rest = std::thread::spawn(move || items.count()).join().unwrap();
    assert_eq!(rest, 5);
}

//! Misuse, limits, lifetime: what the generated code adds to a call.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bifrons::{BlockingError, BlockingRuntime, CallOptions, CancelToken};

use super::fixture::{Client, Drops, Error, blocking};

/// Not reached.
const LONG: Duration = Duration::from_secs(30);

fn runtime() -> BlockingRuntime {
    BlockingRuntime::builder()
        .build()
        .expect("a runtime can be built")
}

fn in_async_context<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async { call() })
}

fn is_refused<T>(outcome: &Result<T, Error>) -> bool {
    matches!(
        outcome,
        Err(Error::Blocking(BlockingError::InAsyncContext { .. }))
    )
}

#[test]
fn misuse_is_an_error_of_the_method() {
    let client = blocking::Client::new("a");
    in_async_context(|| {
        assert!(is_refused(&client.echo("x")));
        assert!(is_refused(&blocking::Client::connect("a")));
        assert!(is_refused(&client.open(1)));
        // What does not wait is allowed.
        assert_eq!(client.name(), "a");
    });
    assert_eq!(client.echo("x").unwrap(), "a: x");
}

#[test]
fn misuse_of_a_method_without_a_result_panics_with_the_same_text() {
    let client = blocking::Client::new("a");
    let text = in_async_context(|| {
        let Err(Error::Blocking(error)) = client.echo("x") else {
            panic!("not refused")
        };
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| client.count())).unwrap_err();
        assert_eq!(panicked.downcast_ref::<String>(), Some(&error.to_string()));
        error.to_string()
    });
    assert!(text.contains("spawn_blocking"), "{text}");
    assert_eq!(client.count(), 1);
}

#[test]
fn the_panic_of_a_misused_method_points_at_its_caller() {
    thread_local!(static PLACE: Cell<Option<(bool, u32)>> = const { Cell::new(None) });
    let before: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = panic::take_hook().into();
    let chained = before.clone();
    panic::set_hook(Box::new(move |info| {
        PLACE.set(
            info.location()
                .map(|place| (place.file() == file!(), place.line())),
        );
        chained(info);
    }));
    let client = blocking::Client::new("a");
    let (call, line) = (|| client.count(), line!());
    let outcome = in_async_context(|| panic::catch_unwind(AssertUnwindSafe(call)));
    panic::set_hook(Box::new(move |info| before(info)));
    assert!(outcome.is_err());
    assert_eq!(PLACE.get(), Some((true, line)));
}

#[test]
fn misuse_of_an_iterator_is_an_item_where_items_are_results() {
    let client = blocking::Client::new("a");
    let (mut results, mut numbers) = (client.borrowed(2), client.numbers(2));
    let mut pages = client.pages(1);
    in_async_context(|| {
        assert!(is_refused(&results.next().unwrap()));
        assert!(is_refused(&pages.next().unwrap()));
        assert!(panic::catch_unwind(AssertUnwindSafe(|| numbers.next())).is_err());
    });
    // A loop that skips errors comes to an end.
    assert!(results.next().is_none());
    assert!(numbers.next().is_none());
    assert!(pages.next().is_none());
    assert_eq!(pages.size_hint(), (0, Some(0)));
}

#[test]
fn buffered_items_of_a_paginator_do_not_drive_the_runtime() {
    let mut pages = blocking::Client::new_on(runtime(), "a").pages(1);
    assert_eq!(pages.next().unwrap().unwrap(), 0);
    let calls = pages.runtime().stats().calls;
    assert_eq!(pages.next().unwrap().unwrap(), 1);
    assert_eq!(pages.next().unwrap().unwrap(), 2);
    assert_eq!(pages.runtime().stats().calls, calls);
    assert!(pages.next().is_none());
    assert_eq!(pages.runtime().stats().calls, calls + 1);
}

#[test]
fn an_eager_method_drives_the_runtime_only_when_it_has_to_wait() {
    let mut client = blocking::Client::new_on(runtime(), "a");
    let before = client.runtime().stats().calls;
    assert_eq!(client.after(0, 1).unwrap(), 1);
    assert_eq!(client.runtime().stats().calls, before);
    assert_eq!(client.after(2, 2).unwrap(), 2);
    assert_eq!(client.runtime().stats().calls, before + 1);
}

#[test]
fn an_eager_method_is_refused_and_limited_like_others() {
    let mut client = blocking::Client::new_on(runtime(), "a");
    in_async_context(|| assert!(is_refused(&client.after(0, 1))));
    let mut limited = client.with_timeout(Duration::from_millis(5));
    assert!(matches!(
        limited.after(u32::MAX, 1),
        Err(Error::Blocking(BlockingError::TimedOut { .. }))
    ));
    let token = CancelToken::default();
    token.cancel();
    let mut cancelled = client.with_options(CallOptions::default().with_cancel(token));
    assert!(matches!(
        cancelled.after(0, 1),
        Err(Error::Blocking(BlockingError::Cancelled))
    ));
    client.runtime().shutdown(Duration::ZERO);
    assert!(matches!(
        client.after(0, 1),
        Err(Error::Blocking(BlockingError::Closed))
    ));
}

#[test]
fn a_paginator_keeps_its_place_over_a_limit_of_time() {
    let mut pages = blocking::Client::new("a").pages(1);
    let error = pages.next_timeout(Duration::ZERO).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(pages.next_timeout(LONG).unwrap().unwrap().unwrap(), 0);
    assert_eq!(pages.map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_limit_of_time_and_a_cancel_end_the_call() {
    let client = blocking::Client::new("a");
    let timed = client.with_timeout(Duration::from_millis(5));
    assert!(matches!(
        timed.stall(),
        Err(Error::Blocking(BlockingError::TimedOut { .. }))
    ));
    assert_eq!(timed.echo("x").unwrap(), "a: x");

    let token = CancelToken::default();
    token.cancel();
    let cancelled = client.with_options(CallOptions::default().with_cancel(token));
    assert!(matches!(
        cancelled.echo("x"),
        Err(Error::Blocking(BlockingError::Cancelled))
    ));
    assert_eq!(client.echo("x").unwrap(), "a: x");
}

#[test]
fn an_async_value_that_was_used_is_refused() {
    let runtime = BlockingRuntime::shared().unwrap();
    let fresh = blocking::Client::from_async(Client::new("fresh"), runtime.clone()).unwrap();
    assert_eq!(fresh.echo("x").unwrap(), "fresh: x");
    assert_eq!(fresh.as_async().name(), "fresh");
    assert_eq!(fresh.into_async().name(), "fresh");
    let error = blocking::Client::from_async(Client::used("old"), runtime).unwrap_err();
    assert!(error.to_string().contains("make a new one"), "{error}");
}

#[test]
fn the_async_value_is_dropped_in_the_context_of_its_runtime() {
    let drops = Arc::new(Drops::default());
    let runtime = BlockingRuntime::shared().unwrap();
    let make =
        || blocking::Client::from_async(Client::counting(drops.clone()), runtime.clone()).unwrap();
    drop(make());
    in_async_context({
        let client = make();
        move || drop(client)
    });
    let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
        let _client = make();
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(drops.inside.load(Ordering::SeqCst), 3);
    assert_eq!(drops.outside.load(Ordering::SeqCst), 0);
}

#[test]
fn the_last_client_may_hold_the_last_clone_of_its_runtime() {
    let runtime = runtime();
    let drops = Arc::new(Drops::default());
    let client = blocking::Client::from_async(Client::counting(drops.clone()), runtime).unwrap();
    assert_eq!(client.echo("x").unwrap(), "counting: x");
    drop(client);
    assert_eq!(drops.inside.load(Ordering::SeqCst), 1);
}

#[test]
fn debug_shows_the_async_value_and_nothing_of_the_bridge() {
    let client = blocking::Client::new("a");
    let shown = format!("{client:?}");
    assert!(
        shown.starts_with("Client { inner: Client { name: \"a\""),
        "{shown}"
    );
    assert!(!shown.contains("untime {"), "{shown}");
}

#[test]
fn blocking_types_are_send_and_sync_like_their_async_ones() {
    fn check<T: Send + Sync>() {}
    check::<blocking::Client>();
    check::<blocking::Builder>();
    check::<blocking::Paginator<u32>>();
}

//! The scenarios that both faces share, on the async one.

/// Waits for a future.
macro_rules! wait {
    ($future:expr) => {
        $future.await
    };
}

/// Takes the next item of a stream.
macro_rules! next {
    ($stream:expr) => {
        std::future::poll_fn(|cx| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut $stream), cx)
        })
        .await
    };
}

/// Declares tests.
macro_rules! scenarios {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {
        $(
            $(#[$meta])*
            #[tokio::test]
            async fn $name() {
                let _watchdog = testkit::Watchdog::start();
                $body
            }
        )*
    };
}

use reqivo::{Connection, ConnectionPool, Response, Session};

#[path = "conformance/mod.rs"]
mod conformance;
#[path = "scenarios/mod.rs"]
mod scenarios;

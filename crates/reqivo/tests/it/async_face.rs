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

/// Runs something beside the test, which can wait for it by `join!`.
macro_rules! beside {
    ($body:expr) => {
        tokio::spawn(async move { $body })
    };
}

/// Waits for something that was started by `beside!`.
macro_rules! join {
    ($handle:expr) => {
        $handle.await
    };
}

/// Waits until something holds.
macro_rules! until {
    ($condition:expr) => {
        while !$condition {
            tokio::task::yield_now().await;
        }
    };
}

/// Adds a hook that may wait for the body of the response.
macro_rules! after {
    ($builder:expr, [$($kept:ident),*], |$response:pat_param| $body:block) => {{
        $(let $kept = $kept.clone();)*
        $builder.async_post_response_hook(move |$response: Response| {
            $(let $kept = $kept.clone();)*
            async move $body
        })
    }};
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

use reqivo::{self as face, Connection, ConnectionPool, Response, Session};
use tokio::io::AsyncReadExt as ReadBody;

#[path = "conformance/mod.rs"]
mod conformance;
#[path = "scenarios/mod.rs"]
mod scenarios;

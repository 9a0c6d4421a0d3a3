//! The scenarios on the async face.

#[allow(unused_imports, reason = "the face of the scenarios")]
pub(crate) use commandbus::{CommandBus, Database, Transaction};

use crate::place::Place;

macro_rules! wait {
    ($call:expr) => {
        $call.await
    };
}

/// Runs the body so many times at once, with clones of what is captured; results in order.
macro_rules! race {
    ($count:expr, [$($captured:ident),*], |$n:ident| $body:expr) => {{
        let tasks: Vec<_> = (0..$count)
            .map(|$n: usize| {
                $(let $captured = $captured.clone();)*
                tokio::spawn(async move { $body })
            })
            .collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }};
}

/// Declares scenarios: each is a module with a test for every driver, or `only` for the named ones.
macro_rules! scenario {
    ($(#[$meta:meta])* async fn $name:ident($place:ident) $body:block) => {
        scenario! { $(#[$meta])* only(postgres) async fn $name($place) $body }
    };
    ($(#[$meta:meta])* only($($driver:ident),*) async fn $name:ident($place:ident) $body:block) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every scenario needs all")]
            use super::*;

            async fn scenario($place: crate::place::Place) $body

            $(
                #[test]
                fn $driver() {
                    crate::async_face::run(scenario(crate::place::Place::$driver()));
                }
            )*
        }
    };
}

pub(crate) fn run(scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(scenario);
}

/// A database that is set up, with the domains `orders` and `billing`.
pub(crate) async fn open(place: &Place) -> Database {
    let database = Database::connect(place.url()).await.unwrap();
    database.setup(commandbus::SetupMode::Auto).await.unwrap();
    database.ensure_domain("orders").await.unwrap();
    database.ensure_domain("billing").await.unwrap();
    database
}

#[path = "conformance/mod.rs"]
mod conformance;

//! The scenarios on the blocking face.

#[allow(unused_imports, reason = "the face of the scenarios")]
pub(crate) use commandbus::blocking::{CommandBus, Database, Transaction};

use crate::place::Place;

macro_rules! wait {
    ($call:expr) => {
        $call
    };
}

/// Runs the body so many times at once, with clones of what is captured; results in order.
macro_rules! race {
    ($count:expr, [$($captured:ident),*], |$n:ident| $body:expr) => {{
        let threads: Vec<_> = (0..$count)
            .map(|$n: usize| {
                $(let $captured = $captured.clone();)*
                std::thread::spawn(move || $body)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
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

            fn scenario($place: crate::place::Place) $body

            $(
                #[test]
                fn $driver() {
                    scenario(crate::place::Place::$driver());
                }
            )*
        }
    };
}

/// A database that is set up, with the domains `orders` and `billing`.
pub(crate) fn open(place: &Place) -> Database {
    let database = Database::connect(place.url()).unwrap();
    database.setup(commandbus::SetupMode::Auto).unwrap();
    database.ensure_domain("orders").unwrap();
    database.ensure_domain("billing").unwrap();
    database
}

#[path = "conformance/mod.rs"]
mod conformance;

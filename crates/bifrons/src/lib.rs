//! Write a client once as async Rust, use it from async and from blocking code.
//!
//! The async code is the implementation. Its blocking face has the same names and the same
//! results, and holds no decision of its own: it drives the same futures on the caller's thread.
//!
//! # The idea
//!
//! All blocking clients of a process share one small runtime, [`BlockingRuntime::shared`]. It has
//! no thread. A thread that makes a blocking call polls its own future, and drives the sockets and
//! timers of the runtime while it waits; with several callers one of them drives and the others are
//! woken when their turn comes. So a call costs no switch to another thread and back, and the
//! connections in a pool can be used by every caller. Only when a call leaves a spawned task behind
//! does a single keeper thread start, which drives such tasks between calls and sleeps otherwise.
//!
//! ```
//! use std::time::Duration;
//! use bifrons::BlockingError;
//!
//! /// The implementation, async.
//! #[derive(Clone, Debug)]
//! pub struct Fleet;
//!
//! #[bifrons::dual(blocking = crate::blocking::Fleet, always)]
//! impl Fleet {
//!     /// Makes a client.
//!     pub fn new() -> Self {
//!         Self
//!     }
//!
//!     /// Looks a device up.
//!     pub async fn device(&self, id: u32) -> Result<String, BlockingError> {
//!         tokio::time::sleep(Duration::from_millis(1)).await;
//!         Ok(format!("device {id}"))
//!     }
//! }
//!
//! /// The blocking face: the same methods, generated.
//! pub mod blocking {
//!     bifrons::blocking_type!(#[derive(Clone, Debug)] pub struct Fleet wraps crate::Fleet);
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let outer = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! // from async code
//! # outer.block_on(async {
//! assert_eq!(Fleet::new().device(7).await?, "device 7");
//! # Ok::<(), BlockingError>(())
//! # })?;
//!
//! // from blocking code
//! let fleet = blocking::Fleet::new();
//! assert_eq!(fleet.device(7)?, "device 7");
//! let limited = fleet.with_timeout(Duration::from_micros(1));
//! assert!(limited.device(7).unwrap_err().is_timeout());
//! # Ok(())
//! # }
//! ```
//!
//! Underneath is a runtime that runs any future for a thread that blocks:
//!
//! ```
//! use bifrons::BlockingRuntime;
//!
//! let rt = BlockingRuntime::shared()?;
//! assert_eq!(rt.block_on(async { 6 * 7 })?, 42);
//! # Ok::<(), bifrons::BlockingError>(())
//! ```
//!
//! # What a misplaced call does
//!
//! Blocking inside an async task stops an executor thread, and inside the very runtime that would
//! have to do the work it waits for itself. Both are told apart from the places where blocking is
//! right, and answered at once with an error that names the remedy:
//!
//! ```
//! use bifrons::{BlockingError, BlockingRuntime};
//!
//! # let outer = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
//! # outer.block_on(async {
//! let rt = BlockingRuntime::shared()?;
//! let refused = rt.block_on(async { 1 });
//! assert!(matches!(refused, Err(BlockingError::InAsyncContext { .. })));
//!
//! let allowed = tokio::task::spawn_blocking(move || rt.block_on(async { 1 })).await;
//! # let allowed = allowed.unwrap();
//! assert_eq!(allowed?, 1);
//! # Ok::<(), BlockingError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! * [`dual`](macro@dual) and [`blocking_type!`] write the blocking face of a client.
//! * [`BlockingRuntime`] runs futures and streams for blocking callers; [`Mode`] chooses who polls.
//! * [`CallOptions`] and [`CancelToken`] limit a whole call from outside.
//! * [`BlockingIter`] is the blocking form of a stream.
//! * [`BlockingError`] says why a call could not be made.

mod bridge;
mod context;
mod engine;
mod error;
mod handover;
mod iter;
mod manifest;
mod options;
#[cfg(feature = "parity")]
pub mod parity;
#[expect(unsafe_code, reason = "registers the C callbacks for fork and exit")]
mod process;
mod runtime;
mod shared;
mod shutdown;
mod sync;

pub use crate::bridge::{AlreadyUsed, Bridge, Held, Twin};
pub use crate::context::is_driven_by_caller;
pub use crate::error::{AlreadySet, BlockingError, Flavor};
pub use crate::iter::BlockingIter;
pub use crate::options::{CallOptions, CancelToken};
pub use crate::runtime::{BlockingRuntime, Mode, RuntimeBuilder, RuntimeStats, ShutdownReport};

#[doc = include_str!("../docs/blocking_type.md")]
pub use bifrons_macros::blocking_type;
#[doc = include_str!("../docs/dual.md")]
pub use bifrons_macros::dual;

/// What generated code needs besides the public items; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::bridge::{fold_item, or_panic, send};
    pub use crate::manifest::{Entry, Kind, Manifest};
}

/// Runs the examples of the guide for authors of clients.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/two-faces.md")]
mod guide {}

/// The example of `dual` that must not compile, without its one mistake.
///
/// ```
/// mod blocking { bifrons::blocking_type! { pub struct Client wraps crate::Client } }
/// pub struct Client;
/// #[bifrons::dual(blocking = crate::blocking::Client, always)]
/// impl Client {
///     pub async fn ping(&self) {
///         let held = std::sync::Arc::new(1);
///         tokio::task::yield_now().await;
///         drop(held);
///     }
/// }
/// fn main() {}
/// ```
#[cfg(doctest)]
mod send {}

//! Cancellation, concurrency, runtimes.

scenarios! {}

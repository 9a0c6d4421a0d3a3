//! The connection pool.

scenarios! {}

//! TLS.

scenarios! {}

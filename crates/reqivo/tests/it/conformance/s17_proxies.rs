//! Proxies.

scenarios! {}

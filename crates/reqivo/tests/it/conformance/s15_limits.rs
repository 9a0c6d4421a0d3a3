//! Limits on what a server may send.

scenarios! {}

//! Redirects (RFC 9110 15.4).

scenarios! {}

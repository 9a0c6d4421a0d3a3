//! Interim replies and replies without a body (RFC 9110 15.2, RFC 9112 6.3).

scenarios! {}

//! Parsing replies (RFC 9112).

scenarios! {}

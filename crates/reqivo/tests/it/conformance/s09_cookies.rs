//! Cookies (RFC 6265bis).

scenarios! {}

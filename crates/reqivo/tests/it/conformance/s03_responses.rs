//! What a response offers, and content codings (RFC 9110 8.4).

scenarios! {}

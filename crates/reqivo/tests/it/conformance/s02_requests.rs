//! Building requests: the head, the target, the framing of bodies (RFC 9112 3 and 6).

scenarios! {}

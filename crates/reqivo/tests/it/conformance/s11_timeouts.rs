//! Time limits.

scenarios! {}

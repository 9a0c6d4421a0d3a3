//! Errors.

scenarios! {}

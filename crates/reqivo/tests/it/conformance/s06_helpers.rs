//! Small helpers.

scenarios! {}

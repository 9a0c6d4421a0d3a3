//! The facade.

scenarios! {}

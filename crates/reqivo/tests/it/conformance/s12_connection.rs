//! Single connections.

scenarios! {}

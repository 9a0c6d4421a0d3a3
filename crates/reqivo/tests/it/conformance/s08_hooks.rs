//! Hooks, events and middleware.

scenarios! {}

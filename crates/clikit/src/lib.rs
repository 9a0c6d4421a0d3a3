//! Shared program parts.

//! The two faces runtime.

//! A local server that behaves like Sophos Central.

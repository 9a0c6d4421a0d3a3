//! Sophos Central client.

//! The `sophos` program as a library, so that its two binary names share one body.

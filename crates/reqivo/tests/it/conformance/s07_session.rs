//! Sessions: merged headers, base URL, credentials.

scenarios! {}

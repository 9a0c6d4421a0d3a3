//! Stand-ins for servers.

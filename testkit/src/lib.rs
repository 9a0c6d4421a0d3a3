//! Test servers with scripted faults.

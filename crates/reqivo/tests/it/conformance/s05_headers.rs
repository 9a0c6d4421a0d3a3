//! Header fields as a type.

scenarios! {}

//! The `#[dual]` attribute of bifrons.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

/// A boundary that nobody can guess, so that no part can contain it on purpose, nor by chance.
pub(super) fn random() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Hashing under a random key of the process is a generator of random numbers that everyone has.
    let number = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(count);
        hasher.finish()
    };
    format!("reqivo-{:016x}{:016x}", number(), number())
}

/// Whether it is a boundary (RFC 2046 5.1.1). Spaces are left out, which not everyone can read.
pub(super) fn is_valid(boundary: &str) -> bool {
    let permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    (1..=70).contains(&boundary.len()) && boundary.bytes().all(permitted)
}

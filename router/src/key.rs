//! Keys of 128 bits for what has several parts or none of a fixed size: so wide that two never meet by chance.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The key of `parts`, the same for as long as the program runs.
#[must_use]
pub fn key_of(parts: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        parts.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

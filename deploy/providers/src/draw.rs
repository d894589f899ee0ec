//! What is made up: ids, tokens and chances. All of it follows from the seed, so that a run can be repeated.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Numbers that look random. `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// The same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0 to less than 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A name of the provider's kind: what stands before, then 32 hexadecimal digits.
    pub fn sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.uuid().simple())
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> Uuid {
        let (high, low) = (self.bits(), self.bits());
        uuid::Builder::from_u128(u128::from(high) << 64 | u128::from(low))
            .with_variant(uuid::Variant::RFC4122)
            .with_version(uuid::Version::Random)
            .into_uuid()
    }

    /// So many decimal digits, the first not 0.
    pub fn digits(&mut self, count: usize) -> String {
        let first = b'1' + (self.bits() % 9) as u8;
        let rest = (1..count).map(|_| b'0' + (self.bits() % 10) as u8);
        std::iter::once(first).chain(rest).map(char::from).collect()
    }

    /// So many letters and digits.
    pub fn letters(&mut self, count: usize) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        (0..count).map(|_| char::from(ALPHABET[(self.bits() % 32) as usize])).collect()
    }
}

/// A UUID that is always the same for the same text.
pub fn uuid_of(text: &str) -> Uuid {
    uuid::Builder::from_random_bytes(first_half(digest(text))).into_uuid()
}

/// 32 bytes that are always the same for the same text.
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&bytes[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_names() {
        let names = |seed| {
            let mut draw = Draw::new(seed);
            (draw.sid("PN"), draw.digits(17), draw.letters(18), draw.uuid())
        };
        let (sid, digits, letters, uuid) = names(7);
        assert_eq!(names(7).0, sid);
        assert_ne!(names(8).0, sid);
        assert!(sid.len() == 34 && digits.len() == 17 && !digits.starts_with('0') && letters.len() == 18);
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(uuid_of("a"), uuid_of("a"));
        assert!((0..1000).all(|_| (0.0..1.0).contains(&Draw::new(1).share())));
    }
}

//! Spreads routers over time, so that those which found the same fault don't all act at once.

/// Numbers that look random; they needn't be unguessable. SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// The same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Other numbers in each process.
    #[must_use]
    pub fn random() -> Self {
        // Without randomness from the system it still spreads, if no better than its neighbour.
        Self::new(getrandom::u64().unwrap_or_default())
    }

    /// From 0 to less than 1.
    pub fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // 53 bits are what a double holds.
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_lie_between_and_repeat_with_the_seed() {
        let (mut one, mut other) = (Jitter::new(7), Jitter::new(7));
        let shares: Vec<_> = (0..1_000).map(|_| one.share()).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share) && *share == other.share()));
        assert!(shares.iter().any(|share| *share < 0.1) && shares.iter().any(|share| *share > 0.9));
    }
}

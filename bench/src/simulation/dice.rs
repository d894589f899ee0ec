//! What a seed decides.

use std::ops::Range;
use std::time::Duration;

use dialplane_router::follower::Jitter;

/// Numbers that are the same for the same seed.
#[derive(Debug)]
pub struct Dice(Jitter);

impl Dice {
    /// Of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Jitter::new(seed))
    }

    /// Others, which these decide.
    pub fn fork(&mut self) -> Self {
        Self::new(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        (self.0.share() * (1_u64 << 53) as f64) as u64
    }

    /// Whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.share() < probability
    }

    /// One of a range.
    pub fn of(&mut self, range: Range<u64>) -> u64 {
        range.start + (self.0.share() * (range.end - range.start) as f64) as u64
    }

    /// A place in a list of so many, which isn't empty.
    pub fn place(&mut self, length: usize) -> usize {
        (self.0.share() * length as f64) as usize
    }

    /// So many milliseconds.
    pub fn ms(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.of(range))
    }
}

//! When requests are due: fixed beforehand, whatever the answers take.

use std::time::Duration;

/// How requests arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Pattern {
    /// Independently of each other, as callers do: gaps are exponentially distributed.
    Poisson,
    /// At equal gaps.
    Constant,
}

/// The times at which requests are due, from the beginning, in order; the same for the same seed.
#[derive(Clone, Debug)]
pub struct Arrivals {
    pattern: Option<Pattern>,
    gap_ns: f64,
    next_ns: f64,
    end_ns: f64,
    random: u64,
}

impl Arrivals {
    /// `rate` a second, for `duration`.
    #[must_use]
    pub fn new(pattern: Pattern, rate: f64, duration: Duration, seed: u64) -> Self {
        let (pattern, end_ns) = (Some(pattern), duration.as_nanos() as f64);
        Self { pattern, gap_ns: 1e9 / rate, next_ns: 0.0, end_ns, random: seed | 1 }
    }

    /// Each request is due as soon as a connection is free, for `duration`: so many as can be answered.
    #[must_use]
    pub fn as_fast_as_answered(duration: Duration) -> Self {
        let end_ns = duration.as_nanos() as f64;
        Self { pattern: None, gap_ns: 0.0, next_ns: 0.0, end_ns, random: 1 }
    }

    /// The next request's time, in nanoseconds from the beginning, if it is due at `now_ns`.
    pub fn due(&mut self, now_ns: u64) -> Option<u64> {
        let now_ns = now_ns as f64;
        if self.pattern.is_none() {
            self.next_ns = now_ns;
        }
        if self.next_ns > now_ns || self.is_over() {
            return None;
        }
        let due = self.next_ns;
        self.next_ns += match self.pattern {
            Some(Pattern::Poisson) => -self.uniform().ln() * self.gap_ns,
            Some(Pattern::Constant) | None => self.gap_ns,
        };
        Some(due as u64)
    }

    /// Whether none will be due any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.next_ns >= self.end_ns
    }

    /// Above 0, up to 1. Source: Marsaglia, "Xorshift RNGs", with Vigna's multiplier.
    fn uniform(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let bits = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        (bits + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn all(pattern: Pattern) -> Vec<u64> {
        let mut arrivals = Arrivals::new(pattern, 10_000.0, Duration::from_secs(1), 7);
        std::iter::from_fn(|| arrivals.due(SECOND_NS)).collect()
    }

    #[test]
    fn constant_arrivals_have_equal_gaps() {
        let due = all(Pattern::Constant);
        assert_eq!(due.len(), 10_000);
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 100_000));
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread() {
        let due = all(Pattern::Poisson);
        assert!((9_700..10_300).contains(&due.len()), "{}", due.len());
        assert!(due.is_sorted() && due.iter().all(|at| *at < SECOND_NS));
        // Of exponential gaps a share of 1 - 1/e is shorter than their mean.
        let short =
            due.windows(2).filter(|pair| pair[1] - pair[0] < 100_000).count() as f64 / due.len() as f64;
        assert!((short - 0.632).abs() < 0.03, "{short}");
        assert_eq!(due, all(Pattern::Poisson));
    }

    #[test]
    fn nothing_is_due_before_its_time_or_after_the_end() {
        let mut arrivals = Arrivals::new(Pattern::Constant, 1_000.0, Duration::from_millis(2), 1);
        assert_eq!((arrivals.due(0), arrivals.due(0)), (Some(0), None));
        // Asked late, it still tells when the request was due.
        assert_eq!((arrivals.due(9_000_000), arrivals.due(9_000_000)), (Some(1_000_000), None));
        assert!(arrivals.is_over());
    }
}

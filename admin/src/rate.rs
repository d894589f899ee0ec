//! Rates: so many at once, and so many a second from then on.
//!
//! The generic cell rate algorithm: of each bucket one instant is kept, that at which it is full again. Counting windows
//! were refused: at a window's edge they let twice as many through.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Some 5 MB. Buckets that are full again are forgotten first, and nothing is lost with them.
const BUCKETS_MAX: usize = 1 << 16;
/// Looking through all buckets takes a millisecond.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How many at once, and how long until the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// One each `interval`, and `burst` at once; a burst of 0 counts as 1.
    #[must_use]
    pub const fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst: if burst == 0 { 1 } else { burst } }
    }

    /// So many a second, which is at least 1.
    #[must_use]
    pub fn per_second(rate: u32, burst: u32) -> Self {
        Self::new(Duration::from_secs(1) / rate.max(1), burst)
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self::new(self.interval / factor.max(1), self.burst.saturating_mul(factor))
    }

    /// How many at once.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// How long an empty bucket takes to be full.
    #[must_use]
    pub fn refill(&self) -> Duration {
        self.interval.saturating_mul(self.burst)
    }
}

/// How a bucket stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// How many more at once.
    pub remaining: u32,
    /// How long until there is one more than that.
    pub more_in: Duration,
    /// Whether there was one, and it was taken.
    pub is_taken: bool,
}

/// A bucket for each key, in this process alone.
#[derive(Debug)]
pub struct Limiter<K> {
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    /// When each is full again.
    full_at: HashMap<K, Instant>,
    /// That of all for whom there is no room.
    rest_full_at: Option<Instant>,
    swept_at: Option<Instant>,
}

impl<K: Hash + Eq> Default for Limiter<K> {
    fn default() -> Self {
        let buckets = Buckets { full_at: HashMap::new(), rest_full_at: None, swept_at: None };
        Self { buckets: Mutex::new(buckets) }
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Takes one, if there is one.
    pub fn take(&self, key: &K, rate: Rate, now: Instant) -> Standing {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (full_at, standing) = take(buckets.full_at(key), rate, now);
        if standing.is_taken {
            buckets.set(key, full_at, now);
        }
        standing
    }

    /// Empties a bucket, and lets none be taken from it for so long: then one after the other.
    pub fn pause(&self, key: &K, rate: Rate, now: Instant, wait: Duration) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = now + wait + rate.refill().saturating_sub(rate.interval);
        let full_at = buckets.full_at(key).map_or(full_at, |at| at.max(full_at));
        buckets.set(key, full_at, now);
    }

    /// How long until there is one; absent: there is. Takes nothing.
    pub fn wait(&self, key: &K, rate: Rate, now: Instant) -> Option<Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, standing) = take(buckets.full_at(key), rate, now);
        (!standing.is_taken).then_some(standing.more_in)
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn full_at(&self, key: &K) -> Option<Instant> {
        match self.full_at.get(key) {
            Some(full_at) => Some(*full_at),
            None if self.full_at.len() < BUCKETS_MAX => None,
            None => self.rest_full_at,
        }
    }

    fn set(&mut self, key: &K, full_at: Instant, now: Instant) {
        if let Some(bucket) = self.full_at.get_mut(key) {
            *bucket = full_at;
            return;
        }
        if self.full_at.len() >= BUCKETS_MAX
            && self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= SWEEP_INTERVAL)
        {
            self.swept_at = Some(now);
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        if self.full_at.len() < BUCKETS_MAX {
            self.full_at.insert(key.clone(), full_at);
        } else {
            self.rest_full_at = Some(full_at);
        }
    }
}

/// Takes one from a bucket that is full again at `full_at`: when it then is, and how it stands.
fn take(full_at: Option<Instant>, rate: Rate, now: Instant) -> (Instant, Standing) {
    let missing = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
    let is_taken = missing + rate.interval <= rate.refill();
    let missing = if is_taken { missing + rate.interval } else { missing };
    let left = rate.refill().saturating_sub(missing).as_nanos() / rate.interval.as_nanos().max(1);
    let remaining = u32::try_from(left).unwrap_or(u32::MAX);
    let of_one_more = rate.refill().saturating_sub(rate.interval.saturating_mul(remaining.saturating_add(1)));
    (now + missing, Standing { remaining, more_in: missing.saturating_sub(of_one_more), is_taken })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Duration = Duration::from_millis(100);

    #[test]
    fn a_burst_at_once_and_then_one_each_interval() {
        let (limiter, rate, start) = (Limiter::default(), Rate::new(RATE, 3), Instant::now());
        let left: Vec<u32> = (0..3).map(|_| limiter.take(&1, rate, start).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.take(&1, rate, start);
        assert_eq!((refused.is_taken, refused.remaining, refused.more_in), (false, 0, RATE));
        assert_eq!(limiter.wait(&1, rate, start + RATE / 2), Some(RATE / 2));
        // A refusal takes nothing: one interval later there is one, and one alone.
        let next = limiter.take(&1, rate, start + RATE + RATE / 4);
        assert_eq!((next.is_taken, next.remaining, next.more_in), (true, 0, RATE * 3 / 4));
        assert!(!limiter.take(&1, rate, start + RATE * 3 / 2).is_taken);
        // Whoever waits has the whole burst again, and no more than that.
        let later = start + RATE * 1_000;
        let taken = (0..10).filter(|_| limiter.take(&1, rate, later).is_taken).count();
        assert_eq!(taken, 3);
    }

    #[test]
    fn each_key_has_its_own() {
        let (limiter, rate, now) = (Limiter::default(), Rate::new(RATE, 1), Instant::now());
        assert!(limiter.take(&1, rate, now).is_taken);
        assert!(!limiter.take(&1, rate, now).is_taken);
        assert!(limiter.take(&2, rate, now).is_taken);
    }

    #[test]
    fn over_a_long_time_the_rate_holds_whatever_the_pace() {
        for pace_ms in [1, 7, 33, 99] {
            let (limiter, rate, start) = (Limiter::default(), Rate::new(RATE, 5), Instant::now());
            let at = |n: u64| start + Duration::from_millis(n * pace_ms);
            let taken = (0..10_000).filter(|n| limiter.take(&1, rate, at(*n)).is_taken).count();
            let most = 5 + usize::try_from(10_000 * pace_ms / 100).unwrap();
            assert!(taken <= most && taken + 2 >= most.min(10_000), "{pace_ms}: {taken} of {most}");
        }
    }

    #[test]
    fn a_pause_is_for_all_and_what_was_saved_up_is_gone() {
        let (limiter, rate, start) = (Limiter::default(), Rate::new(RATE, 3), Instant::now());
        limiter.pause(&1, rate, start, RATE * 7);
        assert_eq!(limiter.wait(&1, rate, start + RATE * 2), Some(RATE * 5));
        // A shorter one doesn't end it, and others have nothing to do with it.
        limiter.pause(&1, rate, start + RATE, RATE);
        assert!(!limiter.take(&1, rate, start + RATE * 6).is_taken);
        assert!(limiter.take(&2, rate, start).is_taken);
        assert!(limiter.take(&1, rate, start + RATE * 7).is_taken);
        assert_eq!(limiter.wait(&1, rate, start + RATE * 7), Some(RATE));
    }

    #[test]
    fn keys_without_room_share_one_bucket_until_there_is_room() {
        let (limiter, rate, now) = (Limiter::default(), Rate::new(RATE, 1), Instant::now());
        for key in 0..BUCKETS_MAX {
            assert!(limiter.take(&key, rate, now).is_taken);
        }
        assert!(limiter.take(&BUCKETS_MAX, rate, now).is_taken);
        assert!(!limiter.take(&(BUCKETS_MAX + 1), rate, now).is_taken);
        // All are full again: they are forgotten, and newcomers have their own.
        let later = now + SWEEP_INTERVAL;
        assert!(limiter.take(&(BUCKETS_MAX + 1), rate, later).is_taken);
        assert!(limiter.take(&(BUCKETS_MAX + 2), rate, later).is_taken);
    }
}

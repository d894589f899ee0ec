//! How long what is ready waits for a worker's turn, and whether that is too long.
//!
//! A worker polls what is ready in the order in which it became ready. A task that only sleeps, and looks how much too
//! late it is woken, therefore waits as long as what is ready. While one turn after the other is too long, requests
//! that come to their turn too late are refused, with a close: so fewer connections stay than the worker can serve in
//! time. One long turn alone (the machine slept, a burst came) refuses nobody: what piled up is answered.
//!
//! Usual requests are refused earlier, when they are read (`http1::turns`). This is for what goes another way, HTTP/2
//! above all, and for a worker that hasn't the time even to read.
//!
//! Not done: a limit on requests per second, which would have to know the machine; a limit on connections, which counts
//! idle ones, too.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus::Histogram;

/// How often a worker looks. Short beside any sensible limit, long beside the cost of looking.
const EVERY: Duration = Duration::from_millis(20);

/// One worker's lag.
#[derive(Debug)]
pub struct Lag {
    max: Duration,
    origin: Instant,
    /// When the next look is due, in microseconds after the origin.
    due_us: AtomicU64,
    /// Whether the last look came too late.
    late: AtomicBool,
}

impl Lag {
    /// Without any, in which up to `max` is all right.
    #[must_use]
    pub fn new(max: Duration) -> Self {
        let never = AtomicU64::new(u64::MAX);
        Self { max, origin: Instant::now(), due_us: never, late: AtomicBool::new(false) }
    }

    /// How long what is ready may wait.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Looks on and on; each lag is observed.
    pub async fn watch(&self, lags: &Histogram) {
        loop {
            let due = Instant::now() + EVERY;
            self.expect(due);
            tokio::time::sleep_until(due.into()).await;
            let lag = due.elapsed();
            lags.observe(lag.as_secs_f64());
            self.looked(lag);
        }
    }

    /// Whether what comes to its turn now has waited too long.
    #[must_use]
    pub fn excessive(&self) -> bool {
        // The clock is asked only when something is wrong.
        self.late.load(Ordering::Relaxed) && self.excessive_at(Instant::now())
    }

    fn excessive_at(&self, now: Instant) -> bool {
        let due = self.due_us.load(Ordering::Relaxed).saturating_add(micros(self.max));
        self.late.load(Ordering::Relaxed) && micros(now.duration_since(self.origin)) > due
    }

    fn expect(&self, due: Instant) {
        self.due_us.store(micros(due.duration_since(self.origin)), Ordering::Relaxed);
    }

    fn looked(&self, lag: Duration) {
        self.late.store(lag > self.max, Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_long_turn_refuses_nobody_and_the_second_refuses_what_comes_after_the_limit() {
        let lag = Lag::new(100 * MS);
        let start = lag.origin;
        lag.expect(start + 20 * MS);
        assert!(!lag.excessive_at(start + 5_000 * MS), "the machine slept");
        lag.looked(4_980 * MS);
        lag.expect(start + 5_020 * MS);
        assert!(!lag.excessive_at(start + 5_120 * MS));
        assert!(lag.excessive_at(start + 5_121 * MS));
        lag.looked(101 * MS);
        lag.expect(start + 5_141 * MS);
        assert!(!lag.excessive_at(start + 5_141 * MS), "each turn answers up to the limit");
        lag.looked(100 * MS);
        lag.expect(start + 5_300 * MS);
        assert!(!lag.excessive_at(start + 9_000 * MS), "the last turn was short enough");
    }
}

//! Changes at a fixed rate, by the way that they take in service: a stream in Redis.

use std::time::{Duration, Instant};

use crate::feed::{Appender, Feed, SignedDelta};

/// Signs `rate` renamings a second for `duration` beforehand, of numbers spread over the population.
///
/// # Errors
/// See [`Feed::rename`].
pub fn sign(
    feed: &mut Feed,
    rate: u64,
    duration: Duration,
    numbers: u64,
) -> Result<Vec<SignedDelta>, String> {
    let count = rate * duration.as_millis() as u64 / 1_000;
    let first = feed.revision().0;
    (first..first + count)
        .map(|index| feed.rename(index.wrapping_mul(0x9e37_79b9_7f4a_7c15) % numbers))
        .collect()
}

/// Appends them at that rate on a thread of its own.
pub fn append(
    mut appender: Appender,
    deltas: Vec<SignedDelta>,
    rate: u64,
) -> std::thread::JoinHandle<Result<(), String>> {
    std::thread::spawn(move || {
        let started = Instant::now();
        for (index, delta) in deltas.iter().enumerate() {
            let due = Duration::from_secs_f64(index as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            appender.append(delta)?;
        }
        Ok(())
    })
}

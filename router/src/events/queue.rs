//! What waits to be taken by the writer: for each worker a buffer of its own.
//!
//! A worker appends an event's frame under a lock that nobody else wants but the writer, for a moment, twenty times a second;
//! it neither waits nor allocates. A channel would hand over an allocation for each event, and one buffer for all workers
//! would be fought for.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dialplane_common::calls::event::{CallEvent, EVENT_BYTES_MAX};
use tokio::sync::Notify;

use super::metrics::Kind;

/// All buffers together. An event takes some 150 bytes and the writer comes by each 50 ms: a hundred thousand calls a second
/// fill a fifth of it meanwhile.
pub const QUEUE_BYTES: usize = 4 << 20;

/// A buffer with so much in it wakes the writer: what is copied and signed while it is still in a processor's cache costs
/// less than what waited in memory (bench/BASELINES.md).
const ENOUGH_BYTES: usize = 128 << 10;

/// An event with the length in front of it.
const FRAME_BYTES_MAX: usize = EVENT_BYTES_MAX + 4;

/// Events of all workers that wait for the writer.
#[derive(Debug)]
pub struct Queue {
    shards: Box<[Shard]>,
    shard_bytes: usize,
    enough: Notify,
}

/// In cache lines of its own: a worker's lock costs the next worker nothing.
#[derive(Debug)]
#[repr(align(128))]
struct Shard(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    frames: Vec<u8>,
    counts: Counts,
}

/// How many events came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// That were taken in, by [`Kind`].
    pub kinds: [u64; Kind::ALL.len()],
    /// For which there was no room.
    pub full: u64,
    /// That are longer than an event may be.
    pub too_long: u64,
}

thread_local! {
    /// The thread's place among those that ever offered an event.
    static PLACE: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    PLACE.with(|place| {
        if place.get() == usize::MAX {
            place.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        place.get()
    })
}

fn lock(shard: &Shard) -> MutexGuard<'_, Waiting> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// For so many workers, `bytes` for all of them together.
    #[must_use]
    pub fn new(workers: usize, bytes: usize) -> Self {
        let workers = workers.max(1);
        let shard_bytes = (bytes / workers).max(2 * FRAME_BYTES_MAX);
        let shard = || {
            Shard(Mutex::new(Waiting { frames: Vec::with_capacity(shard_bytes), counts: Counts::default() }))
        };
        let shards = std::iter::repeat_with(shard).take(workers).collect();
        Self { shards, shard_bytes, enough: Notify::new() }
    }

    /// Takes an event in, or counts it where there is no room.
    pub fn offer(&self, event: &CallEvent<'_>) {
        let mut waiting = lock(&self.shards[place() % self.shards.len()]);
        let before = waiting.frames.len();
        if before + FRAME_BYTES_MAX > self.shard_bytes {
            waiting.counts.full += 1;
            return;
        }
        if !event.write(&mut waiting.frames) {
            waiting.counts.too_long += 1;
            return;
        }
        waiting.counts.kinds[Kind::of(&event.what) as usize] += 1;
        let enough = ENOUGH_BYTES.min(self.shard_bytes / 2);
        let is_enough = before < enough && waiting.frames.len() >= enough;
        drop(waiting);
        if is_enough {
            self.enough.notify_one();
        }
    }

    /// Resolves when the writer is worth waking before its time.
    pub async fn enough(&self) {
        self.enough.notified().await;
    }

    /// An empty buffer, to change for a full one.
    #[must_use]
    pub fn spare(&self) -> Vec<u8> {
        Vec::with_capacity(self.shard_bytes)
    }

    /// Appends all that waits to `out`. Buffers are changed for `spare`, so that a worker waits for no copying.
    pub fn take(&self, spare: &mut Vec<u8>, out: &mut Vec<u8>) -> Counts {
        let mut sum = Counts::default();
        for shard in &self.shards {
            // So that no worker has to.
            spare.reserve(self.shard_bytes);
            let mut waiting = lock(shard);
            std::mem::swap(&mut waiting.frames, spare);
            let counts = std::mem::take(&mut waiting.counts);
            drop(waiting);
            if out.is_empty() {
                // Nothing to copy: the buffers change places.
                std::mem::swap(out, spare);
            } else {
                out.extend_from_slice(spare);
            }
            spare.clear();
            sum.add(&counts);
        }
        sum
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.kinds.iter_mut().zip(other.kinds).for_each(|(sum, count)| *sum += count);
        self.full += other.full;
        self.too_long += other.too_long;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::samples::event;

    fn take(queue: &Queue) -> (Vec<u8>, Counts) {
        let (mut spare, mut out) = (queue.spare(), Vec::new());
        let counts = queue.take(&mut spare, &mut out);
        (out, counts)
    }

    #[test]
    fn what_is_offered_is_taken_once_and_in_order() {
        let queue = Queue::new(2, QUEUE_BYTES);
        queue.offer(&event("CA1"));
        queue.offer(&event("CA2"));
        let (frames, counts) = take(&queue);
        let read: Vec<_> = CallEvent::read_all(&frames).collect();
        assert_eq!(read, [Ok(event("CA1")), Ok(event("CA2"))]);
        assert_eq!(counts.kinds[Kind::Message as usize], 2);
        assert_eq!(take(&queue), (vec![], Counts::default()));
    }

    #[test]
    fn every_thread_is_heard() {
        let queue = Queue::new(2, QUEUE_BYTES);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| queue.offer(&event("CA1"))));
            }
        });
        let (frames, counts) = take(&queue);
        assert_eq!(CallEvent::read_all(&frames).filter(Result::is_ok).count(), 400);
        assert_eq!((counts.kinds.iter().sum::<u64>(), counts.full), (400, 0));
    }

    #[test]
    fn a_full_buffer_drops_and_counts_and_never_grows() {
        let queue = Queue::new(1, 0);
        (0..1_000).for_each(|_| queue.offer(&event("CA1")));
        queue.offer(&event(&"x".repeat(EVENT_BYTES_MAX)));
        let (frames, counts) = take(&queue);
        let kept = CallEvent::read_all(&frames).count() as u64;
        assert!(kept > 0 && frames.len() <= queue.shard_bytes, "{kept} events, {} bytes", frames.len());
        assert_eq!(counts.full + kept, 1_001);
        queue.offer(&event(&"x".repeat(EVENT_BYTES_MAX)));
        queue.offer(&event("CA1"));
        let (frames, counts) = take(&queue);
        assert_eq!((CallEvent::read_all(&frames).count(), counts.too_long), (1, 1));
    }

    #[test]
    fn the_writer_is_woken_when_there_is_enough() {
        let queue = Queue::new(1, 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let is_woken = |queue: &Queue| {
            let waited =
                async { tokio::time::timeout(std::time::Duration::from_secs(1), queue.enough()).await };
            runtime.as_ref().unwrap().block_on(waited).is_ok()
        };
        queue.offer(&event("CA1"));
        assert!(!is_woken(&queue));
        (0..1_000).for_each(|_| queue.offer(&event("CA1")));
        assert!(is_woken(&queue));
        assert!(!is_woken(&queue), "once each time");
    }
}

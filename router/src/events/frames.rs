//! Events on their way from the workers' buffers into batches.

use std::time::Instant;

use dialplane_common::calls::batch::EVENTS_BYTES_MAX;
use dialplane_common::calls::event::first_frame_bytes;

use super::queue::{Counts, Queue};

/// Frames of events, to be cut into batches.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// What of them is in batches already.
    cut: usize,
    since: Option<Instant>,
}

impl Frames {
    /// Takes what waits in a queue.
    pub fn take(&mut self, queue: &Queue, spare: &mut Vec<u8>, now: Instant) -> Counts {
        let counts = queue.take(spare, &mut self.bytes);
        if !self.bytes.is_empty() {
            self.since.get_or_insert(now);
        }
        counts
    }

    /// How many bytes are here.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Since when the oldest event has been here.
    #[must_use]
    pub const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The frames of the next batch and how many they are, if there are enough to fill one.
    pub fn next_full(&mut self) -> Option<(&[u8], u64)> {
        if self.bytes.len() - self.cut < EVENTS_BYTES_MAX { None } else { self.next_any() }
    }

    /// The same, however few they are.
    pub fn next_any(&mut self) -> Option<(&[u8], u64)> {
        let start = self.cut;
        let (mut length, mut events) = (0, 0);
        while let Some(next) = first_frame_bytes(&self.bytes[start + length..]) {
            if length + next > EVENTS_BYTES_MAX && events > 0 {
                break;
            }
            length += next;
            events += 1;
        }
        self.cut += length;
        (events > 0).then(|| (&self.bytes[start..start + length], events))
    }

    /// Forgets what is in batches, so that the rest stands at the front.
    pub fn forget_cut(&mut self) {
        self.bytes.drain(..self.cut);
        if self.cut > 0 {
            self.since = self.since.filter(|_| !self.bytes.is_empty());
        }
        self.cut = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::queue::QUEUE_BYTES;
    use crate::events::samples::event;
    use dialplane_common::calls::event::CallEvent;

    #[test]
    fn batches_are_cut_between_events_and_none_is_too_long() {
        let queue = Queue::new(1, QUEUE_BYTES);
        let ids: Vec<String> = (0..2_000).map(|index| format!("CA{}", "x".repeat(index % 250))).collect();
        ids.iter().for_each(|id| queue.offer(&event(id)));
        let (mut frames, mut spare) = (Frames::default(), queue.spare());
        frames.take(&queue, &mut spare, Instant::now());
        let mut read = Vec::new();
        let mut add = |(batch, events): (&[u8], u64)| {
            assert!(batch.len() <= EVENTS_BYTES_MAX, "{} bytes", batch.len());
            let before = read.len();
            read.extend(CallEvent::read_all(batch).map(|event| event.unwrap().call_id.into_owned()));
            assert_eq!((read.len() - before) as u64, events);
            batch.len()
        };
        let mut batches = 0;
        while let Some(batch) = frames.next_full() {
            assert!(add(batch) > EVENTS_BYTES_MAX - 500, "it is full");
            batches += 1;
        }
        assert!(batches > 2);
        frames.forget_cut();
        assert!(frames.since().is_some() && frames.bytes() < EVENTS_BYTES_MAX);
        add(frames.next_any().unwrap());
        frames.forget_cut();
        assert_eq!((frames.since(), frames.bytes(), frames.next_any()), (None, 0, None));
        assert_eq!(read, ids);
    }
}

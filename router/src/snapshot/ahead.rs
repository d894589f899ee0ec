//! What answers several calls, fetched from memory for all of them at once.
//!
//! Among ten million numbers each call's is in no cache, and the way from number to tenant to agent is five waits for
//! memory, one after the other: longer than to check a signature. To ask ahead for one number doesn't shorten it much,
//! as the processor goes no further than some hundred instructions while it looks for a page. But it looks for many at a
//! time: so each step of the way is taken for all numbers before the next.

use dialplane_common::e164::E164;

use super::{Number, Snapshot};

/// How many numbers are fetched at a time.
pub const NUMBERS_AT_A_TIME: usize = 32;

impl Snapshot {
    /// Fetches into the processor's caches what answers calls to these numbers. Changes nothing but time. Of more than
    /// [`NUMBERS_AT_A_TIME`] the rest is left where it is.
    pub fn fetch(&self, called: &[E164]) {
        let called = &called[..called.len().min(NUMBERS_AT_A_TIME)];
        for number in called {
            self.numbers.prefetch_branch(number.to_u64());
        }
        for number in called {
            self.numbers.prefetch_entry(number.to_u64());
        }
        let mut found = [None; NUMBERS_AT_A_TIME];
        for (found, number) in found.iter_mut().zip(called) {
            *found = self.number(*number);
            found.iter().copied().for_each(Number::prefetch_slots);
        }
        let found = &found[..called.len()];
        found.iter().flatten().copied().for_each(Number::prefetch_records);
        found.iter().flatten().copied().for_each(Number::prefetch_target);
    }
}

//! How many streams are open: by one holder of a key, and at all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Streams that one holder has at a time: more than the tabs and processes of one, fewer than hurt.
pub const HOLDER_MAX: usize = 20;
/// Streams of this process: half of the connections that it takes, so that requests have the other half.
pub const ALL_MAX: usize = 512;

/// Who opened a stream, as a hash.
pub type Holder = [u8; 32];

/// Counts open streams.
#[derive(Clone, Default)]
pub struct Slots(Arc<Mutex<HashMap<Holder, usize>>>);

/// An open stream; it ends when this is dropped.
pub struct Slot {
    slots: Slots,
    holder: Holder,
}

/// Why there is no room for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// The holder has as many as it may.
    Holder,
    /// All have as many as there may be.
    All,
}

impl Slots {
    fn open(&self) -> MutexGuard<'_, HashMap<Holder, usize>> {
        // Each change is one step: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens one.
    ///
    /// # Errors
    /// When there is no room.
    pub fn take(&self, holder: Holder) -> Result<Slot, Full> {
        let mut open = self.open();
        if open.values().sum::<usize>() >= ALL_MAX {
            return Err(Full::All);
        }
        let count = open.entry(holder).or_default();
        if *count >= HOLDER_MAX {
            return Err(Full::Holder);
        }
        *count += 1;
        Ok(Slot { slots: self.clone(), holder })
    }

    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open().values().sum()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.open();
        if let Entry::Occupied(mut count) = open.entry(self.holder) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_takes_no_room_from_another() {
        let slots = Slots::default();
        let taken: Vec<_> = (0..HOLDER_MAX).map(|_| slots.take([1; 32]).ok().unwrap()).collect();
        assert_eq!(slots.take([1; 32]).err(), Some(Full::Holder));
        let other = slots.take([2; 32]).ok();
        assert!(other.is_some());
        drop(taken);
        assert!(slots.take([1; 32]).is_ok());
        drop(other);
        assert_eq!(slots.count(), 0);
    }

    #[test]
    fn there_is_an_end_for_all() {
        let slots = Slots::default();
        let holder = |number: usize| {
            let mut holder = [0; 32];
            holder[..8].copy_from_slice(&number.to_be_bytes());
            holder
        };
        let taken: Vec<_> = (0..ALL_MAX).map(|number| slots.take(holder(number)).ok().unwrap()).collect();
        assert_eq!(slots.take([9; 32]).err(), Some(Full::All));
        drop(taken);
        assert_eq!(slots.count(), 0);
    }
}

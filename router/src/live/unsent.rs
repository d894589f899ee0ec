//! Which calls the other routers are to be told of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use dialplane_common::live::CallKey;

/// So many wait at most: what comes in a second at a rate that nobody has. Beyond, all calls are looked through for those
/// that nobody was told of.
const WAITING_MAX: usize = 1 << 16;

/// Calls that the other routers are to be told of, in order.
#[derive(Debug, Default)]
pub struct Unsent {
    waiting: Mutex<Vec<CallKey>>,
    overflowed: AtomicBool,
}

impl Unsent {
    /// One more.
    pub fn push(&self, key: CallKey) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < WAITING_MAX {
            waiting.push(key);
        } else {
            self.overflowed.store(true, Ordering::Relaxed);
        }
    }

    /// Takes all; none wait then.
    pub fn take(&self) -> Vec<CallKey> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there were more than can wait, since this was last asked.
    pub fn take_overflow(&self) -> bool {
        self.overflowed.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_no_more_than_it_may_and_says_so() {
        let unsent = Unsent::default();
        (0..WAITING_MAX).for_each(|key| unsent.push(CallKey(key as u128)));
        assert!(!unsent.take_overflow());
        unsent.push(CallKey(0));
        assert!(unsent.take_overflow() && !unsent.take_overflow());
        assert_eq!((unsent.take().len(), unsent.take().len()), (WAITING_MAX, 0));
    }
}

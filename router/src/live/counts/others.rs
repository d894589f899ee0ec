//! What this router tells others of calls, hears from them, and finds in Redis.

use std::sync::atomic::Ordering;

use dashmap::mapref::entry::Entry;
use dialplane_common::live::{CallKey, State};
use dialplane_common::time::UnixSeconds;

use super::{Known, LiveCallCounts};

/// What came of a state that another router told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It holds now.
    Taken,
    /// It was known, or something later is.
    Known,
    /// The call is over, as this router knows.
    Over,
    /// Its time is over.
    Expired,
    /// As many calls as can be are known.
    Full,
}

impl LiveCallCounts {
    /// Takes in what another router told, or Redis holds.
    pub fn hear(&self, key: CallKey, state: State, now: UnixSeconds) -> Heard {
        if state.until() <= now {
            return Heard::Expired;
        }
        match self.calls.entry(key) {
            Entry::Occupied(mut known) if state > known.get().state => {
                known.get().state.counted().into_iter().for_each(|call| self.uncount(call));
                state.counted().into_iter().for_each(|call| self.count(call));
                *known.get_mut() = self.known(state, true);
                Heard::Taken
            }
            Entry::Occupied(known) => match known.get().state {
                State::Ended(_) if state.counted().is_some() => Heard::Over,
                _ => Heard::Known,
            },
            Entry::Vacant(_) if self.is_full() => Heard::Full,
            Entry::Vacant(vacant) => {
                state.counted().into_iter().for_each(|call| self.count(call));
                vacant.insert(self.new_known(state, true));
                Heard::Taken
            }
        }
    }

    /// What the others are to be told, at most all that waits. Each call once, as it is now.
    #[must_use]
    pub fn unsent(&self) -> Vec<(CallKey, State)> {
        let mut keys = self.unsent.take();
        keys.sort_unstable();
        keys.dedup();
        let untold =
            |key| self.calls.get(&key).filter(|known| !known.is_stored).map(|known| (key, known.state));
        keys.into_iter().filter_map(untold).collect()
    }

    /// All calls that nobody was told of: after Redis was away, and where more came than can wait.
    pub fn find_unsent(&self) {
        self.calls.iter().filter(|known| !known.is_stored).for_each(|known| self.unsent.push(*known.key()));
    }

    /// Whether there is anything that nobody was told of.
    #[must_use]
    pub fn has_untold(&self) -> bool {
        self.calls.iter().any(|known| !known.is_stored)
    }

    /// Whether more came than can wait, since this was last asked.
    #[must_use]
    pub fn has_overflowed(&self) -> bool {
        self.unsent.take_overflow()
    }

    /// The others were told this.
    pub fn sent(&self, calls: &[(CallKey, State)]) {
        for (key, state) in calls {
            if let Some(mut known) = self.calls.get_mut(key).filter(|known| known.state == *state) {
                *known = self.known(*state, true);
            }
        }
    }

    /// Tells the others again that a call is over.
    pub fn resend(&self, key: CallKey) {
        if let Some(mut known) = self.calls.get_mut(&key) {
            known.is_stored = false;
            drop(known);
            self.unsent.push(key);
        }
    }

    /// Whether this router was the one to learn that a call is over.
    #[must_use]
    pub fn has_ended_here(&self, key: CallKey) -> bool {
        let ended_here = |state: State| matches!(state, State::Ended(ended) if ended.router == self.router);
        self.calls.get(&key).is_some_and(|known| ended_here(known.state))
    }

    /// Begins a comparison with Redis: what comes from now on isn't judged by it.
    #[must_use]
    pub fn begin_round(&self) -> u32 {
        self.round.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// Calls that count, that Redis should hold since before this round, and that aren't among those it holds.
    #[must_use]
    pub fn missing(&self, round: u32, is_held: impl Fn(CallKey) -> bool) -> Vec<(CallKey, State)> {
        let is_missing =
            |known: &Known| known.is_stored && known.round != round && known.state.counted().is_some();
        let missing = self.calls.iter().filter(|known| is_missing(known) && !is_held(*known.key()));
        missing.map(|known| (*known.key(), known.state)).collect()
    }

    /// A call isn't under way any more, as Redis has forgotten it. Unless something came of it meanwhile.
    pub fn forget(&self, key: CallKey, state: State) {
        if let Some((_, known)) = self.calls.remove_if(&key, |_, known| known.state == state) {
            self.size.fetch_sub(1, Ordering::Relaxed);
            known.state.counted().into_iter().for_each(|call| self.uncount(call));
        }
    }
}

//! What this router knows of calls under way: its own and others'.

mod others;

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use dialplane_common::calls::batch::WriterId;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::live::{CALL_S_MAX, CallKey, Counted, Ended, State};
use dialplane_common::time::{UnixMillis, UnixSeconds};
pub use others::Heard;
use uuid::Uuid;

use super::limited::{Limited, Limits};
use super::unsent::Unsent;

/// How long an end is remembered, in seconds: several comparisons with Redis, so that a beginning which it met there, or
/// which comes late, is found to be over.
pub const ENDED_S: i64 = 120;

/// A sign of life is told to others when it moves the end of a call's time by so much, in seconds.
const REFRESH_S_MAX: i64 = 60;

/// No more calls are known, ends that are remembered included: some 200 MB. Those beyond aren't counted.
const CALLS_MAX: usize = 1 << 20;

/// Calls under way.
///
/// Who changes a call holds its entry meanwhile, and counts while holding it: counts and calls agree.
#[derive(Debug)]
pub struct LiveCallCounts {
    router: WriterId,
    call_s_max: i64,
    calls: DashMap<CallKey, Known>,
    tenants: DashMap<TenantId, u32>,
    numbers: DashMap<PhoneNumberId, u32>,
    size: AtomicUsize,
    round: AtomicU32,
    unsent: Unsent,
}

/// What is known of a call.
#[derive(Clone, Copy, Debug)]
struct Known {
    state: State,
    /// Redis holds this, or has nothing to hold for an end.
    is_stored: bool,
    /// The comparison during which it came: that one may have missed it in Redis.
    round: u32,
}

impl Default for LiveCallCounts {
    fn default() -> Self {
        Self::new(Duration::from_secs(CALL_S_MAX.unsigned_abs()))
    }
}

impl LiveCallCounts {
    /// None, for one life of a router. A call is forgotten after `call_max` without a sign of life.
    #[must_use]
    pub fn new(call_max: Duration) -> Self {
        let call_s_max = i64::try_from(call_max.as_secs()).unwrap_or(CALL_S_MAX).clamp(1, CALL_S_MAX);
        let mut id = [0; 16];
        // Without randomness, two routers are taken for one: neither hears the other.
        let _ = getrandom::fill(&mut id);
        Self {
            router: WriterId(Uuid::from_bytes(id)),
            call_s_max,
            calls: DashMap::new(),
            tenants: DashMap::new(),
            numbers: DashMap::new(),
            size: AtomicUsize::new(0),
            round: AtomicU32::new(0),
            unsent: Unsent::default(),
        }
    }

    /// This router in what it tells others.
    #[must_use]
    pub const fn router(&self) -> WriterId {
        self.router
    }

    /// Whether nothing is known of any call, as where nobody has a limit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of how many calls something is known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Counts a call of these from now on, once however often it asks. Says whether it may be: one that would be one too
    /// many isn't counted. One that is counted already, or is over, may; one beyond all that can be known may, too.
    pub fn begin(
        &self,
        key: CallKey,
        (tenant, number): (TenantId, Option<PhoneNumberId>),
        limited: Limited,
        now: UnixMillis,
    ) -> bool {
        let until = UnixSeconds(now.seconds().0.saturating_add(self.call_s_max));
        let call = Counted { noted_ms: now.0, until, router: self.router, tenant, number };
        match self.calls.entry(key) {
            Entry::Occupied(mut known) => {
                let State::Counted(before) = known.get().state else { return true };
                let has_moved = (before.tenant, before.number) != (tenant, number);
                if has_moved || self.is_worth_telling(&before, until) {
                    self.replace(key, known.get_mut(), call);
                }
                true
            }
            Entry::Vacant(vacant) => {
                if self.is_full() {
                    return true;
                }
                // Counted before it can be found, so that its end, should it come at once, finds it counted.
                if !self.count_within(&call, limited) {
                    return false;
                }
                vacant.insert(self.new_known(State::Counted(call), false));
                self.unsent.push(key);
                true
            }
        }
    }

    /// A sign of life of a call. Of one that isn't counted, it changes nothing.
    pub fn refresh(&self, key: CallKey, now: UnixMillis) {
        let until = UnixSeconds(now.seconds().0.saturating_add(self.call_s_max));
        if let Some(mut known) = self.calls.get_mut(&key)
            && let State::Counted(before) = known.state
            && self.is_worth_telling(&before, until)
        {
            self.replace(key, &mut known, Counted { until, noted_ms: now.0, ..before });
        }
    }

    const fn is_worth_telling(&self, before: &Counted, until: UnixSeconds) -> bool {
        let eighth = self.call_s_max / 8;
        let worth = if eighth < REFRESH_S_MAX { eighth } else { REFRESH_S_MAX };
        until.0 - before.until.0 > worth
    }

    /// A call has ended. One that ended before changes nothing; of one that isn't known, it is remembered where somebody
    /// has a limit, as the router where it began may not have told of it yet.
    pub fn end(&self, key: CallKey, has_limit: bool, now: UnixMillis) {
        if !has_limit && !self.calls.contains_key(&key) {
            return;
        }
        let ended =
            Ended { until: UnixSeconds(now.seconds().0.saturating_add(ENDED_S)), router: self.router };
        let state = State::Ended(ended);
        match self.calls.entry(key) {
            Entry::Occupied(mut known) => {
                let State::Counted(call) = known.get().state else { return };
                self.uncount(&call);
                *known.get_mut() = self.known(state, false);
            }
            Entry::Vacant(_) if !has_limit || self.is_full() => return,
            Entry::Vacant(vacant) => {
                vacant.insert(self.new_known(state, false));
            }
        }
        self.unsent.push(key);
    }

    /// The calls that count, besides the one that asks, as conditions ask for them.
    #[must_use]
    pub fn limits(&self, limited: Limited, asking: Option<CallKey>) -> Limits<'_> {
        Limits::new(self, limited, asking)
    }

    /// What is counted of a call.
    #[must_use]
    pub fn counted(&self, key: CallKey) -> Option<Counted> {
        self.calls.get(&key).and_then(|known| known.state.counted().copied())
    }

    /// How many calls a tenant has.
    #[must_use]
    pub fn of_tenant(&self, id: TenantId) -> u32 {
        self.tenants.get(&id).map_or(0, |count| *count)
    }

    /// How many calls a number has.
    #[must_use]
    pub fn of_number(&self, id: PhoneNumberId) -> u32 {
        self.numbers.get(&id).map_or(0, |count| *count)
    }

    /// All tenants that have calls, with how many.
    #[must_use]
    pub fn tenants(&self) -> Vec<(TenantId, u32)> {
        self.tenants.iter().map(|count| (*count.key(), *count.value())).collect()
    }

    /// Forgets what has to be forgotten.
    pub fn expire(&self, now: UnixSeconds) {
        self.calls.retain(|_, known| {
            let keep = known.state.until() > now;
            if !keep {
                known.state.counted().into_iter().for_each(|call| self.uncount(call));
                self.size.fetch_sub(1, Ordering::Relaxed);
            }
            keep
        });
    }

    fn replace(&self, key: CallKey, known: &mut Known, mut call: Counted) {
        if let State::Counted(before) = known.state {
            self.uncount(&before);
            // Later than what it replaces, whoever's clock that was by.
            call.noted_ms = call.noted_ms.max(before.noted_ms.saturating_add(1));
        }
        call.router = self.router;
        self.count(&call);
        *known = self.known(State::Counted(call), false);
        self.unsent.push(key);
    }

    fn known(&self, state: State, is_stored: bool) -> Known {
        Known { state, is_stored, round: self.round.load(Ordering::Relaxed) }
    }

    fn new_known(&self, state: State, is_stored: bool) -> Known {
        self.size.fetch_add(1, Ordering::Relaxed);
        self.known(state, is_stored)
    }

    fn is_full(&self) -> bool {
        self.len() >= CALLS_MAX
    }

    /// Counts a call, unless its tenant or number has as many as it may. Looking and counting are one.
    fn count_within(&self, call: &Counted, limited: Limited) -> bool {
        let most = |limit: Option<u16>| limit.map_or(u32::MAX, u32::from);
        if !up(&self.tenants, call.tenant, most(limited.tenant.map(|limit| limit.1))) {
            return false;
        }
        let is_within = call
            .number
            .is_none_or(|number| up(&self.numbers, number, most(limited.number.map(|limit| limit.1))));
        if !is_within {
            down(&self.tenants, &call.tenant);
        }
        is_within
    }

    fn count(&self, call: &Counted) {
        self.count_within(call, Limited::default());
    }

    fn uncount(&self, call: &Counted) {
        down(&self.tenants, &call.tenant);
        if let Some(number) = &call.number {
            down(&self.numbers, number);
        }
    }
}

/// One more, unless there are as many as may be.
fn up<K: std::hash::Hash + Eq>(counts: &DashMap<K, u32>, key: K, most: u32) -> bool {
    let mut count = counts.entry(key).or_default();
    let is_within = *count < most;
    *count += u32::from(is_within);
    is_within
}

/// One less; at none the entry goes, so that memory is bounded by the calls under way.
fn down<K: std::hash::Hash + Eq + Copy>(counts: &DashMap<K, u32>, key: &K) {
    if let Some(mut count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
    }
    counts.remove_if(key, |_, count| *count == 0);
}

#[cfg(test)]
mod tests;

//! Calls under way, of tenants and numbers that have a limit.
//!
//! Counted by this router alone: a call begins with its routing decision and ends with the provider's word for that,
//! or once no call lasts so long.

use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashMap;
use dialplane_common::ids::{AccountId, PhoneNumberId, TenantId};
use dialplane_common::route::{LimitScope, LiveCalls};
use dialplane_common::time::UnixSeconds;

use crate::key::key_of;
use crate::snapshot::{Number, Tenant};

/// No call lasts longer: the longest that providers let one last.
const CALL_S_MAX: i64 = 4 * 60 * 60;

/// How often calls are looked for whose provider didn't say that they ended. By time, not by how many calls there are:
/// a tenant whose few calls all lack an end would stay over its limit for good.
const LOOK_EVERY_S: i64 = 60;

/// Calls under way.
#[derive(Debug, Default)]
pub struct LiveCallCounts {
    calls: DashMap<u128, Call>,
    tenants: DashMap<TenantId, u32>,
    numbers: DashMap<PhoneNumberId, u32>,
    /// The second, since 1970, of the next look for calls that are forgotten.
    look_at: AtomicI64,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    tenant: TenantId,
    number: Option<PhoneNumberId>,
    until: UnixSeconds,
}

/// Whose calls are counted, and up to what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limited {
    /// The tenant and how many calls it may have.
    pub tenant: Option<(TenantId, u16)>,
    /// The number and how many calls it may have.
    pub number: Option<(PhoneNumberId, u16)>,
}

impl Limited {
    /// Whether anybody has a limit.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.tenant.is_some() || self.number.is_some()
    }

    /// The limits of a tenant and its number.
    #[must_use]
    pub fn of(id: TenantId, tenant: &Tenant, number: Option<Number<'_>>) -> Self {
        Self {
            tenant: tenant.calls_max.map(|most| (id, most)),
            number: number.and_then(|number| Some((number.id(), number.calls_max()?))),
        }
    }
}

impl LiveCallCounts {
    /// Counts a call of these from now on, once however often it asks, when any of them has a limit.
    ///
    /// A call is known by its account too: who proves to be one account can't end or take over another's calls.
    pub fn begin(
        &self,
        tenant: TenantId,
        number: Option<PhoneNumberId>,
        limited: Limited,
        (account, call_id): (AccountId, &str),
        now: UnixSeconds,
    ) {
        if !limited.is_any() {
            return;
        }
        // Counted before it can be found, so that its end, should it come at once, finds it counted.
        *self.tenants.entry(tenant).or_default() += 1;
        if let Some(number) = number {
            *self.numbers.entry(number).or_default() += 1;
        }
        let call = Call { tenant, number, until: UnixSeconds(now.0.saturating_add(CALL_S_MAX)) };
        if let Some(before) = self.calls.insert(key_of(&(account, call_id)), call) {
            self.uncount(&before);
        }
    }

    /// A call has ended. One that isn't counted, or ended before, changes nothing.
    pub fn end(&self, account: AccountId, call_id: &str) {
        if let Some((_, call)) = self.calls.remove(&key_of(&(account, call_id))) {
            self.uncount(&call);
        }
    }

    /// The calls of these besides `asking`, as conditions ask for them: a call that asks again isn't one call more.
    #[must_use]
    pub fn limits(
        &self,
        limited: Limited,
        asking: Option<(AccountId, &str)>,
        now: UnixSeconds,
    ) -> Limits<'_> {
        if !limited.is_any() {
            return Limits { counts: self, limited, asking: None };
        }
        self.look(now);
        let asking = asking
            .and_then(|(account, id)| self.calls.get(&key_of(&(account, id))).map(|call| *call.value()));
        Limits { counts: self, limited, asking }
    }

    /// Forgets what has to be forgotten, once in [`LOOK_EVERY_S`].
    fn look(&self, now: UnixSeconds) {
        let due = self.look_at.load(Ordering::Relaxed);
        let next = now.0.saturating_add(LOOK_EVERY_S);
        let is_mine = || {
            let swapped = self.look_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
            swapped.is_ok()
        };
        if now.0 >= due && is_mine() {
            self.forget_before(now);
        }
    }

    fn forget_before(&self, now: UnixSeconds) {
        let mut gone = Vec::new();
        self.calls.retain(|_, call| {
            let keep = call.until > now;
            if !keep {
                gone.push(*call);
            }
            keep
        });
        for call in gone {
            self.uncount(&call);
        }
    }

    fn uncount(&self, call: &Call) {
        down(&self.tenants, &call.tenant);
        if let Some(number) = &call.number {
            down(&self.numbers, number);
        }
    }
}

/// One less; at none the entry goes, so that memory is bounded by the calls under way.
fn down<K: std::hash::Hash + Eq + Copy>(counts: &DashMap<K, u32>, key: &K) {
    if let Some(mut count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
    }
    counts.remove_if(key, |_, count| *count == 0);
}

/// The calls of one call's tenant and number, besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    counts: &'a LiveCallCounts,
    limited: Limited,
    /// What is counted of the call that asks.
    asking: Option<Call>,
}

impl LiveCalls for Limits<'_> {
    fn is_over(&self, scope: LimitScope) -> bool {
        let is_over = |count: Option<u32>, is_asking: bool, most: u16| {
            count.unwrap_or_default().saturating_sub(u32::from(is_asking)) >= u32::from(most)
        };
        let tenant = || {
            let Some((id, most)) = self.limited.tenant else { return false };
            let count = self.counts.tenants.get(&id).map(|count| *count);
            is_over(count, self.asking.is_some_and(|call| call.tenant == id), most)
        };
        let number = || {
            let Some((id, most)) = self.limited.number else { return false };
            let count = self.counts.numbers.get(&id).map(|count| *count);
            is_over(count, self.asking.is_some_and(|call| call.number == Some(id)), most)
        };
        match scope {
            LimitScope::Tenant => tenant(),
            LimitScope::Number => number(),
            LimitScope::Any => tenant() || number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const NUMBER: PhoneNumberId = PhoneNumberId(Uuid::from_u128(2));
    const OTHER_TENANT: TenantId = TenantId(Uuid::from_u128(3));
    const OTHER_NUMBER: PhoneNumberId = PhoneNumberId(Uuid::from_u128(4));
    const ACCOUNT: AccountId = AccountId(Uuid::from_u128(5));
    const OTHER_ACCOUNT: AccountId = AccountId(Uuid::from_u128(6));
    const LIMITED: Limited = Limited { tenant: Some((TENANT, 2)), number: Some((NUMBER, 1)) };

    fn begin(counts: &LiveCallCounts, id: &str, limited: Limited, now: i64) {
        counts.begin(TENANT, Some(NUMBER), limited, (ACCOUNT, id), UnixSeconds(now));
    }

    fn over(counts: &LiveCallCounts, scope: LimitScope, now: i64) -> bool {
        counts.limits(LIMITED, None, UnixSeconds(now)).is_over(scope)
    }

    #[test]
    fn a_call_counts_once_until_it_ends() {
        let counts = LiveCallCounts::default();
        let over = |scope| over(&counts, scope, 2);
        begin(&counts, "CA1", LIMITED, 0);
        begin(&counts, "CA1", LIMITED, 1);
        assert!(over(LimitScope::Number) && !over(LimitScope::Tenant) && over(LimitScope::Any));
        begin(&counts, "CA2", LIMITED, 2);
        assert!(over(LimitScope::Tenant));
        for _ in 0..2 {
            counts.end(ACCOUNT, "CA1");
        }
        assert!(!over(LimitScope::Tenant) && over(LimitScope::Number));
        counts.end(ACCOUNT, "CA2");
        assert!(!over(LimitScope::Any) && counts.tenants.is_empty() && counts.numbers.is_empty());
    }

    #[test]
    fn a_call_that_asks_again_is_not_one_more() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", LIMITED, 0);
        let asked_by =
            |id| counts.limits(LIMITED, Some((ACCOUNT, id)), UnixSeconds(1)).is_over(LimitScope::Any);
        assert!(!asked_by("CA1") && asked_by("CA2"));
    }

    #[test]
    fn another_account_neither_ends_nor_takes_over_a_call() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", LIMITED, 0);
        let theirs = Limited { tenant: Some((OTHER_TENANT, 9)), number: None };
        counts.begin(OTHER_TENANT, None, theirs, (OTHER_ACCOUNT, "CA1"), UnixSeconds(0));
        counts.end(OTHER_ACCOUNT, "CA1");
        assert!(over(&counts, LimitScope::Number, 1));
        counts.end(ACCOUNT, "CA1");
        assert!(counts.tenants.is_empty() && counts.numbers.is_empty());
    }

    #[test]
    fn a_call_that_goes_on_to_another_number_counts_there_alone() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", LIMITED, 0);
        counts.begin(TENANT, Some(OTHER_NUMBER), LIMITED, (ACCOUNT, "CA1"), UnixSeconds(1));
        assert!(!over(&counts, LimitScope::Number, 1));
        counts.end(ACCOUNT, "CA1");
        assert!(counts.tenants.is_empty() && counts.numbers.is_empty());
    }

    #[test]
    fn who_has_no_limit_isnt_counted() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", Limited::default(), 0);
        assert!(counts.calls.is_empty() && counts.tenants.is_empty());
    }

    #[test]
    fn what_never_ends_is_forgotten_however_few_calls_there_are() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", LIMITED, 0);
        assert!(over(&counts, LimitScope::Number, CALL_S_MAX - LOOK_EVERY_S));
        assert!(!over(&counts, LimitScope::Number, CALL_S_MAX));
        assert!(counts.calls.is_empty() && counts.tenants.is_empty());
    }
}

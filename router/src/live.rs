//! Calls under way, of tenants and numbers that have a limit.
//!
//! Counted by this router alone: a call begins with its routing decision and ends with the provider's word for that,
//! or once no call lasts so long.

use dashmap::DashMap;
use dialplane_common::call::InboundCall;
use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::route::{LimitScope, LiveCalls};
use dialplane_common::time::UnixSeconds;

use crate::snapshot::{Number, Tenant};

/// No call lasts longer: the longest that providers let one last.
const CALL_S_MAX: i64 = 4 * 60 * 60;

/// A call whose provider doesn't say that it ended is forgotten at the next look after [`CALL_S_MAX`].
const LOOK_EVERY: usize = 1_000;

/// Calls under way.
#[derive(Debug, Default)]
pub struct LiveCallCounts {
    calls: DashMap<u128, Call>,
    tenants: DashMap<TenantId, u32>,
    numbers: DashMap<PhoneNumberId, u32>,
}

#[derive(Debug)]
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
    /// The limits of a tenant and its number.
    #[must_use]
    pub fn of(id: TenantId, tenant: &Tenant, number: Option<&Number>) -> Self {
        Self {
            tenant: tenant.calls_max.map(|most| (id, most)),
            number: number.and_then(|number| Some((number.id, number.calls_max?))),
        }
    }
}

impl LiveCallCounts {
    /// Counts a call from now on, once however often it asks, when anybody whose call it is has a limit.
    pub fn begin(
        &self,
        tenant: TenantId,
        number: Option<PhoneNumberId>,
        limited: Limited,
        provider: &str,
        call: &InboundCall<'_>,
        now: UnixSeconds,
    ) {
        if limited.tenant.is_none() && limited.number.is_none() {
            return;
        }
        let until = UnixSeconds(now.0 + CALL_S_MAX);
        let before = self.calls.insert(key(provider, &call.call_id), Call { tenant, number, until });
        if before.is_some() {
            return;
        }
        *self.tenants.entry(tenant).or_default() += 1;
        if let Some(number) = number {
            *self.numbers.entry(number).or_default() += 1;
        }
        if self.calls.len().is_multiple_of(LOOK_EVERY) {
            self.forget_before(now);
        }
    }

    /// A call has ended. One that isn't counted, or ended before, changes nothing.
    pub fn end(&self, provider: &str, call_id: &str) {
        if let Some((_, call)) = self.calls.remove(&key(provider, call_id)) {
            self.uncount(&call);
        }
    }

    /// The calls of these, as conditions ask for them.
    #[must_use]
    pub const fn limits(&self, limited: Limited) -> Limits<'_> {
        Limits { counts: self, limited }
    }

    fn forget_before(&self, now: UnixSeconds) {
        let mut gone = Vec::new();
        self.calls.retain(|_, call| {
            let keep = call.until > now;
            if !keep {
                gone.push(Call { tenant: call.tenant, number: call.number, until: call.until });
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

fn key(provider: &str, call_id: &str) -> u128 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, provider, call_id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The calls of one call's tenant and number.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    counts: &'a LiveCallCounts,
    limited: Limited,
}

impl LiveCalls for Limits<'_> {
    fn is_over(&self, scope: LimitScope) -> bool {
        let tenant = || {
            let Some((id, most)) = self.limited.tenant else { return false };
            self.counts.tenants.get(&id).is_some_and(|count| *count >= u32::from(most))
        };
        let number = || {
            let Some((id, most)) = self.limited.number else { return false };
            self.counts.numbers.get(&id).is_some_and(|count| *count >= u32::from(most))
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
    const LIMITED: Limited = Limited { tenant: Some((TENANT, 2)), number: Some((NUMBER, 1)) };

    fn begin(counts: &LiveCallCounts, id: &str, limited: Limited, now: i64) {
        let call = InboundCall {
            call_id: id.into(),
            to: "".into(),
            from: "".into(),
            number_id: None,
            context: "".into(),
        };
        counts.begin(TENANT, Some(NUMBER), limited, "twilio", &call, UnixSeconds(now));
    }

    #[test]
    fn a_call_counts_once_until_it_ends() {
        let counts = LiveCallCounts::default();
        let over = |scope| counts.limits(LIMITED).is_over(scope);
        begin(&counts, "CA1", LIMITED, 0);
        begin(&counts, "CA1", LIMITED, 1);
        assert!(over(LimitScope::Number) && !over(LimitScope::Tenant) && over(LimitScope::Any));
        begin(&counts, "CA2", LIMITED, 2);
        assert!(over(LimitScope::Tenant));
        for _ in 0..2 {
            counts.end("twilio", "CA1");
        }
        counts.end("plivo", "CA2");
        assert!(!over(LimitScope::Tenant) && over(LimitScope::Number));
        counts.end("twilio", "CA2");
        assert!(!over(LimitScope::Any) && counts.tenants.is_empty() && counts.numbers.is_empty());
    }

    #[test]
    fn who_has_no_limit_isnt_counted_and_what_never_ends_is_forgotten() {
        let counts = LiveCallCounts::default();
        begin(&counts, "CA1", Limited::default(), 0);
        assert!(counts.calls.is_empty());
        begin(&counts, "CA2", LIMITED, 0);
        counts.forget_before(UnixSeconds(CALL_S_MAX - 1));
        assert_eq!(counts.calls.len(), 1);
        counts.forget_before(UnixSeconds(CALL_S_MAX));
        assert!(counts.calls.is_empty() && counts.tenants.is_empty());
    }
}

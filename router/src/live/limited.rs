//! Who has a limit, and whether it is reached.

use dialplane_common::ids::{PhoneNumberId, TenantId};
use dialplane_common::live::{CallKey, Counted};
use dialplane_common::route::{LimitScope, LiveCalls};

use super::LiveCallCounts;
use crate::snapshot::{Number, Tenant};

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

/// The calls of one call's tenant and number, besides itself: a call that asks again isn't one call more.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    counts: &'a LiveCallCounts,
    limited: Limited,
    /// What is counted of the call that asks.
    asking: Option<Counted>,
}

impl<'a> Limits<'a> {
    pub(super) fn new(counts: &'a LiveCallCounts, limited: Limited, asking: Option<CallKey>) -> Self {
        let asking = asking.filter(|_| limited.is_any()).and_then(|key| counts.counted(key));
        Self { counts, limited, asking }
    }
}

impl LiveCalls for Limits<'_> {
    fn is_over(&self, scope: LimitScope) -> bool {
        let is_over = |count: u32, is_asking: bool, most: u16| {
            count.saturating_sub(u32::from(is_asking)) >= u32::from(most)
        };
        let tenant = || {
            let Some((id, most)) = self.limited.tenant else { return false };
            is_over(self.counts.of_tenant(id), self.asking.is_some_and(|call| call.tenant == id), most)
        };
        let number = || {
            let Some((id, most)) = self.limited.number else { return false };
            is_over(self.counts.of_number(id), self.asking.is_some_and(|call| call.number == Some(id)), most)
        };
        match scope {
            LimitScope::Tenant => tenant(),
            LimitScope::Number => number(),
            LimitScope::Any => tenant() || number(),
        }
    }
}

/// Limits of which one was reached between the decision and its being counted: all that there are count as reached.
#[derive(Clone, Copy, Debug)]
pub struct Reached(pub Limited);

impl LiveCalls for Reached {
    fn is_over(&self, scope: LimitScope) -> bool {
        match scope {
            LimitScope::Tenant => self.0.tenant.is_some(),
            LimitScope::Number => self.0.number.is_some(),
            LimitScope::Any => self.0.is_any(),
        }
    }
}
